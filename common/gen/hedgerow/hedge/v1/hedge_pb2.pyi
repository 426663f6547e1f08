from hedgerow.market.v1 import market_pb2 as _market_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class InputRun(_message.Message):
    __slots__ = ("stream", "first", "count")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    FIRST_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    stream: str
    first: int
    count: int
    def __init__(self, stream: _Optional[str] = ..., first: _Optional[int] = ..., count: _Optional[int] = ...) -> None: ...

class Proposal(_message.Message):
    __slots__ = ("header", "kind", "shard", "book_id", "incarnation", "assignment_version", "position_version", "budget_epoch", "inputs", "factor", "exposure", "lower", "upper", "weighs_cost", "menu", "sensitivity", "alone_lots", "trigger", "expires_ns", "reported", "reported_value", "desk", "desk_alone_lots")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    SHARD_FIELD_NUMBER: _ClassVar[int]
    BOOK_ID_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    POSITION_VERSION_FIELD_NUMBER: _ClassVar[int]
    BUDGET_EPOCH_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    EXPOSURE_FIELD_NUMBER: _ClassVar[int]
    LOWER_FIELD_NUMBER: _ClassVar[int]
    UPPER_FIELD_NUMBER: _ClassVar[int]
    WEIGHS_COST_FIELD_NUMBER: _ClassVar[int]
    MENU_FIELD_NUMBER: _ClassVar[int]
    SENSITIVITY_FIELD_NUMBER: _ClassVar[int]
    ALONE_LOTS_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_NS_FIELD_NUMBER: _ClassVar[int]
    REPORTED_FIELD_NUMBER: _ClassVar[int]
    REPORTED_VALUE_FIELD_NUMBER: _ClassVar[int]
    DESK_FIELD_NUMBER: _ClassVar[int]
    DESK_ALONE_LOTS_FIELD_NUMBER: _ClassVar[int]
    header: _market_pb2.Header
    kind: str
    shard: int
    book_id: str
    incarnation: int
    assignment_version: int
    position_version: int
    budget_epoch: int
    inputs: _containers.RepeatedCompositeFieldContainer[InputRun]
    factor: _containers.RepeatedScalarFieldContainer[str]
    exposure: bytes
    lower: bytes
    upper: bytes
    weighs_cost: bytes
    menu: bytes
    sensitivity: bytes
    alone_lots: bytes
    trigger: str
    expires_ns: int
    reported: _containers.RepeatedScalarFieldContainer[str]
    reported_value: bytes
    desk: _containers.RepeatedScalarFieldContainer[str]
    desk_alone_lots: bytes
    def __init__(self, header: _Optional[_Union[_market_pb2.Header, _Mapping]] = ..., kind: _Optional[str] = ..., shard: _Optional[int] = ..., book_id: _Optional[str] = ..., incarnation: _Optional[int] = ..., assignment_version: _Optional[int] = ..., position_version: _Optional[int] = ..., budget_epoch: _Optional[int] = ..., inputs: _Optional[_Iterable[_Union[InputRun, _Mapping]]] = ..., factor: _Optional[_Iterable[str]] = ..., exposure: _Optional[bytes] = ..., lower: _Optional[bytes] = ..., upper: _Optional[bytes] = ..., weighs_cost: _Optional[bytes] = ..., menu: _Optional[bytes] = ..., sensitivity: _Optional[bytes] = ..., alone_lots: _Optional[bytes] = ..., trigger: _Optional[str] = ..., expires_ns: _Optional[int] = ..., reported: _Optional[_Iterable[str]] = ..., reported_value: _Optional[bytes] = ..., desk: _Optional[_Iterable[str]] = ..., desk_alone_lots: _Optional[bytes] = ...) -> None: ...

class PositionUpdate(_message.Message):
    __slots__ = ("header", "version", "instrument", "traded_lots", "desk", "desk_lots")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    INSTRUMENT_FIELD_NUMBER: _ClassVar[int]
    TRADED_LOTS_FIELD_NUMBER: _ClassVar[int]
    DESK_FIELD_NUMBER: _ClassVar[int]
    DESK_LOTS_FIELD_NUMBER: _ClassVar[int]
    header: _market_pb2.Header
    version: int
    instrument: bytes
    traded_lots: bytes
    desk: _containers.RepeatedScalarFieldContainer[str]
    desk_lots: bytes
    def __init__(self, header: _Optional[_Union[_market_pb2.Header, _Mapping]] = ..., version: _Optional[int] = ..., instrument: _Optional[bytes] = ..., traded_lots: _Optional[bytes] = ..., desk: _Optional[_Iterable[str]] = ..., desk_lots: _Optional[bytes] = ...) -> None: ...

