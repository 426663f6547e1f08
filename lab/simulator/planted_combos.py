"""Mistakes planted where orders leave as combos.

Each function gives the patches of one mistake; ``mistakes.py`` names them. *Tested by*
tests/simulation/test_simulator_mistakes.py.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

from common.errors import Unavailable
from common.messages import OrdStatus
from execution import combos, core, hand
from execution.events import NewOrder, Persist, SendCombo


def legs_one_by_one() -> list[Any]:
    """A combo's legs go to the venue as so many orders."""

    def sent(venue: Any, legs: Any, now_ns: int) -> list[Any]:
        out: list[Any] = []
        for leg in legs:
            try:
                out += venue.submit(leg, now_ns)
            except Unavailable:
                continue
        return out

    return [mock.patch.object(hand, "_combo_sent", sent)]


def leg_left_out() -> list[Any]:
    """The order for all legs is sent with the first alone."""
    real = combos._sent

    def sent(*args: Any) -> list[Any]:
        return [SendCombo(i.legs[:1]) if isinstance(i, SendCombo) else i for i in real(*args)]

    return [mock.patch.object(combos, "_sent", sent)]


def leg_stored_late() -> list[Any]:
    """Only the first leg is stored before the order leaves."""
    real = combos._sent

    def sent(*args: Any) -> list[Any]:
        out = real(*args)
        legs = [i for i in out if isinstance(i, Persist) and isinstance(i.record, NewOrder)]
        return [i for i in out if i not in legs[1:]]

    return [mock.patch.object(combos, "_sent", sent)]


def combo_sent_again() -> list[Any]:
    """A combo that was being sent at a crash is sent again."""
    real = core._recovered

    def recovered(state: Any, wall_ns: int) -> list[Any]:
        pending = [r.order for r in state.orders.values() if r.ord_status is OrdStatus.PENDING_NEW and r.order.combo]
        by_combo: dict[str, list[Any]] = {}
        for order in pending:
            by_combo.setdefault(order.combo.combo_id, []).append(order)
        return [*real(state, wall_ns), *(SendCombo(tuple(legs)) for legs in by_combo.values())]

    return [mock.patch.object(core, "_recovered", recovered)]


def uneven_goes_on() -> list[Any]:
    """Fills out of a combo's ratio are taken as they come."""
    return [mock.patch.object(combos, "uneven", lambda *_: [])]
