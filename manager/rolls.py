"""The roll of a future, traded: from its instant on what a desk holds of the old front is sold and bought in the new one.

The plan is reference data (`common.universe.Underlying.rolls`); what is left to do follows from positions alone, so a new leader
goes on where the old one was and nothing is rolled twice. Per desk and underlying, with ``held`` of the old front and ``owed``,
what the account ``roll`` has taken out of futures and not put back:
- nothing owed: ``held`` goes out and as much comes in, as one COMBO of two orders; a venue without combos gets the second leg as
  the first fills (docs/tactics.md);
- something owed: only that is traded, in the new front, so that lots are conserved whatever filled.
Desks of one legal entity cross what cancels, both legs together. Every order passes the checks, limits and budgets of a
hedge, is recorded in a cycle of method ``roll`` and cut to what is shown of both futures; the rest follows when it has ended.
*Tested by* tests/properties/test_manager_rolls.py, tests/simulation/test_closed_loop_rolls.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from common.control_messages import Crossing, Cycle
from common.factors import at_desk
from common.messages import I64, CostShare, Order
from common.tactics import Follow
from common.units import NO_PRICE
from common.universe import Underlying
from manager.attribution import WHOLE, deal
from manager.books_orders import Part, PartOf, crossed, crossed_lots, crossings_of, drafts_of, sides_of
from manager.budgets_gate import admitted
from manager.events import Instruction, Publish, Submit
from manager.exposures import Moved
from manager.fold import ROLL
from manager.menu import Menu, columns_of, fresh_underlyings, moves, unknown_rows
from manager.recording import record
from manager.scopes import DESK, UNDERLYING, stopped_names
from manager.state import ManagerState
from manager.tactics import paired
from manager.ticket import Draft, build_orders, inputs_hash, let_out
from manager.view import View, view_of

#: Attempts at a size that every budget lets through on both legs.
_ATTEMPTS = 6


@dataclass(frozen=True, slots=True)
class _Leg:
    """One roll for one legal entity: ``desks`` (positions among the book's), ``menu`` of the futures traded, ascending rows.

    ``lots`` (desks, m) is what is wanted; m is 2 for a roll and 1 for what is owed.
    """

    desks: tuple[int, ...]
    names: tuple[str, ...]
    menu: Menu
    lots: I64
    leaves: int
    enters: int
    view: View


def roll_futures(state: ManagerState, now_ns: int, wall_ns: int) -> list[Instruction]:
    """Every roll that is due and not done, recorded and submitted; nothing while one of its orders works."""
    out: list[Instruction] = []
    if state.setup.config.netting == "none":
        return out
    for k, underlying in enumerate(state.setup.universe.underlyings):
        due = [row for at_ns, row in underlying.rolls if at_ns <= now_ns]
        if due and _open_for(state, k, underlying):
            for desks in _entities(state):
                leg = _leg(state, underlying, due, desks, now_ns)
                if leg is not None:
                    out += _carry_out(state, leg, now_ns, wall_ns)
    return out


def rolls_view(state: ManagerState) -> list[dict[str, Any]]:
    """For status: each roll of the plan, whether its instant has come, and per desk what is left and owed in lots."""
    universe, names, out = state.setup.universe, state.fold.ledger.desks, list[dict[str, Any]]()
    for u in universe.underlyings:
        chain = (u.future_instrument, *(row for _, row in u.rolls))
        for leaves, (at_ns, enters) in zip(chain, u.rolls, strict=False):
            left = _held(state, leaves).tolist()
            desks = [{"desk": d, "left": n, "owed": _owed(state, d, chain)} for d, n in zip(names, left, strict=True)]
            ids = (universe.instrument_id[leaves], universe.instrument_id[enters])
            out.append(
                {"leaves": ids[0], "enters": ids[1], "at_ns": at_ns, "due": state.now_ns >= at_ns, "desks": desks}
            )
    return out


def _open_for(state: ManagerState, k: int, underlying: Underlying) -> bool:
    return bool(fresh_underlyings(state)[k]) and underlying.symbol not in stopped_names(state.fold, UNDERLYING)


def _entities(state: ManagerState) -> list[tuple[int, ...]]:
    """Desks of each legal entity that nobody has stopped."""
    names, stopped = state.fold.ledger.desks, stopped_names(state.fold, DESK)
    if len(names) == 1:
        return [(0,)]
    of: dict[str, list[int]] = {}
    for d, desk in enumerate(state.setup.book.desks):
        if desk.name not in stopped:
            of.setdefault(desk.legal_entity, []).append(d)
    return [tuple(desks) for desks in of.values()]


def _leg(
    state: ManagerState, underlying: Underlying, due: Sequence[int], desks: tuple[int, ...], now_ns: int
) -> _Leg | None:
    """What is to be traded next of one underlying, None for nothing or not now."""
    chain, enters = (underlying.future_instrument, *due), due[-1]
    names = tuple(state.fold.ledger.desks[d] for d in desks)
    owed = np.array([_owed(state, name, chain) for name in names], np.int64)
    leaves = next((f for f in chain[:-1] if _held(state, f)[list(desks)].any()), -1)
    rows: tuple[int, ...]
    if owed.any():
        rows, columns = (enters,), [owed]
    elif leaves >= 0:
        held = _held(state, leaves)[list(desks)]
        rows, columns = (leaves, enters), [-held, held]
    else:
        return None
    if not all(_usable(state, f, now_ns) for f in rows):
        state.seen["roll waits: a future without a market, or an order in it"] += 1
        return None
    order = np.argsort(rows)
    at = np.array(rows, np.intp)[order]
    lots = np.stack(columns, axis=1)[:, order]
    view = view_of(state, now_ns)
    menu = columns_of(state, view.rows, at, {}, np.zeros(len(at), np.bool_))
    return _Leg(desks, names, menu, lots, leaves if len(rows) == 2 else -1, enters, view)


def _held(state: ManagerState, at: int) -> I64:
    """Signed lots each desk holds of a future, (desks,)."""
    book = state.setup.book.desk_lots(len(state.setup.universe))
    return np.asarray(book[:, at] + state.fold.ledger.net_desk_lots()[:, at])


def _owed(state: ManagerState, desk: str, chain: Sequence[int]) -> int:
    """Lots that the roll has taken out of a desk's futures and not put back."""
    mine = state.fold.ledger.by_agent.get(at_desk(ROLL, desk), {})
    return -sum(mine.get(f, 0) for f in set(chain))


def _usable(state: ManagerState, at: int, now_ns: int) -> bool:
    """Two sides with size, alive, not resting, and no order of ours works in it."""
    market, universe = state.market, state.setup.universe
    bid, ask = int(market.bid_ticks[at]), int(market.ask_ticks[at])
    sized = market.bid_size_lots[at] > 0 and market.ask_size_lots[at] > 0
    resting = state.fold.rest_until_ns.get(at, 0) > now_ns
    works = any(life.order.instrument == at for life in state.fold.orders.open.values())
    alive = bool(universe.listed[at]) and universe.expiry_ns[at] > now_ns
    return alive and NO_PRICE < bid < ask and bool(sized) and not resting and not works


def _part(leg: _Leg) -> PartOf:
    def of(desk: int, _column: int, _side: int) -> Part:
        agent = at_desk(ROLL, leg.names[desk])
        return Part({ROLL: 1.0}, ROLL, (CostShare(ROLL, agent, WHOLE),), 0.0)

    return of


def _carry_out(state: ManagerState, leg: _Leg, now_ns: int, wall_ns: int) -> list[Instruction]:
    fold = state.fold
    cycle_id = f"{fold.epoch}-{fold.cycle_number + 1}"
    if np.isnan(leg.menu.sensitivity[_delta_rows(state, leg)]).any():
        state.seen["roll waits: nobody has said what the new future does"] += 1
        return []
    unknown = unknown_rows(state, leg.view.rows)
    mine = unknown[np.isin(state.fold.table.desk[unknown], leg.desks)]
    if moves(state, mine, leg.menu.index).any():
        state.seen["roll waits: nobody says where a limited factor stands"] += 1
        return []
    swapped = crossed(leg.lots)
    crossings = crossings_of(state, leg.names, leg.menu, swapped, _part(leg), cycle_id)
    sides = [side for c in crossings for side in sides_of(c)]
    if len(admitted(state, sides)) < len(sides):
        state.seen["roll waits: limit of a scope against a crossing"] += 1
        crossings = ()
    outside = leg.lots - swapped
    market, drafts = _sized(state, leg, outside, now_ns)
    if not crossings and not drafts:
        return []
    seen = state.market.seen()
    digest = inputs_hash(state, cycle_id, (), seen)
    orders, drafts = build_orders(state, drafts, cycle_id, digest, now_ns)
    orders = _paired(state, leg, orders)
    cycle = _cycle(state, leg, cycle_id, digest, orders, drafts, crossings, market)
    entry = record(state, cycle, wall_ns)
    out: list[Instruction] = [Submit(orders), entry] if orders else [entry]
    if crossings:
        out.append(Publish(fold.ledger.update(state.now_ns, wall_ns, cycle_id)))
    return out


def _delta_rows(state: ManagerState, leg: _Leg) -> np.ndarray:
    """Live rows of the desks that trade: what a future does to them must be known."""
    return np.isin(state.fold.table.desk[leg.view.rows], leg.desks)


def _sized(state: ManagerState, leg: _Leg, wanted: I64, now_ns: int) -> tuple[I64, tuple[Draft, ...]]:
    """The largest part of ``wanted`` (desks, m) that caps, hard limits and budgets let out on every leg, and its drafts."""
    total = int(np.abs(wanted[:, 0]).sum())
    cap = np.where(wanted.sum(axis=0) > 0, leg.menu.buy_cap, leg.menu.sell_cap).min()
    lots = min(total, int(cap))
    for _ in range(_ATTEMPTS):
        part = _part_of(wanted, lots)
        while lots and not _within_hard(state, leg, part):
            lots = lots * 3 // 4
            part = _part_of(wanted, lots)
        if not lots:
            break
        drafts = drafts_of(leg.names, leg.menu, part, _part(leg))
        kept = let_out(state, drafts, now_ns)
        least = min((d.lots for d in kept), default=0) if len(kept) == len(drafts) else lots // 2
        if least == lots:
            return part, kept
        lots = least
    if total:
        state.seen["roll waits: a limit or budget"] += 1
    return np.zeros_like(wanted), ()


def _part_of(wanted: I64, lots: int) -> I64:
    """``lots`` of each leg, dealt to the desks pro rata; the legs of a desk stay equal."""
    size = np.abs(wanted[:, 0])
    if not size.any():
        return np.zeros_like(wanted)
    mine = np.array(deal(lots, size.tolist()), np.int64)
    return np.asarray(np.sign(wanted) * mine[:, None])


def _moved(state: ManagerState, leg: _Leg, column: I64) -> Moved:
    if len(state.fold.ledger.desks) == 1:
        return int(column[0])
    out = np.zeros(len(state.fold.ledger.desks), np.int64)
    out[list(leg.desks)] = column
    return out


def _within_hard(state: ManagerState, leg: _Leg, part: I64) -> bool:
    """Whether either leg alone, beside everything working, keeps every live factor inside its hard limit."""
    view, table = leg.view, state.fold.table
    for at, column in zip(leg.menu.index.tolist(), part.T, strict=True):
        move = np.nan_to_num(table.change(view.rows, at, _moved(state, leg, column)))
        for sign, worst in ((1.0, view.highest), (-1.0, -view.lowest)):
            more = np.maximum(sign * move, 0.0)
            if (more > np.maximum(view.hard - worst, 0.0) * (1.0 + 1e-12)).any():
                return False
    return True


def _paired(state: ManagerState, leg: _Leg, orders: tuple[Order, ...]) -> tuple[Order, ...]:
    """Both legs as one combo, the old future leading; of what is owed the one order as it is."""
    ids = state.setup.universe.instrument_id
    before = ids[leg.leaves] if leg.leaves >= 0 else "what was left"
    named = [replace(o, cause_id=f"{ROLL}:{before}>{ids[leg.enters]}", receive_time_ns=0) for o in orders]
    if len(named) < 2:
        return tuple(named)
    lead = next(o for o in named if o.instrument == leg.leaves)
    follower = next(o for o in named if o.instrument == leg.enters)
    first = min(o.order_sequence for o in named)
    follows = Follow(lead.client_order_id, 1, 1)
    lead, follower = paired(state.setup.config.tactic, lead, follower, follows)
    return replace(lead, order_sequence=first), replace(follower, order_sequence=first + 1)


def _cycle(
    state: ManagerState,
    leg: _Leg,
    cycle_id: str,
    digest: str,
    orders: tuple[Order, ...],
    kept: tuple[Draft, ...],
    crossings: tuple[Crossing, ...],
    market: I64,
) -> Cycle:
    view, menu, several = leg.view, leg.menu, len(state.fold.ledger.desks) > 1
    lots = market + crossed_lots(leg.names, menu, crossings)
    after = view.exposure.copy()
    for at, column in zip(menu.index.tolist(), lots.T, strict=True):
        after += state.fold.table.change(view.rows, at, _moved(state, leg, column))
    ordered = market.sum(axis=0)
    cost = int(np.abs(ordered) @ menu.cost_cents)
    return Cycle(
        cycle_id=cycle_id,
        market_seen=state.market.seen(),
        proposal_id=(),
        method=ROLL,
        factor=tuple(state.fold.table.names[i] for i in view.rows),
        exposure_before=view.exposure,
        exposure_after=after,
        lower=view.lower,
        upper=view.upper,
        price_of_risk=np.zeros(len(view.rows)),
        menu=menu.index.astype(np.uint32),
        solution_lots=ordered.astype(np.float64),
        ordered_lots=ordered,
        wished_lots=np.zeros(len(menu.index)),
        iterations=0,
        orders=orders,
        inputs_hash=digest,
        cost_cents=cost,
        wished_cost_cents=cost,
        desk=leg.names if several else (),
        desk_lots=lots if several else np.empty((0, 0), np.int64),
        crossings=crossings,
        emergency=tuple(
            o.client_order_id for o in orders for d in kept if d.emergency and d.instrument == o.instrument
        ),
    )
