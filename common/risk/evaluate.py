"""Greeks of any columns, whatever mix of models: the one door from a row to its price.

*Tested by* tests/unit/test_book_risk_evaluate.py.
"""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from common.kernels import layout
from common.kernels.american import american
from common.kernels.black76 import black76
from common.kernels.european import european
from common.kernels.inverse import inverse, inverse_future
from common.kernels.linear import linear
from common.messages import F64
from common.risk.columns import Columns


def evaluate(columns: Columns) -> F64:
    """Greeks (GREEKS, n) of n rows, by ``base``, per unit, year and 1.00 of volatility or rate: ``layout`` has the rows.

    Rows of `layout.INVERSE` and `layout.INVERSE_FUTURE` are in the coin. A number that a row's model needs and that is
    NaN or senseless gives NaN in every row of that column, as does an unknown model. Never raises for values.
    """
    n = len(columns)
    # One compiled form of each kernel serves every caller: contiguous, writable float64.
    tidy = [np.require(getattr(columns, f.name), np.float64, ["C", "W"]) for f in fields(Columns)[1:]]
    columns = Columns(columns.model, *tidy)
    models = np.unique(columns.model)
    if len(models) == 1:
        out = np.empty((layout.GREEKS, n))
        _evaluate_model(int(models[0]), columns, out)
        return out
    out = np.full((layout.GREEKS, n), np.nan)
    for model in models:
        rows = np.flatnonzero(columns.model == model)
        part = np.empty((layout.GREEKS, len(rows)))
        _evaluate_model(int(model), columns.take(rows), part)
        out[:, rows] = part
    return out


def _evaluate_model(model: int, c: Columns, out: F64) -> None:
    if model in (layout.SPOT, layout.FUTURE):
        linear(c.base, out)
    elif model == layout.EUROPEAN:
        european(c.base, c.strike, c.tau_years, c.vol, c.rate_per_year, c.yield_per_year, c.right, out)
    elif model == layout.BLACK76:
        black76(c.base, c.strike, c.tau_years, c.vol, c.rate_per_year, c.right, out)
    elif model == layout.AMERICAN:
        american(c.base, c.strike, c.tau_years, c.vol, c.rate_per_year, c.yield_per_year, c.right, out)
    elif model == layout.AMERICAN_FUTURE:
        american(c.base, c.strike, c.tau_years, c.vol, c.rate_per_year, c.rate_per_year, c.right, out)
    elif model == layout.INVERSE:
        inverse(c.base, c.strike, c.tau_years, c.vol, c.rate_per_year, c.right, out)
    elif model == layout.INVERSE_FUTURE:
        inverse_future(c.base, out)
    else:
        out[:] = np.nan
