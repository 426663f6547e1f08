"""The transition table against FIX 4.4's own rules of order states."""

from __future__ import annotations

from dataclasses import fields, replace

from common.messages import Order, OrdStatus
from execution.orders import TRANSITIONS, Change, same_content
from tests.execution_world import make_order


def test_nothing_leaves_a_terminal_status() -> None:
    assert not [key for key in TRANSITIONS if key[0].terminal]


def test_every_open_status_can_end_in_each_way_fix_knows() -> None:
    for status in (s for s in OrdStatus if not s.terminal):
        reached = {after for (before, _), after in TRANSITIONS.items() if before is status}
        assert {OrdStatus.FILLED, OrdStatus.CANCELED, OrdStatus.REJECTED, OrdStatus.EXPIRED} <= reached


def test_a_working_order_never_becomes_pending_or_unknown_again() -> None:
    for (before, _), after in TRANSITIONS.items():
        assert after is not OrdStatus.PENDING_NEW
        if after is OrdStatus.UNKNOWN:
            assert before is OrdStatus.PENDING_NEW


def test_only_an_unknown_order_may_be_missing_without_having_worked() -> None:
    missing = {before: after for (before, change), after in TRANSITIONS.items() if change is Change.MISS}
    assert missing == {
        OrdStatus.UNKNOWN: OrdStatus.REJECTED,
        OrdStatus.NEW: OrdStatus.EXPIRED,
        OrdStatus.PARTIALLY_FILLED: OrdStatus.EXPIRED,
    }


def test_every_field_but_the_epoch_is_content() -> None:
    order = make_order("a", allocation=(("gamma-0", 1),))
    for field in fields(Order):
        value = getattr(order, field.name)
        other = (("x", 2),) if field.name == "allocation" else value + 1 if isinstance(value, int) else str(value) + "x"
        assert same_content(order, replace(order, **{field.name: other})) == (field.name == "epoch"), field.name
