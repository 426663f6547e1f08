"""The risk as it stands for one decision: every live factor, re-based to positions and working orders.

*Tested by* tests/properties/test_netting_limits.py, tests/unit/test_budgets_silent.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.messages import F64
from manager.exposures import Bools, Rows
from manager.netting import outside
from manager.scopes import frozen
from manager.state import ManagerState


@dataclass(frozen=True, slots=True)
class View:
    """Columns (f,) over the live rows of the factor table.

    exposure: all working orders filled. highest, lowest: the extremes over every subset of them filled. lower, upper:
    the owners' intervals inside the soft limits. working: signed lots that may still fill, by instrument.
    """

    rows: Rows
    exposure: F64
    highest: F64
    lowest: F64
    lower: F64
    upper: F64
    weighs_cost: Bools
    hard: F64
    working: dict[int, int]

    @property
    def calm(self) -> bool:
        """The no-trade test: everybody inside the interval, no hard limit broken."""
        inside = (self.exposure >= self.lower) & (self.exposure <= self.upper)
        return bool((inside & (np.abs(self.exposure) <= self.hard)).all())

    def take(self, at: Rows) -> View:
        """A part of the rows; every working order stays."""
        return View(
            self.rows[at],
            self.exposure[at],
            self.highest[at],
            self.lowest[at],
            self.lower[at],
            self.upper[at],
            self.weighs_cost[at],
            self.hard[at],
            self.working,
        )

    def outside(self) -> F64:
        """Signed distance to the intervals."""
        return outside(self.exposure, self.lower, self.upper)


def view_of(state: ManagerState, now_ns: int) -> View:
    """Everything live at ``now_ns``; a factor that a working order moves by an unknown amount is left out."""
    table, desks = state.fold.table, state.fold.ledger.desks
    live = table.live(now_ns)
    for life in state.fold.orders.open.values():
        moved = life.open_lots(desks)
        apart = False if isinstance(moved, int) else moved[table.desk] == 0
        live &= ~np.isnan(table.sensitivity[:, life.order.instrument]) | apart
    return _view(state, np.flatnonzero(live), table.exposure)


def known_of(state: ManagerState) -> View:
    """What limits on several factors together count: also what nobody speaks for now, as it was last told. That an agent is
    silent takes none of its risk away. What a working order does is none where unknown.
    """
    told = state.fold.table.told
    return _view(state, np.flatnonzero(~np.isnan(told)), told)


def _view(state: ManagerState, rows: Rows, exposure: F64) -> View:
    table, fold, desks = state.fold.table, state.fold, state.fold.ledger.desks
    working: dict[int, int] = {}
    total = exposure[rows]
    highest, lowest = total.copy(), total.copy()
    for life in fold.orders.open.values():
        at = life.order.instrument
        working[at] = working.get(at, 0) + life.order.side.sign * life.leaves_lots
        move = table.change(rows, at, life.open_lots(desks))
        move = np.where(np.isnan(move), 0.0, move)
        total += move
        highest += np.maximum(move, 0.0)
        lowest += np.minimum(move, 0.0)
    soft = fold.soft[rows]
    lower, upper = np.clip(table.lower[rows], -soft, soft), np.clip(table.upper[rows], -soft, soft)
    stopped, hard = frozen(fold, rows), fold.hard[rows]
    if stopped.any():
        # Where it stands is where it may stay: nothing is traded for it, and nothing may push it further for free.
        lower = np.where(stopped, np.minimum(lower, total), lower)
        upper = np.where(stopped, np.maximum(upper, total), upper)
        hard = np.where(stopped, np.maximum(hard, np.abs(total)), hard)
    return View(rows, total, highest, lowest, lower, upper, table.weighs_cost[rows], hard, working)
