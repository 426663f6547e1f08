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
from numpy.typing import NDArray

from common.messages import F64
from manager import impact
from manager.qp import FREE, RIDGE, Bools, solve_columns

#: A column starts in from this share of its cost.
_NEARLY = 0.8


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


def objective(p: Problem, lots: F64) -> float:
    """Cost of the trade and of the risk it leaves outside, USD."""
    r = outside(p.exposure + p.sensitivity @ lots, p.lower, p.upper)
    size = np.abs(lots)
    trading = p.cost @ size + impact.impact_cost(size, p.impact, p.root).sum()
    return float(trading + p.kink @ np.abs(r) + 0.5 * (r @ p.risk @ r))


def standing_price(p: Problem) -> F64:
    """USD per unit that being outside costs at the margin before any trade, (f,)."""
    r = outside(p.exposure, p.lower, p.upper)
    return np.asarray(np.sign(r) * p.kink + p.risk @ r)


def solve(p: Problem, iteration_limit: int, warm: tuple[F64, F64] | None = None) -> Solution:
    """Solve to optimality or say why not. ``warm``: (lots, price) of a neighbouring problem; it moves no optimum.

    Square-root impact is solved as its piecewise-linear majorant (``impact.py``); the lots are what its pieces add up to.
    """
    if p.root.any():
        pieces = impact.pieces_of(p)
        cut = solve(pieces.problem, iteration_limit)
        return replace(cut, lots=pieces.sum(cut.lots))
    f, m = p.sensitivity.shape
    q = _Interval.of(p)
    found = solve_columns(q, _first_columns(p, warm), _dual_start(p, q, warm), iteration_limit)
    if found.failure:
        nothing = outside(p.exposure, p.lower, p.upper)
        return Solution(np.zeros(m), np.zeros(f), nothing, found.iterations, found.failure)
    x, r = found.x[: 2 * m], found.x[2 * m :]
    lots = np.clip(x[:m], 0.0, p.buy_cap) - np.clip(x[m:], 0.0, p.sell_cap)
    return Solution(lots, found.multipliers[:f] * q.money / q.unit, (r[:f] - r[f:]) * q.unit, found.iterations)


