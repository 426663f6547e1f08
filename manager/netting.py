"""The interval QP of the design: the cheapest net trade that puts everyone inside, as far as it pays.

    minimise over z+, z-, r+, r- >= 0   c'(z+ + z-) + ½ η'(z+² + z-²) + w'(r+ + r-) + ½ r'Wr,   r = r+ - r-
    subject to   l <= e + S (z+ - z-) - r <= u,   z+ <= buy cap,   z- <= sell cap,   A (z+, z-) <= b

A and b are not negative: a hard limit row adds what each order could do alone (so every subset of the orders filled
stays inside), a budget row what each order spends. So z = 0 is always feasible, and so is every smaller trade.

Solved by DAQP (Arnström, Bemporad, Axehill 2022) in scaled units: factor i in lots (divided by s_i = max |S_ij|),
money in mean costs. To keep the Hessian positive definite without changing the optimum, where z+z- = r+r- = 0, the
impact is put on z+² + z-², and t Σ D_i r+_i r-_i is added with D = diag W and t the least eigenvalue of W's
correlation. Numbers of one book; several books add blocks of columns to S and one set of rows that sums them.
*Tested by* tests/properties/test_netting_solvers.py, tests/unit/test_manager_edge.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import daqp
import numpy as np
from numpy.typing import NDArray

from common.messages import F64

_FREE = 1e30
_RIDGE = 1e-9
_FEASIBLE = 1e-7
_PROXIMAL = 0.01
_INFEASIBLE = -1


@dataclass(frozen=True, slots=True)
class Problem:
    """One solve. f factors, m instruments, k rows; USD and the factor's unit throughout, trades in lots.

    exposure, lower, upper, kink (f,); risk (f, f) positive definite; sensitivity (f, m), no row all zero; cost, impact,
    buy_cap, sell_cap (m,), cost and impact positive; rows (k, 2m) >= 0 on (z+, z-), room (k,) >= 0. ``spread``: a lower
    bound of the least eigenvalue of risk's correlation matrix.
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


def objective(p: Problem, lots: F64) -> float:
    """Cost of the trade and of the risk it leaves outside, USD."""
    r = outside(p.exposure + p.sensitivity @ lots, p.lower, p.upper)
    size = np.abs(lots)
    trading = p.cost @ size + 0.5 * (p.impact @ (size * size))
    return float(trading + p.kink @ np.abs(r) + 0.5 * (r @ p.risk @ r))


def standing_price(p: Problem) -> F64:
    """USD per unit that being outside costs at the margin before any trade, (f,)."""
    r = outside(p.exposure, p.lower, p.upper)
    return np.asarray(np.sign(r) * p.kink + p.risk @ r)


def solve(p: Problem, iteration_limit: int, warm: tuple[F64, F64] | None = None) -> Solution:
    """Solve to optimality or say why not. ``warm``: (lots, price) of a neighbouring problem; it moves no optimum.

    Deterministic: limits are counts of iterations, never time. ``failure`` names DAQP's exit flag. The problem is always
    feasible, so a flag that says otherwise (impact almost 0 beside the cost) is answered by proximal iterations.
    """
    f, m = p.sensitivity.shape
    unit = np.maximum(np.abs(p.sensitivity).max(axis=1, initial=0.0), 1e-9)
    money = float(p.cost.mean())
    risk = p.risk * np.outer(unit, unit) / money
    kink = p.kink * unit / money
    free = np.concatenate([p.buy_cap, p.sell_cap]) > 0.0
    use = np.concatenate([free, np.ones(2 * f, np.bool_)])
    gradient = np.concatenate([p.cost / money, p.cost / money, kink, kink])[use]
    tight = p.rows @ np.concatenate([p.buy_cap, p.sell_cap]) > p.room
    rows, upper, lower = _constraints(p, unit, tight)
    bounds = np.concatenate([use, np.ones(len(rows), np.bool_)])
    start = _dual_start(p, unit, money, risk, kink, len(upper), warm)[bounds]
    data = (_hessian(p, risk, money)[np.ix_(use, use)], gradient, rows[:, use], upper[bounds], lower[bounds])
    x, _, flag, info = daqp.solve(*data, dual_start=start, iter_limit=iteration_limit, primal_tol=_FEASIBLE)
    iterations = int(info["iterations"])
    if flag == _INFEASIBLE:
        x, _, flag, info = daqp.solve(*data, iter_limit=iteration_limit, primal_tol=_FEASIBLE, eps_prox=_PROXIMAL)
        iterations += int(info["iterations"])
    if flag < 1 or not np.isfinite(x).all():
        return Solution(
            np.zeros(m), np.zeros(f), outside(p.exposure, p.lower, p.upper), iterations, f"daqp exit flag {flag}"
        )
    both = np.zeros(2 * m)
    both[free] = x[: int(free.sum())]
    lots = np.clip(both[:m], 0.0, p.buy_cap) - np.clip(both[m:], 0.0, p.sell_cap)
    first = int(use.sum())
    residual = (x[first - 2 * f : first - f] - x[first - f : first]) * unit
    return Solution(lots, info["lam"][first : first + f] * money / unit, residual, iterations)


