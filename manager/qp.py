"""Convex quadratic programmes by DAQP with column generation: start with the columns that may pay, add what is missing.

    minimise ½ x'Hx + g'x   subject to   0 <= x <= cap,   lower <= A x <= upper

Most instruments stay at 0 and most factors inside, so the solver starts with few columns and gets those whose reduced
cost turns out negative, until none is left out: then the optimum of the part is the optimum of the whole. Deterministic:
limits are counts of iterations, never time. Source: Arnström, Bemporad, Axehill (2022), a dual active-set solver.
*Tested by* tests/properties/test_netting_solvers.py, tests/properties/test_netting_books.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import daqp
import numpy as np
from numpy.typing import NDArray

from common.messages import F64

Bools = NDArray[np.bool_]
#: A bound that is none.
FREE = 1e30
#: Added to the Hessian's diagonal: it makes the optimum unique and moves it by less than the solver's tolerance.
RIDGE = 1e-9
_FEASIBLE = 1e-7
#: Weights of the proximal term, tried in turn where the solver says of a feasible programme that it is not; of a part the first.
_PROXIMAL = (0.01, 0.1, 1.0)
_INFEASIBLE = -1
#: Reduced costs above -this (in mean costs) count as 0.
_NEGATIVE = 1e-9


class Programme(Protocol):
    """N columns, k rows; 0 is feasible. ``free`` (N,): columns that may move at all."""

    @property
    def free(self) -> Bools:
        """Columns that may move at all, (N,)."""

    @property
    def cap(self) -> F64:
        """Upper bound of each column, (N,); the lower is 0."""

    @property
    def lower(self) -> F64:
        """Lower bound of each row, (k,)."""

    @property
    def upper(self) -> F64:
        """Upper bound of each row, (k,)."""

    def part(self, used: NDArray[np.intp]) -> tuple[F64, F64, F64]:
        """(H, g, A) of n columns: (n, n), (n,), (k, n)."""

    def reduced(self, x: F64, multipliers: F64) -> F64:
        """Reduced costs g + Hx + A'multipliers, (N,), of x (N,) and the multipliers of the rows (k,)."""


@dataclass(frozen=True, slots=True)
class Dense:
    """A programme whose matrices are held in full."""

    hessian: F64
    gradient: F64
    rows: F64
    cap: F64
    lower: F64
    upper: F64
    free: Bools

    def part(self, used: NDArray[np.intp]) -> tuple[F64, F64, F64]:
        """See ``Programme``."""
        return self.hessian[np.ix_(used, used)], self.gradient[used], self.rows[:, used]

    def reduced(self, x: F64, multipliers: F64) -> F64:
        """See ``Programme``."""
        return np.asarray(self.gradient + self.hessian @ x + self.rows.T @ multipliers)


@dataclass(frozen=True, slots=True)
class Optimum:
    """x (N,), multipliers of the rows (k,), iterations; failure "" if solved (then x is 0)."""

    x: F64
    multipliers: F64
    iterations: int
    failure: str = ""


def solve_columns(q: Programme, first: Bools, start: tuple[F64, F64], iteration_limit: int) -> Optimum:
    """The optimum of ``q``; ``first`` (N,) columns to begin with, ``start`` multipliers of columns and rows: signs hint."""
    use, iterations = q.free & first, 0
    while True:
        x, lam, flag, steps = _solve_part(q, np.flatnonzero(use), start, iteration_limit - iterations)
        iterations += steps
        if flag == _INFEASIBLE and (use != q.free).any():
            # Never true, only hard to see for the solver in this part; the whole has more room.
            use, start = q.free, (np.zeros_like(start[0]), np.zeros_like(start[1]))
            continue
        rows = lam[len(x) :]
        if flag < 1:
            return Optimum(np.zeros_like(x), np.zeros_like(rows), iterations, f"daqp exit flag {flag}")
        missing = q.free & ~use & (q.reduced(x, rows) < -_NEGATIVE)
        if not missing.any():
            return Optimum(x, rows, iterations)
        use, start = use | missing, (lam[: len(x)], rows)


def _solve_part(q: Programme, used: NDArray[np.intp], start: tuple[F64, F64], limit: int) -> tuple[F64, F64, int, int]:
    """(x, multipliers, exit flag, iterations) with the columns not ``used`` at 0, in full length: columns, then rows.

    A row that no used column enters holds by itself and is left out. The problem is always feasible, so a flag that says
    otherwise (impact almost 0 beside the cost) is answered by proximal iterations.
    """
    hessian, gradient, rows = q.part(used)
    entered = np.flatnonzero(rows.any(axis=1))
    data = (
        hessian,
        gradient,
        rows[entered],
        np.concatenate([q.cap[used], q.upper[entered]]),
        np.concatenate([np.zeros(len(used)), q.lower[entered]]),
    )
    hint = np.concatenate([start[0][used], start[1][entered]])
    found, _, flag, info = daqp.solve(*data, dual_start=hint, iter_limit=max(limit, 1), primal_tol=_FEASIBLE)
    steps = int(info["iterations"])
    whole = len(used) == np.count_nonzero(q.free)
    for weight in _PROXIMAL if whole else _PROXIMAL[:1]:
        if flag != _INFEASIBLE:
            break
        left = max(limit - steps, 1)
        found, _, flag, info = daqp.solve(*data, iter_limit=left, primal_tol=_FEASIBLE, eps_prox=weight)
        steps += int(info["iterations"])
    n = len(q.free)
    x, lam = np.zeros(n), np.zeros(n + len(q.upper))
    if flag >= 1:
        x[used] = found
        lam[used] = info["lam"][: len(used)]
        lam[n + entered] = info["lam"][len(used) :]
    return x, lam, int(flag) if np.isfinite(x).all() else _INFEASIBLE, steps
