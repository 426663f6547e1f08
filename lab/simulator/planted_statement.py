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


def one_look_is_enough() -> list[Any]:
    """What differs in the last look alone is a break, though it may be a message on its way."""
    real = Reconciler._sorted

    def at_once(self: Any, course: Any, _first: Any, fills: int) -> Any:
        return real(self, course, {d.key for d in course.found}, fills)

    return [mock.patch.object(Reconciler, "_sorted", at_once)]


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
