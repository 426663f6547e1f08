"""Raw SVI slices by their two wing slopes, Durrleman's condition, and volatility anywhere on a surface of slices.

A slice is ``(a, L, R, m, s)``: total variance  w(k) = a + ½ [(R - L)(k - m) + (R + L) √((k - m)² + s²)],  k = ln(K/F).
L and R are the slopes of the left and the right wing, so w is linear in three of its five numbers; Gatheral's raw
parameters are b = (L + R)/2, ρ = (R - L)/(R + L), σ = s. Butterfly-free is g(k) >= 0 and slopes <= 2 (Lee 2004;
Durrleman; Gatheral and Jacquier 2014, section 2.1); free of calendar spreads is w increasing in expiry at each k.
Between expiries undiscounted prices over the forward are mixed at equal k (Gatheral and Jacquier 2014, lemma 5.1): a
mixture of convex functions is convex, and it grows with time since both ends do, so no arbitrage of either kind can
appear. Before the first expiry w shrinks in proportion to time: with A = (1 - k w'/2w)², g(λw) = A + λ(w''/2 -
w'²/4w) - λ² w'²/16 is concave in λ and not negative at 0 and 1. After the last expiry w grows by one amount for all
k; `least_grown_g` says whether that is safe.
*Tested by* tests/unit/test_surfaces_svi.py, tests/properties/test_surfaces_arbitrage.py.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from common.kernels.elementary import exp, mills, normal_pdf
from common.kernels.jit import F64, strict_inline, strict_kernel

#: Columns of a slice.
A: Final = 0
LEFT: Final = 1
RIGHT: Final = 2
M: Final = 3
S: Final = 4
SLICE: Final = 5


@strict_inline
def total_variance(k: float, a: float, left: float, right: float, m: float, s: float) -> float:
    """w at k = ln(K/F)."""
    x = k - m
    return float(a + 0.5 * ((right - left) * x + (right + left) * math.sqrt(x * x + s * s)))


@strict_kernel
def durrleman(k: float, p: F64) -> float:
    """g(k) of a slice ``p`` (SLICE,): the density of ln K up to a positive factor; NaN where w is not positive."""
    x = k - p[3]
    h = math.sqrt(x * x + p[4] * p[4])
    w = p[0] + 0.5 * ((p[2] - p[1]) * x + (p[2] + p[1]) * h)
    if not w > 0.0:
        return np.nan
    first = 0.5 * ((p[2] - p[1]) + (p[2] + p[1]) * x / h)
    second = 0.5 * (p[2] + p[1]) * p[4] * p[4] / (h * h * h)
    u = 1.0 - 0.5 * k * first / w
    return float(u * u - 0.25 * first * first * (1.0 / w + 0.25) + 0.5 * second)


@strict_kernel
def least_grown_g(k: float, p: F64) -> float:
    """Least g at ``k`` over all slices w + c, c >= 0: with u = 1/(w + c) it is a parabola in u on (0, 1/w]."""
    x = k - p[3]
    h = math.sqrt(x * x + p[4] * p[4])
    w = p[0] + 0.5 * ((p[2] - p[1]) * x + (p[2] + p[1]) * h)
    first = 0.5 * ((p[2] - p[1]) + (p[2] + p[1]) * x / h)
    second = 0.5 * (p[2] + p[1]) * p[4] * p[4] / (h * h * h)
    level = 1.0 - first * first / 16.0 + 0.5 * second
    slope = -(k * first + 0.25 * first * first)
    bend = 0.25 * k * k * first * first
    u = min(max(-0.5 * slope / bend, 0.0), 1.0 / w) if bend > 0.0 else 1.0 / w
    return float(min(level + u * (slope + u * bend), level, level + (slope + bend / w) / w))


@strict_inline
def _price(x: float, s: float) -> tuple[float, float]:
    # Normalised out-of-the-money price at x = -|k| and its slope by s = √w; see implied_vol.py.
    d1 = x / s + 0.5 * s
    d2 = x / s - 0.5 * s
    slope = normal_pdf(min(max(d1, -37.5), 37.5)) * exp(max(0.5 * x, -700.0))
    upper, lower = mills(abs(d1)) * slope, mills(abs(d2)) * slope
    return (upper - lower if d1 < 0.0 else exp(max(0.5 * x, -700.0)) - upper - lower), slope


@strict_kernel
def mixed_variance(k: float, w1: float, w2: float, share: float) -> float:
    """Total variance of ``share`` of the price at w1 plus the rest at w2 >= w1 > 0, both at k; linear where prices
    vanish."""
    if not w2 > w1 * (1.0 + 1e-12):
        return w1
    x = -abs(k)
    low, high = math.sqrt(w1), math.sqrt(w2)
    first, _ = _price(x, low)
    second, _ = _price(x, high)
    goal = share * first + (1.0 - share) * second
    s = math.sqrt(share * w1 + (1.0 - share) * w2)
    if not (goal > 1e-270 and first > 0.0):
        return s * s
    log_goal = math.log(goal)
    for _ in range(30):
        value, slope = _price(x, s)
        step = (math.log(value) - log_goal) * value / slope
        if value > goal:
            high = s
        else:
            low = s
        # Asked before the bracket: where the step is rounding, s itself is an end of it.
        if abs(step) <= 1e-14 * s:
            break
        following = s - step
        s = following if low < following < high else 0.5 * (low + high)
    return s * s


@strict_kernel
def variance_at(tau: float, k: float, taus: F64, slices: F64) -> float:
    """w at ``tau`` years and k = ln(K/F(τ)). taus (s,) ascending; slices (s, SLICE). NaN without slices or if tau <=
    0."""
    n = len(taus)
    if n == 0 or not (tau > 0.0 and -np.inf < k < np.inf):
        return np.nan
    i = int(np.searchsorted(taus, tau))
    j = min(i, n - 1)
    p = slices[j]
    w2 = total_variance(k, p[0], p[1], p[2], p[3], p[4])
    if i == n:
        return float(w2 + total_variance(0.0, p[0], p[1], p[2], p[3], p[4]) * (tau / taus[j] - 1.0))
    if taus[j] == tau:
        return w2
    if i == 0:
        return float(w2 * tau / taus[0])
    o = slices[j - 1]
    w1 = total_variance(k, o[0], o[1], o[2], o[3], o[4])
    atm1 = total_variance(0.0, o[0], o[1], o[2], o[3], o[4])
    atm2 = total_variance(0.0, p[0], p[1], p[2], p[3], p[4])
    atm = atm1 + (atm2 - atm1) * (tau - taus[j - 1]) / (taus[j] - taus[j - 1])
    # At the money the price is erf(√(w/8)); the mixture that makes w linear in time there.
    c1, c, c2 = math.erf(math.sqrt(atm1 / 8.0)), math.erf(math.sqrt(atm / 8.0)), math.erf(math.sqrt(atm2 / 8.0))
    share = (c2 - c) / (c2 - c1) if c2 > c1 else 1.0
    return mixed_variance(k, w1, w2, share)


@strict_kernel
def vol_at(tau: float, strike: float, forward: float, taus: F64, slices: F64) -> float:
    """Volatility per √year at ``tau`` years for a strike and the forward of that moment, points > 0; NaN otherwise."""
    if not (strike > 0.0 and forward > 0.0 and tau > 0.0):
        return np.nan
    return math.sqrt(variance_at(tau, math.log(strike / forward), taus, slices) / tau)


@strict_kernel
def vols_at(tau: F64, strike: F64, forward: F64, taus: F64, slices: F64, out: F64) -> None:
    """`vol_at` of n rows into ``out`` (n,)."""
    for i in range(len(tau)):
        out[i] = vol_at(tau[i], strike[i], forward[i], taus, slices)
