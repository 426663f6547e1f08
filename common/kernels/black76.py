"""Black-76 prices and Greeks of columns of European options on a forward.

With d1 = ln(F/K)/(σ√τ) + σ√τ/2, d2 = d1 - σ√τ, φ = +1 call, -1 put:  V = e^(-rτ) φ (F N(φ d1) - K N(φ d2)).
Source: Black (1976), J. Financial Economics 3, eq. 16; Greeks by differentiation. Only one exponential per option is
needed for both normals, since F n(d1) = K n(d2).
*Tested by* tests/unit/test_kernels_black76.py (QuantLib, bumps, limits), tests/properties/test_kernels_greeks.py.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from common.kernels.elementary import exp, log, mills, normal_pdf
from common.kernels.jit import F64, kernel, strict_kernel

PRICE: Final = 0
DELTA: Final = 1
GAMMA: Final = 2
VEGA: Final = 3
THETA: Final = 4
RHO: Final = 5
VANNA: Final = 6
VOLGA: Final = 7
GREEKS: Final = 8

#: Options per block: inputs and outputs of a block stay in the first-level cache.
BLOCK: Final = 128
#: Beyond this many standard deviations the normal tail is zero to double precision.
_D_MAX: Final = 37.5


@kernel
def _block(inputs: F64, out: F64, n: int) -> None:
    # inputs (6, BLOCK): forward, strike, tau, vol, rate, right; all finite, vol and tau positive. out (GREEKS, BLOCK).
    for i in range(n):
        forward, strike, tau, vol = inputs[0, i], inputs[1, i], inputs[2, i], inputs[3, i]
        rate, right = inputs[4, i], inputs[5, i]
        root_tau = math.sqrt(tau)
        s = vol * root_tau
        d = log(forward / strike) / s
        d1 = min(max(d + 0.5 * s, -_D_MAX), _D_MAX)
        d2 = min(max(d - 0.5 * s, -_D_MAX), _D_MAX)
        density = normal_pdf(d1)
        tail1 = density * mills(abs(d1))
        tail2 = normal_pdf(d2) * mills(abs(d2))
        y1, y2 = right * d1, right * d2
        n1 = tail1 if y1 < 0.0 else 1.0 - tail1
        n2 = tail2 if y2 < 0.0 else 1.0 - tail2
        discount = exp(min(max(-rate * tau, -700.0), 700.0))
        price = discount * right * (forward * n1 - strike * n2)
        price = max(price, 0.0)
        weight = discount * density
        vega = weight * forward * root_tau
        out[0, i] = price
        out[1, i] = discount * right * n1
        out[2, i] = weight / (forward * s)
        out[3, i] = vega
        out[4, i] = rate * price - 0.5 * vega * vol / tau
        out[5, i] = -tau * price
        out[6, i] = -weight * d2 / vol
        out[7, i] = vega * d1 * d2 / vol


@strict_kernel
def _limit(forward: float, strike: float, tau: float, vol: float, rate: float, right: float, out: F64, i: int) -> None:
    # What is left when there is no time or no volatility; NaN when an argument makes no sense.
    for g in range(8):
        out[g, i] = 0.0
    sane = forward > 0.0 and strike > 0.0 and vol >= 0.0 and forward < np.inf and strike < np.inf and vol < np.inf
    if not (sane and -np.inf < tau < np.inf and -np.inf < rate < np.inf and (right == 1.0 or right == -1.0)):
        for g in range(8):
            out[g, i] = np.nan
        return
    years = max(tau, 0.0)
    discount = math.exp(-rate * years)
    moneyness = right * (forward - strike)
    price = discount * max(moneyness, 0.0)
    itm = 1.0 if moneyness > 0.0 else (0.5 if moneyness == 0.0 else 0.0)
    out[0, i] = price
    out[1, i] = discount * right * itm
    if years > 0.0:
        out[4, i] = rate * price
        out[5, i] = -years * price


@strict_kernel
def black76(forward: F64, strike: F64, tau_years: F64, vol: F64, rate_per_year: F64, right: F64, out: F64) -> None:
    """Price and seven Greeks of n options into ``out`` (8, n), rows PRICE ... VOLGA, per unit of the contract.

    forward, strike (n,) > 0 in points; tau_years (n,), ACT/365; vol (n,) per √year; rate_per_year (n,), continuous;
    right (n,) +1 call, -1 put. DELTA, GAMMA by the forward; VEGA per 1.00 of vol; THETA per year at fixed forward and
    vol (what a year's passing brings: negative for long options); RHO per 1.00 of rate at fixed forward; VANNA d²V/dF
    dσ; VOLGA d²V/dσ². tau <= 0: intrinsic value, delta 0, ±1 or ±0.5 at the strike, all else 0; vol 0: the same,
    discounted. NaN, negative vol, forward or strike <= 0: NaN in every row. Never raises.
    """
    n = len(forward)
    block = np.empty((6, 128))
    result = np.empty((8, 128))
    special = np.empty(128, np.bool_)
    for start in range(0, n, 128):
        m = min(128, n - start)
        for i in range(m):
            j = start + i
            f, k, t, v, r = forward[j], strike[j], tau_years[j], vol[j], rate_per_year[j]
            regular = (f > 1e-100) & (f < 1e100) & (k > 1e-100) & (k < 1e100) & (t > 1e-14) & (t < 1e6)
            regular = regular & (v > 1e-12) & (v < 1e6) & (r > -1e3) & (r < 1e3) & (abs(right[j]) == 1.0)
            special[i] = not regular
            block[0, i] = f if regular else 1.0
            block[1, i] = k if regular else 1.0
            block[2, i] = t if regular else 1.0
            block[3, i] = v if regular else 1.0
            block[4, i] = r if regular else 0.0
            block[5, i] = right[j] if regular else 1.0
        _block(block, result, m)
        for g in range(8):
            for i in range(m):
                out[g, start + i] = result[g, i]
        for i in range(m):
            if special[i]:
                j = start + i
                _limit(forward[j], strike[j], tau_years[j], vol[j], rate_per_year[j], right[j], out, j)
