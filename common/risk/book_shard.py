"""The book of one underlying: its positions in blocks, what was prepared for them, and its row of totals.

Each method does the least that its event needs and leaves exactly what a full valuation would leave: a block's results
depend on the block's content alone, and the order of every sum on the layout alone (``book_layout.py``).
*Tested by* tests/unit/test_book_risk_book.py, tests/properties/test_book_risk_events.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.kernels import layout
from common.kernels.book import TICK_GREEKS, add_groups, climb, fold, tick
from common.kernels.book_prepare import RATE, RATIO, TAU, TERMS, YIELD, prepare, weigh
from common.kernels.book_slow import settle_slow, slow_sums
from common.messages import F64, I64
from common.risk.book_layout import Positions, Store
from common.risk.book_taylor import Expansion
from common.risk.buckets import CELLS, SPOT_CELL, buckets_of
from common.risk.columns import Columns
from common.risk.dollars import desk_greeks
from common.risk.evaluate import evaluate

#: ``(expiry_ns (e,), now_ns) -> years (e,)``: ACT/365, or weighted if the volatilities are quoted so.
YearFraction = Callable[[I64, int], F64]

#: Models that no preparation helps: repriced by ``evaluate`` whenever their underlying moves.
GENERAL: Final = (layout.AMERICAN, layout.AMERICAN_FUTURE, layout.INVERSE_FUTURE)
#: No blocks.
NOTHING: Final[I64] = np.empty(0, np.int64)
#: Models whose base is a future or forward of their expiry.
ON_FORWARD: Final = (
    layout.FUTURE,
    layout.BLACK76,
    layout.AMERICAN_FUTURE,
    layout.INVERSE,
    layout.INVERSE_FUTURE,
)


@dataclass(frozen=True)
class Terms:
    """What an expiry of an underlying is priced with, columns (m,): rate and yield per year, continuous.

    ratio: the price of that expiry's future or forward over the price that ticks (1 where that is the future itself, or
    where no row of the expiry stands on a future).
    """

    underlying: I64
    expiry_ns: I64
    rate_per_year: F64
    yield_per_year: F64
    ratio: F64

    def __post_init__(self) -> None:
        lengths = {f.name: len(getattr(self, f.name)) for f in fields(self)}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of different lengths: {lengths}")


class Shard:
    """State of one underlying. ``tree`` is the book's, (2p, CELLS, GREEKS); this shard owns its row ``leaf`` only."""

    def __init__(self, index: int, price: float, fx_usd: float, tree: F64, now_ns: int, years: YearFraction) -> None:
        self.index = index
        self.leaf = len(tree) // 2 + index
        self.price = price
        self.fx_usd = fx_usd
        self.now_ns = now_ns
        self.years = years
        self.tree = tree
        self.row_of: dict[int, int] = {}
        # One column stands for "no expiry", so that a book of spot alone has something to point to.
        self.expiry_ns = np.zeros(1, np.int64)
        self.terms = np.full((TERMS, 1), np.nan)
        self.general_totals = np.zeros((CELLS, layout.GREEKS))
        self.touched = NOTHING
        self.slow_stale = True
        self.greeks_stale = False
        self.expansion: Expansion | None = None

    @property
    def has_price(self) -> bool:
        """Whether the underlying has a price that options can be valued at."""
        return 0.0 < self.price < math.inf

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays of this underlying, its rows of the tree included."""
        own = self.terms.nbytes + self.expiry_ns.nbytes + self.general_totals.nbytes + 2 * self.tree[0].nbytes
        return int(own) + self.fast.nbytes + self.general.nbytes

    def hold(self, held: Positions) -> None:
        """Take ``held`` as everything that is held on this underlying, and value it."""
        spot = held.model == layout.SPOT
        expiry = np.zeros(len(held), np.int64)
        distinct, inverse = np.unique(held.expiry_ns[~spot], return_inverse=True)
        expiry[~spot] = np.array([self.expiry_row(int(e)) for e in distinct], np.int64)[inverse]
        cell = np.full(len(held), SPOT_CELL)
        cell[~spot] = buckets_of(held.expiry_ns[~spot], self.now_ns)
        general = np.isin(held.model, GENERAL)
        fast, slow = np.flatnonzero(~general), np.flatnonzero(general)
        self.fast = Store.build(held.take(fast), expiry[fast], cell[fast], TICK_GREEKS, prepared=True)
        self.general = Store.build(held.take(slow), expiry[slow], cell[slow], layout.GREEKS, prepared=False)
        self.cells = np.bincount(cell, minlength=CELLS) > 0
        self.revalue()

    def positions(self) -> Positions:
        """What is held, cell by cell."""
        return Positions.concatenate([s.positions(self.index, self.expiry_ns) for s in (self.fast, self.general)])

    def expiry_row(self, expiry_ns: int) -> int:
        """Column of an expiry in the terms; a new one has no rate yet, so that nothing on it has a price."""
        row = self.row_of.get(expiry_ns)
        if row is None:
            row = self.row_of[expiry_ns] = len(self.row_of) + 1
            self.expiry_ns = np.append(self.expiry_ns, np.int64(expiry_ns))
            self.terms = np.concatenate([self.terms, np.full((TERMS, 1), np.nan)], axis=1)
            self.terms[TAU] = self.years(self.expiry_ns, self.now_ns)
        return row

    def set_terms(self, expiry_ns: int, rate_per_year: float, yield_per_year: float, ratio: float) -> int:
        """Write the terms of one expiry down; its column."""
        row = self.expiry_row(expiry_ns)
        self.terms[RATE, row], self.terms[YIELD, row], self.terms[RATIO, row] = rate_per_year, yield_per_year, ratio
        return row

    def clock(self, now_ns: int) -> None:
        """Move the time; lay the blocks out again if an expiry has changed its bucket."""
        known = self.expiry_ns[1:]
        moved = bool((buckets_of(known, self.now_ns) != buckets_of(known, now_ns)).any())
        self.now_ns = now_ns
        self.terms[TAU] = self.years(self.expiry_ns, now_ns)
        if moved:
            self.hold(self.positions())
        else:
            self.revalue()

    def revalue(self) -> None:
        """Everything from the contracts and the market: prepare, weigh, price and sum every block."""
        self.prepare(self.fast.blocks)
        self.weigh(self.fast, self.fast.blocks)
        self.reprice()

    def prepare(self, blocks: I64) -> None:
        """Prepare the given blocks of what can be prepared."""
        f = self.fast
        prepare(blocks, f.model, f.expiry, f.right, f.strike, f.vol, self.terms, f.prepared, f.priced)

    def weigh(self, store: Store, blocks: I64) -> None:
        """Weights of the given blocks, from lots, multipliers and FX."""
        weigh(blocks, store.lots, store.multiplier, self.fx_usd, store.priced, store.weight, store.hole)

    def reprice(self) -> None:
        """Every block at the price that stands, and the totals."""
        self.touched = self.fast.blocks
        if self.has_price:
            self.price_general(self.general.blocks)
        self.settle()

    def reprice_blocks(self, store: Store, blocks: I64) -> None:
        """The given blocks of one store after their volatilities or terms have changed; `settle` finishes it."""
        if store is self.fast:
            self.prepare(blocks)
            self.weigh(store, blocks)
            self.touched = np.union1d(self.touched, blocks)
        elif self.has_price:
            self.price_general(blocks)

    def reweigh(self, store: Store, blocks: I64) -> None:
        """The given blocks of one store after their lots or FX have changed; `settle` finishes it."""
        self.weigh(store, blocks)
        fold(blocks, store.greeks, store.weight, store.sums)
        if store is self.general:
            add_groups(store.sums, store.hole, store.first, self.general_totals)

    def price_general(self, blocks: I64) -> None:
        """Value blocks by ``evaluate``, a block at a time: what a kernel makes of a row may depend on its neighbours."""
        store = self.general
        for b in blocks:
            at = store.lanes(int(b))
            columns = self.columns(store, at)
            greeks = desk_greeks(columns, evaluate(columns), 1.0)
            priced = np.isfinite(greeks).all(axis=0)
            lane = at % store.key.shape[1]
            store.priced[b, lane] = priced
            store.greeks[b][:, lane] = np.where(priced, greeks, 0.0)
        self.reweigh(store, blocks)

    def columns(self, store: Store, at: NDArray[np.intp]) -> Columns:
        """Columns (m,) of the lanes ``at`` of a store at the price that stands."""
        expiry, model = store.expiry.ravel()[at], store.model.ravel()[at]
        tau, rate, income, ratio = (self.terms[row][expiry] for row in (TAU, RATE, YIELD, RATIO))
        base = self.price * np.where(np.isin(model, ON_FORWARD), ratio, 1.0)
        right = store.right.ravel()[at].astype(np.float64)
        return Columns(model, base, store.strike.ravel()[at], tau, store.vol.ravel()[at], rate, income, right)

    def settle(self) -> None:
        """Price what was touched, and bring value, delta, gamma, vega of the totals up to date; the rest is stale then."""
        f = self.fast
        if self.has_price:
            arrays = (f.prepared, f.weight, f.greeks, f.sums, f.hole, f.first, self.general_totals, self.tree)
            tick(self.touched, self.price, *arrays, self.leaf)
        else:
            self.tree[self.leaf] = np.where(self.cells[:, None], np.nan, 0.0)
            climb(self.tree, self.leaf, 0, layout.GREEKS)
        self.touched = NOTHING
        self.slow_stale = self.has_price
        self.greeks_stale = False
        self.expansion = None

    def settle_slow(self) -> None:
        """Theta, rho, vanna, volga and charm of the totals, if anything has moved since they were last summed."""
        if not self.slow_stale:
            return
        f = self.fast
        sums = np.empty((len(f.key), layout.GREEKS - TICK_GREEKS, f.sums.shape[2]))
        slow_sums(self.price, f.prepared, f.weight, f.model, f.expiry, self.terms, sums)
        settle_slow(sums, f.hole, f.first, self.general_totals, self.tree, self.leaf)
        self.slow_stale = False
