"""Two exercise boundaries (q < r < 0 for puts) and the lattice beside the collocated boundary."""

from __future__ import annotations

import math

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from common.kernels.american import american
from common.kernels.american_lattice import CELLS, GRID_ROWS, lattice_premium
from common.kernels.layout import DELTA, GAMMA, GREEKS, PRICE, RHO, VEGA

TODAY = ql.Date(2, 1, 2024)


def finite_differences(right: int, row: tuple[float, ...]) -> tuple[float, float, float]:
    spot, strike, days, vol, rate, dividend = row
    ql.Settings.instance().evaluationDate = TODAY
    count = ql.Actual365Fixed()
    process = ql.BlackScholesMertonProcess(
        ql.QuoteHandle(ql.SimpleQuote(spot)),
        ql.YieldTermStructureHandle(ql.FlatForward(TODAY, dividend, count)),
        ql.YieldTermStructureHandle(ql.FlatForward(TODAY, rate, count)),
        ql.BlackVolTermStructureHandle(ql.BlackConstantVol(TODAY, ql.NullCalendar(), vol, count)),
    )
    payoff = ql.PlainVanillaPayoff(ql.Option.Call if right > 0 else ql.Option.Put, strike)
    option = ql.VanillaOption(payoff, ql.AmericanExercise(TODAY, TODAY + int(days)))
    option.setPricingEngine(ql.FdBlackScholesVanillaEngine(process, 800, 1200, 0, ql.FdmSchemeDesc.TrBDF2()))
    return option.NPV(), option.delta(), option.gamma()


@pytest.mark.parametrize(
    ("right", "row"),
    [
        (-1, (1.0, 1.0, 365, 0.1, -0.01, -0.03)),
        (-1, (0.95, 1.0, 400, 0.2, -0.005, -0.01)),
        (-1, (0.7, 1.0, 365, 0.1, -0.01, -0.03)),  # between the boundaries
        (-1, (1.1, 1.0, 1000, 0.15, -0.02, -0.05)),
        (1, (1.05, 1.0, 300, 0.12, -0.03, -0.01)),
    ],
)
def test_two_boundaries_against_finite_differences(right: int, row: tuple[float, ...]) -> None:
    spot, strike, days, vol, rate, dividend = row
    out = np.empty((GREEKS, 1))
    american(*[np.array([float(x)]) for x in (spot, strike, days / 365, vol, rate, dividend, right)], out)
    price, delta, gamma = finite_differences(right, row)
    assert out[PRICE, 0] == pytest.approx(price, abs=1e-5)
    assert out[DELTA, 0] == pytest.approx(delta, abs=1e-4)
    assert out[GAMMA, 0] == pytest.approx(gamma, abs=2e-3)


@pytest.mark.parametrize(("spot", "rate", "dividend"), [(1.0, 0.05, 0.02), (1.1, 0.03, 0.06), (0.93, 0.04, -0.01)])
def test_lattice_agrees_with_the_collocated_boundary(spot: float, rate: float, dividend: float) -> None:
    # Two independent methods: the lattice's premium and bumps against integrals over the boundary.
    tau, vol = 0.75, 0.3
    american_out, flat_out = np.empty((GREEKS, 1)), np.zeros(8)
    american(*[np.array([x]) for x in (spot, 1.0, tau, vol, rate, dividend, -1.0)], american_out)
    grid, local = np.empty((GRID_ROWS, CELLS)), np.empty((3, 3))
    assert lattice_premium(grid, local, math.log(spot), rate, dividend, vol, tau, 1.0, 0.0, flat_out) > 0.0
    forward, discount = spot * math.exp((rate - dividend) * tau), math.exp(-rate * tau)
    payoff = ql.PlainVanillaPayoff(ql.Option.Put, 1.0)
    ql_put = ql.BlackCalculator(payoff, forward, vol * math.sqrt(tau), discount)
    assert american_out[PRICE, 0] == pytest.approx(ql_put.value() + flat_out[0], abs=5e-6)
    assert american_out[DELTA, 0] == pytest.approx(ql_put.delta(spot) + flat_out[1] / spot, abs=5e-5)
    assert american_out[VEGA, 0] == pytest.approx(ql_put.vega(tau) + flat_out[3], abs=2e-4)
    assert american_out[RHO, 0] == pytest.approx(ql_put.rho(tau) + flat_out[4], abs=5e-4)
