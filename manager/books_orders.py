"""From what each desk trades to orders and crossings: what cancels between desks is crossed, the rest goes to the market.

The lots that are crossed are shared among the desks of the larger side pro rata to what each trades, by largest
remainder; within a desk among its agents as an order is (``allocation.py``). An order's bill is split over its desks pro
rata to lots, within a desk by the rules of ``attribution.py``; what is crossed has no bill.
*Tested by* tests/unit/test_manager_desks.py, tests/properties/test_desks_conserve.py.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from common.control_messages import Crossing
from common.factors import at_desk, desk_of
from common.messages import F64, I64, CostShare, Side
from manager import attribution
from manager.allocation import most_moved, shares_by_price, split
from manager.attribution import deal
from manager.menu import Menu
from manager.scopes import served
from manager.state import ManagerState
from manager.ticket import Draft
from manager.view import View

Lots = list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class Part:
    """Whom a desk trades an instrument for: ``share`` by agent (positive on this side), who pays, and what a lot is worth."""

    share: Mapping[str, float]
    fallback: str
    pays: tuple[CostShare, ...]
    worth: float

    def split(self, desk: str, lots: int) -> Lots:
        """Whole lots, unsigned, by agent of the desk."""
        return [(at_desk(agent, desk), n) for agent, n in split(lots, self.share, self.fallback)] if lots else []


#: What is behind the trade of one desk (its position among the entity's) in one column of the menu, on one side.
PartOf = Callable[[int, int, int], Part]


def part_by_price(state: ManagerState, view: View, menu: Menu, book: I64, price: F64, forced: F64) -> PartOf:
    """Parts of a joint solve: by the prices of risk of the desk's own factors, (f,) over the view's rows."""
    table, width = state.fold.table, view.upper - view.lower
    rows_of = {int(d): np.flatnonzero(book == d) for d in np.unique(book)}

    def of(desk: int, column: int, side: int) -> Part:
        at = rows_of[desk]
        owner = [str(a) for a in table.owner[view.rows[at]]]
        names, s = [table.names[i] for i in view.rows[at]], menu.sensitivity[at, column]
        payers = [at_desk(agent, desk_of(name)) for agent, name in zip(owner, names, strict=True)]
        pays = attribution.by_price(names, payers, price[at], forced[at], s, side, width[at])
        to = served(state.fold, view.rows[at], price[at], width[at], s)
        share = shares_by_price(owner, to.price, s, side)
        return Part(share, to.fallback or most_moved(owner, s, to.width), pays, float(-price[at] @ s) * side)

    return of


def part_by_wish(
    state: ManagerState,
    view: View,
    menu: Menu,
    book: I64,
    desks: tuple[str, ...],
    wishes: Mapping[tuple[str, str], F64],
) -> PartOf:
    """Parts out of the agents' wishes: (agent, desk) to lots (m,)."""
    table, width = state.fold.table, view.upper - view.lower

    def of(desk: int, column: int, side: int) -> Part:
        at, name = np.flatnonzero(book == desk), desks[desk]
        same = {agent: float(x[column]) * side for (agent, of_desk), x in wishes.items() if of_desk == name}
        owner = [str(a) for a in table.owner[view.rows[at]]]
        most = most_moved(owner, menu.sensitivity[at, column], width[at])
        return Part(same, most, attribution.by_wish({at_desk(a, name): x for a, x in same.items()}), 0.0)

    return of


def crossed(lots: I64) -> I64:
    """The part of each desk's trade that is crossed, (desks, m), signed as the trade; columns add up to 0."""
    out = np.zeros_like(lots)
    for j in np.flatnonzero((lots > 0).any(axis=0) & (lots < 0).any(axis=0)):
        buys, sells = np.maximum(lots[:, j], 0), np.maximum(-lots[:, j], 0)
        n = int(min(buys.sum(), sells.sum()))
        out[:, j] = np.array(deal(n, buys.tolist())) - np.array(deal(n, sells.tolist()))
    return out


