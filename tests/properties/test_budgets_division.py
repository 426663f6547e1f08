"""What is divided adds up, whatever is divided."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from manager import budgets

SEED = st.integers(0, 10_000)


def problem(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    f = int(rng.integers(1, 12))
    a = rng.normal(size=(f, f + 3)) * 10.0 ** rng.uniform(-3, 3, f)[:, None]
    return a @ a.T, rng.uniform(0.05, 1.0, f)


@settings(max_examples=60, deadline=None)
@given(SEED)
def test_contributions_add_up_to_the_risk(seed: int) -> None:
    c, x = problem(seed)
    assert budgets.risk_contributions(x, c).sum() == pytest.approx(np.sqrt(x @ c @ x), rel=1e-9)
    rng = np.random.default_rng(seed)
    pnl = rng.standard_t(4, size=(300, len(x)))
    total = pnl.sum(axis=1)
    worst = -np.sort(total)[: round(300 * 0.05)].mean()
    assert budgets.cvar_contributions(pnl, 0.95).sum() == pytest.approx(worst, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(SEED)
@example(1831)  # two of the four seeds that take more than 500 sweeps
@example(6708)
def test_every_share_is_met_and_the_risk_is_one(seed: int) -> None:
    c, b = problem(seed)
    for matrix in (c, np.abs(c)):
        x = budgets.budgeted(matrix, b)
        assert (x > 0.0).all() and x @ matrix @ x == pytest.approx(1.0, rel=1e-7)
        assert budgets.risk_contributions(x, matrix) == pytest.approx(b / b.sum(), abs=1e-7)


@settings(max_examples=60, deadline=None)
@given(SEED, st.floats(0.01, 10.0))
def test_bounds_hold_and_the_budget_is_never_exceeded_unless_the_floors_do(seed: int, risk: float) -> None:
    c, b = problem(seed)
    c = np.abs(c)
    rng = np.random.default_rng(seed)
    x = budgets.budgeted(c, b)
    least, most = x * rng.uniform(0, 0.3, len(x)), x * rng.uniform(0.2, 5, len(x))
    got = budgets.within(x, least, most, c, risk)
    floor = np.minimum(least, most)
    assert (got >= floor * (1 - 1e-12)).all() and (got <= most * (1 + 1e-12)).all()
    used, floors = np.sqrt(got @ c @ got), np.sqrt(floor @ c @ floor)
    assert used <= max(risk, floors) * (1 + 1e-9)
    if not np.allclose(got, most) and floors < risk:
        assert used == pytest.approx(risk, rel=1e-6)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 10**12),
    st.lists(st.tuples(st.integers(0, 10**9), st.floats(0, 1e6), st.integers(0, 10**12)), min_size=1, max_size=6),
)
def test_cents_are_never_more_than_there_are_nor_above_a_ceiling(total: int, rows: list[tuple]) -> None:
    least, want, most = (list(x) for x in zip(*rows, strict=True))
    got = budgets.divided(total, least, want, most)
    assert all(g >= a for g, a in zip(got, least, strict=True))
    assert all(g <= max(m, a) for g, a, m in zip(got, least, most, strict=True))
    assert sum(got) <= max(total, sum(least))
    if any(g < m and w > 0 for g, w, m in zip(got, want, most, strict=True)):
        assert sum(got) >= min(total, sum(got)) and sum(got) == max(total, sum(least))


@settings(max_examples=100, deadline=None)
@given(SEED, st.floats(0.0, 0.99))
def test_moving_unused_budget_keeps_the_sum_and_takes_from_nobody_who_needs_it(seed: int, transfer: float) -> None:
    rng = np.random.default_rng(seed)
    f = int(rng.integers(1, 10))
    share = rng.dirichlet(np.ones(f))
    used, worth = np.minimum(rng.uniform(0, 1.4, f), 1.0), rng.uniform(0, 5, f) * (rng.random(f) < 0.7)
    new = budgets.shifted(share, used, worth, transfer)
    assert new.sum() == pytest.approx(1.0) and (new > 0.0).all()
    assert (new[used >= 1.0] >= share[used >= 1.0] - 1e-12).all()
    assert (new >= share * used - 1e-12).all()
