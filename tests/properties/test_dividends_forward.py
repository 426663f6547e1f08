from __future__ import annotations

from datetime import date, time, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from common.calendars.zones import NEW_YORK, instant_ns
from common.risk.curves import DiscountCurve, Provenance
from common.risk.dividends import Dividend, DividendSchedule
from common.units import NS_PER_YEAR

START = date(2026, 1, 30)
NOW = instant_ns(START, time(16, 0), NEW_YORK)
TOLD = Provenance("made for the test", NOW, 86_400.0)


@st.composite
def schedules(draw: st.DrawFn, *, cash_only: bool = False) -> DividendSchedule:
    days = sorted(draw(st.sets(st.integers(1, 900), max_size=8)))
    made = []
    for day in days:
        if cash_only or draw(st.booleans()):
            made.append(Dividend(START + timedelta(days=day), amount=draw(st.floats(0.01, 5.0))))
        else:
            made.append(Dividend(START + timedelta(days=day), proportion=draw(st.floats(0.001, 0.05))))
    return DividendSchedule("X", "USD", TOLD, tuple(made), START + timedelta(days=900))


spots = st.floats(80.0, 500.0)
rates = st.floats(-0.03, 0.15).map(lambda r: DiscountCurve.flat("USD", TOLD, r))
expiries = st.lists(st.integers(1, 900), min_size=1, max_size=6, unique=True).map(
    lambda days: np.array([instant_ns(START + timedelta(days=d), time(16, 0), NEW_YORK) for d in sorted(days)])
)


@given(schedules(), spots, rates, expiries)
def test_the_equivalent_yield_gives_the_same_forward(
    paid: DividendSchedule, spot: float, discount: DiscountCurve, at: np.ndarray
) -> None:
    years = (at - NOW) / NS_PER_YEAR
    growth = discount.rate(NOW, at) - paid.equivalent_yield(spot, NOW, at, discount)
    np.testing.assert_allclose(spot * np.exp(growth * years), paid.forward(spot, NOW, at, discount), rtol=1e-11)


@given(schedules(), spots, rates, expiries)
def test_holding_the_share_and_paying_its_dividends_on_costs_the_prepaid_forward(
    paid: DividendSchedule, spot: float, discount: DiscountCurve, at: np.ndarray
) -> None:
    """Replication: a share whose cash dividends are passed on and whose proportional ones buy more shares."""
    for expiry in at.tolist():
        shares, loan = 1.0, 0.0  # shares to buy today so that one is held at expiry; value today of the cash dividends
        events = [(ex, d) for ex, d in zip(paid.ex_ns().tolist(), paid.dividends, strict=True) if NOW < ex <= expiry]
        for ex, dividend in reversed(events):
            if dividend.proportion:
                shares *= 1.0 - dividend.proportion
            else:
                loan += shares * dividend.amount * float(discount.factor(NOW, ex))
        found = paid.prepaid_forward(spot, NOW, np.array([expiry]), discount)
        np.testing.assert_allclose(found, shares * spot - loan, rtol=1e-11)


@given(schedules(cash_only=True), spots, rates, expiries)
def test_a_longer_wait_never_brings_more_of_the_share(
    paid: DividendSchedule, spot: float, discount: DiscountCurve, at: np.ndarray
) -> None:
    assert (np.diff(paid.prepaid_forward(spot, NOW, at, discount)) <= 1e-12 * spot).all()
