"""Plain values travel as they are; what nobody named is refused in both directions."""

from __future__ import annotations

import math
from collections import Counter, deque
from enum import Enum
from typing import Any

import numpy as np
import pytest
from hedgerow.record.v1 import record_pb2 as pb
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Refused
from common.wire.value_codec import Message, Parts, Values


class Colour(Enum):
    RED = "r"


class Point:
    def __init__(self, x: Any = 0) -> None:
        self.x = x


CODEC = Values(
    messages={bytes: Message(lambda data: data, lambda data: data)},
    parts={Point: Parts(lambda _: ["x"], lambda found: Point(**found))},
    enums=(Colour,),
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
PLAIN = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text() | st.integers(0, 9), inner),
    max_leaves=20,
)


def travelled(value: Any) -> Any:
    return CODEC.from_pb(pb.Value.FromString(CODEC.to_pb(value).SerializeToString(deterministic=True)))


def same(a: Any, b: Any) -> bool:
    """Equal, and of the same classes all the way down: 1 is not True and not 1.0."""
    return a == b and repr(a) == repr(b)


@given(PLAIN)
def test_plain_values_come_back_as_they_were(value: Any) -> None:
    assert same(travelled(value), value)


@pytest.mark.parametrize(
    "value",
    [
        {3, 1},
        deque([1, 2], maxlen=2),
        deque(["a", None]),
        Counter({"b": 2, "a": 0}),
        (True, 1, 1.0, "1", None),
        -0.0,
        math.inf,
        Colour.RED,
        b"\x00",
        {("gamma-0", 7): [1, 2]},
        np.float64(1.5),
        np.int64(-3),
    ],
)
def test_containers_and_named_classes_come_back_as_they_were(value: Any) -> None:
    back = travelled(value)
    assert same(back, value) and type(back) is type(value)
    assert getattr(back, "maxlen", 0) == getattr(value, "maxlen", 0)


def test_nan_and_arrays_keep_their_bits_shape_and_type_and_can_be_written() -> None:
    assert math.isnan(travelled(math.nan))
    for array in (
        np.array([[1.5, np.nan], [-np.inf, -0.0]]),
        np.zeros((0, 3), np.int64),
        np.arange(6, dtype=np.uint32).reshape(2, 3).T,
        np.array([True, False]),
        np.array(["a", ""], dtype=object),
    ):
        back = travelled(array)
        assert back.dtype == array.dtype and back.shape == array.shape
        assert back.tobytes() == array.tobytes() if array.dtype != object else back.tolist() == array.tolist()
        back[...] = back


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (object(), "class object has no codec"),
        (Point(object()), "Point.x: class object"),
        (2**63, "x"),
        (frozenset({1}), "frozenset has no codec"),
        (np.array([1j]), "complex128"),
        (np.array([object()], dtype=object), "other than texts"),
        (type("Odd", (dict,), {})(), "mapping of class Odd"),
        (type("Odd", (list,), {})([1]), "container of class Odd"),
    ],
)
def test_what_nobody_named_is_refused_when_it_is_written(value: Any, reason: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        CODEC.fields_to_pb(Point(value), ["x"])
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "message",
    [
        pb.Value(object=pb.Object(kind="os.system")),
        pb.Value(object=pb.Object(kind="Point", fields=[pb.Field(name="y")])),
        pb.Value(encoded=pb.Encoded(kind="enum Colour", data=b"BLUE")),
        pb.Value(encoded=pb.Encoded(kind="Popen")),
        pb.Value(column=pb.Column(dtype="|O", shape=[1], data=bytes(8))),
        pb.Value(column=pb.Column(dtype="<f8", shape=[2], data=bytes(8))),
        pb.Value(items=pb.Items(kind="range")),
        pb.Value(pairs=pb.Pairs(kind="dict", keys=pb.Items(kind="list", texts=["a"]), values=pb.Items(kind="list"))),
    ],
)
def test_what_nobody_named_is_refused_when_it_is_read(message: pb.Value) -> None:
    with pytest.raises(Refused):
        CODEC.from_pb(message)
