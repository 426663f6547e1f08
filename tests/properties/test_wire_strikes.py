"""Any struck day survives the wire, NaN and all; a column of another length is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.control_messages import DayStruck, JournalEntry
from common.errors import Refused
from common.messages import Header
from common.wire import codec
from common.wire.strike_codec import struck_from_pb, struck_to_pb

USD = st.floats(width=64, allow_infinity=False)


@given(
    st.integers(0, 40_000),
    st.integers(0, 2**62),
    st.lists(st.tuples(st.integers(0, 2**32 - 1), USD), max_size=5),
    st.lists(st.tuples(st.text(max_size=5), USD, USD), min_size=1, max_size=4),
    st.lists(st.text(max_size=5), max_size=3),
)
def test_round_trip(
    day: int, at_ns: int, held: list[tuple[int, float]], desks: list[tuple[str, float, float]], late: list[str]
) -> None:
    event = DayStruck(
        day,
        at_ns,
        (("feed.SPX", 7),),
        np.array([i for i, _ in held], np.uint32),
        np.array([x for _, x in held], np.float64),
        tuple(name for name, _, _ in desks),
        np.array([x for _, x, _ in desks]),
        np.array([x for _, _, x in desks]),
        tuple(late),
    )
    data = codec.encode_journal_entry(JournalEntry(1, 1, at_ns, 0, event, Header("feed.SPX", 1, 1)))
    found = codec.decode_journal_entry(data).event
    assert isinstance(found, DayStruck)
    for name in ("day", "at_ns", "market_seen", "desk", "late"):
        assert getattr(found, name) == getattr(event, name)
    for name in ("instrument", "mark", "level_usd", "pnl_usd"):
        np.testing.assert_array_equal(getattr(found, name), getattr(event, name))


def test_a_column_of_another_length_is_refused() -> None:
    none = np.empty(0)
    pb = struck_to_pb(DayStruck(1, 1, (), np.array([3], np.uint32), none, ("a",), np.ones(1), np.ones(1)))
    with pytest.raises(Refused, match="mark"):
        struck_from_pb(pb)
