"""The market as the paper venue sees it: standing quotes, what was taken of them, and how far own trades moved them.

Rules
- What was taken from a side is gone until that side's price or size is quoted anew.
- With ``refill_half_life_ms`` it comes back only with time as well, whatever is quoted meanwhile: of L lots taken, L / 2 are
  still missing one half-life later (market time), rounded up. A newer quote never brings back more than it shows.
- With ``impact_ticks_per_100_lots`` every net lot bought moves the ask up for later buys, every net lot sold the bid down for
  later sells, linearly and for good, in whole ticks rounded down. A move in an order's favour is not given: no order ever
  trades at a better price than the quote.
*Tested by* tests/unit/test_execution_paper_market.py, tests/properties/test_execution_paper.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from common.messages import QuoteBatch, Side
from common.snapshot import SourceState
from common.subjects import feed_source
from common.units import NO_PRICE, NS_PER_MS
from common.universe import Universe
from execution.config import PaperConfig


class Touch(NamedTuple):
    """Best bid and ask of an instrument in ticks (``NO_PRICE`` where absent) and their sizes in lots."""

    bid_ticks: int
    ask_ticks: int
    bid_lots: int
    ask_lots: int

    @property
    def crossed(self) -> bool:
        """Locked or crossed; without an ask a bid may still be hit."""
        return self.ask_ticks != NO_PRICE and self.bid_ticks >= self.ask_ticks

    def near(self, side: Side) -> tuple[int, int]:
        """Price and size of the side on which an order of ``side`` rests."""
        return (self.bid_ticks, self.bid_lots) if side is Side.BUY else (self.ask_ticks, self.ask_lots)

    def far(self, side: Side) -> tuple[int, int]:
        """Price and size that an aggressor of ``side`` meets."""
        return (self.ask_ticks, self.ask_lots) if side is Side.BUY else (self.bid_ticks, self.bid_lots)


@dataclass(slots=True)
class _Taken:
    """Lots taken of one side: of the quote that stands, and what has not come back yet at ``at_ns``."""

    of_quote_lots: int = 0
    missing_lots: float = 0.0
    at_ns: int = 0


class PaperMarket:
    """Owns the quotes. Times are market time, ns."""

    def __init__(self, universe: Universe, config: PaperConfig) -> None:
        n = len(universe)
        self._half_life_ns = round(config.refill_half_life_ms * NS_PER_MS)
        self._impact = config.impact_ticks_per_100_lots / 100.0
        self._bid_ticks = np.full(n, NO_PRICE, np.int32)
        self._ask_ticks = np.full(n, NO_PRICE, np.int32)
        self._bid_lots = np.zeros(n, np.int32)
        self._ask_lots = np.zeros(n, np.int32)
        self._taken: dict[tuple[int, Side], _Taken] = {}
        self._net_lots: dict[int, int] = {}
        self._sources: dict[str, SourceState] = {}
        symbols = [feed_source(u.symbol) for u in universe.underlyings]
        self._source_of = [symbols[k] for k in universe.underlying.tolist()]

    def gapped(self, source: str) -> bool:
        """True while a source has a gap: its instruments do not trade."""
        seen = self._sources.get(source)
        return seen is not None and seen.gapped

    def take(self, batch: QuoteBatch) -> bool:
        """Apply a batch; False if it is older than what stands."""
        source = self._sources.setdefault(batch.header.source, SourceState())
        sequence = batch.header.sequence
        if sequence < source.sequence or (sequence == source.sequence and not batch.snapshot):
            return False
        source.gapped = not batch.snapshot and (source.gapped or sequence != source.sequence + 1)
        source.sequence = sequence
        at = batch.instrument
        named = set(at.tolist())
        before = [(key, self.touch(key[0]).far(key[1])) for key in self._taken if key[0] in named]
        self._bid_ticks[at] = batch.bid_ticks
        self._ask_ticks[at] = batch.ask_ticks
        self._bid_lots[at] = batch.bid_size_lots
        self._ask_lots[at] = batch.ask_size_lots
        for key, quoted in before:
            if self.touch(key[0]).far(key[1]) != quoted:
                self._quoted_anew(key)
        return True

    def _quoted_anew(self, key: tuple[int, Side]) -> None:
        if self._half_life_ns:
            self._taken[key].of_quote_lots = 0
        else:
            del self._taken[key]

    def touch(self, instrument: int) -> Touch:
        """What is quoted."""
        return Touch(
            self._bid_ticks.item(instrument),
            self._ask_ticks.item(instrument),
            self._bid_lots.item(instrument),
            self._ask_lots.item(instrument),
        )

    def trades(self, instrument: int) -> bool:
        """Whether the quote of an instrument may be believed: its source is known and whole, bid and ask do not cross."""
        source = self._sources.get(self._source_of[instrument])
        return source is not None and not source.gapped and not self.touch(instrument).crossed

    def offer(self, instrument: int, side: Side, now_ns: int) -> tuple[int, int]:
        """Price, moved by own trades, and lots that an aggressor of ``side`` can still have; ``NO_PRICE`` and 0 if none."""
        price, lots = self.touch(instrument).far(side)
        if price == NO_PRICE or not self.trades(instrument):
            return NO_PRICE, 0
        taken = self._taken.get((instrument, side))
        if taken is not None:
            lots -= max(taken.of_quote_lots, self._missing(taken, now_ns))
        moved = int(self._impact * max(side.sign * self._net_lots.get(instrument, 0), 0))
        return price + side.sign * moved, max(lots, 0)

    def took(self, instrument: int, side: Side, lots: int, now_ns: int) -> None:
        """An order of ``side`` has taken lots from the far side."""
        taken = self._taken.setdefault((instrument, side), _Taken())
        taken.missing_lots = self._left(taken, now_ns) + lots
        taken.at_ns = now_ns
        taken.of_quote_lots += lots

    def traded(self, instrument: int, side: Side, lots: int) -> None:
        """An own aggressor has traded: the permanent impact grows."""
        self._net_lots[instrument] = self._net_lots.get(instrument, 0) + side.sign * lots

    def _left(self, taken: _Taken, now_ns: int) -> float:
        if not self._half_life_ns:
            return 0.0
        return taken.missing_lots * math.pow(2.0, -(now_ns - taken.at_ns) / self._half_life_ns)

    def _missing(self, taken: _Taken, now_ns: int) -> int:
        return math.ceil(self._left(taken, now_ns) - 1e-9)
