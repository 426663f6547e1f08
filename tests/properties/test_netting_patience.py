"""What may wait: by hand on one factor, and on random problems against the solve of everything at once and against Clarabel."""

from __future__ import annotations

from dataclasses import replace

import cvxpy as cp
import numpy as np
import pytest

from manager import patience
from manager.books_lots import allowed_books, round_books
from manager.books_patience import decide_books_lots, later_of_books
from manager.books_qp import BooksProblem, objective_books
from manager.books_solve import solve_few
from manager.config import Patience
from manager.lots import allowed, round_lots
from manager.netting import Problem, Solution, objective, solve
from manager.patience import Later, decide_lots, later_of, widened, would_wait
from tests.properties.test_netting_books import books_problem
from tests.properties.test_netting_solvers import random_problem

LIMIT = 20_000
SOON = Patience(displays=10.0, horizon_share=0.005)
NEVER = Patience(displays=0.0, horizon_share=0.005)
WEIGHT = 1e-6


def one_factor(exposure: float, shown: tuple[float, float], cost: tuple[float, float], kink: float = 10.0) -> Problem:
    """Two instruments of one unit a lot on one factor; nothing limits but what is shown."""
    caps = np.array(shown)
    return Problem(
        exposure=np.array([exposure]),
        lower=np.array([-1.0]),
        upper=np.array([1.0]),
        kink=np.array([kink]),
        risk=np.array([[WEIGHT]]),
        sensitivity=np.ones((1, 2)),
        cost=np.array(cost),
        impact=np.full(2, 1e-6),
        buy_cap=caps,
        sell_cap=caps,
        rows=np.zeros((0, 4)),
        room=np.zeros(0),
        spread=1.0,
    )


def lots_of(p: Problem, patience: Patience = SOON, forced: bool = False) -> list[int]:
    later = later_of(p, p.buy_cap, p.sell_cap, patience)
    return decide_lots(p, later, np.full(len(p.exposure), forced), LIMIT, 0.0)[1].tolist()


def test_the_dear_waits_for_the_cheap_to_be_shown_again() -> None:
    p = one_factor(51.0, (10.0, 1_000.0), (1.0, 2.0))
    assert lots_of(p, NEVER) == [-10, -40], "all there will ever be"
    assert lots_of(p) == [-10, 0], "the cheap now; 40 more of it are shown in a while"


def test_what_more_displays_than_the_patience_has_could_not_fill_is_taken_now() -> None:
    # Ten now and ten times ten later at 1; of 131 outside the interval the dear gives the last 20.
    assert lots_of(one_factor(131.0, (10.0, 1_000.0), (1.0, 2.0))) == [-10, -20]


def test_it_waits_as_long_as_waiting_is_cheaper_than_the_dear() -> None:
    """Waiting a lot costs W r × share: at 50 outside it is the difference of the costs where W = 1 / (50 share)."""
    even = 1.0 / (50.0 * SOON.horizon_share)
    base = one_factor(51.0, (10.0, 1_000.0), (1.0, 2.0), kink=1e4)
    assert lots_of(replace(base, risk=np.array([[0.97 * even]]))) == [-10, 0]
    assert lots_of(replace(base, risk=np.array([[1.03 * even]]))) == [-10, -40]


def test_a_broken_limit_does_not_wait() -> None:
    assert lots_of(one_factor(51.0, (10.0, 1_000.0), (1.0, 2.0)), forced=True) == [-10, -40]


def test_one_instrument_and_what_shows_again_of_it_is_ordered_as_ever() -> None:
    p = one_factor(31.0, (100.0, 0.0), (1.0, 2.0))
    assert lots_of(p) == lots_of(p, NEVER) == [-30, 0]


def test_a_row_of_which_a_lot_takes_next_to_nothing_binds_nothing() -> None:
    """A sensitivity of 1e-310 is a number too; what a row allows of it is without bound, and no warning."""
    p = one_factor(51.0, (10.0, 1_000.0), (1.0, 2.0))
    assert lots_of(replace(p, rows=np.full((1, 4), 1e-310), room=np.array([1e6]))) == lots_of(p)


