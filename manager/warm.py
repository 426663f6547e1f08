"""What a manager loads before it stands for the lease: a leader that loads kernels in its first round loses it.

*Tested by* tests/unit/test_manager_warm.py.
"""

from __future__ import annotations

import numpy as np

from common.kernels import menu
from common.kernels import netting as kernels
from common.limits_scopes import MarginGrid
from common.messages import Header, QuoteBatch
from common.snapshot import MarketSnapshot
from common.subjects import feed_source
from common.units import CENTS_PER_USD, NS_PER_DAY
from common.universe import OPTION, Universe
from manager import budgets
from manager.books_lots import round_books
from manager.books_qp import BooksProblem
from manager.books_solve import solve_few
from manager.budgets_marks import margin_cells, marks
from manager.exposures import Rows
from manager.lots import round_lots
from manager.netting import Problem, objective, room_of, solve, standing_price
from manager.problem import whole_lot_may_pay
from manager.risk_price import kinks

#: A made-up option: at the money, a month to live, worth 2 % of its forward.
_LIFE_NS, _VALUE = 30 * NS_PER_DAY, 0.02


def warm(universe: Universe) -> None:
    """Load (or compile) every kernel of a budget round and of a decision, on made-up quotes and a made-up problem."""
    _decide_once()
    _list_once(universe)
    budgets.within(budgets.equal(np.eye(1)), np.zeros(1), np.ones(1), np.eye(1), 0.5)
    market = MarketSnapshot(universe)
    for u, underlying in enumerate(universe.underlyings):
        options = np.flatnonzero((universe.kind == OPTION) & (universe.underlying == u))
        if not len(options) or underlying.future_instrument < 0:
            continue
        rows = np.array([underlying.future_instrument, options[0]], np.intp)
        market.apply(_quotes(universe, rows, underlying.symbol))
        now_ns = int(universe.expiry_ns[options[0]]) - _LIFE_NS
        marks(market, np.array([options[-1]], np.intp), now_ns)
        margin_cells(market, rows, MarginGrid(), now_ns)


def _decide_once() -> None:
    """One instrument, one factor far outside: a trade in whole lots, by every kernel of a solve."""
    one, far = np.ones(1), np.array([1000.0])
    kink, _ = kinks(np.ones((1, 1)), one, np.ones(1, np.bool_), 2.0, 2.0)
    rows = np.array([[1.0, 1.0], [1.0, 1.0]])
    p = Problem(
        far, -one, one, kink, np.ones((1, 1)), np.ones((1, 1)), one, one, far, far, rows, np.array([1e6, 1.0]), 0.5
    )
    start = solve(p, 100)
    again = solve(p, 100, (start.lots, start.price))
    if whole_lot_may_pay(p) and not again.failure:
        objective(p, round_lots(p, again.lots, 0.0).astype(np.float64))
        standing_price(p)
    kernels.moved_rows(p.risk)
    kernels.alone(*room_of(p)[2:])
    none, left = (np.zeros((0, 2)), np.zeros(0)), np.ones((2, 2))
    kernels.limit_rows(p.sensitivity, far, one, one, one, one, np.zeros(1, np.int64), left, *none)
    alone = np.zeros(1, np.intp)
    kernels.common_variance(p.risk, alone, alone, alone, p.risk, one, 0.1)
    kernels.risk_growth(p.risk, p.risk, one)
    own = np.zeros((0, 2)), np.zeros(0), np.zeros(0, np.int64)
    books = BooksProblem(p, np.zeros(1, np.int64), 2, one, *own)
    round_books(books, solve_few(books, 100).lots, 0.0)


def _list_once(universe: Universe) -> None:
    """The columns of a menu of one instrument."""
    n, at, market = len(universe), np.zeros(1, np.intp), MarketSnapshot(universe)
    sizes = market.bid_size_lots, market.ask_size_lots
    quotes = market.bid_ticks, market.ask_ticks, *sizes
    every, each, none = np.ones(n, np.bool_), np.ones(len(universe.symbols), np.bool_), np.zeros(0, np.intp)
    menu.known(at, at, every[None, :], every[None, :])
    listed = universe.listed, universe.underlying, universe.kind
    menu.tradable(at, *listed, OPTION, *quotes, each, each, none, universe.rolls, every)
    menu.dealt(at, *quotes, np.ones(n), universe.fee_cents, np.ones((3, n)), 1.0, CENTS_PER_USD)
    menu.ordered(at, *sizes, 1.0, np.ones(1), np.ones(1), np.zeros(1, np.int64), every[:1])


def _quotes(universe: Universe, rows: Rows, symbol: str) -> QuoteBatch:
    strike = float(universe.strike[rows[1]])
    ticks = np.rint(np.array([strike, _VALUE * strike]) / universe.tick_size[rows]).astype(np.int32)
    size = np.ones(2, np.int32)
    return QuoteBatch(Header(feed_source(symbol), 1, 0), rows.astype(np.uint32), ticks - 1, ticks + 1, size, size)
