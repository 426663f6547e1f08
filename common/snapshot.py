"""The newest quotes, as columns: the data plane's "newest wins" in one place.

One owner per instance. Unusable quotes (crossed, locked, one-sided, empty) are kept as they came but never counted as
usable; a gap in a source's sequence marks the source until a snapshot heals it.
*Tested by* tests/unit/test_snapshot.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from common.errors import Refused
from common.messages import F64, Header, QuoteBatch
from common.units import NO_PRICE, NS_PER_S
from common.universe import Universe

#: The latest market time that is believed (year 2200): what is added to it (ages, lives) still fits 64 bits.
LATEST_NS = 7_258_118_400 * NS_PER_S


@dataclass(slots=True)
class SourceState:
    """What was last seen of one source."""

    sequence: int = 0
    event_time_ns: int = 0
    gapped: bool = False
    gaps: int = 0


class MarketSnapshot:
    """Quotes (n,) by instrument index. Prices in points are ticks × tick_size; NaN where a side is absent."""

    def __init__(self, universe: Universe) -> None:
        n = len(universe)
        self.universe = universe
        self.bid_ticks = np.full(n, NO_PRICE, np.int32)
        self.ask_ticks = np.full(n, NO_PRICE, np.int32)
        self.bid_size_lots = np.zeros(n, np.int32)
        self.ask_size_lots = np.zeros(n, np.int32)
        self.quote_time_ns = np.zeros(n, np.int64)
        self.sources: dict[str, SourceState] = {}
        self.now_ns = 0
        self.last_header = Header("", 0, 0)
        self.unusable = 0

    def check(self, batch: QuoteBatch) -> QuoteBatch:
        """The batch. Raises ``Refused`` for one that is not of this universe: source, instruments, a time no market has."""
        head, n = batch.header, len(self.universe)
        if head.source.removeprefix("feed.") not in self.universe.symbols or not head.source.startswith("feed."):
            raise Refused(f"quotes from {head.source[:80]!r}, which this universe does not have")
        if len(batch.instrument) and int(batch.instrument.max()) >= n:
            raise Refused(f"quote of instrument {int(batch.instrument.max())}, limit {n - 1}")
        if not 0 <= head.event_time_ns <= LATEST_NS:
            raise Refused(f"quotes of {head.event_time_ns} ns, limit 0 to {LATEST_NS}")
        if (
            len(batch.quote_time_ns)
            and not 0 <= int(batch.quote_time_ns.min()) <= int(batch.quote_time_ns.max()) <= LATEST_NS
        ):
            raise Refused(f"a quote of a time beyond 0 to {LATEST_NS} ns")
        return batch

    def apply(self, batch: QuoteBatch) -> bool:
        """Take a batch in. False if it is old (already seen) and was ignored. A jump in sequence marks a gap."""
        head = batch.header
        source = self.sources.setdefault(head.source, SourceState())
        if not self._advance(source, head, batch.snapshot):
            return False
        at = batch.instrument.astype(np.intp)  # once here, not in each of the five lines below
        self.bid_ticks[at] = batch.bid_ticks
        self.ask_ticks[at] = batch.ask_ticks
        self.bid_size_lots[at] = batch.bid_size_lots
        self.ask_size_lots[at] = batch.ask_size_lots
        self.quote_time_ns[at] = batch.quote_time_ns if len(batch.quote_time_ns) else head.event_time_ns
        usable = _usable(batch.bid_ticks, batch.ask_ticks, batch.bid_size_lots, batch.ask_size_lots)
        self.unusable += int(len(at) - np.count_nonzero(usable))
        self.now_ns = max(self.now_ns, head.event_time_ns)
        self.last_header = head
        return True

    def reprices(self, batch: QuoteBatch) -> bool:
        """Whether a batch, not yet applied, changes more than sizes: a price, a side that comes or goes, or it heals."""
        if batch.snapshot:
            return True
        at = batch.instrument.astype(np.intp)
        same = (self.bid_ticks[at] == batch.bid_ticks) & (self.ask_ticks[at] == batch.ask_ticks)
        same &= (self.bid_size_lots[at] > 0) == (batch.bid_size_lots > 0)
        same &= (self.ask_size_lots[at] > 0) == (batch.ask_size_lots > 0)
        return not bool(same.all())

    def _advance(self, source: SourceState, head: Header, snapshot: bool) -> bool:
        if snapshot:
            if head.sequence < source.sequence:
                return False
            source.gapped = False
        elif head.sequence <= source.sequence:
            return False
        elif head.sequence != source.sequence + 1:
            source.gapped = True
            source.gaps += 1
        source.sequence = head.sequence
        source.event_time_ns = max(source.event_time_ns, head.event_time_ns)
        return True

    def _usable_at(self, at: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
        return _usable(self.bid_ticks[at], self.ask_ticks[at], self.bid_size_lots[at], self.ask_size_lots[at])

    def usable(self) -> NDArray[np.bool_]:
        """True (n,) where both sides stand, uncrossed, with size, and the source has no open gap."""
        ok = self._usable_at(np.arange(len(self.universe), dtype=np.uint32))
        for symbol in self.universe.symbols:
            source = self.sources.get(f"feed.{symbol}")
            if source is None or source.gapped:
                ok[self.universe.rows_of(symbol)] = False
        return ok

    def usable_rows(self, symbol: str) -> NDArray[np.intp]:
        """Rows of one underlying that are ``usable``, ascending."""
        source = self.sources.get(f"feed.{symbol}")
        rows = self.universe.rows_of(symbol)
        return rows[:0] if source is None or source.gapped else rows[self._usable_at(rows)]

    def mid(self) -> F64:
        """Mid in points (n,); NaN where the quote is one-sided or absent."""
        return _mid(self.bid_ticks, self.ask_ticks, self.universe.tick_size)

    def mid_of(self, rows: NDArray[np.intp]) -> F64:
        """Mid (r,) of these rows alone, as ``mid`` has it."""
        return _mid(self.bid_ticks[rows], self.ask_ticks[rows], self.universe.tick_size[rows])

    def seen(self) -> tuple[tuple[str, int], ...]:
        """Last sequence per source, sorted by source."""
        return tuple((name, self.sources[name].sequence) for name in sorted(self.sources))

    def as_batch(self, symbol: str) -> QuoteBatch:
        """Every standing quote of one underlying as a snapshot batch; its sequence is the last one applied."""
        rows = self.universe.rows_of(symbol)
        at = rows[self.quote_time_ns[rows] > 0].astype(np.uint32)
        name = f"feed.{symbol}"
        source = self.sources.get(name, SourceState())
        return QuoteBatch(
            Header(name, source.sequence, source.event_time_ns),
            at,
            self.bid_ticks[at],
            self.ask_ticks[at],
            self.bid_size_lots[at],
            self.ask_size_lots[at],
            self.quote_time_ns[at],
            snapshot=True,
        )


def _usable(
    bid_ticks: NDArray[np.int32],
    ask_ticks: NDArray[np.int32],
    bid_size_lots: NDArray[np.int32],
    ask_size_lots: NDArray[np.int32],
) -> NDArray[np.bool_]:
    """True where both sides stand, uncrossed, with size. ``NO_PRICE`` is below every price."""
    ok: NDArray[np.bool_] = (bid_ticks >= 0) & (bid_ticks < ask_ticks) & (bid_size_lots > 0) & (ask_size_lots > 0)
    return ok


def _mid(bid_ticks: NDArray[np.int32], ask_ticks: NDArray[np.int32], tick_size: F64) -> F64:
    mid = 0.5 * np.add(bid_ticks, ask_ticks, dtype=np.float64) * tick_size
    return np.where(np.minimum(bid_ticks, ask_ticks) > NO_PRICE, mid, np.nan)