def test_what_rows_never_allow_is_not_waited_for() -> None:
    """Nothing of the cheap may be ordered: a row holds it. Then the dear does what there is to do."""
    p = one_factor(51.0, (10.0, 1_000.0), (1.0, 2.0))
    held = replace(p, rows=np.array([[1.0, 0.0, 1.0, 0.0]]), room=np.zeros(1))
    assert lots_of(held) == [0, -50]


def by_clarabel(p: Problem, later: Later) -> float:
    """The equations with both columns, as they stand in the module."""
    f, m = p.sensitivity.shape
    unit = np.abs(p.sensitivity).max(axis=1)
    up, down, more, less = (cp.Variable(m, nonneg=True) for _ in range(4))
    r = cp.Variable(f)
    after = p.exposure / unit + (p.sensitivity / unit[:, None]) @ (up - down + more - less) - r
    size = np.maximum(np.abs(p.rows).max(axis=1), 1e-9)
    rules = [
        after <= p.upper / unit, up <= p.buy_cap, down <= p.sell_cap, more <= later.buy, less <= later.sell,
        (p.rows / size[:, None]) @ cp.hstack([up, down]) <= p.room / size,
    ]  # fmt: skip
    bounded = np.flatnonzero(np.isfinite(p.lower))
    rules.append(after[bounded] >= (p.lower / unit)[bounded])
    tiny = 5e-7 * later.cost @ (cp.square(more) + cp.square(less))
    cost = (
        p.cost @ (up + down) + 0.5 * (p.impact @ (cp.square(up) + cp.square(down))) + later.cost @ (more + less) + tiny
    )
    root = np.linalg.cholesky(p.risk * np.outer(unit, unit)).T
    problem = cp.Problem(cp.Minimize(cost + (p.kink * unit) @ cp.abs(r) + 0.5 * cp.sum_squares(root @ r)), rules)
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    return float(problem.value)


@pytest.mark.filterwarnings("ignore:Solution may be inaccurate")
def test_the_wider_problem_is_the_one_of_the_equations() -> None:
    compared = 0
    for seed in range(24):
        p = random_problem(seed)
        if p.root.any():
            continue
        later = later_of(p, np.ceil(p.buy_cap), np.ceil(p.sell_cap), SOON)
        wide = widened(p, later, np.zeros(len(p.exposure), np.bool_))
        found = solve(wide, LIMIT)
        assert not found.failure
        wanted = by_clarabel(p, later)
        # In the metric of W the residual may lie inside the box's nearest point: the solver's own residual counts.
        r, size = found.residual, np.abs(found.lots)
        value = wide.cost @ size + 0.5 * wide.impact @ size**2 + p.kink @ np.abs(r) + 0.5 * r @ p.risk @ r
        assert value == pytest.approx(wanted, rel=2e-6, abs=1e-6)
        compared += 1
    assert compared >= 6


def test_where_nothing_would_wait_the_first_solve_is_the_optimum_of_both() -> None:
    kept = waited = 0
    for seed in range(60):
        p, none = random_problem(seed), np.zeros(len(random_problem(seed).exposure), np.bool_)
        later = later_of(p, np.ceil(p.buy_cap), np.ceil(p.sell_cap), SOON)
        now = solve(p, LIMIT)
        both = solve(widened(p, later, none), LIMIT)
        m = len(p.cost)
        if would_wait(p, later, now.price, none):
            waited += 1
            continue
        kept += 1
        assert np.abs(both.lots[m:]).max() < 1e-5
        np.testing.assert_allclose(both.lots[:m], now.lots, atol=1e-4)
    assert kept > 5 and waited > 5


