"""States of the world for the division by the tail: P&L over one day of one unit of each factor, seeded, in plain numbers.

Returns are drawn jointly normal; a delta earns its return, a gamma ½ · 100 (R² - σ²), the common factor the mean return
and the deltas beside it the rest (betas of one); vegas move by their own covariance, apart from returns. So the tail of a
short gamma is fatter than its standard deviation says, which is what the division by expected shortfall is for.
*Tested by* tests/unit/test_budgets_division.py.
"""

from __future__ import annotations

import numpy as np

from common.messages import F64, I64

_ONE_PER_CENT = 100.0


def pnl_states(head: tuple[str, ...], underlying: I64, covariance: F64, returns: F64, states: int, seed: int) -> F64:
    """P&L (states, f) USD of one unit of each factor.

    head (f,): "delta", "gamma", "vega", "factor" or "proxy"; underlying (f,) rows of ``returns``, (u, u) covariance of
    daily returns; covariance (f, f) of the factors' P&L over a day, of which the vegas' block is read.
    """
    rng = np.random.default_rng(seed)
    r = rng.standard_normal((states, len(returns))) @ np.linalg.cholesky(returns).T
    kind = np.array(head)
    out = np.empty((states, len(kind)))
    mean = r.mean(axis=1)
    common = bool((kind == "factor").any())
    out[:, kind == "factor"] = mean[:, None]
    for at in np.flatnonzero(np.isin(kind, ("delta", "proxy"))):
        own = r[:, underlying[at]]
        out[:, at] = own - mean if common and kind[at] == "delta" else own
    for at in np.flatnonzero(kind == "gamma"):
        own = r[:, underlying[at]]
        out[:, at] = 0.5 * _ONE_PER_CENT * (own**2 - returns[underlying[at], underlying[at]])
    vega = np.flatnonzero(kind == "vega")
    if len(vega):
        block = covariance[np.ix_(vega, vega)]
        out[:, vega] = rng.standard_normal((states, len(vega))) @ np.linalg.cholesky(block).T
    return out
