"""What may wait where several desks are decided together: the sibling of ``patience.py`` for ``books_qp.py``.

Each desk may leave a trade for later as a lone one may. What two desks would cross is free of the market already, so crossing
later is charged twice what crossing now is and never preferred.
*Tested by* tests/properties/test_netting_patience.py, tests/unit/test_manager_desks.py.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from common.messages import F64, I64
from manager.books_lots import round_books
from manager.books_qp import FIRM, BooksProblem, BooksSolution, moves, objective_books
from manager.books_solve import solve_few
from manager.config import Patience
from manager.patience import NOTHING, Later, credited, later_of, only, widened
from manager.qp import Bools


def later_of_books(p: BooksProblem, shown_buy: F64, shown_sell: F64, patience: Patience) -> Later:
    """As ``patience.later_of``; the price of waiting is that of the desk for which it is highest."""
    return later_of(p.shared, shown_buy, shown_sell, patience, _of_desk(p))


def _of_desk(p: BooksProblem) -> Bools:
    """(desks, F): the factors that a desk's trades move, its own and the firm's."""
    return np.asarray((p.book[None, :] == np.arange(p.books)[:, None]) | (p.book[None, :] == FIRM))


def _widened(p: BooksProblem, later: Later, forced: Bools) -> BooksProblem:
    """2m columns: now, then later. Of the desks' own rows only those without room bind what waits."""
    m = len(p.crossing_cost)
    shut = np.where((p.own_room <= 0.0)[:, None], p.own_rows, 0.0)
    return replace(
        p,
        shared=widened(p.shared, later, forced),
        crossing_cost=np.concatenate([p.crossing_cost, 2.0 * p.crossing_cost]),
        own_rows=np.hstack([p.own_rows[:, :m], shut[:, :m], p.own_rows[:, m:], shut[:, m:]]),
    )


def _would_wait(p: BooksProblem, later: Later, price: F64, forced: Bools) -> bool:
    """Whether anything later pays for some desk at the prices (F,) of a solution without it."""
    pull = (np.where(forced, 0.0, price) * _of_desk(p)) @ p.shared.sensitivity
    return bool((((-pull > later.cost) & (later.buy > 0.0)) | ((pull > later.cost) & (later.sell > 0.0))).any())


def decide_books_lots(
    p: BooksProblem, later: Later, forced: Bools, iteration_limit: int, min_gain_usd: float
) -> tuple[BooksSolution, I64]:
    """As ``patience.decide_lots``: the solution (lots (B, m) of now) and its whole lots (B, m)."""
    now = solve_few(p, iteration_limit)
    nothing = np.zeros((p.books, len(p.crossing_cost)))
    if now.failure:
        return now, nothing.astype(np.int64)
    if not _would_wait(p, later, now.price, forced):
        return now, round_books(p, now.lots, min_gain_usd)
    wide = _widened(p, later, forced)
    both = solve_few(wide, max(iteration_limit - now.iterations, 1))
    spent = now.iterations + both.iterations
    if both.failure:
        return replace(now, iterations=spent), round_books(p, now.lots, min_gain_usd)
    x, y = np.hsplit(both.lots, 2)
    waits = moves(wide, np.hstack([nothing, y]))
    part = replace(p, shared=only(p.shared, (np.abs(x) + np.abs(y)).max(axis=0) > NOTHING))
    counts = credited(p.shared, waits)
    still = replace(part, shared=replace(part.shared, exposure=p.shared.exposure + counts))
    if (counts != waits).any():
        own = solve_few(still, max(iteration_limit - spent, 1))
        spent, x = spent + own.iterations, x if own.failure else own.lots
    lots = round_books(still, x, min_gain_usd)
    if lots.any() and objective_books(p, nothing) - objective_books(p, lots.astype(np.float64)) <= min_gain_usd:
        alone = solve_few(part, max(iteration_limit - spent, 1))
        spent += alone.iterations
        lots = round_books(p, now.lots, min_gain_usd) if alone.failure else round_books(part, alone.lots, min_gain_usd)
    return replace(both, lots=x, iterations=spent), lots
