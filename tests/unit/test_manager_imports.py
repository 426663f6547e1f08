"""Client trades told while hedging runs: each once by its id, a whole file or nothing, corrected and cancelled exactly."""

from __future__ import annotations

import numpy as np
import pytest

from common.control_messages import TradesImported
from common.messages import PositionUpdate
from common.units import NS_PER_S
from common.universe import OPTION, Book
from common.universe import Desk as DeskOf
from manager import book_import
from manager import events as ev
from manager.book_import import ROWS_MAX
from manager.fold import apply
from manager.hash import state_hash
from manager.snapshot import decode, encode
from manager.status import status
from manager.step import start
from tests.manager_world import Desk, quotes
from tests.steering_world import bring, by_hand, row


def name(desk: Desk, at: int) -> str:
    return desk.world.instrument_id[at]


def positions(desk: Desk) -> dict[int, int]:
    """What the agents were told last."""
    told = [i.update for i in desk.out if isinstance(i, ev.Publish) and isinstance(i.update, PositionUpdate)][-1]
    return {int(j): int(n) for j, n in zip(told.instrument, told.traded_lots, strict=True) if n}


def test_new_trades_move_the_positions_the_agents_see_and_nothing_we_traded() -> None:
    desk = Desk()
    version = desk.state.fold.ledger.version
    ack = bring(desk, "i1", row(2, "T1", name(desk, 5), -40), row(3, "T2", name(desk, 6), 7))
    assert ack.accepted and "2 new" in ack.text
    assert positions(desk) == {5: -40, 6: 7} and not desk.state.fold.ledger.traded.any()
    assert desk.state.fold.ledger.version == version + 2
    by_hand(desk, "h1", "BUY", 3, 5)
    assert len(desk.orders) == 0 or desk.orders[0].instrument == 5
    said = status(desk.state, 0)
    assert said["positions"]["imported"] == {name(desk, 5): -40, name(desk, 6): 7}
    assert said["imports"]["live"] == 2


def test_the_same_file_again_is_ignored_and_said_so() -> None:
    desk = Desk()
    bring(desk, "i1", row(2, "T1", name(desk, 5), -40))
    entries, told = len(desk.journal), positions(desk)
    ack = bring(desk, "i2", row(2, "T1", name(desk, 5), -40), row(3, "T2", name(desk, 5), 1))
    assert ack.accepted and "1 new" in ack.text and "1 known already and ignored: T1" in ack.text
    assert positions(desk) == {5: -39} != told
    assert bring(desk, "i3", row(2, "T1", name(desk, 5), -40)).accepted
    assert len(desk.journal) == entries + 3, "a file that brings nothing new leaves its command and nothing else"


def test_a_correction_and_a_cancellation_take_back_exactly_what_there_was() -> None:
    desk = Desk()
    bring(desk, "i1", row(2, "T1", name(desk, 5), -40), row(3, "T2", name(desk, 6), 7))
    assert bring(desk, "i2", row(2, "T1b", name(desk, 8), -41, corrects="T1")).accepted
    assert positions(desk) == {6: 7, 8: -41}
    assert bring(desk, "i3", row(2, "T2c", name(desk, 6), 7, cancels="T2")).accepted
    assert positions(desk) == {8: -41}
    assert desk.state.fold.ledger.cash_cents["client"] == round(41 * 10.0 * 100 * 100), "only what stands has been paid"
    for k, wrong in enumerate(
        [
            row(9, "T1c", name(desk, 5), -40, corrects="T1"),
            row(9, "T2d", name(desk, 6), 7, cancels="T2"),
            row(9, "T9", name(desk, 6), 7, cancels="T8"),
            row(9, "T9", name(desk, 6), 8, cancels="T1b"),
            row(9, "T9", name(desk, 6), 8, corrects="T9"),
            row(9, "T9", name(desk, 8), -41, corrects="T1b", cancels="T1b"),
            row(9, "T9", name(desk, 6), 7, cancels="T2c"),
        ]
    ):
        ack = bring(desk, f"w{k}", wrong)
        assert not ack.accepted and "line 9" in ack.text, wrong
    assert positions(desk) == {8: -41}


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"name": "SPX-unlisted"}, "not among the instruments of this run"),
        ({"lots": 0}, "quantity 0"),
        ({"price": -1.0}, "price -1.0"),
        ({"trade_id": "T1", "lots": 3}, "known with other content"),
        ({"trade_id": ""}, "no trade_id"),
    ],
)
def test_one_bad_line_refuses_the_whole_file(bad: dict[str, object], why: str) -> None:
    desk = Desk()
    bring(desk, "i1", row(2, "T1", name(desk, 5), -40))
    line = {"line": 3, "trade_id": "T3", "name": name(desk, 6), "lots": 2, "price": 1.0, **bad}
    ack = bring(desk, "i2", row(2, "T2", name(desk, 6), 5), row(**line))
    assert not ack.accepted and "line 3" in ack.text and why in ack.text
    assert positions(desk) == {5: -40}


