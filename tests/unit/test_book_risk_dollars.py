"""Desk Greeks against changes of a USD value that QuantLib or a written-out formula gives."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from scipy.special import ndtr

from common.kernels import layout
from common.kernels.black76 import black76
from common.messages import F64
from common.risk.columns import Columns
from common.risk.dollars import DESK_NAMES, desk_greeks
from common.risk.evaluate import evaluate

USD = 50.0 * 3.0 * 1.25  # multiplier × lots × FX
DAY = 1.0 / 365.0


def one(model: int, base: float, right: float = 1.0) -> Columns:
    return Columns(
        np.array([model], np.uint8),
        *(np.array([x]) for x in (base, 105.0, 0.4, 0.3, 0.05, 0.02, right)),
    )


def usd_value(model: int, base: float, tau: float, vol: float, rate: float, right: float) -> float:
    """USD value of USD / base-currency units of the contract of `one`."""
    if model == layout.EUROPEAN:
        growth, discount = math.exp(-0.02 * tau), math.exp(-rate * tau)
        payoff = ql.PlainVanillaPayoff(ql.Option.Call if right > 0 else ql.Option.Put, 105.0)
        return USD * float(ql.BlackCalculator(payoff, base * growth / discount, vol * math.sqrt(tau), discount).value())
    s = vol * math.sqrt(tau)
    d1 = math.log(base / 105.0) / s + 0.5 * s
    in_coin = math.exp(-rate * tau) * right * (ndtr(right * d1) - 105.0 / base * ndtr(right * (d1 - s)))
    return USD * base * float(in_coin)


def slope(f: Callable[[float], float], x: float, h: float) -> float:
    """Derivative by Richardson's rule, error O(h⁴)."""
    near, far = (f(x + h) - f(x - h)) / (2 * h), (f(x + 2 * h) - f(x - 2 * h)) / (4 * h)
    return (4 * near - far) / 3


@pytest.mark.parametrize("model", [layout.EUROPEAN, layout.INVERSE])
@pytest.mark.parametrize("right", [1.0, -1.0])
def test_each_desk_greek_is_the_change_that_its_unit_says(model: int, right: float) -> None:
    base, tau, vol, rate = 100.0, 0.4, 0.3, 0.05

    def value(b: float = base, t: float = tau, v: float = vol, r: float = rate) -> float:
        return usd_value(model, b, t, v, r, right)

    def delta_usd(b: float = base, t: float = tau, v: float = vol) -> float:
        return b * slope(lambda x: value(b=x, t=t, v=v), b, 1e-2)

    def vega_point(b: float = base, v: float = vol) -> float:
        return 0.01 * slope(lambda x: value(b=b, v=x), v, 1e-3)

    # Gamma and vanna hold the other factor of dollar delta and vega as they are: base² d²V/dbase².
    delta = delta_usd()
    expected = {
        "value_usd": value(),
        "delta_usd": delta,
        "gamma_usd_per_pct": 0.01 * (base * slope(lambda b: delta_usd(b=b), base, 2e-1) - delta),
        "vega_usd_per_point": vega_point(),
        "theta_usd_per_day": -slope(lambda t: value(t=t), tau, 1e-3) * DAY,
        "rho_usd_per_bp": 1e-4 * slope(lambda r: value(r=r), rate, 1e-3),
        "vanna_usd_per_point_per_pct": 0.01 * base * slope(lambda b: vega_point(b=b), base, 1e-1),
        "volga_usd_per_point2": 0.01 * slope(lambda v: vega_point(v=v), vol, 3e-3),
        "charm_usd_per_day": -slope(lambda t: delta_usd(t=t), tau, 1e-3) * DAY,
    }
    columns = one(model, base, right)
    desk = desk_greeks(columns, evaluate(columns), USD)[:, 0]
    assert list(expected) == list(DESK_NAMES)
    np.testing.assert_allclose(desk, list(expected.values()), rtol=1e-6, atol=1e-6)


def test_gamma_moves_delta_by_one_per_cent() -> None:
    here, up = one(layout.EUROPEAN, 100.0), one(layout.EUROPEAN, 100.1)
    d0, d1 = (desk_greeks(c, evaluate(c), 1.0)[:, 0] for c in (here, up))
    # Dollar delta without the part that comes from the price alone, per 0.1 %.
    assert d1[layout.DELTA] / 100.1 * 100.0 - d0[layout.DELTA] == pytest.approx(0.1 * d0[layout.GAMMA], rel=2e-2)


def test_a_future_and_a_spot_have_a_dollar_of_delta_a_dollar() -> None:
    for model in (layout.SPOT, layout.FUTURE):
        desk = desk_greeks(one(model, 4200.0), evaluate(one(model, 4200.0)), 50.0)[:, 0]
        assert desk.tolist() == [210_000.0, 210_000.0, *[0.0] * 7]


def test_a_coin_future_has_its_notional_as_delta_and_no_gamma() -> None:
    columns = one(layout.INVERSE_FUTURE, 64_000.0)
    desk = desk_greeks(columns, evaluate(columns), 10.0)[:, 0]
    assert desk[layout.DELTA] == pytest.approx(10.0, rel=1e-15)
    # P&L of 10 USD long from F0 to F1, in USD at F1: 10 (1/F0 - 1/F1) F1.
    move = 64_000.0 * 1e-6
    assert 10.0 * (1 / 64_000.0 - 1 / (64_000.0 + move)) * (64_000.0 + move) == pytest.approx(desk[1] * 1e-6, rel=1e-5)
    assert np.abs(np.delete(desk, layout.DELTA)).max() < 1e-12


def test_nan_stays_nan() -> None:
    for model in range(layout.MODELS):
        assert np.isnan(desk_greeks(one(model, math.nan), evaluate(one(model, math.nan)), 1.0)).all(), model


def test_lot_greeks_of_the_agents_have_the_same_units() -> None:
    """``surface.lot_greeks``: gamma and vanna per 100 %, the rest alike; the formulas in its docstring, on one contract."""
    forward, greeks = 100.0, np.empty((8, 1))
    columns = one(layout.BLACK76, forward)
    args: list[F64] = [
        columns.base,
        columns.strike,
        columns.tau_years,
        columns.vol,
        columns.rate_per_year,
        columns.right,
    ]
    black76(*args, greeks)
    desk = desk_greeks(columns, evaluate(columns), 1.0)[:, 0]
    lot = [forward * greeks[1, 0], forward**2 * greeks[2, 0], 0.01 * greeks[3, 0], greeks[4, 0] / 365.0]
    lot += [forward * 0.01 * greeks[6, 0], 1e-4 * greeks[7, 0]]
    rows = [layout.DELTA, layout.GAMMA, layout.VEGA, layout.THETA, layout.VANNA, layout.VOLGA]
    np.testing.assert_allclose(desk[rows] * [1, 100, 1, 1, 100, 1], lot, rtol=1e-14)
