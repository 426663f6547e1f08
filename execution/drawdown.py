"""What this store has traded, marked to its own reference mids, and how far that has fallen from its peak. Pure.

P&L of an instrument = (cash + position × mark) × tick size × multiplier - fees, in USD. The mark is the last usable mid seen,
before the first the price of the last fill. It is struck when an order is checked and the market or the fills have moved
since. The peak starts at zero; after a restart it is the larger of zero and the P&L then, after a stop is lifted the P&L of
that moment. *Tested by* tests/unit/test_execution_drawdown.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from common.messages import F64
from common.snapshot import MarketSnapshot
from common.units import NO_PRICE
from common.universe import Universe
from execution.exposure import Exposure


@dataclass(slots=True)
class Drawdown:
    """The last mark and the peak, USD. ``peak_usd`` None: the next mark is the peak."""

    pnl_usd: float = 0.0
    peak_usd: float | None = 0.0
    _mark_ticks: F64 = field(default_factory=lambda: np.zeros(0))
    _moved: bool = True

    def filled(self, instrument: int, ticks: int, universe: Universe) -> None:
        """Note a fill: its price is the mark until there is a mid."""
        self._moved = True
        self._marks(universe)
        if np.isnan(self._mark_ticks[instrument]):
            self._mark_ticks[instrument] = ticks

    def loss_usd(self, universe: Universe, snapshot: MarketSnapshot, exposure: Exposure) -> float:
        """USD below the peak, zero or more."""
        if self._moved:
            self._moved = False
            self.pnl_usd = self._struck(universe, snapshot, exposure)
        self.peak_usd = self.pnl_usd if self.peak_usd is None else max(self.peak_usd, self.pnl_usd)
        return self.peak_usd - self.pnl_usd

    def quoted(self) -> None:
        """Note that the market has moved or contracts have settled."""
        self._moved = True

    def lift(self) -> None:
        """Begin anew from the P&L of the next look."""
        self.peak_usd = None

    def _marks(self, universe: Universe) -> None:
        if len(self._mark_ticks) != len(universe):
            self._mark_ticks = np.full(len(universe), np.nan)

    def _struck(self, universe: Universe, snapshot: MarketSnapshot, exposure: Exposure) -> float:
        if not exposure.cash:
            return 0.0
        self._marks(universe)
        at = np.fromiter(exposure.cash, np.intp)
        cash, fees = np.array(list(exposure.cash.values()), np.float64).T
        lots = np.array([exposure.position_lots.get(i, 0) for i in exposure.cash], np.float64)
        bid, ask = snapshot.bid_ticks[at], snapshot.ask_ticks[at]
        usable = (bid != NO_PRICE) & (ask != NO_PRICE) & (bid < ask)
        self._mark_ticks[at[usable]] = 0.5 * (bid[usable].astype(np.float64) + ask[usable])
        # An instrument held and never quoted nor filled here since the start counts at what it cost; what is held no more,
        # closed or settled, needs no mark.
        marks = np.where(lots == 0.0, 0.0, self._mark_ticks[at])
        values = np.where(np.isnan(marks), 0.0, cash + lots * marks)
        return float(values @ (universe.tick_size[at] * universe.multiplier_usd[at]) - fees.sum() / 100.0)
