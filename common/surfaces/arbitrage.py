"""Looks for arbitrage in a surface the way a trader would: prices on a dense strike grid, total variances between
expiries.

Knows nothing of SVI: it reads volatilities, turns them into prices with its own normal distribution and compares
neighbours. A butterfly is a negative second difference of out-of-the-money prices beyond rounding; the forward is
crossed by using puts on one grid and calls on another that overlap. A calendar spread is total variance that falls
with expiry at equal ln(K/F).
*Tested by* tests/unit/test_surfaces_arbitrage.py (surfaces known to be bad, after Axel Vogt).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from common.messages import F64
from common.surfaces.surface import Surface

#: Rounding of a price, as a share of it: error of the normal tail and of the logarithm, amplified by d.
_ROUNDING: Final = 1e-12
_erfc = np.frompyfunc(math.erfc, 1, 1)


@dataclass(frozen=True, slots=True)
class Found:
    """Violations: number of grid points, and the worst one (relative to the price, or to total variance)."""

    butterflies: int
    calendars: int
    worst_butterfly: float
    worst_calendar: float

    @property
    def clean(self) -> bool:
        """No violation of either kind."""
        return self.butterflies == 0 and self.calendars == 0


def check(surface: Surface, points: int = 1001, beyond: float = 0.0) -> Found:
    """Check every slice on ``points`` strikes over the quoted range of all expiries that touch it.

    The range of a slice is its own quoted range, for calendars the union with that of its neighbour; ``beyond``
    widens both ends by that many at-the-money standard deviations.
    """
    deviations = np.sqrt(surface.tau_years) * surface.vol(surface.expiry_ns, surface.forwards)
    low, high = surface.k_low - beyond * deviations, surface.k_high + beyond * deviations
    bad = [_butterflies(_slice(surface, i), low[i], high[i], points) for i in range(len(surface))]
    late = [
        _calendars(surface, i, min(low[i], low[i - 1]), max(high[i], high[i - 1]), points)
        for i in range(1, len(surface))
    ]
    return Found(
        sum(b for b, _ in bad),
        sum(c for c, _ in late),
        min((w for _, w in bad), default=0.0),
        min((w for _, w in late), default=0.0),
    )


def otm_prices(k: F64, total_vol: F64, right: float) -> F64:
    """Undiscounted prices over the forward of calls (+1) or puts (-1) at ln(K/F), total volatilities σ√τ > 0."""
    d1 = -k / total_vol + 0.5 * total_vol
    tail = [0.5 * np.asarray(_erfc(-right * d / math.sqrt(2.0)), np.float64) for d in (d1, d1 - total_vol)]
    return np.asarray(right * (tail[0] - np.exp(k) * tail[1]))


class _Slice:
    """Total volatility of one expiry as a function of ln(K/F)."""

    def __init__(self, surface: Surface, expiry_ns: int) -> None:
        self._surface, self._expiry_ns = surface, expiry_ns
        self._root = math.sqrt(float(surface.tau(expiry_ns)))
        self._forward = float(surface.forward(expiry_ns))

    def __call__(self, k: F64) -> F64:
        vol = self._surface.vol(self._expiry_ns, self._forward * np.exp(k), self._forward)
        return np.asarray(vol * self._root)


def _slice(surface: Surface, i: int) -> _Slice:
    return _Slice(surface, int(surface.expiry_ns[i]))


def check_expiry(surface: Surface, expiry_ns: int, low: float, high: float, points: int = 1001) -> tuple[int, float]:
    """Butterflies of any one expiry, listed or not, between two ln(K/F): how many, and the worst."""
    return _butterflies(_Slice(surface, expiry_ns), low, high, points)


def _butterflies(total_vol: _Slice, low: float, high: float, points: int) -> tuple[int, float]:
    found, worst = 0, 0.0
    width = (high - low) / (points - 1)
    for right, ends in ((-1.0, (low, min(high, 2.0 * width))), (1.0, (max(low, -2.0 * width), high))):
        if ends[1] - ends[0] < 2.0 * width:
            continue
        strikes = np.linspace(math.exp(ends[0]), math.exp(ends[1]), points)
        k = np.log(strikes)
        price = otm_prices(k, total_vol(k), right)
        second = price[2:] - 2.0 * price[1:-1] + price[:-2]
        share = second / np.maximum(price[1:-1], 1e-300)
        broken = ~(second >= -_ROUNDING * (price[2:] + 2.0 * price[1:-1] + price[:-2]))
        # Rounding of the grid itself: strikes are exact to half a unit, a slope of at most one times that.
        broken &= ~(np.abs(second) <= 4.0 * np.spacing(strikes[1:-1]))
        found += int(broken.sum())
        worst = min(worst, float(np.min(np.where(broken, share, 0.0))))
    return found, worst


def _calendars(surface: Surface, i: int, low: float, high: float, points: int) -> tuple[int, float]:
    k = np.linspace(low, high, points)
    early, late = _slice(surface, i - 1)(k) ** 2, _slice(surface, i)(k) ** 2
    growth = late / early - 1.0
    broken = ~(growth >= -1e-12)
    return int(broken.sum()), float(np.min(np.where(broken, np.nan_to_num(growth, nan=-1.0), 0.0)))
