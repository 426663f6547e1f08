"""What the file readers hand on: typed columns, one row a line of the file, every contract once.

Absent numbers are NaN, absent times ``NO_TIME``. Prices stand in the unit of their instrument (points; coin where
``Instrument.inverse``), volatilities per √year as decimals (0.2, never 20), times in ns since 1970 UTC. A crossed,
locked or one-sided quote is well formed: it stays in the table, is counted by ``quote_counts`` and left out by
``two_sided``. *Tested by* tests/unit/test_files_tables.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from common.books import BookRows
from common.calendars.settlement import rule_of, settlement_ns
from common.calendars.zones import zone_of
from common.instruments import NEVER_NS, Instrument
from common.kernels import layout
from common.messages import F64, I64, U8
from common.units import NS_PER_S
from common.universe import AMERICAN, FUTURE

#: Marks an absent time.
NO_TIME = -(2**63)

Rows = NDArray[np.intp]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Source:
    """Where a table came from. ``set_aside``: bad rows written to the quarantine file; ``ignored``: columns not read."""

    path: str
    profile: str
    rows: int
    set_aside: int = 0
    ignored: tuple[str, ...] = ()


def model_of(instrument: Instrument) -> int:
    """The kernel's model (common/kernels/layout.py) of a contract, from its terms alone."""
    if instrument.kind == FUTURE:
        return layout.INVERSE_FUTURE if instrument.inverse else layout.FUTURE
    if instrument.inverse:
        return layout.INVERSE
    if instrument.style == AMERICAN:
        return layout.AMERICAN_FUTURE if instrument.on_future else layout.AMERICAN
    return layout.BLACK76 if instrument.on_future else layout.EUROPEAN


