"""How far a delta-gamma expansion of a book may be off: bounds that hold for every price of a band, not estimates.

For d = d1 over a band of prices, with n(d) at the smallest |d| and (1 + |d|/s) at the largest, a position's gamma moves by
at most |w| g n (1 + |d|/s) / (s U²) per unit of price and its vega by at most |w| g √τ n (1 + |d|/s), since
d³V/dU³ = -Γ (1 + d1/s) / U and d²V/dU dσ = g √τ n(d1) (1 - d1/s). Summed over a cell they bound the remainders of Taylor's
theorem: value B |h|³/6, delta B h²/2, gamma B |h|, vega C |h|.
*Tested by* tests/unit/test_book_risk_taylor.py, tests/properties/test_book_risk_taylor.py.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from common.kernels.elementary import normal_pdf
from common.kernels.jit import F64, I64, exact_kernel, kernel

#: Rows of the bounds.
GAMMA_SLOPE: Final = 0  # B: |d gamma / dU|
VEGA_SLOPE: Final = 1  # C: |d vega / dU|
SLOPES: Final = 2

#: From this 1/s on a position has a kink at its strike (expired, or without volatility).
_KINKED: Final = 1e20
#: Room for the rounding of the bounds themselves.
_ROUNDING: Final = 1.0 + 1e-9


@kernel
def _bound_block(prepared: F64, weight: F64, price: float, span: float, out: F64) -> None:
    log_price = math.log(price)
    least_price = price * math.exp(-span)
    for i in range(256):
        x = log_price - prepared[0, i]
        steepness = prepared[1, i]
        middle = abs(x * steepness + 0.5 * prepared[2, i])
        width = span * steepness
        nearest = max(middle - width, 0.0)
        slope = normal_pdf(min(nearest, 37.5)) * (1.0 + (middle + width) * steepness)
        slope = slope * abs(weight[i]) * prepared[3, i] * _ROUNDING
        kink = steepness > _KINKED and abs(x) <= span and weight[i] != 0.0
        # 1e300 stands for "no bound": the sums of a block stay finite numbers.
        out[0, i] = 1e300 if kink else slope * prepared[7, i] / (least_price * least_price)
        out[1, i] = 1e300 if kink else slope * prepared[6, i]


@exact_kernel
def bound(prepared: F64, weight: F64, price: float, span: float, first: I64, out: F64) -> None:
    """Bounds ``out`` (cells, SLOPES), in USD, over prices within a factor exp(±span) of ``price``; inf: no bound.

    prepared (b, PREPARED, LANES), weight (b, LANES), first (cells + 1,) as in ``book.tick``.
    """
    block = np.empty((2, 256))
    out[:] = 0.0
    groups = first[len(first) - 1]
    c = 0
    for b in range(len(prepared)):
        _bound_block(prepared[b], weight[b], price, span, block)
        for g in range(16):
            q = b * 16 + g
            if q >= groups:
                break
            while q >= first[c + 1]:
                c += 1
            for r in range(2):
                for depth in range(16):
                    out[c, r] += block[r, depth * 16 + g]
    for c in range(len(out)):
        for r in range(2):
            if not out[c, r] < 1e290:
                out[c, r] = np.inf


@exact_kernel
def expand(anchor: F64, bounds: F64, from_price: float, to_price: float, totals: F64, error: F64) -> None:
    """Delta-gamma totals (cells, >= 4) at ``to_price`` from ``anchor`` (cells, >= 4) at ``from_price``, USD as `settle`.

    Value by delta and gamma, delta by gamma, gamma and vega per point as they stood. ``error`` (4,): bounds of the sums'
    errors, USD, in the units of the totals.
    """
    h = to_price - from_price
    for g in range(4):
        error[g] = 0.0
    for c in range(len(anchor)):
        delta = anchor[c, 1] / from_price
        gamma = anchor[c, 2] / (0.01 * from_price * from_price)
        totals[c, 0] = anchor[c, 0] + h * (delta + 0.5 * gamma * h)
        totals[c, 1] = to_price * (delta + gamma * h)
        totals[c, 2] = 0.01 * to_price * to_price * gamma
        totals[c, 3] = anchor[c, 3]
        away = abs(h)
        error[0] += bounds[c, 0] * away * away * away / 6.0
        error[1] += bounds[c, 0] * away * away * 0.5 * to_price
        error[2] += bounds[c, 0] * away * 0.01 * to_price * to_price
        error[3] += bounds[c, 1] * away * 0.01
