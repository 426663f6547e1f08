from __future__ import annotations

from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.bus import snapshots
from common.bus.framing import first_number, next_number, pack, unpack
from common.errors import Refused
from common.ports import FoldSnapshot


@given(st.integers(1, 2**63), st.lists(st.binary(max_size=200), max_size=20))
def test_what_is_packed_is_unpacked(first, entries):
    data = pack(first, entries)
    assert unpack(data) == (first, entries)
    assert next_number(data) == first + len(entries)
    assert first_number(data) == first


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=5), st.data())
def test_a_torn_message_is_refused(entries, data):
    whole = pack(1, entries)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Refused):
        unpack(whole[:cut])
    with pytest.raises(Refused):
        unpack(whole + b"x")


@given(st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 300), st.integers(0, 9)), max_size=4), st.randoms())
def test_the_newest_whole_snapshot_is_found_among_torn_ones(wanted, chance):
    """Each (number, bytes, cut): pieces of at most 64 bytes, the last ``cut`` of them never stored."""
    messages, expected = [], None
    with mock.patch.object(snapshots, "PIECE_BYTES", 64):
        for number, size, cut in wanted:
            one = FoldSnapshot(number, 7, chance.randbytes(size))
            pieces = snapshots.split(one)
            messages += pieces[: max(len(pieces) - cut, 0)]
            expected = one if cut == 0 else expected
    assert snapshots.joined(messages) == expected
    assert snapshots.joined([b"not a piece", *messages, b""]) == expected


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_snapshot_with_a_wrong_lost_or_doubled_piece_is_torn(content, data):
    with mock.patch.object(snapshots, "PIECE_BYTES", 64):
        pieces = snapshots.split(FoldSnapshot(9, 7, content))
    at = data.draw(st.integers(0, len(pieces) - 1))
    wrong = pieces[at][:-1] + bytes([pieces[at][-1] ^ 1])
    assert snapshots.joined([*pieces[:at], wrong, *pieces[at + 1 :]]) is None
    assert snapshots.joined(pieces[:at] + pieces[at + 1 :]) is None
    if at:
        assert snapshots.joined([*pieces[:at], pieces[at - 1], *pieces[at:]]) is None
