"""Malformed bytes are refused whole, with the kind of message and the reason."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hedgerow.control.v1 import control_pb2
from hedgerow.hedge.v1 import hedge_pb2
from hedgerow.market.v1 import market_pb2
from hypothesis import given
from hypothesis import strategies as st

from common.errors import Refused
from common.messages import Header, QuoteBatch
from common.wire import codec

#: ``decode_event_of`` also wants to be told which events.
DECODERS = [getattr(codec, n) for n in codec.__all__ if n.startswith("decode_") and n != "decode_event_of"]


def a_batch(n: int = 340) -> QuoteBatch:
    ticks = np.arange(n, dtype=np.int32)
    lots = np.full(n, 30, np.int32)
    return QuoteBatch(Header("feed.SPX", 1, 5, 6), np.arange(n, dtype=np.uint32), ticks, ticks + 1, lots, lots)


@pytest.mark.parametrize("decode", DECODERS)
def test_bytes_that_are_no_message_are_refused_with_the_kind(decode):
    kind = decode.__name__.removeprefix("decode_").replace("_", "")
    with pytest.raises(Refused) as refusal:
        decode(b"\xff\xff\xff")
    assert str(refusal.value).lower().startswith(kind + ":")
    assert "do not decode" in str(refusal.value)


@pytest.mark.parametrize("decode", DECODERS)
@given(data=st.binary(max_size=40))
def test_no_bytes_raise_anything_but_a_refusal(decode, data):
    try:
        decode(data)
    except Refused:
        return


@given(data=st.binary(max_size=40))
def test_who_wants_no_kind_gets_none_or_a_refusal(data):
    try:
        assert codec.decode_event_of(data, ()) is None
    except Refused:
        return


def test_bytes_that_are_no_entry_are_refused_by_who_reads_few_kinds():
    with pytest.raises(Refused, match=r"^JournalEntry: .*do not decode"):
        codec.decode_event_of(b"\xff\xff\xff", ())


HEADER = market_pb2.Header(source="x", sequence=1)


@pytest.mark.parametrize(
    ("decode", "pb", "reason"),
    [
        (codec.decode_quote_batch, market_pb2.QuoteBatch(), "QuoteBatch: no header"),
        (
            codec.decode_quote_batch,
            market_pb2.QuoteBatch(header=HEADER, instrument=b"123"),
            "QuoteBatch: column instrument has 3 bytes, not whole rows of 4",
        ),
        (
            codec.decode_quote_batch,
            market_pb2.QuoteBatch(header=HEADER, instrument=bytes(8), bid_ticks=bytes(4)),
            "QuoteBatch: column bid_ticks has 4 bytes, not 2 rows of 4",
        ),
        (
            codec.decode_quote_batch,
            market_pb2.QuoteBatch(
                header=HEADER,
                instrument=bytes(4),
                **{c: bytes(4) for c in ("bid_ticks", "ask_ticks", "bid_size_lots", "ask_size_lots")},
                quote_time_ns=bytes(16),
            ),
            "QuoteBatch: column quote_time_ns has 16 bytes",
        ),
        (
            codec.decode_universe,
            market_pb2.Universe(instrument_id=["a"], underlying=b"\x01\x00"),
            "Universe: row 0 names underlying 1 of 0",
        ),
        (codec.decode_book, market_pb2.Book(instrument=bytes(4)), "Book: account has 0 items, expected 1"),
        (
            codec.decode_proposal,
            hedge_pb2.Proposal(header=HEADER, factor=["f"], exposure=bytes(16)),
            "Proposal: column exposure has 16 bytes, not 1 rows of 8",
        ),
        (
            codec.decode_assignment_update,
            hedge_pb2.AssignmentUpdate(header=HEADER, key=["k", "k"], owner=["a", "b"]),
            "AssignmentUpdate: a key occurs twice",
        ),
        (codec.decode_command, control_pb2.Command(action="pause"), "Command: no command_id"),
        (codec.decode_journal_entry, control_pb2.JournalEntry(sequence=7), "JournalEntry: entry 7 has no event"),
    ],
)
def test_what_is_wrong_is_said(decode, pb, reason):
    with pytest.raises(Refused) as refusal:
        decode(pb.SerializeToString())
    assert str(refusal.value).startswith(reason)


def test_a_column_that_would_lose_something_is_not_encoded():
    good = a_batch(3)
    bad = QuoteBatch(
        good.header,
        good.instrument,
        good.bid_ticks + 0.5,
        good.ask_ticks,
        good.bid_size_lots,
        good.ask_size_lots,
    )
    with pytest.raises(TypeError):
        codec.encode_quote_batch(bad)
    short = QuoteBatch(good.header, good.instrument, *([good.bid_ticks[:2]] * 2), *([good.bid_size_lots] * 2))
    with pytest.raises(ValueError, match="different length"):
        codec.encode_quote_batch(short)


def test_340_quotes_there_and_back_take_40_us():
    batch = a_batch()
    best_ns = min(_once(batch) for _ in range(2000))
    assert best_ns <= 40_000


def _once(batch: QuoteBatch) -> int:
    begun = time.perf_counter_ns()
    codec.decode_quote_batch(codec.encode_quote_batch(batch))
    return time.perf_counter_ns() - begun