def _hessian(p: Problem, risk: F64, money: float) -> F64:
    f, m = p.sensitivity.shape
    h = np.zeros((2 * (m + f), 2 * (m + f)))
    at = np.arange(2 * m)
    h[at, at] = np.concatenate([p.impact, p.impact]) / money
    apart = p.spread * np.diag(np.diag(risk)) - risk
    a, b = slice(2 * m, 2 * m + f), slice(2 * m + f, 2 * m + 2 * f)
    h[a, a] = risk
    h[b, b] = risk
    h[a, b] = apart
    h[b, a] = apart
    at = np.arange(2 * (m + f))
    h[at, at] += _RIDGE
    return h


def _constraints(p: Problem, unit: F64, tight: NDArray[np.bool_]) -> tuple[F64, F64, F64]:
    f, m = p.sensitivity.shape
    s = p.sensitivity / unit[:, None]
    eye, extra = np.eye(f), p.rows[tight]
    size = np.maximum(np.abs(extra).max(axis=1, initial=0.0), 1e-12)
    rows = np.vstack([np.hstack([s, -s, -eye, eye]), np.hstack([extra / size[:, None], np.zeros((len(extra), 2 * f))])])
    free = np.full(2 * f, _FREE)
    upper = np.concatenate([p.buy_cap, p.sell_cap, free, (p.upper - p.exposure) / unit, p.room[tight] / size])
    lower = np.concatenate(
        [np.zeros(2 * (m + f)), (p.lower - p.exposure) / unit, np.full(len(extra), -_FREE)],
    )
    return rows, np.clip(upper, -_FREE, _FREE), np.clip(lower, -_FREE, _FREE)


def _dual_start(
    p: Problem, unit: F64, money: float, risk: F64, kink: F64, size: int, warm: tuple[F64, F64] | None
) -> F64:
    """Multipliers at the neighbour's solution, or at no trade: their signs tell DAQP its first active set."""
    f, m = p.sensitivity.shape
    lots, price = (np.zeros(m), standing_price(p)) if warm is None else warm
    mu = price * unit / money
    r = outside(p.exposure + p.sensitivity @ lots, p.lower, p.upper) / unit
    pull = (p.sensitivity / unit[:, None]).T @ mu
    slope = (p.cost + p.impact * np.abs(lots)) / money
    out = np.zeros(size)
    for first, sign, cap in ((0, 1.0, p.buy_cap), (m, -1.0, p.sell_cap)):
        z = np.maximum(sign * lots, 0.0)
        reduced = -(slope + sign * pull)
        at_cap = np.where(z >= cap, np.maximum(reduced, 0.0), 0.0)
        out[first : first + m] = np.where(z <= 0.0, np.minimum(reduced, 0.0), at_cap)
    steep = risk @ r
    for first, sign in ((2 * m, 1.0), (2 * m + f, -1.0)):
        out[first : first + f] = np.where(sign * r <= 0.0, np.minimum(sign * (mu - steep) - kink, 0.0), 0.0)
    out[2 * (m + f) : 2 * (m + f) + f] = mu
    return out
