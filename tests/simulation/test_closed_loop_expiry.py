"""Two days of the whole loop across a close and an expiry: everything held settles once, and every count agrees.

The settlement price is read off the tape by the test, and what each contract becomes is worked out here from its terms.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agents.config import AgentsConfig
from common.calendars.day import schedule_of_bounds
from common.control_messages import DayStruck
from common.limits import load_limits
from common.messages import ExecutionReport, OrdStatus
from common.units import NS_PER_YEAR
from common.universe import Book
from execution.config import ExecutionConfig
from execution.limits import load_execution_limits
from execution.state import ExecutionSetup, start
from lab.audit import Run, audit
from lab.client_trades import NO_TRADES, ClientTrades
from lab.closed_loop import ClosedLoop, instants
from lab.fills import fills_of
from lab.marks import marks_of
from lab.pnl import pnl_path
from lab.settled import settlement_rows
from lab.strikes import strikes_of
from lab.synthetic import short_book
from manager import fold, hash, snapshot
from manager import state as manager_state
from manager.config import ManagerConfig
from tests.expiry_world import ExpiringMarket

ROOT = Path(__file__).resolve().parents[2]
LIMITS = load_limits(ROOT / "examples/limits.toml")
CASES = [("pm", False), ("am", False), ("pm", True), ("am", True)]


def looped(market: ExpiringMarket, book: Book, tmp: Path) -> ClosedLoop:
    config = ExecutionConfig(store=tmp, limits=load_execution_limits(ROOT / "examples/execution_limits.toml"))
    loop = ClosedLoop(market, book, AgentsConfig(), ManagerConfig(), LIMITS, config, "expiry")
    for now_ns, together in instants(market.batches()):
        while (due := loop.execution.next_due_ns) is not None and due < now_ns:
            loop.feed(due, [])
        loop.feed(now_ns, together)
    loop.settle()
    return loop


def prices(market: ExpiringMarket) -> dict[int, float]:
    """Per underlying the mid of its future at the instant, carried to it; of AM the first one after it."""
    universe, out = market.universe, {}
    for batch in market.batches():
        k = int(universe.underlying[batch.instrument[0]])
        u = universe.underlyings[k]
        at = np.flatnonzero(batch.instrument == u.future_instrument)
        if len(at) and (batch.header.event_time_ns <= market.settles_ns):
            mid = 0.5 * (batch.bid_ticks[at[0]] + batch.ask_ticks[at[0]]) * universe.tick_size[u.future_instrument]
            years = (market.settles_ns - universe.expiry_ns[u.future_instrument]) / NS_PER_YEAR
            out[k] = float(mid * np.exp(u.carry_per_year * years))
    return out


@pytest.mark.parametrize(("settles", "delivers"), CASES)
def test_two_days_across_an_expiry_add_up(settles: str, delivers: bool, tmp_path: Path) -> None:
    market = ExpiringMarket(settles=settles, delivers=delivers)
    book = short_book(market, 80)
    universe, n = market.universe, len(market.universe)
    loop = looped(market, book, tmp_path)
    result, ledger = loop.result(), loop.manager.fold.ledger
    told = [r for r in result.reports if r.ord_status is OrdStatus.SETTLED]
    assert [r.exec_id for r in told] == [f"S-{s}-{market.settles_ns}" for s in universe.symbols]

    # Positions and cash, from the tape and the terms alone.
    held = book.net_lots(n) + fills_of(result.reports).net_lots(n)
    price = prices(market)
    expected, cash_usd = held.copy(), 0.0
    assert np.count_nonzero(held[market.settling]) > 10
    for row in market.settling.tolist():
        k = int(universe.underlying[row])
        points = round(price[k] / universe.tick_size[row]) * universe.tick_size[row]
        value = max(universe.right[row] * (points - universe.strike[row]), 0.0)
        expected[row] = 0
        if delivers and value > 0:
            future, bought = universe.underlyings[k].future_instrument, universe.right[row] * held[row]
            expected[future] += bought
            cash_usd -= float(bought * universe.strike[row] * universe.multiplier_usd[future])
        else:
            cash_usd += float(held[row] * value * universe.multiplier_usd[row])
    position = book.net_lots(n) + ledger.net_lots()
    np.testing.assert_array_equal(position, expected)
    assert ledger.cash_cents["settlement"] / 100 == pytest.approx(cash_usd, abs=0.005)
    assert np.array_equal(position, held) is False

    # Every auditor, the manager's own checks, and a fold of the journal agree.
    desks = book.desk_lots(n) + ledger.net_desk_lots()
    record = (result.entries, result.order_states, result.reports)
    seen = Run(universe, book, *record, position, LIMITS, desks, market.session_bounds_ns)
    assert audit(seen) == []
    loop.manager.check()
    again = manager_state.start(loop.manager.setup)
    for entry in result.entries:
        fold.apply(again, entry)
    assert hash.state_hash(again) == hash.state_hash(loop.manager)
    restored = snapshot.restore(snapshot.encode(again.fold, "expiry"), loop.manager.setup)
    assert hash.state_hash(restored) == hash.state_hash(again)

    # Execution holds what it traded and what that became, before and after a restart.
    own = loop.execution.state.exposure
    traded = {i: int(lots) for i, lots in own.position_lots.items() if lots}
    assert not set(traded) & set(market.settling.tolist())
    reborn = start(ExecutionSetup(universe, loop.execution.state.limits, loop.execution.store.load()))
    assert {i: lots for i, lots in reborn.exposure.position_lots.items() if lots} == traded
    assert reborn.exposure.cash == own.cash


@pytest.mark.parametrize("delivers", [False, True])
def test_profit_and_loss_runs_through_a_settlement_without_a_jump_of_its_own(delivers: bool, tmp_path: Path) -> None:
    """The last P&L is what the end positions are worth and all cash; at the instant itself value turns into the same value."""
    market = ExpiringMarket(delivers=delivers)
    book = short_book(market, 80)
    universe, n = market.universe, len(market.universe)
    result = looped(market, book, tmp_path).result()
    fills = fills_of(result.reports)
    marks = marks_of(market, book.instrument.tolist())
    rows = settlement_rows(universe, book, fills, result.reports)
    path = pnl_path("joint", universe, book, fills, marks, rows)
    points = marks.points
    lots = book.net_lots(n) + fills.net_lots(n) + rows.net_lots(n)
    cash = sum(
        -f.signed_lots @ (f.last_ticks * universe.tick_size[f.instrument] * universe.multiplier_usd[f.instrument])
        for f in (fills, rows)
    )
    end = float(np.nansum(lots * universe.multiplier_usd * points[-1])) + float(cash) - fills.fee_cents.sum() / 100
    begin = float(np.nansum(book.net_lots(n) * universe.multiplier_usd * points[0]))
    assert path.total[-1] == pytest.approx(end - begin, abs=0.01)
    assert np.all(lots[market.settling] == 0)

    # The first day is struck with what was held and paid by its close, settled contracts as what they became.
    close_ns = market.session_bounds_ns[0][1]
    lots, cash = book.net_lots(n), 0.0
    for at_ns, i, signed, ticks, cents in (
        x
        for f in (fills, rows)
        for x in zip(f.time_ns, f.instrument, f.signed_lots, f.last_ticks, f.fee_cents, strict=True)
    ):
        if at_ns <= close_ns:
            lots[i] += signed
            cash -= float(signed * ticks * universe.tick_size[i] * universe.multiplier_usd[i]) + float(cents) / 100
    assert np.all(lots[market.settling] == 0)
    worth = float(np.nansum(lots * universe.multiplier_usd * points[np.flatnonzero(marks.times_ns == close_ns)[-1]]))
    first, second = strikes_of(schedule_of_bounds(market.session_bounds_ns), path.times_ns, path.total)
    assert first.at_ns == close_ns and first.close_usd == pytest.approx(worth + cash - begin, abs=0.01)
    assert (first.open_usd, second.open_usd) == (0.0, first.close_usd)
    assert first.pnl_usd + second.pnl_usd == pytest.approx(path.total[-1], abs=1e-6)

    # The manager strikes the same two days as it lives them, from its own count, in cents dealt to whole numbers.
    opening, *struck = [e.event for e in result.entries if isinstance(e.event, DayStruck)]
    assert opening.day == 0 and [s.at_ns for s in struck] == [first.at_ns, second.at_ns]
    told = [float(s.pnl_usd.sum()) for s in struck]
    assert told == pytest.approx([first.pnl_usd, second.pnl_usd], abs=0.01 * (len(fills.time_ns) + len(rows.time_ns)))

    # What settled was worth its intrinsic value before; afterwards it is that much cash and futures, to the rounding of S.
    held = book.net_lots(n) + fills.net_lots(n)
    for k, price in prices(market).items():
        mine = market.settling[universe.underlying[market.settling] == k]
        before = sum(
            float(held[i] * max(universe.right[i] * (price - universe.strike[i]), 0.0) * universe.multiplier_usd[i])
            for i in mine.tolist()
        )
        future = universe.underlyings[k].future_instrument
        of = np.isin(rows.instrument, [*mine.tolist(), future])
        size = universe.tick_size[rows.instrument] * universe.multiplier_usd[rows.instrument]
        after = float(-(rows.signed_lots * rows.last_ticks * size)[of].sum())
        after += float(rows.net_lots(n)[future] * price * universe.multiplier_usd[future])
        tick_usd = float(universe.tick_size[mine[0]] * universe.multiplier_usd[mine[0]])
        assert after == pytest.approx(before, abs=0.5 * tick_usd * np.abs(held[mine]).sum() + 0.01)


@pytest.mark.parametrize("delivers", [False, True])
def test_a_clients_trade_in_a_contract_that_settles_ends_with_it(delivers: bool, tmp_path: Path) -> None:
    """Told beside the same run: what it adds to the P&L is its own price, its settlement, and what it became."""
    market = ExpiringMarket(delivers=delivers)
    book = short_book(market, 80)
    universe, n = market.universe, len(market.universe)
    result = looped(market, book, tmp_path).result()
    fills, marks = fills_of(result.reports), marks_of(market, book.instrument.tolist())
    option = int(market.settling[np.argmax(universe.right[market.settling])])
    trades = ClientTrades(marks.times_ns[1:2], np.array([option]), np.array([-7]), np.array([3.0]))
    rows, told = (settlement_rows(universe, book, fills, result.reports, t) for t in (NO_TRADES, trades))
    without = pnl_path("joint", universe, book, fills, marks, rows)
    with_trade = pnl_path("joint", universe, book, fills, marks, told, trades)
    end = book.net_lots(n) + fills.net_lots(n) + trades.net_lots(n) + told.net_lots(n)
    assert np.all(end[market.settling] == 0)
    change = told.net_lots(n) - rows.net_lots(n) + trades.net_lots(n)
    worth = float(np.nansum(change * universe.multiplier_usd * marks.points[-1]))
    paid = 7 * 3.0 * float(universe.multiplier_usd[option])
    for r, sign in ((told, 1.0), (rows, -1.0)):
        size = universe.tick_size[r.instrument] * universe.multiplier_usd[r.instrument]
        paid -= sign * float(r.signed_lots @ (r.last_ticks * size))
    assert with_trade.total[-1] - without.total[-1] == pytest.approx(worth + paid, abs=0.01)


def test_the_same_days_give_the_same_journal(tmp_path: Path) -> None:
    market = ExpiringMarket(delivers=True)
    book = short_book(market, 40)
    one, two = (looped(market, book, tmp_path).result() for _ in range(2))
    assert one.order_hash == two.order_hash
    events = [[e.event for e in r.entries if isinstance(e.event, ExecutionReport)] for r in (one, two)]
    assert events[0] == events[1]
