from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.bus.framing import next_number, pack, unpack
from common.errors import Refused


@given(st.integers(1, 2**63), st.lists(st.binary(max_size=200), max_size=20))
def test_what_is_packed_is_unpacked(first, entries):
    data = pack(first, entries)
    assert unpack(data) == (first, entries)
    assert next_number(data) == first + len(entries)


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=5), st.data())
def test_a_torn_message_is_refused(entries, data):
    whole = pack(1, entries)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(Refused):
        unpack(whole[:cut])
    with pytest.raises(Refused):
        unpack(whole + b"x")
