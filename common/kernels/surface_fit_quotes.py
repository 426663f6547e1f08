"""From option quotes to what a surface fit reads: parity pairs of an expiry, noise of a volatility, fitted prices.

*Tested by* tests/unit/test_surfaces_parity.py, tests/unit/test_surfaces_fit.py.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from common.kernels.elementary import mills, normal_pdf
from common.kernels.jit import F64, I64, strict_inline, strict_kernel

#: Columns of `parity_lines`.
PAIRS: Final = 0  # pairs read
SLOPE: Final = 1  # discount factor as the line says
SLOPE_ERROR: Final = 2
MEAN_STRIKE: Final = 3  # weighted
MEAN_GAP: Final = 4  # weighted call minus put
GAP_ERROR: Final = 5
SCATTER: Final = 6  # of residuals, in units of half the pair's spread
LINE: Final = 7

_ROUNDS: Final = 12
#: Tukey's constant: a residual beyond so many standard deviations does not count.
_TUKEY: Final = 4.685


@strict_kernel
def _line(strike: F64, gap: F64, half: F64, weight: F64) -> tuple[float, float, float, float]:
    # Weighted means, slope -d(gap)/d(strike) and Σ w (K - mean)²; weights w = weight / half².
    total, mk, my = 0.0, 0.0, 0.0
    for j in range(len(strike)):
        w = weight[j] / (half[j] * half[j])
        total += w
        mk += w * strike[j]
        my += w * gap[j]
    mk, my = mk / total, my / total
    sxx, sxy = 0.0, 0.0
    for j in range(len(strike)):
        w = weight[j] / (half[j] * half[j])
        sxx += w * (strike[j] - mk) ** 2
        sxy += w * (strike[j] - mk) * (gap[j] - my)
    return mk, my, (-sxy / sxx if sxx > 0.0 else np.nan), sxx


@strict_kernel
def parity_line(strike: F64, gap: F64, half: F64, out: F64) -> None:
    """Robust line  call - put = D (F - K)  through n pairs into ``out`` (LINE,); D is NaN with one strike.

    strike, gap = mid of call minus mid of put, half = sum of their half spreads (n,) in points. Weighted by 1/half²,
    then Tukey's bisquare with the median absolute residual as scale (Beaton and Tukey 1974).
    """
    n = len(strike)
    out[:] = np.nan
    out[PAIRS] = n
    if n == 0:
        return
    weight = np.ones(n)
    residual = np.empty(n)
    mk, my, slope, sxx = _line(strike, gap, half, weight)
    scatter = 0.0
    for _ in range(_ROUNDS):
        tilt = slope if slope == slope else 1.0
        for j in range(n):
            residual[j] = (gap[j] - my + tilt * (strike[j] - mk)) / half[j]
        scatter = 1.4826 * np.median(np.abs(residual)) if n > 2 else 1.0
        # Mids agree far better than spreads suggest; a floor keeps exact data from weighing nothing.
        cut = _TUKEY * max(scatter, 1e-4)
        for j in range(n):
            t = residual[j] / cut
            weight[j] = (1.0 - t * t) ** 2 if abs(t) < 1.0 else 0.0
        mk, my, slope, sxx = _line(strike, gap, half, weight)
    total = 0.0
    for j in range(n):
        total += weight[j] / (half[j] * half[j])
    error = max(scatter, 0.02)
    out[SLOPE], out[SLOPE_ERROR] = slope, (error / math.sqrt(sxx) if sxx > 0.0 else np.inf)
    out[MEAN_STRIKE], out[MEAN_GAP], out[GAP_ERROR], out[SCATTER] = mk, my, error / math.sqrt(total), scatter


@strict_kernel
def pair_up(
    first: I64, strike: F64, right: F64, mid: F64, half: F64, usable: I64, least: int, lines: F64, rank: I64
) -> None:
    """`parity_line` of each expiry into ``lines`` (s, LINE). Rows of expiry i: first[i]:first[i+1], by strike, call
    first.

    usable (n,): 0 no, 1 quoted, 2 quoted and traded. rank (s,): 2 where at least ``least`` pairs traded on both sides
    and only those were read, else 1.
    """
    for i in range(len(first) - 1):
        a, b = first[i], first[i + 1]
        k, y, h = np.empty(b - a), np.empty(b - a), np.empty(b - a)
        for wanted in (2, 1):
            count = 0
            for j in range(a, b - 1):
                twin = strike[j] == strike[j + 1] and right[j] == 1.0 and right[j + 1] == -1.0
                if twin and min(usable[j], usable[j + 1]) >= wanted:
                    k[count], y[count], h[count] = strike[j], mid[j] - mid[j + 1], half[j] + half[j + 1]
                    count += 1
            rank[i] = wanted
            if count >= least:
                break
        parity_line(k[:count], y[:count], h[:count], lines[i])


@strict_inline
def _tail(x: float) -> float:
    t = normal_pdf(x) * mills(abs(x)) if abs(x) < 37.5 else 0.0
    return t if x < 0.0 else 1.0 - t


@strict_kernel
def prices(forward: F64, strike: F64, variance: F64, right: F64, out: F64) -> None:
    """Undiscounted Black prices (n,) of total variances (n,) > 0, into ``out``; points."""
    for j in range(len(strike)):
        s = math.sqrt(variance[j])
        d = math.log(forward[j] / strike[j]) / s
        y = right[j]
        out[j] = y * (forward[j] * _tail(y * (d + 0.5 * s)) - strike[j] * _tail(y * (d - 0.5 * s)))


@strict_kernel
def weigh(first: I64, taus: F64, k: F64, vol: F64, half: F64, forward: F64, floor: float, atm: F64, noise: F64) -> None:
    """Volatility at the money (s,) of the quote nearest to it and noise (n,) of each volatility quote.

    half (n,): undiscounted half spread in points, over vega; with it the noise no spread shows, ``floor`` at the
    money and growing with the cube of z/2, z = k/(σ√τ): no smile of five numbers follows ten standard deviations to
    the basis point.
    """
    for i in range(len(taus)):
        nearest = first[i]
        for j in range(first[i], first[i + 1]):
            if abs(k[j]) < abs(k[nearest]):
                nearest = j
        atm[i] = vol[nearest]
        root = math.sqrt(taus[i])
        for j in range(first[i], first[i + 1]):
            s = vol[j] * root
            d1 = -k[j] / s + 0.5 * s
            vega = forward[i] * root * max(normal_pdf(d1), 1e-300)
            z = 0.5 * abs(k[j]) / (atm[i] * root)
            model = floor * (1.0 + z * z * z)
            shown = half[j] / vega
            noise[j] = math.sqrt(shown * shown + model * model)
