"""The kernels of a decision against plain array formulas of the same thing."""

from __future__ import annotations

import numpy as np
import pytest

from common.kernels import netting as kernels
from manager.netting import Problem, _Interval, columns, objective, outside, room_of, standing_price
from manager.problem import whole_lot_may_pay
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
    q = _Interval.of(p)
    assert len(q.extra) == 2, "the row that nothing can fill is left out"
    h, g, a = q.part(np.arange(2 * m + 2 * f))
    rng = np.random.default_rng(seed)
    x, mu = rng.random(2 * m + 2 * f), rng.normal(size=f + 2)
    ridge = 1e-9 * x * (np.arange(len(x)) >= 2 * m)
    assert q.reduced(x, mu) == pytest.approx(g + h @ x - ridge + a.T @ mu, rel=1e-9, abs=1e-9)
    assert np.linalg.eigvalsh(h).min() > 0.0
    used = np.flatnonzero(rng.random(len(x)) < 0.4)
    part = q.part(used)
    assert (part[0] == h[np.ix_(used, used)]).all() and (part[1] == g[used]).all() and (part[2] == a[:, used]).all()


@pytest.mark.parametrize("seed", range(8))
def test_a_start_at_the_neighbours_solution_has_the_signs_of_its_reduced_costs(seed: int) -> None:
    p = problem(seed)
    f, m = p.sensitivity.shape
    q = _Interval.of(p)
    z = np.clip(np.random.default_rng(seed).normal(size=m) * 3.0, -p.sell_cap, p.buy_cap)
    price = np.asarray(np.random.default_rng(seed + 100).normal(size=f), np.float64)
    columns_start, rows_start = q.dual_start(p, z, price)
    assert rows_start[:f] == pytest.approx(price * q.unit / q.money) and not rows_start[f:].any()
    at_rest = z == 0.0
    want = -(p.cost / q.money + q.s.T @ rows_start[:f])
    assert columns_start[:m][at_rest] == pytest.approx(np.minimum(want, 0.0)[at_rest])
    full = (z >= p.buy_cap) & (z > 0.0)
    slope = -((p.cost + p.impact * np.abs(z)) / q.money + q.s.T @ rows_start[:f])
    assert columns_start[:m][full] == pytest.approx(np.maximum(slope, 0.0)[full])
    between = (np.abs(z) > 0.0) & (z < p.buy_cap) & (z > -p.sell_cap)
    assert not columns_start[: 2 * m].reshape(2, m).T[between & (z > 0.0), 0].any()


def test_kinks_are_the_dearest_admissible_way() -> None:
    s = np.array([[2.0, 0.0, -0.5], [0.0, 0.0, 4.0], [0.0, 0.0, 0.0]])
    cost = np.array([1.0, 1.0, 1.0])
    w, dearest = kinks(s, cost, np.array([True, False, True]), 3.0, 2.0)
    # 0.5 and 2 USD a unit: 2 is more than twice 0.5, so the first alone is admissible; the last is moved by nothing.
    assert w.tolist() == [1.5, 0.0, 0.0] and dearest.tolist() == [2.0, 0.25, 0.0]
    assert kinks(s, cost, np.ones(3, np.bool_), 3.0, 4.0)[0].tolist() == [6.0, 0.75, 0.0]


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
