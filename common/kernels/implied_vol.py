"""Implied volatility of Black-76 prices.

The price is turned into that of the out-of-the-money option of the same strike and normalised, β = V/(e^(-rτ)√(FK));
then b(x, s) = e^(x/2) N(x/s + s/2) - e^(-x/2) N(x/s - s/2) = β is solved for s = σ√τ, x = -|ln F/K|, by Halley's
method on ln b (lower half of its range, where b is nearly exponential) or on ln of the distance to its bound (upper
half), kept in a shrinking bracket. Source: the normalisation and the two branches follow Jaeckel (2015), "Let's be
rational".
*Tested by* tests/unit/test_kernels_implied_vol.py (QuantLib prices, round trip),
tests/properties/test_kernels_greeks.py.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from common.kernels.elementary import exp, log, mills, normal_pdf
from common.kernels.jit import F64, inline, strict_kernel

_MAX_STEPS: Final = 40
_PATIENCE: Final = 8
_SQRT_2PI: Final = 2.5066282746310002
_S_MAX: Final = 60.0
#: Below this normalised price the quote says nothing about volatility in double precision.
_BETA_MIN: Final = 1e-290


@inline
def _normalised(x: float, s: float) -> tuple[float, float, float]:
    # b(x, s), its bound minus b, and db/ds. With p = n(d1) e^(x/2) = n(d2) e^(-x/2): b = p (Y(-d1) - Y(-d2)).
    d1 = x / s + 0.5 * s
    d2 = x / s - 0.5 * s
    p = normal_pdf(min(max(d1, -37.5), 37.5)) * exp(0.5 * x)
    upper = mills(abs(d1)) * p
    lower = mills(abs(d2)) * p
    top = exp(0.5 * x)
    b = upper - lower if d1 < 0.0 else top - upper - lower
    rest = top - upper + lower if d1 < 0.0 else upper + lower
    return b, rest, p


@strict_kernel
def solve(beta: float, x: float, guess: float) -> float:
    """s = σ√τ with b(x, s) = beta, x <= 0, from ``guess`` (NaN: own start); NaN if beta is not inside (0, e^(x/2))."""
    top = math.exp(0.5 * x)
    if not (x <= 0.0 and x > -500.0 and beta > _BETA_MIN and beta < top * (1.0 - 1e-15)):
        return np.nan
    low, high = 0.0, _S_MAX
    # Near the money b is about s/√(2π) - |x|/2; far from it the inflection is a start from which Halley cannot
    # overshoot.
    start = min(max(math.sqrt(-2.0 * x), (beta - 0.5 * x) * _SQRT_2PI), 0.5 * _S_MAX)
    s = guess if 1e-3 * start < guess < 10.0 * start else start
    lower_half = beta < 0.5 * top
    goal = math.log(beta if lower_half else top - beta)
    for i in range(_MAX_STEPS):
        if i == _PATIENCE:
            s, low, high = start, 0.0, _S_MAX  # a bad guess: begin where convergence is known
        b, rest, p = _normalised(x, s)
        if b > beta:
            high = s
        else:
            low = s
        value = b if lower_half else rest
        step = np.nan
        if value > 1e-300 and p > 1e-300:
            first = p / value if lower_half else -p / value
            newton = (log(value) - goal) / first
            if abs(newton) <= 4e-16 * s:
                return s
            curve = x * x / (s * s * s) - 0.25 * s  # b''/b'
            step = newton / max(1.0 - 0.5 * newton * (curve - first), 0.25)
            if abs(step) < 1e-6 * s:
                return s - step  # cubic convergence: what is left is below rounding
        following = s - step
        s = following if following > low and following < high else 0.5 * (low + high)
    return s


@strict_kernel
def implied_vol_of(
    price: float, forward: float, strike: float, tau: float, rate: float, right: float, guess: float
) -> float:
    """One volatility; see `implied_vol`. ``guess``: where to start, NaN for none; the answer is the same."""
    if not (tau > 0.0 and forward > 0.0 and strike > 0.0 and abs(right) == 1.0):
        return np.nan
    discount = math.exp(-rate * tau)
    undiscounted = price / discount
    # Out of the money by parity; in-the-money time value is all that can be read anyway.
    time_value = undiscounted - max(right * (forward - strike), 0.0)
    root_tau = math.sqrt(tau)
    beta = time_value / math.sqrt(forward * strike)
    return solve(beta, -abs(math.log(forward / strike)), guess * root_tau) / root_tau


@strict_kernel
def implied_vol(
    price: F64, forward: F64, strike: F64, tau_years: F64, rate_per_year: F64, right: F64, out: F64
) -> None:
    """Black-76 volatility per √year of n prices into ``out`` (n,).

    price (n,) in points, discounted; forward, strike (n,) > 0 points; tau_years (n,) > 0; rate_per_year (n,); right
    (n,) +1 call, -1 put. NaN, never 0, where the price is at or below discounted intrinsic value, at or above its
    upper bound, or an argument is NaN or senseless. Never raises. *Tested by* see the module.
    """
    for i in range(len(price)):
        out[i] = implied_vol_of(price[i], forward[i], strike[i], tau_years[i], rate_per_year[i], right[i], np.nan)
