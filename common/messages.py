"""The messages inside Hedgerow: frozen dataclasses with numpy columns, never changed after creation.

They mirror ``proto/hedgerow/{market,hedge,execution,control}/v1``; ``common.wire`` turns one into the other.
Columns are contiguous little-endian arrays of the stated dtype. A message id is ``"source:sequence"``.
*Tested by* tests/properties/test_wire_round_trip.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from common.tactics import DIRECT, Combo, Follow, Tactic

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
I32 = NDArray[np.int32]
U32 = NDArray[np.uint32]
U8 = NDArray[np.uint8]

_NO_I64: I64 = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class Header:
    """Who, in which order, when (market and wall), because of what. See market.proto."""

    source: str
    sequence: int
    event_time_ns: int
    receive_time_ns: int = 0
    cause_id: str = ""

    @property
    def id(self) -> str:
        """Message id, ``source:sequence``."""
        return f"{self.source}:{self.sequence}"


@dataclass(frozen=True, slots=True)
class QuoteBatch:
    """Top-of-book quotes of one underlying. All columns (n,); an absent side is ``units.NO_PRICE`` ticks."""

    header: Header
    instrument: U32
    bid_ticks: I32
    ask_ticks: I32
    bid_size_lots: I32
    ask_size_lots: I32
    quote_time_ns: I64 = field(default_factory=lambda: _NO_I64)
    snapshot: bool = False


@dataclass(frozen=True, slots=True)
class InputRun:
    """``count`` consecutive inputs of one stream, the first with sequence ``first``."""

    stream: str
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """Where an agent wants its risk to be. f factors, m menu instruments; see hedge.proto.

    exposure, lower, upper (f,) in the factor's unit; sensitivity (f, m) change per lot bought; alone_lots (m,) signed.
    """

    header: Header
    kind: str
    shard: int
    book_id: str
    incarnation: int
    assignment_version: int
    position_version: int
    budget_epoch: int
    inputs: tuple[InputRun, ...]
    factor: tuple[str, ...]
    exposure: F64
    lower: F64
    upper: F64
    weighs_cost: U8
    menu: U32
    sensitivity: F64
    alone_lots: F64
    trigger: str
    expires_ns: int
    reported: tuple[str, ...] = ()
    reported_value: F64 = field(default_factory=lambda: np.empty(0))
    #: Where there are several desks: those the agent speaks for, and its wish for each, (d, m); Σ is ``alone_lots``.
    desk: tuple[str, ...] = ()
    desk_alone_lots: F64 = field(default_factory=lambda: np.empty((0, 0)))

    @property
    def agent(self) -> str:
        """Agent that proposed, e.g. ``gamma-0``."""
        return self.header.source


@dataclass(frozen=True, slots=True)
class PositionUpdate:
    """Everything traded since the open, sparse: instrument (n,), signed traded_lots (n,).

    Where there are several desks: each one's part desk_lots (d, n), what it crossed included; Σ is ``traded_lots``.
    """

    header: Header
    version: int
    instrument: U32
    traded_lots: I64
    desk: tuple[str, ...] = ()
    desk_lots: I64 = field(default_factory=lambda: np.empty((0, 0), np.int64))


@dataclass(frozen=True, slots=True)
class BudgetUpdate:
    """What the manager lends the agents: per factor a soft limit on |exposure| and the last price of risk."""

    header: Header
    budget_epoch: int
    factor: tuple[str, ...]
    soft_limit: F64
    price_of_risk: F64
    risk_aversion_per_usd: float


@dataclass(frozen=True, slots=True)
class AssignmentUpdate:
    """Which agent owns which key."""

    header: Header
    version: int
    owner: dict[str, str]

    def keys_of(self, agent: str) -> tuple[str, ...]:
        """Keys owned by ``agent``, sorted."""
        return tuple(sorted(k for k, a in self.owner.items() if a == agent))


@dataclass(frozen=True, slots=True)
class AgentParameters:
    """Agents' parameters changed live: ``values`` by path where they differ from the run's settings, and the last change.

    ``undoes``: version whose change this one takes back, 0 if none. See hedge.proto and ``common/parameters.py``.
    """

    header: Header
    version: int
    values: dict[str, float]
    changed: str
    before: float
    after: float
    undoes: int
    who: str
    why: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Sign of life of an agent; see hedge.proto."""

    header: Header
    incarnation: int
    state: str
    loop: str = ""
    pid: int = 0
    proposals: int = 0
    batches: int = 0
    gaps: int = 0
    decide_p50_us: float = 0.0
    decide_p99_us: float = 0.0
    rss_bytes: int = 0
    unusable_quotes: int = 0
    keys: tuple[str, ...] = ()
    assignment_version: int = 0
    busy_share: float = 0.0
    lag_us: float = 0.0
    node: str = ""


#: State in the last heartbeat of an agent that ended because it was asked to.
ENDED: Final = "stopped: asked to"


class Side(IntEnum):
    """Side of an order; values as in execution.proto."""

    BUY = 1
    SELL = 2

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


class TimeInForce(IntEnum):
    """How long an order may work."""

    DAY = 1
    IOC = 2


