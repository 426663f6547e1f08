"""The kernels of a decision against plain array formulas of the same thing."""

from __future__ import annotations

import numpy as np
import pytest

from common.kernels import netting as kernels
from common.kernels import programme, programme_packed
from common.messages import F64
from manager.netting import Problem, columns, objective, outside, room_of, standing_price
from manager.problem import whole_lot_may_pay
from manager.qp import FREE, NEGATIVE, RIDGE, Answer, Bools, Part, Programme
from manager.risk_price import kinks


def problem(seed: int, f: int = 6, m: int = 9) -> Problem:
    """A desk with some factors outside and some inside, a limit that binds and one that cannot."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(f, f))
    s = rng.normal(size=(f, m)) * (rng.random((f, m)) < 0.6)
    s[np.arange(f), np.arange(f)] = 1.0
    width = rng.uniform(0.1, 3.0, f)
    caps = rng.integers(0, 6, (2, m)).astype(float)
    rows = np.abs(rng.normal(size=(3, 2 * m)))
    return Problem(
        exposure=rng.normal(size=f) * 5.0,
        lower=-width,
        upper=width,
        kink=rng.uniform(0.0, 2.0, f),
        risk=root @ root.T + np.eye(f),
        sensitivity=s,
        cost=rng.uniform(0.1, 1.0, m),
        impact=rng.uniform(0.01, 0.1, m),
        buy_cap=caps[0],
        sell_cap=caps[1],
        rows=rows,
        room=np.array([5.0, 1e9, 20.0]),
        spread=0.1,
        root=rng.uniform(0.0, 0.1, m),
    )


def opened(p: Problem, warm: tuple[F64, F64] | None = None) -> tuple[F64, Bools, F64, F64]:
    """The programme packed, the columns to begin with, multipliers of columns and rows."""
    f, m = p.sensitivity.shape
    start = (np.zeros(m), np.zeros(f)) if warm is None else warm
    given = *columns(p)[:8], *room_of(p), p.spread, RIDGE, FREE
    return programme_packed.opened(*given, warm is not None, *start, 0.8, 8)


@pytest.mark.parametrize("seed", range(8))
def test_objective_and_standing_price_are_the_formulas(seed: int) -> None:
    p = problem(seed)
    z = np.round(np.random.default_rng(seed).normal(size=len(p.cost)) * 2.0)
    r = outside(p.exposure + p.sensitivity @ z, p.lower, p.upper)
    size = np.abs(z)
    want = (
        p.cost @ size + (0.5 * p.impact * size**2 + p.root * size**1.5).sum() + p.kink @ abs(r) + 0.5 * r @ p.risk @ r
    )
    assert objective(p, z) == pytest.approx(want, rel=1e-12)
    r = outside(p.exposure, p.lower, p.upper)
    assert standing_price(p) == pytest.approx(np.sign(r) * p.kink + p.risk @ r, rel=1e-12)


@pytest.mark.parametrize("scale", [0.02, 0.3, 1.0, 10.0])
def test_a_lot_may_pay_where_what_it_gives_back_at_most_exceeds_its_cost(scale: float) -> None:
    answers = set()
    for seed in range(40):
        p = problem(seed)
        p.exposure[:] *= scale
        r, price = outside(p.exposure, p.lower, p.upper), np.abs(standing_price(p))
        inward, far = -np.sign(r)[:, None] * p.sensitivity, np.abs(r)[:, None]
        buy = price @ np.minimum(np.maximum(inward, 0.0), far)
        sell = price @ np.minimum(np.maximum(-inward, 0.0), far)
        pays = ((buy > p.cost) & (p.buy_cap >= 1.0)) | ((sell > p.cost) & (p.sell_cap >= 1.0))
        assert whole_lot_may_pay(p) == pays.any()
        answers.add(bool(pays.any()))
    assert answers == {True} if scale >= 1.0 else answers


@pytest.mark.parametrize("seed", range(8))
def test_reduced_costs_are_those_of_the_matrices(seed: int) -> None:
    p = problem(seed)
    f, m = p.sensitivity.shape
    work, *_ = opened(p)
    _, *matrices, cap, lower, upper = programme_packed.parts(work, f, m)
    assert len(matrices[1]) == 2, "the row that nothing can fill is left out"
    h, g, a = programme.part(*matrices, RIDGE, np.arange(2 * m + 2 * f))
    rng = np.random.default_rng(seed)
    x, mu = rng.random(2 * m + 2 * f), rng.normal(size=f + 2)
    ridge = 1e-9 * x * (np.arange(len(x)) >= 2 * m)
    assert programme.reduced(*matrices, x, mu) == pytest.approx(g + h @ x - ridge + a.T @ mu, rel=1e-9, abs=1e-9)
    assert np.linalg.eigvalsh(h).min() > 0.0
    use, hint = rng.random(len(x)) < 0.4, (rng.normal(size=len(x)), rng.normal(size=f + 2))
    part = Part(*programme_packed.narrowed(work, f, m, RIDGE, use, *hint))
    assert (part.used == np.flatnonzero(use)).all() and (part.entered == np.flatnonzero(a[:, use].any(axis=1))).all()
    assert (part.hessian == h[np.ix_(part.used, part.used)]).all() and (part.gradient == g[part.used]).all()
    assert (part.rows == a[np.ix_(part.entered, part.used)]).all()
    whole = np.concatenate([np.arange(len(x)), len(x) + np.arange(f + 2)])
    at = whole[np.concatenate([part.used, len(x) + part.entered])]
    assert (part.upper == np.concatenate([cap, upper])[at]).all()
    assert (part.lower == np.concatenate([np.zeros(len(x)), lower])[at]).all()
    assert (part.hint == np.concatenate(hint)[at]).all()


@pytest.mark.parametrize("seed", range(8))
def test_an_answer_of_a_part_asks_for_exactly_the_columns_that_would_pay(seed: int) -> None:
    """Against the same programme held in full (``qp.Programme``), whose answer is array arithmetic."""
    p = problem(seed)
    f, m = p.sensitivity.shape
    work, *_ = opened(p)
    _, *matrices, cap, lower, upper = programme_packed.parts(work, f, m)
    free = programme_packed.movable(work, f, m)
    full = Programme(*programme.part(*matrices, RIDGE, np.arange(2 * m + 2 * f)), cap, lower, upper, free)
    rng = np.random.default_rng(seed)
    use = free & (rng.random(len(cap)) < 0.4)
    start = np.zeros(len(use)), np.zeros(f + 2)
    part, whole = Part(*programme_packed.narrowed(work, f, m, RIDGE, use, *start)), full.part(use, *start)
    assert all(np.all(mine == theirs) for mine, theirs in zip(part, whole, strict=True)) and not part.whole
    found, multipliers = rng.random(len(part.used)), rng.normal(size=len(part.hint))
    at = part.used, part.entered
    mine = Answer(*programme_packed.judged(work, f, m, NEGATIVE, *at, found, multipliers))
    theirs = full.answer(whole, found, multipliers)
    assert (mine.x == theirs.x).all() and (mine.of_columns == theirs.of_columns).all()
    assert (mine.of_rows == theirs.of_rows).all() and mine.more == theirs.more > 0
    assert (mine.use == theirs.use).all() and not mine.use[~free].any()


@pytest.mark.parametrize("seed", range(8))
def test_a_start_at_the_neighbours_solution_has_the_signs_of_its_reduced_costs(seed: int) -> None:
    p = problem(seed)
    f, m = p.sensitivity.shape
    z = np.clip(np.random.default_rng(seed).normal(size=m) * 3.0, -p.sell_cap, p.buy_cap)
    price = np.asarray(np.random.default_rng(seed + 100).normal(size=f), np.float64)
    work, _, columns_start, rows_start = opened(p, (z, price))
    (unit, scaled_s, *_), money = programme_packed.parts(work, f, m), work[0]
    assert rows_start[:f] == pytest.approx(price * unit / money) and not rows_start[f:].any()
    at_rest = z == 0.0
    want = -(p.cost / money + scaled_s.T @ rows_start[:f])
    assert columns_start[:m][at_rest] == pytest.approx(np.minimum(want, 0.0)[at_rest])
    full = (z >= p.buy_cap) & (z > 0.0)
    slope = -((p.cost + p.impact * np.abs(z)) / money + scaled_s.T @ rows_start[:f])
    assert columns_start[:m][full] == pytest.approx(np.maximum(slope, 0.0)[full])
    between = (np.abs(z) > 0.0) & (z < p.buy_cap) & (z > -p.sell_cap)
    assert not columns_start[: 2 * m].reshape(2, m).T[between & (z > 0.0), 0].any()


def test_kinks_are_the_dearest_admissible_way() -> None:
    s = np.array([[2.0, 0.0, -0.5], [0.0, 0.0, 4.0], [0.0, 0.0, 0.0]])
    cost = np.array([1.0, 1.0, 1.0])
    w, dearest = kinks(s, cost, np.array([True, False, True]), 3.0, 2.0)
    # 0.5 and 2 USD a unit: 2 is more than twice 0.5, so the first alone is admissible; the last is moved by nothing.
    assert w.tolist() == [1.5, 0.0, 0.0] and dearest.tolist() == [0.5, 0.25, 0.0]
    w, dearest = kinks(s, cost, np.ones(3, np.bool_), 3.0, 4.0)
    assert w.tolist() == [6.0, 0.75, 0.0] and dearest.tolist() == [2.0, 0.25, 0.0]


def test_whole_lots_stay_where_the_caps_and_rows_say() -> None:
    for seed in range(20):
        p = problem(seed)
        wish = np.random.default_rng(seed).normal(size=len(p.cost)) * 4.0
        # Truncating is allowed only where the wish itself is: as the solver's solution always is.
        wish = np.clip(wish, -p.sell_cap, p.buy_cap)
        both = np.concatenate([np.maximum(wish, 0.0), np.maximum(-wish, 0.0)])
        wish *= min(1.0, float((p.room / np.maximum(p.rows @ both, 1e-9)).min()))
        lots, gain = kernels.whole_lots(*columns(p), *room_of(p), wish)
        both = np.concatenate([np.maximum(lots, 0.0), np.maximum(-lots, 0.0)])
        assert (p.rows @ both <= p.room + 1e-6).all() and (lots <= p.buy_cap).all() and (-lots <= p.sell_cap).all()
        assert gain == pytest.approx(objective(p, np.zeros_like(lots)) - objective(p, lots))
        for k in range(len(lots)):
            for step in (1.0, -1.0):
                trial = lots.copy()
                trial[k] += step
                pair = np.concatenate([np.maximum(trial, 0.0), np.maximum(-trial, 0.0)])
                if (p.rows @ pair <= p.room).all() and -p.sell_cap[k] <= trial[k] <= p.buy_cap[k]:
                    assert objective(p, trial) >= objective(p, lots) - 1e-6


def test_moved_rows_are_those_with_a_known_change() -> None:
    s = np.array([[0.0, 1.0], [0.0, 0.0], [np.nan, 0.0], [-2.0, np.nan]])
    assert kernels.moved_rows(s).tolist() == [0, 3]
    assert not len(kernels.moved_rows(s[:0]))


@pytest.mark.parametrize("seed", range(6))
def test_limit_rows_bind_every_subset_of_the_orders(seed: int) -> None:
    """A trade that the rows allow breaks no limit with any of its orders filled, and spends no more than is left."""
    rng = np.random.default_rng(seed)
    f, m = 4, 6
    s, hard = rng.normal(size=(f, m)), np.array([10.0, np.inf, 0.5, 7.0])
    highest, lowest = rng.uniform(0.0, 3.0, f), -rng.uniform(0.0, 3.0, f)
    cost, notional, owner = rng.uniform(1.0, 3.0, m), rng.uniform(50.0, 90.0, m), rng.integers(0, 2, m)
    left = np.array([[20.0, 900.0], [9.0, 500.0], [11.0, 1e9]])
    more, more_room = rng.random((1, 2 * m)), np.array([3.0])
    rows, room = kernels.limit_rows(s, hard, highest, lowest, cost, notional, owner, left, more, more_room)
    assert rows.shape == (2 * 3 + 2 * 3 + 1, 2 * m) and (rows >= 0.0).all() and (room >= 0.0).all()
    # Of the three limited factors the second: one that is broken leaves no room that way, one that is not some.
    assert (room[1] == 0.0) == (highest[2] >= hard[2]) and (room[4] == 0.0) == (-lowest[2] >= hard[2])
    assert (rows[-1] == more).all() and room[-1] == 3.0
    z = rng.normal(size=m)
    both = np.concatenate([np.maximum(z, 0.0), np.maximum(-z, 0.0)])
    used = rows @ both
    z, both = z * min(1.0, (room / used).min()), both * min(1.0, (room / used).min())
    for subset in range(2**m):
        filled = np.array([subset >> j & 1 for j in range(m)]) * z
        for i in np.flatnonzero(np.isfinite(hard)):
            assert highest[i] + s[i] @ filled <= max(hard[i], highest[i]) + 1e-9
            assert lowest[i] + s[i] @ filled >= -max(hard[i], -lowest[i]) - 1e-9
    size = np.abs(z)
    assert cost @ size <= left[0, 0] + 1e-9 and notional @ size <= left[0, 1] + 1e-9
    for u in range(2):
        mine = owner == u
        assert cost[mine] @ size[mine] <= left[1 + u, 0] + 1e-9
        assert notional[mine] @ size[mine] <= left[1 + u, 1] + 1e-9


def test_alone_an_instrument_gets_whole_lots_up_to_its_tightest_row() -> None:
    rows, room = np.array([[2.0, 0.0, 1.0], [3.0, 0.0, 0.0]]), np.array([9.0, 10.0])
    assert kernels.alone(rows, room).tolist() == [3.0, np.inf, 9.0]
    assert kernels.alone(np.array([[1e-320, 0.0]]), np.array([1e10])).tolist() == [np.inf, np.inf]
