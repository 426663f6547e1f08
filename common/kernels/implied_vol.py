"""Implied volatility of European prices, on a forward or on a spot.

The price is turned into that of the out-of-the-money option of the same strike and normalised, β = e^(rτ) V/√(FK); then
b(x, s) = e^(-x/2) N(d1) - e^(x/2) N(d2) = β is solved for s = σ√τ, with x = |ln F/K|, d1 = -x/s + s/2, d2 = -x/s - s/2.
*Start.* For small s, b is Bachelier's price s c(x/s) times e^(-s²/8) and less, c(a) = n(a) - a N(-a); a rational function
inverts c(a)/a = β/x for all x and β to 3e-4, and the factor is corrected once. *Steps.* Two of Householder's third
order on ln b, or above half of its range on the logarithm of the distance to its bound: the error goes as the
fourth power, from 5e-4 (s < 0.3) in one step to rounding, from 0.13 (s = 3) in two. The loop has no branches. An option
whose second step is still longer than 5e-4 (s beyond 3) is finished by `solve`, one by one, inside a bracket.
Sources: the normalisation and the two logarithms follow Jaeckel (2015), "Let's be rational", and the start the idea of
Jaeckel (2017), "Implied normal volatility"; the coefficients are fitted here.
*Accuracy.* For a price exact to rounding, σ to a relative 2e-14 (1 + 1/s) for s up to 3, so 1e-12 a day before expiry;
beyond, where the price nears its bound, to 1e-10 wherever four roundings of price or forward move it by less.
*NaN*, never 0, at and beyond the bounds: an out-of-the-money price <= 0, an in-the-money price within 8 roundings (times
1 + |rτ| + |(r-q)τ|) of its discounted intrinsic value or upper bound (what is left is no information), an
out-of-the-money price that close to its upper bound, β below
1e-290, |ln F/K| > 500, and whatever ``european.py`` refuses. Nothing raises.
*Tested by* tests/unit/test_kernels_implied_vol.py (QuantLib prices, round trip), tests/unit/test_implied_domain.py,
tests/properties/test_implied_round_trip.py, tests/properties/test_kernels_greeks.py.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from common.kernels.elementary import exp, log, log_ratio, mills_denominator, mills_numerator
from common.kernels.jit import F64, inline, kernel, strict_inline, strict_kernel

_SQRT_2PI: Final = 2.5066282746310002
_LOG_SQRT_2PI: Final = 0.9189385332046727
_MAX_STEPS: Final = 40
_PATIENCE: Final = 10
_S_MAX: Final = 60.0
#: Below this normalised price the quote says nothing about volatility in double precision.
_BETA_MIN: Final = 1e-290
#: A step this short, relative to s, leaves an error below 1e-13.
_SHORT: Final = 5e-4
_ROUNDING: Final = 1.8e-15


@inline
def _is_inside(beta: float, x: float, top: float, in_the_money: bool, slack: float) -> bool:
    # Between the bounds by more than rounding, slack. In the money that is one of the whole price, e^(x/2) in units of β.
    whole = slack * exp(min(0.5 * x, 300.0))
    low = whole if in_the_money else _BETA_MIN
    high = top - whole if in_the_money else top * (1.0 - slack * (1.0 + x))
    return bool((beta > low) & (beta < high) & (x < 500.0))


@inline
def _start(beta: float, x: float) -> float:
    # s with s c(x/s) e^(-s²/8 ...) = beta. w² = ln(1 + x/β) runs from 0 (at the money) to 700; a = x/s = w² P(w)/Q(w).
    x = max(x, 1e-5 * beta)
    w2 = log(1.0 + x / beta)
    w = math.sqrt(w2)
    p = 0.3988311002820139 + w * (0.006829963852332869 + w * (0.03506696163968377 + w * 0.0187874019209081))
    q = 0.02311864741525019 + w * 0.013337477554465802
    q = 1.0 + w * (0.011060597921170633 + w * (0.10876878948386345 + w * q))
    p *= w2
    both = 1.0 / (p * q)
    a = p * p * both
    s = x * q * q * both
    s2 = s * s
    flat = 1.0 + a * (0.6 + a * 0.3333333333333333)
    return s + s * s2 * (0.125 * flat - 0.08333333333333333) / (flat * (1.0 + a * (1.2533141373155 + a)))


@inline
def _householder(s: float, x: float, log_goal: float, top: float, down: bool) -> float:
    # What to add to s: third-order Householder on the logarithm of b (down) or of top - b. Everything is in units of the
    # density b' = n(h) e^(-s²/8), whose logarithm is known without computing it: v = (b or top - b)/b'.
    per = 1.0 / s
    h = x * per
    t = 0.5 * s
    d1, d2 = t - h, t + h
    exponent = min(0.5 * (h * h + t * t), 690.0)
    bound = top * _SQRT_2PI * exp(exponent)
    x1, x2 = min(abs(d1), 60.0), min(d2, 60.0)
    below1, below2 = mills_denominator(x1), mills_denominator(x2)
    both = 1.0 / (below1 * below2)
    upper = mills_numerator(x1) * below2 * both
    lower = mills_numerator(x2) * below1 * both
    b = upper - lower if d1 < 0.0 else bound - upper - lower
    rest = bound - upper + lower if d1 < 0.0 else upper + lower
    v = max(b if down else rest, 1e-300)
    f = log(v) - exponent - _LOG_SQRT_2PI - log_goal
    newton = -f * v if down else f * v
    bent = (h * h * per - 0.5 * t) * newton  # b''/b' times the step
    third = bent * bent - (3.0 * h * h * per * per + 0.25) * newton * newton + f * (3.0 * bent + 2.0 * f)
    return newton * (1.0 + 0.5 * (bent + f)) / (1.0 + bent + f + 0.16666666666666666 * third)


@kernel
def _normalise(inputs: F64, work: F64, n: int) -> None:
    # inputs (7, lanes) as in implied_vol_spot, every lane sane -> work (6, lanes): x; bound e^(-x/2); ln of the goal, which
    # is β or, where the flag is -1, its distance to the bound; s to begin with; flag 1 or -1, 0 outside the bounds.
    # n is rounded up to 32, as in european.py.
    for i in range((n + 31) & -32):
        price, base, strike, tau = inputs[0, i], inputs[1, i], inputs[2, i], inputs[3, i]
        rate, carry, right = inputs[4, i], inputs[5, i], inputs[6, i]
        drift = (rate - carry) * tau
        forward = base * exp(drift)
        signed = log_ratio(base, strike) + drift
        x = abs(signed)
        top = exp(-0.5 * x)
        intrinsic = max(right * (forward - strike), 0.0)
        beta = (price * exp(rate * tau) - intrinsic) / math.sqrt(forward * strike)
        slack = _ROUNDING * (1.0 + abs(rate * tau) + abs(drift))
        inside = _is_inside(beta, x, top, right * signed > 0.0, slack)
        x = x if inside else 0.1
        top = top if inside else 1.0
        beta = beta if inside else 0.4
        down = beta < 0.5 * top
        work[0, i] = x
        work[1, i] = top
        work[2, i] = log(beta if down else top - beta)
        work[3, i] = min(max(_start(beta, x), 1e-12), _S_MAX)
        work[4, i] = (1.0 if down else -1.0) if inside else 0.0


@kernel
def _improve(work: F64, n: int) -> None:
    # One step on row 3 of work; row 5: its length relative to s before.
    for i in range((n + 31) & -32):
        s = work[3, i]
        step = _householder(s, work[0, i], work[2, i], work[1, i], work[4, i] >= 0.0)
        work[3, i] = s + min(max(step, -0.6 * s), 2.0 * s)
        work[5, i] = abs(step) - _SHORT * s


@strict_kernel
def solve(beta: float, x: float, guess: float) -> float:
    """s = σ√τ with b(x, s) = beta, x = |ln F/K|, from ``guess`` (NaN: own start); beta inside (0, e^(-x/2)), x < 500."""
    top = math.exp(-0.5 * x)
    low, high = 0.0, _S_MAX
    down = beta < 0.5 * top
    log_goal = math.log(beta if down else top - beta)
    start = min(max(_start(beta, x), 1e-12), _S_MAX)
    s = guess if 0.5 * start < guess < 2.0 * start else start
    for i in range(_MAX_STEPS):
        step = _householder(s, x, log_goal, top, down)
        if abs(step) < _SHORT * s:
            return s + step
        if step > 0.0:
            low = s
        else:
            high = s
        following = s + step
        safe = following > low and following < high and i < _PATIENCE
        s = following if safe else 0.5 * (low + high)
    return s


@strict_inline
def _sane(price: float, base: float, strike: float, tau: float, rate: float, carry: float, right: float) -> bool:
    good = (price > 1e-290) & (price < 1e200) & (base > 1e-90) & (base < 1e90) & (strike > 1e-90) & (strike < 1e90)
    good = good & (tau >= 1e-12) & (tau <= 1e4) & (abs(right) == 1.0)
    return bool(good & (abs(rate * tau) <= 600.0) & (abs(carry * tau) <= 600.0))


@strict_kernel
def implied_vol_of(
    price: float, forward: float, strike: float, tau: float, rate: float, right: float, guess: float
) -> float:
    """One volatility; see `implied_vol`. ``guess``: where to start, NaN for none; the answer is the same."""
    if not _sane(price, forward, strike, tau, rate, rate, right):
        return np.nan
    undiscounted = price * math.exp(rate * tau)
    # Out of the money by parity; in-the-money time value is all that can be read anyway.
    intrinsic = max(right * (forward - strike), 0.0)
    time_value = undiscounted - intrinsic
    root_tau = math.sqrt(tau)
    beta = time_value / math.sqrt(forward * strike)
    x = abs(math.log(forward / strike))
    if not _is_inside(beta, x, math.exp(-0.5 * x), intrinsic > 0.0, _ROUNDING * (1.0 + abs(rate * tau))):
        return np.nan
    return solve(beta, x, guess * root_tau) / root_tau


@strict_kernel
def implied_vol_spot(
    price: F64,
    spot: F64,
    strike: F64,
    tau_years: F64,
    rate_per_year: F64,
    yield_per_year: F64,
    right: F64,
    out: F64,
) -> None:
    """Black-Scholes-Merton volatility per √year of n prices into ``out`` (n,).

    price (n,) in points, as paid today; spot, strike (n,) > 0 points; tau_years (n,) > 0; rate_per_year, yield_per_year
    (n,) continuous; right (n,) +1 call, -1 put: contiguous float64. NaN, never 0, where no volatility gives the
    price (see the module). Never raises.
    """
    block, work = np.empty((7, 128)), np.empty((6, 128))
    for start in range(0, len(price), 128):
        n = min(128, len(price) - start)
        for i in range(n):
            j = start + i
            p, f, k, t = price[j], spot[j], strike[j], tau_years[j]
            r, q, w = rate_per_year[j], yield_per_year[j], right[j]
            good = _sane(p, f, k, t, r, q, w)
            # What is not sane becomes a price beyond its bound, so that the loop below needs no test of its own.
            block[0, i] = p if good else 3.0
            block[1, i] = f if good else 1.0
            block[2, i] = k if good else 1.0
            block[3, i] = t if good else 1.0
            block[4, i] = r if good else 0.0
            block[5, i] = q if good else 0.0
            block[6, i] = w if good else 1.0
        for i in range(n, min(n + 31, 128)):
            for g in range(7):
                block[g, i] = 1.0
        _normalise(block, work, n)
        _improve(work, n)
        _improve(work, n)
        for i in range(n):
            out[start + i] = work[3, i] / math.sqrt(block[3, i]) if work[4, i] != 0.0 else np.nan
        for i in range(n):
            if work[5, i] >= 0.0 and work[4, i] != 0.0:
                out[start + i] = _finish(block, i)


@strict_kernel
def _finish(block: F64, i: int) -> float:
    # The rare lane that two steps did not settle.
    tau, drift = block[3, i], (block[4, i] - block[5, i]) * block[3, i]
    forward = block[1, i] * math.exp(drift)
    intrinsic = max(block[6, i] * (forward - block[2, i]), 0.0)
    beta = (block[0, i] * math.exp(block[4, i] * tau) - intrinsic) / math.sqrt(forward * block[2, i])
    return solve(beta, abs(math.log(block[1, i] / block[2, i]) + drift), np.nan) / math.sqrt(tau)


@strict_kernel
def implied_vol(
    price: F64, forward: F64, strike: F64, tau_years: F64, rate_per_year: F64, right: F64, out: F64
) -> None:
    """Black-76 volatility per √year of n prices into ``out`` (n,): `implied_vol_spot` with a yield equal to the rate.

    price (n,) in points, discounted; forward, strike (n,) > 0 points; the rest as there.
    """
    implied_vol_spot(price, forward, strike, tau_years, rate_per_year, rate_per_year, right, out)