@dataclass(frozen=True, slots=True)
class _Interval:
    """The QP DAQP sees: columns z+, z-, r+, r-; rows in lots, money in mean costs. Matrices are made of the used part only.

    s (f, m) per lot; extra (t, 2m) the rows that can bind; linear and curved costs of the trades (2m,); W (f, f) and what
    stands between r+ and r-; kink (f,).
    """

    unit: F64
    money: float
    s: F64
    extra: F64
    linear: F64
    curved: F64
    risk: F64
    apart: F64
    kink: F64
    cap: F64
    lower: F64
    upper: F64
    free: Bools

    @staticmethod
    def of(p: Problem) -> _Interval:
        """Scale a problem."""
        f = len(p.exposure)
        unit = np.maximum(np.abs(p.sensitivity).max(axis=1, initial=0.0), 1e-9)
        money = float(p.cost.mean())
        risk = p.risk * (unit[:, None] * unit[None, :] / money)
        caps = np.concatenate([p.buy_cap, p.sell_cap])
        tight = np.flatnonzero(p.rows @ caps > p.room)
        extra = p.rows[tight]
        size = np.maximum(extra.max(axis=1, initial=0.0), 1e-12)
        return _Interval(
            unit=unit,
            money=money,
            s=p.sensitivity / unit[:, None],
            extra=extra / size[:, None],
            linear=np.concatenate([p.cost, p.cost]) / money,
            curved=np.concatenate([p.impact, p.impact]) / money + RIDGE,
            risk=risk,
            apart=p.spread * np.diag(np.diag(risk)) - risk,
            kink=p.kink * unit / money,
            cap=np.concatenate([caps, np.full(2 * f, FREE)]),
            lower=np.maximum(np.concatenate([(p.lower - p.exposure) / unit, np.full(len(tight), -FREE)]), -FREE),
            upper=np.minimum(np.concatenate([(p.upper - p.exposure) / unit, p.room[tight] / size]), FREE),
            free=np.concatenate([caps > 0.0, np.ones(2 * f, np.bool_)]),
        )

    def part(self, used: NDArray[np.intp]) -> tuple[F64, F64, F64]:
        """See ``qp.Programme``."""
        f, m = self.s.shape
        trades, rests = used[used < 2 * m], used[used >= 2 * m] - 2 * m
        t, n = len(trades), len(used)
        rows = np.zeros((len(self.upper), n))
        rows[:f, :t] = self.s[:, trades % m] * np.where(trades < m, 1.0, -1.0)
        rows[f:, :t] = self.extra[:, trades]
        row, below = rests % f, rests >= f
        rows[row, np.arange(t, n)] = np.where(below, 1.0, -1.0)
        hessian = np.zeros((n, n))
        grid = np.ix_(row, row)
        hessian[t:, t:] = np.where(below[:, None] == below[None, :], self.risk[grid], self.apart[grid])
        at = np.arange(n)
        hessian[at, at] += np.concatenate([self.curved[trades], np.full(n - t, RIDGE)])
        return hessian, np.concatenate([self.linear[trades], self.kink[row]]), rows

    def reduced(self, x: F64, multipliers: F64) -> F64:
        """See ``qp.Programme``."""
        f, m = self.s.shape
        mu, r = multipliers[:f], x[2 * m :]
        pull = self.s.T @ mu
        trades = self.linear + self.curved * x[: 2 * m] + np.concatenate([pull, -pull]) + self.extra.T @ multipliers[f:]
        up, down = r[:f], r[f:]
        above = self.kink + self.risk @ up + self.apart @ down - mu
        under = self.kink + self.apart @ up + self.risk @ down + mu
        return np.concatenate([trades, above, under])


def _first_columns(p: Problem, warm: tuple[F64, F64] | None) -> Bools:
    """Trades that pay, or nearly, at the price of no trade or of the neighbour; residuals that stand outside now."""
    r = outside(p.exposure, p.lower, p.upper)
    prices = [standing_price(p)] if warm is None else [standing_price(p), warm[1]]
    pull = np.array([price @ p.sensitivity for price in prices])
    buy, sell = (-pull > _NEARLY * p.cost).any(axis=0), (pull > _NEARLY * p.cost).any(axis=0)
    return np.concatenate([buy, sell, r > 0.0, r < 0.0])


def _dual_start(p: Problem, q: _Interval, warm: tuple[F64, F64] | None) -> tuple[F64, F64]:
    """Multipliers at the neighbour's solution, or at no trade: their signs tell DAQP its first active set."""
    f, m = p.sensitivity.shape
    lots, price = (np.zeros(m), standing_price(p)) if warm is None else warm
    mu = price * q.unit / q.money
    r = outside(p.exposure + p.sensitivity @ lots, p.lower, p.upper) / q.unit
    pull, caps = q.s.T @ mu, q.cap[: 2 * m]
    slope = (p.cost + p.impact * np.abs(lots)) / q.money
    z = np.maximum(np.concatenate([lots, -lots]), 0.0)
    reduced = -np.concatenate([slope + pull, slope - pull])
    of_trades = np.where(z <= 0.0, np.minimum(reduced, 0.0), np.where(z >= caps, np.maximum(reduced, 0.0), 0.0))
    lean = mu - q.risk @ r
    above = np.where(r <= 0.0, np.minimum(lean - q.kink, 0.0), 0.0)
    under = np.where(r >= 0.0, np.minimum(-lean - q.kink, 0.0), 0.0)
    of_rows = np.zeros(len(q.upper))
    of_rows[:f] = mu
    return np.concatenate([of_trades, above, under]), of_rows
