"""What scopes ask of a solve: smaller order caps, and rows for limits on sums and on the worst loss.

The last look at each order (``budgets_gate.py``) holds whatever the solve did; these rows spare it trades that would be
cut. Of several desks a lot of the market may be anybody's, so it is held to the worst of them; a limit that tells desks apart
holds a desk's own trades, crossed or not.
*Tested by* tests/unit/test_budgets_gate.py, tests/unit/test_budgets_rows.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from common.factors import desk_of, kind_of
from common.limits_scopes import MarginLimit, OrderShare, SumLimit
from common.messages import F64, I64
from common.units import CENTS_PER_USD
from common.universe import OPTION
from manager.budgets_marks import MarginCells
from manager.budgets_scopes import in_sum, tells_desks_apart, worst_of_cells
from manager.exposures import Bools, Rows
from manager.flows import ORDERS
from manager.state import ManagerState
from manager.view import View, known_of

if TYPE_CHECKING:
    from manager.menu import Menu


def scope_caps(state: ManagerState, live: Rows, at: Rows, notional_cents: I64, cap: F64) -> F64:
    """Lots (m,) of one order after the caps of every scope it may serve: an order that may serve a scope is held to it.

    live: rows of the factor table that are decided on; at (m,): instruments.
    """
    shares: dict[str, OrderShare] = {s: x for s, x in state.fold.limits.scoped("order").items() if s != "firm"}
    if not shares:
        return cap
    table, universe, out = state.fold.table, state.setup.universe, cap.copy()
    option = universe.kind[at] == OPTION
    serves = np.abs(np.nan_to_num(table.sensitivity[np.ix_(live, at)], nan=1.0)) > 0.0
    for scope, share in shares.items():
        head, _, name = scope.partition(":")
        if head == "underlying":
            mine = universe.underlying[at] == universe.symbols.index(name)
        else:
            of = [kind_of(str(table.owner[i])) if head == "kind" else desk_of(table.names[i]) for i in live]
            mine = serves[np.array(of) == name].any(axis=0)
        lots = np.where(option, share.max_lots_option or np.inf, share.max_lots_future or np.inf)
        if share.max_notional_usd is not None:
            lots = np.minimum(lots, np.floor(share.max_notional_usd * CENTS_PER_USD / np.maximum(notional_cents, 1)))
        out = np.where(mine, np.minimum(out, lots), out)
    return np.asarray(out)


def order_left(state: ManagerState, at: Rows) -> Bools:
    """Of instruments (m,): whether the firm and the underlying may still send an order today."""
    flows, universe, day = state.fold.flows, state.setup.universe, state.days.of(state.now_ns)
    if flows.room("firm", day)[ORDERS] < 1:
        return np.zeros(len(at), np.bool_)
    left = np.array([flows.room(f"underlying:{symbol}", day)[ORDERS] >= 1 for symbol in universe.symbols])
    return np.asarray(left[universe.underlying[at]])


def scope_rows(state: ManagerState, view: View, menu: Menu) -> tuple[F64, F64]:
    """Rows (k, 2m) >= 0 on (z+, z-) and their room (k,), USD or the factors' unit; none where there are several desks."""
    rows, room = [np.zeros((0, 2 * len(menu.index)))], [np.zeros(0)]
    limits = state.fold.limits
    if len(state.fold.ledger.desks) > 1 or not (limits.sum or limits.scoped("margin")):
        return rows[0], room[0]
    known = known_of(state) if limits.sum else view
    for limit in limits.sum.values():
        rows.append(_both_ways(menu.sensitivity[in_sum(state, limit.factors, view.rows)].sum(axis=0)))
        room.append(_sum_room(state, limit, known))
    for scope, margin in limits.scoped("margin").items():
        if state.margin is not None:
            more, left = _margin_rows(state, state.margin, scope, margin, menu)
            rows.append(more)
            room.append(left)
    return np.vstack(rows), np.maximum(np.concatenate(room), 0.0)


def scope_rows_of_desks(
    state: ManagerState, view: View, known: View, menu: Menu, book: I64, names: tuple[str, ...]
) -> tuple[tuple[F64, F64], tuple[F64, F64, I64]]:
    """The same for several desks: rows on (z+, z-) and their room; rows on (x+, x-) of one desk, their room, and whose they are.

    ``view`` holds the desks' rows and ``book`` the position in ``names`` of each one's desk; ``known`` is ``view.known_of``.
    """
    none, desks = np.zeros((0, 2 * len(menu.index))), range(len(names))
    market, own = [(none, np.zeros(0))], [(none, np.zeros(0), np.zeros(0, np.int64))]
    for limit in state.fold.limits.sum.values():
        mine, room = in_sum(state, limit.factors, view.rows), _sum_room(state, limit, known)
        each = np.array([_both_ways(menu.sensitivity[mine & (book == d)].sum(axis=0)) for d in desks])
        if tells_desks_apart(limit.factors):
            own += [(each[d], room, np.full(2, d)) for d in desks if each[d].any()]
        else:
            market.append((each.max(axis=0), room))
    for scope, margin in state.fold.limits.scoped("margin").items():
        head, _, name = scope.partition(":")
        if state.margin is None or (head == "desk" and name not in names):
            continue
        rows, room = _margin_rows(state, state.margin, scope, margin, menu)
        if head == "desk":
            own.append((rows, room, np.full(len(room), names.index(name))))
        else:
            market.append((rows, room))
    rows, room = (np.concatenate(x) for x in zip(*market, strict=True))
    own_rows, own_room, whose = (np.concatenate(x) for x in zip(*own, strict=True))
    return (rows, np.maximum(room, 0.0)), (own_rows, np.maximum(own_room, 0.0), whose)


def _sum_room(state: ManagerState, limit: SumLimit, known: View) -> F64:
    """Room upward and downward beside what works, (2,)."""
    mine = in_sum(state, limit.factors, known.rows)
    return np.array([limit.hard_usd - known.highest[mine].sum(), limit.hard_usd + known.lowest[mine].sum()])


def _margin_rows(
    state: ManagerState, cells: MarginCells, scope: str, margin: MarginLimit, menu: Menu
) -> tuple[F64, F64]:
    """What a lot loses in each cell, rows on (z+, z-) and the room that what is held and works leaves."""
    loss = -cells.per_lot(menu.index).T
    known = ~np.isnan(loss).any(axis=0)
    head, _, name = scope.partition(":")
    if head == "underlying":
        known &= state.setup.universe.underlying[menu.index] == state.setup.universe.symbols.index(name)
    grows = np.where(known, np.nan_to_num(loss), 0.0)
    rows = np.hstack([np.maximum(grows, 0.0), np.maximum(-grows, 0.0)])
    return rows, margin.worst_loss_usd - worst_of_cells(state, cells, scope)


def _both_ways(s: F64) -> F64:
    """Rows (2, 2m) on (z+, z-): what lots that move something by s (m,) do upward, then downward."""
    up, down = np.maximum(s, 0.0), np.maximum(-s, 0.0)
    return np.vstack([np.hstack([up, down]), np.hstack([down, up])])
