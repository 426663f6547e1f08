"""Mistakes planted where several desks are hedged together, and where a limit waits for a second person.

Each function gives the patches of one mistake; ``mistakes.py`` names them. *Tested by*
tests/simulation/test_simulator_mistakes.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

from common import limits_changes
from common.units import NS_PER_S
from manager import books_orders, decide_books
from manager.flows import Flows
from manager.ledger import Ledger
from manager.orders import OrderLife

_NEXT = {"desk:index": "desk:flow", "desk:flow": "desk:index"}


def one_sided() -> list[Any]:
    """A crossing is booked for the desk that buys and not for the one that sells."""
    real = Ledger.cross
    return [mock.patch.object(Ledger, "cross", lambda self, crossing: real(self, replace(crossing, sold=())))]


def priced_at_the_ask() -> list[Any]:
    """What is crossed is priced off the ask, so that the selling desk is given half a spread."""
    real = books_orders.crossings_of

    def crossings(*args: Any) -> Any:
        return tuple(replace(c, bid_ticks=c.ask_ticks, ask_ticks=c.ask_ticks + 1) for c in real(*args))

    return [mock.patch.object(decide_books, "crossings_of", crossings)]


def entities_forgotten() -> list[Any]:
    """Every desk is decided with every other, whatever legal entity it trades for."""
    return [mock.patch.object(decide_books, "entities", lambda book: (tuple(range(len(book.desks))),))]


def another_desks_limit() -> list[Any]:
    """A desk's orders are held to the budget of another desk."""
    real = Flows.limit

    def limit(self: Flows, scope: str, day: int | None = None) -> tuple[int, int, int]:
        return real(self, _NEXT.get(scope, scope), day)

    return [mock.patch.object(Flows, "limit", limit)]


def desk_goes_on() -> list[Any]:
    """A decision of several desks does not look for the one that is stopped."""
    return [mock.patch.object(decide_books, "stopped_names", lambda *_: frozenset())]


def first_desk_gets_all() -> list[Any]:
    """A fill in pieces goes to the first agent of its order, whatever desk the others are of."""
    real = OrderLife.take_fill

    def take(self: Any, lots: int) -> dict[str, int]:
        split = real(self, lots)
        return {self.order.allocation[0][0]: sum(split.values())} if lots < self.order.quantity_lots else split

    return [mock.patch.object(OrderLife, "take_fill", take)]


def approved_by_oneself() -> list[Any]:
    """Who asks for a wider limit may approve it under another role."""
    return [mock.patch.object(limits_changes, "person", lambda who: who)]


def wide_at_once() -> list[Any]:
    """A wider limit holds before anybody has approved it."""
    return [mock.patch.object(limits_changes, "is_widening", lambda *_: False)]


def approved_over_a_change() -> list[Any]:
    """A wider limit is approved though the limit was changed after it had been asked for."""
    return [mock.patch.object(limits_changes, "value_at", lambda *_: "")]


def approval_without_end() -> list[Any]:
    """A wish for a wider limit waits a thousand times as long as the limits say."""
    return [mock.patch.object(limits_changes, "NS_PER_S", 1_000 * NS_PER_S)]
