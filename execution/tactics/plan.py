"""What a plan owns, what happens to it, and what it asks for. No clock: time is market time in nanoseconds.

A plan works one parent order through children. It knows only the open ones; of those that ended it keeps the sums.
*Tested by* tests/unit/test_tactics_step.py, tests/properties/test_tactics_step.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from common.messages import Order, OrdStatus, TimeInForce
from common.tactics import TacticKind
from common.units import NS_PER_MS, NS_PER_S

#: Children of one parent in its life; the parent ends with its rest when they are used up.
MAX_CHILDREN = 1_000
#: Refusals by the venue in a row, after which the parent ends with its rest.
MAX_REJECTS = 3
#: Resting ends this long before the session does.
CLOSE_NS = 60 * NS_PER_S


@dataclass(slots=True)
class Child:
    """An open child. ``resting``: meant to wait at its price (DAY); otherwise it takes what is there (IOC)."""

    lots: int
    ticks: int
    resting: bool
    cum_lots: int = 0
    cancel_asked: bool = False

    @property
    def leaves_lots(self) -> int:
        """Lots that may still fill."""
        return self.lots - self.cum_lots


@dataclass(frozen=True, slots=True)
class Quote:
    """Top of the book of the parent's instrument; only a live, two-sided, uncrossed one with sizes is told."""

    bid_ticks: int
    ask_ticks: int
    bid_lots: int
    ask_lots: int


@dataclass(slots=True)
class Plan:
    """A parent at work. Owned by the core's state, changed by ``step`` alone.

    ``released_lots``: how much of the order may be worked by now; all of it unless it follows another. ``tried_lots``:
    lots of every child there has been. ``clock_ns``: where its time budget begins. ``placed_ns``: the last child, or the
    last attempt that a check refused.
    """

    order: Order
    end_ns: int = 0
    now_ns: int = 0
    clock_ns: int = 0
    quote: Quote | None = None
    may_place: bool = True
    #: Of a COMBO: its venue takes it as one order, so that the children are placed for all legs at once.
    together: bool = False
    released_lots: int = 0
    lead_ended: bool = True
    children: dict[int, Child] = field(default_factory=dict)
    next_number: int = 1
    filled_lots: int = 0
    tried_lots: int = 0
    placed_ns: int = 0
    crossing: bool = False
    rejects: int = 0
    held: str = ""
    #: Why it is being ended and as what; set once.
    closing: Finish | None = None
    finished: bool = False

    @property
    def working_lots(self) -> int:
        """Lots of open children that may still fill, unknown ones included."""
        return sum(c.leaves_lots for c in self.children.values())

    @property
    def free_lots(self) -> int:
        """Released lots that neither filled nor may fill by a child that is out."""
        return self.released_lots - self.filled_lots - self.working_lots

    @property
    def pace_ns(self) -> int:
        """Least time between two children."""
        return self.order.tactic.interval_ms * NS_PER_MS

    @property
    def budget_end_ns(self) -> int:
        """When the effort ends."""
        return self.clock_ns + self.order.tactic.budget_ms * NS_PER_MS

    @property
    def cross_ns(self) -> int:
        """When PASSIVE stops resting: by its urgency, and before the session ends."""
        tactic = self.order.tactic
        rest_ns = tactic.budget_ms * NS_PER_MS * (100 - tactic.urgency_percent) // 100
        at_ns = self.clock_ns + rest_ns
        return min(at_ns, self.end_ns - CLOSE_NS) if self.end_ns else at_ns


# -- events ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Market:
    """Time, quote (None: no usable one), whether orders may leave, and whether the venue takes combos."""

    now_ns: int
    quote: Quote | None
    may_place: bool = True
    combos: bool = False


@dataclass(frozen=True, slots=True)
class Filled:
    """A child filled; also one that had ended, which a venue ought not to tell."""

    number: int
    lots: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A child ended at the venue in a terminal status."""

    number: int
    ord_status: OrdStatus


@dataclass(frozen=True, slots=True)
class Refused:
    """A check of execution's own kept a child back: it was neither stored nor sent."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """The manager or a kill wants the parent gone."""

    text: str


@dataclass(frozen=True, slots=True)
class LeadMoved:
    """The order it follows has filled so many lots; ``ended`` if nothing more will come."""

    filled_lots: int
    ended: bool


PlanEvent = Market | Filled | Ended | Refused | CancelAsked | LeadMoved

# -- actions -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Store, check and send a child."""

    number: int
    lots: int
    ticks: int
    time_in_force: TimeInForce


@dataclass(frozen=True, slots=True)
class CancelChild:
    """Ask the venue for a child's cancel."""

    number: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The parent is over; no child is open."""

    ord_status: OrdStatus
    text: str


Action = Place | CancelChild | Finish


@dataclass(frozen=True, slots=True)
class Past:
    """What a store knows of one child of a parent that is open."""

    number: int
    lots: int
    ticks: int
    resting: bool
    cum_lots: int
    open: bool
    cancel_asked: bool
    placed_ns: int


def begun(order: Order, end_ns: int, now_ns: int) -> Plan:
    """The plan of a parent that was just taken."""
    following = order.follows is not None
    return Plan(
        order,
        end_ns=end_ns,
        now_ns=now_ns,
        clock_ns=max(order.event_time_ns, now_ns) if following else order.event_time_ns,
        released_lots=0 if following else order.quantity_lots,
        lead_ended=not following,
    )


def resumed(order: Order, end_ns: int, now_ns: int, past: Iterable[Past], cancel_asked: bool) -> Plan:
    """The plan of a parent found open in a store, rebuilt from its children alone; nothing is placed by this.

    What a follower's lead has filled is told next (``LeadMoved``); its time budget begins anew. How often the venue refused
    in a row is forgotten.
    """
    plan = begun(order, end_ns, now_ns)
    for was in past:
        plan.next_number = max(plan.next_number, was.number + 1)
        plan.tried_lots += was.lots
        plan.filled_lots += was.cum_lots
        plan.placed_ns = max(plan.placed_ns, was.placed_ns)
        plan.crossing |= order.tactic.kind is TacticKind.PASSIVE and not was.resting
        if was.open:
            plan.children[was.number] = Child(was.lots, was.ticks, was.resting, was.cum_lots, was.cancel_asked)
    if cancel_asked:
        plan.closing = Finish(OrdStatus.CANCELED, "cancelled as asked")
    return plan
