"""Square-root impact: the majorant lies above the cost and as near as stated; the QP agrees with a cone solver."""

from __future__ import annotations

from dataclasses import replace

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manager.impact import PIECES, breakpoints, impact_cost, pieces_of, worst_error
from manager.netting import Problem, objective, solve
from tests.properties.test_netting_solvers import random_problem

ITERATIONS = 20_000
pytestmark = pytest.mark.filterwarnings("ignore:Solution may be inaccurate")


@settings(max_examples=200)
@given(st.floats(0.5, 1e4), st.floats(0.0, 10.0), st.floats(0.0, 100.0))
def test_chords_lie_above_and_no_further_than_stated(cap: float, impact: float, root: float) -> None:
    caps, eta, kappa = np.array([cap]), np.array([impact]), np.array([root])
    q = breakpoints(caps)[:, 0]
    z = np.linspace(0.0, cap, 2_001)
    exact = impact_cost(z[:, None], eta, kappa)[:, 0]
    chords = np.interp(z, q, impact_cost(q[:, None], eta, kappa)[:, 0])
    gap = chords - exact
    size = max(exact.max(), 1e-12)
    assert gap.min() >= -1e-9 * size
    assert gap.max() <= worst_error(caps, eta, kappa)[0] * (1.0 + 1e-9) + 1e-9 * size


def test_error_at_the_full_size_is_as_documented() -> None:
    """Relative to the impact of the whole cap: 2.4 % for the square root with four pieces."""
    caps, one = np.array([30.0]), np.array([1.0])
    error = worst_error(caps, np.zeros(1), one)[0] / impact_cost(caps, np.zeros(1), one)[0]
    assert error < 0.024


def with_root(seed: int) -> Problem:
    p = random_problem(seed)
    rng = np.random.default_rng(seed + 77)
    return replace(p, root=p.cost * 10.0 ** rng.uniform(-3, 0, len(p.cost)))


def by_cone_solver(p: Problem) -> float:
    """The problem with |z|^1.5 itself, as a power cone."""
    f, m = p.sensitivity.shape
    unit = np.abs(p.sensitivity).max(axis=1)
    buy, sell, r = cp.Variable(m, nonneg=True), cp.Variable(m, nonneg=True), cp.Variable(f)
    chol = np.linalg.cholesky(p.risk * np.outer(unit, unit)).T
    after = p.exposure / unit + (p.sensitivity / unit[:, None]) @ (buy - sell) - r
    lower = np.isfinite(p.lower)
    size = np.maximum(np.abs(p.rows).max(axis=1), 1e-9)
    cost = p.cost @ (buy + sell) + 0.5 * (p.impact @ (cp.square(buy) + cp.square(sell)))
    cost += p.root @ (cp.power(buy, 1.5) + cp.power(sell, 1.5))
    rules = [after <= p.upper / unit, after[lower] >= (p.lower / unit)[lower], buy <= p.buy_cap, sell <= p.sell_cap]
    rules.append((p.rows / size[:, None]) @ cp.hstack([buy, sell]) <= p.room / size)
    problem = cp.Problem(cp.Minimize(cost + (p.kink * unit) @ cp.abs(r) + 0.5 * cp.sum_squares(chol @ r)), rules)
    problem.solve(solver=cp.CLARABEL)
    return float(problem.value)


def test_the_majorant_costs_no_more_than_its_error() -> None:
    for seed in range(30):
        p = with_root(seed)
        found = solve(p, ITERATIONS)
        assert not found.failure
        exact = by_cone_solver(p)
        slack = worst_error(np.maximum(p.buy_cap, p.sell_cap), p.impact, p.root).sum()
        # r is a distance in the metric of W, so the objective's coordinate-wise one is an upper bound of the programme's.
        size, r = np.abs(found.lots), found.residual
        value = p.cost @ size + impact_cost(size, p.impact, p.root).sum() + p.kink @ np.abs(r) + 0.5 * r @ p.risk @ r
        assert exact - 1e-5 * abs(exact) - 1e-4 <= value <= exact + slack + 1e-5 * abs(exact) + 1e-4, seed


def test_one_instrument_stops_where_marginal_impact_meets_the_price() -> None:
    """Minimise c z + κ z^1.5 + w (e - z): z* = ((w - c) / 1.5 κ)² where that is inside; pieces give it to a breakpoint."""
    p = Problem(
        np.array([-100.0]), np.zeros(1), np.zeros(1), np.array([4.0]), np.array([[1e-9]]), np.ones((1, 1)),
        np.ones(1), np.full(1, 1e-9), np.full(1, 64.0), np.full(1, 64.0), np.zeros((0, 2)), np.zeros(0), 1.0,
        np.array([0.5]),
    )  # fmt: skip
    best = ((4.0 - 1.0) / (1.5 * 0.5)) ** 2
    assert best == 16.0
    found = float(solve(p, ITERATIONS).lots[0])
    q = breakpoints(np.array([64.0]))[:, 0]
    assert len(q) == PIECES + 1 and np.abs(q - found).min() < 1e-6
    assert objective(p, np.array([found])) - objective(p, np.array([best])) <= float(
        worst_error(np.array([64.0]), p.impact, p.root)[0]
    )


def test_pieces_keep_caps_and_rows() -> None:
    p = with_root(3)
    cut = pieces_of(p)
    np.testing.assert_allclose(cut.sum(cut.problem.buy_cap), p.buy_cap)
    np.testing.assert_allclose(cut.sum(cut.problem.sell_cap), p.sell_cap)
    assert cut.problem.rows.shape == (len(p.rows), 2 * PIECES * len(p.cost))
