"""Imported trades and live parameters survive the wire exactly, on their own and as journal entries."""

from __future__ import annotations

import pytest
from hedgerow.control.v1 import control_pb2
from hypothesis import given
from hypothesis import strategies as st

from common.control_messages import ImportedTrade, JournalEntry, TradesImported
from common.errors import Refused
from common.messages import AgentParameters, Header
from common.wire import codec
from common.wire.steering_codec import parameters_to_pb, trades_from_pb, trades_to_pb

texts = st.text(max_size=12)
numbers = st.floats(allow_nan=False)
whole = st.integers(-(2**63), 2**63 - 1)
trades = st.builds(ImportedTrade, texts, texts, st.integers(0, 2**32 - 1), whole, numbers, whole, texts, texts)
headers = st.builds(Header, st.text(min_size=1, max_size=12), st.integers(0, 2**63 - 1), whole, whole, texts)
versions = st.integers(0, 2**63 - 1)
parameters = st.builds(
    AgentParameters,
    headers,
    versions,
    st.dictionaries(texts, numbers, max_size=5),
    texts,
    numbers,
    numbers,
    versions,
    texts,
    texts,
)
seen = st.lists(st.tuples(texts, versions), max_size=3).map(tuple)
finite = st.floats(allow_nan=False, allow_infinity=False)
marks = st.lists(st.tuples(st.integers(0, 2**32 - 1), finite), max_size=5).map(tuple)
told = st.builds(TradesImported, texts, st.lists(trades, max_size=5).map(tuple), seen, marks)
events = st.one_of(told, parameters)


@given(events, headers)
def test_a_journal_entry_comes_back_equal(event: TradesImported | AgentParameters, market: Header) -> None:
    entry = JournalEntry(3, 1, 5, 7, event, market)
    assert codec.decode_journal_entry(codec.encode_journal_entry(entry)) == entry


@given(parameters)
def test_parameters_come_back_equal_in_their_order(update: AgentParameters) -> None:
    back = codec.decode_agent_parameters(codec.encode_agent_parameters(update))
    assert back == update and list(back.values) == list(update.values)


def test_a_parameter_that_occurs_twice_is_refused() -> None:
    update = AgentParameters(Header("manager", 1, 0), 1, {"a": 1.0}, "a", 0.0, 1.0, 0, "w", "y")
    message = parameters_to_pb(update)
    message.path.append("a")
    message.value.append(2.0)
    with pytest.raises(Refused, match="twice"):
        codec.decode_agent_parameters(message.SerializeToString())


def test_a_mark_that_is_missing_or_none_is_refused() -> None:
    for bad in (
        trades_to_pb(TradesImported("i", (), (), ((3, float("nan")),))),
        control_pb2.TradesImported(mark=b"12345678"),
    ):
        with pytest.raises(Refused, match="mark"):
            trades_from_pb(bad)
