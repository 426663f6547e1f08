"""Accepts refined slices only where they are free of arbitrage on a dense grid; eSSVI stands everywhere else.

The grid is shared by all slices: 501 strikes, about 4 % apart, from a thousandth of the shortest expiry's at-the-money
deviation to |ln(K/F)| = 12 or 60 deviations of the longest, whichever is further; plus 65 about the bend of each
slice. The wings beyond are decided by their slopes (w grows where both slopes do; g tends to ¼ - slope²/16). The slices
that follow the last one in extrapolation are checked with it.
*Tested by* tests/unit/test_surfaces_fit.py, tests/properties/test_surfaces_arbitrage.py.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from common.kernels.jit import F64, strict_inline, strict_kernel
from common.kernels.svi import durrleman, least_grown_g, total_variance

POINTS: Final = 501
_BEND: Final = 65
_SWEEPS: Final = 3
#: Least relative growth of w that `lift` leaves: above rounding, far below a basis point of volatility.
_GROWTH: Final = 1e-6
#: More than this share of a slope or a variance is no repair of what hinges left over.
_LIFT: Final = 0.02
#: Relative growth of w below which the grid is refined around a minimum, and by how much.
_NEAR: Final = 0.02
_CLOSER: Final = 32


@strict_inline
def _at(p: F64, k: float) -> float:
    return float(total_variance(k, p[0], p[1], p[2], p[3], p[4]))


@strict_kernel
def strikes(slices: F64, out: F64) -> None:
    """The grid of ln(K/F) shared by slices (s, 5) into ``out`` (POINTS,), ascending."""
    narrow, wide = np.inf, 0.0
    for i in range(len(slices)):
        e = math.sqrt(max(_at(slices[i], 0.0), 1e-12))
        narrow, wide = min(narrow, e), max(wide, e)
    reach = math.asinh(10.0 * max(12.0, 60.0 * wide) / narrow)
    half = (POINTS - 1) // 2
    for j in range(POINTS):
        out[j] = 0.1 * narrow * math.sinh(reach * (j - half) / half)


@strict_kernel
def least_g(p: F64, grid: F64, last: bool) -> float:
    """Least Durrleman g of a slice on the grid, about its bend and in the wings; -inf where w is not positive.

    ``last``: the slices that follow it in extrapolation too.
    """
    least = min(0.25 - p[1] * p[1] / 16.0, 0.25 - p[2] * p[2] / 16.0)
    for j in range(len(grid) + _BEND):
        bent = 8.0 * (2.0 * (j - len(grid)) / (_BEND - 1) - 1.0)
        k = grid[j] if j < len(grid) else p[3] + p[4] * bent
        g = durrleman(k, p)
        if not g >= least:
            least = g if g == g else -np.inf
        if last:
            g = least_grown_g(k, p)
            if not g >= least:
                least = g if g == g else -np.inf
    return float(least)


@strict_inline
def _gap(lower: F64, p: F64, k: float, relative: bool) -> float:
    before = _at(lower, k)
    gap = _at(p, k) - before
    return float(gap / before if relative else gap - _GROWTH * before)


@strict_kernel
def _least_gap(lower: F64, p: F64, grid: F64, relative: bool) -> float:
    # Least of w - w of ``lower`` over the grid; where the two come near, looked at more closely between its points.
    least, last, older = np.inf, np.inf, np.inf
    for j in range(len(grid)):
        gap = _gap(lower, p, grid[j], relative)
        least = min(least, gap)
        near = last < _NEAR if relative else last < _NEAR * _at(lower, grid[j])
        if j > 1 and near and last <= older and last <= gap:
            for i in range(1, _CLOSER):
                k = grid[j - 2] + (grid[j] - grid[j - 2]) * i / _CLOSER
                least = min(least, _gap(lower, p, k, relative))
        older, last = last, gap
    return float(least)


@strict_kernel
def least_growth(lower: F64, p: F64, grid: F64) -> float:
    """Least relative growth of w from slice ``lower`` to ``p``, and of the two slopes."""
    slopes = min(p[1] / lower[1], p[2] / lower[2]) - 1.0
    return float(min(slopes, _least_gap(lower, p, grid, True)))


@strict_kernel
def lift(slices: F64, grid: F64) -> float:
    """Raise slices (s, 5), first to last, by what they lack to exclude calendar spreads: the slopes, then the level.

    Returns the largest raise as a share of a slope or of the at-the-money variance.
    """
    largest = 0.0
    for i in range(1, len(slices)):
        lower, p = slices[i - 1], slices[i]
        for a in range(1, 3):
            least = lower[a] * (1.0 + 1e-9)
            if p[a] < least:
                largest = max(largest, least / p[a] - 1.0)
                p[a] = least
        lack = max(-_least_gap(lower, p, grid, False), 0.0)
        largest = max(largest, lack / max(_at(p, 0.0), 1e-12))
        p[0] += lack
    return float(largest)


@strict_kernel
def verdict(slices: F64, grid: F64, g: F64, growth: F64) -> None:
    """`least_g` of each slice and `least_growth` over the one before (inf for the first) into g, growth (s,)."""
    for i in range(len(slices)):
        g[i] = least_g(slices[i], grid, i + 1 == len(slices))
        growth[i] = least_growth(slices[i - 1], slices[i], grid) if i > 0 else np.inf


@strict_kernel
def _fits(slices: F64, i: int, p: F64, grid: F64) -> bool:
    # Whether slice i may become p while its neighbours stay.
    if p[1] > 2.0 or p[2] > 2.0 or least_g(p, grid, i + 1 == len(slices)) < 0.0:
        return False
    if i > 0 and least_growth(slices[i - 1], p, grid) < 0.0:
        return False
    return not (i + 1 < len(slices) and least_growth(p, slices[i + 1], grid) < 0.0)


@strict_kernel
def settle(slices: F64, safe: F64, moved: F64, g: F64, growth: F64) -> None:
    """Move ``safe`` (s, 5), free of arbitrage, towards ``slices`` (s, 5) as far as it stays so; the result in
    ``slices``.

    moved (s,): the share of its way each slice went, 1 everywhere when the refinement was accepted as a whole; g,
    growth (s,): `verdict` of the result.
    """
    n = len(slices)
    grid, trial = np.empty(POINTS), np.empty(5)
    strikes(safe, grid)
    raised = slices.copy()
    good = lift(raised, grid) <= _LIFT
    verdict(raised, grid, g, growth)
    moved[:] = 1.0
    for i in range(n):
        good = good and g[i] >= 0.0 and growth[i] >= 0.0 and raised[i, 1] <= 2.0 and raised[i, 2] <= 2.0
    if good:
        slices[:] = raised
        return
    moved[:] = 0.0
    now = safe.copy()
    for _ in range(_SWEEPS):
        for i in range(n):
            share = 1.0
            while moved[i] < 1.0 and share > 0.1:
                for a in range(5):
                    trial[a] = now[i, a] + share * (slices[i, a] - now[i, a])
                if _fits(now, i, trial, grid):
                    now[i] = trial
                    moved[i] += share * (1.0 - moved[i])
                    break
                share *= 0.5
    slices[:] = now
    verdict(slices, grid, g, growth)
