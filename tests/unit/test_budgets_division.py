"""Division of budgets against closed forms, scipy's optimiser and Euler's theorem."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from manager import budgets
from manager.budgets_tail import pnl_states


def cov(sd: np.ndarray, corr: np.ndarray) -> np.ndarray:
    return corr * np.outer(sd, sd)


def test_two_assets_have_equal_risk_at_inverse_volatility_whatever_the_correlation() -> None:
    """Maillard, Roncalli and Teiletche (2010): x ∝ 1/σ for two assets."""
    sd = np.array([0.2, 0.05])
    for rho in (-0.6, 0.0, 0.9):
        x = budgets.equal(cov(sd, np.array([[1.0, rho], [rho, 1.0]])))
        assert x[0] / x[1] == pytest.approx(sd[1] / sd[0], rel=1e-8)


def test_uncorrelated_budgets_are_root_share_over_volatility() -> None:
    sd, b = np.array([0.1, 0.3, 0.7, 1.1]), np.array([0.1, 0.2, 0.3, 0.4])
    x = budgets.budgeted(np.diag(sd**2), b)
    assert x == pytest.approx(np.sqrt(b) / sd, rel=1e-9)


def test_equal_correlation_gives_equal_budgets_at_inverse_volatility() -> None:
    n, sd = 6, np.linspace(0.1, 0.9, 6)
    corr = np.full((n, n), 0.4)
    np.fill_diagonal(corr, 1.0)
    x = budgets.equal(cov(sd, corr))
    assert x * sd == pytest.approx(np.full(n, (x * sd)[0]), rel=1e-9)


def test_the_descent_finds_what_scipy_finds() -> None:
    """Spinu's convex programme ½ x'Cx - Σ b ln x, solved by another solver."""
    rng = np.random.default_rng(3)
    for _ in range(5):
        a = rng.normal(size=(8, 12))
        c, b = a @ a.T / 12.0, rng.uniform(0.2, 1.0, 8)
        b /= b.sum()
        x = budgets.budgeted(c, b)
        found = minimize(
            lambda y, c=c, b=b: 0.5 * y @ c @ y - b @ np.log(y),
            np.ones(8),
            jac=lambda y, c=c, b=b: c @ y - b / y,
            bounds=[(1e-6, None)] * 8,
            method="L-BFGS-B",
            options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 5_000},
        )
        assert x == pytest.approx(found.x / np.sqrt(found.x @ c @ found.x), rel=1e-5)


def test_shares_of_the_tail_are_those_of_the_variance_where_everything_is_normal() -> None:
    rng = np.random.default_rng(1)
    sd = np.array([1.0, 2.0, 0.5])
    pnl = rng.standard_normal((200_000, 3)) * sd
    x = budgets.cvar_budgeted(pnl, np.ones(3), 0.975)
    assert x * sd == pytest.approx(np.full(3, (x * sd).mean()), rel=0.03)
    parts = budgets.cvar_contributions(pnl * x, 0.975)
    assert parts.sum() == pytest.approx(1.0, rel=1e-6) and parts == pytest.approx(np.full(3, 1 / 3), abs=2e-3)


def test_a_short_gamma_gets_less_of_a_budget_of_the_tail_than_of_variance() -> None:
    returns = np.array([[1e-4]])
    drawn = pnl_states(("delta", "gamma"), np.zeros(2, np.int64), np.eye(2), returns, 20_000, 1)
    c = np.cov(drawn.T)
    assert np.sqrt(c[0, 0]) == pytest.approx(0.01, rel=0.03)
    # Var of ½ 100 (R² - σ²) is ½ (100 σ²)²: Isserlis.
    assert np.sqrt(c[1, 1]) == pytest.approx(100.0 * 1e-4 / np.sqrt(2.0), rel=0.05)
    by_variance = budgets.equal(np.abs(c))
    by_tail = budgets.cvar_budgeted(drawn * np.array([1.0, -1.0]), np.ones(2), 0.975)
    assert by_tail[1] / by_tail[0] < 0.9 * by_variance[1] / by_variance[0]


def test_the_common_factor_and_the_rest_are_the_return_again() -> None:
    returns = np.array([[1.0, 0.5], [0.5, 1.0]])
    both = pnl_states(("delta", "delta", "factor"), np.array([0, 1, 0]), np.eye(3), returns, 50, 2)
    alone = pnl_states(("delta", "delta"), np.array([0, 1]), np.eye(2), returns, 50, 2)
    x = np.array([3.0, -1.0])
    assert both @ np.append(x, x.sum()) == pytest.approx(alone @ x)


def test_what_a_bound_cuts_goes_to_the_rest() -> None:
    c = np.eye(3)
    x = budgets.within(np.ones(3), np.zeros(3), np.array([0.1, 9.0, 9.0]), c, 1.0)
    assert x[0] == 0.1 and x[1] == x[2] and x @ x == pytest.approx(1.0)
    assert budgets.within(np.ones(3), np.full(3, 2.0), np.full(3, 9.0), c, 1.0) == pytest.approx(np.full(3, 2.0))
    assert budgets.within(np.ones(3), np.zeros(3), np.full(3, 0.1), c, 1.0) == pytest.approx(np.full(3, 0.1))


def test_unused_budget_goes_where_more_is_worth_most() -> None:
    share, used = np.array([0.5, 0.3, 0.2]), np.array([0.2, 1.0, 1.0])
    new = budgets.shifted(share, used, np.array([9.0, 1.0, 3.0]), 0.5)
    assert new.sum() == pytest.approx(1.0) and new[0] == pytest.approx(0.3)
    assert (new[2] - 0.2) / (new[1] - 0.3) == pytest.approx(0.2 * 3.0 / (0.3 * 1.0))
    same = budgets.shifted(share, used, np.zeros(3), 0.5)
    assert same == pytest.approx(share)


def test_money_is_divided_by_water_filling_to_the_cent() -> None:
    assert budgets.divided(100, [10, 20, 0], [1.0, 1.0, 2.0], [1000, 1000, 1000]) == [28, 37, 35]
    assert budgets.divided(100, [0, 0], [1.0, 1.0], [10, 1000]) == [10, 90]
    assert budgets.divided(10, [8, 9], [1.0, 1.0], [100, 100]) == [8, 9]
    assert budgets.divided(100, [0, 0], [0.0, 0.0], [10, 10]) == [0, 0]


def test_senseless_input_is_refused() -> None:
    for c, b in ((np.eye(2), np.array([1.0, 0.0])), (np.diag([1.0, 0.0]), np.ones(2)), (np.eye(2), np.ones(3))):
        with pytest.raises(ValueError, match="positive"):
            budgets.budgeted(c, b)
    with pytest.raises(ValueError, match="no budget"):
        budgets.cvar_budgeted(np.ones((100, 1)), np.ones(1), 0.95)


def test_budgets_that_hardly_moved_are_steady() -> None:
    old = np.array([1.0, 10.0])
    assert budgets.steady(old, old * 1.05, 0.1) and not budgets.steady(old, old * np.array([1.0, 1.2]), 0.1)
    assert not budgets.steady(np.array([np.inf, 1.0]), old, 0.1) and not budgets.steady(np.ones(1), old, 0.1)
