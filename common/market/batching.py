"""Rows of real quotes into batches: one per underlying and instant, in order of time.

*Tested by* tests/properties/test_market_batching.py, tests/golden/test_market_es_options.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from common.messages import I32, I64, U32, Header, QuoteBatch
from common.subjects import feed_source
from common.units import NS_PER_S
from common.universe import Universe


@dataclass(frozen=True)
class Quotes:
    """Quotes (r,) in order of time: event time (UTC ns), universe row, ticks (``NO_PRICE``: absent), lots."""

    time_ns: I64
    instrument: U32
    bid_ticks: I32
    ask_ticks: I32
    bid_size_lots: I32
    ask_size_lots: I32

    def ordered(self, universe: Universe) -> Quotes:
        """The same rows by time, underlying and instrument; equal keys keep their order."""
        by = np.lexsort((self.instrument, universe.underlying[self.instrument], self.time_ns))
        return Quotes(
            self.time_ns[by],
            self.instrument[by],
            self.bid_ticks[by],
            self.ask_ticks[by],
            self.bid_size_lots[by],
            self.ask_size_lots[by],
        )


def batches_of(quotes: Quotes, universe: Universe) -> Iterator[QuoteBatch]:
    """One batch per instant and underlying of ordered quotes; sequences per source from 1."""
    underlying = universe.underlying[quotes.instrument]
    changes = (np.diff(quotes.time_ns) != 0) | (np.diff(underlying) != 0)
    starts = np.concatenate([[0], np.flatnonzero(changes) + 1, [len(quotes.time_ns)]])
    sequence = dict.fromkeys(universe.symbols, 0)
    for first, last in pairwise(starts):
        symbol = universe.symbols[underlying[first]]
        sequence[symbol] += 1
        rows = slice(first, last)
        yield QuoteBatch(
            Header(feed_source(symbol), sequence[symbol], int(quotes.time_ns[first])),
            quotes.instrument[rows],
            quotes.bid_ticks[rows],
            quotes.ask_ticks[rows],
            quotes.bid_size_lots[rows],
            quotes.ask_size_lots[rows],
        )


def sessions_of(time_ns: I64, gap_s: int) -> tuple[tuple[int, int], ...]:
    """First and last instant of each stretch of times (r,), ascending, without a silence longer than ``gap_s``."""
    times = np.unique(time_ns)
    cut = np.flatnonzero(np.diff(times) > gap_s * NS_PER_S)
    opens, closes = times[np.append(0, cut + 1)], times[np.append(cut, len(times) - 1)]
    return tuple((int(a), int(b)) for a, b in zip(opens, closes, strict=True))
