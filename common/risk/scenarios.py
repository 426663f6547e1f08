"""What a book gains or loses when the market moves, every contract valued again at every state of the world.

A state moves each underlying's spot by a share of itself (forwards and futures move by the same share), each
volatility by a rule, time by whole or part days, and rates in parallel. Nothing is approximated by Greeks.

| volatility rule | shocked volatility | shock in |
|---|---|---|
| ``points`` | σ + x | vol per √year (0.01 is a point) |
| ``relative`` | σ (1 + x) | share |
| ``sqrt-time`` | σ + x √(reference days / days to expiry) | vol per √year at the reference tenor |

None goes below zero. Where the smile sticks when the spot moves: ``holdings.py``. Time passes with base and volatility
held; what expires on the way is worth its payoff at the shocked base. A rate shock holds base and yield.
A state in which nothing moves is not valued again: its P&L is 0 by definition.
*Tested by* tests/unit/test_risk_scenarios.py (QuantLib, hand), tests/properties/test_risk_scenarios.py (sums, zero).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from common.kernels.layout import INVERSE_FUTURE, PRICE
from common.messages import F64
from common.risk.columns import Columns
from common.risk.evaluate import evaluate
from common.risk.holdings import Holdings, in_coin, is_option
from common.surfaces.dynamics import STICKY_STRIKE

VolRule = Literal["points", "relative", "sqrt-time"]
Progress = Callable[[float], None]

#: Rows valued in one call: columns and Greeks of a block of states stay in the second-level cache and memory stays flat.
BLOCK_ROWS: Final = 1 << 15
DAYS_PER_YEAR: Final = 365.0


@dataclass(frozen=True, slots=True)
class Rules:
    """How a shock becomes a volatility. ``stickiness``: skew-stickiness ratio, 1 sticky strike, 0 sticky moneyness."""

    vol: VolRule = "relative"
    stickiness: float = STICKY_STRIKE
    reference_days: float = 30.0
    #: Under ``sqrt-time`` a contract with less time than this moves as one that has it.
    shortest_days: float = 1.0

    def __post_init__(self) -> None:
        if self.vol not in ("points", "relative", "sqrt-time"):
            raise ValueError(f"volatility rule {self.vol!r} is none of points, relative, sqrt-time")
        if not (self.reference_days > 0.0 and self.shortest_days > 0.0):
            raise ValueError("reference_days and shortest_days must be positive")


@dataclass(frozen=True, slots=True)
class Shocks:
    """m states over u underlyings: spot (m, u) shares > -1, vol (m, u) by the rule, days (m,) >= 0, rate (m,) per year."""

    spot: F64
    vol: F64
    days: F64
    rate: F64

    @classmethod
    def of(cls, spot: F64, vol: F64, *, days: float = 0.0, rate: float = 0.0) -> Shocks:
        """States that share one time roll and one rate move."""
        return cls(spot, vol, np.full(len(spot), days), np.full(len(spot), rate))

    def __post_init__(self) -> None:
        m = len(self.spot)
        if self.spot.ndim != 2 or self.vol.shape != self.spot.shape or not len(self.days) == len(self.rate) == m:
            raise ValueError(f"shocks of shapes {self.spot.shape}, {self.vol.shape}, {self.days.shape}")
        if m and not (np.all(self.spot > -1.0) and np.all(self.days >= 0.0)):
            raise ValueError("a spot cannot lose 100 % or more, nor time run backwards")

    def __len__(self) -> int:
        return len(self.spot)

    def nothing(self) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        """True (m,) where nothing moves at all."""
        still = (self.spot == 0.0).all(axis=1) & (self.vol == 0.0).all(axis=1)
        return np.asarray(still & (self.days == 0.0) & (self.rate == 0.0))


class _Vols:
    """Shocked volatilities of a book under rules; what does not depend on the state is worked out once."""

    def __init__(self, holdings: Holdings, rules: Rules) -> None:
        self._holdings, self._rules = holdings, rules
        option = is_option(holdings.columns)
        self._start = np.where(option, holdings.columns.vol, 0.0)
        self._options = np.flatnonzero(option)
        self._weight = vol_weight(holdings, rules)
        self._slid: dict[bytes, F64] = {}

    def __call__(self, spot: F64, vol: F64) -> F64:
        """Volatility (k, n) per √year after spot shares and vol shocks (k, u); 0 for what is no option."""
        start, shock = self._start, vol[:, self._holdings.underlying]
        if self._rules.stickiness != STICKY_STRIKE and spot.any():
            start = np.stack([self._after(moves) for moves in spot])
        if self._rules.vol == "relative":
            shock += 1.0
            shock *= start
        else:
            shock *= self._weight
            shock += start
        return np.maximum(shock, 0.0, out=shock)

    def _after(self, moves: F64) -> F64:
        """Volatility (n,) where the smile went with spot shares (u,)."""
        if not moves.any():
            return self._start
        holdings, key = self._holdings, moves.tobytes()
        if holdings.smile is None:
            raise ValueError("the smile moves with the spot, but these holdings came without a smile")
        if key not in self._slid:
            shift = (1.0 - self._rules.stickiness) * np.log1p(moves)[holdings.underlying[self._options]]
            self._slid[key] = self._start.copy()
            self._slid[key][self._options] = holdings.smile.vol(holdings.rows_of_smile[self._options], shift)
        return self._slid[key]


def vol_weight(holdings: Holdings, rules: Rules) -> F64:
    """dσ/dx (n,) of each row's volatility by the shock of its underlying, at the start; 0 for what is no option."""
    columns = holdings.columns
    if rules.vol == "relative":
        weight = np.asarray(columns.vol, np.float64)
    elif rules.vol == "points":
        weight = np.ones(len(columns))
    else:
        days = np.maximum(columns.tau_years * DAYS_PER_YEAR, rules.shortest_days)
        weight = np.sqrt(rules.reference_days / days)
    return np.where(is_option(columns), weight, 0.0)


