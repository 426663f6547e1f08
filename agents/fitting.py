"""Whether what the manager tells an agent fits its universe, book and settings; asked before ``step`` sees it. Pure.

``step`` never raises on what fits. *Tested by* tests/unit/test_agents_fitting.py, tests/properties/test_fuzz_bus.py.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from agents.config import with_values
from agents.kinds import select
from agents.step import AgentEvent, AgentSetup
from common.bounds import POSITION_LOTS_MAX
from common.errors import Refused
from common.factors import kind_of_key
from common.messages import AgentParameters, AssignmentUpdate, BudgetUpdate, PositionUpdate

#: Smallest positive setting that is believed: products of some of them are still not zero.
SMALLEST: Final = 1e-20


def fitting(setup: AgentSetup, event: AgentEvent) -> AgentEvent:
    """The event. Raises ``Refused`` with the reason where it does not fit."""
    if isinstance(event, PositionUpdate):
        _positions(setup, event)
    elif isinstance(event, BudgetUpdate):
        _budgets(event)
    elif isinstance(event, AssignmentUpdate):
        _assignment(setup, event)
    elif isinstance(event, AgentParameters):
        _parameters(setup, event)
    return event


def _positions(setup: AgentSetup, update: PositionUpdate) -> None:
    n, at = len(setup.universe), update.instrument
    if len(at) and int(at.max()) >= n:
        raise Refused(f"positions: instrument {int(at.max())}, limit {n - 1}")
    if len(np.unique(at)) != len(at):
        raise Refused("positions: an instrument occurs twice")
    names = setup.book.desk_names
    if sorted(update.desk) != (sorted(names) if len(names) > 1 else []):
        raise Refused(
            f"positions: desks {', '.join(update.desk)[:80] or 'none'}, this book has {', '.join(names) or 'one'}"
        )
    for lots in (update.traded_lots, update.desk_lots):
        if lots.size and not -POSITION_LOTS_MAX <= int(lots.min()) <= int(lots.max()) <= POSITION_LOTS_MAX:
            raise Refused(f"positions: beyond {POSITION_LOTS_MAX} lots")


def _budgets(update: BudgetUpdate) -> None:
    if len(set(update.factor)) != len(update.factor):
        raise Refused("budgets: a factor occurs twice")
    aversion = update.risk_aversion_per_usd
    if aversion > 0.0 and not SMALLEST <= aversion <= 1.0 / SMALLEST:  # none at all stops the agent, which says so
        raise Refused(f"budgets: a risk aversion of {aversion:g} per USD, limit {SMALLEST:g} to {1.0 / SMALLEST:g}")
    if not (update.soft_limit >= 0.0).all():
        raise Refused("budgets: a soft limit is negative or no number")


def _assignment(setup: AgentSetup, update: AssignmentUpdate) -> None:
    keys = update.keys_of(setup.name)
    for key in keys:
        if kind_of_key(key) != setup.kind:
            raise Refused(f"assignment: {setup.name} cannot own {key[:80]!r}, the kinds differ")
    try:
        select(setup.universe, setup.kind, keys)
    except (KeyError, IndexError, ValueError) as error:
        raise Refused(f"assignment: a key of {setup.name} is none: {error}") from None


def _parameters(setup: AgentSetup, update: AgentParameters) -> None:
    if not all(math.isfinite(value) for value in update.values.values()):
        raise Refused("parameters: a value is no number")
    if any(0.0 < abs(value) < SMALLEST for value in update.values.values()):
        raise Refused(f"parameters: a value is below {SMALLEST:g}")
    try:
        with_values(setup.config, update.values)
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"parameters: {str(error)[:200]}") from None