def test_shapes_that_are_no_import_are_refused_and_a_long_file_too() -> None:
    desk = Desk()
    for k, rows in enumerate(([], [["x"]], [row(2, "T", name(desk, 5), True)])):
        assert not bring(desk, f"i{k}", *rows).accepted
    ack = bring(desk, "long", *[row(k, f"T{k}", name(desk, 5), 1) for k in range(ROWS_MAX + 1)])
    assert not ack.accepted and f"limit {ROWS_MAX}" in ack.text


def test_a_dry_run_takes_nothing() -> None:
    desk = Desk()
    ack = bring(desk, "i1", row(2, "T1", name(desk, 5), -40), dry_run=True)
    assert ack.accepted and ack.text.startswith("dry run") and not desk.state.fold.imports.trades


def test_an_expired_contract_is_refused() -> None:
    desk = Desk()
    from tests.manager_world import quotes

    late = int(desk.world.expiry_ns[5]) + NS_PER_S
    desk.send(ev.MarketNews(quotes(desk.world, "SPX", desk.sequence["SPX"] + 1, late)))
    assert "expired" in bring(desk, "i1", row(2, "T1", name(desk, 5), -40)).text


def test_a_file_taken_before_is_known_though_a_contract_of_it_has_expired_since() -> None:
    """Found by a review: the growing file of a day was refused whole from the first expiry on."""
    desk = Desk()
    first = row(2, "T1", desk.world.instrument_id[5], -40)
    assert bring(desk, "i1", first).accepted
    gone_ns = int(desk.world.expiry_ns[5]) + NS_PER_S
    desk.send(ev.MarketNews(quotes(desk.world, "SPX", desk.sequence["SPX"] + 1, gone_ns)))
    later = row(3, "T2", desk.world.instrument_id[0], 5)
    said = bring(desk, "i2", first, later)
    assert said.accepted and said.text.startswith("1 new") and "1 known already and ignored: T1" in said.text
    refused = bring(desk, "i3", row(2, "T3", desk.world.instrument_id[5], 1))
    assert not refused.accepted and "has expired" in refused.text


def test_a_leader_that_died_between_its_answer_and_the_trades_has_taken_none() -> None:
    """Found by a review: the answer stood in the journal, so the next leader gave it again, and the trades were nowhere."""
    desk = Desk()
    line = row(2, "T1", desk.world.instrument_id[5], -40)
    assert bring(desk, "i1", line).accepted
    cut = next(k for k, e in enumerate(desk.journal) if isinstance(e.event, TradesImported))
    heir = Desk()
    heir.state = start(heir.setup)
    for entry in desk.journal[:cut]:
        apply(heir.state, entry)
    heir.take_over(2)
    assert bring(heir, "i1", line).text.startswith("1 new") and list(heir.state.fold.imports.trades) == ["T1"]
    assert bring(heir, "i1", line).text.startswith("1 new") and len(heir.state.fold.imports.trades) == 1


