"""What a price depends on, as columns: the one input of every valuation, whatever market it comes from.

A row is a contract or a position; models and Greek rows stand in ``common/kernels/layout.py``. ``base`` is the price
that can be traded and that delta refers to: the spot of the underlying, or the future. Everything else of the market
(curves, surfaces, dividends, clocks) has been turned into rate, yield, volatility and years before this point.
*Tested by* tests/unit/test_risk_columns.py.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from common.messages import F64, U8


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns (n,). strike, tau, vol, right are read for options only.

    base in points > 0; tau_years ACT/365 (or weighted years, if the volatility is quoted in them); vol per √year;
    rate and yield per year, continuous; right +1 call, -1 put, 0 otherwise. NaN in a needed cell gives NaN Greeks.
    """

    model: U8
    base: F64
    strike: F64
    tau_years: F64
    vol: F64
    rate_per_year: F64
    yield_per_year: F64
    right: F64

    def __post_init__(self) -> None:
        lengths = {f.name: len(getattr(self, f.name)) for f in fields(self)}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of different lengths: {lengths}")

    def __len__(self) -> int:
        return len(self.base)

    def take(self, rows: np.ndarray[tuple[int], np.dtype[np.intp]]) -> Columns:
        """The given rows, in that order."""
        return Columns(*(getattr(self, f.name)[rows] for f in fields(self)))
