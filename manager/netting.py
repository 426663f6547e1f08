"""The interval QP of the design: the cheapest net trade that puts everyone inside, as far as it pays.

    minimise over z+, z-, r+, r- >= 0   c'(z+ + z-) + ½ η'(z+² + z-²) + w'(r+ + r-) + ½ r'Wr,   r = r+ - r-
    subject to   l <= e + S (z+ - z-) - r <= u,   z+ <= buy cap,   z- <= sell cap,   A (z+, z-) <= b

A and b are not negative: a hard limit row adds what each order could do alone (so every subset of the orders filled
stays inside), a budget row what each order spends. So z = 0 is always feasible, and so is every smaller trade.

Solved by DAQP (Arnström, Bemporad, Axehill 2022) in scaled units: factor i in lots (divided by s_i = max |S_ij|),
money in mean costs. To keep the Hessian positive definite without changing the optimum, where z+z- = r+r- = 0, the
impact is put on z+² + z-², and t Σ D_i r+_i r-_i is added with D = diag W and t the least eigenvalue of W's
correlation. One book; several books: ``books_qp.py``.
*Tested by* tests/properties/test_netting_solvers.py, tests/properties/test_netting_impact.py, tests/unit/test_manager_edge.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from common.kernels import netting as kernels
from common.kernels.programme_solve import solved
from common.kernels.solver import SETTINGS
from common.messages import F64
from manager import impact
from manager.qp import FREE, NEGATIVE, RIDGE, failed

#: A column starts in from this share of its cost.
_NEARLY = 0.8
#: So many instruments start in at most, those that pay best at the standing price; a solution trades two or three.
_FIRST = 8


@dataclass(frozen=True, slots=True)
class Problem:
    """One solve. f factors, m instruments, k rows; USD and the factor's unit throughout, trades in lots.

    exposure, lower, upper, kink (f,); risk (f, f) positive definite; sensitivity (f, m), no row all zero; cost, impact,
    buy_cap, sell_cap (m,), cost and impact positive; rows (k, 2m) >= 0 on (z+, z-), room (k,) >= 0. ``spread``: a lower
    bound of the least eigenvalue of risk's correlation matrix. ``root`` (m,) or (1,) >= 0: square-root impact, USD a
    lot^1.5, so that trading z lots costs cost |z| + ½ impact z² + root |z|^1.5.
    """

    exposure: F64
    lower: F64
    upper: F64
    kink: F64
    risk: F64
    sensitivity: F64
    cost: F64
    impact: F64
    buy_cap: F64
    sell_cap: F64
    rows: F64
    room: F64
    spread: float
    root: F64 = field(default_factory=lambda: np.zeros(1))


@dataclass(frozen=True, slots=True)
class Solution:
    """lots (m,) signed; price (f,) USD per unit: what one more unit of the factor would cost; failure "" if solved.

    residual (f,): what stays outside, in the factor's unit.
    """

    lots: F64
    price: F64
    residual: F64
    iterations: int
    failure: str = ""


def outside(exposure: F64, lower: F64, upper: F64) -> F64:
    """Signed distance to the interval, same shape: positive above, negative below, 0 inside."""
    return np.maximum(exposure - upper, 0.0) - np.maximum(lower - exposure, 0.0)


def columns(p: Problem) -> tuple[F64, F64, F64, F64, F64, F64, F64, F64, F64]:
    """What the kernels take of a problem, as they take it: exposure to impact as in ``Problem``, then root (m,)."""
    cost = np.ascontiguousarray(p.cost, np.float64)
    root = np.array(p.root, np.float64) if len(p.root) == len(cost) else np.full(len(cost), p.root[0])
    return (
        np.ascontiguousarray(p.exposure, np.float64),
        np.ascontiguousarray(p.lower, np.float64),
        np.ascontiguousarray(p.upper, np.float64),
        np.ascontiguousarray(p.kink, np.float64),
        np.ascontiguousarray(p.risk, np.float64),
        np.ascontiguousarray(p.sensitivity, np.float64),
        cost,
        np.ascontiguousarray(p.impact, np.float64),
        root,
    )


def room_of(p: Problem) -> tuple[F64, F64, F64, F64]:
    """Caps of both sides, rows and their room, as the kernels take them."""
    return (
        np.ascontiguousarray(p.buy_cap, np.float64),
        np.ascontiguousarray(p.sell_cap, np.float64),
        np.ascontiguousarray(p.rows, np.float64),
        np.ascontiguousarray(p.room, np.float64),
    )


def objective(p: Problem, lots: F64) -> float:
    """Cost of the trade and of the risk it leaves outside, USD."""
    return kernels.objective(*columns(p), np.ascontiguousarray(lots, np.float64))


def standing_price(p: Problem) -> F64:
    """USD per unit that being outside costs at the margin before any trade, (f,)."""
    return kernels.standing(*columns(p)[:5])[1]


def solve(p: Problem, iteration_limit: int, warm: tuple[F64, F64] | None = None) -> Solution:
    """Solve to optimality or say why not. ``warm``: (lots, price) of a neighbouring problem; it moves no optimum.

    Square-root impact is solved as its piecewise-linear majorant (``impact.py``); the lots are what its pieces add up to.
    """
    if np.count_nonzero(p.root):
        pieces = impact.pieces_of(p)
        cut = solve(pieces.problem, iteration_limit)
        return replace(cut, lots=pieces.sum(cut.lots))
    f, m = p.sensitivity.shape
    lots, price = (np.zeros(m), np.zeros(f)) if warm is None else warm
    lots, price, residual, iterations, flag = solved(
        *columns(p)[:8], *room_of(p), p.spread, RIDGE, FREE,
        warm is not None, np.ascontiguousarray(lots, np.float64), np.ascontiguousarray(price, np.float64),
        _NEARLY, _FIRST, NEGATIVE, SETTINGS, iteration_limit,
    )  # fmt: skip
    return Solution(lots, price, residual, iterations, failed(flag))
