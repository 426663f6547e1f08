"""Solve several desks with few instruments and few rows: each desk has trades in every instrument, and nearly all stay at 0.

Each solve has the instruments that pay best, the desks' own rows that leave no room, and what an earlier solution asked for:
rows that it broke, instruments that would pay at its prices. An instrument pays if some desk would buy or sell it in the market,
or two desks would cross it: these are the rays of its trades, so that where none of them pays nothing that was left out
would change the optimum. Counts of rounds and iterations bound it.
*Tested by* tests/properties/test_desks_conserve.py, tests/properties/test_netting_books.py.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from common.messages import F64
from manager.books_qp import (
    FIRM,
    BooksProblem,
    BooksSolution,
    Start,
    cold,
    market_side,
    nothing,
    scale_of,
    solve_books,
    solve_from,
)
from manager.netting import standing_price
from manager.qp import NEGATIVE, Bools

#: Solves with a part of the rows and instruments; the next one has them all.
ROUNDS = 12
#: So many instruments at most come in at once, those that pay best; a solution trades some ten.
FIRST = 10
_BROKEN = 1e-7
_TINY = float(np.finfo(np.float64).tiny)


def solve_few(p: BooksProblem, iteration_limit: int) -> BooksSolution:
    """``solve_books`` to the same optimum; ``iterations`` over all rounds."""
    scale, start, spent = scale_of(p), cold(p, standing_price(p.shared)), 0
    rows, none = p.own_room <= 0.0, np.zeros(len(p.crossing_cost), np.bool_)
    some = _best(p, standing_price(p.shared), np.zeros(len(p.shared.rows)), np.zeros(len(p.own_rows)), none)
    for _ in range(ROUNDS):
        at = _places(p, rows, some)
        part, end = solve_from(_with(p, rows, some), max(iteration_limit - spent, 1), scale, _taken(start, *at))
        spent += part.iterations
        if part.failure:
            break
        found = _whole(p, part, rows, some)
        broken = _used(p, found.lots) > p.own_room + _BROKEN * np.maximum(1.0, p.own_room)
        more = _best(p, found.price, found.row_price, found.own_price, some)
        if not (broken & ~rows).any() and not more.any():
            return replace(found, iterations=spent)
        start = _given(cold(p, found.price), *at, end)
        rows, some = rows | broken, some | more
    if spent >= iteration_limit:
        return nothing(p, spent, part.failure or "no iterations left")
    found = solve_books(p, iteration_limit - spent)
    return replace(found, iterations=spent + found.iterations)


def _places(p: BooksProblem, rows: Bools, some: Bools) -> tuple[Bools, Bools]:
    """Columns (N,) and rows of the whole programme that a part has."""
    f, m = p.shared.sensitivity.shape
    pieces = len(market_side(p.shared).cost) // m
    columns = np.concatenate([np.tile(some, 2 * pieces + 2 * p.books), np.ones(2 * f, np.bool_)])
    return columns, np.concatenate([np.ones(f, np.bool_), some, np.ones(len(p.shared.rows), np.bool_), rows])


def _taken(start: Start, columns: Bools, rows: Bools) -> Start:
    return Start(start.use[columns], start.of_columns[columns], start.of_rows[rows])


def _given(start: Start, columns: Bools, rows: Bools, part: Start) -> Start:
    """``start``, written to: where the part has columns and rows, it goes on from there."""
    start.use[columns], start.of_columns[columns], start.of_rows[rows] = part
    return start


def _with(p: BooksProblem, rows: Bools, some: Bools) -> BooksProblem:
    """The problem of the desks' own ``rows`` and of ``some`` instruments."""
    q, both = p.shared, np.tile(some, 2)
    shared = replace(
        q,
        sensitivity=q.sensitivity[:, some],
        cost=q.cost[some],
        impact=q.impact[some],
        buy_cap=q.buy_cap[some],
        sell_cap=q.sell_cap[some],
        rows=q.rows[:, both],
        # Never 0 in a part where it is not in the whole, so that both are cut into the same pieces.
        root=np.maximum(np.broadcast_to(q.root, some.shape)[some], _TINY) if q.root.any() else np.zeros(1),
    )
    own = p.own_rows[np.ix_(rows, both)]
    return BooksProblem(shared, p.book, p.books, p.crossing_cost[some], own, p.own_room[rows], p.own_book[rows])


def _whole(p: BooksProblem, part: BooksSolution, rows: Bools, some: Bools) -> BooksSolution:
    lots, own_price = np.zeros((p.books, len(some))), np.zeros(len(rows))
    lots[:, some], own_price[rows] = part.lots, part.own_price
    return replace(part, lots=lots, own_price=own_price)


def _used(p: BooksProblem, lots: F64) -> F64:
    mine = np.concatenate([np.maximum(lots, 0.0), np.maximum(-lots, 0.0)], axis=1)
    return np.asarray((p.own_rows * mine[p.own_book]).sum(axis=1))


def _best(p: BooksProblem, price: F64, row_price: F64, own_price: F64, some: Bools) -> Bools:
    """(m,): the instruments beside ``some`` that pay at these prices; at most ``FIRST``, those that pay best for their cost.

    Beside none one at least, for a programme of none is none.
    """
    gain = np.where(some, 0.0, _gains(p, price, row_price, own_price))
    pays = gain > NEGATIVE * float(p.shared.cost.mean())
    best = np.argsort(-gain / p.shared.cost, kind="stable")[:FIRST]
    out = np.zeros(len(some), np.bool_)
    out[best] = pays[best]
    if not some.any():
        out[best[:1]] = True
    return out


def _gains(p: BooksProblem, price: F64, row_price: F64, own_price: F64) -> F64:
    """USD that the first lot of each instrument brings, (m,): bought or sold in the market by some desk, or crossed."""
    q, m = p.shared, len(p.crossing_cost)
    pull = price[:, None] * q.sensitivity
    desk = np.array([pull[p.book == d].sum(axis=0) for d in range(p.books)])
    shut = np.array([_at_zero(p.own_rows[(p.own_book == d) & (p.own_room <= 0.0)]) for d in range(p.books)])
    own = np.array([own_price[p.own_book == d] @ p.own_rows[p.own_book == d] for d in range(p.books)])
    buy = np.where(shut[:, :m], np.inf, p.crossing_cost + desk + own[:, :m]).min(axis=0)
    sell = np.where(shut[:, m:], np.inf, p.crossing_cost - desk + own[:, m:]).min(axis=0)
    market = market_side(q)
    firm = pull[p.book == FIRM].sum(axis=0)
    up, down = np.hsplit(row_price @ market.rows, 2)
    pieces = -1, m
    no_buy, no_sell = np.hsplit(_at_zero(market.rows[market.room <= 0.0]), 2)
    ask = np.where((market.buy_cap > 0.0) & ~no_buy, market.cost + up, np.inf).reshape(pieces).min(axis=0) + firm
    bid = np.where((market.sell_cap > 0.0) & ~no_sell, market.cost + down, np.inf).reshape(pieces).min(axis=0) - firm
    return np.asarray(-np.minimum(np.minimum(buy + ask, sell + bid), buy + sell))


def _at_zero(rows: F64) -> Bools:
    return np.asarray((rows > 0.0).any(axis=0))
