"""``hedge``: a trader's own order. The same checks, budgets, record and execution as every other order; no solver.

Arguments: ``side`` BUY or SELL, ``lots``, ``instrument`` (id), ``limit`` (points, or null: the quoted far side), ``desk`` (where
there are several). Immediate or cancel. It is a cycle of method ``manual`` whose cause is the command; the lots are the
account ``manual``'s. Refused with rule, value and limit. *Tested by* tests/unit/test_manager_manual.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from common.control_messages import Command, Cycle
from common.errors import Refused
from common.factors import at_desk
from common.messages import CostShare, Order, Side, TimeInForce, TradingState
from common.units import CENTS_PER_USD, NO_PRICE
from common.universe import OPTION
from manager.attribution import WHOLE
from manager.budgets_gate import admitted
from manager.budgets_rows import scope_caps
from manager.events import Submit
from manager.exposures import Moved
from manager.flows import NAMES, amounts, scopes_of
from manager.fold import MANUAL
from manager.ledger import per_lot_cents
from manager.menu import fresh_underlyings, guarded, unknown_rows
from manager.orders import cause_of, client_order_id
from manager.outcome import Outcome
from manager.scopes import why_stopped
from manager.state import ManagerState
from manager.ticket import Draft, inputs_hash
from manager.view import View, view_of

#: Points beyond which a limit is none, whatever the tick; its count of ticks is a number.
PRICE_MAX = 1e12


class _Wish(NamedTuple):
    at: int
    side: Side
    lots: int
    limit: float | None
    agent: str
    desk: str


def hedge(state: ManagerState, command: Command, wanted: Mapping[str, Any]) -> Outcome:
    """The order of a person and its cycle. Raises ``Refused`` with rule, value and limit."""
    wish = _read(state, wanted)
    _trading(state, wish)
    order = _order(state, command, wish)
    view = view_of(state, state.now_ns)
    _caps(state, view, order)
    _limits(state, view, order, wish)
    _budgets(state, order, wish)
    price = order.limit_ticks * float(state.setup.universe.tick_size[wish.at])
    text = (
        f"order {order.client_order_id}: {wish.side.name} {wish.lots} {order.instrument_id} at {price:g} or better, IOC"
    )
    return Outcome(text, (_cycle(state, view, order, wish),), (Submit((order,)),))


def _read(state: ManagerState, wanted: Mapping[str, Any]) -> _Wish:
    side, lots, name, limit, desk = (wanted[key] for key in ("side", "lots", "instrument", "limit", "desk"))
    if not isinstance(side, str) or side not in Side.__members__:
        raise Refused(f"side: {side!r}, limit BUY or SELL")
    if isinstance(lots, bool) or not isinstance(lots, int) or lots < 1:
        raise Refused(f"lots: {lots!r}, limit a whole number from 1")
    at = state.setup.universe.index.get(name) if isinstance(name, str) else None
    if at is None:
        raise Refused(f"instrument: {name!r} is not in this run's universe")
    if limit is not None and (
        isinstance(limit, bool) or not isinstance(limit, int | float) or not abs(limit) < PRICE_MAX
    ):
        raise Refused(f"limit: {limit!r} is no price")
    desks = state.fold.ledger.desks
    if desk not in desks:
        known = f"one of {', '.join(desks)}" if len(desks) > 1 else "none: the book is one desk"
        raise Refused(f"desk: {desk!r}, limit {known}")
    return _Wish(at, Side[side], lots, limit, at_desk(MANUAL, desk), desk)


def _symbol(state: ManagerState, at: int) -> str:
    universe = state.setup.universe
    return universe.symbols[int(universe.underlying[at])]


def _trading(state: ManagerState, wish: _Wish) -> None:
    fold, market, universe, at = state.fold, state.market, state.setup.universe, wish.at
    if fold.trading is not TradingState.ACTIVE:
        raise Refused(f"trading: {fold.trading.name} ({fold.trading_text}), limit ACTIVE")
    if fold.feed_silent_s > 0.0:
        raise Refused(
            f"reference: nothing heard of the feed for more than {fold.feed_silent_s:.1f} s, limit fresh quotes"
        )
    if why := why_stopped(fold, _symbol(state, at), (wish.agent,)):
        raise Refused(why)
    if any(c.action != "resume" for c in state.pending.values()):
        raise Refused("trading: a pause or kill is on its way to execution, limit none")
    if not state.reconciled:
        raise Refused("trading: the manager is still taking over, limit reconciled; ask again")
    name, bid, ask = universe.instrument_id[at], int(market.bid_ticks[at]), int(market.ask_ticks[at])
    if not universe.listed[at] or universe.expiry_ns[at] <= state.now_ns:
        raise Refused(f"instrument: {name} is not listed or has expired, limit a listed one")
    if not fresh_underlyings(state)[int(universe.underlying[at])]:
        raise Refused(f"reference: the quotes of {_symbol(state, at)} are stale or have a gap, limit fresh ones")
    if bid <= NO_PRICE or ask <= NO_PRICE or bid >= ask:
        raise Refused(f"reference: {name} has no quote of two sides, limit one")


def _order(state: ManagerState, command: Command, wish: _Wish) -> Order:
    universe, market, fold, at = state.setup.universe, state.market, state.fold, wish.at
    bid, ask = int(market.bid_ticks[at]), int(market.ask_ticks[at])
    limit_ticks = ask if wish.side is Side.BUY else bid
    if wish.limit is not None:
        exact = wish.limit / float(universe.tick_size[at])
        limit_ticks = round(exact)
        if not 0 < limit_ticks < 2**31 or abs(exact - limit_ticks) > 1e-6:
            raise Refused(f"limit: {wish.limit!r}, limit a positive multiple of {float(universe.tick_size[at]):g}")
    cycle_id = f"{fold.epoch}-{fold.cycle_number + 1}"
    name = universe.instrument_id[at]
    return Order(
        client_order_id=client_order_id(state.setup.run_id, cycle_id, name, wish.side),
        epoch=fold.epoch,
        instrument_id=name,
        instrument=at,
        side=wish.side,
        quantity_lots=wish.lots,
        limit_ticks=limit_ticks,
        time_in_force=TimeInForce.IOC,
        book_id=state.setup.book.book_id,
        cycle_id=cycle_id,
        inputs_hash=inputs_hash(state, cycle_id, (), market.seen()),
        cause_id=cause_of(command.command_id),
        order_sequence=fold.orders.decided + 1,
        receive_time_ns=0,  # no tick caused it
        event_time_ns=state.now_ns,
        allocation=((wish.agent, wish.side.sign * wish.lots),),
        arrival_bid_ticks=bid,
        arrival_ask_ticks=ask,
        cost_shares=(CostShare(MANUAL, wish.agent, WHOLE),),
    )


def _caps(state: ManagerState, view: View, order: Order) -> None:
    universe, caps, at = state.setup.universe, state.fold.limits.order, order.instrument
    most = caps.max_lots_option if universe.kind[at] == OPTION else caps.max_lots_future
    if order.quantity_lots > most:
        raise Refused(f"size: {order.quantity_lots} lots, limit {most:g}")
    cents = per_lot_cents(float(state.fold.ledger.tick_cents[at]), order, int(universe.fee_cents[at]))[1]
    value = order.quantity_lots * cents / CENTS_PER_USD
    if value > caps.max_notional_usd:
        raise Refused(f"notional: {value:.2f} USD, limit {caps.max_notional_usd:.2f} USD")
    one = np.array([at], np.intp)
    scoped = float(scope_caps(state, view.rows, one, np.array([cents], np.int64), np.array([float(most)]))[0])
    if order.quantity_lots > scoped:
        raise Refused(f"size: {order.quantity_lots} lots, limit {scoped:g} for its scopes")
    against = sum(
        life.leaves_lots
        for life in state.fold.orders.open.values()
        if life.order.instrument == at and life.order.side is not order.side
    )
    if against:
        raise Refused(f"own orders: {against} lots work on the other side of {order.instrument_id}, limit 0")


def _moved(state: ManagerState, order: Order, wish: _Wish) -> Moved:
    desks = state.fold.ledger.desks
    if len(desks) == 1:
        return order.signed_lots
    return np.array([order.signed_lots if desk == wish.desk else 0 for desk in desks], np.int64)


def _limits(state: ManagerState, view: View, order: Order, wish: _Wish) -> None:
    """Hard limits over every subset of what works; a broken one may not be made worse. Unknown is refused."""
    table, moved = state.fold.table, _moved(state, order, wish)
    owned = np.flatnonzero((table.owner != "") & guarded(state))
    every = np.union1d(owned, unknown_rows(state, view.rows))
    change = table.change(every, order.instrument, moved)
    unknown = every[np.isnan(change) | ((change != 0.0) & ~np.isin(every, view.rows))]
    if len(unknown):
        raise Refused(f"limit: what {order.instrument_id} does to {table.names[int(unknown[0])]} is not known now")
    move = np.nan_to_num(table.change(view.rows, order.instrument, moved))
    for sign, worst in ((1.0, view.highest), (-1.0, -view.lowest)):
        more = np.maximum(sign * move, 0.0)
        over = np.flatnonzero(more > np.maximum(view.hard - worst, 0.0) * (1.0 + 1e-12))
        for k in over:
            name, after = table.names[int(view.rows[k])], sign * (worst[k] + more[k])
            raise Refused(f"limit: {name} {after:.0f} with everything working filled, limit {sign * view.hard[k]:.0f}")


def _budgets(state: ManagerState, order: Order, wish: _Wish) -> None:
    fold, day = state.fold, state.days.of(state.now_ns)
    per_lot = per_lot_cents(float(fold.ledger.tick_cents[wish.at]), order, int(state.setup.universe.fee_cents[wish.at]))
    for scope, wanted in amounts(scopes_of(_symbol(state, wish.at), {wish.agent: wish.lots}), per_lot).items():
        for name, amount, room in zip(NAMES, wanted, fold.flows.room(scope, day), strict=True):
            if amount > room:
                raise Refused(f"flow budget of {scope}: {amount} {name.replace('_', ' ')}, limit {room} left today")
    draft = Draft(0, wish.at, wish.side, wish.lots, ((wish.agent, wish.lots),), per_lot, 0.0, order.cost_shares)
    fits = sum(d.lots for d in admitted(state, (draft,)))
    if fits < wish.lots:
        raise Refused(f"limits of risk, sums, margin and firm: {wish.lots} lots, limit {fits}")


def _cycle(state: ManagerState, view: View, order: Order, wish: _Wish) -> Cycle:
    ordered = np.array([order.signed_lots], np.int64)
    at = wish.at
    per_lot = per_lot_cents(float(state.fold.ledger.tick_cents[at]), order, int(state.setup.universe.fee_cents[at]))[0]
    several = len(state.fold.ledger.desks) > 1
    cost = per_lot * order.quantity_lots
    return Cycle(
        cycle_id=order.cycle_id,
        market_seen=state.market.seen(),
        proposal_id=(),
        method=MANUAL,
        factor=tuple(state.fold.table.names[i] for i in view.rows),
        exposure_before=view.exposure,
        exposure_after=view.exposure + state.fold.table.change(view.rows, at, _moved(state, order, wish)),
        lower=view.lower,
        upper=view.upper,
        price_of_risk=np.zeros(len(view.rows)),
        menu=np.array([at], np.uint32),
        solution_lots=ordered.astype(np.float64),
        ordered_lots=ordered,
        wished_lots=np.zeros(1),
        iterations=0,
        orders=(order,),
        inputs_hash=order.inputs_hash,
        cost_cents=cost,
        wished_cost_cents=0,  # no agent wished for it
        desk=(wish.desk,) if several else (),
        desk_lots=ordered[None, :] if several else np.empty((0, 0), np.int64),
    )
