"""Framing against Protobuf's own varint and against files that were cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf.internal.encoder import _VarintBytes
from hypothesis import given
from hypothesis import strategies as st

from common.errors import InputError
from common.wire.delimited import frame, read_messages, write_messages


@given(st.integers(0, 70_000))
def test_length_is_protobufs_varint(n: int) -> None:
    assert frame(bytes(n))[: -n or None] == _VarintBytes(n)


def test_round_trip_and_cut_tail(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    messages = [b"", b"a", bytes(127), bytes(128), bytes(20_000)]
    assert write_messages(path, messages) == 5
    assert list(read_messages(path)) == messages
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert list(read_messages(path, cut_ok=True)) == messages[:-1]
    with pytest.raises(InputError, match="message 5"):
        list(read_messages(path))
    path.write_bytes(whole + b"\x80")
    with pytest.raises(InputError, match="inside a length"):
        list(read_messages(path))
    assert list(read_messages(path, cut_ok=True)) == messages


def test_garbage_is_not_a_length(tmp_path: Path) -> None:
    path = tmp_path / "x.bin"
    path.write_bytes(b"\xff" * 40)
    with pytest.raises(InputError):
        list(read_messages(path, cut_ok=True))
