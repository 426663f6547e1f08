"""Delta-gamma ticks, for a book that prefers speed to the last cent: only inside a bound that is proved, else not at all.

Around a full valuation the error of the expansion is bounded for every price of a band (``common/kernels/book_taylor.py``).
A tick inside the band whose bounds all lie within the tolerances is taken by expansion; any other is valued in full and
becomes the next centre. American options have no such bound here: an underlying that holds them is always valued in full.
*Tested by* tests/unit/test_book_risk_taylor.py, tests/properties/test_book_risk_taylor.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from common.kernels.book import TICK_GREEKS
from common.kernels.book_taylor import SLOPES, bound, expand
from common.messages import F64
from common.risk.book_layout import Store
from common.risk.buckets import CELLS


@dataclass(frozen=True, slots=True)
class Taylor:
    """Tolerances per underlying, in the units of the totals; ``span`` > 0: half width of the band in ln(price)."""

    span: float
    value_usd: float
    delta_usd: float
    gamma_usd_per_pct: float
    vega_usd_per_point: float

    def __post_init__(self) -> None:
        if not 0.0 < self.span <= 0.5:
            raise ValueError(f"span {self.span} is outside (0, 0.5]")

    def allows(self, error: F64) -> bool:
        """Whether bounds (4,) are within the tolerances; NaN is not."""
        limits = (self.value_usd, self.delta_usd, self.gamma_usd_per_pct, self.vega_usd_per_point)
        return all(e <= limit for e, limit in zip(error.tolist(), limits, strict=True))


class Expansion:
    """A full valuation at ``price`` with its totals (CELLS, >= 4, USD) and the bounds around it."""

    __slots__ = ("anchor", "bounds", "error", "price", "span")

    def __init__(self, store: Store, price: float, totals: F64, span: float) -> None:
        self.price = price
        self.span = span
        self.anchor = totals[:, :TICK_GREEKS].copy()
        self.bounds = np.empty((CELLS, SLOPES))
        self.error = np.zeros(TICK_GREEKS)
        bound(store.prepared, store.weight, price, span, store.first, self.bounds)

    def reaches(self, price: float) -> bool:
        """Whether the bounds hold at ``price``."""
        return abs(math.log(price / self.price)) <= self.span

    def expand_to(self, price: float, totals: F64) -> F64:
        """Write the tick Greeks of ``totals`` (CELLS, >= 4) at ``price``; the bounds (4,) of the errors of their sums."""
        expand(self.anchor, self.bounds, self.price, price, totals, self.error)
        return self.error
