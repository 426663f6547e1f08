"""What settled in a run, recounted from the reports of it: positions after it, and its cash as rows beside the fills.

*Tested by* tests/simulation/test_closed_loop_expiry.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from common.lifecycle import CASH, Outcome, outcomes, settlement_at
from common.messages import I64, ExecutionReport, OrdStatus
from common.units import NO_PRICE
from common.universe import Book, Universe
from lab.client_trades import NO_TRADES, ClientTrades
from lab.fills import Fills


def settlements_of(reports: Iterable[ExecutionReport]) -> list[ExecutionReport]:
    """The reports that tell a settlement, each settlement once, in order."""
    told = {r.exec_id: r for r in reports if r.ord_status is OrdStatus.SETTLED}
    return list(told.values())


def outcomes_of(universe: Universe, reports: Iterable[ExecutionReport]) -> Iterator[tuple[ExecutionReport, Outcome]]:
    """What each contract became, with the report that says so."""
    for told in settlements_of(reports):
        for outcome in outcomes(universe, settlement_at(universe, told.instrument), told.last_ticks):
            yield told, outcome


def after_settlements(universe: Universe, lots: I64, reports: Iterable[ExecutionReport]) -> I64:
    """Positions (..., n) once everything settled that did; ``lots`` are those of all that was ever held or traded."""
    out = lots.copy()
    for _, outcome in outcomes_of(universe, reports):
        held = out[..., outcome.instrument].copy()
        out[..., outcome.instrument] = 0
        if outcome.future != CASH:
            out[..., outcome.future] += outcome.future_lots * held
    return out


def settlement_rows(
    universe: Universe,
    book: Book,
    fills: Fills,
    reports: Iterable[ExecutionReport],
    trades: ClientTrades = NO_TRADES,
) -> Fills:
    """A row for each contract of book, trades and fills that settled: sold at its value, or exercised. In order of time.

    A row has no fee, no order and no quote; book, trades, fills and rows together hold what is left and have paid what was
    paid. An exercise is two rows: the option goes for nothing, the future comes at the strike.
    """
    rows: list[tuple[int, int, int, int]] = []
    names: list[str] = []
    lots = book.net_lots(len(universe)) + trades.net_lots(len(universe)) + fills.net_lots(len(universe))
    for told, outcome in outcomes_of(universe, reports):
        held = lots.item(outcome.instrument)
        if not held:
            continue
        delivered = outcome.future != CASH
        rows.append((told.event_time_ns, outcome.instrument, -held, 0 if delivered else outcome.value_ticks))
        if delivered:
            bought = outcome.future_lots * held
            lots[outcome.future] += bought
            rows.append((told.event_time_ns, outcome.future, bought, outcome.strike_ticks))
        lots[outcome.instrument] = 0
        names += [told.exec_id] * (1 + delivered)
    table = np.array(rows, np.int64).reshape(len(rows), 4)
    time, instrument, signed, ticks = (np.ascontiguousarray(table[:, k]) for k in range(4))
    none, nothing = np.full(len(rows), NO_PRICE, np.int64), np.zeros(len(rows), np.int64)
    return Fills(time, instrument, signed, ticks, none, none, nothing, ("",) * len(rows), tuple(names))
