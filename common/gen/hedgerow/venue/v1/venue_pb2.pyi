from hedgerow.execution.v1 import execution_pb2 as _execution_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RecordKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RECORD_KIND_UNSPECIFIED: _ClassVar[RecordKind]
    RECORD_KIND_ACCEPTED: _ClassVar[RecordKind]
    RECORD_KIND_FILL: _ClassVar[RecordKind]
    RECORD_KIND_CANCELED: _ClassVar[RecordKind]
    RECORD_KIND_REJECTED: _ClassVar[RecordKind]
    RECORD_KIND_EXPIRED: _ClassVar[RecordKind]
    RECORD_KIND_CANCEL_REJECTED: _ClassVar[RecordKind]
    RECORD_KIND_REPLACED: _ClassVar[RecordKind]
    RECORD_KIND_REPLACE_REJECTED: _ClassVar[RecordKind]
    RECORD_KIND_SETTLED: _ClassVar[RecordKind]
    RECORD_KIND_DUPLICATE: _ClassVar[RecordKind]
    RECORD_KIND_ORDER: _ClassVar[RecordKind]
    RECORD_KIND_CANCEL: _ClassVar[RecordKind]
    RECORD_KIND_REPLACE: _ClassVar[RecordKind]
RECORD_KIND_UNSPECIFIED: RecordKind
RECORD_KIND_ACCEPTED: RecordKind
RECORD_KIND_FILL: RecordKind
RECORD_KIND_CANCELED: RecordKind
RECORD_KIND_REJECTED: RecordKind
RECORD_KIND_EXPIRED: RecordKind
RECORD_KIND_CANCEL_REJECTED: RecordKind
RECORD_KIND_REPLACED: RecordKind
RECORD_KIND_REPLACE_REJECTED: RecordKind
RECORD_KIND_SETTLED: RecordKind
RECORD_KIND_DUPLICATE: RecordKind
RECORD_KIND_ORDER: RecordKind
RECORD_KIND_CANCEL: RecordKind
RECORD_KIND_REPLACE: RecordKind

class VenueRecord(_message.Message):
    __slots__ = ("sequence", "kind", "client_order_id", "event_time_ns", "exec_id", "lots", "ticks", "fee_cents", "bid_ticks", "ask_ticks", "text", "instrument")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    EXEC_ID_FIELD_NUMBER: _ClassVar[int]
    LOTS_FIELD_NUMBER: _ClassVar[int]
    TICKS_FIELD_NUMBER: _ClassVar[int]
    FEE_CENTS_FIELD_NUMBER: _ClassVar[int]
    BID_TICKS_FIELD_NUMBER: _ClassVar[int]
    ASK_TICKS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    kind: RecordKind
    client_order_id: str
    event_time_ns: int
    exec_id: str
    lots: int
    ticks: int
    fee_cents: int
    bid_ticks: int
    ask_ticks: int
    text: str
    instrument: int
    def __init__(self, sequence: _Optional[int] = ..., kind: _Optional[_Union[RecordKind, str]] = ..., client_order_id: _Optional[str] = ..., event_time_ns: _Optional[int] = ..., exec_id: _Optional[str] = ..., lots: _Optional[int] = ..., ticks: _Optional[int] = ..., fee_cents: _Optional[int] = ..., bid_ticks: _Optional[int] = ..., ask_ticks: _Optional[int] = ..., text: _Optional[str] = ..., instrument: _Optional[int] = ...) -> None: ...

class OpenSession(_message.Message):
    __slots__ = ("resume", "after_sequence")
    RESUME_FIELD_NUMBER: _ClassVar[int]
    AFTER_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    resume: bool
    after_sequence: int
    def __init__(self, resume: _Optional[bool] = ..., after_sequence: _Optional[int] = ...) -> None: ...

class SubmitOrder(_message.Message):
    __slots__ = ("order", "now_ns")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    NOW_NS_FIELD_NUMBER: _ClassVar[int]
    order: _execution_pb2.Order
    now_ns: int
    def __init__(self, order: _Optional[_Union[_execution_pb2.Order, _Mapping]] = ..., now_ns: _Optional[int] = ...) -> None: ...

