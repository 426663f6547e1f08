"""The quotes of a close, kept until the day is struck: what comes after it must not price it.

Each underlying is kept for itself, before the first of its batches that is later than the close, so the result depends on each
source alone and not on how sources interleave.
*Tested by* tests/unit/test_manager_strike.py.
"""

from __future__ import annotations

from dataclasses import replace

from common.snapshot import MarketSnapshot, SourceState
from common.subjects import feed_source
from common.universe import Universe


class ClosingQuotes:
    """Quotes as they stood at ``at_ns`` (UTC ns), of the underlyings kept so far."""

    def __init__(self, universe: Universe, at_ns: int) -> None:
        self.at_ns = at_ns
        self.market = MarketSnapshot(universe)
        self.kept: set[str] = set()

    def keep(self, symbol: str, market: MarketSnapshot) -> None:
        """Copy what stands of one underlying; nothing where that was done before, or where it is later than the close."""
        source = market.sources.get(feed_source(symbol))
        if symbol in self.kept or source is None or source.event_time_ns > self.at_ns:
            return
        self._copy(symbol, market, source)

    def take_late(self, symbol: str, market: MarketSnapshot) -> None:
        """Copy what stands, though it is later than the close: nobody here saw what stood then."""
        if symbol not in self.kept and (source := market.sources.get(feed_source(symbol))) is not None:
            self._copy(symbol, market, source)

    def _copy(self, symbol: str, market: MarketSnapshot, source: SourceState) -> None:
        rows, mine = market.universe.rows_of(symbol), self.market
        mine.bid_ticks[rows], mine.ask_ticks[rows] = market.bid_ticks[rows], market.ask_ticks[rows]
        mine.bid_size_lots[rows], mine.ask_size_lots[rows] = market.bid_size_lots[rows], market.ask_size_lots[rows]
        mine.sources[feed_source(symbol)] = replace(source)
        self.kept.add(symbol)

    def forget(self, symbols: tuple[str, ...]) -> None:
        """Of a leader that had not seen the close: what a replay kept of these underlyings is not what it had."""
        self.kept -= set(symbols)
