"""What scopes ask of a solve: smaller order caps, and rows for limits on sums and on the worst loss.

The last look at each order (``budgets_gate.py``) holds whatever the solve did; these rows spare it trades that would be
cut. Of several desks only the caps enter: a lot of the market may be anybody's there.
*Tested by* tests/unit/test_budgets_gate.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from common.factors import desk_of, kind_of
from common.limits_scopes import OrderShare
from common.messages import F64, I64
from common.units import CENTS_PER_USD
from common.universe import OPTION
from manager.budgets_scopes import held_lots, in_sum
from manager.exposures import Bools, Rows
from manager.flows import ORDERS
from manager.state import ManagerState

if TYPE_CHECKING:
    from manager.menu import Menu
    from manager.view import View


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
    left = [flows.room(f"underlying:{symbol}", day)[ORDERS] >= 1 for symbol in universe.symbols]
    return np.asarray(np.array(left)[universe.underlying[at]])


def scope_rows(state: ManagerState, view: View, menu: Menu) -> tuple[F64, F64]:
    """Rows (k, 2m) >= 0 on (z+, z-) and their room (k,), USD or the factors' unit; none where there are several desks."""
    rows, room = [np.zeros((0, 2 * len(menu.index)))], [np.zeros(0)]
    if len(state.fold.ledger.desks) > 1:
        return rows[0], room[0]
    for limit in state.fold.limits.sum.values():
        mine = in_sum(state, limit.factors, view.rows)
        s, total = menu.sensitivity[mine].sum(axis=0), view.exposure[mine].sum()
        above, below = (view.highest - view.exposure)[mine].sum(), (view.exposure - view.lowest)[mine].sum()
        rows.append(_both_ways(s[None, :]))
        room.append(np.array([limit.hard_usd - total - above, limit.hard_usd + total - below]))
    cells = state.margin
    for scope, margin in state.fold.limits.scoped("margin").items():
        if cells is None:
            break
        loss = -cells.per_lot(menu.index).T
        known = ~np.isnan(loss).any(axis=0)
        head, _, name = scope.partition(":")
        if head == "underlying":
            known &= state.setup.universe.underlying[menu.index] == state.setup.universe.symbols.index(name)
        grows = np.where(known, np.nan_to_num(loss), 0.0)
        rows.append(np.hstack([np.maximum(grows, 0.0), np.maximum(-grows, 0.0)]))
        room.append(margin.worst_loss_usd + cells.of(held_lots(state, scope).astype(np.float64)))
    return np.vstack(rows), np.maximum(np.concatenate(room), 0.0)


def _both_ways(s: F64) -> F64:
    up, down = np.maximum(s, 0.0), np.maximum(-s, 0.0)
    return np.vstack([np.hstack([up, down]), np.hstack([down, up])])
