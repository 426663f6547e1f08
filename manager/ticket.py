"""Orders from whole lots: marketable limit at the quoted far side, immediate or cancel, with a deterministic id.

*Tested by* tests/unit/test_manager_step.py, tests/properties/test_manager_conservation.py.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from common.messages import F64, I64, CostShare, Order, Proposal, Side, TimeInForce
from common.triggers import OF_THE_MARKET
from common.universe import FUTURE
from manager import attribution
from manager.allocation import most_moved, shares_by_price, split
from manager.budgets_flows import within_flows
from manager.budgets_gate import admitted
from manager.menu import Menu
from manager.orders import client_order_id
from manager.scopes import served
from manager.state import ManagerState
from manager.tactics import chosen, combined
from manager.view import View


@dataclass(frozen=True, slots=True)
class Draft:
    """One order to be: column of the menu, instrument, side, lots, whom it serves (unsigned), cents reserved per lot.

    ``worth``: USD it removes at the margin above its cost; where a budget does not reach for all, the worthiest go
    first. ``cost_shares``: who pays for it.
    """

    column: int
    instrument: int
    side: Side
    lots: int
    agents: tuple[tuple[str, int], ...]
    per_lot_cents: tuple[int, int]
    worth: float
    cost_shares: tuple[CostShare, ...]
    #: Its cost comes from the emergency budget.
    emergency: bool = False


def priced_drafts(
    state: ManagerState, view: View, menu: Menu, trade: I64, price: F64, forced: F64
) -> tuple[Draft, ...]:
    """The orders of the joint solve, signed lots (m,): whom each serves and who pays, by the prices of risk (f,)."""
    owner, names = _owners(state, view), [state.fold.table.names[i] for i in view.rows.tolist()]
    width, out = view.upper - view.lower, []
    for column in np.flatnonzero(trade).tolist():
        lots, s = int(trade[column]), menu.sensitivity[:, column]
        side = _side(lots)
        to = served(state.fold, view.rows, price, width, s)
        share = shares_by_price(owner, to.price, s, side.sign)
        agents = split(abs(lots), share, to.fallback or most_moved(owner, s, to.width))
        pays = attribution.by_price(names, owner, price, forced, s, side.sign, width)
        worth = abs(lots) * (float(-price @ s) * side.sign - float(menu.cost[column]))
        out.append(_draft(menu, column, lots, agents, worth, pays))
    return tuple(out)


def wished_draft(
    state: ManagerState, view: View, menu: Menu, column: int, lots: int, wish: Mapping[str, float]
) -> Draft:
    """One instrument's order out of the agents' own wishes, signed lots."""
    side = _side(lots)
    same = {agent: x * side.sign for agent, x in wish.items()}
    most = most_moved(_owners(state, view), menu.sensitivity[:, column], view.upper - view.lower)
    return _draft(menu, column, lots, split(abs(lots), same, most), 0.0, attribution.by_wish(same))


def _draft(
    menu: Menu,
    column: int,
    lots: int,
    agents: tuple[tuple[str, int], ...],
    worth: float,
    pays: tuple[CostShare, ...],
) -> Draft:
    per_lot = (int(menu.cost_cents[column]), int(menu.notional_cents[column]))
    return Draft(int(column), int(menu.index[column]), _side(lots), abs(lots), agents, per_lot, worth, pays)


def _side(lots: int) -> Side:
    return Side.BUY if lots > 0 else Side.SELL


def _owners(state: ManagerState, view: View) -> list[str]:
    return [str(a) for a in state.fold.table.owner[view.rows].tolist()]


def let_out(state: ManagerState, drafts: Iterable[Draft], now_ns: int) -> tuple[Draft, ...]:
    """The drafts, or parts of them, that no scope's limit and no flow budget stands against; the others are counted."""
    return tuple(within_flows(state, admitted(state, tuple(drafts)), state.days.of(now_ns)))


def left_out(drafts: Iterable[Draft], kept: Iterable[Draft]) -> dict[tuple[int, int], int]:
    """(instrument, sign of the side) to the lots that are left, of drafts that were not let out whole."""
    left = {(d.instrument, d.side.sign): d.lots for d in kept}
    at = {(d.instrument, d.side.sign): d.lots for d in drafts}
    return {key: left.get(key, 0) for key, lots in at.items() if left.get(key, 0) < lots}


def build_orders(
    state: ManagerState, drafts: Iterable[Draft], cycle_id: str, digest: str, now_ns: int
) -> tuple[tuple[Order, ...], tuple[Draft, ...]]:
    """The orders of drafts that were let out, and the drafts in the same order."""
    cause_id, receive_time_ns = _cause(state)
    universe, market, rule = state.setup.universe, state.market, state.setup.config.tactic
    if rule.combo_max_ratio:
        # A combo's option stands before its future.
        drafts = sorted(drafts, key=lambda d: bool(universe.kind[d.instrument] == FUTURE))
    orders, drafts = [], tuple(drafts)
    for k, d in enumerate(drafts):
        name, at = universe.instrument_id[d.instrument], d.instrument
        bid, ask = int(market.bid_ticks[at]), int(market.ask_ticks[at])
        shown_lots = int((market.ask_size_lots if d.side is Side.BUY else market.bid_size_lots)[at])
        orders.append(
            Order(
                client_order_id=client_order_id(state.setup.run_id, cycle_id, name, d.side),
                epoch=state.fold.epoch,
                instrument_id=name,
                instrument=at,
                side=d.side,
                quantity_lots=d.lots,
                limit_ticks=ask if d.side is Side.BUY else bid,
                time_in_force=TimeInForce.IOC,
                book_id=state.setup.book.book_id,
                cycle_id=cycle_id,
                inputs_hash=digest,
                cause_id=cause_id,
                order_sequence=state.fold.orders.decided + k + 1,
                receive_time_ns=receive_time_ns,
                event_time_ns=now_ns,
                allocation=tuple((agent, d.side.sign * n) for agent, n in d.agents),
                arrival_bid_ticks=bid,
                arrival_ask_ticks=ask,
                cost_shares=d.cost_shares,
                tactic=chosen(rule, d.lots, shown_lots),
            )
        )
    return tuple(combined(rule, universe, orders)), drafts


def _cause(state: ManagerState) -> tuple[str, int]:
    """(id, wall time its tick entered): the newest proposal since the last cycle, else the last market news.

    The time is 0 where that proposal answers no tick, or there is none: what a fill or the end of a rest brings about is no
    tick's doing, however new the newest tick is.
    """
    fresh = state.fold.fresh
    if fresh is None:
        return state.market.last_header.id, 0
    return fresh.header.id, fresh.header.receive_time_ns if fresh.trigger in OF_THE_MARKET else 0


def inputs_hash(
    state: ManagerState, cycle_id: str, proposals: tuple[Proposal, ...], seen: tuple[tuple[str, int], ...]
) -> str:
    """SHA-256 of what a cycle was computed from, by name and version."""
    fold = state.fold
    parts = (
        state.setup.run_id,
        cycle_id,
        *(p.header.id for p in proposals),
        *(f"{source}={sequence}" for source, sequence in seen),
        fold.ledger.version,
        fold.limits.version,
        0 if fold.assignment is None else fold.assignment.version,
        fold.orders.decided,
        fold.last_solved.cycle_id if fold.last_solved is not None else "",
    )
    return hashlib.sha256("|".join(map(str, parts)).encode()).hexdigest()
