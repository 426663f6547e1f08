"""Mistakes planted into the reconciliation with the venue's statement.

Each function gives the patches of one mistake; ``mistakes.py`` names them. *Tested by*
tests/simulation/test_simulator_mistakes.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

from execution import reconcile
from execution.reconcile import Join
from execution.reconciler import Reconciler


def halt_left_out() -> list[Any]:
    """A break is found and nothing halts."""

    async def nothing(*_: Any) -> None:
        return None

    return [mock.patch.object(Reconciler, "_halt", nothing)]


def looks_at_once() -> list[Any]:
    """The second look follows the first at once, though what differs may be a message on its way."""
    real = Reconciler.__init__

    def begin(self: Any, engine: Any, config: Any, clock: Any) -> None:
        real(self, engine, config.model_copy(update={"reconcile_tolerance_s": 1e-6}), clock)

    return [mock.patch.object(Reconciler, "__init__", begin)]


def cut_forgotten() -> list[Any]:
    """Fills older than what the venue's statement goes back to are missed there."""
    real = Join.take

    def take(self: Any, stated: Any, stored: Any, after: int) -> None:
        real(self, replace(stated, from_time_ns=0), stored, after)

    return [mock.patch.object(Join, "take", take)]


def positions_not_compared() -> list[Any]:
    """The statement's positions are not looked at."""
    return [mock.patch.object(reconcile, "_positions", lambda *_: iter(()))]


def fills_not_compared() -> list[Any]:
    """What is stated of a fill is taken as booked, whatever it says."""
    return [mock.patch.object(reconcile, "_content", lambda fill: fill.client_order_id)]
