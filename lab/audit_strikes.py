"""Struck days recounted from the journal alone: positions, cash and fees at each strike, priced at the marks it states.

For the whole firm, in floating USD: fills at their prices, client trades at theirs, settlements at theirs. The manager keeps
cash in whole cents dealt to desks and agents, so each booking may differ by half a cent.
*Tested by* tests/unit/test_lab_audit_strikes.py.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from common.calendars.day import Spans
from common.control_messages import DayStruck, ImportedTrade, JournalEntry, TradesImported
from common.lifecycle import CASH, Outcome, outcomes, settlement_at
from common.messages import ExecutionReport, OrdStatus
from common.units import CENTS_PER_USD, NS_PER_DAY
from common.universe import Book, Universe

_HALF_CENT_USD = 0.005


class _Count:
    """Lots (n,) and cash of everything the journal tells, in its order; ``bookings`` bounds the rounding."""

    def __init__(self, universe: Universe, book: Book) -> None:
        self.universe = universe
        self.lots = book.net_lots(len(universe))
        self.tick_usd = universe.tick_size * universe.multiplier_usd
        self.cash_usd = 0.0
        self.bookings = 0
        self._seen: set[str] = set()
        self._settled: dict[int, Outcome] = {}
        self._trades: dict[str, ImportedTrade] = {}

    def take(self, at: int, lots: int, points: float) -> None:
        """Bought (sold below 0) at a price."""
        self.lots[at] += lots
        self.cash_usd -= lots * points * float(self.universe.multiplier_usd[at])
        self.bookings += 1

    def report(self, r: ExecutionReport) -> None:
        """A fill or a settlement, each once."""
        if (r.ord_status is not OrdStatus.SETTLED and r.last_lots <= 0) or r.exec_id in self._seen:
            return
        self._seen.add(r.exec_id)
        if r.ord_status is OrdStatus.SETTLED:
            for outcome in outcomes(self.universe, settlement_at(self.universe, r.instrument), r.last_ticks):
                self._settled[outcome.instrument] = outcome
                self._settle(outcome)
            return
        self.take(r.instrument, r.side.sign * r.last_lots, r.last_ticks * float(self.universe.tick_size[r.instrument]))
        self.cash_usd -= r.fee_cents / CENTS_PER_USD
        if r.instrument in self._settled:
            self._settle(self._settled[r.instrument])

    def _settle(self, o: Outcome) -> None:
        held, self.lots[o.instrument] = self.lots.item(o.instrument), 0
        self.bookings += 1
        if o.future == CASH:
            self.cash_usd += held * o.value_ticks * float(self.tick_usd[o.instrument])
        elif held:
            self.take(o.future, o.future_lots * held, o.strike_ticks * float(self.universe.tick_size[o.future]))

    def trades(self, told: TradesImported) -> None:
        """Client trades; what one corrects or cancels is taken back at its own price."""
        for t in told.trades:
            if gone := self._trades.get(t.corrects or t.cancels):
                self.take(gone.instrument, -gone.lots, gone.price)
            if not t.cancels:
                self.take(t.instrument, t.lots, t.price)
            self._trades[t.trade_id] = t

    def level_usd(self, struck: DayStruck) -> float:
        """Value at the strike's own marks plus cash less fees."""
        lots = self.lots[struck.instrument]
        return float(np.sum(lots * struck.mark * self.universe.multiplier_usd[struck.instrument])) + self.cash_usd


def strike_violations(
    universe: Universe, book: Book, entries: Sequence[JournalEntry], sessions_ns: Spans
) -> Iterator[str]:
    """Strikes that name other contracts than were held, have another level, another P&L or another close, in words."""
    count, before = _Count(universe, book), None
    last_closes = {close // NS_PER_DAY: close for _, close in sessions_ns}
    for entry in entries:
        event = entry.event
        if isinstance(event, ExecutionReport):
            count.report(event)
        elif isinstance(event, TradesImported):
            count.trades(event)
        elif isinstance(event, DayStruck):
            yield from (f"entry {entry.sequence}, strike of day {event.day}: {x}" for x in _wrong(count, event, before))
            if event.day and sessions_ns and last_closes.get(event.at_ns // NS_PER_DAY) != event.at_ns:
                yield f"entry {entry.sequence}: struck at {event.at_ns}, where no day closes"
            before = event


def _wrong(count: _Count, struck: DayStruck, before: DayStruck | None) -> Iterator[str]:
    unnamed = set(np.flatnonzero(count.lots).tolist()) - set(struck.instrument.tolist())
    if unnamed:
        yield f"{count.universe.instrument_id[min(unnamed)]} is held and has no mark"
    level, mine = float(struck.level_usd.sum()), count.level_usd(struck)
    most = _HALF_CENT_USD * count.bookings * 2.0 + 1e-9 * abs(mine)
    if math.isfinite(level) and not abs(level - mine) <= most:
        yield f"level of {level:.2f} USD, book, fills and marks give {mine:.2f}"
    if (before is None) != (struck.day == 0):
        yield "the first strike is the opening, and no other one"
    if before is not None:
        if struck.at_ns <= before.at_ns:
            yield f"at {struck.at_ns}, not after the strike before at {before.at_ns}"
        earned = struck.level_usd - before.level_usd
        if not np.array_equal(earned, struck.pnl_usd, equal_nan=True):
            yield f"P&L of {struck.pnl_usd.sum():.2f} USD, the levels differ by {earned.sum():.2f}"
