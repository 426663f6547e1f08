"""What the manager's shell needs beside itself: what goes where, and waiting that ends when it is told to.

*Tested by* tests/unit/test_manager_standby.py, tests/e2e/test_live.py.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from common import subjects
from common.messages import AgentParameters, AssignmentUpdate, BudgetUpdate, PositionUpdate
from common.wire import codec
from manager import events as ev


def orders_first(instruction: ev.Instruction) -> bool:
    """Sorting key: everything but the orders of a cycle is beside the path."""
    return not isinstance(instruction, ev.Submit | ev.Cancel)


def encoded(update: PositionUpdate | BudgetUpdate | AssignmentUpdate | AgentParameters) -> tuple[str, bytes]:
    """Subject and bytes of what the manager tells the agents."""
    match update:
        case PositionUpdate():
            return subjects.POSITIONS, codec.encode_position_update(update)
        case BudgetUpdate():
            return subjects.BUDGETS, codec.encode_budget_update(update)
        case AssignmentUpdate():
            return subjects.ASSIGNMENT, codec.encode_assignment_update(update)
        case AgentParameters():
            return subjects.PARAMETERS, codec.encode_agent_parameters(update)


async def sleep(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but not beyond ``stop``."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def first_of(stop: asyncio.Event, deposed: asyncio.Event, jobs: list[asyncio.Task[Any]]) -> None:
    """Return when told to stop, when deposed, or when a job ends."""
    told = [asyncio.ensure_future(event.wait()) for event in (stop, deposed)]
    try:
        await asyncio.wait([*told, *jobs], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiting in told:
            waiting.cancel()


def first_error(jobs: list[asyncio.Task[Any]]) -> BaseException | None:
    """What the first of the ended jobs failed with. All are asked: asyncio complains in the log of those that are not."""
    errors = [job.exception() for job in jobs if not job.cancelled()]
    return next((error for error in errors if error is not None), None)
