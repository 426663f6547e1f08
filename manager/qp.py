"""Convex quadratic programmes by DAQP with column generation: start with the columns that may pay, add what is missing.

    minimise ½ x'Hx + g'x   subject to   0 <= x <= cap,   lower <= A x <= upper

Most instruments stay at 0 and most factors inside, so the solver starts with few columns and gets those whose reduced
cost turns out negative, until none is left out: then the optimum of the part is the optimum of the whole. Deterministic:
limits are counts of iterations, never time. Here for matrices held in full (several desks); one desk has a form of its own,
compiled in one piece (``common/kernels/programme_solve.py``).
*Tested by* tests/properties/test_netting_books.py, tests/unit/test_kernels_solver.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.kernels.solver import INFEASIBLE, SETTINGS, quadratic
from common.messages import F64

Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]
#: A bound that is none.
FREE = 1e30
#: Added to the Hessian's diagonal: it makes the optimum unique and moves it by less than the solver's tolerance.
RIDGE = 1e-9
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


@dataclass(frozen=True, slots=True)
class Programme:
    """N columns, k rows; 0 is feasible. ``movable`` (N,): columns that may move at all."""

    hessian: F64
    gradient: F64
    rows: F64
    cap: F64
    lower: F64
    upper: F64
    movable: Bools

    def part(self, use: Bools, of_columns: F64, of_rows: F64) -> Part:
        """The programme in which only the columns ``use`` (N,) move; multipliers (N,), (k,) whose signs hint."""
        used = np.flatnonzero(use)
        rows = self.rows[:, used]
        entered = np.flatnonzero(rows.any(axis=1))
        return Part(
            used,
            entered,
            np.ascontiguousarray(self.hessian[np.ix_(used, used)]),
            self.gradient[used],
            np.ascontiguousarray(rows[entered]),
            np.concatenate([self.cap[used], self.upper[entered]]),
            np.concatenate([np.zeros(len(used)), self.lower[entered]]),
            np.concatenate([of_columns[used], of_rows[entered]]),
            len(used) == np.count_nonzero(self.movable),
        )

    def answer(self, part: Part, found: F64, multipliers: F64) -> Answer:
        """What ``found`` (n,) with ``multipliers`` (n + entered,) says of the whole: x and the reduced costs
        g + Hx + A'multipliers, which are negative where a column that was left out would pay."""
        x, of_columns, of_rows = np.zeros(len(self.cap)), np.zeros(len(self.cap)), np.zeros(len(self.upper))
        n, use = len(part.used), np.zeros(len(self.cap), np.bool_)
        x[part.used], of_columns[part.used], of_rows[part.entered] = found, multipliers[:n], multipliers[n:]
        use[part.used] = True
        missing = self.movable & ~use & (self.gradient + self.hessian @ x + self.rows.T @ of_rows < -NEGATIVE)
        return Answer(x, of_columns, of_rows, use | missing, int(np.count_nonzero(missing)))


@dataclass(frozen=True, slots=True)
class Optimum:
    """x (N,), multipliers of columns (N,) and rows (k,), iterations; failure "" if solved (else x is 0)."""

    x: F64
    of_columns: F64
    of_rows: F64
    iterations: int
    failure: str = ""


def solve_columns(q: Programme, use: Bools, of_columns: F64, of_rows: F64, iteration_limit: int) -> Optimum:
    """The optimum of ``q``; ``use`` (N,) free columns to begin with, multipliers (N,), (k,) to start from: signs hint."""
    iterations = 0
    while True:
        part = q.part(use, of_columns, of_rows)
        found, multipliers, flag, steps = quadratic(*part[2:], SETTINGS, iteration_limit - iterations)
        iterations += steps
        if flag == INFEASIBLE and not part.whole:
            # Never true, only hard to see for the solver in this part; the whole has more room.
            use, of_columns, of_rows = q.movable, np.zeros_like(of_columns), np.zeros_like(of_rows)
            continue
        if flag < 1:
            return Optimum(
                np.zeros_like(of_columns), np.zeros_like(of_columns), np.zeros_like(of_rows), iterations, failed(flag)
            )
        x, of_columns, of_rows, use, more = q.answer(part, found, multipliers)
        if not more:
            return Optimum(x, of_columns, of_rows, iterations)


def failed(flag: int) -> str:
    """In words, empty where DAQP solved it."""
    return "" if flag >= 1 else f"daqp exit flag {flag}"
