"""Several desks: the QP against Clarabel as the equations stand, whole lots against every trade, and what theory says."""

from __future__ import annotations

import itertools

import cvxpy as cp
import numpy as np
import pytest

from manager.books_lots import allowed_books, round_books
from manager.books_qp import FIRM, BooksProblem, objective_books, solve_books
from manager.netting import Problem, solve
from tests.properties.test_netting_solvers import random_problem

ITERATIONS = 20_000
TIGHT = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11}
pytestmark = pytest.mark.filterwarnings("ignore:Solution may be inaccurate")


def books_problem(seed: int, firm_factors: bool = True) -> BooksProblem:
    """A random problem whose factors are dealt to 2 to 4 desks, some to the firm; desks have rows of their own."""
    rng = np.random.default_rng(seed)
    shared = random_problem(seed)
    f, m = shared.sensitivity.shape
    books = int(rng.integers(2, 5))
    book = rng.integers(FIRM if firm_factors else 0, books, f)
    own_book = np.arange(books)
    own_rows = rng.random((books, 2 * m)) * (rng.random((books, 2 * m)) < 0.4)
    own_room = rng.uniform(0.0, 60.0, books)
    return BooksProblem(shared, book, books, 1e-4 * shared.cost, own_rows, own_room, own_book)


def by_clarabel(p: BooksProblem) -> float:
    q, (f, m) = p.shared, p.shared.sensitivity.shape
    unit = np.abs(q.sensitivity).max(axis=1)
    s = q.sensitivity / unit[:, None]
    buy = [cp.Variable(m, nonneg=True) for _ in range(p.books)]
    sell = [cp.Variable(m, nonneg=True) for _ in range(p.books)]
    up, down, r = cp.Variable(m, nonneg=True), cp.Variable(m, nonneg=True), cp.Variable(f)
    x = [a - b for a, b in zip(buy, sell, strict=True)]
    root = np.linalg.cholesky(q.risk * np.outer(unit, unit)).T
    rules = [sum(x) == up - down, up <= q.buy_cap, down <= q.sell_cap]
    for i in range(f):
        after = q.exposure[i] / unit[i] + s[i] @ ((up - down) if p.book[i] == FIRM else x[p.book[i]]) - r[i]
        rules.append(after <= q.upper[i] / unit[i])
        if np.isfinite(q.lower[i]):
            rules.append(after >= q.lower[i] / unit[i])
    size = np.maximum(np.abs(q.rows).max(axis=1), 1e-9)
    rules.append((q.rows / size[:, None]) @ cp.hstack([up, down]) <= q.room / size)
    for k, d in enumerate(p.own_book):
        rules.append(p.own_rows[k, :m] @ buy[d] + p.own_rows[k, m:] @ sell[d] <= p.own_room[k])
    # The ridge that makes the split unique stands in the programme as well.
    ridge = 5e-4 * sum(p.crossing_cost @ (cp.square(a) + cp.square(b)) for a, b in zip(buy, sell, strict=True))
    cost = q.cost @ (up + down) + 0.5 * (q.impact @ (cp.square(up) + cp.square(down)))
    cost += sum(p.crossing_cost @ (a + b) for a, b in zip(buy, sell, strict=True)) + ridge
    problem = cp.Problem(cp.Minimize(cost + (q.kink * unit) @ cp.abs(r) + 0.5 * cp.sum_squares(root @ r)), rules)
    problem.solve(solver=cp.CLARABEL, **TIGHT)
    return float(problem.value)


def assert_feasible(p: BooksProblem, lots: np.ndarray, seed: int) -> None:
    """Caps and rows hold to the solver's tolerance; whole lots are held to the last digit below."""
    q, z = p.shared, lots.sum(axis=0)
    both = np.concatenate([np.maximum(z, 0.0), np.maximum(-z, 0.0)])
    assert (both <= np.concatenate([q.buy_cap, q.sell_cap]) + 1e-6).all(), seed
    assert (q.rows @ both <= q.room + 1e-6 * np.maximum(np.abs(q.rows).max(axis=1), q.room)).all(), seed
    for k, d in enumerate(p.own_book):
        mine = np.concatenate([np.maximum(lots[d], 0.0), np.maximum(-lots[d], 0.0)])
        assert p.own_rows[k] @ mine <= p.own_room[k] + 1e-5, seed


def own_value(p: BooksProblem, lots: np.ndarray, residual: np.ndarray) -> float:
    """Objective of the programme with the solution's own r and its ridge."""
    q, size = p.shared, np.abs(lots.sum(axis=0))
    ridge = 5e-4 * float(p.crossing_cost @ (lots**2).sum(axis=0))
    trading = q.cost @ size + 0.5 * q.impact @ size**2 + p.crossing_cost @ np.abs(lots).sum(axis=0)
    return float(trading + ridge + q.kink @ np.abs(residual) + 0.5 * residual @ q.risk @ residual)


