"""Convex quadratic programmes by DAQP with column generation: start with the columns that may pay, add what is missing.

    minimise ½ x'Hx + g'x   subject to   0 <= x <= cap,   lower <= A x <= upper

Most instruments stay at 0 and most factors inside, so the solver starts with few columns and gets those whose reduced
cost turns out negative, until none is left out: then the optimum of the part is the optimum of the whole. Deterministic:
limits are counts of iterations, never time. Source: Arnström, Bemporad, Axehill (2022), a dual active-set solver.
*Tested by* tests/properties/test_netting_solvers.py, tests/properties/test_netting_books.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import daqp
import numpy as np
from numpy.typing import NDArray

from common.messages import F64

Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]
#: A bound that is none.
FREE = 1e30
#: Added to the Hessian's diagonal: it makes the optimum unique and moves it by less than the solver's tolerance.
RIDGE = 1e-9
_FEASIBLE = 1e-7
#: Weights of the proximal term, tried in turn where the solver says of a feasible programme that it is not; of a part the first.
_PROXIMAL = (0.01, 0.1, 1.0)
_INFEASIBLE = -1
#: Reduced costs above -this (in mean costs) count as 0.
NEGATIVE = 1e-9


class Part(NamedTuple):
    """What DAQP is given: the n columns ``used`` (ascending) and the rows ``entered`` that one of them enters.

    A row that no used column enters holds by itself. ``upper`` and ``lower`` and ``hint`` are of the columns, then the rows.
    """

    used: Rows
    entered: Rows
    hessian: F64
    gradient: F64
    rows: F64
    upper: F64
    lower: F64
    hint: F64
    #: No column that may move is left out.
    whole: bool


class Answer(NamedTuple):
    """A part's answer in full length: x (N,), multipliers of the columns (N,) and rows (k,), which columns to go on with.

    ``use`` (N,): the part's columns and those that would pay now; ``more`` is how many these are.
    """

    x: F64
    of_columns: F64
    of_rows: F64
    use: Bools
    more: int


class Programme(Protocol):
    """N columns, k rows; 0 is feasible."""

    def free(self) -> Bools:
        """Columns that may move at all, (N,)."""

    def part(self, use: Bools, of_columns: F64, of_rows: F64) -> Part:
        """The programme in which only the columns ``use`` (N,) move; multipliers (N,), (k,) whose signs hint."""

    def answer(self, part: Part, found: F64, multipliers: F64) -> Answer:
        """What ``found`` (n,) with ``multipliers`` (n + entered,) says of the whole: x and the reduced costs
        g + Hx + A'multipliers, which are negative where a column that was left out would pay."""


@dataclass(frozen=True, slots=True)
class Dense:
    """A programme whose matrices are held in full."""

    hessian: F64
    gradient: F64
    rows: F64
    cap: F64
    lower: F64
    upper: F64
    movable: Bools

    def free(self) -> Bools:
        """See ``Programme``."""
        return self.movable

    def part(self, use: Bools, of_columns: F64, of_rows: F64) -> Part:
        """See ``Programme``."""
        used = np.flatnonzero(use)
        rows = self.rows[:, used]
        entered = np.flatnonzero(rows.any(axis=1))
        return Part(
            used,
            entered,
            self.hessian[np.ix_(used, used)],
            self.gradient[used],
            rows[entered],
            np.concatenate([self.cap[used], self.upper[entered]]),
            np.concatenate([np.zeros(len(used)), self.lower[entered]]),
            np.concatenate([of_columns[used], of_rows[entered]]),
            len(used) == np.count_nonzero(self.movable),
        )

    def answer(self, part: Part, found: F64, multipliers: F64) -> Answer:
        """See ``Programme``."""
        x, of_columns, of_rows = np.zeros(len(self.cap)), np.zeros(len(self.cap)), np.zeros(len(self.upper))
        n, use = len(part.used), np.zeros(len(self.cap), np.bool_)
        x[part.used], of_columns[part.used], of_rows[part.entered] = found, multipliers[:n], multipliers[n:]
        use[part.used] = True
        missing = self.movable & ~use & (self.gradient + self.hessian @ x + self.rows.T @ of_rows < -NEGATIVE)
        return Answer(x, of_columns, of_rows, use | missing, int(np.count_nonzero(missing)))


@dataclass(frozen=True, slots=True)
class Optimum:
    """x (N,), multipliers of the rows (k,), iterations; failure "" if solved (then x is 0)."""

    x: F64
    multipliers: F64
    iterations: int
    failure: str = ""


def solve_columns(q: Programme, use: Bools, of_columns: F64, of_rows: F64, iteration_limit: int) -> Optimum:
    """The optimum of ``q``; ``use`` (N,) free columns to begin with, multipliers (N,), (k,) to start from: signs hint."""
    iterations = 0
    while True:
        part = q.part(use, of_columns, of_rows)
        found, multipliers, flag, steps = _daqp(part, iteration_limit - iterations)
        iterations += steps
        if flag == _INFEASIBLE and not part.whole:
            # Never true, only hard to see for the solver in this part; the whole has more room.
            use, of_columns, of_rows = q.free(), np.zeros_like(of_columns), np.zeros_like(of_rows)
            continue
        if flag < 1:
            return Optimum(np.zeros_like(of_columns), np.zeros_like(of_rows), iterations, f"daqp exit flag {flag}")
        x, of_columns, of_rows, use, more = q.answer(part, found, multipliers)
        if not more:
            return Optimum(x, of_rows, iterations)


def _daqp(part: Part, limit: int) -> tuple[F64, F64, int, int]:
    """(x (n,), multipliers of columns and rows, exit flag, iterations).

    The problem is always feasible, so a flag that says otherwise (impact almost 0 beside the cost) is answered by
    proximal iterations.
    """
    data = (part.hessian, part.gradient, part.rows, part.upper, part.lower)
    found, _, flag, info = daqp.solve(*data, dual_start=part.hint, iter_limit=max(limit, 1), primal_tol=_FEASIBLE)
    steps = int(info["iterations"])
    for weight in _PROXIMAL if part.whole else _PROXIMAL[:1]:
        if flag != _INFEASIBLE:
            break
        left = max(limit - steps, 1)
        found, _, flag, info = daqp.solve(*data, iter_limit=left, primal_tol=_FEASIBLE, eps_prox=weight)
        steps += int(info["iterations"])
    finite = flag < 1 or np.isfinite(found).all()
    return found, info["lam"], int(flag) if finite else _INFEASIBLE, steps
