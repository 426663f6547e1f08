"""Discrete dividends: the schedule of one underlying, and what it does to spots, forwards and yields.

With cash dividends D_i and proportional ones d_i whose ex-instants lie in ``(now, T]``, the *prepaid forward*, the value
today of one share delivered at T, is built in order of the ex-dates: start at the spot, take off the present value of
each cash dividend, multiply by ``1 - d`` for each proportional one. Then ``F = prepaid / P(T)``; without proportional
dividends the prepaid forward is ``S - PV(D)``, the escrowed model's spot (Hull, Options, Futures, and Other Derivatives,
"European options on dividend-paying stocks").

*European.* The escrowed spot with yield 0, or the spot with the *equivalent yield* ``q = ln(S / prepaid) / T``: the same
forward, hence the same price. What is approximate is only which volatility is meant, that of the prepaid forward.

*American.* Use the spot with the equivalent yield. Putting the escrowed spot into an engine that compares it with the
strike pays K - (S - PV) on an early exercised put, more than there is, and finds no reason to exercise a call before an
ex-date: up to 2.7 % of the spot wrong where dividends are 8 % a year, against a finite-difference engine with jumps.
The equivalent yield spreads the dividends over the life; against the escrowed model solved by finite differences it is
within 0.1 % of the spot where dividends are 2 % a year, 0.3 % at 4 %, 0.6 % at 8 % (quarterly, to one year). The errors are
measured in tests/golden/test_dividends_quantlib.py; docs/time.md has the table.

A dividend falls off the price at midnight, exchange time, that begins its ex-date: evening trading before is still cum,
morning trading is ex. Present values run to the ex-date; the weeks to the pay date are left out (about 0.3 % of D).
*Tested by* tests/unit/test_dividends_schedule.py, tests/properties/test_dividends_forward.py,
tests/golden/test_dividends_quantlib.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, time
from typing import Final

import numpy as np

from common.calendars.variance import act365_years
from common.calendars.zones import NEW_YORK, instant_ns
from common.messages import F64, I64
from common.risk.curves import DiscountCurve, Provenance

_MIDNIGHT: Final = time(0, 0)


@dataclass(frozen=True, slots=True)
class Dividend:
    """One dividend per share: ``amount`` in the schedule's currency, or ``proportion`` of the price before it."""

    ex_date: date
    amount: float = 0.0
    proportion: float = 0.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.amount) and self.amount >= 0.0 and 0.0 <= self.proportion < 1.0):
            raise ValueError(
                f"dividend of {self.ex_date}: amount {self.amount} or proportion {self.proportion} is no dividend"
            )
        if (self.amount > 0.0) == (self.proportion > 0.0):
            raise ValueError(f"dividend of {self.ex_date}: give an amount or a proportion")


@dataclass(frozen=True, eq=False)
class DividendSchedule:
    """Dividends of one underlying by ex-date. ``name``: the underlying; ``zone``: its exchange's.

    All that is declared or expected stands in it until ``complete_until``; later expiries also earn
    ``tail_yield_per_year`` (continuous) from there on.
    """

    name: str
    currency: str
    provenance: Provenance
    dividends: tuple[Dividend, ...]
    complete_until: date
    tail_yield_per_year: float = 0.0
    zone: str = NEW_YORK

    def __post_init__(self) -> None:
        if not math.isfinite(self.tail_yield_per_year):
            raise ValueError(f"{self.name}: the tail yield must be finite")
        days = [d.ex_date for d in self.dividends]
        if days != sorted(days):
            raise ValueError(f"{self.name}: dividends must stand in order of their ex-dates")
        if days and days[-1] > self.complete_until:
            raise ValueError(f"{self.name}: a dividend of {days[-1]} lies beyond complete_until {self.complete_until}")

    def ex_ns(self) -> I64:
        """Instants (UTC ns) at which the dividends fall off the price, ascending."""
        return np.array([instant_ns(d.ex_date, _MIDNIGHT, self.zone) for d in self.dividends], np.int64)

    def prepaid_forward(self, spot: float, now_ns: int, expiry_ns: I64, discount: DiscountCurve) -> F64:
        """Value today of one share delivered at each expiry (n,); NaN where dividends exceed the spot.

        Without proportional dividends and tail: the escrowed spot ``S - PV(D)``. Raises ``ValueError`` if the discount
        curve is of another currency than the dividends.
        """
        if discount.name != self.currency:
            raise ValueError(f"{self.name}: dividends in {self.currency} cannot be discounted in {discount.name}")
        prepaid = np.full(np.shape(expiry_ns), float(spot))
        for dividend, ex in zip(self.dividends, self.ex_ns().tolist(), strict=True):
            if ex > now_ns:
                present = dividend.amount * float(discount.factor(now_ns, ex)) if dividend.amount else 0.0
                after = prepaid * (1.0 - dividend.proportion) - present
                prepaid = np.where(ex <= expiry_ns, after, prepaid)
        horizon = max(instant_ns(self.complete_until, _MIDNIGHT, self.zone), now_ns)
        prepaid = prepaid * np.exp(-self.tail_yield_per_year * np.maximum(act365_years(horizon, expiry_ns), 0.0))
        return np.where(prepaid > 0.0, prepaid, np.nan)

    def forward(self, spot: float, now_ns: int, expiry_ns: I64, discount: DiscountCurve) -> F64:
        """Forward price (points) at each expiry (n,): ``prepaid / P(T)``."""
        return self.prepaid_forward(spot, now_ns, expiry_ns, discount) / discount.factor(now_ns, expiry_ns)

    def equivalent_yield(self, spot: float, now_ns: int, expiry_ns: I64, discount: DiscountCurve) -> F64:
        """Continuous yield per year, per expiry (n,), with the same forward: what ``Columns.yield_per_year`` takes.

        0 at and after expiry; NaN where dividends exceed the spot.
        """
        years = act365_years(now_ns, expiry_ns)
        log_ratio = np.log(spot / self.prepaid_forward(spot, now_ns, expiry_ns, discount))
        return np.divide(log_ratio, years, out=np.zeros_like(years), where=years > 0.0)
