"""Windows of orders against a plain count of the same list: nothing is lost, kept too long, or falls over on equal orders."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from common.units import NS_PER_S
from execution.flow import Flow
from tests.execution_world import make_limits, make_order

#: Steps of market time in seconds around windows of 1 s and 60 s, and which of a few contents the order has.
STEPS = st.lists(st.tuples(st.sampled_from([0.0, 0.4, 1.0, 7.0, 59.9, 200.0]), st.integers(0, 2)), max_size=40)


@given(STEPS)
def test_what_a_window_holds_is_what_came_within_it(steps: list[tuple[float, int]]) -> None:
    limits = make_limits(same_order_window_s=1.0, rate_window_s=60.0)
    flow, now_ns = Flow(), 0
    came: list[tuple[int, int]] = []
    for step_s, content in steps:
        now_ns += round(step_s * NS_PER_S)
        one = replace(make_order("a"), quantity_lots=1 + content)
        alike = sum(c == content and t > now_ns - limits.same_order_window_ns for t, c in came)
        within = sum(t > now_ns - limits.rate_window_ns for t, _ in came)
        assert flow.alike_within(one, limits, now_ns) == alike
        assert flow.orders_within(limits, now_ns) == flow.messages_within(limits, now_ns) == within
        flow.take_order(one, now_ns)
        came.append((now_ns, content))
