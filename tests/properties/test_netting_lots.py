"""Whole lots: inside every row, not improvable by one lot, never worse than doing nothing, near the best by brute force."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manager.lots import allowed, round_lots
from manager.netting import Problem, objective, solve
from manager.problem import whole_lot_may_pay
from manager.wishes import fit
from tests.properties.test_netting_solvers import random_problem


def small_problem(seed: int, instruments: int, size: int) -> Problem:
    """Instruments with a common factor, hard rows near, a budget; sized so that every trade can be tried."""
    rng = np.random.default_rng(seed)
    f = int(rng.integers(1, 4))
    s = rng.normal(size=(f, instruments))
    s[:, 0] = rng.uniform(0.5, 1.0, f)
    cost = rng.uniform(1.0, 5.0, instruments)
    exposure = rng.normal(size=f) * size
    up, down = np.maximum(s, 0.0), np.maximum(-s, 0.0)
    hard = float(rng.uniform(1.0, 4.0)) * size
    rows = np.vstack([np.hstack([up, down]), np.hstack([down, up]), np.concatenate([cost, cost])[None]])
    room = np.concatenate(
        [np.maximum(hard - exposure, 0), np.maximum(hard + exposure, 0), [float(rng.uniform(0, 6)) * size]]
    )
    half = rng.uniform(0.0, 1.0, f)
    cap = rng.integers(0, size + 1, (2, instruments)).astype(float)
    return Problem(
        exposure, -half, half, rng.uniform(2.0, 12.0, f), np.diag(rng.uniform(0.01, 1.0, f)),
        s, cost, 1e-3 * cost, cap[0], cap[1], rows, room, 1.0,
    )  # fmt: skip


def every_trade(p: Problem) -> float:
    """The best objective over all allowed whole-lot trades, by trying them."""
    ranges = [np.arange(-lo, hi + 1) for lo, hi in zip(p.sell_cap, p.buy_cap, strict=True)]
    trades = (np.array(t, float) for t in itertools.product(*ranges))
    return min(objective(p, t) for t in trades if allowed(p, t))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 40))
def test_inside_all_rows_and_no_single_lot_improves(seed: int, instruments: int, size: int) -> None:
    p = small_problem(seed, instruments, size)
    lots = round_lots(p, solve(p, 10_000).lots, 0.0).astype(float)
    assert allowed(p, lots)
    assert objective(p, lots) <= objective(p, np.zeros_like(lots))
    for j in range(instruments):
        for one in (1.0, -1.0):
            trial = lots.copy()
            trial[j] += one
            assert not allowed(p, trial) or objective(p, trial) >= objective(p, lots) - 1e-6


def coupled(seed: int) -> Problem:
    """Little outside, by factors whose risks are correlated: the optimum's nearest whole lots are often worse than none."""
    rng = np.random.default_rng(seed)
    f, m = 6, 8
    s = rng.normal(size=(f, m)) * rng.choice([0, 1], (f, m))
    s[:, 0] = 1.0
    root = rng.normal(size=(f, f))
    risk = root @ root.T + 0.01 * np.eye(f)
    deviation = np.sqrt(np.diag(risk))
    spread = 0.99 * float(np.linalg.eigvalsh(risk / np.outer(deviation, deviation))[0])
    return Problem(
        rng.normal(size=f) * 1.5, np.full(f, -0.2), np.full(f, 0.2), rng.uniform(0.0, 3.0, f), risk, s,
        rng.uniform(0.3, 2.0, m), np.full(m, 1e-3), np.full(m, 3.0), np.full(m, 3.0),
        np.zeros((0, 2 * m)), np.zeros(0), spread,
    )  # fmt: skip


def test_where_rounding_gains_nothing_a_single_lot_may() -> None:
    """No trade is the answer only where no single lot pays; it was also where the repair of the rounding ended without a gain."""
    none = 0
    for seed in range(4_000):
        p = coupled(seed)
        lots = round_lots(p, solve(p, 10_000).lots, 0.0)
        if lots.any():
            continue
        none += 1
        for one in (*np.eye(8), *-np.eye(8)):
            assert objective(p, one) >= objective(p, np.zeros(8)) * (1.0 - 1e-8), seed
    assert none > 20