class BudgetUpdate(_message.Message):
    __slots__ = ("header", "budget_epoch", "factor", "soft_limit", "price_of_risk", "risk_aversion_per_usd")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    BUDGET_EPOCH_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    SOFT_LIMIT_FIELD_NUMBER: _ClassVar[int]
    PRICE_OF_RISK_FIELD_NUMBER: _ClassVar[int]
    RISK_AVERSION_PER_USD_FIELD_NUMBER: _ClassVar[int]
    header: _market_pb2.Header
    budget_epoch: int
    factor: _containers.RepeatedScalarFieldContainer[str]
    soft_limit: bytes
    price_of_risk: bytes
    risk_aversion_per_usd: float
    def __init__(self, header: _Optional[_Union[_market_pb2.Header, _Mapping]] = ..., budget_epoch: _Optional[int] = ..., factor: _Optional[_Iterable[str]] = ..., soft_limit: _Optional[bytes] = ..., price_of_risk: _Optional[bytes] = ..., risk_aversion_per_usd: _Optional[float] = ...) -> None: ...

class AssignmentUpdate(_message.Message):
    __slots__ = ("header", "version", "key", "owner")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    header: _market_pb2.Header
    version: int
    key: _containers.RepeatedScalarFieldContainer[str]
    owner: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, header: _Optional[_Union[_market_pb2.Header, _Mapping]] = ..., version: _Optional[int] = ..., key: _Optional[_Iterable[str]] = ..., owner: _Optional[_Iterable[str]] = ...) -> None: ...

class AgentParameters(_message.Message):
    __slots__ = ("header", "version", "path", "value", "changed", "before", "after", "undoes", "who", "why")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    UNDOES_FIELD_NUMBER: _ClassVar[int]
    WHO_FIELD_NUMBER: _ClassVar[int]
    WHY_FIELD_NUMBER: _ClassVar[int]
    header: _market_pb2.Header
    version: int
    path: _containers.RepeatedScalarFieldContainer[str]
    value: _containers.RepeatedScalarFieldContainer[float]
    changed: str
    before: float
    after: float
    undoes: int
    who: str
    why: str
    def __init__(self, header: _Optional[_Union[_market_pb2.Header, _Mapping]] = ..., version: _Optional[int] = ..., path: _Optional[_Iterable[str]] = ..., value: _Optional[_Iterable[float]] = ..., changed: _Optional[str] = ..., before: _Optional[float] = ..., after: _Optional[float] = ..., undoes: _Optional[int] = ..., who: _Optional[str] = ..., why: _Optional[str] = ...) -> None: ...

class Heartbeat(_message.Message):
    __slots__ = ("header", "incarnation", "state", "loop", "pid", "proposals", "batches", "gaps", "decide_p50_us", "decide_p99_us", "rss_bytes", "unusable_quotes", "keys", "assignment_version", "busy_share", "lag_us", "node")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    LOOP_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    PROPOSALS_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    GAPS_FIELD_NUMBER: _ClassVar[int]
    DECIDE_P50_US_FIELD_NUMBER: _ClassVar[int]
    DECIDE_P99_US_FIELD_NUMBER: _ClassVar[int]
    RSS_BYTES_FIELD_NUMBER: _ClassVar[int]
    UNUSABLE_QUOTES_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    ASSIGNMENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    BUSY_SHARE_FIELD_NUMBER: _ClassVar[int]
    LAG_US_FIELD_NUMBER: _ClassVar[int]
    NODE_FIELD_NUMBER: _ClassVar[int]
    header: _market_pb2.Header
    incarnation: int
    state: str
    loop: str
    pid: int
    proposals: int
    batches: int
    gaps: int
    decide_p50_us: float
    decide_p99_us: float
    rss_bytes: int
    unusable_quotes: int
    keys: _containers.RepeatedScalarFieldContainer[str]
    assignment_version: int
    busy_share: float
    lag_us: float
    node: str
    def __init__(self, header: _Optional[_Union[_market_pb2.Header, _Mapping]] = ..., incarnation: _Optional[int] = ..., state: _Optional[str] = ..., loop: _Optional[str] = ..., pid: _Optional[int] = ..., proposals: _Optional[int] = ..., batches: _Optional[int] = ..., gaps: _Optional[int] = ..., decide_p50_us: _Optional[float] = ..., decide_p99_us: _Optional[float] = ..., rss_bytes: _Optional[int] = ..., unusable_quotes: _Optional[int] = ..., keys: _Optional[_Iterable[str]] = ..., assignment_version: _Optional[int] = ..., busy_share: _Optional[float] = ..., lag_us: _Optional[float] = ..., node: _Optional[str] = ...) -> None: ...
