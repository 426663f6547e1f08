"""The risk of a book, kept up to date: an event costs what it touches, and the totals are those of a full valuation.

Totals are kept per underlying and cell (expiry bucket, or spot; ``buckets.py``), in the desk's units (``dollars.py``), and
summed over the firm. After any sequence of ticks, fills, new volatilities, new terms, clock steps and changed contracts they
have the same bits as those of a book built from nothing with the contracts and the market that then stand. Value, delta,
gamma and vega follow each event at once, the other rows when they are read. Layout, bytes, invariants: docs/risk-book.md.

*NaN.* A position without a price (no volatility, no terms, no price of its underlying) makes the totals of its cell NaN, and
with it the firm's: unknown risk is not zero risk. `RiskBook.unpriced` names them. Contracts with 0 lots make none.
*Tested by* tests/unit/test_book_risk_book.py, tests/properties/test_book_risk_events.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from common.kernels.book import TICK_GREEKS, climb, tick
from common.kernels.layout import GREEKS
from common.messages import F64, I64
from common.risk.book_layout import Positions, Store
from common.risk.book_shard import Shard, Terms, YearFraction
from common.risk.book_taylor import Expansion, Taylor
from common.risk.buckets import CELLS
from common.risk.dollars import desk_greeks
from common.risk.evaluate import evaluate
from common.units import NS_PER_YEAR

__all__ = ["Positions", "RiskBook", "Taylor", "Terms", "act365"]


def act365(expiry_ns: I64, now_ns: int) -> F64:
    """Years (e,) from ``now_ns`` to each expiry (e,), both UTC ns: ACT/365 to the nanosecond, negative after expiry."""
    return (expiry_ns - now_ns) / NS_PER_YEAR


class RiskBook:
    """Positions on u underlyings, valued.

    price (u,) of what ticks, NaN if not known yet; fx_usd (u,) USD for one unit of the currency it is quoted in. Exact
    unless ``taylor`` is given (``book_taylor.py``). Raises ``ValueError`` on a repeated key or an underlying outside u, and
    ``KeyError`` for a contract that is not held.
    """

    def __init__(
        self,
        positions: Positions,
        terms: Terms,
        price: F64,
        fx_usd: F64,
        now_ns: int,
        *,
        years: YearFraction = act365,
        taylor: Taylor | None = None,
    ) -> None:
        u = len(price)
        leaves = 1 << max(u - 1, 0).bit_length()
        self._tree = np.zeros((2 * leaves, CELLS, GREEKS))
        self._leaf = leaves
        self._taylor = taylor
        self._shards = [Shard(i, float(price[i]), float(fx_usd[i]), self._tree, now_ns, years) for i in range(u)]
        for i in range(len(terms.underlying)):
            self._shards[int(terms.underlying[i])].set_terms(
                int(terms.expiry_ns[i]),
                float(terms.rate_per_year[i]),
                float(terms.yield_per_year[i]),
                float(terms.ratio[i]),
            )
        by_underlying = self._split(positions)
        for i, shard in enumerate(self._shards):
            shard.hold(by_underlying[i])

    def __len__(self) -> int:
        return sum(len(s.fast) + len(s.general) for s in self._shards)

    # Events. Each leaves value, delta, gamma and vega of the totals up to date.

    def tick(self, underlying: int, price: float) -> None:
        """A new price of what ticks; NaN, or not above 0: its totals are unknown (NaN) until the next good one."""
        shard = self._shards[underlying]
        if len(shard.general) or self._taylor is not None or not 0.0 < price < math.inf:
            self._tick_otherwise(shard, price)
            return
        shard.price = price
        shard.slow_stale = True
        f = shard.fast
        tick(
            f.blocks,
            price,
            f.prepared,
            f.weight,
            f.greeks,
            f.sums,
            f.hole,
            f.first,
            shard.general_totals,
            self._tree,
            shard.leaf,
        )

    def fill(self, underlying: int, key: int, lots: int) -> None:
        """``lots`` more (signed) of a contract that is held. Raises ``KeyError`` if it is not: `add` it."""
        self.fills(underlying, np.array([key]), np.array([lots]))

    def fills(self, underlying: int, keys: I64, lots: I64) -> None:
        """Signed ``lots`` (m,) more of ``keys`` (m,), which may repeat."""
        shard = self._current(underlying)
        for store, at, rows in self._find(shard, keys):
            np.add.at(store.lots.reshape(-1), at, lots[rows])
            shard.reweigh(store, _blocks(at, store))
        shard.settle()

    def set_vols(self, underlying: int, keys: I64, vol: F64) -> None:
        """New volatilities (m,) per √year of ``keys`` (m,); NaN: not known any more."""
        shard = self._current(underlying)
        for store, at, rows in self._find(shard, keys):
            store.vol.reshape(-1)[at] = vol[rows]
            shard.reprice_blocks(store, _blocks(at, store))
        shard.settle()

    def set_terms(self, terms: Terms) -> None:
        """New rates, yields and ratios of some expiries."""
        for u in np.unique(terms.underlying):
            shard = self._current(int(u))
            rows = np.flatnonzero(terms.underlying == u)
            changed = [
                shard.set_terms(
                    int(terms.expiry_ns[i]),
                    float(terms.rate_per_year[i]),
                    float(terms.yield_per_year[i]),
                    float(terms.ratio[i]),
                )
                for i in rows
            ]
            for store in (shard.fast, shard.general):
                touched = np.isin(store.expiry, changed).any(axis=1)
                shard.reprice_blocks(store, np.flatnonzero(touched))
            shard.settle()

    def set_fx(self, underlying: int, fx_usd: float) -> None:
        """USD for one unit of the currency that the underlying is quoted in."""
        shard = self._current(underlying)
        shard.fx_usd = fx_usd
        for store in (shard.fast, shard.general):
            shard.reweigh(store, store.blocks)
        shard.settle()

    def clock(self, now_ns: int) -> None:
        """Move the time of the whole book. Expired options keep their intrinsic value until they are removed."""
        for shard in self._shards:
            shard.clock(now_ns)

    def add(self, positions: Positions) -> None:
        """Hold more contracts. Raises ``ValueError``, nothing changed, if a key is held already."""
        parts = self._split(positions)
        joined = {}
        for i, part in enumerate(parts):
            if len(part):
                both = Positions.concatenate([self._shards[i].positions(), part])
                _refuse_repeated(both)
                joined[i] = both
        for i, both in joined.items():
            self._shards[i].hold(both)

    def remove(self, underlying: int, keys: I64) -> None:
        """Hold contracts no more. Raises ``KeyError``, nothing changed, if one is not held."""
        shard = self._shards[underlying]
        self._find(shard, keys)
        held = shard.positions()
        shard.hold(held.take(np.flatnonzero(~np.isin(held.key, keys))))

    def recompute(self) -> None:
        """Value everything from the contracts and the market, as a new book would; changes no bit of the totals."""
        for shard in self._shards:
            shard.revalue()

    # Answers.

    def totals(self, underlying: int) -> F64:
        """Desk Greeks (CELLS, GREEKS) of one underlying, a copy."""
        self._shards[underlying].settle_slow()
        return np.array(self._tree[self._leaf + underlying])

    def tick_totals(self, underlying: int) -> F64:
        """Value, delta, gamma, vega (CELLS, 4) of one underlying: a view that the next event changes."""
        view: F64 = self._tree[self._leaf + underlying, :, :TICK_GREEKS]
        return view

    def firm(self) -> F64:
        """Desk Greeks (CELLS, GREEKS) summed over the underlyings, a copy."""
        for shard in self._shards:
            shard.settle_slow()
        return np.array(self._tree[1])

    def error(self, underlying: int) -> F64:
        """Bounds (4,) of what `tick_totals`, summed over its cells, is off by; zeros unless a Taylor tick stands."""
        shard = self._shards[underlying]
        if shard.expansion is None or not shard.greeks_stale:
            return np.zeros(TICK_GREEKS)
        return np.array(shard.expansion.error)

    def greeks(self, underlying: int, keys: I64) -> F64:
        """Desk Greeks (GREEKS, m) of one lot of each of ``keys`` (m,); NaN where there is no price."""
        shard = self._shards[underlying]
        out = np.empty((GREEKS, len(keys)))
        for store, at, rows in self._find(shard, keys):
            columns = shard.columns(store, at)
            out[:, rows] = desk_greeks(columns, evaluate(columns), store.multiplier.ravel()[at] * shard.fx_usd)
        return out

    def unpriced(self, underlying: int) -> I64:
        """Keys of held contracts (lots other than 0) that make totals NaN, ascending."""
        shard = self._shards[underlying]
        out = []
        for store in (shard.fast, shard.general):
            held = store.lots != 0
            out.append(store.key[held & (store.priced == 0)] if shard.has_price else store.key[held])
        return np.sort(np.concatenate(out))

    def positions(self, underlying: int) -> Positions:
        """What is held on one underlying, cell by cell, then by key."""
        return self._shards[underlying].positions()

    def shard(self, underlying: int) -> Shard:
        """The state of one underlying, to be read, not changed."""
        return self._shards[underlying]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays of the book."""
        return sum(s.nbytes for s in self._shards)

    # How.

    def _tick_otherwise(self, shard: Shard, price: float) -> None:
        usable = 0.0 < price < math.inf
        expansion, taylor = shard.expansion, self._taylor
        shard.price = price
        if (
            taylor is not None
            and expansion is not None
            and usable
            and expansion.reaches(price)
            and taylor.allows(expansion.expand_to(price, self._tree[shard.leaf]))
        ):
            climb(self._tree, shard.leaf, 0, TICK_GREEKS)
            shard.greeks_stale = shard.slow_stale = True
            return
        shard.reprice()
        if taylor is not None and usable and not len(shard.general):
            shard.expansion = Expansion(shard.fast, price, self._tree[shard.leaf], taylor.span)

    def _current(self, underlying: int) -> Shard:
        """The shard, its Greeks brought up to date if the last tick was an expansion."""
        shard = self._shards[underlying]
        if shard.greeks_stale:
            shard.reprice()
        return shard

    def _find(self, shard: Shard, keys: I64) -> Sequence[tuple[Store, NDArray[np.intp], NDArray[np.intp]]]:
        out = []
        found = 0
        for store in (shard.fast, shard.general):
            at, here = store.find(keys)
            rows = np.flatnonzero(here)
            found += len(rows)
            if len(rows):
                out.append((store, at[rows], rows))
        if found < len(keys):
            known = np.concatenate([s.sorted_key for s in (shard.fast, shard.general)])
            missing = np.setdiff1d(keys, known)[:5].tolist()
            raise KeyError(f"underlying {shard.index} holds no contract {missing}")
        return out

    def _split(self, positions: Positions) -> list[Positions]:
        u = len(self._shards)
        if len(positions) and not 0 <= int(positions.underlying.min()) <= int(positions.underlying.max()) < u:
            raise ValueError(f"an underlying outside the {u} of the book")
        order = np.argsort(positions.underlying, kind="stable")
        edges = np.searchsorted(positions.underlying[order], np.arange(u + 1))
        parts = [positions.take(order[edges[i] : edges[i + 1]]) for i in range(u)]
        for part in parts:
            _refuse_repeated(part)
        return parts


def _refuse_repeated(positions: Positions) -> None:
    keys = np.sort(positions.key)
    repeated = keys[1:][keys[1:] == keys[:-1]]
    if len(repeated):
        raise ValueError(f"contract {int(repeated[0])} is held twice on underlying {int(positions.underlying[0])}")


def _blocks(at: NDArray[np.intp], store: Store) -> I64:
    blocks: I64 = np.unique(at // store.key.shape[1])
    return blocks