def drafts_of(desks: tuple[str, ...], menu: Menu, market: I64, part_of: PartOf) -> tuple[Draft, ...]:
    """One order an instrument for what the desks together send to the market (desks, m); worthiest first."""
    out = []
    for j in np.flatnonzero(market.any(axis=0)):
        lots = int(market[:, j].sum())
        side = 1 if lots > 0 else -1
        parts = {int(d): part_of(int(d), int(j), side) for d in np.flatnonzero(market[:, j])}
        mine = {d: abs(int(market[d, j])) for d in parts}
        agents = [x for d, part in parts.items() for x in part.split(desks[d], mine[d])]
        worth = sum(mine[d] * part.worth for d, part in parts.items()) - abs(lots) * float(menu.cost[j])
        out.append(
            Draft(
                column=int(j),
                instrument=int(menu.index[j]),
                side=Side.BUY if lots > 0 else Side.SELL,
                lots=abs(lots),
                agents=tuple(sorted(agents, key=lambda x: (-x[1], x[0]))),
                per_lot_cents=(int(menu.cost_cents[j]), int(menu.notional_cents[j])),
                worth=worth,
                cost_shares=attribution.merge([(mine[d], part.pays) for d, part in parts.items()]),
            )
        )
    return tuple(sorted(out, key=lambda d: (-d.worth, d.instrument)))


def crossings_of(
    state: ManagerState, desks: tuple[str, ...], menu: Menu, lots: I64, part_of: PartOf, cycle_id: str
) -> tuple[Crossing, ...]:
    """The crossings of one cycle, each between two desks; ``lots`` (desks, m) as ``crossed`` gives them."""
    out: list[Crossing] = []
    for j in np.flatnonzero(lots.any(axis=0)):
        at = int(menu.index[j])
        left = {
            int(d): part_of(int(d), int(j), 1 if lots[d, j] > 0 else -1).split(desks[d], abs(int(lots[d, j])))
            for d in np.flatnonzero(lots[:, j])
        }
        buyers, sellers = ([d for d in left if sign * lots[d, j] > 0] for sign in (1, -1))
        while buyers:
            buyer, seller = buyers[0], sellers[0]
            n = min(sum(k for _, k in left[buyer]), sum(k for _, k in left[seller]))
            crossing_id = _id(state.setup.run_id, cycle_id, at, desks[buyer], desks[seller])
            bid, ask = int(state.market.bid_ticks[at]), int(state.market.ask_ticks[at])
            bought, sold = _take(left[buyer], n), _take(left[seller], n)
            out.append(Crossing(crossing_id, at, desks[buyer], desks[seller], n, bid, ask, bought, sold))
            buyers, sellers = ([d for d in side if left[d]] for side in (buyers, sellers))
    return tuple(out)


def crossed_lots(desks: tuple[str, ...], menu: Menu, crossings: Sequence[Crossing]) -> I64:
    """What crossings do to each desk, (desks, m)."""
    out = np.zeros((len(desks), len(menu.index)), np.int64)
    for c in crossings:
        column = int(np.searchsorted(menu.index, c.instrument))
        out[desks.index(c.buyer), column] += c.lots
        out[desks.index(c.seller), column] -= c.lots
    return out


def sides_of(c: Crossing) -> tuple[Draft, Draft]:
    """Both sides of a crossing as drafts, for the limits of scopes to look at; neither is ever sent."""
    return (
        Draft(-1, c.instrument, Side.BUY, c.lots, c.bought, (0, 0), 0.0, ()),
        Draft(-1, c.instrument, Side.SELL, c.lots, c.sold, (0, 0), 0.0, ()),
    )


def _take(left: Lots, lots: int) -> tuple[tuple[str, int], ...]:
    """The first lots of a list, which loses them."""
    out = []
    while lots:
        agent, n = left[0]
        taken = min(n, lots)
        out.append((agent, taken))
        lots -= taken
        left[:1] = [(agent, n - taken)] if n > taken else []
    return tuple(out)


def _id(run_id: str, cycle_id: str, instrument: int, buyer: str, seller: str) -> str:
    text = "|".join((run_id, cycle_id, str(instrument), "cross", buyer, seller))
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:20]


def moved_by_desks(menu: Menu, book: I64, lots: I64) -> F64:
    """What the desks' trades (desks, m) do to the factors of a view, (f,)."""
    return np.asarray((menu.sensitivity * lots[book]).sum(axis=1))
