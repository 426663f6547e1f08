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

Bools = NDArray[np.bool_]
_FREE = 1e30
_RIDGE = 1e-9
_FEASIBLE = 1e-7
_PROXIMAL = 0.01
_INFEASIBLE = -1
#: Reduced costs above -this (in mean costs) count as 0; a column starts in from this share of its cost.
_NEGATIVE = 1e-9
_NEARLY = 0.8


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


@dataclass(frozen=True, slots=True)
class _Scaled:
    """The QP DAQP sees: N = 2(m + f) columns z+, z-, r+, r-; rows in lots, money in mean costs. ``free``: may be moved."""

    hessian: F64
    gradient: F64
    rows: F64
    upper: F64
    lower: F64
    free: Bools


def solve(p: Problem, iteration_limit: int, warm: tuple[F64, F64] | None = None) -> Solution:
    """Solve to optimality or say why not. ``warm``: (lots, price) of a neighbouring problem; it moves no optimum.

    Column generation: most instruments stay at 0 and most factors inside, so the solver starts with the columns that pay
    at the standing price and gets those whose reduced cost turns out negative, until none is left out: then the optimum of
    the part is the optimum of the whole. Deterministic: limits are counts of iterations, never time.
    """
    f, m = p.sensitivity.shape
    unit = np.maximum(np.abs(p.sensitivity).max(axis=1, initial=0.0), 1e-9)
    money = float(p.cost.mean())
    scaled = _scaled(p, unit, money)
    use = scaled.free & _first_columns(p, warm)
    start = _dual_start(p, unit, money, scaled, warm)
    iterations = 0
    while True:
        x, lam, flag, steps = _solve_part(scaled, use, start, iteration_limit - iterations)
        iterations += steps
        if flag == _INFEASIBLE and (use != scaled.free).any():
            # Never true, only hard to see for the solver in this part; the whole has more room.
            use, start = scaled.free, np.zeros_like(start)
            continue
        if flag < 1:
            nothing = outside(p.exposure, p.lower, p.upper)
            return Solution(np.zeros(m), np.zeros(f), nothing, iterations, f"daqp exit flag {flag}")
        reduced = scaled.gradient + scaled.hessian @ x + scaled.rows.T @ lam[len(x) :]
        missing = scaled.free & ~use & (reduced < -_NEGATIVE)
        if not missing.any():
            break
        use, start = use | missing, lam
    lots = np.clip(x[:m], 0.0, p.buy_cap) - np.clip(x[m : 2 * m], 0.0, p.sell_cap)
    residual = (x[2 * m : 2 * m + f] - x[2 * m + f :]) * unit
    return Solution(lots, lam[len(x) : len(x) + f] * money / unit, residual, iterations)


def _solve_part(scaled: _Scaled, use: Bools, start: F64, limit: int) -> tuple[F64, F64, int, int]:
    """(x, multipliers, exit flag, iterations) with the columns not in ``use`` at 0, all in full length.

    The problem is always feasible, so a flag that says otherwise (impact almost 0 beside the cost) is answered by
    proximal iterations.
    """
    on = np.concatenate([use, np.ones(len(scaled.rows), np.bool_)])
    hessian = scaled.hessian[np.ix_(use, use)]
    data = (hessian, scaled.gradient[use], scaled.rows[:, use], scaled.upper[on], scaled.lower[on])
    found, _, flag, info = daqp.solve(*data, dual_start=start[on], iter_limit=max(limit, 1), primal_tol=_FEASIBLE)
    steps = int(info["iterations"])
    if flag == _INFEASIBLE:
        left = max(limit - steps, 1)
        found, _, flag, info = daqp.solve(*data, iter_limit=left, primal_tol=_FEASIBLE, eps_prox=_PROXIMAL)
        steps += int(info["iterations"])
    x, lam = np.zeros(len(use)), np.zeros(len(on))
    if flag >= 1:
        x[use], lam[on] = found, info["lam"]
    return x, lam, int(flag) if np.isfinite(x).all() else _INFEASIBLE, steps


def _first_columns(p: Problem, warm: tuple[F64, F64] | None) -> Bools:
    """Trades that pay, or nearly, at the price of no trade or of the neighbour; residuals that stand outside now."""
    r = outside(p.exposure, p.lower, p.upper)
    prices = [standing_price(p)] if warm is None else [standing_price(p), warm[1]]
    pull = np.array([price @ p.sensitivity for price in prices])
    buy, sell = (-pull > _NEARLY * p.cost).any(axis=0), (pull > _NEARLY * p.cost).any(axis=0)
    return np.concatenate([buy, sell, r > 0.0, r < 0.0])


def _scaled(p: Problem, unit: F64, money: float) -> _Scaled:
    risk = p.risk * np.outer(unit, unit) / money
    kink = p.kink * unit / money
    tight = p.rows @ np.concatenate([p.buy_cap, p.sell_cap]) > p.room
    rows, upper, lower = _constraints(p, unit, tight)
    gradient = np.concatenate([p.cost / money, p.cost / money, kink, kink])
    free = np.concatenate([p.buy_cap > 0.0, p.sell_cap > 0.0, np.ones(2 * len(kink), np.bool_)])
    return _Scaled(_hessian(p, risk, money), gradient, rows, upper, lower, free)


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


def _constraints(p: Problem, unit: F64, tight: Bools) -> tuple[F64, F64, F64]:
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


def _dual_start(p: Problem, unit: F64, money: float, scaled: _Scaled, warm: tuple[F64, F64] | None) -> F64:
    """Multipliers at the neighbour's solution, or at no trade: their signs tell DAQP its first active set."""
    f, m = p.sensitivity.shape
    lots, price = (np.zeros(m), standing_price(p)) if warm is None else warm
    mu = price * unit / money
    r = outside(p.exposure + p.sensitivity @ lots, p.lower, p.upper) / unit
    pull = (p.sensitivity / unit[:, None]).T @ mu
    slope = (p.cost + p.impact * np.abs(lots)) / money
    out = np.zeros(len(scaled.upper))
    for first, sign, cap in ((0, 1.0, p.buy_cap), (m, -1.0, p.sell_cap)):
        z = np.maximum(sign * lots, 0.0)
        reduced = -(slope + sign * pull)
        at_cap = np.where(z >= cap, np.maximum(reduced, 0.0), 0.0)
        out[first : first + m] = np.where(z <= 0.0, np.minimum(reduced, 0.0), at_cap)
    steep = scaled.hessian[2 * m : 2 * m + f, 2 * m : 2 * m + f] @ r
    for first, sign in ((2 * m, 1.0), (2 * m + f, -1.0)):
        kink = scaled.gradient[first : first + f]
        out[first : first + f] = np.where(sign * r <= 0.0, np.minimum(sign * (mu - steep) - kink, 0.0), 0.0)
    out[2 * (m + f) : 2 * (m + f) + f] = mu
    return out
