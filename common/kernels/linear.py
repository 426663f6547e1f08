"""Spot and futures quoted in money: what moves one for one with its base.

*Tested by* tests/unit/test_european_linear.py.
"""

from __future__ import annotations

import numpy as np

from common.kernels.jit import F64, strict_kernel


@strict_kernel
def linear(base: F64, out: F64) -> None:
    """Greeks of n units of a spot or future into ``out`` (8 or 9, n), rows of ``layout``: PRICE base, DELTA 1, the rest 0.

    base (n,) points, any sign (a spread or an oil future may be negative). Of a future only changes of PRICE are money.
    NaN or infinity gives NaN in every row. Never raises.
    """
    for i in range(len(base)):
        good = abs(base[i]) < np.inf
        for g in range(out.shape[0]):
            out[g, i] = 0.0 if good else np.nan
        out[0, i] = base[i] if good else np.nan
        out[1, i] = 1.0 if good else np.nan
