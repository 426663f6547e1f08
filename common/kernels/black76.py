"""European options on a forward or future (Black-76): price and eight Greeks of columns.

V = e^(-rτ) φ (F N(φ d1) - K N(φ d2)): the Black-Scholes-Merton formula with a yield equal to the rate, computed by
`european.price_columns`; only rho differs, since the forward, not a spot, is held. Source: Black (1976), J. Financial
Economics 3, eq. 16. Accuracy, limits and NaN policy: ``european.py``.
*Tested by* tests/unit/test_kernels_black76.py (QuantLib, bumps, limits), tests/unit/test_european_black76.py,
tests/properties/test_kernels_greeks.py.
"""

from __future__ import annotations

import numpy as np

from common.kernels.european import charm_row, price_columns
from common.kernels.jit import F64, strict_kernel


@strict_kernel
def black76(forward: F64, strike: F64, tau_years: F64, vol: F64, rate_per_year: F64, right: F64, out: F64) -> None:
    """Greeks of n options into ``out``: (8, n) rows PRICE ... VOLGA of ``layout``, or (9, n) with CHARM.

    forward, strike (n,) > 0 in points; tau_years (n,), ACT/365; vol (n,) per √year; rate_per_year (n,), continuous;
    right (n,) +1 call, -1 put: contiguous float64. DELTA, GAMMA by the forward; THETA per year at fixed forward and vol;
    RHO per 1.00 of rate at fixed forward: -τ V. Never raises; limits and NaN as in ``european.py``.
    """
    block, safe, result = np.empty((7, 128)), np.empty((7, 128)), np.empty((9, 128))
    for start in range(0, len(forward), 128):
        n = price_columns(
            forward, strike, tau_years, vol, rate_per_year, rate_per_year, right, start, block, safe, result
        )
        for i in range(n):
            result[5, i] = -max(block[2, i], 0.0) * result[0, i]
        if out.shape[0] > 8:
            charm_row(block, result, n)
        for g in range(out.shape[0]):
            for i in range(n):
                out[g, start + i] = result[g, i]
