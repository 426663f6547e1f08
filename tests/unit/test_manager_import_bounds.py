"""No accepted line is too much for what comes after the door: agents believe the positions, every close can be struck."""

from __future__ import annotations

import numpy as np

from common.control_messages import ImportedTrade, JournalEntry, TradesImported
from common.messages import Header, PositionUpdate
from common.universe import Book
from common.universe import Desk as DeskOf
from common.wire import codec
from manager import events as ev
from manager.recording import record
from manager.strike import _opening, levels
from tests.manager_world import Desk
from tests.steering_world import bring, row

#: What an agent believes of one instrument: docs/steering.md.
LOTS = 10**12


def name(desk: Desk, at: int) -> str:
    return desk.world.instrument_id[at]


def test_a_trade_worth_more_than_any_is_refused_with_its_line_value_and_limit() -> None:
    """A billion lots at a million points of 100 USD: 10^19 cents, more than 64 bits hold."""
    desk = Desk()
    ack = bring(desk, "i1", row(2, "T1", name(desk, 5), 1), row(3, "BIG1", name(desk, 5), 10**9, 1e6))
    assert not ack.accepted and "line 3" in ack.text and "1e+17 USD, limit 1e+13 USD" in ack.text
    assert not bring(desk, "i2", row(2, "BIG2", name(desk, 5), 1, 1e300)).accepted
    # At the limit itself: 10^13 USD = 10^9 lots at 100 points of 100 USD.
    assert bring(desk, "i3", row(2, "MOST", name(desk, 5), 10**9, 100.0)).accepted


def test_trades_that_fit_one_by_one_do_not_add_up_to_more_cash() -> None:
    desk = Desk()
    half = [row(2 + k, f"T{k}", name(desk, 5), 6 * 10**8, 100.0) for k in range(2)]
    ack = bring(desk, "i1", *half)
    assert not ack.accepted and "line 3" in ack.text and "-1.2e+13 USD of cash, limit 1e+13 USD" in ack.text
    assert bring(desk, "i2", half[0]).accepted
    assert not bring(desk, "i3", half[1]).accepted, "what earlier files brought counts"
    sold = row(2, "S", name(desk, 6), -6 * 10**8, 100.0)
    assert bring(desk, "i4", sold, [3, *half[1][1:]]).accepted, "what is sold makes room"


def test_positions_stay_what_an_agent_believes_also_once_options_are_delivered() -> None:
    desk = Desk()
    every = [row(2 + k, f"T{k}", name(desk, 5), 10**9, 0.0) for k in range(LOTS // 10**9)]
    assert bring(desk, "i1", *every).accepted
    for k, at in enumerate((5, 6)):
        ack = bring(desk, f"more{k}", row(2, f"M{k}", name(desk, at), 1))
        assert not ack.accepted and f"{LOTS + 1} lots of SPX would be held, limit {LOTS}" in ack.text
    other = int(np.flatnonzero(desk.world.underlying == 1)[0])
    assert bring(desk, "other", row(2, "O", name(desk, other), 1)).accepted
    told = [i.update for i in desk.out if isinstance(i, ev.Publish) and isinstance(i.update, PositionUpdate)][-1]
    assert dict(zip(told.instrument.tolist(), told.traded_lots.tolist(), strict=True)) == {5: LOTS, other: 1}
    assert bring(desk, "less", row(2, "L", name(desk, 5), -1), row(3, "M", name(desk, 6), 1)).accepted


def test_each_desk_has_its_own_cash_and_all_desks_one_position() -> None:
    desks = (DeskOf("one", "E", ("a",)), DeskOf("two", "E", ("b",)))
    book = Book("book", ("a", "b"), np.array([5, 6], np.uint32), np.array([1, -2], np.int64), np.empty(0), desks)
    desk = Desk(book=book, owner={"gamma/SPX@one": "gamma-0", "gamma/SPX@two": "gamma-0"})
    most = row(2, "A", name(desk, 5), 10**9, 100.0)
    assert bring(desk, "i1", most, row(3, "B", name(desk, 5), 10**9, 100.0, account="b")).accepted
    rest = LOTS - 2 * 10**9 - 3  # the opening book's three lots count
    lots = [*[10**9] * (rest // 10**9), rest % 10**9]
    rows = [row(2 + k, f"T{k}", name(desk, 7), -n, 0.0, account="ab"[k % 2]) for k, n in enumerate(lots)]
    assert bring(desk, "i2", *rows).accepted
    assert f"{LOTS + 1} lots" in bring(desk, "i3", row(2, "X", name(desk, 8), 1)).text


def held_too_much(desk: Desk) -> None:
    """A record of before there were bounds."""
    trades = tuple(ImportedTrade(f"BIG{k}", "a", 5, 10**9, 1e6, 7, "", "") for k in range(2))
    record(desk.state, TradesImported("old", trades), 0)


def test_a_record_that_holds_too_much_is_struck_all_the_same() -> None:
    """Two trades of 10^17 USD bought: the cash of the level, to the last figure a double holds."""
    desk = Desk()
    held_too_much(desk)
    level = levels(desk.state, np.array([5]), np.array([0.0]))
    assert level.dtype == np.float64 and level.tolist() == [-2e17]
    entry = JournalEntry(1, 1, 0, 0, _opening(desk.state), Header("", 0, 0))
    assert codec.encode_journal_entry(entry)


def test_a_record_that_holds_too_much_can_be_mended_but_not_made_worse() -> None:
    desk = Desk()
    held_too_much(desk)
    assert not bring(desk, "i1", row(2, "T", name(desk, 5), 1)).accepted
    assert bring(desk, "i2", row(2, "C0", name(desk, 5), 10**9, 1e6, cancels="BIG0")).accepted
    assert bring(desk, "i3", row(2, "C1", name(desk, 5), 10**9, 1e6, cancels="BIG1")).accepted
    assert bring(desk, "i4", row(2, "T", name(desk, 5), 1)).accepted
    assert desk.state.fold.ledger.cash_cents["client"] == -10 * 100 * 100
