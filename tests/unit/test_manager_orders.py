"""The order table, and the split of fills."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.messages import OrdStatus, Side
from manager.orders import TRANSITIONS, OrderEvent, OrderLife, SeenIds, client_order_id
from tests.manager_world import delta_desk


def life(allocation: tuple[tuple[str, int], ...]) -> OrderLife:
    desk = delta_desk()
    desk.propose("gamma-0", {"delta:SPX": -3e6}, 3e5, menu=[0])
    (order,) = desk.decide()
    from dataclasses import replace

    total = sum(n for _, n in allocation)
    side = Side.BUY if total > 0 else Side.SELL
    return OrderLife(replace(order, allocation=allocation, quantity_lots=abs(total), side=side), "SPX", 0, 1, 1)


def test_terminal_is_terminal_and_every_open_status_knows_every_event() -> None:
    for status in OrdStatus:
        for event in OrderEvent:
            assert ((status, event) in TRANSITIONS) == (not status.terminal)
    assert TRANSITIONS[OrdStatus.UNKNOWN, OrderEvent.ACCEPT] is OrdStatus.NEW
    assert TRANSITIONS[OrdStatus.PARTIALLY_FILLED, OrderEvent.ACCEPT] is OrdStatus.PARTIALLY_FILLED


@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=4),
    st.sampled_from([1, -1]),
    st.lists(st.integers(1, 30), max_size=12),
)
def test_fills_are_split_in_whole_lots_that_add_up_and_never_beyond_a_share(
    shares: list[int], sign: int, fills: list[int]
) -> None:
    x = life(tuple((f"gamma-{i}", sign * n) for i, n in enumerate(shares)))
    got = dict.fromkeys((a for a, _ in x.order.allocation), 0)
    for lots in fills:
        lots = min(lots, x.order.quantity_lots - x.cum_lots)
        if not lots:
            break
        split = x.take_fill(lots)
        assert sum(split.values()) == sign * lots
        assert all(n * sign > 0 for n in split.values())
        for agent, n in split.items():
            got[agent] += n
        for agent, share in x.order.allocation:
            exact = share * x.cum_lots / x.order.quantity_lots
            assert abs(got[agent]) <= abs(share)
            assert abs(got[agent] - exact) < len(shares), "nobody falls far behind"
    if x.cum_lots == x.order.quantity_lots:
        assert got == dict(x.order.allocation)


def test_ids_are_unique_per_run_cycle_instrument_and_side() -> None:
    ids = {
        client_order_id(run, cycle, name, side)
        for run in ("a", "b")
        for cycle in ("1-1", "1-2", "11-1")
        for name in ("X", "Y")
        for side in Side
    }
    assert len(ids) == 24 and all(len(i) == 20 for i in ids)


@pytest.mark.parametrize("bound", [1, 3])
def test_seen_ids_forget_the_oldest(bound: int) -> None:
    seen = SeenIds(bound)
    for i in range(10):
        seen.add(str(i))
    assert len(seen) == bound and "9" in seen and "0" not in seen
