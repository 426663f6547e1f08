"""Which orders the flow budgets have room for, and which may draw on the emergency budget.

An order that brings a factor back whose hard limit is broken, and for whose cost some scope has no room left, pays from
the emergency cost budget; its notional and its count stay within the ordinary budgets.
*Tested by* tests/unit/test_budgets_flows.py, tests/properties/test_budgets_flows.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from manager.exposures import Rows
from manager.flows import EMERGENCY, Amount, amounts, scopes_of
from manager.scopes import why_stopped
from manager.state import ManagerState

if TYPE_CHECKING:
    from manager.ticket import Draft
    from manager.view import View


def within_flows(state: ManagerState, drafts: Iterable[Draft], day: int) -> list[Draft]:
    """The orders every flow budget has room for, in their order; one that does not fit is left out and counted."""
    universe, kept = state.setup.universe, []
    left: dict[str, list[int]] = {}
    broken: Rows | None = None
    for d in drafts:
        symbol = universe.symbols[int(universe.underlying[d.instrument])]
        if why_stopped(state.fold, symbol, dict(d.agents)):
            state.seen["orders left out: stopped by people"] += 1
            continue
        wanted = amounts(scopes_of(symbol, dict(d.agents)), d.per_lot_cents)
        if not _fits(state, left, wanted, day):
            wanted = amounts(scopes_of(symbol, dict(d.agents), emergency=True), d.per_lot_cents)
            broken = broken_rows(state) if broken is None else broken
            if not _cures(state, broken, d) or not _fits(state, left, wanted, day):
                state.seen["orders left out: flow budget"] += 1
                continue
            d = replace(d, emergency=True)
        for scope, amount in wanted.items():
            left[scope] = [x - y for x, y in zip(_room(state, left, scope, day), amount, strict=True)]
        kept.append(d)
    return kept


def emergency_room(state: ManagerState, view: View, day: int) -> int:
    """Cents of cost that a decision may plan with beyond the ordinary budgets: none unless a hard limit is broken."""
    if not bool((np.abs(view.exposure) > view.hard).any()):
        return 0
    return state.fold.flows.room(EMERGENCY, day)[0]


def broken_rows(state: ManagerState) -> Rows:
    """Rows of the factor table whose exposure is beyond its hard limit now."""
    table = state.fold.table
    return np.flatnonzero(table.live(state.now_ns) & (np.abs(np.nan_to_num(table.exposure)) > state.fold.hard))


def _room(state: ManagerState, left: Mapping[str, list[int]], scope: str, day: int) -> list[int]:
    return left.get(scope) or list(state.fold.flows.room(scope, day))


def _fits(state: ManagerState, left: Mapping[str, list[int]], wanted: Mapping[str, Amount], day: int) -> bool:
    return all(
        x <= y for scope, amount in wanted.items() for x, y in zip(amount, _room(state, left, scope, day), strict=True)
    )


def _cures(state: ManagerState, broken: Rows, d: Draft) -> bool:
    """Whether an order moves a broken factor back, and no broken factor further out."""
    table = state.fold.table
    moved = np.nan_to_num(table.sensitivity[broken, d.instrument]) * d.side.sign * np.sign(table.exposure[broken])
    return bool(len(broken) and (moved <= 0.0).all() and (moved < 0.0).any())
