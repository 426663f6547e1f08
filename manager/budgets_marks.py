"""What each contract is worth, and would be worth elsewhere: marks for the drawdown stop, cells for the margin estimate.

A contract quoted on both sides is marked at its mid; one that is not at Black's price with the volatility of the
quoted contract nearest to it (in √time, then in log strike). American contracts are priced as
European ones on their forward. Forwards follow from the future: F(T) = mid × exp(carry (T - T_future)).
Nothing here is part of the journal: it is computed anew from the quotes that stand.
*Tested by* tests/unit/test_budgets_marks.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.kernels import layout
from common.kernels.implied_vol import implied_vol
from common.limits_scopes import MarginGrid
from common.messages import F64
from common.risk.columns import Columns
from common.risk.evaluate import evaluate
from common.risk.holdings import Holdings
from common.risk.scenarios import Rules, Shocks, pnl_by_row
from common.snapshot import MarketSnapshot
from common.units import NS_PER_YEAR
from common.universe import OPTION, Universe
from manager.exposures import Rows

#: Time to expiry is never less: what expires now is worth its payoff.
_SHORTEST_YEARS = 1e-9
#: Expiries whose √years differ by less stand equally near.
_SAME_TIME = 1e-12


@dataclass(frozen=True, slots=True)
class MarginCells:
    """P&L of one lot of each known contract in each cell, USD (k, cells); ``index`` (k,) ascending."""

    index: Rows
    pnl_usd: F64

    def of(self, lots: F64) -> F64:
        """P&L (cells,) of positions lots (n,) over the universe; contracts not known count as nothing."""
        return np.asarray(lots[self.index] @ self.pnl_usd)

    def per_lot(self, instruments: Rows) -> F64:
        """P&L (len(instruments), cells) of one lot of each; NaN where a contract is not known."""
        out = np.full((len(instruments), self.pnl_usd.shape[1]), np.nan)
        at = np.searchsorted(self.index, instruments)
        known = (at < len(self.index)) & (self.index[np.minimum(at, len(self.index) - 1)] == instruments)
        out[known] = self.pnl_usd[at[known]]
        return out


def marks(market: MarketSnapshot, rows: Rows, now_ns: int) -> F64:
    """Points (r,) that each row is worth; NaN where neither a quote nor a model says."""
    mid = market.mid_of(rows)
    open_ = np.flatnonzero(np.isnan(mid))
    if len(open_):
        columns = _columns(market, rows[open_], now_ns)
        mid[open_] = evaluate(columns)[layout.PRICE]
    return np.asarray(mid)


def margin_cells(market: MarketSnapshot, rows: Rows, grid: MarginGrid, now_ns: int) -> tuple[MarginCells, Rows]:
    """Every row valued anew in every cell of the grid, and the rows that could not be valued (left out)."""
    universe = market.universe
    rows = np.unique(rows)
    holdings = Holdings(
        _columns(market, rows, now_ns),
        np.array(universe.multiplier_usd[rows], np.float64),
        universe.underlying[rows].astype(np.int64),
        universe.symbols,
    )
    priced, missing = holdings.priced()
    spot = np.repeat(np.array(grid.spot_moves), len(grid.vol_moves))[:, None] * np.ones(len(universe.symbols))
    vol = np.tile(np.array(grid.vol_moves), len(grid.spot_moves))[:, None] * np.ones(len(universe.symbols))
    pnl = pnl_by_row(priced, Shocks.of(spot, vol), Rules(vol="relative"))
    return MarginCells(np.delete(rows, missing), pnl.T), rows[missing]


def _columns(market: MarketSnapshot, rows: Rows, now_ns: int) -> Columns:
    universe = market.universe
    option = universe.kind[rows] == OPTION
    return Columns(
        model=np.where(option, layout.BLACK76, layout.FUTURE).astype(np.uint8),
        base=forwards(market, rows, now_ns),
        strike=np.array(universe.strike[rows], np.float64),
        tau_years=_years(universe, rows, now_ns),
        vol=_vols(market, rows, now_ns),
        rate_per_year=_rates(universe, rows),
        yield_per_year=_rates(universe, rows),
        right=universe.right[rows].astype(np.float64),
    )


def forwards(market: MarketSnapshot, rows: Rows, now_ns: int) -> F64:
    """Forward (r,) of each contract's expiry, points; NaN where its front future has no mid."""
    of, out = market.universe.underlying[rows], np.full(len(rows), np.nan)
    for u in set(of.tolist()):
        mine = of == u
        out[mine] = _forwards_of(market, u, rows[mine], now_ns)
    return out