def hair_short(seed: int) -> Problem:
    """The cure is a whole number of lots, and some rows have room for a hair less: less than the solver can tell."""
    rng = np.random.default_rng(seed)
    f, m = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    unit = 10.0 ** rng.uniform(2, 5)
    s = rng.integers(-3, 4, (f, m)) * unit
    s[:, 0] = unit
    cure = rng.integers(-6, 7, m).astype(float)
    up, down = np.maximum(s, 0.0), np.maximum(-s, 0.0)
    rows = np.vstack([np.hstack([up, down]), np.hstack([down, up])])
    used = rows @ np.concatenate([np.maximum(cure, 0.0), np.maximum(-cure, 0.0)])
    room = np.maximum(used - 10.0 ** rng.uniform(-9, -6.5) * unit * rng.choice([0, 1], len(rows)), 0.0)
    nothing = np.zeros(f)
    return Problem(
        -(s @ cure), nothing, nothing, np.full(f, 30.0 / unit), np.eye(f) / unit**2, s, rng.uniform(1.0, 5.0, m),
        np.full(m, 1e-3), np.full(m, 7.0), np.full(m, 7.0), rows, room, 1.0,
    )  # fmt: skip


def test_a_row_with_room_for_a_hair_less_than_a_lot_is_not_broken() -> None:
    """Sums of a handful of numbers: a row may be over by rounding, 1e-9 of it and 1e-9, and by no more."""
    gaps = []
    for seed in range(200):
        p = hair_short(seed)
        lots = round_lots(p, solve(p, 2_000).lots, 0.0).astype(float)
        for row, room in zip(p.rows, p.room, strict=True):
            m = len(lots)
            used = sum(row[j] * lots[j] if lots[j] > 0.0 else row[m + j] * -lots[j] for j in range(m))
            assert used <= room * (1.0 + 1e-9) + 1e-9, seed
        if len(lots) < 3:
            best, nothing = every_trade(p), objective(p, np.zeros_like(lots))
            gaps.append((objective(p, lots) - best) / max(nothing - best, 1.0))
    assert len(gaps) > 100 and np.median(gaps) <= 1e-9 and np.mean(gaps) < 0.05


@pytest.mark.parametrize("seed", [242, 612, 623, 1049, 1768, 1851, 1868, 1989, 2112, 2142])
def test_single_lots_are_moved_until_none_pays_however_many_it_takes(seed: int) -> None:
    """Factors so coupled that the nearest whole lots are far from the best: it takes more than two moves per instrument."""
    p = random_problem(seed)
    lots = round_lots(p, solve(p, 2_000).lots, 0.0).astype(float)
    assert lots.any() and allowed(p, lots)
    for j in range(len(lots)):
        for one in (1.0, -1.0):
            trial = lots.copy()
            trial[j] += one
            assert not allowed(p, trial) or objective(p, trial) >= objective(p, lots) * (1.0 - 2e-9)


def test_near_the_best_that_brute_force_finds() -> None:
    gaps = []
    for seed in range(150):
        p = small_problem(seed, 3, 4)
        best = every_trade(p)
        found = objective(p, round_lots(p, solve(p, 10_000).lots, 0.0).astype(float))
        assert found >= best - 1e-9
        gaps.append((found - best) / max(best, 1.0))
    assert np.median(gaps) <= 1e-9 and np.mean(gaps) < 0.02


def test_the_whole_lot_test_never_stops_a_trade_that_would_have_paid() -> None:
    stopped = 0
    for seed in range(300):
        p = small_problem(seed, 3, 2)
        if not whole_lot_may_pay(p):
            stopped += 1
            assert every_trade(p) >= objective(p, np.zeros(3)) - 1e-9
    assert stopped > 20


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.lists(st.floats(-60.0, 60.0), min_size=12, max_size=12))
def test_plain_wishes_are_scaled_inside(seed: int, instruments: int, wish: list[float]) -> None:
    p = small_problem(seed, instruments, 20)
    wanted = np.array(wish[:instruments])
    lots = fit(p, wanted)
    assert allowed(p, lots.astype(float))
    assert (lots * wanted >= 0).all() and (np.abs(lots) <= np.abs(wanted) + 0.5).all()


def test_halves_are_rounded_away_from_no_trade() -> None:
    p = small_problem(1, 3, 20)
    from dataclasses import replace

    free = replace(p, buy_cap=np.full(3, 99.0), sell_cap=np.full(3, 99.0), room=np.full(len(p.room), 1e9))
    assert fit(free, np.array([0.5, -1.5, 0.49])).tolist() == [1, -2, 0]
    assert objective(free, np.zeros(3)) == pytest.approx(objective(p, np.zeros(3)))
