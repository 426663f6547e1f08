"""American prices and Greeks against QuantLib's QD+ fixed-point engine at its highest precision, bumped for Greeks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from common.kernels.american import american, american_future
from common.kernels.jit import F64
from common.kernels.layout import CHARM, DELTA, GAMMA, GREEKS, PRICE, RHO, THETA, VANNA, VEGA, VOLGA

TODAY = ql.Date(2, 1, 2024)


class Reference:
    """One option in QuantLib whose market data can be moved."""

    def __init__(self, right: int, strike: float, days: int) -> None:
        ql.Settings.instance().evaluationDate = TODAY
        self.quotes = {name: ql.SimpleQuote(0.1) for name in ("spot", "rate", "yield", "vol")}
        handle = {name: ql.QuoteHandle(quote) for name, quote in self.quotes.items()}
        count = ql.Actual365Fixed()
        process = ql.BlackScholesMertonProcess(
            handle["spot"],
            ql.YieldTermStructureHandle(ql.FlatForward(TODAY, handle["yield"], count)),
            ql.YieldTermStructureHandle(ql.FlatForward(TODAY, handle["rate"], count)),
            ql.BlackVolTermStructureHandle(ql.BlackConstantVol(TODAY, ql.NullCalendar(), handle["vol"], count)),
        )
        payoff = ql.PlainVanillaPayoff(ql.Option.Call if right > 0 else ql.Option.Put, strike)
        self.option = ql.VanillaOption(payoff, ql.AmericanExercise(TODAY, TODAY + days))
        self.option.setPricingEngine(ql.QdFpAmericanEngine(process, ql.QdFpAmericanEngine.highPrecisionScheme()))

    def price(self, spot: float, rate: float, dividend: float, vol: float) -> float:
        for name, value in (("spot", spot), ("rate", rate), ("yield", dividend), ("vol", vol)):
            self.quotes[name].setValue(value)
        return float(self.option.NPV())


def kernel(right: int, spot: float, strike: float, days: float, vol: float, rate: float, dividend: float) -> F64:
    out = np.empty((GREEKS, 1))
    columns = [np.array([float(x)]) for x in (spot, strike, days / 365, vol, rate, dividend, right)]
    american(*columns, out)
    return out[:, 0]


# right, spot, strike, days, vol, rate, yield: rate above, equal to, below and far from the yield; negative rates
CASES = [
    (-1, 100.0, 100.0, 365, 0.25, 0.05, 0.02),
    (-1, 100.0, 105.0, 30, 0.18, 0.05, 0.05),
    (-1, 95.0, 100.0, 200, 0.30, 0.04, 0.07),
    (-1, 110.0, 100.0, 700, 0.45, 0.03, 0.0),
    (-1, 92.0, 100.0, 90, 0.22, 0.06, -0.02),
    (+1, 100.0, 95.0, 250, 0.28, 0.03, 0.06),
    (+1, 105.0, 100.0, 60, 0.20, 0.05, 0.05),
    (+1, 100.0, 110.0, 400, 0.35, -0.01, 0.03),
    (+1, 100.0, 100.0, 180, 0.15, 0.06, 0.02),
]


@pytest.mark.parametrize("case", CASES)
def test_prices_and_greeks_of_quantlib(case: tuple[int, float, float, int, float, float, float]) -> None:
    right, spot, strike, days, vol, rate, dividend = case
    ours = kernel(right, spot, strike, days, vol, rate, dividend)
    reference = Reference(right, strike, days)
    h, hv, hr = 0.002 * spot, 0.004 * vol, 2e-4

    def price(s: int = 0, v: int = 0, r: int = 0) -> float:
        return reference.price(spot + s * h, rate + r * hr, dividend, vol + v * hv)

    v0, up, down = price(), price(s=1), price(s=-1)
    delta = (8 * (up - down) - (price(s=2) - price(s=-2))) / (12 * h)
    gamma = (16 * (up + down) - price(s=2) - price(s=-2) - 30 * v0) / (12 * h * h)
    vega, volga = (price(v=1) - price(v=-1)) / (2 * hv), (price(v=1) - 2 * v0 + price(v=-1)) / hv**2
    vanna = (price(1, 1) - price(1, -1) - price(-1, 1) + price(-1, -1)) / (4 * h * hv)
    rho = (price(r=1) - price(r=-1)) / (2 * hr)
    later, sooner = Reference(right, strike, days + 1), Reference(right, strike, days - 1)
    theta = (sooner.price(spot, rate, dividend, vol) - later.price(spot, rate, dividend, vol)) * 182.5

    assert ours[PRICE] == pytest.approx(v0, abs=5e-7 * spot)
    assert ours[DELTA] == pytest.approx(delta, abs=1e-5)
    assert ours[GAMMA] * spot == pytest.approx(gamma * spot, abs=2e-4)
    assert ours[VEGA] == pytest.approx(vega, abs=1e-4 * spot)
    assert ours[RHO] == pytest.approx(rho, abs=2e-4 * spot)
    assert ours[THETA] == pytest.approx(theta, abs=0.01 * abs(theta) + 1e-5 * spot)
    assert ours[VANNA] == pytest.approx(vanna, abs=1e-3)
    assert ours[VOLGA] == pytest.approx(volga, abs=2e-3 * spot)


@pytest.mark.parametrize("case", CASES)
def test_charm_is_the_decay_of_delta(case: tuple[int, float, float, int, float, float, float]) -> None:
    right, spot, strike, days, vol, rate, dividend = case
    h = 0.05
    sooner = kernel(right, spot, strike, days - h, vol, rate, dividend)
    later = kernel(right, spot, strike, days + h, vol, rate, dividend)
    charm = kernel(right, spot, strike, days, vol, rate, dividend)[CHARM]
    assert charm == pytest.approx((sooner[DELTA] - later[DELTA]) / (2 * h / 365), abs=1e-3)
    theta = kernel(right, spot, strike, days, vol, rate, dividend)[THETA]
    assert theta == pytest.approx((sooner[PRICE] - later[PRICE]) / (2 * h / 365), abs=1e-4 * spot)


@pytest.mark.parametrize(("right", "rate"), [(1, 0.04), (-1, 0.04), (1, -0.01), (-1, 0.0)])
def test_options_on_futures(right: int, rate: float) -> None:
    future, strike, days, vol, h = 5000.0, 5050.0, 120, 0.22, 1e-4
    out = np.empty((GREEKS, 1))
    columns = [np.array([float(x)]) for x in (future, strike, days / 365, vol, rate, right)]
    american_future(*columns, out)
    reference = Reference(right, strike, days)

    def price(r: float) -> float:
        if r <= 0.0:  # never exercised early
            forward = ql.BlackCalculator(
                ql.PlainVanillaPayoff(ql.Option.Call if right > 0 else ql.Option.Put, strike),
                future,
                vol * math.sqrt(days / 365),
                math.exp(-r * days / 365),
            )
            return float(forward.value())
        return reference.price(future, r, r, vol)

    assert out[PRICE, 0] == pytest.approx(price(rate), abs=1e-6 * future)
    if rate != 0.0:
        assert out[RHO, 0] == pytest.approx((price(rate + h) - price(rate - h)) / (2 * h), abs=2e-4 * future)


def test_gamma_just_above_the_boundary_is_that_of_the_equation() -> None:
    # At the boundary the value stands still in time, so that ½σ²B²Γ = rK - qB (K = 1).
    rate, dividend, vol, days = 0.06, 0.03, 0.25, 250
    low, high = 0.5, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        exercised = kernel(-1, middle, 1.0, days, vol, rate, dividend)[VEGA] == 0.0
        low, high = (middle, high) if exercised else (low, middle)
    jump = 2.0 * (rate - dividend * high) / (vol * high) ** 2
    for above in (1e-7, 1e-6, 1e-5):
        row = kernel(-1, high * (1.0 + above), 1.0, days, vol, rate, dividend)
        assert row[GAMMA] == pytest.approx(jump, rel=2e-3)
        assert row[DELTA] == pytest.approx(-1.0, abs=1e-4)
        assert row[PRICE] == pytest.approx(1.0 - high * (1.0 + above), abs=1e-6)
