"""The door to DAQP against DAQP's own Python interface, and the solve in one call against the whole programme in one piece."""

from __future__ import annotations

import ctypes
from typing import Any

import daqp
import numpy as np
import pytest

from common.kernels import programme, programme_packed, solver
from common.kernels.solver import INFEASIBLE, SETTINGS, once, quadratic
from common.messages import F64
from manager.netting import columns, outside, room_of, solve
from manager.qp import FREE, RIDGE
from tests.unit.test_kernels_netting import problem

NONE = np.zeros(0)


def random_quadratic(seed: int) -> tuple[F64, F64, F64, F64, F64, F64]:
    """Hessian, gradient, rows (none for some seeds), bounds, and multipliers some of which hint at the wrong side."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(1, 20)), int(rng.integers(0, 20))
    root = rng.normal(size=(n, n))
    upper = np.concatenate([rng.uniform(0.1, 2.0, n), rng.uniform(0.0, 2.0, k)])
    lower = np.concatenate([np.zeros(n), np.where(rng.random(k) < 0.5, -FREE, -rng.uniform(0.0, 1.0, k))])
    hint = rng.normal(size=n + k) * (rng.random(n + k) < 0.4)
    return root @ root.T + 0.1 * np.eye(n), rng.normal(size=n) * 3.0, rng.normal(size=(k, n)), upper, lower, hint


def by_python(*data: F64, **settings: Any) -> tuple[list[float], list[float], int, int]:
    *given, hint = data
    start = {"dual_start": hint} if len(hint) else {}
    x, _, flag, info = daqp.solve(*given, primal_tol=1e-7, **start, **settings)
    return x.tolist(), info["lam"].tolist(), int(flag), int(info["iterations"])


def by_name(*data: F64, proximal: float, limit: int) -> tuple[list[float], list[float], int, int]:
    x, multipliers, flag, iterations = once(*data, SETTINGS, proximal, limit)
    return x.tolist(), multipliers.tolist(), flag, iterations


def test_every_answer_is_that_of_the_python_interface_bit_for_bit() -> None:
    flags = set()
    for seed in range(600):
        *given, hint = random_quadratic(seed)
        for start in (hint, NONE):
            mine = by_name(*given, start, proximal=0.0, limit=10_000)
            assert mine == by_python(*given, start), seed
            flags.add(mine[2])
        mine = by_name(*given, NONE, proximal=0.1, limit=10_000)
        assert mine == by_python(*given, NONE, eps_prox=0.1), seed
    assert flags == {1}


def test_a_limit_of_iterations_and_a_programme_without_a_point_are_told_alike() -> None:
    flags = set()
    for seed in range(200):
        *given, hint = random_quadratic(seed)
        _, _, flag, iterations = by_name(*given, hint, proximal=0.0, limit=3)
        assert (flag, iterations) == by_python(*given, hint, iter_limit=3)[2:]
        flags.add(flag)
    assert len(flags) == 2 and 1 in flags, "some need more than three iterations, some do not"
    apart = (np.eye(1), np.zeros(1), np.ones((1, 1)), np.array([1.0, 5.0]), np.array([0.0, 4.0]))
    assert by_name(*apart, NONE, proximal=0.0, limit=100)[2] == by_python(*apart, NONE)[2] == INFEASIBLE


def test_what_goes_in_is_not_written_to() -> None:
    for seed in range(50):
        data = random_quadratic(seed)
        before, settings = [x.copy() for x in data], SETTINGS.copy()
        quadratic(*data, True, SETTINGS, 1_000)
        assert all((x == y).all() for x, y in zip(data, before, strict=True))
        assert settings.tobytes() == SETTINGS.tobytes()


@pytest.mark.parametrize("warm", [False, True])
def test_a_solve_that_adds_columns_ends_where_the_whole_programme_does(warm: bool) -> None:
    """All columns at once to DAQP's Python interface, no column left out at the beginning."""
    trades = 0
    for seed in range(60):
        p = problem(seed)
        p.root[:] = 0.0
        f, m = p.sensitivity.shape
        start = np.zeros(m), np.zeros(f)
        given = *columns(p)[:8], *room_of(p), p.spread, RIDGE, FREE
        work = programme_packed.opened(*given, False, *start, 0.8, 8)[0]
        _, *matrices, cap, lower, upper = programme_packed.parts(work, f, m)
        hessian, gradient, rows = programme.part(*matrices, RIDGE, np.arange(2 * m + 2 * f))
        bounds = np.concatenate([cap, upper]), np.concatenate([np.zeros(len(cap)), lower])
        x, multipliers, flag, _ = by_python(hessian, gradient, rows, *bounds, NONE)
        assert flag == 1
        mine = solve(p, 1_000, (np.ones(m), np.ones(f)) if warm else None)
        lots = np.array(x[:m]) - np.array(x[m : 2 * m])
        assert not mine.failure and mine.lots == pytest.approx(lots, abs=1e-5)
        price = np.array(multipliers[len(cap) : len(cap) + f]) * work[0] / work[1 : 1 + f]
        assert mine.price == pytest.approx(price, abs=1e-4)
        trades += int(np.abs(lots).max() > 0.5)
    assert trades > 40


def test_a_solve_that_runs_out_of_iterations_trades_nothing_and_says_so() -> None:
    p = problem(1)
    p.root[:] = 0.0
    found = solve(p, 1)
    assert found.failure.startswith("daqp exit flag") and not found.lots.any() and not found.price.any()
    assert (found.residual == outside(p.exposure, p.lower, p.upper)).all()


def test_another_build_of_daqp_is_refused_at_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImportError, match="does not export daqp_of_tomorrow"):
        solver._by_name("daqp_of_tomorrow")

    class Tomorrow:
        @staticmethod
        def daqp_default_settings(at: ctypes.c_void_p) -> None:
            assert at.value
            ctypes.memmove(at.value, np.array([1e-6, 1.0]).ctypes.data, 16)

    monkeypatch.setattr(solver, "_library", Tomorrow())
    with pytest.raises(ImportError, match="lays its settings out otherwise"):
        solver._settings()