class SubmitCombo(_message.Message):
    __slots__ = ("legs", "now_ns")
    LEGS_FIELD_NUMBER: _ClassVar[int]
    NOW_NS_FIELD_NUMBER: _ClassVar[int]
    legs: _containers.RepeatedCompositeFieldContainer[_execution_pb2.Order]
    now_ns: int
    def __init__(self, legs: _Optional[_Iterable[_Union[_execution_pb2.Order, _Mapping]]] = ..., now_ns: _Optional[int] = ...) -> None: ...

class ReplaceOrder(_message.Message):
    __slots__ = ("order", "now_ns")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    NOW_NS_FIELD_NUMBER: _ClassVar[int]
    order: _execution_pb2.Order
    now_ns: int
    def __init__(self, order: _Optional[_Union[_execution_pb2.Order, _Mapping]] = ..., now_ns: _Optional[int] = ...) -> None: ...

class CancelOrder(_message.Message):
    __slots__ = ("client_order_id", "now_ns")
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    NOW_NS_FIELD_NUMBER: _ClassVar[int]
    client_order_id: str
    now_ns: int
    def __init__(self, client_order_id: _Optional[str] = ..., now_ns: _Optional[int] = ...) -> None: ...

class AskOrders(_message.Message):
    __slots__ = ("client_order_id",)
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    client_order_id: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, client_order_id: _Optional[_Iterable[str]] = ...) -> None: ...

