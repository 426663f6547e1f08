"""How fast orders come and how alike they are, over windows of market time. Pure.

Orders and messages (orders, replacements, cancels) are counted over ``rate_window_s``, orders of equal content over
``same_order_window_s``. Where the market stands still no window empties, which is the safe side. Bounded: a window holds
no more than its limit lets in. A restart begins with empty windows.
*Tested by* tests/unit/test_execution_checks.py, tests/properties/test_execution_flow.py.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from common.messages import Order
from execution.limits import ExecutionLimits

_Content = tuple[int, int, int, int, int, int, str]


@dataclass(slots=True)
class Flow:
    """Market times, oldest first, of what was let in."""

    orders_ns: deque[int] = field(default_factory=deque)
    messages_ns: deque[int] = field(default_factory=deque)
    _same_ns: dict[_Content, deque[int]] = field(default_factory=dict)
    _contents: deque[tuple[int, _Content]] = field(default_factory=deque)
    #: Newest time counted. An order may be ahead of the market, and after a window has emptied nothing else knows of it.
    _newest_ns: int = 0

    def orders_within(self, limits: ExecutionLimits, now_ns: int) -> int:
        """Orders in the window that ends now."""
        return _pruned(self.orders_ns, now_ns - limits.rate_window_ns)

    def messages_within(self, limits: ExecutionLimits, now_ns: int) -> int:
        """Messages in the window that ends now."""
        return _pruned(self.messages_ns, now_ns - limits.rate_window_ns)

    def alike_within(self, order: Order, limits: ExecutionLimits, now_ns: int) -> int:
        """Orders of the same content as this one in the window that ends now."""
        last_ns = now_ns - limits.same_order_window_ns
        while self._contents and self._contents[0][0] <= last_ns:
            content = self._contents.popleft()[1]
            same_ns = self._same_ns.get(content)  # gone already where several of one content left the window at once
            if same_ns is not None and not _pruned(same_ns, last_ns):
                del self._same_ns[content]
        return len(self._same_ns.get(_content(order), ()))

    def take_order(self, order: Order, now_ns: int) -> None:
        """Count an order let in; a replacement is a message only."""
        self._newest_ns = now_ns = max(now_ns, self._newest_ns)
        self.messages_ns.append(now_ns)
        if order.orig_client_order_id:
            return
        self.orders_ns.append(now_ns)
        content = _content(order)
        self._same_ns.setdefault(content, deque()).append(now_ns)
        self._contents.append((now_ns, content))

    def take_cancel(self, limits: ExecutionLimits, now_ns: int) -> None:
        """Count a cancel; it is never refused, so no more of them are kept than refuse an order."""
        if self.messages_within(limits, now_ns) < limits.max_messages_per_window:
            self._newest_ns = max(now_ns, self._newest_ns)
            self.messages_ns.append(self._newest_ns)


def _pruned(times_ns: deque[int], last_ns: int) -> int:
    while times_ns and times_ns[0] <= last_ns:
        times_ns.popleft()
    return len(times_ns)


def _content(order: Order) -> _Content:
    """What makes two orders the same to the market; the original too, so that each replacement is its own."""
    return (
        order.instrument,
        order.side,
        order.quantity_lots,
        order.limit_ticks,
        order.time_in_force,
        order.ord_type,
        order.orig_client_order_id,
    )