@pytest.mark.parametrize("block", range(5))
def test_same_objective_as_clarabel_on_100_problems(block: int) -> None:
    for seed in range(20 * block, 20 * block + 20):
        p = books_problem(seed)
        s = solve_books(p, ITERATIONS)
        assert not s.failure, seed
        assert_feasible(p, s.lots, seed)
        assert own_value(p, s.lots, s.residual) == pytest.approx(by_clarabel(p), rel=1e-6, abs=5e-5), seed


def test_one_desk_is_the_problem_of_one_book() -> None:
    for seed in range(40):
        q = random_problem(seed)
        none = np.zeros((0, 2 * len(q.cost)))
        book = np.zeros(len(q.exposure), np.int64)
        p = BooksProblem(q, book, 1, 1e-7 * q.cost, none, np.zeros(0), np.zeros(0, np.int64))
        found, expected = solve_books(p, ITERATIONS), solve(q, ITERATIONS)
        np.testing.assert_allclose(found.lots[0], expected.lots, atol=5e-3)


def small(seed: int) -> BooksProblem:
    rng = np.random.default_rng(seed)
    m, f = 2, 3
    s = rng.normal(size=(f, m)) + 1.0
    q = Problem(
        rng.normal(size=f) * 3.0, np.full(f, -0.3), np.full(f, 0.3), rng.uniform(1.0, 6.0, f),
        np.diag(rng.uniform(0.05, 1.0, f)), s, rng.uniform(0.5, 2.0, m), np.full(m, 1e-3),
        np.full(m, 3.0), np.full(m, 3.0), rng.random((1, 2 * m)), rng.uniform(1.0, 6.0, 1), 1.0,
    )  # fmt: skip
    own = rng.random((2, 2 * m))
    return BooksProblem(q, np.array([0, 1, FIRM]), 2, 1e-3 * q.cost, own, rng.uniform(1.0, 6.0, 2), np.array([0, 1]))


def test_whole_lots_are_allowed_and_near_the_best_of_every_trade() -> None:
    """Single lots and crossings are not every move; what that leaves on the table, as a share of what can be gained."""
    left = []
    for seed in range(100, 130):
        p = small(seed)
        whole = round_books(p, solve_books(p, ITERATIONS).lots, 0.0).astype(float)
        nothing = objective_books(p, np.zeros((2, 2)))
        assert allowed_books(p, whole) and objective_books(p, whole) <= nothing
        trades = (np.array(t, float).reshape(2, 2) for t in itertools.product(range(-4, 5), repeat=4))
        best = min(objective_books(p, t) for t in trades if allowed_books(p, t))
        left.append(max(objective_books(p, whole) - best, 0.0) / max(nothing - best, 1e-9))
    assert np.mean(left) < 0.05 and max(left) < 0.35


@pytest.mark.parametrize("seed", [3, 20, 53, 91, 145, 167, 182, 230])
def test_no_lot_of_one_desk_and_no_crossing_is_left_that_pays(seed: int) -> None:
    """Where it takes more than two moves per desk and instrument; some used to end at nearly twice the objective."""
    p = books_problem(seed)
    whole = round_books(p, solve_books(p, ITERATIONS).lots, 0.0).astype(float)
    reached = objective_books(p, whole)
    desks, m = whole.shape
    assert whole.any() and allowed_books(p, whole)
    for j, d, e, one in itertools.product(range(m), range(desks), range(-1, desks), (1.0, -1.0)):
        trial = whole.copy()
        trial[d, j] += one
        if e >= 0:
            trial[e, j] -= one
        assert not allowed_books(p, trial) or objective_books(p, trial) >= reached * (1.0 - 2e-9)


@pytest.mark.parametrize("desks", [4, 16])
def test_netting_saves_what_theory_says(desks: int) -> None:
    """Symmetric independent Gaussian demands, zero width, linear cost: E cost falls by 1 - 1/√M."""
    rng = np.random.default_rng(2_024)
    external = alone = 0.0
    for _ in range(400):
        wish = np.rint(rng.normal(0.0, 300.0, desks))
        q = Problem(
            -wish, np.zeros(desks), np.zeros(desks), np.full(desks, 50.0), 1e-3 * np.eye(desks), np.ones((desks, 1)),
            np.ones(1), np.full(1, 1e-9), np.full(1, 1e6), np.full(1, 1e6), np.zeros((0, 2)), np.zeros(0), 1.0,
        )  # fmt: skip
        none = np.zeros((0, 2))
        p = BooksProblem(q, np.arange(desks), desks, np.full(1, 1e-4), none, np.zeros(0), np.zeros(0, np.int64))
        lots = round_books(p, solve_books(p, ITERATIONS).lots, 0.0)
        np.testing.assert_array_equal(lots[:, 0], wish)
        external += abs(int(lots.sum()))
        alone += np.abs(wish).sum()
    assert 1.0 - external / alone == pytest.approx(1.0 - desks**-0.5, rel=0.05)
