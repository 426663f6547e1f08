"""All curves of one moment under one roof: the rate and yield columns of a valuation.

*Tested by* tests/unit/test_curves_files.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from common.errors import Refused
from common.messages import F64, I64
from common.risk.curves import DiscountCurve, DividendYieldCurve, FxRates, OnStale, Sourced, read
from common.risk.dividends import DividendSchedule


@dataclass(frozen=True, eq=False)
class MarketCurves:
    """Discount by currency; yield curve or dividend schedule by underlying, never both; exchange rates.

    Read from text by ``common/risk/curve_files.py``.
    """

    discount: Mapping[str, DiscountCurve]
    dividend_yield: Mapping[str, DividendYieldCurve]
    fx: FxRates
    dividends: Mapping[str, DividendSchedule] = field(default_factory=dict)

    def __post_init__(self) -> None:
        both = sorted(set(self.dividend_yield) & set(self.dividends))
        if both:
            raise ValueError(f"a yield curve and a dividend schedule for {', '.join(both)}: give one of them")

    def rate_and_yield(
        self, currency: str, underlying: str, spot: float, now_ns: int, expiry_ns: I64, on_stale: OnStale = "raise"
    ) -> tuple[F64, F64]:
        """Continuous rate and yield per year to each expiry (n,). Raises ``Refused`` if one is missing or stale.

        ``spot`` (points) counts only where dividends are discrete. What has expired gets the rates of this moment, which
        nothing reads.
        """
        until = np.maximum(expiry_ns, now_ns)
        discount = read(_held(self.discount, currency, "discount curve"), now_ns, on_stale).item
        if underlying in self.dividends:
            schedule = read(self.dividends[underlying], now_ns, on_stale).item
            earned = schedule.equivalent_yield(spot, now_ns, until, discount)
        else:
            curve = read(_held(self.dividend_yield, underlying, "dividend yield or schedule"), now_ns, on_stale).item
            earned = curve.rate(now_ns, until)
        return discount.rate(now_ns, until), earned

    def stale(self, now_ns: int) -> tuple[str, ...]:
        """Names of everything older than it may be, for the screen."""
        curves: tuple[Sourced, ...] = (*self.discount.values(), *self.dividend_yield.values())
        items: tuple[Sourced, ...] = (*curves, *self.dividends.values(), *self.fx.quotes)
        return tuple(f"{i.name} of {i.provenance.source}" for i in items if i.provenance.is_stale(now_ns))


ItemT = TypeVar("ItemT")


def _held(items: Mapping[str, ItemT], name: str, what: str) -> ItemT:
    if name not in items:
        raise Refused(f"no {what} for {name}; known: {', '.join(sorted(items)) or 'none'}")
    return items[name]