class AskStatus(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class AskStatement(_message.Message):
    __slots__ = ("number", "after", "limit")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    number: int
    after: int
    limit: int
    def __init__(self, number: _Optional[int] = ..., after: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class VenueRequest(_message.Message):
    __slots__ = ("open", "submit", "cancel", "ask", "status", "replace", "statement", "combo")
    OPEN_FIELD_NUMBER: _ClassVar[int]
    SUBMIT_FIELD_NUMBER: _ClassVar[int]
    CANCEL_FIELD_NUMBER: _ClassVar[int]
    ASK_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    REPLACE_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    COMBO_FIELD_NUMBER: _ClassVar[int]
    open: OpenSession
    submit: SubmitOrder
    cancel: CancelOrder
    ask: AskOrders
    status: AskStatus
    replace: ReplaceOrder
    statement: AskStatement
    combo: SubmitCombo
    def __init__(self, open: _Optional[_Union[OpenSession, _Mapping]] = ..., submit: _Optional[_Union[SubmitOrder, _Mapping]] = ..., cancel: _Optional[_Union[CancelOrder, _Mapping]] = ..., ask: _Optional[_Union[AskOrders, _Mapping]] = ..., status: _Optional[_Union[AskStatus, _Mapping]] = ..., replace: _Optional[_Union[ReplaceOrder, _Mapping]] = ..., statement: _Optional[_Union[AskStatement, _Mapping]] = ..., combo: _Optional[_Union[SubmitCombo, _Mapping]] = ...) -> None: ...

class SessionOpened(_message.Message):
    __slots__ = ("last_sequence", "combos", "settled")
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    COMBOS_FIELD_NUMBER: _ClassVar[int]
    SETTLED_FIELD_NUMBER: _ClassVar[int]
    last_sequence: int
    combos: bool
    settled: _containers.RepeatedCompositeFieldContainer[VenueRecord]
    def __init__(self, last_sequence: _Optional[int] = ..., combos: _Optional[bool] = ..., settled: _Optional[_Iterable[_Union[VenueRecord, _Mapping]]] = ...) -> None: ...

class VenueRecords(_message.Message):
    __slots__ = ("records",)
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[VenueRecord]
    def __init__(self, records: _Optional[_Iterable[_Union[VenueRecord, _Mapping]]] = ...) -> None: ...

class OrderTold(_message.Message):
    __slots__ = ("client_order_id", "known", "records")
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    KNOWN_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    client_order_id: str
    known: bool
    records: _containers.RepeatedCompositeFieldContainer[VenueRecord]
    def __init__(self, client_order_id: _Optional[str] = ..., known: _Optional[bool] = ..., records: _Optional[_Iterable[_Union[VenueRecord, _Mapping]]] = ...) -> None: ...

class RequestRefused(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class VenueStatus(_message.Message):
    __slots__ = ("last_sequence", "session")
    LAST_SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    last_sequence: int
    session: bool
    def __init__(self, last_sequence: _Optional[int] = ..., session: _Optional[bool] = ...) -> None: ...

class StatedFill(_message.Message):
    __slots__ = ("exec_id", "client_order_id", "instrument", "signed_lots", "ticks", "fee_cents", "event_time_ns")
    EXEC_ID_FIELD_NUMBER: _ClassVar[int]
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    SIGNED_LOTS_FIELD_NUMBER: _ClassVar[int]
    TICKS_FIELD_NUMBER: _ClassVar[int]
    FEE_CENTS_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    exec_id: str
    client_order_id: str
    instrument: int
    signed_lots: int
    ticks: int
    fee_cents: int
    event_time_ns: int
    def __init__(self, exec_id: _Optional[str] = ..., client_order_id: _Optional[str] = ..., instrument: _Optional[int] = ..., signed_lots: _Optional[int] = ..., ticks: _Optional[int] = ..., fee_cents: _Optional[int] = ..., event_time_ns: _Optional[int] = ...) -> None: ...

class StatedOrder(_message.Message):
    __slots__ = ("client_order_id", "instrument", "signed_lots", "limit_ticks", "cum_lots")
    CLIENT_ORDER_ID_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    SIGNED_LOTS_FIELD_NUMBER: _ClassVar[int]
    LIMIT_TICKS_FIELD_NUMBER: _ClassVar[int]
    CUM_LOTS_FIELD_NUMBER: _ClassVar[int]
    client_order_id: str
    instrument: int
    signed_lots: int
    limit_ticks: int
    cum_lots: int
    def __init__(self, client_order_id: _Optional[str] = ..., instrument: _Optional[int] = ..., signed_lots: _Optional[int] = ..., limit_ticks: _Optional[int] = ..., cum_lots: _Optional[int] = ...) -> None: ...

class StatedPosition(_message.Message):
    __slots__ = ("instrument", "lots")
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    LOTS_FIELD_NUMBER: _ClassVar[int]
    instrument: int
    lots: int
    def __init__(self, instrument: _Optional[int] = ..., lots: _Optional[int] = ...) -> None: ...

class VenueStatement(_message.Message):
    __slots__ = ("number", "first", "count", "from_time_ns", "fills", "orders", "positions")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    FILLS_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    number: int
    first: int
    count: int
    from_time_ns: int
    fills: _containers.RepeatedCompositeFieldContainer[StatedFill]
    orders: _containers.RepeatedCompositeFieldContainer[StatedOrder]
    positions: _containers.RepeatedCompositeFieldContainer[StatedPosition]
    def __init__(self, number: _Optional[int] = ..., first: _Optional[int] = ..., count: _Optional[int] = ..., from_time_ns: _Optional[int] = ..., fills: _Optional[_Iterable[_Union[StatedFill, _Mapping]]] = ..., orders: _Optional[_Iterable[_Union[StatedOrder, _Mapping]]] = ..., positions: _Optional[_Iterable[_Union[StatedPosition, _Mapping]]] = ...) -> None: ...

class VenueResponse(_message.Message):
    __slots__ = ("opened", "records", "told", "refused", "status", "statement")
    OPENED_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    TOLD_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    STATEMENT_FIELD_NUMBER: _ClassVar[int]
    opened: SessionOpened
    records: VenueRecords
    told: OrderTold
    refused: RequestRefused
    status: VenueStatus
    statement: VenueStatement
    def __init__(self, opened: _Optional[_Union[SessionOpened, _Mapping]] = ..., records: _Optional[_Union[VenueRecords, _Mapping]] = ..., told: _Optional[_Union[OrderTold, _Mapping]] = ..., refused: _Optional[_Union[RequestRefused, _Mapping]] = ..., status: _Optional[_Union[VenueStatus, _Mapping]] = ..., statement: _Optional[_Union[VenueStatement, _Mapping]] = ...) -> None: ...
