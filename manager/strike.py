"""The profit and loss of each day, struck at its close by the leader; the next day opens from the strike (docs/trading-day.md).

A strike is one journal entry: every contract held with the price it was struck at, and the level of each desk: value at these
prices plus cash less fees. A day's P&L is the difference of two levels, so the days add up to the whole whatever settled or
was told by clients in between. It waits until the close has been seen of every underlying, nothing works and what settles
there has been told, at most until the next open; quotes later than the close price it only where this manager had not seen it.
*Tested by* tests/unit/test_manager_strike.py, tests/simulation/test_closed_loop_expiry.py.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from common.calendars.trading_days import NEVER_NS
from common.control_messages import DayStruck
from common.factors import desk_of
from common.messages import F64, I64, QuoteBatch
from common.subjects import feed_source
from common.units import CENTS_PER_USD, NO_PRICE, NS_PER_S
from common.universe import OPTION
from manager.budgets_marks import marks
from manager.closing import ClosingQuotes
from manager.events import Instruction
from manager.recording import record
from manager.state import ManagerState

#: After the last close there is no next open to wait for.
PATIENCE_NS: Final = 120 * NS_PER_S


def watch_close(state: ManagerState, batch: QuoteBatch) -> None:
    """Before a batch is applied: keep the quotes of a close that it is the first of its source to lie beyond."""
    struck = state.fold.struck
    if struck is None:
        return
    at_ns = state.days.close_after(struck.at_ns)
    if batch.header.event_time_ns > at_ns:
        _closing(state, at_ns).keep(batch.header.source.removeprefix(feed_source("")), state.market)


def strikes(state: ManagerState, wall_ns: int) -> list[Instruction]:
    """The strike that is due, recorded; nothing where none is."""
    if not (state.setup.sessions_ns and state.leading and state.reconciled):
        return []
    struck = state.fold.struck
    if struck is None:
        return [record(state, _opening(state), wall_ns)] if _may_open(state) else []
    at_ns = state.days.close_after(struck.at_ns)
    if state.now_ns < at_ns or not _told(state, at_ns):
        return []
    return [record(state, _close(state, struck, at_ns), wall_ns)]


def _closing(state: ManagerState, at_ns: int) -> ClosingQuotes:
    if state.closing is None or state.closing.at_ns != at_ns:
        state.closing = ClosingQuotes(state.setup.universe, at_ns)
    return state.closing


def _may_open(state: ManagerState) -> bool:
    """Whether everything held can be priced: its underlying's future has a mid and, for options, some option has."""
    universe, market = state.setup.universe, state.market
    rows = _held(state)
    two_sided = (market.bid_ticks > NO_PRICE) & (market.ask_ticks > NO_PRICE)
    option = universe.kind == OPTION
    for k in np.unique(universe.underlying[rows]).tolist():
        future = universe.underlyings[k].future_instrument
        mine = universe.underlying == k
        if (future >= 0 and not two_sided[future]) or not (two_sided & mine).any():
            return False
        if option[rows[universe.underlying[rows] == k]].any() and not (two_sided & mine & option).any():
            return False
    return bool(market.sources)


def _told(state: ManagerState, at_ns: int) -> bool:
    """Whether all that belongs to the day is in, or can be waited for no longer."""
    opens_ns = state.days.open_after(at_ns)
    if state.now_ns >= (opens_ns if opens_ns < NEVER_NS else at_ns + PATIENCE_NS):
        return True
    kept = state.closing.kept if state.closing is not None and state.closing.at_ns == at_ns else set[str]()
    for symbol in state.setup.universe.symbols:
        source = state.market.sources.get(feed_source(symbol))
        if symbol not in kept and (source is None or source.event_time_ns < at_ns):
            return False
    expiry_ns = state.setup.universe.expiry_ns[_held(state)]
    return not state.fold.orders.open and not ((expiry_ns > 0) & (expiry_ns <= at_ns)).any()


def _opening(state: ManagerState) -> DayStruck:
    rows = _held(state)
    mark = marks(state.market, rows, state.now_ns)
    desks = state.fold.ledger.desks
    level = levels(state, rows, mark)
    seen = state.market.seen()
    return DayStruck(0, state.now_ns, seen, rows.astype(np.uint32), mark, desks, level, np.zeros(len(desks)))


def _close(state: ManagerState, before: DayStruck, at_ns: int) -> DayStruck:
    closing, late = _closing(state, at_ns), list[str]()
    for symbol in state.setup.universe.symbols:
        source = state.market.sources.get(feed_source(symbol))
        if symbol not in closing.kept and source is not None and source.event_time_ns > at_ns:
            late.append(symbol)
            closing.take_late(symbol, state.market)
        closing.keep(symbol, state.market)
    rows = _held(state)
    mark = marks(closing.market, rows, at_ns)
    level = levels(state, rows, mark)
    return DayStruck(
        day=state.days.of(at_ns - 1),
        at_ns=at_ns,
        market_seen=state.market.seen(),
        instrument=rows.astype(np.uint32),
        mark=mark,
        desk=before.desk,
        level_usd=level,
        pnl_usd=level - before.level_usd,
        late=tuple(late),
    )


def _lots(state: ManagerState) -> I64:
    """Signed lots each desk holds, (desks, n): opening book, trades, client trades, settlements."""
    return np.asarray(state.setup.book.desk_lots(len(state.setup.universe)) + state.fold.ledger.net_desk_lots())


def _held(state: ManagerState) -> Any:
    return np.flatnonzero(_lots(state).any(axis=0))


def levels(state: ManagerState, rows: Any, mark: F64) -> F64:
    """Value of each desk at the marks (k,) of the rows held plus its cash less its fees, USD (desks,); NaN without a mark."""
    universe, ledger = state.setup.universe, state.fold.ledger
    lots = _lots(state)[:, rows]
    value = np.where(lots != 0, lots * (mark * universe.multiplier_usd[rows]), 0.0).sum(axis=1)
    cash = dict.fromkeys(ledger.desks, 0)
    for agent, cents in ledger.cash_cents.items():
        cash[desk_of(agent)] += cents
    # Divided as whole numbers of any size: cents beyond 64 bits, which an old record may hold, are USD like all others.
    net = [(cash[desk] - ledger.desk_fee_cents[desk]) / CENTS_PER_USD for desk in ledger.desks]
    return np.asarray(value + np.array(net))


def pnl_view(state: ManagerState) -> dict[str, Any]:
    """For status: today's P&L of each desk and of all against the last strike, and what that strike said. USD, None unknown."""
    struck = state.fold.struck
    if struck is None:
        return {"since": None, "today_usd": None, "desks": []}
    rows = _held(state)
    today = levels(state, rows, marks(state.market, rows, state.now_ns)) - struck.level_usd
    return {
        "since": {"day": struck.day, "at_ns": struck.at_ns, "late": list(struck.late)},
        "trading_day": state.days.of(state.now_ns),
        "today_usd": _number(float(today.sum())),
        "struck_usd": _number(float(struck.pnl_usd.sum())) if struck.day else None,
        "desks": [
            {"desk": desk, "today_usd": _number(now), "struck_usd": _number(then) if struck.day else None}
            for desk, now, then in zip(struck.desk, today.tolist(), struck.pnl_usd.tolist(), strict=True)
        ],
    }


def _number(usd: float) -> float | None:
    return usd if np.isfinite(usd) else None
