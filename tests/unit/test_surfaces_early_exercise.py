"""Early-exercise premiums against QuantLib's finite differences."""

from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from common.instruments import AM, instant_ns
from common.surfaces.chain import ChainQuotes, KnownForward
from common.surfaces.early_exercise import premium_share
from common.universe import AMERICAN

TODAY = date(2026, 1, 30)
DAYS, RATE, FORWARD, VOL = 365, 0.06, 100.0, 0.25
STRIKES = [70.0, 90.0, 100.0, 110.0, 140.0]


def quantlib(strike: float, right: float, spot: float, dividend: float, american: bool) -> float:
    day = ql.Date(TODAY.day, TODAY.month, TODAY.year)
    ql.Settings.instance().evaluationDate = day
    count = ql.Actual365Fixed()

    def flat(rate: float) -> ql.YieldTermStructureHandle:
        return ql.YieldTermStructureHandle(ql.FlatForward(day, rate, count))

    vol = ql.BlackVolTermStructureHandle(ql.BlackConstantVol(day, ql.NullCalendar(), VOL, count))
    process = ql.BlackScholesMertonProcess(ql.QuoteHandle(ql.SimpleQuote(spot)), flat(dividend), flat(RATE), vol)
    payoff = ql.PlainVanillaPayoff(ql.Option.Call if right > 0 else ql.Option.Put, strike)
    end = day + DAYS
    exercise = ql.AmericanExercise(day, end) if american else ql.EuropeanExercise(end)
    option = ql.VanillaOption(payoff, exercise)
    engine = ql.FdBlackScholesVanillaEngine(process, 400, 400) if american else ql.AnalyticEuropeanEngine(process)
    option.setPricingEngine(engine)
    return float(option.NPV())


@pytest.mark.parametrize("spot", [None, 97.0])
def test_what_is_taken_off_leaves_the_european_price(spot: float | None) -> None:
    expiry = instant_ns(TODAY + timedelta(DAYS), AM)
    years = DAYS / 365.0
    base = FORWARD if spot is None else spot
    dividend = RATE if spot is None else RATE - math.log(FORWARD / spot) / years
    rights = [-1.0, -1.0, -1.0, 1.0, 1.0]
    mids = np.array([quantlib(k, r, base, dividend, True) for k, r in zip(STRIKES, rights, strict=True)])
    rows = np.arange(5)
    chain = ChainQuotes(
        "X",
        np.full(5, expiry),
        np.array(STRIKES),
        np.array(rights),
        mids * 0.99,
        mids * 1.01,
        np.full(5, -1),
        AMERICAN,
        {expiry: KnownForward(FORWARD, math.exp(-RATE * years), spot)},
    )
    as_of = instant_ns(TODAY, AM)
    share = premium_share(chain, rows, as_of, np.full(5, FORWARD), np.full(5, math.exp(-RATE * years)))
    european = [quantlib(k, r, base, dividend, False) for k, r in zip(STRIKES, rights, strict=True)]
    assert mids * (1.0 - share) == pytest.approx(european, abs=3e-3)
    assert (share[rows] > 0.0).any()


def test_a_price_without_volatility_has_no_premium() -> None:
    expiry = instant_ns(TODAY + timedelta(DAYS), AM)
    one = np.ones(1)
    chain = ChainQuotes(
        "X", np.array([expiry]), 100.0 * one, one, 99.0 * one, 130.0 * one, np.full(1, -1), AMERICAN,
        {expiry: KnownForward(100.0, 0.95)},
    )  # fmt: skip
    assert premium_share(chain, np.zeros(1, np.int64), instant_ns(TODAY, AM), 100.0 * one, 0.95 * one)[0] == 0.0