def revalue(
    holdings: Holdings, shocks: Shocks, rules: Rules, progress: Progress | None = None
) -> Iterator[tuple[slice, Columns, F64]]:
    """Blocks of states in order: which of them, their columns (k × n rows, state by state), Greeks (GREEKS, k × n)."""
    n, m = len(holdings), len(shocks)
    step = min(max(BLOCK_ROWS // max(n, 1), 1), m)
    c, vols = holdings.columns, _Vols(holdings, rules)
    model = np.tile(c.model, step)
    strike, tau, rate, yields, right = (
        np.tile(x, step) for x in (c.strike, c.tau_years, c.rate_per_year, c.yield_per_year, c.right)
    )
    for first in range(0, m, step):
        part = slice(first, min(first + step, m))
        rows = (part.stop - first) * n
        spot, days, rates = shocks.spot[part], shocks.days[part, None], shocks.rate[part, None]
        passed = np.maximum(c.tau_years - days / DAYS_PER_YEAR, 0.0).ravel() if days.any() else tau[:rows]
        columns = Columns(
            model[:rows],
            (c.base * (1.0 + spot)[:, holdings.underlying]).ravel(),
            strike[:rows],
            passed,
            vols(spot, shocks.vol[part]).ravel(),
            (c.rate_per_year + rates).ravel() if rates.any() else rate[:rows],
            yields[:rows],
            right[:rows],
        )
        yield part, columns, evaluate(columns)
        if progress is not None:
            progress(part.stop / m)


def pnl_by_row(holdings: Holdings, shocks: Shocks, rules: Rules, progress: Progress | None = None) -> F64:
    """P&L (m, n) USD of each row in each state. NaN where a row cannot be valued; take `Holdings.priced` first."""
    out = np.zeros((len(shocks), len(holdings)))
    for part, found in _changes(holdings, shocks, rules, progress):
        out[part] = found
    return out


def pnl_by_underlying(holdings: Holdings, shocks: Shocks, rules: Rules, progress: Progress | None = None) -> F64:
    """P&L (m, u) USD per underlying in each state: the sums of `pnl_by_row`, without keeping every row."""
    order = np.argsort(holdings.underlying, kind="stable")
    sorted_ = holdings.take(order)
    starts = np.searchsorted(sorted_.underlying, np.arange(len(holdings.symbols) + 1))
    out = np.zeros((len(shocks), len(holdings.symbols)))
    for part, found in _changes(sorted_, shocks, rules, progress):
        for u in range(len(holdings.symbols)):
            out[part, u] = found[:, starts[u] : starts[u + 1]].sum(axis=1)
    return out


def _changes(
    holdings: Holdings, shocks: Shocks, rules: Rules, progress: Progress | None
) -> Iterator[tuple[slice, F64]]:
    if not len(holdings):
        return
    start = evaluate(holdings.columns)[PRICE]
    coin, margined = in_coin(holdings.columns), holdings.columns.model == INVERSE_FUTURE
    any_coin, still = bool(coin.any()), shocks.nothing()
    for part, columns, greeks in revalue(holdings, shocks, rules, progress):
        base, price = (x.reshape(-1, len(holdings)) for x in (columns.base, greeks[PRICE]))
        if any_coin:
            # Coins held are worth the shocked base. A coin option was worth the base before; a coin future was worth
            # nothing, and its gain in coins is what is turned into USD.
            before = np.where(coin, start * np.where(margined, base, holdings.columns.base), start)
            found = np.where(coin, price * base, price) - before
        else:
            found = price - start
        found *= holdings.usd_per_point
        found[still[part]] = 0.0
        yield part, found


@dataclass(frozen=True)
class Grid:
    """P&L of a spot × vol grid. ``by_underlying_usd`` (u, s, v); spot_moves (s,) shares of the common move, times beta."""

    symbols: tuple[str, ...]
    spot_moves: F64
    vol_moves: F64
    betas: F64
    rules: Rules
    days: float
    rate: float
    by_underlying_usd: F64

    @property
    def total_usd(self) -> F64:
        """P&L (s, v) of the whole book when everything moves together."""
        return np.asarray(self.by_underlying_usd.sum(axis=0))

    def worst(self) -> tuple[float, float, float]:
        """The lowest total P&L in USD and the spot and vol moves at which it stands."""
        total = self.total_usd
        i, j = np.unravel_index(int(np.argmin(total)), total.shape)
        return float(total[i, j]), float(self.spot_moves[i]), float(self.vol_moves[j])


def spot_vol_grid(
    holdings: Holdings,
    spot_moves: F64,
    vol_moves: F64,
    rules: Rules | None = None,
    *,
    betas: F64 | None = None,
    days: float = 0.0,
    rate: float = 0.0,
    progress: Progress | None = None,
) -> Grid:
    """Full revaluation on spot_moves (s,) × vol_moves (v,); underlying u moves by betas[u] × the spot move (None: 1).

    Shocked vols by ``rules``; ``days`` calendar days pass and rates move by ``rate`` in every cell, the middle included.
    Raises ``ValueError`` for a move of -100 % or below.
    """
    rules = rules or Rules()
    u, s, v = len(holdings.symbols), len(spot_moves), len(vol_moves)
    beta = np.ones(u) if betas is None else np.asarray(betas, np.float64)
    spot = np.repeat(np.asarray(spot_moves, np.float64), v)[:, None] * beta
    vol = np.tile(np.asarray(vol_moves, np.float64), s)[:, None] * np.ones(u)
    pnl = pnl_by_underlying(holdings, Shocks.of(spot, vol, days=days, rate=rate), rules, progress)
    return Grid(holdings.symbols, spot_moves, vol_moves, beta, rules, days, rate, pnl.T.reshape(u, s, v))


def worst_loss(grid: Grid, *, separately: bool = False) -> float:
    """Largest loss over the grid in USD, at least 0: a margin estimate.

    ``separately`` lets every underlying have its own worst cell and adds them up (no offset between underlyings), which
    is never less than the loss of a common move.
    """
    if separately:
        return float(np.maximum(-grid.by_underlying_usd.min(axis=(1, 2)), 0.0).sum())
    return max(-float(grid.total_usd.min()), 0.0)
