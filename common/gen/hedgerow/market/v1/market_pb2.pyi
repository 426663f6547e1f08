from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Header(_message.Message):
    __slots__ = ("source", "sequence", "event_time_ns", "receive_time_ns", "cause_id")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    RECEIVE_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    CAUSE_ID_FIELD_NUMBER: _ClassVar[int]
    source: str
    sequence: int
    event_time_ns: int
    receive_time_ns: int
    cause_id: str
    def __init__(self, source: _Optional[str] = ..., sequence: _Optional[int] = ..., event_time_ns: _Optional[int] = ..., receive_time_ns: _Optional[int] = ..., cause_id: _Optional[str] = ...) -> None: ...

class QuoteBatch(_message.Message):
    __slots__ = ("header", "instrument", "bid_ticks", "ask_ticks", "bid_size_lots", "ask_size_lots", "quote_time_ns", "snapshot")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    BID_TICKS_FIELD_NUMBER: _ClassVar[int]
    ASK_TICKS_FIELD_NUMBER: _ClassVar[int]
    BID_SIZE_LOTS_FIELD_NUMBER: _ClassVar[int]
    ASK_SIZE_LOTS_FIELD_NUMBER: _ClassVar[int]
    QUOTE_TIME_NS_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    header: Header
    instrument: bytes
    bid_ticks: bytes
    ask_ticks: bytes
    bid_size_lots: bytes
    ask_size_lots: bytes
    quote_time_ns: bytes
    snapshot: bool
    def __init__(self, header: _Optional[_Union[Header, _Mapping]] = ..., instrument: _Optional[bytes] = ..., bid_ticks: _Optional[bytes] = ..., ask_ticks: _Optional[bytes] = ..., bid_size_lots: _Optional[bytes] = ..., ask_size_lots: _Optional[bytes] = ..., quote_time_ns: _Optional[bytes] = ..., snapshot: _Optional[bool] = ...) -> None: ...

class Universe(_message.Message):
    __slots__ = ("instrument_id", "kind", "underlying", "expiry_ns", "strike", "right", "style", "multiplier_usd", "tick_size", "fee_cents", "listed", "underlyings", "covariance_daily", "covariance_source")
    INSTRUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    UNDERLYING_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_NS_FIELD_NUMBER: _ClassVar[int]
    STRIKE_FIELD_NUMBER: _ClassVar[int]
    RIGHT_FIELD_NUMBER: _ClassVar[int]
    STYLE_FIELD_NUMBER: _ClassVar[int]
    MULTIPLIER_USD_FIELD_NUMBER: _ClassVar[int]
    TICK_SIZE_FIELD_NUMBER: _ClassVar[int]
    FEE_CENTS_FIELD_NUMBER: _ClassVar[int]
    LISTED_FIELD_NUMBER: _ClassVar[int]
    UNDERLYINGS_FIELD_NUMBER: _ClassVar[int]
    COVARIANCE_DAILY_FIELD_NUMBER: _ClassVar[int]
    COVARIANCE_SOURCE_FIELD_NUMBER: _ClassVar[int]
    instrument_id: _containers.RepeatedScalarFieldContainer[str]
    kind: bytes
    underlying: bytes
    expiry_ns: bytes
    strike: bytes
    right: bytes
    style: bytes
    multiplier_usd: bytes
    tick_size: bytes
    fee_cents: bytes
    listed: bytes
    underlyings: _containers.RepeatedCompositeFieldContainer[Underlying]
    covariance_daily: bytes
    covariance_source: str
    def __init__(self, instrument_id: _Optional[_Iterable[str]] = ..., kind: _Optional[bytes] = ..., underlying: _Optional[bytes] = ..., expiry_ns: _Optional[bytes] = ..., strike: _Optional[bytes] = ..., right: _Optional[bytes] = ..., style: _Optional[bytes] = ..., multiplier_usd: _Optional[bytes] = ..., tick_size: _Optional[bytes] = ..., fee_cents: _Optional[bytes] = ..., listed: _Optional[bytes] = ..., underlyings: _Optional[_Iterable[_Union[Underlying, _Mapping]]] = ..., covariance_daily: _Optional[bytes] = ..., covariance_source: _Optional[str] = ...) -> None: ...

class Underlying(_message.Message):
    __slots__ = ("symbol", "future_instrument", "carry_per_year", "rate_per_year", "rolls")
    SYMBOL_FIELD_NUMBER: _ClassVar[int]
    FUTURE_INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    CARRY_PER_YEAR_FIELD_NUMBER: _ClassVar[int]
    RATE_PER_YEAR_FIELD_NUMBER: _ClassVar[int]
    ROLLS_FIELD_NUMBER: _ClassVar[int]
    symbol: str
    future_instrument: int
    carry_per_year: float
    rate_per_year: float
    rolls: _containers.RepeatedCompositeFieldContainer[Roll]
    def __init__(self, symbol: _Optional[str] = ..., future_instrument: _Optional[int] = ..., carry_per_year: _Optional[float] = ..., rate_per_year: _Optional[float] = ..., rolls: _Optional[_Iterable[_Union[Roll, _Mapping]]] = ...) -> None: ...

class Roll(_message.Message):
    __slots__ = ("at_ns", "instrument")
    AT_NS_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    at_ns: int
    instrument: int
    def __init__(self, at_ns: _Optional[int] = ..., instrument: _Optional[int] = ...) -> None: ...

class Desk(_message.Message):
    __slots__ = ("name", "legal_entity", "account")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEGAL_ENTITY_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    name: str
    legal_entity: str
    account: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., legal_entity: _Optional[str] = ..., account: _Optional[_Iterable[str]] = ...) -> None: ...

class Book(_message.Message):
    __slots__ = ("book_id", "account", "instrument", "quantity_lots", "average_price", "desks")
    BOOK_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_LOTS_FIELD_NUMBER: _ClassVar[int]
    AVERAGE_PRICE_FIELD_NUMBER: _ClassVar[int]
    DESKS_FIELD_NUMBER: _ClassVar[int]
    book_id: str
    account: _containers.RepeatedScalarFieldContainer[str]
    instrument: bytes
    quantity_lots: bytes
    average_price: bytes
    desks: _containers.RepeatedCompositeFieldContainer[Desk]
    def __init__(self, book_id: _Optional[str] = ..., account: _Optional[_Iterable[str]] = ..., instrument: _Optional[bytes] = ..., quantity_lots: _Optional[bytes] = ..., average_price: _Optional[bytes] = ..., desks: _Optional[_Iterable[_Union[Desk, _Mapping]]] = ...) -> None: ...