def _settlement_ns(instrument: Instrument) -> int:
    if instrument.expiry_ns == NEVER_NS:
        return NEVER_NS
    local = datetime.fromtimestamp(instrument.expiry_ns // NS_PER_S, zone_of(instrument.zone))
    try:
        return settlement_ns(local.date(), rule_of(local.time(), instrument.zone))
    except ValueError:  # an hour that a contracts file defines, or a year that no calendar knows
        return instrument.expiry_ns


@dataclass(frozen=True)
class Listing:
    """The contracts of a table, each once, in order of first appearance; columns (m,)."""

    instruments: tuple[Instrument, ...]

    def __len__(self) -> int:
        return len(self.instruments)

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """Canonical ids."""
        return tuple(i.id for i in self.instruments)

    @cached_property
    def index(self) -> dict[str, int]:
        """Canonical id to row."""
        return {name: at for at, name in enumerate(self.ids)}

    @cached_property
    def underlyings(self) -> tuple[str, ...]:
        """Underlyings in order of first appearance."""
        return tuple(dict.fromkeys(i.underlying for i in self.instruments))

    @cached_property
    def underlying(self) -> Rows:
        """Row of ``underlyings`` per contract."""
        at = {symbol: row for row, symbol in enumerate(self.underlyings)}
        return np.array([at[i.underlying] for i in self.instruments], np.intp)

    @cached_property
    def settlement_ns(self) -> I64:
        """Settlement instant by the calendars: ``expiry_ns`` with early closes and moved dates (common/calendars)."""
        return np.array([_settlement_ns(i) for i in self.instruments], np.int64)

    @cached_property
    def expiry_ns(self) -> I64:
        """Expiry date at the usual hour of the trading class; ``NEVER_NS`` for a perpetual."""
        return np.array([i.expiry_ns for i in self.instruments], np.int64)

    @cached_property
    def strike(self) -> F64:
        """Strike in points, 0 for a future."""
        return np.array([i.strike for i in self.instruments], np.float64)

    @cached_property
    def right(self) -> F64:
        """+1 call, -1 put, 0 future."""
        return np.array([i.right for i in self.instruments], np.float64)

    @cached_property
    def model(self) -> U8:
        """The kernel's model of each contract."""
        return np.array([model_of(i) for i in self.instruments], np.uint8)

    @cached_property
    def multiplier(self) -> F64:
        """Value of one point of one lot: in ``settlement_currency`` for options, see `Instrument` for inverse futures."""
        return np.array([i.multiplier for i in self.instruments], np.float64)


@dataclass(frozen=True)
class QuoteCounts:
    """How many rows of a table are usable, and why the others are not. The five parts add up to ``rows``."""

    rows: int
    two_sided: int
    locked: int
    crossed: int
    one_sided: int
    empty: int


class _Quoted:
    """Masks over rows with a bid and an ask; an absent side is NaN or 0."""

    bid: F64
    ask: F64

    @cached_property
    def has_bid(self) -> Mask:
        """Rows (r,) with a bid above 0."""
        return np.asarray(self.bid > 0.0)

    @cached_property
    def has_ask(self) -> Mask:
        """Rows (r,) with an ask above 0."""
        return np.asarray(self.ask > 0.0)

    @cached_property
    def crossed(self) -> Mask:
        """Rows (r,) whose bid is above their ask."""
        return np.asarray(self.has_bid & self.has_ask & (self.bid > self.ask))

    @cached_property
    def locked(self) -> Mask:
        """Rows (r,) whose bid is their ask."""
        return np.asarray(self.has_bid & self.has_ask & (self.bid == self.ask))

    @cached_property
    def two_sided(self) -> Mask:
        """Rows (r,) with a bid below an ask: the only ones to fit or trade on."""
        return np.asarray(self.has_bid & self.has_ask & (self.bid < self.ask))

    @cached_property
    def quote_counts(self) -> QuoteCounts:
        """What a person should be told about the quotes of this table."""
        both = self.has_bid & self.has_ask
        empty = ~self.has_bid & ~self.has_ask
        return QuoteCounts(
            len(self.bid),
            int(self.two_sided.sum()),
            int(self.locked.sum()),
            int(self.crossed.sum()),
            int((~both & ~empty).sum()),
            int(empty.sum()),
        )


@dataclass(frozen=True)
class ChainTable(_Quoted):
    """An option chain, r rows on m contracts; futures and perpetuals of the file are rows too.

    ``instrument`` (r,) points into ``listing``; ``line`` (r,) is the line (or parquet row) of the file; ``as_of_ns`` (r,)
    the moment the row describes, ``NO_TIME`` where the file does not say and nobody else did.
    """

    source: Source
    listing: Listing
    instrument: Rows
    line: I64
    as_of_ns: I64
    bid: F64
    ask: F64
    bid_size: F64
    ask_size: F64
    last: F64
    last_trade_ns: I64
    volume: F64
    open_interest: F64
    mark: F64
    vendor_iv: F64
    underlying_price: F64

    def __len__(self) -> int:
        return len(self.instrument)

    @cached_property
    def snapshot_ns(self) -> int:
        """The newest moment in the table; ``NO_TIME`` if it holds none."""
        return int(self.as_of_ns.max()) if len(self) else NO_TIME

    def latest(self, at_ns: int | None = None) -> Rows:
        """Rows (≤ m,) of the newest state of each contract at ``at_ns`` (None: at the end), in listing order."""
        keep = np.arange(len(self)) if at_ns is None else np.flatnonzero(self.as_of_ns <= at_ns)
        return last_rows(self.instrument, self.as_of_ns, keep, len(self.listing))


@dataclass(frozen=True)
class QuoteTable(_Quoted):
    """Top-of-book quotes, r rows on m contracts, in the order of the file.

    ``event_time_ns`` (r,) when the state was known at the source; ``receive_time_ns`` (r,) when a collector saw it.
    """

    source: Source
    listing: Listing
    instrument: Rows
    line: I64
    event_time_ns: I64
    receive_time_ns: I64
    bid: F64
    ask: F64
    bid_size: F64
    ask_size: F64

    def __len__(self) -> int:
        return len(self.instrument)

    def latest(self, at_ns: int | None = None) -> Rows:
        """Rows (≤ m,) of the quote that stands for each contract at ``at_ns`` (None: at the end), in listing order."""
        keep = np.arange(len(self)) if at_ns is None else np.flatnonzero(self.event_time_ns <= at_ns)
        return last_rows(self.instrument, self.event_time_ns, keep, len(self.listing))


def last_rows(instrument: Rows, time_ns: I64, keep: Rows, contracts: int) -> Rows:
    """Of the rows ``keep`` the newest per contract; among equals the one further down. Ascending by contract."""
    order = keep[np.argsort(time_ns[keep], kind="stable")]
    last = np.full(contracts, -1, np.intp)
    last[instrument[order]] = order
    return last[last >= 0]


@dataclass(frozen=True)
class BookTable:
    """A book of r positions on m contracts: signed whole ``quantity_lots`` (r,), ``average_price`` NaN where unknown."""

    source: Source
    book_id: str
    listing: Listing
    instrument: Rows
    line: I64
    account: tuple[str, ...]
    quantity_lots: I64
    average_price: F64
    as_of_ns: I64

    def __len__(self) -> int:
        return len(self.instrument)

    def net_lots(self) -> I64:
        """Signed lots per contract of ``listing``, (m,)."""
        out = np.zeros(len(self.listing), np.int64)
        np.add.at(out, self.instrument, self.quantity_lots)
        return out

    def to_rows(self) -> BookRows:
        """The same book as the agents load it."""
        known = self.as_of_ns != NO_TIME
        stamps = np.datetime_as_string(np.where(known, self.as_of_ns, 0).astype("datetime64[ns]"), unit="us")
        return BookRows(
            self.book_id,
            self.listing.instruments,
            self.account,
            self.instrument.astype(np.uint32),
            self.quantity_lots,
            self.average_price,
            tuple(f"{stamp}+00:00" if has else "" for stamp, has in zip(stamps, known, strict=True)),
        )


@dataclass(frozen=True)
class TradeTable:
    """Trades to import, r rows: signed whole ``quantity_lots`` (+ bought), ``price`` > 0, each ``trade_id`` once.

    ``corrects``, ``cancels``: the trade_id that a row replaces or takes back; empty where it is new.
    """

    source: Source
    listing: Listing
    instrument: Rows
    line: I64
    trade_id: tuple[str, ...]
    account: tuple[str, ...]
    quantity_lots: I64
    price: F64
    trade_time_ns: I64
    corrects: tuple[str, ...]
    cancels: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.instrument)


@dataclass(frozen=True)
class SurfaceTable:
    """Points of volatility surfaces, r rows: a strike of an expiry of an underlying, its volatility, forward, discount.

    ``underlying`` (r,) points into ``underlyings``; ``forward`` and ``discount`` NaN where the file has none.
    """

    source: Source
    underlyings: tuple[str, ...]
    underlying: Rows
    line: I64
    as_of_ns: I64
    expiry_ns: I64
    strike: F64
    vol: F64
    forward: F64
    discount: F64

    def __len__(self) -> int:
        return len(self.strike)
