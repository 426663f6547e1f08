"""A snapshot is the fold: encoded at any entry, decoded and carried on, it gives what the whole journal gives."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common import factors
from common.control_messages import JournalEntry
from common.errors import Refused
from common.messages import OrdStatus
from common.units import NS_PER_S
from common.wire.codec import decode_journal_entry, encode_journal_entry
from manager.config import ManagerConfig
from manager.fold import apply
from manager.hash import attributes, state_hash
from manager.orders import OrderLife
from manager.snapshot import DERIVED, decode, encode, kept, restore
from manager.state import Fold, ManagerState
from manager.step import ManagerSetup, start
from tests.desks_world import two
from tests.manager_world import Desk
from tests.properties.test_manager_conservation import ACTIONS, act, desk_of
from tests.properties.test_manager_fold import busy_desk

STEPS = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 10_000)), min_size=5, max_size=40)


def folded(setup: ManagerSetup, journal: list[JournalEntry]) -> ManagerState:
    state = start(setup)
    for entry in journal:
        apply(state, entry)
    return state


def carried_on(setup: ManagerSetup, journal: list[JournalEntry], at: int) -> ManagerState:
    """As a new leader does it: the snapshot after ``at`` entries, then the stored bytes of the rest."""
    state = restore(encode(folded(setup, journal[:at]).fold, setup.run_id), setup)
    for entry in journal[at:]:
        apply(state, decode_journal_entry(encode_journal_entry(entry)))
        state.check()
    return state


@settings(max_examples=25, deadline=None)
@given(steps=STEPS, mode=st.sampled_from(["joint", "alone"]), cut=st.floats(0.0, 1.0))
def test_a_snapshot_and_the_rest_give_what_the_whole_journal_gives(
    steps: list[tuple[str, int]], mode: str, cut: float
) -> None:
    desk = desk_of(mode)
    truth: dict[int, int] = {}
    for action, pick in [("propose", 3), ("decide", 0), *steps]:
        act(desk, action, pick, truth)
    whole = state_hash(desk.state)
    assert state_hash(folded(desk.setup, desk.journal)) == whole
    assert state_hash(carried_on(desk.setup, desk.journal, round(cut * len(desk.journal)))) == whole


def crossing_desks() -> Desk:
    """Two desks that trade with each other, with the market, and again."""
    desks = two()
    for k in range(6):
        desks.says("a", {factors.delta("SPX"): 4e6 * (1 - k % 3)}, 1e5)
        desks.says("b", {factors.delta("SPX"): -2.5e6}, 1e5)
        desks.decide()
        desks.settle()
        desks.feed(5)
    assert desks.state.fold.ledger.crossings
    return desks


@pytest.mark.parametrize("history", [lambda: busy_desk(4), crossing_desks], ids=["one desk", "two desks"])
def test_every_cut_of_a_busy_history_carries_on_to_the_same_state(history) -> None:
    desk = history()
    whole = state_hash(desk.state)
    for at in range(0, len(desk.journal) + 1, 7):
        assert state_hash(carried_on(desk.setup, desk.journal, at)) == whole


def test_bounded_memories_forget_alike_after_a_snapshot() -> None:
    """What was kept is kept in its order: after a restore the same orders, fills and moves are the next to be forgotten."""
    small = ManagerConfig(history_max=3, orders_kept=2, exec_ids_kept=3, commands_kept=2)
    desk = Desk(config=small)
    for k in range(8):
        desk.propose("gamma-0", {factors.delta("SPX"): 4e6 * (-1) ** k, factors.gamma("SPX"): 0.0}, 1e5)
        for order in desk.decide():
            desk.fill(order, max(order.quantity_lots - 1, 1))
        desk.feed(5)
    fold = desk.state.fold
    assert (len(fold.orders.ended), len(fold.ledger.exec_ids), len(fold.ledger.history)) == (2, 3, 3)
    for at in range(len(desk.journal)):
        assert state_hash(carried_on(desk.setup, desk.journal, at)) == state_hash(desk.state)


# So that it cannot rot: every attribute of the fold is in the snapshot, whoever adds it.


def objects_of(fold: Fold) -> list[object]:
    """Every object inside the fold that a snapshot keeps by its attributes."""
    flows, ledger = fold.flows, fold.ledger
    return [fold, fold.table, fold.orders, ledger, ledger.exec_ids, flows, next(iter(flows.meters.values()))]


def test_every_attribute_of_the_fold_is_kept_or_follows_from_the_settings() -> None:
    desk = busy_desk(5)
    assert set(attributes(desk.state.fold)) == {f.name for f in dataclasses.fields(Fold)}
    assert kept(desk.state.fold) == sorted(f.name for f in dataclasses.fields(Fold))
    fresh = start(desk.setup).fold
    for owner, unused in zip(objects_of(desk.state.fold), objects_of(desk.state.fold), strict=True):
        assert set(kept(owner)) | DERIVED.get(type(owner), frozenset()) == set(attributes(unused))
    for owner, new in ((desk.state.fold.table, fresh.table), (desk.state.fold.ledger, fresh.ledger)):
        for name in DERIVED[type(owner)]:
            old, made = getattr(owner, name), getattr(new, name)
            assert np.array_equal(old, made) if isinstance(old, np.ndarray) else old == made


def changed(value: object) -> object:
    """Another value of the same class."""
    if isinstance(value, np.ndarray):
        out = value.copy()
        out.flat[0] = not out.flat[0] if out.dtype == np.bool_ else "zz" if out.dtype == object else out.flat[0] + 1
        return np.full_like(value, 7.0) if out.dtype == np.float64 else out
    if isinstance(value, bool):
        return not value
    if isinstance(value, OrdStatus):
        return OrdStatus.UNKNOWN if value is not OrdStatus.UNKNOWN else OrdStatus.FILLED
    if type(value) in (int, float, str):
        return value * 2 + type(value)(3)
    return None


@pytest.mark.parametrize("which", range(7))
def test_a_change_of_any_plain_attribute_survives(which: int) -> None:
    """One attribute at a time is changed by hand; the hash sees it, and the snapshot brings it back."""
    names = kept(objects_of(busy_desk(5).state.fold)[which])
    desk, tried = busy_desk(5), 0
    for name in names:
        owner = objects_of(desk.state.fold)[which]
        before, old = state_hash(desk.state), getattr(owner, name)
        other = changed(old)
        if other is None or name == "sequence":
            continue
        setattr(owner, name, other)
        after = state_hash(desk.state)
        assert after != before, name
        back = restore(encode(desk.state.fold, "run"), desk.setup)
        assert state_hash(back) == after, name
        setattr(owner, name, old)
        tried += 1
    assert tried or not any(changed(getattr(objects_of(desk.state.fold)[which], n)) is not None for n in names)


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(OrderLife) if f.name not in ("order", "got")])
def test_a_change_of_any_attribute_of_an_order_survives(name: str) -> None:
    desk = busy_desk(5)
    for lives in (desk.state.fold.orders.ended, desk.state.fold.orders.open):
        for life in list(lives.values())[:1]:
            before = state_hash(desk.state)
            setattr(life, name, changed(getattr(life, name)))
            assert state_hash(desk.state) != before
    assert state_hash(restore(encode(desk.state.fold, "run"), desk.setup)) == state_hash(desk.state)


def test_an_attribute_without_a_codec_is_refused_when_it_is_written() -> None:
    """Planted: somebody keeps an object in the fold that nobody taught the snapshot."""
    desk = busy_desk(5)
    desk.state.fold.counts = {"x": object()}
    with pytest.raises(TypeError, match=r"Fold\.counts: class object has no codec"):
        encode(desk.state.fold, "run")


def test_other_runs_forms_markets_and_broken_bytes_are_refused_whole() -> None:
    desk = busy_desk(2)
    data = encode(desk.state.fold, desk.setup.run_id)
    with pytest.raises(Refused, match="of run 'run', not of 'other'"):
        decode(data, dataclasses.replace(desk.setup, run_id="other"))
    with pytest.raises(Refused, match="form"):
        decode(b"\x08\x63" + data[2:], desk.setup)
    with pytest.raises(Refused):
        decode(data[: len(data) // 2], desk.setup)
    with pytest.raises(Refused):
        decode(b"", desk.setup)
    two_desks = two()
    with pytest.raises(Refused, match="this market needs"):
        decode(data, dataclasses.replace(two_desks.setup, run_id="run"))


def test_a_snapshot_of_a_version_that_keeps_something_else_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = busy_desk(2)
    data = encode(desk.state.fold, "run")
    monkeypatch.setitem(DERIVED, Fold, frozenset({"cycle_number"}))
    with pytest.raises(Refused, match="Fold of another version: cycle_number"):
        decode(data, desk.setup)


def test_what_is_restored_can_be_changed_without_touching_its_bytes() -> None:
    desk = busy_desk(3)
    data = encode(desk.state.fold, "run")
    first = decode(data, desk.setup)
    first.ledger.traded += 5
    first.table.exposure[:] = 0.0
    assert state_hash(restore(data, desk.setup)) == state_hash(desk.state)
    assert desk.now_ns > NS_PER_S