def test_an_order_list_lowers_the_objective_by_itself_and_stays_inside_every_row() -> None:
    ordered = 0
    for seed in range(80):
        p, none = random_problem(seed), np.zeros(len(random_problem(seed).exposure), np.bool_)
        lots = decide_lots(p, later_of(p, np.ceil(p.buy_cap), np.ceil(p.sell_cap), SOON), none, LIMIT, 0.0)[1]
        trade = lots.astype(float)
        assert allowed(p, trade)
        assert not lots.any() or objective(p, trade) < objective(p, np.zeros_like(trade))
        ordered += bool(lots.any())
    assert ordered > 25


def test_the_iterations_told_are_those_of_every_solve(monkeypatch: pytest.MonkeyPatch) -> None:
    """One to four solves make a decision; what the record says of their work is the sum, and no solve gets more than is left."""
    spent: list[int] = []
    solves: set[int] = set()

    def counted(p: Problem, limit: int, warm: tuple[np.ndarray, np.ndarray] | None = None) -> Solution:
        assert limit == max(LIMIT - sum(spent), 1)
        found = solve(p, limit, warm)
        spent.append(found.iterations)
        return found

    monkeypatch.setattr(patience, "solve", counted)
    for seed in range(80):
        p = random_problem(seed)
        none = np.zeros(len(p.exposure), np.bool_)
        spent.clear()
        found = decide_lots(p, later_of(p, np.ceil(p.buy_cap), np.ceil(p.sell_cap), SOON), none, LIMIT, 0.0)[0]
        assert found.iterations == sum(spent)
        solves.add(len(spent))
    assert {1, 2, 3} <= solves


def test_without_displays_to_come_it_is_the_solve_of_now() -> None:
    for seed in range(40):
        p, none = random_problem(seed), np.zeros(len(random_problem(seed).exposure), np.bool_)
        lots = decide_lots(p, later_of(p, p.buy_cap, p.sell_cap, NEVER), none, LIMIT, 0.0)[1]
        assert lots.tolist() == round_lots(p, solve(p, LIMIT).lots, 0.0).tolist()


def two_desks(exposure: tuple[float, float]) -> BooksProblem:
    """The problem above for two desks with a factor each."""
    p = one_factor(0.0, (10.0, 1_000.0), (1.0, 2.0))
    shared = replace(
        p,
        exposure=np.array(exposure),
        lower=np.full(2, -1.0),
        upper=np.full(2, 1.0),
        kink=np.full(2, 10.0),
        risk=WEIGHT * np.eye(2),
        sensitivity=np.ones((2, 2)),
    )
    return BooksProblem(
        shared, np.array([0, 1]), 2, np.full(2, 1e-4), np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64)
    )


def books_lots(p: BooksProblem, patience: Patience = SOON) -> np.ndarray:
    later = later_of_books(p, p.shared.buy_cap, p.shared.sell_cap, patience)
    none = np.zeros(len(p.shared.exposure), np.bool_)
    return decide_books_lots(p, later, none, LIMIT, 0.0)[1]


def test_desks_wait_together_and_cross_at_once() -> None:
    both_long = two_desks((31.0, 21.0))
    assert books_lots(both_long, NEVER).sum(axis=0).tolist() == [-10, -40]
    assert books_lots(both_long).sum(axis=0).tolist() == [-10, 0]
    opposite = books_lots(two_desks((31.0, -31.0)))
    assert opposite.sum(axis=0).tolist() == [0, 0]
    assert np.abs(opposite.sum(axis=1)).tolist() == [30, 30], "what cancels is free now: nobody waits for it"


def test_order_lists_of_desks_lower_the_objective_and_stay_inside() -> None:
    ordered = 0
    for seed in range(20):
        p = books_problem(seed)
        lots = books_lots(p)
        trade = lots.astype(float)
        assert allowed_books(p, trade)
        assert not lots.any() or objective_books(p, trade) < objective_books(p, np.zeros_like(trade))
        ordered += bool(lots.any())
        same = round_books(p, solve_few(p, LIMIT).lots, 0.0)
        assert books_lots(p, NEVER).tolist() == same.tolist()
    assert ordered > 7
