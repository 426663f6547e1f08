"""Sums over the book for the gamma kind. *Tested by* tests/unit/test_agents_gamma.py against a QuantLib portfolio."""

from __future__ import annotations

from common.kernels.jit import F64, I64, strict_kernel
from common.kernels.surface import DELTA_USD, GAMMA_USD


@strict_kernel
def underlying_exposures(lots: F64, underlying: I64, greeks: F64, out: F64) -> None:
    """Dollar delta and dollar gamma ΓF² of h positions per underlying into ``out`` (u, 2).

    lots (h,) signed; underlying (h,) rows of ``out``; greeks (h, LOT_GREEKS) per lot. A NaN Greek makes its sums NaN.
    """
    out[:] = 0.0
    for i in range(len(lots)):
        out[underlying[i], 0] += lots[i] * greeks[i, DELTA_USD]
        out[underlying[i], 1] += lots[i] * greeks[i, GAMMA_USD]
