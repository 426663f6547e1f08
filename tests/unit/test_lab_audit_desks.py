"""The auditor of desks: a clean run is clean, and each planted violation is found and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from common import factors
from common.control_messages import Crossing, Cycle, JournalEntry
from lab.audit_desks import desk_violations
from tests.desks_world import Desks
from tests.manager_world import FORWARD, FUTURE_MULTIPLIER

LOT = FORWARD[0] * FUTURE_MULTIPLIER[0]
DELTA = factors.delta("SPX")


def clean() -> Desks:
    """Desks a and b cross 10 lots and order 20, of which 7 fill, then all of a second order."""
    desks = Desks(entities={"a": "LLC", "b": "LLC", "c": "Ltd"})
    for a, b, part in ((30, -10, 7), (25, 5, None)):
        desks.says("a", {DELTA: a * LOT}, 0.25 * LOT)
        desks.says("b", {DELTA: b * LOT}, 0.25 * LOT)
        for order in desks.decide():
            desks.fill(order, part)
        desks.feed(5.0)
    return desks


def found(desks: Desks, entries: list[JournalEntry] | None = None, lots: np.ndarray | None = None) -> list[str]:
    claimed = desks.state.fold.ledger.desk_lots() if lots is None else lots
    return list(desk_violations(desks.world, desks.book, desks.journal if entries is None else entries, claimed))


def test_a_clean_run_is_clean() -> None:
    desks = clean()
    assert desks.state.fold.ledger.crossings == 1 and desks.state.fold.ledger.fills == 2
    assert found(desks) == []


def doctor(desks: Desks, change: Callable[[Cycle], Cycle]) -> list[JournalEntry]:
    first = next(k for k, e in enumerate(desks.journal) if isinstance(e.event, Cycle))
    entries = list(desks.journal)
    entries[first] = replace(entries[first], event=change(entries[first].event))
    return entries


def crossing(**changes: Any) -> Callable[[Cycle], Cycle]:
    return lambda c: replace(c, crossings=(replace(c.crossings[0], **changes),))


def twice(c: Cycle) -> Cycle:
    return replace(c, crossings=c.crossings * 2)


def other_side_forgotten(c: Cycle) -> Cycle:
    lots = c.desk_lots.copy()
    lots[1] = 0
    return replace(c, desk_lots=lots)


def for_a_stranger(c: Cycle) -> Cycle:
    return replace(c, orders=(replace(c.orders[0], allocation=(("gamma-0", -20),)),))


def unknown(c: Cycle) -> Cycle:
    x: Crossing = c.crossings[0]
    return replace(c, crossings=(replace(x, buyer="z", bought=(("gamma-1@z", x.lots),)),))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (crossing(lots=11), "has 10 lots for its agents, 11 are crossed"),
        (crossing(sold=(("gamma-1@b", 10),)), "of another desk than a"),
        (crossing(buyer="c", bought=(("gamma-2@c", 10),)), "two legal entities"),
        (crossing(bid_ticks=9, ask_ticks=9), "priced off a quote"),
        (unknown, "is between 'z' and 'a'"),
        (twice, "stands 2 times in the journal"),
        (other_side_forgotten, "the desks' lots are not what was ordered"),
        (other_side_forgotten, "orders and crossings give 10"),
        (for_a_stranger, "of no desk of this book"),
    ],
)
def test_a_planted_violation_is_found(change: Callable[[Cycle], Cycle], said: str) -> None:
    desks = clean()
    assert any(said in text for text in found(desks, doctor(desks, change)))


def test_a_position_that_does_not_add_up_is_found() -> None:
    desks = clean()
    lots = desks.state.fold.ledger.desk_lots()
    lots[0, 0] += 1
    lots[1, 0] -= 1  # the total is right, and that does not help
    said = found(desks, lots=lots)
    assert len(said) == 2 and all("lots stated, book, fills and crossings give" in text for text in said)


def test_crossings_of_a_book_without_desks_are_wrong() -> None:
    desks = clean()
    whole = replace(desks.book, desks=())
    assert any("is between" in said for said in desk_violations(desks.world, whole, desks.journal, None))
