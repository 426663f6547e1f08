"""Where a resting order stands in the queue at its price, from nothing but quotes: pure, whole lots.

The model, pessimistic where the quotes leave it open. *Near side*: the side an order rests on; *lots ahead*: lots of others
that trade before it at its price.
- An order joins behind everything shown at its price. At a price better than the best shown nobody is ahead of it. At a price
  worse than the best the number is not known; when its price becomes the best, everything shown there is ahead of it.
- When the best near price stays and its size falls by d, or that price disappears with its last d lots, then
  floor(d × ``queue_trade_percent`` / 100) lots were traded, from the front of the queue. The rest was cancelled behind us,
  unless less is shown than we thought to be ahead of us: lots ahead never exceed what is shown.
- What was traded went to own orders at better prices first, then through the queue: to those ahead, to us, to those who came
  later. Own orders at one price keep their order of arrival. It fills at the order's own limit, as a resting order does.
- A far side that reaches our limit has gone through everything ahead of us: it fills us up to the size it shows, better limits
  first, then earlier arrivals, at our own limit, not at the better price shown later.
- Nothing is inferred across a gap, a halt, a crossed or absent quote, or a restart; after each an order is where the shown
  size allows it to be, never further ahead.
The default share, a quarter, is pessimistic on the minutes of the E-mini (tests/golden/test_paper_queue_share.py).
*Tested by* tests/properties/test_execution_paper_queue.py (against an explicit queue, lot by lot).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from common.messages import Order, Side
from common.units import NO_PRICE
from execution.venues.paper_market import Touch
from execution.venues.port import VenueEvent

#: Lots ahead where the quotes have never shown them.
UNKNOWN_LOTS: Final = 2**31


@dataclass(slots=True)
class Ticket:
    """One order at the venue; ``due_ns`` is its arrival, ``rank`` its place in time, ``ahead_lots`` its place in the queue."""

    order: Order
    due_ns: int
    rank: int
    leaves_lots: int
    ahead_lots: int = UNKNOWN_LOTS
    resting: bool = False
    done: bool = False
    events: list[VenueEvent] = field(default_factory=list)

    @property
    def precedence(self) -> tuple[int, int]:
        """Better limits first, then earlier arrivals."""
        return -self.order.side.sign * self.order.limit_ticks, self.rank


def traded_lots(side: Side, before: Touch, after: Touch, percent: int) -> int:
    """Lots that traded against the near side of ``side`` between two quotes, by the model."""
    price, lots = before.near(side)
    if price == NO_PRICE or before.crossed or after.crossed:
        return 0
    now_price, now_lots = after.near(side)
    if now_price == price:
        gone = lots - now_lots
    elif now_price == NO_PRICE or side.sign * (now_price - price) < 0:
        gone = lots
    else:
        gone = 0
    return max(gone, 0) * percent // 100


def fills_of(queue: Sequence[Ticket], before: Touch, traded: int) -> list[tuple[Ticket, int]]:
    """Who gets the ``traded`` lots; moves those behind up. ``queue``: own orders of one side, best precedence first."""
    out: list[tuple[Ticket, int]] = []
    left, passed = traded, 0
    for ticket in queue:
        side = ticket.order.side
        price, _ = before.near(side)
        better = side.sign * (ticket.order.limit_ticks - price)
        if better < 0:
            break
        if better == 0:
            others = min(left, max(ticket.ahead_lots - passed, 0))
            passed, left = passed + others, left - others
            ticket.ahead_lots = max(ticket.ahead_lots - passed, 0)
        lots = min(left, ticket.leaves_lots)
        if lots:
            left -= lots
            out.append((ticket, lots))
    return out


def placed(ticket: Ticket, touch: Touch) -> None:
    """Hold what a quote shows against where the order is thought to stand; an order just arrived is placed by it."""
    side = ticket.order.side
    price, lots = touch.near(side)
    if price == NO_PRICE or touch.crossed:
        return
    better = side.sign * (ticket.order.limit_ticks - price)
    if better > 0:
        ticket.ahead_lots = 0
    elif better == 0:
        ticket.ahead_lots = min(ticket.ahead_lots, lots)
