"""Where a limit decides: expiry, no volatility, never exercised early, extreme arguments, the NaN policy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm

from common.kernels.american import american
from common.kernels.jit import F64
from common.kernels.layout import DELTA, GAMMA, GREEKS, PRICE, RHO, THETA, VEGA


def kernel(right: float, spot: float, strike: float, tau: float, vol: float, rate: float, dividend: float) -> F64:
    out = np.empty((GREEKS, 1))
    american(*[np.array([float(x)]) for x in (spot, strike, tau, vol, rate, dividend, right)], out)
    return out[:, 0]


def european(right: float, spot: float, strike: float, tau: float, vol: float, rate: float, dividend: float) -> float:
    unit = vol * math.sqrt(tau)
    d1 = (math.log(spot / strike) + (rate - dividend) * tau) / unit + 0.5 * unit
    growth, discount = math.exp(-dividend * tau), math.exp(-rate * tau)
    return float(right * (spot * growth * norm.cdf(right * d1) - strike * discount * norm.cdf(right * (d1 - unit))))


@pytest.mark.parametrize(
    ("right", "rate", "dividend"),
    [(1, 0.05, 0.0), (1, 0.05, -0.02), (1, -0.02, -0.03), (-1, 0.0, 0.03), (-1, -0.02, 0.01)],
)
def test_never_exercised_early_is_european(right: int, rate: float, dividend: float) -> None:
    row = kernel(right, 100.0, 95.0, 0.8, 0.3, rate, dividend)
    h = 1e-3
    value, up, down = (european(right, 100.0 + x, 95.0, 0.8, 0.3, rate, dividend) for x in (0.0, h, -h))
    assert row[PRICE] == pytest.approx(value, abs=1e-11)
    assert row[DELTA] == pytest.approx((up - down) / (2 * h), abs=1e-8)


def test_expiry_and_before_it() -> None:
    for tau in (0.0, -0.5):
        assert kernel(-1, 90.0, 100.0, tau, 0.2, 0.05, 0.0)[[PRICE, DELTA, GAMMA, THETA]].tolist() == [10, -1, 0, 0]
        assert kernel(1, 100.0, 100.0, tau, 0.2, 0.05, 0.0)[[PRICE, DELTA]].tolist() == [0, 0.5]
        assert kernel(1, 90.0, 100.0, tau, 0.2, 0.05, 0.0)[[PRICE, DELTA]].tolist() == [0, 0]
    minute = 1.0 / (365 * 24 * 60)
    last = kernel(-1, 100.0, 100.0, minute, 0.2, 0.05, 0.02)
    assert last[PRICE] == pytest.approx(european(-1, 100.0, 100.0, minute, 0.2, 0.05, 0.02), rel=2e-3)


def test_no_volatility_takes_the_best_deterministic_exercise() -> None:
    now = kernel(-1, 90.0, 100.0, 1.0, 0.0, 0.05, 0.0)
    assert now[[PRICE, DELTA, THETA, RHO]].tolist() == [10.0, -1.0, 0.0, 0.0]
    late = kernel(1, 100.0, 100.0, 1.0, 0.0, 0.05, 0.0)
    assert late[PRICE] == pytest.approx(100.0 - 100.0 * math.exp(-0.05))
    assert late[RHO] == pytest.approx(100.0 * math.exp(-0.05))
    # A put on a spot that falls (q > r): waiting pays until q S = r K.
    between = kernel(-1, 100.0, 100.0, 20.0, 0.0, 0.1, 0.15)
    assert between[PRICE] == pytest.approx(best_at(100.0), abs=1e-7)
    assert between[DELTA] == pytest.approx((best_at(100.01) - best_at(99.99)) / 0.02, abs=1e-5)


def best_at(spot: float) -> float:
    times = np.linspace(0.0, 20.0, 400_001)
    return float(np.max(100.0 * np.exp(-0.1 * times) - spot * np.exp(-0.15 * times)))


def test_little_volatility_approaches_none() -> None:
    # Rates too steep for the volatility: no number rather than a wrong one; below σ√τ = 5e-6: the limit.
    assert np.isnan(kernel(-1, 100.0, 100.0, 1.0, 1e-3, 0.05, 0.02)).all()
    assert (
        kernel(-1, 100.0, 100.0, 1.0, 1e-6, 0.05, 0.15)[PRICE] == kernel(-1, 100.0, 100.0, 1.0, 0.0, 0.05, 0.15)[PRICE]
    )
    some, none = (kernel(-1, 95.0, 100.0, 0.25, vol, 0.02, 0.06)[PRICE] for vol in (4e-3, 0.0))
    assert some == pytest.approx(none, abs=1e-3)


def test_where_exercise_is_best_only_price_and_delta_are_left() -> None:
    row = kernel(-1, 60.0, 100.0, 0.5, 0.2, 0.08, 0.0)
    assert row[PRICE] == 40.0
    assert row[DELTA] == -1.0
    assert not row[2:].any()


@pytest.mark.parametrize("hurt", range(7))
def test_nan_gives_nan_and_nothing_raises(hurt: int) -> None:
    good = [-1.0, 100.0, 100.0, 0.5, 0.2, 0.05, 0.01]
    for bad in (math.nan, math.inf):
        row = list(good)
        row[hurt] = bad
        assert np.isnan(kernel(*row)).all()


@pytest.mark.parametrize(
    "row", [(0, 100, 100, 1, 0.2), (1, -1, 100, 1, 0.2), (1, 100, 0, 1, 0.2), (1, 100, 100, 1, -0.2)]
)
def test_senseless_arguments_give_nan(row: tuple[float, ...]) -> None:
    assert np.isnan(kernel(*row, 0.05, 0.01)).all()


def test_a_nan_row_leaves_its_neighbours_alone() -> None:
    out = np.empty((GREEKS, 3))
    ones = np.ones(3)
    spot = np.array([100.0, math.nan, 100.0])
    american(spot, 100 * ones, ones, 0.2 * ones, 0.05 * ones, 0.02 * ones, -ones, out)
    assert np.isnan(out[:, 1]).all()
    assert out[:, 0].tolist() == out[:, 2].tolist() == kernel(-1, 100.0, 100.0, 1.0, 0.2, 0.05, 0.02).tolist()


def test_extremes_stay_finite_and_between_the_bounds() -> None:
    for tau in (1e-7, 1e-4, 0.1, 10.0):
        for vol in (1e-6, 1e-3, 0.2, 3.0):
            for ratio in (1e-30, 1e-3, 0.5, 0.999, 1.0, 1.001, 2.0, 1e3, 1e30):
                for rate, dividend in ((1e-9, 0.0), (0.05, 0.02), (0.02, 0.3), (0.5, -0.1), (0.0, -0.01)):
                    row = kernel(-1, 100.0 * ratio, 100.0, tau, vol, rate, dividend)
                    told = (tau, vol, ratio, rate, dividend)
                    if max(abs(rate), abs(dividend)) * math.sqrt(tau) > 10.0 * vol and vol * math.sqrt(tau) >= 5e-6:
                        assert np.isnan(row).all() or np.isfinite(row).all(), told
                        continue
                    assert np.isfinite(row).all(), told
                    assert max(100.0 - 100.0 * ratio, 0.0) <= row[PRICE] <= 100.0 + 1e-9, told
                    assert -1.0 - 1e-4 <= row[DELTA] <= 1e-9 or ratio < 1e-20, told
                    assert -1e-6 <= row[VEGA] <= 50.0 * max(ratio, 1.0) * math.sqrt(tau), told
