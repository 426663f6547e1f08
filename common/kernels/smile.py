"""The volatility smile of one expiry: three numbers fitted to its quotes, and its value at any strike.

In normalised log-moneyness z = ln(K/F)/θ, θ the at-the-money total volatility σ√τ, total volatility is modelled as
θ (a + b z + c (√(1 + z²) - 1)): level, skew, and wings that rise linearly as a delta-hedger's quotes do. Weighted least
squares with a small ridge on b and c (few quotes fall back to a flat line) and two rounds of Huber weights (one wrong
quote does not bend the curve). Beyond the outermost quotes z is clamped, so the wing is flat in volatility.
*Tested by* tests/unit/test_kernels_smile.py (recovers smiles, QuantLib SABR, one bad quote, one quote).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from common.kernels.jit import F64, strict_inline, strict_kernel

#: Rows of a fit: ln F, 1/θ, vol scale θ/√τ, a, b, c, lowest z, highest z, volatility at the money.
LOG_FORWARD: Final = 0
INVERSE_THETA: Final = 1
SCALE: Final = 2
A: Final = 3
B: Final = 4
C: Final = 5
Z_LOW: Final = 6
Z_HIGH: Final = 7
ATM_VOL: Final = 8
FIT_SIZE: Final = 9

#: Ridge as a share of the total weight: a slope must be supported by quotes.
_RIDGE: Final = 2e-3
#: Residuals beyond this many times the median absolute one count linearly.
_HUBER: Final = 3.0
_ROUNDS: Final = 3
_ENOUGH: Final = 6
#: Lowest value of the fitted curve, as a share of the at-the-money volatility.
_FLOOR: Final = 0.2


@strict_kernel
def _solve3(m: F64, y: F64, out: F64) -> bool:
    # Symmetric positive definite 3 by 3 by Cholesky; False if it is not.
    if not m[0, 0] > 0.0:
        return False
    l00 = math.sqrt(m[0, 0])
    l10 = m[1, 0] / l00
    l20 = m[2, 0] / l00
    d1 = m[1, 1] - l10 * l10
    if not d1 > 0.0:
        return False
    l11 = math.sqrt(d1)
    l21 = (m[2, 1] - l20 * l10) / l11
    d2 = m[2, 2] - l20 * l20 - l21 * l21
    if not d2 > 0.0:
        return False
    l22 = math.sqrt(d2)
    u0 = y[0] / l00
    u1 = (y[1] - l10 * u0) / l11
    u2 = (y[2] - l20 * u0 - l21 * u1) / l22
    out[2] = u2 / l22
    out[1] = (u1 - l21 * out[2]) / l11
    out[0] = (u0 - l10 * out[1] - l20 * out[2]) / l00
    return True


@strict_kernel
def _least_squares(z: F64, y: F64, weight: F64, out: F64) -> bool:
    m = np.zeros((3, 3))
    v = np.zeros(3)
    for i in range(len(z)):
        h = math.sqrt(1.0 + z[i] * z[i]) - 1.0
        w = weight[i]
        m[0, 0] += w
        m[1, 0] += w * z[i]
        m[2, 0] += w * h
        m[1, 1] += w * z[i] * z[i]
        m[2, 1] += w * z[i] * h
        m[2, 2] += w * h * h
        v[0] += w * y[i]
        v[1] += w * y[i] * z[i]
        v[2] += w * y[i] * h
    m[1, 1] += _RIDGE * m[0, 0]
    m[2, 2] += _RIDGE * m[0, 0]
    return _solve3(m, v, out)


@strict_kernel
def _robust_fit(z: F64, y: F64, weight: F64, beta: F64) -> bool:
    n = len(z)
    robust = weight.copy()
    residual = np.empty(n)
    for _ in range(_ROUNDS):
        if not _least_squares(z, y, robust, beta):
            return False
        if n < _ENOUGH:
            return True  # too few to tell a wrong quote from a right one
        for i in range(n):
            fitted = beta[0] + beta[1] * z[i] + beta[2] * (math.sqrt(1.0 + z[i] * z[i]) - 1.0)
            residual[i] = abs(y[i] - fitted) * math.sqrt(weight[i])
        cut = _HUBER * np.median(residual)
        bent = False
        for i in range(n):
            if residual[i] > cut and cut > 0.0:
                robust[i] = weight[i] * cut / residual[i]
                bent = True
            else:
                robust[i] = weight[i]
        if not bent:
            return True
    return True


@strict_kernel
def fit_smile(log_moneyness: F64, vol: F64, weight: F64, log_forward: float, tau_years: float, fit: F64) -> bool:
    """Fit one expiry into ``fit`` (FIT_SIZE,). False, and ``fit`` unchanged, where nothing can be fitted.

    log_moneyness (n,) = ln(K/F); vol (n,) per √year; weight (n,) >= 0, inverse variance of the vol quote; quotes with
    NaN or no weight are left out. One usable quote gives a flat smile. tau_years > 0. Never raises.
    """
    if not tau_years > 0.0:
        return False
    n = len(vol)
    z, y, w = np.empty(n), np.empty(n), np.empty(n)
    count = 0
    nearest = np.inf
    atm = np.nan
    for i in range(n):
        if vol[i] > 0.0 and weight[i] > 0.0 and abs(log_moneyness[i]) < np.inf:
            z[count] = log_moneyness[i]
            y[count] = vol[i]
            w[count] = weight[i]
            count += 1
            if abs(log_moneyness[i]) < nearest:
                nearest = abs(log_moneyness[i])
                atm = vol[i]
    if count == 0:
        return False
    theta = atm * math.sqrt(tau_years)
    z, y, w = z[:count], y[:count], w[:count]
    low, high = np.inf, -np.inf
    for i in range(count):
        z[i] /= theta
        y[i] /= atm
        low, high = min(low, z[i]), max(high, z[i])
    beta = np.empty(3)
    if not _robust_fit(z, y, w, beta):
        return False
    fit[0], fit[1], fit[2] = log_forward, 1.0 / theta, atm
    fit[3], fit[4], fit[5], fit[6], fit[7] = beta[0], beta[1], beta[2], low, high
    fit[8] = smile_vol(fit, log_forward)
    return True


@strict_inline
def smile_vol(fit: F64, log_strike: float) -> float:
    """Volatility per √year at ln K under a fit; flat beyond the quoted strikes; at least a fifth of the ATM quote."""
    z = min(max((log_strike - fit[0]) * fit[1], fit[6]), fit[7])
    shape = fit[3] + fit[4] * z + fit[5] * (math.sqrt(1.0 + z * z) - 1.0)
    return float(fit[2] * max(shape, _FLOOR))
