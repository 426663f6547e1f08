"""European option values on a forward (Black 1976), for making the modelled quotes.

Kept apart from ``common/kernels`` on purpose: the market that the agents see is not priced with the agents' own code.
*Tested by* tests/golden/test_market_black76.py (QuantLib).
"""

from __future__ import annotations

import math

import numba
import numpy as np

from common.messages import F64


@numba.njit(cache=True, nogil=True)
def _cdf(x: float) -> float:
    return 0.5 * math.erfc(-x * math.sqrt(0.5))


@numba.njit(cache=True, nogil=True)
def price_grid(forward: F64, strike: F64, right: F64, total_variance: F64, discount: F64, out: F64) -> None:
    """Fill ``out`` (s, n) with values in points of n options at s instants.

    forward, total_variance (σ²T), discount (s, n); strike (n,); right (n,) +1 call, -1 put. Zero variance gives the
    discounted intrinsic value. No NaN comes in; none goes out.
    """
    steps, n = forward.shape
    for s in range(steps):
        for j in range(n):
            f, k, w = forward[s, j], strike[j], right[j]
            deviation = math.sqrt(total_variance[s, j])
            if deviation <= 0.0:
                out[s, j] = discount[s, j] * max(w * (f - k), 0.0)
                continue
            d1 = math.log(f / k) / deviation + 0.5 * deviation
            d2 = d1 - deviation
            out[s, j] = discount[s, j] * w * (f * _cdf(w * d1) - k * _cdf(w * d2))


def values(forward: F64, strike: F64, right: F64, total_variance: F64, discount: F64) -> F64:
    """Values (s, n) in points; arguments as `price_grid`, of shapes that broadcast to (s, n) and (n,)."""
    shape = np.broadcast_shapes(np.shape(forward), np.shape(total_variance), np.shape(discount), (1, len(strike)))
    full = [np.ascontiguousarray(np.broadcast_to(x, shape), np.float64) for x in (forward, total_variance, discount)]
    out = np.empty(shape)
    price_grid(full[0], np.asarray(strike, np.float64), np.asarray(right, np.float64), full[1], full[2], out)
    return out
