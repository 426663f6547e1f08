"""Quotes and reference data to bytes and back. Schema: proto/hedgerow/market/v1/market.proto.

``decode_*`` raises ``errors.Refused`` with the kind and the reason; the whole message is refused.
*Tested by* tests/properties/test_wire_round_trip.py, tests/unit/test_wire_refusals.py.
"""

from __future__ import annotations

import numpy as np
from hedgerow.market.v1 import market_pb2 as pb

from common.errors import Refused
from common.messages import QuoteBatch
from common.universe import Book, Desk, Underlying, Universe
from common.wire.columns import (
    F64_LE,
    I8_LE,
    I32_LE,
    I64_LE,
    U8_LE,
    U16_LE,
    U32_LE,
    column,
    column_bytes,
    header_to_pb,
    parse,
    required_header,
    same_length,
)


def encode_quote_batch(batch: QuoteBatch) -> bytes:
    """Bytes of a batch. Raises ``ValueError`` if its columns differ in length: no half batch leaves."""
    n = len(batch.instrument)
    lengths = {len(batch.bid_ticks), len(batch.ask_ticks), len(batch.bid_size_lots), len(batch.ask_size_lots)}
    if lengths != {n} or len(batch.quote_time_ns) not in (0, n):
        raise ValueError(f"quote batch {batch.header.id}: columns of different length")
    return pb.QuoteBatch(
        header=header_to_pb(batch.header),
        instrument=column_bytes(batch.instrument, U32_LE),
        bid_ticks=column_bytes(batch.bid_ticks, I32_LE),
        ask_ticks=column_bytes(batch.ask_ticks, I32_LE),
        bid_size_lots=column_bytes(batch.bid_size_lots, I32_LE),
        ask_size_lots=column_bytes(batch.ask_size_lots, I32_LE),
        quote_time_ns=column_bytes(batch.quote_time_ns, I64_LE),
        snapshot=batch.snapshot,
    ).SerializeToString()


def decode_quote_batch(data: bytes) -> QuoteBatch:
    """A batch; its columns are read-only views of ``data``'s fields."""
    kind = "QuoteBatch"
    m = parse(pb.QuoteBatch(), kind, data)
    header = required_header(kind, m)
    instrument = column(kind, "instrument", m.instrument, U32_LE)
    n = len(instrument)
    times = m.quote_time_ns
    return QuoteBatch(
        header,
        instrument,
        column(kind, "bid_ticks", m.bid_ticks, I32_LE, n),
        column(kind, "ask_ticks", m.ask_ticks, I32_LE, n),
        column(kind, "bid_size_lots", m.bid_size_lots, I32_LE, n),
        column(kind, "ask_size_lots", m.ask_size_lots, I32_LE, n),
        column(kind, "quote_time_ns", times, I64_LE, n if times else 0),
        m.snapshot,
    )


def encode_universe(universe: Universe) -> bytes:
    """Bytes of the table of instruments."""
    return pb.Universe(
        instrument_id=universe.instrument_id,
        kind=column_bytes(universe.kind, U8_LE),
        underlying=column_bytes(universe.underlying, U16_LE),
        expiry_ns=column_bytes(universe.expiry_ns, I64_LE),
        strike=column_bytes(universe.strike, F64_LE),
        right=column_bytes(universe.right, I8_LE),
        style=column_bytes(universe.style, U8_LE),
        multiplier_usd=column_bytes(universe.multiplier_usd, F64_LE),
        tick_size=column_bytes(universe.tick_size, F64_LE),
        fee_cents=column_bytes(universe.fee_cents, I64_LE),
        listed=column_bytes(universe.listed, U8_LE),
        underlyings=[
            pb.Underlying(
                symbol=u.symbol,
                future_instrument=u.future_instrument,
                carry_per_year=u.carry_per_year,
                rate_per_year=u.rate_per_year,
                rolls=[pb.Roll(at_ns=at_ns, instrument=row) for at_ns, row in u.rolls],
            )
            for u in universe.underlyings
        ],
        covariance_daily=column_bytes(universe.covariance_daily, F64_LE),
        covariance_source=universe.covariance_source,
    ).SerializeToString()


def decode_universe(data: bytes) -> Universe:
    """The table of instruments. Ids must be unique and every row must name an underlying that is there."""
    kind = "Universe"
    m = parse(pb.Universe(), kind, data)
    n, u = len(m.instrument_id), len(m.underlyings)
    underlying = column(kind, "underlying", m.underlying, U16_LE, n)
    if n and int(underlying.max()) >= u:
        raise Refused(f"{kind}: row {int(np.argmax(underlying))} names underlying {int(underlying.max())} of {u}")
    if len(set(m.instrument_id)) != n:
        raise Refused(f"{kind}: an instrument id occurs twice")
    wrong = [r.instrument for x in m.underlyings for r in x.rolls if r.instrument >= n]
    if wrong:
        raise Refused(f"{kind}: a roll into instrument {wrong[0]} of {n}")
    return Universe(
        instrument_id=tuple(m.instrument_id),
        kind=column(kind, "kind", m.kind, U8_LE, n),
        underlying=underlying,
        expiry_ns=column(kind, "expiry_ns", m.expiry_ns, I64_LE, n),
        strike=column(kind, "strike", m.strike, F64_LE, n),
        right=column(kind, "right", m.right, I8_LE, n),
        style=column(kind, "style", m.style, U8_LE, n),
        multiplier_usd=column(kind, "multiplier_usd", m.multiplier_usd, F64_LE, n),
        tick_size=column(kind, "tick_size", m.tick_size, F64_LE, n),
        fee_cents=column(kind, "fee_cents", m.fee_cents, I64_LE, n),
        listed=column(kind, "listed", m.listed, U8_LE, n),
        underlyings=tuple(
            Underlying(
                x.symbol,
                x.future_instrument,
                x.carry_per_year,
                x.rate_per_year,
                tuple((r.at_ns, r.instrument) for r in x.rolls),
            )
            for x in m.underlyings
        ),
        covariance_daily=column(kind, "covariance_daily", m.covariance_daily, F64_LE, u * u).reshape(u, u),
        covariance_source=m.covariance_source,
    )


def encode_book(book: Book) -> bytes:
    """Bytes of the opening book."""
    return pb.Book(
        book_id=book.book_id,
        account=book.account,
        instrument=column_bytes(book.instrument, U32_LE),
        quantity_lots=column_bytes(book.quantity_lots, I64_LE),
        average_price=column_bytes(book.average_price, F64_LE),
        desks=[pb.Desk(name=d.name, legal_entity=d.legal_entity, account=d.accounts) for d in book.desks],
    ).SerializeToString()


def decode_book(data: bytes) -> Book:
    """The opening book. Where there are desks, each account of a row belongs to exactly one of them."""
    kind = "Book"
    m = parse(pb.Book(), kind, data)
    instrument = column(kind, "instrument", m.instrument, U32_LE)
    n = len(instrument)
    same_length(kind, "account", len(m.account), n)
    owned = [account for d in m.desks for account in d.account]
    if len(set(owned)) != len(owned) or (m.desks and not set(m.account) <= set(owned)):
        raise Refused(f"{kind}: an account belongs to no desk, or to two")
    return Book(
        m.book_id,
        tuple(m.account),
        instrument,
        column(kind, "quantity_lots", m.quantity_lots, I64_LE, n),
        column(kind, "average_price", m.average_price, F64_LE, n if m.average_price else 0),
        tuple(Desk(d.name, d.legal_entity, tuple(d.account)) for d in m.desks),
    )
