"""Solve several desks with few rows: limits that nothing comes near are left out until a solution would break one.

Each solve has the desks' own rows that leave no room, and those that an earlier solution broke. A solution that breaks none of
the others is the optimum of the whole, since fewer rows can only do better. Counts of rounds and iterations bound it.
*Tested by* tests/properties/test_desks_conserve.py.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from common.messages import F64
from manager.books_qp import BooksProblem, BooksSolution, solve_books
from manager.exposures import Bools

#: Solves with a part of the rows; the next one has them all.
ROUNDS = 4
_BROKEN = 1e-7


def solve_few_rows(p: BooksProblem, iteration_limit: int) -> BooksSolution:
    """``solve_books`` to the same optimum; ``iterations`` over all rounds."""
    on, spent = p.own_room <= 0.0, 0
    for _ in range(ROUNDS):
        found = solve_books(_with(p, on), max(iteration_limit - spent, 1))
        spent += found.iterations
        more = _used(p, found.lots) > p.own_room + _BROKEN * np.maximum(1.0, p.own_room)
        if found.failure or not (more & ~on).any():
            return replace(found, iterations=spent)
        on = on | more
    found = solve_books(p, max(iteration_limit - spent, 1))
    return replace(found, iterations=spent + found.iterations)


def _with(p: BooksProblem, on: Bools) -> BooksProblem:
    return replace(p, own_rows=p.own_rows[on], own_room=p.own_room[on], own_book=p.own_book[on])


def _used(p: BooksProblem, lots: F64) -> F64:
    mine = np.concatenate([np.maximum(lots, 0.0), np.maximum(-lots, 0.0)], axis=1)
    return np.asarray((p.own_rows * mine[p.own_book]).sum(axis=1))
