"""The interval QP over several books: each desk has its own trades, the market sees only their sum.

    minimise   Σ_j c_j |z_j| + ½ η_j z_j² + κ_j |z_j|^1.5 + ε_j Σ_b |x_bj|  +  Σ_i w_i |r_i| + ½ r'W r
    over x, r  l_i <= e_i + S_i x_b(i) - r_i <= u_i,   z = Σ_b x_b
    within     caps and rows on (z+, z-) for market, cost and firm; own rows on (x_b+, x_b-) for each desk

What cancels inside Σ_b x_b is crossed between desks of one legal entity and pays only ε, which makes the split unique.
A factor of the whole firm (book -1) moves with z. Square-root impact enters as in ``impact.py``.
*Tested by* tests/properties/test_netting_books.py against Clarabel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from common.messages import F64, I64
from manager import impact
from manager.netting import Problem, outside, standing_price
from manager.qp import FREE, RIDGE, Bools, Programme, solve_columns

FIRM = -1


@dataclass(frozen=True, slots=True)
class BooksProblem:
    """``shared`` holds the factors of all books (F,) and the market's side (m instruments, rows on z).

    book (F,): desk of each factor, ``FIRM`` for one of the whole firm; crossing_cost (m,) > 0 USD a lot and side, small
    beside ``shared.cost``; own_rows (k, 2m) >= 0 on (x+, x-) of desk own_book (k,), own_room (k,) >= 0.
    """

    shared: Problem
    book: I64
    books: int
    crossing_cost: F64
    own_rows: F64
    own_room: F64
    own_book: I64


@dataclass(frozen=True, slots=True)
class BooksSolution:
    """lots (B, m) signed per desk; price (F,) USD per unit; residual (F,); failure "" if solved.

    row_price (k,) and own_price (o,) >= 0: what one more unit of room in a row, and in a desk's own row, would save; 0 for one
    without room, whose columns are taken out.
    """

    lots: F64
    price: F64
    residual: F64
    iterations: int
    row_price: F64
    own_price: F64
    failure: str = ""


class Start(NamedTuple):
    """Where a solve begins: columns z+, z-, x+, x- (desk by desk), r+, r- in ``use`` (N,), multipliers of the columns (N,) and
    of the rows: factors, sums over desks, rows, own rows."""

    use: Bools
    of_columns: F64
    of_rows: F64


@dataclass(frozen=True, slots=True)
class Scale:
    """What a problem is stated in for the solver: a unit of each factor (F,), USD. It moves no optimum."""

    unit: F64
    money: float


def moves(p: BooksProblem, lots: F64) -> F64:
    """What a trade (B, m) does to each factor, (F,)."""
    of_firm = lots.sum(axis=0)[None, :]
    mine = np.concatenate([lots, of_firm])[p.book]  # book -1 is the last row: the sum
    return np.asarray((p.shared.sensitivity * mine).sum(axis=1))


def objective_books(p: BooksProblem, lots: F64) -> float:
    """Cost of the trade (B, m) and of the risk it leaves outside, USD."""
    q, size = p.shared, np.abs(lots.sum(axis=0))
    r = outside(q.exposure + moves(p, lots), q.lower, q.upper)
    trading = q.cost @ size + impact.impact_cost(size, q.impact, q.root).sum()
    crossing = p.crossing_cost @ np.abs(lots).sum(axis=0)
    return float(trading + crossing + q.kink @ np.abs(r) + 0.5 * (r @ q.risk @ r))


def scale_of(p: BooksProblem) -> Scale:
    """A factor's unit is what the lot that moves it most does to it; money is the mean cost of a lot."""
    return Scale(np.maximum(np.abs(p.shared.sensitivity).max(axis=1, initial=0.0), 1e-9), float(p.shared.cost.mean()))


def solve_books(p: BooksProblem, iteration_limit: int) -> BooksSolution:
    """Solve to optimality or say why not."""
    return solve_from(p, iteration_limit, scale_of(p), cold(p, standing_price(p.shared)))[0]


