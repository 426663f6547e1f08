"""Escrowed dividends against QuantLib: exact for European options, and the stated error for American ones.

The truth for American options is QuantLib's finite-difference engine with discrete dividends in its escrowed model (the
stochastic part is the prepaid forward, exercise pays the full spot) and in its jump model (the spot itself diffuses).
"""

from __future__ import annotations

import math
from datetime import date, time, timedelta

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from common.calendars.zones import instant_ns
from common.risk.curves import DiscountCurve, Provenance
from common.risk.dividends import Dividend, DividendSchedule

START = date(2024, 1, 2)
TODAY = ql.Date(2, 1, 2024)
NOW = instant_ns(START, time(0, 0), "UTC")
SPOT, RATE, VOL = 100.0, 0.04, 0.25
EX_DAYS = (45, 136, 227, 318)
TOLD = Provenance("made for the test", NOW, 1.0)
DISCOUNT = DiscountCurve.flat("USD", TOLD, RATE)
CASES = [(days, right, strike) for days in (180, 365) for right in (1, -1) for strike in (80.0, 100.0, 120.0)]


@pytest.fixture(autouse=True)
def _today() -> None:
    ql.Settings.instance().evaluationDate = TODAY


def schedule(amount: float) -> DividendSchedule:
    # QuantLib knows days only, so midnight UTC is when the dividends fall off here too.
    made = tuple(Dividend(START + timedelta(days=d), amount) for d in EX_DAYS)
    return DividendSchedule("X", "USD", TOLD, made, START + timedelta(days=400), zone="UTC")


def process(spot: float, dividend_yield: float) -> ql.BlackScholesMertonProcess:
    count = ql.Actual365Fixed()
    return ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(spot)),
        ql.YieldTermStructureHandle(ql.FlatForward(TODAY, dividend_yield, count)),
        ql.YieldTermStructureHandle(ql.FlatForward(TODAY, RATE, count)),
        ql.BlackVolTermStructureHandle(ql.BlackConstantVol(TODAY, ql.NullCalendar(), VOL, count)),
    )


def value(engine: ql.PricingEngine, right: int, strike: float, days: int, *, american: bool) -> float:
    exercise = ql.AmericanExercise(TODAY, TODAY + days) if american else ql.EuropeanExercise(TODAY + days)
    option = ql.VanillaOption(ql.PlainVanillaPayoff(ql.Option.Call if right > 0 else ql.Option.Put, strike), exercise)
    option.setPricingEngine(engine)
    return float(option.NPV())


def truth(amount: float, model: int) -> ql.PricingEngine:
    dividends = ql.DividendVector([TODAY + d for d in EX_DAYS], [amount] * len(EX_DAYS))
    scheme = ql.FdmSchemeDesc.Douglas()
    return ql.FdBlackScholesVanillaEngine(process(SPOT, 0.0), dividends, 200, 401, 0, scheme, False, -1.0, model)


def inputs(amount: float, days: int) -> tuple[float, float]:
    """Escrowed spot and equivalent yield of one expiry."""
    expiry = np.array([instant_ns(START + timedelta(days=days), time(0, 0), "UTC")])
    paid = schedule(amount)
    return (
        float(paid.prepaid_forward(SPOT, NOW, expiry, DISCOUNT)[0]),
        float(paid.equivalent_yield(SPOT, NOW, expiry, DISCOUNT)[0]),
    )


@pytest.mark.parametrize("amount", [0.5, 2.0])
def test_european_options_are_exact_in_the_escrowed_model(amount: float) -> None:
    dividends = ql.DividendVector([TODAY + d for d in EX_DAYS], [amount] * len(EX_DAYS))
    escrowed = ql.AnalyticDividendEuropeanEngine(process(SPOT, 0.0), dividends)
    for days, right, strike in CASES:
        spot, equivalent = inputs(amount, days)
        wanted = value(escrowed, right, strike, days, american=False)
        for made in (process(spot, 0.0), process(SPOT, equivalent)):
            found = value(ql.AnalyticEuropeanEngine(made), right, strike, days, american=False)
            assert found == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize(
    ("amount", "yield_error", "jump_error"), [(0.5, 1e-3, 1.1e-3), (1.0, 3e-3, 3.1e-3), (2.0, 6e-3, 7.1e-3)]
)
def test_american_options_by_the_equivalent_yield(amount: float, yield_error: float, jump_error: float) -> None:
    escrowed = truth(amount, ql.FdBlackScholesVanillaEngine.Escrowed)
    jumps = truth(amount, ql.FdBlackScholesVanillaEngine.Spot)
    worst = [0.0, 0.0]
    for days, right, strike in CASES:
        _, equivalent = inputs(amount, days)
        found = value(ql.QdFpAmericanEngine(process(SPOT, equivalent)), right, strike, days, american=True)
        for i, engine in enumerate((escrowed, jumps)):
            worst[i] = max(worst[i], abs(found - value(engine, right, strike, days, american=True)))
    assert worst[0] <= yield_error * SPOT
    assert worst[1] <= jump_error * SPOT
    # The bounds are stated errors, not generous ones.
    assert worst[0] >= 0.5 * yield_error * SPOT


def test_the_escrowed_spot_in_an_american_engine_is_as_wrong_as_the_text_says() -> None:
    jumps = truth(2.0, ql.FdBlackScholesVanillaEngine.Spot)
    spot, equivalent = inputs(2.0, 365)
    wanted = value(jumps, 1, 80.0, 365, american=True)
    escrowed = value(ql.QdFpAmericanEngine(process(spot, 0.0)), 1, 80.0, 365, american=True)
    by_yield = value(ql.QdFpAmericanEngine(process(SPOT, equivalent)), 1, 80.0, 365, american=True)
    assert wanted - escrowed == pytest.approx(0.027 * SPOT, abs=0.1)
    assert abs(wanted - by_yield) < 0.2 * (wanted - escrowed)
    assert math.isfinite(equivalent)
