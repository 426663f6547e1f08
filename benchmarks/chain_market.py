"""A market whose jumps are worth an order each: two futures that jump to and fro under a book short of options.

Each tick is one batch of one underlying: its future and the options nearest to the money, all repriced. Every
``jump_every``-th tick jumps, far wider than any agent's interval, so the delta leaves it and comes back with the fill;
between jumps the sizes alone change, which nobody answers (a future that moved alone would move every implied volatility,
and with it the Greeks of the whole book). Everything is modelled, no real quote in it.
*Tested by* tests/unit/test_chain_bench.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from common.market.recorded import Recorder
from common.messages import F64, I64, Header, QuoteBatch
from common.subjects import feed_source
from common.units import NS_PER_S
from common.universe import OPTION, Book, Universe
from lab.synthetic import SyntheticMarket, short_book, theoretical

_VOL = 0.2


@dataclass(frozen=True)
class SwingMarket:
    """``ticks`` batches after the opening ones, ``rate`` a market second, future at its start × (1 ± ``swing``).

    ``quotes``: instruments in a tick, the future included.
    """

    ticks: int
    rate: float
    jump_every: int = 8
    swing: float = 0.004
    quotes: int = 21
    quiet_s: float = 3.0
    base: SyntheticMarket = field(default_factory=lambda: SyntheticMarket(strikes=8))

    @property
    def universe(self) -> Universe:
        """That of the synthetic market."""
        return self.base.universe

    @property
    def statements(self) -> tuple[str, ...]:
        """Nothing is real."""
        return ("Everything is modelled: a market that jumps at every tick, for the bench of the chain.",)

    @property
    def session_bounds_ns(self) -> tuple[tuple[int, int], ...]:
        """One session that holds every tick."""
        opens = self.base.session_bounds_ns[0][0]
        return ((opens, opens + int((self.quiet_s + self.ticks / self.rate + 60.0) * NS_PER_S)),)

    @cached_property
    def _rows(self) -> tuple[I64, ...]:
        """Of each underlying the rows of a tick: the future first, then what is nearest to the money."""
        out = []
        for k, symbol in enumerate(self.base.symbols):
            rows = self.universe.rows_of(symbol)
            options = rows[self.universe.kind[rows] == OPTION]
            near = np.argsort(np.abs(np.log(self.universe.strike[options] / self._start(k))), kind="stable")
            out.append(np.concatenate([rows[:1], np.sort(options[near[: self.quotes - 1]])]).astype(np.int64))
        return tuple(out)

    def _start(self, k: int) -> float:
        rows = self.universe.rows_of(self.base.symbols[k])
        return float(np.median(self.universe.strike[rows][1:]))

    def batches(self) -> Iterator[QuoteBatch]:
        """Whole chains first, then after ``quiet_s`` one jump a tick, the underlyings in turn."""
        sequence = [0] * len(self.base.symbols)
        opens = self.session_bounds_ns[0][0]
        chains = [self._quotes(k, self.universe.rows_of(s), 1.0) for k, s in enumerate(self.base.symbols)]
        sides = [
            [self._quotes(k, rows, 1.0 + side * self.swing) for side in (1, -1)] for k, rows in enumerate(self._rows)
        ]
        for k, columns in enumerate(chains):
            sequence[k] += 1
            yield self._batch(k, sequence[k], opens, columns)
        begins = opens + int(self.quiet_s * NS_PER_S)
        for tick in range(self.ticks):
            k, jumps = tick // self.jump_every % len(sides), tick // (self.jump_every * len(sides))
            sequence[k] += 1
            now = begins + round(tick * NS_PER_S / self.rate)
            rows, bid, ask, size = sides[k][jumps % 2]
            yield self._batch(k, sequence[k], now, (rows, bid, ask, size + tick % self.jump_every % 2))

    def jumps(self, batch: QuoteBatch) -> bool:
        """Whether this batch of ``batches`` is a jump."""
        passed = batch.header.event_time_ns - self.session_bounds_ns[0][0] - int(self.quiet_s * NS_PER_S)
        return passed >= 0 and round(passed * self.rate / NS_PER_S) % self.jump_every == 0

    def _quotes(self, k: int, rows: I64, level: float) -> tuple[I64, I64, I64, I64]:
        universe, symbol = self.universe, self.base.symbols[k]
        every = universe.rows_of(symbol)
        opens = self.base.session_bounds_ns[0][0]
        mid: F64 = theoretical(universe, k, opens, self._start(k) * level, _VOL)[0][np.searchsorted(every, rows)]
        tick, option = universe.tick_size[rows], universe.kind[rows] == OPTION
        half = np.where(option, np.maximum(0.005 * mid, 0.5 * tick), 0.5 * tick)
        bid = np.maximum(np.floor((mid - half) / tick + 0.5), 1).astype(np.int64)
        ask = np.maximum(np.ceil((mid + half) / tick - 0.5), bid + 1).astype(np.int64)
        return rows.astype(np.int64), bid, ask, np.where(option, 50, 400).astype(np.int64)

    def _batch(self, k: int, sequence: int, now_ns: int, columns: tuple[I64, I64, I64, I64]) -> QuoteBatch:
        rows, bid, ask, size = columns
        lots = size.astype(np.int32)
        head = Header(feed_source(self.base.symbols[k]), sequence, now_ns)
        return QuoteBatch(head, rows.astype(np.uint32), bid.astype(np.int32), ask.astype(np.int32), lots, lots)


def book_of(market: SwingMarket, positions: int = 100) -> Book:
    """A desk short of options, its delta at the open taken out with futures."""
    return short_book(market.base, positions)


def write_recording(path: Path, market: SwingMarket) -> Path:
    """The market as a recording that ``hedgerow live --market`` reads."""
    with Recorder(path, market, book_of(market)) as recorder:
        for batch in market.batches():
            recorder.append(batch)
    return path
