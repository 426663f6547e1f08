"""What of a position's price does not depend on the underlying's price, block by block.

Prepared again when a volatility, a rate or the clock moves, and only for the blocks that this touches.
*Tested by* tests/unit/test_book_risk_kernels.py, tests/properties/test_book_risk_events.py.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.kernels.jit import F64, I32, I64, U8, exact_kernel, strict_kernel
from common.kernels.layout import BLACK76, EUROPEAN, FUTURE, INVERSE, SPOT

I8 = NDArray[np.int8]

#: Rows of the terms of an expiry, (TERMS, e).
TAU: Final = 0  # years
RATE: Final = 1  # per year
YIELD: Final = 2  # per year, of the spot
RATIO: Final = 3  # price of that expiry's future or forward over the underlying's price
TERMS: Final = 4

#: Time and volatility that count as none, and the domain of options: as in ``european.py``.
_NO_TIME: Final = 1e-12
_NO_VOL: Final = 1e-10
_GROWTH_MAX: Final = 600.0
_STRIKE_MAX: Final = 1e90
_VOL_MAX: Final = 1e4
_TAU_MAX: Final = 1e4
#: Stands for 1/s when s is 0: d is 0 at the strike and beyond every clamp elsewhere.
_STEEP: Final = 1e30
#: d1 of what is exercised for certain: futures and spot.
_CERTAIN: Final = 80.0


@strict_kernel
def _carry(terms: F64, carry: F64) -> None:
    # Per expiry: discount, growth and shift by the spot's yield, and of a forward; √τ. Scalar: the same bits each time.
    for e in range(terms.shape[1]):
        tau, rate, income, ratio = terms[0, e], terms[1, e], terms[2, e], terms[3, e]
        years = 0.0 if tau < _NO_TIME else (tau if tau <= _TAU_MAX else np.nan)  # NaN stays
        discount = math.exp(-rate * years) if abs(rate * years) <= _GROWTH_MAX else np.nan
        carry[0, e] = discount
        carry[1, e] = math.exp(-income * years) if abs(income * years) <= _GROWTH_MAX else np.nan
        carry[2, e] = (rate - income) * years
        carry[3, e] = ratio * discount
        carry[4, e] = math.log(ratio) if ratio > 0.0 else np.nan
        carry[5, e] = math.sqrt(years)


@strict_kernel
def _prepare_block(
    model: U8, expiry: I32, right: I8, strike: F64, vol: F64, terms: F64, carry: F64, out: F64, priced: U8
) -> None:
    for i in range(256):
        e, m = expiry[i], model[i]
        linear = m in (SPOT, FUTURE)
        forward = m in (BLACK76, INVERSE)
        growth = carry[3, e] if forward else carry[1, e]
        if linear:
            growth = 1.0 if m == SPOT else terms[3, e]
        sane = growth > 0.0 and growth < np.inf
        if not linear:
            sane = sane and 0.0 <= vol[i] <= _VOL_MAX and carry[0, e] > 0.0 and carry[5, e] >= 0.0
            sane = sane and 1.0 / _STRIKE_MAX < strike[i] < _STRIKE_MAX and abs(right[i]) == 1
            sane = sane and (forward or m == EUROPEAN)
        option = sane and not linear
        root_tau = carry[5, e] if option else 0.0
        s = vol[i] * root_tau if option else 0.0
        alive = option and root_tau > 0.0 and vol[i] >= _NO_VOL
        out[0, i] = math.log(strike[i]) - (carry[4, e] if forward else carry[2, e]) if option else 0.0
        out[1, i] = 1.0 / s if alive else (_STEEP if option else 0.0)
        out[2, i] = s if alive else (0.0 if option else _CERTAIN)
        out[3, i] = growth if sane else 0.0
        out[4, i] = strike[i] * carry[0, e] if option else 0.0
        out[5, i] = float(right[i]) if option else 1.0
        out[6, i] = root_tau
        out[7, i] = 1.0 / s if alive else 0.0
        priced[i] = 1 if sane else 0


@strict_kernel
def prepare(
    blocks: I64,
    model: U8,
    expiry: I32,
    right: I8,
    strike: F64,
    vol: F64,
    terms: F64,
    prepared: F64,
    priced: U8,
) -> None:
    """Prepared fields (b, PREPARED, LANES) of the given blocks; columns (b, LANES), terms (TERMS, e).

    ``expiry`` points into ``terms``. A lane that cannot be priced (NaN or senseless input, a model of another kind) gets
    growth 0 and ``priced`` (b, LANES) 0. Limits and domain as ``european.py`` has them.
    """
    carry = np.empty((6, terms.shape[1]))
    _carry(terms, carry)
    for j in range(len(blocks)):
        b = blocks[j]
        _prepare_block(model[b], expiry[b], right[b], strike[b], vol[b], terms, carry, prepared[b], priced[b])


@exact_kernel
def weigh(blocks: I64, lots: I64, multiplier: F64, fx_usd: float, priced: U8, weight: F64, hole: F64) -> None:
    """Weights lots × multiplier × FX (b, LANES) of the given blocks; 0 and a NaN ``hole`` (b, GROUPS) where unpriced.

    priced (b, LANES) 1 or 0. An unpriced lane without lots leaves no hole.
    """
    for j in range(len(blocks)):
        b = blocks[j]
        for g in range(16):
            hole[b, g] = 0.0
        for i in range(256):
            usd = float(lots[b, i]) * multiplier[b, i] * fx_usd
            if priced[b, i] == 1 and -np.inf < usd < np.inf:
                weight[b, i] = usd
            else:
                weight[b, i] = 0.0
                if lots[b, i] != 0:
                    hole[b, i & 15] = np.nan