def test_of_the_most_trades_a_run_takes_those_known_already_do_not_count_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_import, "TRADES_MAX", 2)
    desk = Desk()
    both = [row(k, f"T{k}", desk.world.instrument_id[0], 5) for k in (2, 3)]
    assert bring(desk, "i1", *both).accepted
    assert "2 known already" in bring(desk, "i2", *both).text
    refused = bring(desk, "i3", *both, row(4, "T4", desk.world.instrument_id[0], 5))
    assert not refused.accepted and refused.text == "imported trades: 3, limit 2 a run"


def test_a_trade_of_the_future_is_refused_with_its_line_and_both_times() -> None:
    """The market of these tests stands at 1,520,000,000 s, 2018-03-02T14:13:20Z; a day is left for other zones."""
    desk = Desk()
    desk.feed(0)
    day_s, sources = 86_400, 1_520_000_000
    ahead_s = desk.now_ns // NS_PER_S - sources
    assert 0 <= ahead_s < 60

    def at(seconds: int, trade_id: str) -> list[object]:
        line = row(3, trade_id, name(desk, 5), 1)
        return [*line[:6], seconds * NS_PER_S, *line[7:]]

    ack = bring(desk, "i1", at(7_229_054_100, "T1"))  # 2199-01-29T14:35:00Z
    assert not ack.accepted and "line 3" in ack.text and "2199-01-29T14:35:00Z" in ack.text
    assert "the market's time, 2018-03-02T14:13:2" in ack.text
    assert not bring(desk, "i2", at(sources + ahead_s + day_s + 1, "T2")).accepted
    assert bring(desk, "i3", at(sources + day_s, "T3")).accepted


def test_the_trade_goes_to_the_desk_of_its_account() -> None:
    desks = (DeskOf("one", "E", ("a",)), DeskOf("two", "E", ("b",)))
    book = Book("book", ("a", "b"), np.array([5, 6], np.uint32), np.array([1, 1], np.int64), np.empty(0), desks)
    desk = Desk(book=book, owner={"gamma/SPX@one": "gamma-0", "gamma/SPX@two": "gamma-0"})
    assert bring(desk, "i1", row(2, "T1", name(desk, 5), -4), row(3, "T2", name(desk, 5), 9, account="b")).accepted
    assert desk.state.fold.ledger.net_desk_lots()[:, 5].tolist() == [-4, 9]
    assert "belongs to no desk" in bring(desk, "i2", row(2, "T3", name(desk, 5), 9, account="c")).text


def test_the_journal_and_a_snapshot_give_it_back() -> None:
    desk = Desk()
    bring(desk, "i1", row(2, "T1", name(desk, 5), -40), row(3, "T2", name(desk, 6), 7))
    bring(desk, "i2", row(2, "T1b", name(desk, 8), -41, corrects="T1"))
    other = start(desk.setup)
    for entry in desk.journal:
        apply(other, entry)
    assert state_hash(other) == state_hash(desk.state)
    other.fold = decode(encode(desk.state.fold, desk.run_id), desk.setup)
    assert state_hash(other) == state_hash(desk.state)


def test_what_has_expired_is_not_taken_back_by_a_correction_into_another_contract() -> None:
    desk = Desk()
    names, expiry_ns = desk.world.instrument_id, desk.world.expiry_ns
    soon = int(np.flatnonzero(desk.world.kind == OPTION)[np.argmin(expiry_ns[desk.world.kind == OPTION])])
    late = int(np.argmax(np.where(desk.world.kind == OPTION, expiry_ns, 0)))
    assert bring(desk, "i1", row(2, "T1", names[soon], -40)).accepted
    assert bring(desk, "i2", row(2, "T2", names[late], 5)).accepted
    desk.now_ns = int(expiry_ns[soon]) + 1
    desk.feed(0)
    said = bring(desk, "i3", row(2, "T1b", names[late], -40, corrects="T1"))
    assert not said.accepted and "has expired and settled" in said.text and names[soon] in said.text
    assert bring(desk, "i4", row(2, "T2b", names[late], 6, corrects="T2")).accepted
