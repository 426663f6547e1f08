"""Plain values to protobuf and back: numbers, texts, arrays, containers, and classes that were named beforehand.

Nothing is ever built that the caller has not named: no class is looked up by what the bytes say. Floats, NaN included,
travel bit for bit; order is kept in everything but sets. A whole number must fit 64 bits. Schema: ``Value`` in
proto/hedgerow/record/v1/record.proto.
*Tested by* tests/properties/test_manager_snapshot.py, tests/unit/test_value_codec.py.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

import numpy as np
from hedgerow.record.v1 import record_pb2 as pb

from common.errors import Refused

_DTYPES: Final = ("|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f8")
_OBJECTS: Final = "objects"
_SEQUENCES: Final[dict[str, Callable[[list[Any]], Any]]] = {"tuple": tuple, "list": list, "set": set}
_ENUM: Final = "enum "


@dataclass(frozen=True, slots=True)
class Message:
    """A class whose instances have bytes of their own."""

    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]


@dataclass(frozen=True, slots=True)
class Parts:
    """A class that is kept by its attributes: which, and how an instance is made of them."""

    names: Callable[[Any], Iterable[str]]
    build: Callable[[dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Values:
    """A codec: what it may meet beside plain values. Unknown classes are a ``TypeError`` when encoded."""

    messages: Mapping[type, Message] = field(default_factory=dict)
    parts: Mapping[type, Parts] = field(default_factory=dict)
    enums: tuple[type[Enum], ...] = ()

    def fields_to_pb(self, owner: Any, names: Iterable[str]) -> list[pb.Field]:
        """Attributes of an object, by name. Raises ``TypeError`` naming the one that cannot be kept."""
        out = []
        for name in names:
            try:
                out.append(pb.Field(name=name, value=self.to_pb(getattr(owner, name))))
            except (TypeError, ValueError) as error:
                raise TypeError(f"{type(owner).__name__}.{name}: {error}") from None
        return out

    def fields_from_pb(self, found: Iterable[pb.Field]) -> dict[str, Any]:
        """The same as a mapping. Raises ``errors.Refused``."""
        return {f.name: self.from_pb(f.value) for f in found}

    def to_pb(self, value: Any) -> pb.Value:
        """One value. Raises ``TypeError`` for a class nobody named, ``ValueError`` beyond 64 bits."""
        if value is None:
            return pb.Value()
        cls = type(value)
        if cls is bool:
            return pb.Value(flag=value)
        if cls is int:
            return pb.Value(whole=value)
        if cls is float:
            return pb.Value(real=value)
        if cls is str:
            return pb.Value(text=value)
        if isinstance(value, np.ndarray | np.generic):
            return self._array(np.asarray(value))
        if isinstance(value, tuple | list | set | deque):
            return pb.Value(items=self.items_to_pb(value))
        if isinstance(value, dict):
            return self._pairs(value)
        return self._named(cls, value)

    def _array(self, array: np.ndarray[Any, Any]) -> pb.Value:
        if array.dtype == object:
            texts = array.tolist()
            if array.ndim != 1 or not all(type(x) is str for x in texts):
                raise TypeError("an array of objects other than texts")
            return pb.Value(items=pb.Items(kind=_OBJECTS, texts=texts))
        name = array.dtype.newbyteorder("<").str
        if name not in _DTYPES:
            raise TypeError(f"an array of {array.dtype}")
        data = array.astype(np.dtype(name), copy=False).tobytes()
        return pb.Value(column=pb.Column(dtype=name, shape=array.shape, data=data))

    def items_to_pb(self, values: Iterable[Any]) -> pb.Items:
        """A sequence or set: its texts or whole numbers in one list where all are of one kind."""
        kind, bound = type(values).__name__, values.maxlen or 0 if isinstance(values, deque) else 0
        if kind not in (*_SEQUENCES, "deque"):
            raise TypeError(f"a container of class {kind}")
        items = list(values)
        classes = set(map(type, items))
        if classes == {str}:
            return pb.Items(kind=kind, bound=bound, texts=items)
        if classes == {int}:
            return pb.Items(kind=kind, bound=bound, wholes=items)
        return pb.Items(kind=kind, bound=bound, values=[self.to_pb(x) for x in items])

    def _pairs(self, value: dict[Any, Any]) -> pb.Value:
        kind = {dict: "dict", Counter: "counter"}.get(type(value))
        if kind is None:
            raise TypeError(f"a mapping of class {type(value).__name__}")
        keys, values = self.items_to_pb(list(value)), self.items_to_pb(list(value.values()))
        return pb.Value(pairs=pb.Pairs(kind=kind, keys=keys, values=values))

    def _named(self, cls: type, value: Any) -> pb.Value:
        if cls in self.messages:
            return pb.Value(encoded=pb.Encoded(kind=cls.__name__, data=self.messages[cls].encode(value)))
        if cls in self.enums:
            return pb.Value(encoded=pb.Encoded(kind=_ENUM + cls.__name__, data=value.name.encode()))
        if cls in self.parts:
            fields = self.fields_to_pb(value, self.parts[cls].names(value))
            return pb.Value(object=pb.Object(kind=cls.__name__, fields=fields))
        raise TypeError(f"class {cls.__name__} has no codec")

    def from_pb(self, m: pb.Value) -> Any:
        """One value back. Raises ``errors.Refused`` for what is malformed or of a class nobody named."""
        match m.WhichOneof("is"):
            case None:
                return None
            case "column":
                return _column(m.column)
            case "items":
                return self.items_from_pb(m.items)
            case "pairs":
                return self._mapping(m.pairs)
            case "object":
                return self._build(m.object)
            case "encoded":
                return self._decode(m.encoded)
            case plain:
                return getattr(m, plain)

    def items_from_pb(self, m: pb.Items) -> Any:
        """A sequence or set back, in order. Raises ``errors.Refused``."""
        items: list[Any] = [*m.texts, *m.wholes, *(self.from_pb(x) for x in m.values)]
        if m.kind == "deque":
            return deque(items, maxlen=m.bound or None)
        if m.kind == _OBJECTS:
            out = np.empty(len(items), dtype=object)
            out[:] = items
            return out
        if m.kind not in _SEQUENCES:
            raise Refused(f"a value is a {m.kind!r}, which is not known here")
        return _SEQUENCES[m.kind](items)

    def _mapping(self, m: pb.Pairs) -> dict[Any, Any]:
        keys, values = self.items_from_pb(m.keys), self.items_from_pb(m.values)
        if len(keys) != len(values) or m.kind not in ("dict", "counter"):
            raise Refused(f"a mapping {m.kind!r} of {len(keys)} keys and {len(values)} values")
        pairs = dict(zip(keys, values, strict=True))
        return Counter(pairs) if m.kind == "counter" else pairs

    def _build(self, m: pb.Object) -> Any:
        for cls, parts in self.parts.items():
            if cls.__name__ == m.kind:
                try:
                    return parts.build(self.fields_from_pb(m.fields))
                except (TypeError, KeyError) as error:
                    raise Refused(f"{m.kind}: not what this version keeps of it: {error}") from None
        raise Refused(f"a value is of class {m.kind!r}, which is not known here")

    def _decode(self, m: pb.Encoded) -> Any:
        for cls, message in self.messages.items():
            if cls.__name__ == m.kind:
                return message.decode(m.data)
        for enum in self.enums:
            if _ENUM + enum.__name__ == m.kind and m.data.decode(errors="replace") in enum.__members__:
                return enum[m.data.decode()]
        raise Refused(f"a value is of class {m.kind!r}, which is not known here")


def _column(m: pb.Column) -> Any:
    """A writable array, or a single number of the array's type."""
    if m.dtype not in _DTYPES:
        raise Refused(f"an array of {m.dtype!r}, which is not known here")
    dtype = np.dtype(m.dtype)
    if len(m.data) != dtype.itemsize * int(np.prod(m.shape, dtype=np.uint64)):
        raise Refused(f"an array {tuple(m.shape)} of {m.dtype} in {len(m.data)} bytes")
    array = np.frombuffer(m.data, dtype).reshape(tuple(m.shape)).copy()
    return array if m.shape else array[()]
