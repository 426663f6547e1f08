"""A venue's own book of children, kept apart from the plan: what the tests of the tactics compare with."""

from __future__ import annotations

from dataclasses import dataclass, field

from common.messages import Order, OrdStatus, Side, TimeInForce
from common.tactics import Follow, Tactic, TacticKind
from execution.tactics.plan import (
    CancelChild,
    Ended,
    Filled,
    Finish,
    LeadMoved,
    Market,
    Past,
    Place,
    Plan,
    PlanEvent,
    Quote,
    Refused,
    begun,
    resumed,
)
from execution.tactics.step import step
from tests.execution_world import T0_NS, make_order

MS = 1_000_000


def parent(kind: TacticKind, lots: int = 10, side: Side = Side.BUY, day: bool = False, **terms: int) -> Order:
    """A parent decided at ``T0_NS`` with 1000/1002 quoted and a limit one tick beyond the far side."""
    usual = {
        TacticKind.DIRECT: {},
        TacticKind.PASSIVE: {"urgency_percent": 40, "budget_ms": 10_000, "interval_ms": 500},
        TacticKind.SLICED: {"participation_percent": 20, "budget_ms": 10_000, "interval_ms": 500},
        TacticKind.COMBO: {"budget_ms": 10_000, "interval_ms": 500},
    }
    ratio = (terms.pop("numerator", 0), terms.pop("denominator", 1))
    usual[TacticKind.COMBO]["legs"] = 0 if ratio[0] else 2
    return make_order(
        "p",
        side=side,
        lots=lots,
        limit_ticks=1003 if side is Side.BUY else 999,
        time_in_force=TimeInForce.DAY if day else TimeInForce.IOC,
        event_time_ns=T0_NS,
        tactic=Tactic(kind, **(usual[kind] | terms)),
        follows=Follow("lead", *ratio) if ratio[0] else None,
    )


def quote(bid: int = 1000, ask: int = 1002, bid_lots: int = 10, ask_lots: int = 10) -> Quote:
    return Quote(bid, ask, bid_lots, ask_lots)


@dataclass
class Ticket:
    """A child as a venue has it."""

    place: Place
    placed_ns: int
    cum_lots: int = 0
    open: bool = True
    cancel_asked: bool = False

    @property
    def leaves_lots(self) -> int:
        return self.place.lots - self.cum_lots if self.open else 0


@dataclass
class Desk:
    """One plan and the truth about its children; every action of the plan is checked as it comes."""

    order: Order
    end_ns: int = 0
    now_ns: int = T0_NS
    quote: Quote | None = None
    lead_lots: int = 0
    refuse: bool = False
    tickets: dict[int, Ticket] = field(default_factory=dict)
    finish: Finish | None = None
    strays: int = 0

    def __post_init__(self) -> None:
        self.plan: Plan = begun(self.order, self.end_ns, self.now_ns)

    # -- what happens --------------------------------------------------------------------------------------------------

    def tell(self, event: PlanEvent) -> list[object]:
        """One event; its actions are taken into the book. Returns them."""
        actions = step(self.plan, event)
        for action in actions:
            self._take(action)
        return list(actions)

    def market(self, after_ms: int = 0, quoted: Quote | None = None, may_place: bool = True) -> list[object]:
        self.now_ns += after_ms * MS
        self.quote = quoted
        return self.tell(Market(self.now_ns, quoted, may_place))

    def fill(self, number: int, lots: int) -> list[object]:
        ticket = self.tickets[number]
        lots = min(lots, ticket.leaves_lots)
        ticket.cum_lots += lots
        ticket.open = ticket.cum_lots < ticket.place.lots
        return self.tell(Filled(number, lots))

    def end(self, number: int, status: OrdStatus = OrdStatus.CANCELED) -> list[object]:
        self.tickets[number].open = False
        return self.tell(Ended(number, status))

    def lead(self, filled_lots: int, ended: bool = False) -> list[object]:
        self.lead_lots = filled_lots
        return self.tell(LeadMoved(filled_lots, ended))

    def restart(self, lead_ended: bool = True) -> None:
        """Forget the plan and build it again from what a store would hold."""
        past = [
            Past(
                n,
                t.place.lots,
                t.place.ticks,
                t.place.time_in_force is TimeInForce.DAY,
                t.cum_lots,
                t.open,
                t.cancel_asked,
                t.placed_ns,
            )
            for n, t in self.tickets.items()
        ]
        asked = self.plan.closing is not None and "asked" in self.plan.closing.text
        self.plan = resumed(self.order, self.end_ns, self.now_ns, past, asked)
        if self.order.follows is not None:
            self.tell(LeadMoved(self.lead_lots, lead_ended))

    # -- the truth -----------------------------------------------------------------------------------------------------

    @property
    def filled_lots(self) -> int:
        return sum(t.cum_lots for t in self.tickets.values())

    @property
    def out_lots(self) -> int:
        return sum(t.leaves_lots for t in self.tickets.values())

    @property
    def open(self) -> list[int]:
        return [n for n, t in self.tickets.items() if t.open]

    @property
    def released_lots(self) -> int:
        """Exact rational arithmetic of its own: nearest whole lot, halves up."""
        follow = self.order.follows
        if follow is None:
            return self.order.quantity_lots
        whole, rest = divmod(self.lead_lots * follow.numerator, follow.denominator)
        return min(whole + (2 * rest >= follow.denominator), self.order.quantity_lots)

    def _take(self, action: object) -> None:
        assert self.finish is None, f"{action} after the end"
        match action:
            case Place():
                assert action.number not in self.tickets, "a number is used once"
                if self.refuse:
                    for more in step(self.plan, Refused(action.number, "collar")):
                        self._take(more)
                else:
                    self.tickets[action.number] = Ticket(action, self.now_ns)
            case CancelChild(number):
                assert self.tickets[number].open
                assert not self.tickets[number].cancel_asked, "asked twice"
                self.tickets[number].cancel_asked = True
            case Finish():
                assert not self.open, "ended with children out"
                self.finish = action