class OrdType(IntEnum):
    """FIX tag 40. A MARKET order carries ``limit_ticks`` 0; execution gives it the collar as its worst price."""

    LIMIT = 1
    MARKET = 2


class OrdStatus(IntEnum):
    """FIX tag 39 plus PENDING_NEW (stored, not sent), UNKNOWN (the service died while sending) and REPLACED (terminal: the
    order works on under the id of its replacement).
    """

    PENDING_NEW = 1
    NEW = 2
    PARTIALLY_FILLED = 3
    FILLED = 4
    CANCELED = 5
    REJECTED = 6
    EXPIRED = 7
    UNKNOWN = 8
    REPLACED = 9
    #: Of no order: a report that tells a settlement price (`common.lifecycle`).
    SETTLED = 10

    @property
    def terminal(self) -> bool:
        """True when nothing more can happen under this id."""
        return self in _TERMINAL


_TERMINAL = frozenset(
    {OrdStatus.FILLED, OrdStatus.CANCELED, OrdStatus.REJECTED, OrdStatus.EXPIRED, OrdStatus.REPLACED, OrdStatus.SETTLED}
)


class TradingState(IntEnum):
    """Whether orders may leave execution. *Halted* is PAUSED or KILLED; REDUCE_ONLY lets out what shrinks a position."""

    ACTIVE = 1
    PAUSED = 2
    KILLED = 3
    REDUCE_ONLY = 4

    @property
    def halted(self) -> bool:
        """True when no order at all may leave."""
        return self in (TradingState.PAUSED, TradingState.KILLED)


class Refusal(IntEnum):
    """Rule by which execution refused an order; 0 is none. Values as in execution.proto."""

    NONE = 0
    STALE_EPOCH = 1
    ID_REUSED = 2
    PAUSED = 3
    KILLED = 4
    UNKNOWN_INSTRUMENT = 5
    SIZE = 6
    NOTIONAL = 7
    COLLAR = 8
    STALE_REFERENCE = 9
    OPEN_ORDERS = 10
    RATE = 11
    VENUE = 12
    POSITION = 13
    MALFORMED = 14
    SCOPE_PAUSED = 15
    SCOPE_KILLED = 16
    REDUCE_ONLY = 17
    UNKNOWN_ORDER = 18
    TOO_LATE = 19
    PENDING_CHANGE = 20
    SELF_CROSS = 21
    DUPLICATE_CONTENT = 22
    MESSAGE_RATE = 23
    DRAWDOWN = 24


class CostShare(NamedTuple):
    """The part of an order's bill that one factor and its agent pay, in parts of a million."""

    factor: str
    agent: str
    parts: int


@dataclass(frozen=True, slots=True)
class Order:
    """An intent of the manager; its content never changes under one ``client_order_id``. See execution.proto.

    An order that names an ``orig_client_order_id`` replaces that one (FIX 4.4 message G): ``quantity_lots`` is then the
    total, what the original has filled included.
    """

    client_order_id: str
    epoch: int
    instrument_id: str
    instrument: int
    side: Side
    quantity_lots: int
    limit_ticks: int
    time_in_force: TimeInForce
    book_id: str
    cycle_id: str
    inputs_hash: str
    cause_id: str
    order_sequence: int
    receive_time_ns: int
    event_time_ns: int
    allocation: tuple[tuple[str, int], ...]
    arrival_bid_ticks: int
    arrival_ask_ticks: int
    cost_shares: tuple[CostShare, ...] = ()
    ord_type: OrdType = OrdType.LIMIT
    orig_client_order_id: str = ""
    #: How it is to be worked, and the order whose fills release it; see docs/tactics.md.
    tactic: Tactic = DIRECT
    follows: Follow | None = None
    #: The combo it is a leg of; execution's own.
    combo: Combo | None = None

    @property
    def signed_lots(self) -> int:
        """Lots with the sign of the side."""
        return self.side.sign * self.quantity_lots


@dataclass(frozen=True, slots=True)
class OrderAck:
    """Answer of execution to one order or cancel, after its commit."""

    client_order_id: str
    ord_status: OrdStatus
    refusal: Refusal = Refusal.NONE
    text: str = ""
    duplicate: bool = False
    tick_to_order_ns: int = 0


@dataclass(frozen=True, slots=True)
class ExecutionReport:
    """One change of one order; ``sequence`` is gapless over the life of the store. See execution.proto.

    With ``OrdStatus.SETTLED`` it is about no order: contracts have settled (`common.lifecycle`), ``exec_id`` and
    ``client_order_id`` are the settlement's id, ``instrument`` its reference, ``last_ticks`` the price, ``last_lots`` 0.
    """

    sequence: int
    exec_id: str
    client_order_id: str
    ord_status: OrdStatus
    last_lots: int
    last_ticks: int
    cum_lots: int
    leaves_lots: int
    fee_cents: int
    instrument: int
    side: Side
    refusal: Refusal
    text: str
    event_time_ns: int
    receive_time_ns: int
    bid_ticks: int
    ask_ticks: int
    #: The child that filled, where the order is worked through children.
    child_order_id: str = ""


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order as sent and what became of it."""

    order: Order
    ord_status: OrdStatus
    cum_lots: int
    leaves_lots: int
