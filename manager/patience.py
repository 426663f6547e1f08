"""What may wait: displayed size comes back, so a dear lot now competes with a cheap lot a little later.

A solve that takes what is displayed for all there will ever be buys the dearest lots of the menu at once when it needs more
than the cheap ones show. So each instrument gets a second column, what may be had of it within the patience: as many lots as
quotes show again in that time, at what a whole display costs on average, and dearer by the price of waiting that long
outside, |S_j|'|W r| × patience / horizon with r as it stands. Only the first column is ordered. So what is cheap and
displayed goes first, the rest waits where waiting is cheaper than the dear, and the more risk stands outside the less
waits. Rows bind what is ordered now: what waits comes when others have filled and hedged, so of an instrument it is only as
many displays as a lone order could take of one. Nothing that waits counts toward a broken hard limit.

An instrument's second column is dearer than its first, so where it does not pay at the prices of a solve without it, that
solve is the optimum with it too: the second solve is made only where something would wait.
*Tested by* tests/properties/test_netting_patience.py, tests/unit/test_manager_edge.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from common.kernels import netting as kernels
from common.messages import F64, I64
from manager.config import Patience
from manager.lots import round_lots
from manager.netting import Problem, Solution, objective, outside, room_of, solve
from manager.qp import Bools

#: What waits is dearer by at least this share of its cost, so that the same lot now is always preferred.
_DEARER = 1e-3
#: Quadratic part of a waiting column, as a share of its cost: it keeps the Hessian positive definite.
_UNIQUE = 1e-6

#: Lots that are none.
NOTHING = 1e-6


@dataclass(frozen=True, slots=True)
class Later:
    """What may be had a little later: buy, sell (m,) lots; cost (m,) USD a lot, the price of waiting included."""

    buy: F64
    sell: F64
    cost: F64


def later_of(p: Problem, shown_buy: F64, shown_sell: F64, patience: Patience, of_desk: Bools | None = None) -> Later:
    """``shown_buy``, ``shown_sell`` (m,) lots an order could take if none of ours worked.

    ``of_desk`` (desks, f): the factors that each desk's trades move, where there are several; the price of waiting is
    that of the desk for which it is highest.
    """
    m, most = len(p.cost), kernels.alone(*room_of(p)[2:])
    buy, sell = np.minimum(shown_buy, most[:m]), np.minimum(shown_sell, most[m:])
    size = 0.5 * (shown_buy + shown_sell)
    price = np.abs(p.risk @ outside(p.exposure, p.lower, p.upper))
    waiting = ((price if of_desk is None else price * of_desk) @ np.abs(p.sensitivity)) * patience.horizon_share
    waiting = waiting if of_desk is None else waiting.max(axis=0)
    dealt = p.cost + 0.5 * p.impact * size + p.root * np.sqrt(size)
    return Later(patience.displays * buy, patience.displays * sell, dealt + waiting + _DEARER * p.cost)


def widened(p: Problem, later: Later, forced: Bools) -> Problem:
    """The problem of 2m columns: now, then later. ``forced`` (f,): rows that nothing which waits may serve."""
    m, nothing = len(p.cost), np.zeros((len(p.room), len(p.cost)))
    return replace(
        p,
        sensitivity=np.hstack([p.sensitivity, np.where(forced[:, None], 0.0, p.sensitivity)]),
        cost=np.concatenate([p.cost, later.cost]),
        impact=np.concatenate([p.impact, _UNIQUE * later.cost]),
        buy_cap=np.concatenate([p.buy_cap, later.buy]),
        sell_cap=np.concatenate([p.sell_cap, later.sell]),
        rows=np.hstack([p.rows[:, :m], nothing, p.rows[:, m:], nothing]),
        root=np.concatenate([np.broadcast_to(p.root, (m,)), np.zeros(m)]) if p.root.any() else p.root,
    )


def would_wait(p: Problem, later: Later, price: F64, forced: Bools) -> bool:
    """Whether anything later pays at the prices (f,) of a solution without it."""
    pull = np.where(forced, 0.0, price) @ p.sensitivity
    return bool((((-pull > later.cost) & (later.buy > 0.0)) | ((pull > later.cost) & (later.sell > 0.0))).any())


def credited(p: Problem, waits: F64) -> F64:
    """Of what waits would move (f,), the part toward the interval of a factor that stands outside, at most to its edge.

    What waits is counted on for nothing else: hedging now what it would push out takes risk the other way, for as long as
    it does not come.
    """
    r = outside(p.exposure, p.lower, p.upper)
    return np.clip(waits, np.minimum(-r, 0.0), np.maximum(-r, 0.0))


def decide_lots(
    p: Problem,
    later: Later,
    forced: Bools,
    iteration_limit: int,
    min_gain_usd: float,
    warm: tuple[F64, F64] | None = None,
) -> tuple[Solution, I64]:
    """The solution (lots (m,) of now, prices with what may wait) and its whole lots (m,).

    What waits is held still where it brings a factor in (`credited`): the plan is solved again for what it would push out,
    which is hedged when it comes. Only instruments of the plan, now or later, are ordered or mend the rounding. An order list
    must lower the objective by itself, for what waits may never come: where it does not, the best that does is looked for
    among those instruments. If the wider solve fails, the narrower one stands.
    """
    now = solve(p, iteration_limit, warm)
    if now.failure:
        return now, np.zeros(len(p.cost), np.int64)
    if not would_wait(p, later, now.price, forced):
        return now, round_lots(p, now.lots, min_gain_usd)
    m, left = len(p.cost), max(iteration_limit - now.iterations, 1)
    both = solve(widened(p, later, forced), left, (np.concatenate([now.lots, np.zeros(m)]), now.price))
    spent = now.iterations + both.iterations
    if both.failure:
        return replace(now, iterations=spent), round_lots(p, now.lots, min_gain_usd)
    z, y = both.lots[:m], both.lots[m:]
    part, waits = only(p, np.abs(z) + np.abs(y) > NOTHING), np.where(forced, 0.0, p.sensitivity @ y)
    counts = credited(p, waits)
    still = replace(part, exposure=p.exposure + counts)
    if (counts != waits).any():
        own = solve(still, max(iteration_limit - spent, 1), (z, both.price))
        spent, z = spent + own.iterations, z if own.failure else own.lots
    lots = round_lots(still, z, min_gain_usd)
    if lots.any() and objective(p, np.zeros(m)) - objective(p, lots.astype(np.float64)) <= min_gain_usd:
        alone = solve(part, max(iteration_limit - spent, 1), (z, both.price))
        spent += alone.iterations
        lots = round_lots(p, now.lots, min_gain_usd) if alone.failure else round_lots(part, alone.lots, min_gain_usd)
    return replace(both, lots=z, iterations=spent), lots


def only(p: Problem, planned: Bools) -> Problem:
    """The problem in which nothing but the planned instruments (m,) is traded."""
    return replace(p, buy_cap=np.where(planned, p.buy_cap, 0.0), sell_cap=np.where(planned, p.sell_cap, 0.0))
