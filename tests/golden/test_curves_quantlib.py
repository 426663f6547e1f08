"""Discount factors, rates and forwards against QuantLib's log-linear discount curve."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from common.calendars.zones import utc_ns
from common.risk.curves import DiscountCurve, Provenance
from common.units import NS_PER_DAY

TODAY = ql.Date(30, 1, 2026)
AS_OF = utc_ns(datetime(2026, 1, 30, 21, tzinfo=UTC))
DAYS = [1, 30, 91, 182, 365, 730, 1826, 3652]
RATES = [0.0431, 0.0425, 0.0412, 0.0398, 0.0371, 0.0355, 0.0362, 0.0391]
ASKED = [1, 2, 15, 30, 60, 91, 200, 364, 365, 366, 1000, 3000, 3652]


@pytest.fixture(scope="module")
def pair() -> tuple[DiscountCurve, ql.YieldTermStructure]:
    factors = [float(np.exp(-r * d / 365)) for r, d in zip(RATES, DAYS, strict=True)]
    theirs = ql.DiscountCurve([TODAY, *(TODAY + d for d in DAYS)], [1.0, *factors], ql.Actual365Fixed())
    theirs.enableExtrapolation()
    told = Provenance("made for the test", AS_OF, 1.0)
    return DiscountCurve.from_zero_rates("USD", told, [d / 365 for d in DAYS], RATES), theirs


def test_discount_factors_and_zero_rates(pair: tuple[DiscountCurve, ql.YieldTermStructure]) -> None:
    ours, theirs = pair
    until = np.array([AS_OF + d * NS_PER_DAY for d in ASKED])
    np.testing.assert_allclose(ours.factor(AS_OF, until), [theirs.discount(TODAY + d) for d in ASKED], rtol=1e-13)
    zero = [theirs.zeroRate(TODAY + d, ql.Actual365Fixed(), ql.Continuous).rate() for d in ASKED]
    np.testing.assert_allclose(ours.rate(AS_OF, until), zero, rtol=1e-11)


def test_forward_rates_from_a_later_day(pair: tuple[DiscountCurve, ql.YieldTermStructure]) -> None:
    ours, theirs = pair
    for start in (1, 45, 400):
        later = [d for d in ASKED if d > start]
        found = ours.rate(AS_OF + start * NS_PER_DAY, np.array([AS_OF + d * NS_PER_DAY for d in later]))
        wanted = [
            theirs.forwardRate(TODAY + start, TODAY + d, ql.Actual365Fixed(), ql.Continuous).rate() for d in later
        ]
        np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_beyond_the_last_knot_the_last_forward_goes_on(pair: tuple[DiscountCurve, ql.YieldTermStructure]) -> None:
    ours, theirs = pair
    last = theirs.forwardRate(TODAY + DAYS[-2], TODAY + DAYS[-1], ql.Actual365Fixed(), ql.Continuous).rate()
    found = ours.rate(AS_OF + DAYS[-1] * NS_PER_DAY, AS_OF + 9_000 * NS_PER_DAY)
    assert float(found) == pytest.approx(last, rel=1e-10)