def cold(p: BooksProblem, price: F64) -> Start:
    """Begin with the desk trades that pay more than crossing at a price (F,), the market's side of the same instruments,
    and the factors that are outside."""
    q, m, width = p.shared, p.shared.sensitivity.shape[1], len(market_side(p.shared).cost)
    r = outside(q.exposure, q.lower, q.upper)
    pull = price[:, None] * q.sensitivity
    firm = pull[p.book == FIRM].sum(axis=0)
    per_desk = np.array([pull[p.book == d].sum(axis=0) + firm for d in range(p.books)])
    buy, sell = per_desk < -p.crossing_cost, per_desk > p.crossing_cost
    traded = np.tile((buy | sell).any(axis=0), width // m)
    use = np.concatenate([traded, traded, buy.ravel(), sell.ravel(), r > 0.0, r < 0.0])
    return Start(use, np.zeros(len(use)), np.zeros(len(r) + m + len(q.rows) + len(p.own_rows)))


def solve_from(p: BooksProblem, iteration_limit: int, scale: Scale, start: Start) -> tuple[BooksSolution, Start]:
    """``solve_books`` in the given scale; also what a neighbouring problem may start from."""
    cut = market_side(p.shared)
    (f, m), b, k, width = p.shared.sensitivity.shape, p.books, len(p.shared.rows), len(cut.cost)
    programme, size = _programme(p, cut, scale)
    found = solve_columns(programme, programme.movable & start.use, start.of_columns, start.of_rows, iteration_limit)
    if found.failure:
        return nothing(p, found.iterations, found.failure), start
    x = found.x[2 * width :]
    lots = (x[: b * m] - x[b * m : 2 * b * m]).reshape(b, m)
    residual = (x[2 * b * m : 2 * b * m + f] - x[2 * b * m + f :]) * scale.unit
    price = found.of_rows[:f] * scale.money / scale.unit
    of_room = found.of_rows[f + m :] * scale.money / size
    solution = BooksSolution(lots, price, residual, found.iterations, of_room[:k], of_room[k:])
    return solution, Start(found.x > 0.0, found.of_columns, found.of_rows)


def nothing(p: BooksProblem, iterations: int, failure: str) -> BooksSolution:
    """No trade, since the solve failed."""
    q, (f, m) = p.shared, p.shared.sensitivity.shape
    stays, free = outside(q.exposure, q.lower, q.upper), (np.zeros(len(q.rows)), np.zeros(len(p.own_rows)))
    return BooksSolution(np.zeros((p.books, m)), np.zeros(f), stays, iterations, *free, failure)


def market_side(shared: Problem) -> Problem:
    """The market's side in pieces where impact grows with the square root, as it is otherwise."""
    return impact.pieces_of(shared).problem if shared.root.any() else shared


def _programme(p: BooksProblem, cut: Problem, scale: Scale) -> tuple[Programme, F64]:
    """The programme, and by how much each row that has room was made smaller."""
    q, (f, m), b, width = p.shared, p.shared.sensitivity.shape, p.books, len(cut.cost)
    trades, unit, money = 2 * width + 2 * b * m, scale.unit, scale.money
    rows, upper, lower, size = _rows(p, cut, unit)
    crossing, kink = np.tile(p.crossing_cost, 2 * b) / money, q.kink * unit / money
    gradient = np.concatenate([np.tile(cut.cost, 2) / money, crossing, kink, kink])
    caps = np.concatenate([cut.buy_cap, cut.sell_cap, np.full(2 * b * m, FREE)])
    # What a row without room holds at zero is taken out: the solver finds such corners hard to see.
    held = (rows[f + m :][upper[f + m :] <= 0.0, :trades] > 0.0).any(axis=0)
    free = np.concatenate([(caps > 0.0) & ~held, np.ones(2 * f, np.bool_)])
    programme = Programme(
        _hessian(p, cut, q.risk * np.outer(unit, unit) / money, money),
        gradient,
        rows,
        np.concatenate([caps, np.full(2 * f, FREE)]),
        lower,
        upper,
        free,
    )
    return programme, size


def _hessian(p: BooksProblem, cut: Problem, risk: F64, money: float) -> F64:
    f, m = p.shared.sensitivity.shape
    width, own = len(cut.cost), 2 * p.books * m
    first = 2 * width + own
    h = np.zeros((first + 2 * f, first + 2 * f))
    # The crossing charge's own curvature: next to nothing, and what makes the split between desks unique.
    diagonal = [np.tile(cut.impact, 2), np.tile(1e-3 * p.crossing_cost, 2 * p.books)]
    at = np.arange(first)
    h[at, at] = np.concatenate(diagonal) / money
    plus, minus = slice(first, first + f), slice(first + f, first + 2 * f)
    apart = p.shared.spread * np.diag(np.diag(risk)) - risk
    h[plus, plus] = risk
    h[minus, minus] = risk
    h[plus, minus] = apart
    h[minus, plus] = apart
    at = np.arange(len(h))
    h[at, at] += RIDGE
    return h


def _rows(p: BooksProblem, cut: Problem, unit: F64) -> tuple[F64, F64, F64, F64]:
    """(rows, upper, lower, size): net exposure, Σ_b x_b = z, rows on z, own rows; in lots, the last two over their size."""
    q, (f, m), b, width = p.shared, p.shared.sensitivity.shape, p.books, len(cut.cost)
    s = q.sensitivity / unit[:, None]
    on_firm = np.where(p.book[:, None] == FIRM, cut.sensitivity / unit[:, None], 0.0)
    blocks = [np.where(p.book[:, None] == d, s, 0.0) for d in range(b)]
    mine = np.hstack(blocks)
    net = np.hstack([on_firm, -on_firm, mine, -mine, -np.eye(f), np.eye(f)])
    sums = np.tile(np.eye(m), width // m)
    every = np.tile(np.eye(m), b)
    balance = np.hstack([-sums, sums, every, -every, np.zeros((m, 2 * f))])
    market = np.hstack([cut.rows, np.zeros((len(cut.rows), 2 * b * m + 2 * f))])
    own = np.zeros((len(p.own_rows), 2 * width + 2 * b * m + 2 * f))
    for k, d in enumerate(p.own_book):
        up, down = 2 * width + d * m, 2 * width + (b + d) * m
        own[k, up : up + m], own[k, down : down + m] = p.own_rows[k, :m], p.own_rows[k, m:]
    capped = np.vstack([market, own])
    size = np.maximum(np.abs(capped).max(axis=1, initial=0.0), 1e-12)
    room = np.concatenate([cut.room, p.own_room]) / size
    upper = np.concatenate([(q.upper - q.exposure) / unit, np.zeros(m), room])
    lower = np.concatenate([(q.lower - q.exposure) / unit, np.zeros(m), np.full(len(room), -FREE)])
    rows = np.vstack([net, balance, capped / size[:, None]])
    return rows, np.clip(upper, -FREE, FREE), np.clip(lower, -FREE, FREE), size
