"""Orders of one content are forgotten one by one as the window passes them."""

from __future__ import annotations

from execution.flow import Flow
from tests.execution_world import T0_NS, make_limits, make_order


def test_two_equal_orders_leave_the_window_together_and_apart() -> None:
    limits = make_limits()
    window_ns = limits.same_order_window_ns
    flow = Flow()
    for name, at_ns in (("a", T0_NS), ("b", T0_NS), ("c", T0_NS + window_ns // 2)):
        flow.take_order(make_order(name), at_ns)
    assert flow.alike_within(make_order("d"), limits, T0_NS) == 3
    assert flow.alike_within(make_order("d"), limits, T0_NS + window_ns) == 1
    assert flow.alike_within(make_order("d"), limits, T0_NS + 2 * window_ns) == 0
