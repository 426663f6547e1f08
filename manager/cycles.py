"""A decision becomes a cycle of the record and its orders; the same for one desk and for several.

*Tested by* tests/unit/test_manager_step.py, tests/unit/test_manager_desks.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from common.control_messages import Cycle
from common.messages import F64, Proposal
from manager.events import Instruction, Submit
from manager.menu import Menu
from manager.recording import record
from manager.state import ManagerState
from manager.ticket import Draft, build_orders, inputs_hash
from manager.view import View


@dataclass(frozen=True, slots=True)
class Decision:
    """What one cycle decided, before it becomes orders. price (f,) over the view's rows; drafts: let out, first things first."""

    method: str
    view: View
    menu: Menu
    proposals: tuple[Proposal, ...]
    solution: F64
    price: F64
    iterations: int
    drafts: tuple[Draft, ...]


def next_cycle_id(state: ManagerState) -> str:
    """Id of the cycle that is decided next."""
    return f"{state.fold.epoch}-{state.fold.cycle_number + 1}"


def cycle_of(state: ManagerState, d: Decision, wishes: Iterable[F64], now_ns: int) -> Cycle:
    """The cycle with its orders. ``wishes``: lots (m,) that nobody has used, one by agent.

    Where there are several desks the caller adds what is theirs, and where the exposures of each end.
    """
    menu, view, wishes = d.menu, d.view, tuple(wishes)
    cycle_id, seen = next_cycle_id(state), state.market.seen()
    digest = inputs_hash(state, cycle_id, d.proposals, seen)
    orders, drafts = build_orders(state, d.drafts, cycle_id, digest, now_ns)
    ordered = np.zeros(len(menu.index), np.int64)
    for draft in drafts:
        ordered[draft.column] = draft.side.sign * draft.lots
    wished_cents = sum(float(np.abs(x) @ menu.cost_cents) for x in wishes)
    return Cycle(
        cycle_id=cycle_id,
        market_seen=seen,
        proposal_id=tuple(p.header.id for p in d.proposals),
        method=d.method,
        factor=tuple(state.fold.table.names[i] for i in view.rows.tolist()),
        exposure_before=view.exposure,
        exposure_after=view.exposure + menu.sensitivity @ ordered,
        lower=view.lower,
        upper=view.upper,
        price_of_risk=d.price,
        menu=menu.index.astype(np.uint32),
        solution_lots=d.solution,
        ordered_lots=ordered,
        wished_lots=sum(wishes, np.zeros(len(menu.index))),
        iterations=d.iterations,
        orders=orders,
        inputs_hash=digest,
        cost_cents=int(np.abs(ordered) @ menu.cost_cents),
        wished_cost_cents=int(np.floor(wished_cents + 0.5)),
        emergency=tuple(o.client_order_id for o, draft in zip(orders, drafts, strict=True) if draft.emergency),
    )


def enter(state: ManagerState, cycle: Cycle, wall_ns: int) -> list[Instruction]:
    """Enter a cycle in the record; its orders go out first."""
    entry = record(state, cycle, wall_ns)
    return [Submit(cycle.orders), entry] if cycle.orders else [entry]
