"""What goes into the core and what comes out of it.

Events carry wall time as a number where a record needs it (0 where there is none, as in a replay). Every ``Persist`` of
a group of events is committed in one transaction before any other instruction of the group is carried out.
"""

from __future__ import annotations

from dataclasses import dataclass

from common.messages import ExecutionReport, Order, OrderAck, QuoteBatch, TradingState
from execution.orders import OrderRecord
from execution.venues.port import VenueEvent

# -- events ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Submit:
    """A leader asks for an order; ``wall_ns`` is its arrival."""

    order: Order
    wall_ns: int


@dataclass(frozen=True, slots=True)
class Cancel:
    """A leader asks for cancels."""

    ids: tuple[str, ...]
    epoch: int
    wall_ns: int


@dataclass(frozen=True, slots=True)
class Fence:
    """A new leader raises the epoch."""

    epoch: int
    holder: str


@dataclass(frozen=True, slots=True)
class SetTrading:
    """A person pauses, resumes or kills; ``scope`` "" is everything, ``underlying:SPX`` one underlying."""

    state: TradingState
    who: str
    why: str
    wall_ns: int
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Halt:
    """Something here is not as it must be: trading pauses by "execution" until a person lifts it."""

    why: str


@dataclass(frozen=True, slots=True)
class Quotes:
    """Reference prices."""

    batch: QuoteBatch


@dataclass(frozen=True, slots=True)
class VenueEvents:
    """What the venue said, in its order."""

    events: tuple[VenueEvent, ...]
    wall_ns: int


@dataclass(frozen=True, slots=True)
class Recovered:
    """The service has started on its store: nothing that was being sent is known to have arrived."""

    wall_ns: int


@dataclass(frozen=True, slots=True)
class Resolve:
    """Ask again about every order of which nobody knows whether it arrived."""


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """No manager has been there for too long (``why``): what works is cancelled."""

    why: str
    wall_ns: int


@dataclass(frozen=True, slots=True)
class Loaded:
    """Records the core had put out of memory, fetched from the store because the next event names them."""

    records: tuple[OrderRecord, ...]


@dataclass(frozen=True, slots=True)
class Work:
    """Quotes have come or market time has passed: the orders at work look whether they have something to do."""

    now_ns: int
    wall_ns: int


@dataclass(frozen=True, slots=True)
class Able:
    """Whether the venue takes combos; None while nobody knows."""

    combos: bool | None


Event = (
    Submit
    | Cancel
    | Fence
    | SetTrading
    | Halt
    | Quotes
    | VenueEvents
    | Recovered
    | Resolve
    | LeftAlone
    | Loaded
    | Work
    | Able
)

# -- records -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewOrder:
    """First record of an order, whether it will be sent or was refused."""

    record: OrderRecord


@dataclass(frozen=True, slots=True)
class EpochRaised:
    """The fence."""

    epoch: int
    holder: str


@dataclass(frozen=True, slots=True)
class TradingSet:
    """Whether orders of a scope ("" is everything) may leave, who said so and why."""

    state: TradingState
    who: str
    why: str
    scope: str = ""


#: A plain ``OrderRecord`` replaces what is stored of a known order.
Record = NewOrder | OrderRecord | ExecutionReport | EpochRaised | TradingSet

# -- instructions ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Persist:
    """Commit before anything else of the group is done."""

    record: Record


@dataclass(frozen=True, slots=True)
class Send:
    """Hand an order to the venue; its record says PENDING_NEW."""

    order: Order


@dataclass(frozen=True, slots=True)
class SendCombo:
    """Hand several orders to the venue as one; each record says PENDING_NEW and each names the combo."""

    legs: tuple[Order, ...]


@dataclass(frozen=True, slots=True)
class CancelAtVenue:
    """Ask the venue for a cancel."""

    client_order_id: str


@dataclass(frozen=True, slots=True)
class CancelAllAtVenue:
    """Ask a venue that can to cancel everything at once; the cancel of each order follows."""


@dataclass(frozen=True, slots=True)
class AskVenue:
    """Ask the venue what became of an order."""

    client_order_id: str


@dataclass(frozen=True, slots=True)
class Ack:
    """Answer whoever sent the event."""

    ack: OrderAck


@dataclass(frozen=True, slots=True)
class Report:
    """Publish a report that is already stored."""

    report: ExecutionReport


Instruction = Persist | Send | SendCombo | CancelAtVenue | CancelAllAtVenue | AskVenue | Ack | Report
