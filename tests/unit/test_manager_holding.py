"""What a scope holds: found anew when positions or settlements change, and by the ledger's own count each time."""

from __future__ import annotations

import numpy as np

from common.lifecycle import Outcome
from common.universe import Book
from manager.budgets_scopes import held_lots, levels_usd
from manager.holding import holding_of
from tests.manager_world import FUTURE_MULTIPLIER, TICK, Desk, delta_desk

BOOK = Book("book", ("a",), np.array([2, 5], np.uint32), np.array([3, -4]))


def test_it_stands_until_a_fill_or_a_settlement() -> None:
    one = Desk(book=BOOK)
    ledger, n = one.state.fold.ledger, len(one.world)
    held = holding_of(ledger, BOOK, one.world, "firm")
    assert held.rows.tolist() == [2, 5] and held.lots[held.rows].tolist() == [3, -4] and held.still(ledger)
    assert not held.lots.flags.writeable and len(held.ended_ns) == 0
    # Nobody holds it: no position changes, yet what it settled at is told.
    ledger.settle(np.zeros((1, n), np.int64), Outcome(9, 40))
    assert ledger.version == held.version and not held.still(ledger)
    later = holding_of(ledger, BOOK, one.world, "firm", held)
    assert later.ended_ns.tolist() == [one.world.expiry_ns[9]] and later.ended_cents.tolist() == [0]
    ledger.settle(BOOK.desk_lots(n), Outcome(5, 40))
    last = holding_of(ledger, BOOK, one.world, "firm", later)
    assert last.rows.tolist() == [2] and last.ended_cents.tolist() == [0, round(-4 * 40 * TICK * 100.0 * 100)]
    # A client's trade that is told late settles as well.
    ledger.take_import(5, 0, 2, 1.0)
    ledger.settle(BOOK.desk_lots(n), Outcome(5, 40))
    again = holding_of(ledger, BOOK, one.world, "firm", last)
    assert again.ended_cents.tolist() == [0, round(-2 * 40 * TICK * 100.0 * 100)]


def test_another_ledger_is_another_holding_at_the_same_version() -> None:
    one, two = Desk(book=BOOK), Desk(book=BOOK)
    held = holding_of(one.state.fold.ledger, BOOK, one.world, "firm")
    assert held.version == two.state.fold.ledger.version and not held.still(two.state.fold.ledger)


def test_what_it_was_worth_when_delivered_goes_with_the_future() -> None:
    """Four calls short become four futures short at the strike; the future then settles 100 ticks above it."""
    one = Desk(book=BOOK)
    ledger, n = one.state.fold.ledger, len(one.world)
    ledger.settle(BOOK.desk_lots(n), Outcome(5, 0, 0, 1, 50_000))
    ledger.settle(BOOK.desk_lots(n), Outcome(0, 50_100))
    held = holding_of(ledger, BOOK, one.world, "firm")
    each_tick = TICK * FUTURE_MULTIPLIER[0] * 100
    assert held.rows.tolist() == [2] and held.ended_cents.tolist() == [0, round(-4 * 50_100 * each_tick)]


def test_levels_follow_fills_and_quotes() -> None:
    one = delta_desk(book=BOOK)
    (before,) = levels_usd(one.state, "firm", 0)
    one.propose("gamma-0", {"delta:SPX": -3e6}, {"delta:SPX": 1e5}, menu=[0])
    (order,) = one.decide()
    one.fill(order)
    assert held_lots(one.state, "firm")[0] == order.quantity_lots
    (filled,) = levels_usd(one.state, "firm", 0)
    fees_usd = one.state.fold.ledger.fee_cents / 100.0
    half = (order.limit_ticks - 0.5 * (order.arrival_bid_ticks + order.arrival_ask_ticks)) * TICK * FUTURE_MULTIPLIER[0]
    assert abs(before - filled - order.quantity_lots * half - fees_usd) < 0.02
    mid = one.state.market.mid()
    one.feed(1.0, shift=0.01)
    moved = one.state.market.mid() - mid
    lots = held_lots(one.state, "firm")
    assert abs(levels_usd(one.state, "firm", 0)[0] - filled - float(lots @ (moved * one.world.multiplier_usd))) < 0.02
