"""W against simulated P&L, and w against hand-worked costs."""

from __future__ import annotations

import numpy as np
import pytest

from common import factors
from manager.config import ManagerConfig
from manager.exposures import factor_names
from manager.risk_price import RiskPrice, kinks
from tests.manager_world import sensitivity, universe

WORLD = universe()
NAMES = factor_names(WORLD)
CONFIG = ManagerConfig(correlation_shrink=1e-9, horizon_days=1.0)
PRICE = RiskPrice(WORLD, NAMES, CONFIG)
SIGMA = np.array([0.010, 0.013])
A = 3e-6
#: Beta of NDX to the common factor; SPX has 1.
BETA = 1.2


def matrix(names: list[str]) -> np.ndarray:
    rows = np.array([NAMES.index(n) for n in names])
    table = np.full((len(NAMES), len(WORLD)), np.nan)
    table[[NAMES.index(factors.COMMON), NAMES.index("delta:SPX"), NAMES.index("delta:NDX")]] = sensitivity(
        WORLD, [factors.COMMON, "delta:SPX", "delta:NDX"], range(len(WORLD))
    )
    table[NAMES.index(factors.COMMON), 1] *= BETA
    return PRICE.matrix(rows, A, SIGMA, table)


def simulated_returns(n: int = 400_000) -> np.ndarray:
    cov = np.outer(SIGMA, SIGMA) * np.array([[1.0, 0.9], [0.9, 1.0]])
    return np.random.default_rng(1).multivariate_normal([0.0, 0.0], cov, n)


def test_delta_and_gamma_are_a_times_the_variance_of_simulated_pnl() -> None:
    r = simulated_returns()
    delta, gamma = np.array([2e6, -1e6]), np.array([-3e5, 1e5])
    w = matrix(["delta:SPX", "delta:NDX"])
    assert delta @ w @ delta == pytest.approx(A * np.var(r @ delta), rel=0.01)
    w = matrix(["gamma:SPX", "gamma:NDX"])
    pnl = 0.5 * (r**2) @ (100.0 * gamma)
    assert gamma @ w @ gamma == pytest.approx(A * np.var(pnl), rel=0.02)


def test_a_dollar_of_variance_is_charged_once_when_the_common_factor_is_stated() -> None:
    names = ["delta:SPX", "delta:NDX", factors.COMMON]
    w, full = matrix(names), matrix(names[:2])
    for delta in (np.array([2e6, -1e6]), np.array([1e6, 1e6]), np.array([0.0, 3e6])):
        both = np.append(delta, delta @ [1.0, BETA])
        assert both @ w @ both == pytest.approx(delta @ full @ delta, rel=1e-6)


def test_vega_falls_with_the_distance_of_buckets_and_the_whole_is_positive_definite() -> None:
    near = [factors.vega("SPX", b) for b in ("8-30d", "31-60d", "1-2y")]
    w = matrix(near)
    corr = w / np.sqrt(np.outer(np.diag(w), np.diag(w)))
    assert 1.0 > corr[0, 1] > corr[0, 2] > 0.0
    assert w[0, 0] == pytest.approx(A * (1.2 * (30 / 18) ** 0.5) ** 2)
    names = [n for n in NAMES if not n.startswith("proxy")]
    shrunk = RiskPrice(WORLD, NAMES, ManagerConfig())
    table = np.full((len(NAMES), len(WORLD)), np.nan)
    full = shrunk.matrix(np.array([NAMES.index(n) for n in names]), A, SIGMA, table)
    scale = np.sqrt(np.diag(full))
    assert np.linalg.eigvalsh(full / np.outer(scale, scale)).min() >= 0.05 - 1e-9


def test_kink_is_twice_the_dearest_admissible() -> None:
    s = np.array([[2.0, 1.0, 0.1, 0.0], [0.0, 0.0, 5.0, 0.0]])
    cost = np.array([4.0, 5.0, 1.0, 1.0])
    w, dearest = kinks(s, cost, np.array([True, True]), 2.0, 3.0)
    np.testing.assert_allclose(w, [2 * 5.0, 2 * 0.2])  # 2, 5 and 10 a unit: the last is above 3 × 2
    np.testing.assert_allclose(dearest, [5.0, 0.2])
    w, _ = kinks(s, cost, np.array([False, True]), 2.0, 3.0)
    assert w[0] == 0.0
    w, _ = kinks(np.zeros((1, 0)), np.zeros(0), np.array([True]), 2.0, 3.0)
    assert w.tolist() == [0.0]
