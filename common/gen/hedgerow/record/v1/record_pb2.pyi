from hedgerow.execution.v1 import execution_pb2 as _execution_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Snapshot(_message.Message):
    __slots__ = ("format", "run_id", "sequence", "fields", "open", "ended")
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    format: int
    run_id: str
    sequence: int
    fields: _containers.RepeatedCompositeFieldContainer[Field]
    open: OrderLives
    ended: OrderLives
    def __init__(self, format: _Optional[int] = ..., run_id: _Optional[str] = ..., sequence: _Optional[int] = ..., fields: _Optional[_Iterable[_Union[Field, _Mapping]]] = ..., open: _Optional[_Union[OrderLives, _Mapping]] = ..., ended: _Optional[_Union[OrderLives, _Mapping]] = ...) -> None: ...

class Field(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: Value
    def __init__(self, name: _Optional[str] = ..., value: _Optional[_Union[Value, _Mapping]] = ...) -> None: ...

class Value(_message.Message):
    __slots__ = ("flag", "whole", "real", "text", "column", "items", "pairs", "object", "encoded")
    FLAG_FIELD_NUMBER: _ClassVar[int]
    WHOLE_FIELD_NUMBER: _ClassVar[int]
    REAL_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    PAIRS_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    ENCODED_FIELD_NUMBER: _ClassVar[int]
    flag: bool
    whole: int
    real: float
    text: str
    column: Column
    items: Items
    pairs: Pairs
    object: Object
    encoded: Encoded
    def __init__(self, flag: _Optional[bool] = ..., whole: _Optional[int] = ..., real: _Optional[float] = ..., text: _Optional[str] = ..., column: _Optional[_Union[Column, _Mapping]] = ..., items: _Optional[_Union[Items, _Mapping]] = ..., pairs: _Optional[_Union[Pairs, _Mapping]] = ..., object: _Optional[_Union[Object, _Mapping]] = ..., encoded: _Optional[_Union[Encoded, _Mapping]] = ...) -> None: ...

class Column(_message.Message):
    __slots__ = ("dtype", "shape", "data")
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    dtype: str
    shape: _containers.RepeatedScalarFieldContainer[int]
    data: bytes
    def __init__(self, dtype: _Optional[str] = ..., shape: _Optional[_Iterable[int]] = ..., data: _Optional[bytes] = ...) -> None: ...

class Items(_message.Message):
    __slots__ = ("kind", "bound", "values", "texts", "wholes")
    KIND_FIELD_NUMBER: _ClassVar[int]
    BOUND_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    WHOLES_FIELD_NUMBER: _ClassVar[int]
    kind: str
    bound: int
    values: _containers.RepeatedCompositeFieldContainer[Value]
    texts: _containers.RepeatedScalarFieldContainer[str]
    wholes: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, kind: _Optional[str] = ..., bound: _Optional[int] = ..., values: _Optional[_Iterable[_Union[Value, _Mapping]]] = ..., texts: _Optional[_Iterable[str]] = ..., wholes: _Optional[_Iterable[int]] = ...) -> None: ...

class Pairs(_message.Message):
    __slots__ = ("kind", "keys", "values")
    KIND_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    kind: str
    keys: Items
    values: Items
    def __init__(self, kind: _Optional[str] = ..., keys: _Optional[_Union[Items, _Mapping]] = ..., values: _Optional[_Union[Items, _Mapping]] = ...) -> None: ...

class Object(_message.Message):
    __slots__ = ("kind", "fields")
    KIND_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    kind: str
    fields: _containers.RepeatedCompositeFieldContainer[Field]
    def __init__(self, kind: _Optional[str] = ..., fields: _Optional[_Iterable[_Union[Field, _Mapping]]] = ...) -> None: ...

class Encoded(_message.Message):
    __slots__ = ("kind", "data")
    KIND_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    kind: str
    data: bytes
    def __init__(self, kind: _Optional[str] = ..., data: _Optional[bytes] = ...) -> None: ...

class OrderLives(_message.Message):
    __slots__ = ("order", "ord_status", "got_count", "got_agent", "got_lots", "columns")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    ORD_STATUS_FIELD_NUMBER: _ClassVar[int]
    GOT_COUNT_FIELD_NUMBER: _ClassVar[int]
    GOT_AGENT_FIELD_NUMBER: _ClassVar[int]
    GOT_LOTS_FIELD_NUMBER: _ClassVar[int]
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    order: _containers.RepeatedCompositeFieldContainer[_execution_pb2.Order]
    ord_status: _containers.RepeatedScalarFieldContainer[_execution_pb2.OrdStatus]
    got_count: _containers.RepeatedScalarFieldContainer[int]
    got_agent: _containers.RepeatedScalarFieldContainer[str]
    got_lots: _containers.RepeatedScalarFieldContainer[int]
    columns: _containers.RepeatedCompositeFieldContainer[Field]
    def __init__(self, order: _Optional[_Iterable[_Union[_execution_pb2.Order, _Mapping]]] = ..., ord_status: _Optional[_Iterable[_Union[_execution_pb2.OrdStatus, str]]] = ..., got_count: _Optional[_Iterable[int]] = ..., got_agent: _Optional[_Iterable[str]] = ..., got_lots: _Optional[_Iterable[int]] = ..., columns: _Optional[_Iterable[_Union[Field, _Mapping]]] = ...) -> None: ...
