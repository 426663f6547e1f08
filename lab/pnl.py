"""Profit and loss of the whole position on a grid of market times, split into book, client trades, hedges, spread and fees.

V(t) = Σ (book + imported(t) + traded(t)) × multiplier × mark(t) + cash(t); the P&L is V(t) − V(0). It is the sum of

- *book*: opening lots × multiplier × (mark(t) − mark(0)), and what settled of all that was held: its cash and what it became,
- *imported*: client trades told while the run lasted, lots × multiplier × (mark(t) − price), from the trade's own time; of one
  before the first mark, what came after it (``lab/client_trades.py`` says which trades stand),
- *hedges*: traded lots × multiplier × (mark(t) − mid at the fill),
- *spread*: −|lots| × (distance of the fill price from that mid),
- *fees*: −fees,

exactly, because a fill's own price cancels. Cash, spread and fees are whole (half cents, cents); marks are estimates.
*Tested by* tests/unit/test_lab_pnl.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from common.messages import F64, I64
from common.units import CENTS_PER_USD, NO_PRICE
from common.universe import Book, Universe
from lab.client_trades import NO_TRADES, ClientTrades
from lab.fills import Fills, cash_half_cents, spread_half_cents
from lab.marks import Marks

HALF_CENTS_PER_USD = 2 * CENTS_PER_USD


@dataclass(frozen=True)
class PnlPath:
    """USD (g,) at ``times_ns`` (g,): the parts and their ``total``, all 0 at the first time."""

    name: str
    times_ns: I64
    session: I64
    book: F64
    imported: F64
    hedges: F64
    spread: F64
    fees: F64
    total: F64

    def changes(self) -> F64:
        """Changes from grid time to grid time (g-1,), overnight and weekend included."""
        return np.diff(self.total)

    def daily_changes(self) -> F64:
        """Changes close to close; the first from the open of the first session."""
        last = np.flatnonzero(np.append(np.diff(self.session) > 0, True))
        return np.diff(np.append(self.total[0], self.total[last]))

    def std_30min_usd(self) -> float:
        """Sample standard deviation of ``changes``; NaN with fewer than two."""
        return sample_std(self.changes())

    def std_daily_usd(self) -> float:
        """Sample standard deviation of ``daily_changes``; NaN with fewer than two."""
        return sample_std(self.daily_changes())


def sample_std(x: F64) -> float:
    """Standard deviation with n − 1; NaN with fewer than two values."""
    return float(np.std(x, ddof=1)) if len(x) > 1 else float("nan")


def pnl_path(
    name: str,
    universe: Universe,
    book: Book,
    fills: Fills,
    marks: Marks,
    settled: Fills | None = None,
    trades: ClientTrades = NO_TRADES,
) -> PnlPath:
    """P&L of book, client trades and fills at the grid of ``marks``; ``settled``: the rows of `lab.settled.settlement_rows`.

    Fills and trades up to and including a grid time count there. Raises ``ValueError`` naming an instrument that is held or was
    traded and has no mark at some grid time.
    """
    n = marks.points.shape[1]
    opening = book.net_lots(n)
    value = universe.multiplier_usd * marks.points
    _check_marks(universe, opening, np.union1d(fills.instrument, trades.instrument), marks)
    if settled is not None:
        _check_marks(universe, opening, settled.instrument, marks)
    held = np.flatnonzero(opening)
    at_open = value[:, held] @ opening[held].astype(np.float64)
    upto = np.searchsorted(fills.time_ns, marks.times_ns, side="right")
    spread = -_cumulative(spread_half_cents(fills, universe), upto) / HALF_CENTS_PER_USD
    fees = -_cumulative(fills.fee_cents, upto) / CENTS_PER_USD
    book_pnl = at_open - at_open[0]
    if settled is not None:
        book_pnl = book_pnl + _worth(settled, universe, marks)
    gross = _worth(fills, universe, marks)
    gross = gross - gross[0]
    spread = spread - spread[0]
    fees = fees - fees[0]
    imported = _imported(universe, trades, marks)
    total = book_pnl + imported + gross + fees
    return PnlPath(name, marks.times_ns, marks.session, book_pnl, imported, gross - spread, spread, fees, total)


def _imported(universe: Universe, trades: ClientTrades, marks: Marks) -> F64:
    """What client trades have gained since the first grid time (g,): each from its own time, at its own price."""
    gain = universe.multiplier_usd[trades.instrument] * (marks.points[:, trades.instrument] - trades.price)
    out: F64 = np.where(trades.time_ns <= marks.times_ns[:, None], gain, 0.0) @ trades.lots.astype(np.float64)
    first: float = out[0]
    return out - first


def _worth(fills: Fills, universe: Universe, marks: Marks) -> F64:
    """USD (g,): what was traded so far at the marks, and the cash it cost or brought."""
    upto = np.searchsorted(fills.time_ns, marks.times_ns, side="right")
    traded = np.unique(fills.instrument)
    worth = np.zeros(len(marks.times_ns))
    if len(traded):
        lots = _traded_lots(fills, traded, upto)
        worth = np.einsum(
            "gk,gk->g", lots.astype(np.float64), universe.multiplier_usd[traded] * marks.points[:, traded]
        )
    return np.asarray(worth + _cumulative(cash_half_cents(fills, universe), upto) / HALF_CENTS_PER_USD)


def _cumulative(x: I64, upto: np.ndarray[Any, np.dtype[np.intp]]) -> I64:
    out: I64 = np.concatenate([np.zeros(1, np.int64), np.cumsum(x)])[upto]
    return out


def _traded_lots(fills: Fills, traded: I64, upto: np.ndarray[Any, np.dtype[np.intp]]) -> I64:
    """Signed lots (g, k) of the traded instruments at each grid time."""
    step = np.zeros((len(fills) + 1, len(traded)), np.int64)
    column = np.searchsorted(traded, fills.instrument)
    step[np.arange(1, len(fills) + 1), column] = fills.signed_lots
    out: I64 = np.cumsum(step, axis=0)[upto]
    return out


def _check_marks(universe: Universe, opening: I64, traded: I64, marks: Marks) -> None:
    needed = np.union1d(np.flatnonzero(opening), traded)
    bad = needed[~np.isfinite(marks.points[:, needed]).all(axis=0)] if len(needed) else needed
    if len(bad):
        names = ", ".join(universe.instrument_id[i] for i in bad[:5])
        raise ValueError(f"{len(bad)} instruments have no mark at some grid time: {names}")


def mid_at_fill_points(fills: Fills, universe: Universe) -> F64:
    """Mid of the quote at each fill in points (n,); NaN where it was one-sided."""
    two_sided = (fills.bid_ticks > NO_PRICE) & (fills.ask_ticks > NO_PRICE)
    mid = 0.5 * (fills.bid_ticks + fills.ask_ticks) * universe.tick_size[fills.instrument]
    return np.where(two_sided, mid, np.nan)


def summary(path: PnlPath) -> dict[str, float]:
    """The figures of one path for ``report.json``, USD."""
    return {
        "total_usd": float(path.total[-1]),
        "book_usd": float(path.book[-1]),
        "imported_usd": float(path.imported[-1]),
        "hedges_usd": float(path.hedges[-1]),
        "spread_usd": float(path.spread[-1]),
        "fees_usd": float(path.fees[-1]),
        "std_30min_usd": path.std_30min_usd(),
        "std_daily_usd": path.std_daily_usd(),
        "changes_30min": float(len(path.total) - 1),
        "changes_daily": float(len(path.daily_changes())),
    }
