"""Ages of orders: each counts once, a tick counts by its first order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from execution.latency import KEPT, TickToOrder


def test_before_the_first_order_all_is_zero() -> None:
    latency = TickToOrder()
    assert latency.every_ns() == latency.first_ns() == (0, 0)


def test_a_tick_counts_by_its_first_order_and_an_order_of_an_older_tick_does_not_make_a_tick_new() -> None:
    latency = TickToOrder()
    for tick, age in ((100, 3), (200, 5), (200, 50), (100, 70), (300, 7)):
        latency.add(tick, age)
    assert latency.first_ns()[0] == 5, "3, 5, 7"
    assert latency.every_ns()[0] == 7, "3, 5, 7, 50, 70"


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 10**9)), min_size=1, max_size=200))
def test_the_median_is_that_of_a_sorted_list(came: list[tuple[int, int]]) -> None:
    latency = TickToOrder()
    first: dict[int, int] = {}
    for tick, age in came:
        latency.add(tick, age)
        first.setdefault(tick, age)
    for ages, (p50, p99) in (
        (sorted(a for _, a in came), latency.every_ns()),
        (sorted(first.values()), latency.first_ns()),
    ):
        below, above = ages[(len(ages) - 1) // 2], ages[len(ages) // 2]
        assert abs(p50 - (below + above) / 2) <= 0.5
        assert p50 <= p99 <= ages[-1]


def test_the_oldest_are_forgotten() -> None:
    latency = TickToOrder()
    for tick in range(KEPT):
        latency.add(tick, 1_000)
    for tick in range(KEPT, 2 * KEPT):
        latency.add(tick, 9)
    assert latency.every_ns() == latency.first_ns() == (9, 9)
