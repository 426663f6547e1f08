from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Side(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIDE_UNSPECIFIED: _ClassVar[Side]
    SIDE_BUY: _ClassVar[Side]
    SIDE_SELL: _ClassVar[Side]

class TimeInForce(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TIME_IN_FORCE_UNSPECIFIED: _ClassVar[TimeInForce]
    TIME_IN_FORCE_DAY: _ClassVar[TimeInForce]
    TIME_IN_FORCE_IOC: _ClassVar[TimeInForce]

class OrdType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORD_TYPE_UNSPECIFIED: _ClassVar[OrdType]
    ORD_TYPE_LIMIT: _ClassVar[OrdType]
    ORD_TYPE_MARKET: _ClassVar[OrdType]

class OrdStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORD_STATUS_UNSPECIFIED: _ClassVar[OrdStatus]
    ORD_STATUS_PENDING_NEW: _ClassVar[OrdStatus]
    ORD_STATUS_NEW: _ClassVar[OrdStatus]
    ORD_STATUS_PARTIALLY_FILLED: _ClassVar[OrdStatus]
    ORD_STATUS_FILLED: _ClassVar[OrdStatus]
    ORD_STATUS_CANCELED: _ClassVar[OrdStatus]
    ORD_STATUS_REJECTED: _ClassVar[OrdStatus]
    ORD_STATUS_EXPIRED: _ClassVar[OrdStatus]
    ORD_STATUS_UNKNOWN: _ClassVar[OrdStatus]
    ORD_STATUS_REPLACED: _ClassVar[OrdStatus]
    ORD_STATUS_SETTLED: _ClassVar[OrdStatus]

class TradingState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TRADING_STATE_UNSPECIFIED: _ClassVar[TradingState]
    TRADING_STATE_ACTIVE: _ClassVar[TradingState]
    TRADING_STATE_PAUSED: _ClassVar[TradingState]
    TRADING_STATE_KILLED: _ClassVar[TradingState]
    TRADING_STATE_REDUCE_ONLY: _ClassVar[TradingState]

class Refusal(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REFUSAL_UNSPECIFIED: _ClassVar[Refusal]
    REFUSAL_STALE_EPOCH: _ClassVar[Refusal]
    REFUSAL_ID_REUSED: _ClassVar[Refusal]
    REFUSAL_PAUSED: _ClassVar[Refusal]
    REFUSAL_KILLED: _ClassVar[Refusal]
    REFUSAL_UNKNOWN_INSTRUMENT: _ClassVar[Refusal]
    REFUSAL_SIZE: _ClassVar[Refusal]
    REFUSAL_NOTIONAL: _ClassVar[Refusal]
    REFUSAL_COLLAR: _ClassVar[Refusal]
    REFUSAL_STALE_REFERENCE: _ClassVar[Refusal]
    REFUSAL_OPEN_ORDERS: _ClassVar[Refusal]
    REFUSAL_RATE: _ClassVar[Refusal]
    REFUSAL_VENUE: _ClassVar[Refusal]
    REFUSAL_POSITION: _ClassVar[Refusal]
    REFUSAL_MALFORMED: _ClassVar[Refusal]
    REFUSAL_SCOPE_PAUSED: _ClassVar[Refusal]
    REFUSAL_SCOPE_KILLED: _ClassVar[Refusal]
    REFUSAL_REDUCE_ONLY: _ClassVar[Refusal]
    REFUSAL_UNKNOWN_ORDER: _ClassVar[Refusal]
    REFUSAL_TOO_LATE: _ClassVar[Refusal]
    REFUSAL_PENDING_CHANGE: _ClassVar[Refusal]
    REFUSAL_SELF_CROSS: _ClassVar[Refusal]
    REFUSAL_DUPLICATE_CONTENT: _ClassVar[Refusal]
    REFUSAL_MESSAGE_RATE: _ClassVar[Refusal]
    REFUSAL_DRAWDOWN: _ClassVar[Refusal]

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_INVALID_REQUEST: _ClassVar[ErrorReason]
    ERROR_REASON_NO_SUCH_ORDER: _ClassVar[ErrorReason]
    ERROR_REASON_NO_SUCH_REPORT: _ClassVar[ErrorReason]
    ERROR_REASON_FENCED: _ClassVar[ErrorReason]
    ERROR_REASON_READER_TOO_SLOW: _ClassVar[ErrorReason]
    ERROR_REASON_STOPPING: _ClassVar[ErrorReason]
    ERROR_REASON_TOO_LATE: _ClassVar[ErrorReason]

class TacticKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TACTIC_KIND_UNSPECIFIED: _ClassVar[TacticKind]
    TACTIC_KIND_DIRECT: _ClassVar[TacticKind]
    TACTIC_KIND_PASSIVE: _ClassVar[TacticKind]
    TACTIC_KIND_SLICED: _ClassVar[TacticKind]
    TACTIC_KIND_COMBO: _ClassVar[TacticKind]
SIDE_UNSPECIFIED: Side
SIDE_BUY: Side
SIDE_SELL: Side
TIME_IN_FORCE_UNSPECIFIED: TimeInForce
TIME_IN_FORCE_DAY: TimeInForce
TIME_IN_FORCE_IOC: TimeInForce
ORD_TYPE_UNSPECIFIED: OrdType
ORD_TYPE_LIMIT: OrdType
ORD_TYPE_MARKET: OrdType
ORD_STATUS_UNSPECIFIED: OrdStatus
ORD_STATUS_PENDING_NEW: OrdStatus
ORD_STATUS_NEW: OrdStatus
ORD_STATUS_PARTIALLY_FILLED: OrdStatus
ORD_STATUS_FILLED: OrdStatus
ORD_STATUS_CANCELED: OrdStatus
ORD_STATUS_REJECTED: OrdStatus
ORD_STATUS_EXPIRED: OrdStatus
ORD_STATUS_UNKNOWN: OrdStatus
ORD_STATUS_REPLACED: OrdStatus
ORD_STATUS_SETTLED: OrdStatus
TRADING_STATE_UNSPECIFIED: TradingState
TRADING_STATE_ACTIVE: TradingState
TRADING_STATE_PAUSED: TradingState
TRADING_STATE_KILLED: TradingState
TRADING_STATE_REDUCE_ONLY: TradingState
REFUSAL_UNSPECIFIED: Refusal
REFUSAL_STALE_EPOCH: Refusal
REFUSAL_ID_REUSED: Refusal
REFUSAL_PAUSED: Refusal
REFUSAL_KILLED: Refusal
REFUSAL_UNKNOWN_INSTRUMENT: Refusal
REFUSAL_SIZE: Refusal
REFUSAL_NOTIONAL: Refusal
REFUSAL_COLLAR: Refusal
REFUSAL_STALE_REFERENCE: Refusal
REFUSAL_OPEN_ORDERS: Refusal
REFUSAL_RATE: Refusal
REFUSAL_VENUE: Refusal
REFUSAL_POSITION: Refusal
REFUSAL_MALFORMED: Refusal
REFUSAL_SCOPE_PAUSED: Refusal
REFUSAL_SCOPE_KILLED: Refusal
REFUSAL_REDUCE_ONLY: Refusal
REFUSAL_UNKNOWN_ORDER: Refusal
REFUSAL_TOO_LATE: Refusal
REFUSAL_PENDING_CHANGE: Refusal
REFUSAL_SELF_CROSS: Refusal
REFUSAL_DUPLICATE_CONTENT: Refusal
REFUSAL_MESSAGE_RATE: Refusal
REFUSAL_DRAWDOWN: Refusal
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_INVALID_REQUEST: ErrorReason
ERROR_REASON_NO_SUCH_ORDER: ErrorReason
ERROR_REASON_NO_SUCH_REPORT: ErrorReason
ERROR_REASON_FENCED: ErrorReason
ERROR_REASON_READER_TOO_SLOW: ErrorReason
ERROR_REASON_STOPPING: ErrorReason
ERROR_REASON_TOO_LATE: ErrorReason
TACTIC_KIND_UNSPECIFIED: TacticKind
TACTIC_KIND_DIRECT: TacticKind
TACTIC_KIND_PASSIVE: TacticKind
TACTIC_KIND_SLICED: TacticKind
TACTIC_KIND_COMBO: TacticKind

class Allocation(_message.Message):
    __slots__ = ("agent", "lots")
    AGENT_FIELD_NUMBER: _ClassVar[int]
    LOTS_FIELD_NUMBER: _ClassVar[int]
    agent: str
    lots: int
    def __init__(self, agent: _Optional[str] = ..., lots: _Optional[int] = ...) -> None: ...

class CostShare(_message.Message):
    __slots__ = ("factor", "agent", "parts")
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    PARTS_FIELD_NUMBER: _ClassVar[int]
    factor: str
    agent: str
    parts: int
    def __init__(self, factor: _Optional[str] = ..., agent: _Optional[str] = ..., parts: _Optional[int] = ...) -> None: ...

class Tactic(_message.Message):
    __slots__ = ("kind", "urgency_percent", "participation_percent", "budget_ms", "interval_ms", "improve_ticks", "runaway_ticks", "legs")
    KIND_FIELD_NUMBER: _ClassVar[int]
    URGENCY_PERCENT_FIELD_NUMBER: _ClassVar[int]
    PARTICIPATION_PERCENT_FIELD_NUMBER: _ClassVar[int]
    BUDGET_MS_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    IMPROVE_TICKS_FIELD_NUMBER: _ClassVar[int]
    RUNAWAY_TICKS_FIELD_NUMBER: _ClassVar[int]
    LEGS_FIELD_NUMBER: _ClassVar[int]
    kind: TacticKind
    urgency_percent: int
    participation_percent: int
    budget_ms: int
    interval_ms: int
    improve_ticks: int
    runaway_ticks: int
    legs: int
    def __init__(self, kind: _Optional[_Union[TacticKind, str]] = ..., urgency_percent: _Optional[int] = ..., participation_percent: _Optional[int] = ..., budget_ms: _Optional[int] = ..., interval_ms: _Optional[int] = ..., improve_ticks: _Optional[int] = ..., runaway_ticks: _Optional[int] = ..., legs: _Optional[int] = ...) -> None: ...

class Follow(_message.Message):
    __slots__ = ("lead_client_order_id", "numerator", "denominator")
    LEAD_CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    NUMERATOR_FIELD_NUMBER: _ClassVar[int]
    DENOMINATOR_FIELD_NUMBER: _ClassVar[int]
    lead_client_order_id: str
    numerator: int
    denominator: int
    def __init__(self, lead_client_order_id: _Optional[str] = ..., numerator: _Optional[int] = ..., denominator: _Optional[int] = ...) -> None: ...

class ComboLeg(_message.Message):
    __slots__ = ("client_order_id", "ratio")
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    RATIO_FIELD_NUMBER: _ClassVar[int]
    client_order_id: str
    ratio: int
    def __init__(self, client_order_id: _Optional[str] = ..., ratio: _Optional[int] = ...) -> None: ...

class Combo(_message.Message):
    __slots__ = ("legs", "net_limit_cents")
    LEGS_FIELD_NUMBER: _ClassVar[int]
    NET_LIMIT_CENTS_FIELD_NUMBER: _ClassVar[int]
    legs: _containers.RepeatedCompositeFieldContainer[ComboLeg]
    net_limit_cents: int
    def __init__(self, legs: _Optional[_Iterable[_Union[ComboLeg, _Mapping]]] = ..., net_limit_cents: _Optional[int] = ...) -> None: ...

class Order(_message.Message):
    __slots__ = ("client_order_id", "epoch", "instrument_id", "instrument", "side", "quantity_lots", "limit_ticks", "time_in_force", "book_id", "cycle_id", "inputs_hash", "cause_id", "order_sequence", "receive_time_ns", "event_time_ns", "allocation", "arrival_bid_ticks", "arrival_ask_ticks", "cost_shares", "ord_type", "orig_client_order_id", "tactic", "follows", "combo")
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_LOTS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_TICKS_FIELD_NUMBER: _ClassVar[int]
    TIME_IN_FORCE_FIELD_NUMBER: _ClassVar[int]
    BOOK_ID_FIELD_NUMBER: _ClassVar[int]
    CYCLE_ID_FIELD_NUMBER: _ClassVar[int]
    INPUTS_HASH_FIELD_NUMBER: _ClassVar[int]
    CAUSE_ID_FIELD_NUMBER: _ClassVar[int]
    ORDER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_FIELD_NUMBER: _ClassVar[int]
    ARRIVAL_BID_TICKS_FIELD_NUMBER: _ClassVar[int]
    ARRIVAL_ASK_TICKS_FIELD_NUMBER: _ClassVar[int]
    COST_SHARES_FIELD_NUMBER: _ClassVar[int]
    ORD_TYPE_FIELD_NUMBER: _ClassVar[int]
    ORIG_CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    TACTIC_FIELD_NUMBER: _ClassVar[int]
    FOLLOWS_FIELD_NUMBER: _ClassVar[int]
    COMBO_FIELD_NUMBER: _ClassVar[int]
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
    allocation: _containers.RepeatedCompositeFieldContainer[Allocation]
    arrival_bid_ticks: int
    arrival_ask_ticks: int
    cost_shares: _containers.RepeatedCompositeFieldContainer[CostShare]
    ord_type: OrdType
    orig_client_order_id: str
    tactic: Tactic
    follows: Follow
    combo: Combo
    def __init__(self, client_order_id: _Optional[str] = ..., epoch: _Optional[int] = ..., instrument_id: _Optional[str] = ..., instrument: _Optional[int] = ..., side: _Optional[_Union[Side, str]] = ..., quantity_lots: _Optional[int] = ..., limit_ticks: _Optional[int] = ..., time_in_force: _Optional[_Union[TimeInForce, str]] = ..., book_id: _Optional[str] = ..., cycle_id: _Optional[str] = ..., inputs_hash: _Optional[str] = ..., cause_id: _Optional[str] = ..., order_sequence: _Optional[int] = ..., receive_time_ns: _Optional[int] = ..., event_time_ns: _Optional[int] = ..., allocation: _Optional[_Iterable[_Union[Allocation, _Mapping]]] = ..., arrival_bid_ticks: _Optional[int] = ..., arrival_ask_ticks: _Optional[int] = ..., cost_shares: _Optional[_Iterable[_Union[CostShare, _Mapping]]] = ..., ord_type: _Optional[_Union[OrdType, str]] = ..., orig_client_order_id: _Optional[str] = ..., tactic: _Optional[_Union[Tactic, _Mapping]] = ..., follows: _Optional[_Union[Follow, _Mapping]] = ..., combo: _Optional[_Union[Combo, _Mapping]] = ...) -> None: ...

class ExecutionReport(_message.Message):
    __slots__ = ("sequence", "exec_id", "client_order_id", "ord_status", "last_lots", "last_ticks", "cum_lots", "leaves_lots", "fee_cents", "instrument", "side", "refusal", "text", "event_time_ns", "receive_time_ns", "bid_ticks", "ask_ticks", "child_order_id")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EXEC_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ORD_STATUS_FIELD_NUMBER: _ClassVar[int]
    LAST_LOTS_FIELD_NUMBER: _ClassVar[int]
    LAST_TICKS_FIELD_NUMBER: _ClassVar[int]
    CUM_LOTS_FIELD_NUMBER: _ClassVar[int]
    LEAVES_LOTS_FIELD_NUMBER: _ClassVar[int]
    FEE_CENTS_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    BID_TICKS_FIELD_NUMBER: _ClassVar[int]
    ASK_TICKS_FIELD_NUMBER: _ClassVar[int]
    CHILD_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
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
    child_order_id: str
    def __init__(self, sequence: _Optional[int] = ..., exec_id: _Optional[str] = ..., client_order_id: _Optional[str] = ..., ord_status: _Optional[_Union[OrdStatus, str]] = ..., last_lots: _Optional[int] = ..., last_ticks: _Optional[int] = ..., cum_lots: _Optional[int] = ..., leaves_lots: _Optional[int] = ..., fee_cents: _Optional[int] = ..., instrument: _Optional[int] = ..., side: _Optional[_Union[Side, str]] = ..., refusal: _Optional[_Union[Refusal, str]] = ..., text: _Optional[str] = ..., event_time_ns: _Optional[int] = ..., receive_time_ns: _Optional[int] = ..., bid_ticks: _Optional[int] = ..., ask_ticks: _Optional[int] = ..., child_order_id: _Optional[str] = ...) -> None: ...

class SubmitOrders(_message.Message):
    __slots__ = ("orders",)
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedCompositeFieldContainer[Order]
    def __init__(self, orders: _Optional[_Iterable[_Union[Order, _Mapping]]] = ...) -> None: ...

class CancelOrders(_message.Message):
    __slots__ = ("client_order_id", "epoch")
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    client_order_id: _containers.RepeatedScalarFieldContainer[str]
    epoch: int
    def __init__(self, client_order_id: _Optional[_Iterable[str]] = ..., epoch: _Optional[int] = ...) -> None: ...

class ReplaceOrders(_message.Message):
    __slots__ = ("orders",)
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedCompositeFieldContainer[Order]
    def __init__(self, orders: _Optional[_Iterable[_Union[Order, _Mapping]]] = ...) -> None: ...

class OrderAck(_message.Message):
    __slots__ = ("client_order_id", "ord_status", "refusal", "text", "duplicate", "tick_to_order_ns", "code")
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    ORD_STATUS_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_FIELD_NUMBER: _ClassVar[int]
    TICK_TO_ORDER_NS_FIELD_NUMBER: _ClassVar[int]
    CODE_FIELD_NUMBER: _ClassVar[int]
    client_order_id: str
    ord_status: OrdStatus
    refusal: Refusal
    text: str
    duplicate: bool
    tick_to_order_ns: int
    code: int
    def __init__(self, client_order_id: _Optional[str] = ..., ord_status: _Optional[_Union[OrdStatus, str]] = ..., refusal: _Optional[_Union[Refusal, str]] = ..., text: _Optional[str] = ..., duplicate: _Optional[bool] = ..., tick_to_order_ns: _Optional[int] = ..., code: _Optional[int] = ...) -> None: ...

class StreamOrdersRequest(_message.Message):
    __slots__ = ("submit", "cancel", "replace")
    SUBMIT_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    submit: SubmitOrders
    cancel: CancelOrders
    replace: ReplaceOrders
    def __init__(self, submit: _Optional[_Union[SubmitOrders, _Mapping]] = ..., cancel: _Optional[_Union[CancelOrders, _Mapping]] = ..., replace: _Optional[_Union[ReplaceOrders, _Mapping]] = ...) -> None: ...

class StreamOrdersResponse(_message.Message):
    __slots__ = ("acks",)
    ACKS_FIELD_NUMBER: _ClassVar[int]
    acks: _containers.RepeatedCompositeFieldContainer[OrderAck]
    def __init__(self, acks: _Optional[_Iterable[_Union[OrderAck, _Mapping]]] = ...) -> None: ...

class FenceRequest(_message.Message):
    __slots__ = ("epoch", "holder")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    HOLDER_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    holder: str
    def __init__(self, epoch: _Optional[int] = ..., holder: _Optional[str] = ...) -> None: ...

class FenceResponse(_message.Message):
    __slots__ = ("epoch", "accepted", "last_report_sequence")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    LAST_REPORT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    accepted: bool
    last_report_sequence: int
    def __init__(self, epoch: _Optional[int] = ..., accepted: _Optional[bool] = ..., last_report_sequence: _Optional[int] = ...) -> None: ...

class GetOrderRequest(_message.Message):
    __slots__ = ("client_order_id",)
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    client_order_id: str
    def __init__(self, client_order_id: _Optional[str] = ...) -> None: ...

class OrderState(_message.Message):
    __slots__ = ("order", "ord_status", "cum_lots", "leaves_lots")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    ORD_STATUS_FIELD_NUMBER: _ClassVar[int]
    CUM_LOTS_FIELD_NUMBER: _ClassVar[int]
    LEAVES_LOTS_FIELD_NUMBER: _ClassVar[int]
    order: Order
    ord_status: OrdStatus
    cum_lots: int
    leaves_lots: int
    def __init__(self, order: _Optional[_Union[Order, _Mapping]] = ..., ord_status: _Optional[_Union[OrdStatus, str]] = ..., cum_lots: _Optional[int] = ..., leaves_lots: _Optional[int] = ...) -> None: ...

class GetOrderResponse(_message.Message):
    __slots__ = ("state",)
    STATE_FIELD_NUMBER: _ClassVar[int]
    state: OrderState
    def __init__(self, state: _Optional[_Union[OrderState, _Mapping]] = ...) -> None: ...

class ListOrdersRequest(_message.Message):
    __slots__ = ("open_only", "after_row", "limit")
    OPEN_ONLY_FIELD_NUMBER: _ClassVar[int]
    AFTER_ROW_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    open_only: bool
    after_row: int
    limit: int
    def __init__(self, open_only: _Optional[bool] = ..., after_row: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class ListOrdersResponse(_message.Message):
    __slots__ = ("states", "last_row")
    STATES_FIELD_NUMBER: _ClassVar[int]
    LAST_ROW_FIELD_NUMBER: _ClassVar[int]
    states: _containers.RepeatedCompositeFieldContainer[OrderState]
    last_row: int
    def __init__(self, states: _Optional[_Iterable[_Union[OrderState, _Mapping]]] = ..., last_row: _Optional[int] = ...) -> None: ...

class StreamReportsRequest(_message.Message):
    __slots__ = ("from_sequence",)
    FROM_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    from_sequence: int
    def __init__(self, from_sequence: _Optional[int] = ...) -> None: ...

class StreamReportsResponse(_message.Message):
    __slots__ = ("reports",)
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    reports: _containers.RepeatedCompositeFieldContainer[ExecutionReport]
    def __init__(self, reports: _Optional[_Iterable[_Union[ExecutionReport, _Mapping]]] = ...) -> None: ...

class SetTradingStateRequest(_message.Message):
    __slots__ = ("state", "who", "why", "scope")
    STATE_FIELD_NUMBER: _ClassVar[int]
    WHO_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    state: TradingState
    who: str
    why: str
    scope: str
    def __init__(self, state: _Optional[_Union[TradingState, str]] = ..., who: _Optional[str] = ..., why: _Optional[str] = ..., scope: _Optional[str] = ...) -> None: ...

class SetTradingStateResponse(_message.Message):
    __slots__ = ("state", "cancels_sent")
    STATE_FIELD_NUMBER: _ClassVar[int]
    CANCELS_SENT_FIELD_NUMBER: _ClassVar[int]
    state: TradingState
    cancels_sent: int
    def __init__(self, state: _Optional[_Union[TradingState, str]] = ..., cancels_sent: _Optional[int] = ...) -> None: ...

class GetStatusRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetStatusResponse(_message.Message):
    __slots__ = ("state", "who", "why", "epoch", "last_report_sequence", "open_orders", "orders", "fills", "tick_to_order_p50_ns", "tick_to_order_p99_ns", "venue", "stopped", "venue_state", "tick_to_first_order_p50_ns", "tick_to_first_order_p99_ns")
    STATE_FIELD_NUMBER: _ClassVar[int]
    WHO_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LAST_REPORT_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    OPEN_ORDERS_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    FILLS_FIELD_NUMBER: _ClassVar[int]
    TICK_TO_ORDER_P50_NS_FIELD_NUMBER: _ClassVar[int]
    TICK_TO_ORDER_P99_NS_FIELD_NUMBER: _ClassVar[int]
    VENUE_FIELD_NUMBER: _ClassVar[int]
    STOPPED_FIELD_NUMBER: _ClassVar[int]
    VENUE_STATE_FIELD_NUMBER: _ClassVar[int]
    TICK_TO_FIRST_ORDER_P50_NS_FIELD_NUMBER: _ClassVar[int]
    TICK_TO_FIRST_ORDER_P99_NS_FIELD_NUMBER: _ClassVar[int]
    state: TradingState
    who: str
    why: str
    epoch: int
    last_report_sequence: int
    open_orders: int
    orders: int
    fills: int
    tick_to_order_p50_ns: int
    tick_to_order_p99_ns: int
    venue: str
    stopped: _containers.RepeatedCompositeFieldContainer[ScopeState]
    venue_state: VenueState
    tick_to_first_order_p50_ns: int
    tick_to_first_order_p99_ns: int
    def __init__(self, state: _Optional[_Union[TradingState, str]] = ..., who: _Optional[str] = ..., why: _Optional[str] = ..., epoch: _Optional[int] = ..., last_report_sequence: _Optional[int] = ..., open_orders: _Optional[int] = ..., orders: _Optional[int] = ..., fills: _Optional[int] = ..., tick_to_order_p50_ns: _Optional[int] = ..., tick_to_order_p99_ns: _Optional[int] = ..., venue: _Optional[str] = ..., stopped: _Optional[_Iterable[_Union[ScopeState, _Mapping]]] = ..., venue_state: _Optional[_Union[VenueState, _Mapping]] = ..., tick_to_first_order_p50_ns: _Optional[int] = ..., tick_to_first_order_p99_ns: _Optional[int] = ...) -> None: ...

class VenueState(_message.Message):
    __slots__ = ("name", "connected", "since_ns", "waits_for", "unresolved_orders")
    NAME_FIELD_NUMBER: _ClassVar[int]
    CONNECTED_FIELD_NUMBER: _ClassVar[int]
    SINCE_NS_FIELD_NUMBER: _ClassVar[int]
    WAITS_FOR_FIELD_NUMBER: _ClassVar[int]
    UNRESOLVED_ORDERS_FIELD_NUMBER: _ClassVar[int]
    name: str
    connected: bool
    since_ns: int
    waits_for: str
    unresolved_orders: int
    def __init__(self, name: _Optional[str] = ..., connected: _Optional[bool] = ..., since_ns: _Optional[int] = ..., waits_for: _Optional[str] = ..., unresolved_orders: _Optional[int] = ...) -> None: ...

class ScopeState(_message.Message):
    __slots__ = ("scope", "state", "who", "why")
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    WHO_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    scope: str
    state: TradingState
    who: str
    why: str
    def __init__(self, scope: _Optional[str] = ..., state: _Optional[_Union[TradingState, str]] = ..., who: _Optional[str] = ..., why: _Optional[str] = ...) -> None: ...

class ReconcileRequest(_message.Message):
    __slots__ = ("full",)
    FULL_FIELD_NUMBER: _ClassVar[int]
    full: bool
    def __init__(self, full: _Optional[bool] = ...) -> None: ...

class ReconcileBreak(_message.Message):
    __slots__ = ("kind", "subject", "client_order_id", "ours", "theirs", "since_wall_ns", "text")
    KIND_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    OURS_FIELD_NUMBER: _ClassVar[int]
    THEIRS_FIELD_NUMBER: _ClassVar[int]
    SINCE_WALL_NS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    kind: str
    subject: str
    client_order_id: str
    ours: str
    theirs: str
    since_wall_ns: int
    text: str
    def __init__(self, kind: _Optional[str] = ..., subject: _Optional[str] = ..., client_order_id: _Optional[str] = ..., ours: _Optional[str] = ..., theirs: _Optional[str] = ..., since_wall_ns: _Optional[int] = ..., text: _Optional[str] = ...) -> None: ...

class ReconcileResponse(_message.Message):
    __slots__ = ("wall_ns", "venue", "why_not", "fills", "orders", "positions", "breaks", "in_doubt", "state", "not_compared")
    WALL_NS_FIELD_NUMBER: _ClassVar[int]
    VENUE_FIELD_NUMBER: _ClassVar[int]
    WHY_NOT_FIELD_NUMBER: _ClassVar[int]
    FILLS_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    BREAKS_FIELD_NUMBER: _ClassVar[int]
    IN_DOUBT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    NOT_COMPARED_FIELD_NUMBER: _ClassVar[int]
    wall_ns: int
    venue: str
    why_not: str
    fills: int
    orders: int
    positions: int
    breaks: _containers.RepeatedCompositeFieldContainer[ReconcileBreak]
    in_doubt: _containers.RepeatedCompositeFieldContainer[ReconcileBreak]
    state: TradingState
    not_compared: str
    def __init__(self, wall_ns: _Optional[int] = ..., venue: _Optional[str] = ..., why_not: _Optional[str] = ..., fills: _Optional[int] = ..., orders: _Optional[int] = ..., positions: _Optional[int] = ..., breaks: _Optional[_Iterable[_Union[ReconcileBreak, _Mapping]]] = ..., in_doubt: _Optional[_Iterable[_Union[ReconcileBreak, _Mapping]]] = ..., state: _Optional[_Union[TradingState, str]] = ..., not_compared: _Optional[str] = ...) -> None: ...
