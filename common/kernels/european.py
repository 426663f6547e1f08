"""European options on a spot with a continuous yield: price and eight Greeks of columns or blocks.

With forward F = S e^((r-q)τ), d1 = ln(F/K)/(σ√τ) + σ√τ/2, d2 = d1 - σ√τ, φ = +1 call, -1 put:
V = φ (S e^(-qτ) N(φ d1) - K e^(-rτ) N(φ d2)). Source: Merton (1973), Bell Journal 4, eq. 38; Greeks by differentiation.
One density serves both tails, since m = S e^(-qτ) n(d1) = K e^(-rτ) n(d2), and one division both Mills ratios.
`price_columns` is also what Black-76 (yield = rate) and coin-settled options stand on.

*Accuracy.* Every Greek to 1e-12 of its scale; an out-of-the-money price or delta, however small, to a relative
3e-15 (1 + |d1|/s) + 4e-16 (|d1| + s)² with s = σ√τ (rounding of d1, and in the exponent): 1e-12 for a week, 20 % and five
deviations.
*Limits.* At or past expiry: intrinsic value, delta 0, ±1 or ±½ at the strike, everything else 0. Without volatility: the
limit from above (discounted intrinsic value of the forward; at the forward itself vega and vanna do not vanish), except
gamma at the forward, a point mass, given as 0. τ up to 1e-12 years (30 µs) counts as expired, volatility up to 1e-10 as none.
*NaN.* NaN or infinity, a spot or strike outside 1e-90 ... 1e90, volatility below 0 or above 1e4, τ above 1e4 years,
|rate τ| or |yield τ| above 600, or a right other than ±1 gives NaN in every row of that column. Nothing raises.
*Tested by* tests/unit/test_european_kernel.py, tests/golden/test_european_quantlib.py,
tests/properties/test_european_identities.py.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from common.kernels.elementary import exp, log_ratio, mills_denominator, mills_numerator
from common.kernels.jit import F64, kernel, strict_inline, strict_kernel

#: Options per block of the blocked layout: 15 rows of 256 numbers stay in the first-level cache.
BLOCK: Final = 256
#: Rows of an input block: spot, strike, tau_years, vol, rate_per_year, yield_per_year, right.
FIELDS: Final = 7
#: Options that columns are worked through at a time. Kernels repeat it as a number, which LLVM unrolls by.
LANES: Final = 128

_INV_SQRT_2PI: Final = 0.3989422804014327
#: Beyond this many standard deviations the normal tail is zero to double precision.
_D_MAX: Final = 40.0
_NO_TIME: Final = 1e-12
_NO_VOL: Final = 1e-10


@strict_inline
def _in_domain(
    spot: float, strike: float, tau: float, vol: float, rate: float, carry: float, right: float, least: float
) -> bool:
    # least: 1 for what the closed form can do, 0 to let no time and no volatility pass.
    good = (spot > 1e-90) & (spot < 1e90) & (strike > 1e-90) & (strike < 1e90) & (abs(right) == 1.0)
    good = good & (vol >= _NO_VOL * least) & (vol <= 1e4) & (tau <= 1e4)
    good = good & (tau >= _NO_TIME * least)
    return bool(good & (abs(rate * tau) <= 600.0) & (abs(carry * tau) <= 600.0))


@strict_kernel
def _prepare(inputs: F64, out: F64, n: int) -> int:
    # inputs (FIELDS, lanes), the first n lanes rounded up to 32 -> rows 0 ... 3 of out: d1, m, √τ, 1/s; how many of those
    # lanes are outside the domain of the closed form (their rows are rubbish). Only whole vectors, never the scalar
    # rest of a loop, so that an option gets the same bits wherever it stands.
    odd = 0
    for i in range((n + 31) & -32):
        spot, strike, tau, vol = inputs[0, i], inputs[1, i], inputs[2, i], inputs[3, i]
        rate, carry, right = inputs[4, i], inputs[5, i], inputs[6, i]
        odd += 0 if _in_domain(spot, strike, tau, vol, rate, carry, right, 1.0) else 1
        root_tau = math.sqrt(tau)
        s = vol * root_tau
        per_s = 1.0 / s
        rate_tau = rate * tau
        d1 = (log_ratio(spot, strike) + (rate - carry) * tau) * per_s + 0.5 * s
        d2 = d1 - s
        exponent = -rate_tau - 0.5 * d2 * d2
        m = strike * _INV_SQRT_2PI * exp(max(exponent, -700.0))
        out[0, i] = d1
        out[1, i] = m if exponent > -700.0 else 0.0
        out[2, i] = root_tau
        out[3, i] = per_s
    return odd


@kernel
def _greeks(inputs: F64, out: F64, n: int) -> None:
    # The rows of `_prepare` -> eight Greeks, in place. Two loops, since one longer chain keeps fewer options in flight.
    for i in range((n + 31) & -32):
        d1, m, root_tau, per_s = out[0, i], out[1, i], out[2, i], out[3, i]
        spot, strike, tau, vol = inputs[0, i], inputs[1, i], inputs[2, i], inputs[3, i]
        rate, carry, right = inputs[4, i], inputs[5, i], inputs[6, i]
        d2 = d1 - vol * root_tau
        x1, x2 = min(abs(d1), _D_MAX), min(abs(d2), _D_MAX)
        below1, below2 = mills_denominator(x1), mills_denominator(x2)
        both = m / (below1 * below2)
        tail1 = mills_numerator(x1) * below2 * both
        tail2 = mills_numerator(x2) * below1 * both
        asset = spot * exp(-carry * tau)
        cash = strike * exp(-rate * tau)
        asset = right * (tail1 if right * d1 < 0.0 else asset - tail1)
        cash = right * (tail2 if right * d2 < 0.0 else cash - tail2)
        per_spot = 1.0 / spot
        steep = m * per_s
        bend = steep * root_tau * d2
        out[0, i] = max(asset - cash, 0.0)
        out[1, i] = asset * per_spot
        out[2, i] = steep * per_spot * per_spot
        out[3, i] = m * root_tau
        out[4, i] = carry * asset - rate * cash - 0.5 * steep * vol * vol
        out[5, i] = tau * cash
        out[6, i] = -bend * per_spot
        out[7, i] = bend * root_tau * d1


@strict_kernel
def _limit(
    spot: float, strike: float, tau: float, vol: float, rate: float, carry: float, right: float, out: F64, i: int
) -> None:
    # Lane i of out (8, lanes): what is left without time or volatility; NaN where an argument makes no sense.
    for g in range(8):
        out[g, i] = 0.0
    years = tau if tau >= _NO_TIME else (0.0 if tau > -np.inf else np.nan)
    if not _in_domain(spot, strike, years, vol, rate, carry, right, 0.0):
        for g in range(8):
            out[g, i] = np.nan
        return
    asset, cash = spot * math.exp(-carry * years), strike * math.exp(-rate * years)
    moneyness = right * (asset - cash)
    exercised = 1.0 if moneyness > 0.0 else (0.5 if moneyness == 0.0 else 0.0)
    out[0, i] = max(moneyness, 0.0)
    out[1, i] = right * exercised * (asset / spot)
    if years > 0.0:
        out[4, i] = right * exercised * (carry * asset - rate * cash)
        out[5, i] = right * exercised * years * cash
        if moneyness == 0.0:
            out[3, i] = asset * math.sqrt(years) * _INV_SQRT_2PI
            out[6, i] = 0.5 * out[3, i] / spot


@strict_kernel
def charm_row(inputs: F64, out: F64, n: int) -> None:
    """CHARM of the first n lanes of out (9, lanes) from its rows DELTA, GAMMA and VANNA; inputs (FIELDS, lanes) as given.

    q Δ - (r - q) S Γ - σ vanna/(2τ): the time derivative of delta at fixed spot; 0 at expiry, NaN where delta is.
    """
    for i in range(n):
        tau, rate, carry = inputs[2, i], inputs[4, i], inputs[5, i]
        drift = carry * out[1, i] - (rate - carry) * inputs[0, i] * out[2, i]
        change = drift - 0.5 * inputs[3, i] * out[6, i] / max(tau, _NO_TIME)
        out[8, i] = change if tau >= _NO_TIME else 0.0 * out[1, i]


@strict_kernel
def _price_block(inputs: F64, safe: F64, out: F64, n: int) -> None:
    # The first n lanes of inputs (FIELDS, lanes) -> out (8 or 9, lanes); lanes up to the next multiple of 32 exist and are
    # of no interest. safe (FIELDS, lanes) is scratch.
    if _prepare(inputs, out, n) == 0:
        _greeks(inputs, out, n)
        return
    for i in range((n + 31) & -32):
        s, k, t, v = inputs[0, i], inputs[1, i], inputs[2, i], inputs[3, i]
        good = _in_domain(s, k, t, v, inputs[4, i], inputs[5, i], inputs[6, i], 1.0)
        for g in range(7):
            safe[g, i] = inputs[g, i] if good else (0.0 if g == 4 or g == 5 else 1.0)
    _prepare(safe, out, n)
    _greeks(safe, out, n)
    for i in range(n):
        s, k, t, v = inputs[0, i], inputs[1, i], inputs[2, i], inputs[3, i]
        r, q, w = inputs[4, i], inputs[5, i], inputs[6, i]
        if not _in_domain(s, k, t, v, r, q, w, 1.0):
            _limit(s, k, t, v, r, q, w, out, i)


@strict_kernel
def price_columns(
    spot: F64,
    strike: F64,
    tau: F64,
    vol: F64,
    rate: F64,
    carry: F64,
    right: F64,
    start: int,
    block: F64,
    safe: F64,
    result: F64,
) -> int:
    """Eight Greeks of the options from row ``start`` on, at most LANES of them, into ``result`` (9, LANES); how many.

    Columns as in `european`; afterwards the lanes of ``block`` (FIELDS, LANES) hold them; ``safe``, alike, is scratch. For
    the kernels of other models, which add what is theirs.
    """
    n = min(128, len(spot) - start)
    for i in range(n):
        j = start + i
        block[0, i], block[1, i], block[2, i], block[3, i] = spot[j], strike[j], tau[j], vol[j]
        block[4, i], block[5, i], block[6, i] = rate[j], carry[j], right[j]
    for i in range(n, min(n + 31, 128)):
        for g in range(7):
            block[g, i] = 1.0
    _price_block(block, safe, result, n)
    return n


@strict_kernel
def european(
    spot: F64, strike: F64, tau_years: F64, vol: F64, rate_per_year: F64, yield_per_year: F64, right: F64, out: F64
) -> None:
    """Greeks of n options into ``out``: (8, n) rows PRICE ... VOLGA of ``layout``, or (9, n) with CHARM.

    spot, strike (n,) > 0 in points; tau_years (n,) ACT/365; vol (n,) per √year; rate_per_year, yield_per_year (n,)
    continuous; right (n,) +1 call, -1 put: contiguous float64. Units and signs as in ``layout``, per unit of the
    contract. Limits, NaN policy and accuracy: see the module.
    """
    block, safe, result = np.empty((7, 128)), np.empty((7, 128)), np.empty((9, 128))
    for start in range(0, len(spot), 128):
        n = price_columns(
            spot, strike, tau_years, vol, rate_per_year, yield_per_year, right, start, block, safe, result
        )
        if out.shape[0] > 8:
            charm_row(block, result, n)
        for g in range(out.shape[0]):
            for i in range(n):
                out[g, start + i] = result[g, i]


@strict_kernel
def european_blocks(inputs: F64, out: F64) -> None:
    """`european` of a book kept in blocks: inputs (b, FIELDS, BLOCK) -> out (b, 8 or 9, BLOCK), both contiguous.

    Rows of ``inputs`` in the order of the arguments of `european`. Fill an incomplete last block with any option. No
    copy is made, so this is the fastest way through a large book: about 1.2 times the arithmetic alone.
    """
    safe = np.empty((7, 256))
    for b in range(inputs.shape[0]):
        block, greeks = inputs[b], out[b]
        _price_block(block, safe, greeks, 256)
        if out.shape[1] > 8:
            charm_row(block, greeks, 256)
