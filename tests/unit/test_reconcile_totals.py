"""One order, both sides: which difference is named, and that rounding is none."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.messages import OrdStatus
from execution.orders import OrderRecord
from execution.reconcile import BreakKind as B
from execution.reconcile_totals import Booked, order_difference
from execution.venues.statement import OrderTotal
from tests.fix_market import fix_order


def ours(lots: int, notional: int, status: OrdStatus = OrdStatus.CANCELED) -> Booked:
    return Booked(OrderRecord(fix_order("o", lots=10), status), lots, notional)


def theirs(lots: int = 0, notional: object = None, slack: object = 0, **more: object) -> OrderTotal:
    value = None if notional is None else Decimal(notional)
    return OrderTotal("o", cum_lots=lots, notional_ticks=value, slack_ticks=Decimal(slack), **more)


@pytest.mark.parametrize(
    ("mine", "said", "kind"),
    [
        (ours(0, 0), theirs(), None),
        (ours(3, 3000), theirs(3, 3000), None),
        (ours(3, 3000), theirs(4, 4000), B.ORDER_LOTS),
        (ours(3, 3000), theirs(2, 2000), B.ORDER_LOTS),
        (ours(3, 3000), theirs(3, 3001), B.ORDER_MONEY),
        (ours(3, 3000), theirs(3), None),
        (ours(3, 3000), theirs(3, 3000, open=True), B.ORDER_OPEN_THERE),
        (ours(3, 3000, OrdStatus.PARTIALLY_FILLED), theirs(3, 3000, open=True), None),
        (ours(3, 3000, OrdStatus.PARTIALLY_FILLED), theirs(3, 3000), None),
        (ours(3, 3000), theirs(known=False), B.ORDER_ONLY_HERE),
        (ours(0, 0), theirs(known=False), None),
        (ours(3, 3000), theirs(3, 3000, wrong="a report of it has Side '2'"), B.ORDER_OTHER),
    ],
)
def test_which_difference_is_named(mine: Booked, said: OrderTotal, kind: B | None) -> None:
    found = order_difference(mine, said)
    assert (found and found.kind) == kind


def test_it_can_be_read() -> None:
    found = order_difference(ours(3, 3001), theirs(4, 4004))
    assert found is not None and found.text() == (
        "order with other filled lots: o; here CANCELED: 3 lots filled at 1000.33 ticks on average, "
        "at the venue ended: 4 lots filled at 1001 ticks on average"
    )


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(-4000, 4000)), min_size=1), st.integers(4, 8))
def test_a_rounded_average_is_no_break_and_a_lot_a_tick_off_is_one(fills, decimals: int) -> None:
    lots, notional = sum(n for n, _ in fills), sum(n * t for n, t in fills)
    average = (Decimal(notional) / lots).quantize(Decimal(1).scaleb(-decimals))
    slack = lots * Decimal(1).scaleb(-decimals)
    assert order_difference(ours(lots, notional), theirs(lots, average * lots, slack)) is None
    if slack < Decimal("0.5"):
        found = order_difference(ours(lots, notional), theirs(lots, average * lots + 1, slack))
        assert found is not None and found.kind is B.ORDER_MONEY