def _forwards_of(market: MarketSnapshot, u: int, rows: Rows, now_ns: int) -> F64:
    universe, underlying = market.universe, market.universe.underlyings[u]
    future = underlying.front(now_ns)
    if future < 0:
        return np.full(len(rows), np.nan)
    years = (universe.expiry_ns[rows] - universe.expiry_ns[future]) / NS_PER_YEAR
    return np.asarray(market.mid_of(np.array([future], np.intp)) * np.exp(underlying.carry_per_year * years))


def _years(universe: Universe, rows: Rows, now_ns: int) -> F64:
    return np.asarray(np.maximum((universe.expiry_ns[rows] - now_ns) / NS_PER_YEAR, _SHORTEST_YEARS))


def _rates(universe: Universe, rows: Rows) -> F64:
    rate = np.array([u.rate_per_year for u in universe.underlyings])
    return np.asarray(rate[universe.underlying[rows]])


def _vols(market: MarketSnapshot, rows: Rows, now_ns: int) -> F64:
    """Volatility (r,) per √year: implied by the own mid, else of the nearest contract that has one; NaN for futures."""
    universe = market.universe
    option, of = universe.kind[rows] == OPTION, universe.underlying[rows]
    out = np.full(len(rows), np.nan)
    for u in set(of[option].tolist()):
        mine = np.flatnonzero(option & (of == u))
        own = _implied(market, u, rows[mine], now_ns)
        short = np.flatnonzero(np.isnan(own))
        if len(short):
            own[short] = _nearest(market, u, rows[mine[short]], now_ns)
        out[mine] = own
    return out


def _implied(market: MarketSnapshot, u: int, rows: Rows, now_ns: int) -> F64:
    universe = market.universe
    price, out = market.mid_of(rows), np.full(len(rows), np.nan)
    live = np.flatnonzero(np.isfinite(price) & (universe.expiry_ns[rows] > now_ns))
    if not len(live):
        return out
    at = rows[live]
    found = np.empty(len(at))
    implied_vol(
        price[live],
        _forwards_of(market, u, at, now_ns),
        universe.strike[at],
        _years(universe, at, now_ns),
        np.full(len(at), universe.underlyings[u].rate_per_year),
        universe.right[at].astype(np.float64),
        found,
    )
    out[live] = np.where(found > 0.0, found, np.nan)
    return out


def _nearest(market: MarketSnapshot, u: int, wanted: Rows, now_ns: int) -> F64:
    """Volatility of the underlying's contract nearest in √time, then in log strike, that has one; NaN where none has.

    Asked of one expiry after the other, the nearest first: a contract that lost its quote must not cost a whole board.
    """
    universe = market.universe
    listed = market.usable_rows(universe.symbols[u])
    listed = listed[universe.kind[listed] == OPTION]
    out, asking = np.full(len(wanted), np.nan), np.arange(len(wanted))
    root_years, mine = (np.sqrt(_years(universe, rows, now_ns)) for rows in (listed, wanted))
    gap = np.abs(mine[:, None] - root_years)
    while len(asking) and (gap < np.inf).any():
        near = (gap <= gap.min(axis=1, keepdims=True) + _SAME_TIME) & (gap < np.inf)
        at = np.flatnonzero(near.any(axis=0))
        vol = _implied(market, u, listed[at], now_ns)
        known = near[:, at] & np.isfinite(vol)
        far = np.abs(np.log(universe.strike[wanted[asking]])[:, None] - np.log(universe.strike[listed[at]]))
        best, found = np.argmin(np.where(known, far, np.inf), axis=1), known.any(axis=1)
        out[asking[found]] = vol[best[found]]
        asking, gap = asking[~found], np.where(near, np.inf, gap)[~found]
    return out
