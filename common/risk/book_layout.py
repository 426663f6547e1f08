"""Where the positions of one underlying lie: blocks of 256, in an order that depends on the contracts alone.

Positions are ordered by cell, then by key, and each cell begins a new group of 16 (``common/kernels/book.py``). The order,
and with it every rounding of every sum, is a function of what is held and of the date, never of the events that led there.
*Tested by* tests/unit/test_book_risk_layout.py, tests/properties/test_book_risk_events.py.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from common.kernels import layout
from common.kernels.book import DEPTH, GROUPS, LANES, PREPARED
from common.kernels.book_prepare import I8
from common.messages import F64, I32, I64, U8
from common.risk.buckets import CELLS

#: Key of a lane without a position.
EMPTY: Final = -1


@dataclass(frozen=True)
class Positions:
    """Contracts held, one row each, columns (n,).

    key >= 0, once per underlying; underlying is an index; model as in ``layout``; expiry_ns UTC (spot: any); strike,
    right (+1 call, -1 put) and vol per √year for options; multiplier in units of the quote currency per point, lots signed
    (0 keeps a contract without a position). vol NaN: not known yet.
    """

    key: I64
    underlying: I64
    model: U8
    expiry_ns: I64
    strike: F64
    right: I8
    vol: F64
    multiplier: F64
    lots: I64

    def __post_init__(self) -> None:
        lengths = {f.name: len(getattr(self, f.name)) for f in fields(self)}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of different lengths: {lengths}")
        if len(self) and int(self.key.min()) < 0:
            raise ValueError("a key is negative")
        if len(self) and int(self.model.max()) >= layout.MODELS:
            raise ValueError(f"unknown model {int(self.model.max())}")

    def __len__(self) -> int:
        return len(self.key)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> Positions:
        """The given rows, in that order."""
        return Positions(*(getattr(self, f.name)[rows] for f in fields(self)))

    @staticmethod
    def concatenate(parts: list[Positions]) -> Positions:
        """All rows of ``parts`` (at least one), in order."""
        return Positions(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Positions)))


@dataclass(slots=True)
class Store:
    """Blocks (b, LANES) of positions that are priced alike; owned and changed by one `Shard`.

    ``rows`` Greeks a position: greeks (b, rows, LANES), sums (b, rows, GROUPS). ``first`` (CELLS + 1,): first group of each
    cell. ``hole`` (b, GROUPS) NaN where a held position has no price. ``sorted_key`` (n,) and ``place`` (n,) find a key.
    ``prepared`` is empty where nothing can be prepared.
    """

    key: I64
    model: U8
    expiry: I32
    strike: F64
    right: I8
    vol: F64
    multiplier: F64
    lots: I64
    priced: U8
    weight: F64
    hole: F64
    prepared: F64
    greeks: F64
    sums: F64
    first: I64
    blocks: I64
    sorted_key: I64
    place: I32

    @classmethod
    def build(cls, held: Positions, expiry: I64, cell: I64, rows: int, *, prepared: bool) -> Store:
        """Lay ``held`` (n,) out; ``expiry`` (n,) points into the underlying's terms, ``cell`` (n,) is each row's cell."""
        order = np.lexsort((held.key, cell))
        counts = np.bincount(cell, minlength=CELLS)
        first = np.concatenate([[0], np.cumsum(-(-counts // DEPTH))]).astype(np.int64)
        rank = np.arange(len(held)) - np.repeat(np.cumsum(counts) - counts, counts)
        group = first[cell[order]] + rank // DEPTH
        at = (group // GROUPS) * LANES + (rank % DEPTH) * GROUPS + group % GROUPS
        b = -(-int(first[-1]) // GROUPS)
        by_key = np.argsort(held.key[order], kind="stable")

        def spread(values: NDArray[Any], empty: float, dtype: type) -> NDArray[Any]:
            out: NDArray[Any] = np.full(b * LANES, empty, dtype)
            out[at] = values[order]
            return out.reshape(b, LANES)

        return cls(
            key=spread(held.key, EMPTY, np.int64),
            model=spread(held.model, layout.SPOT, np.uint8),
            expiry=spread(expiry, 0, np.int32),
            strike=spread(held.strike, 0.0, np.float64),
            right=spread(held.right, 0, np.int8),
            vol=spread(held.vol, np.nan, np.float64),
            multiplier=spread(held.multiplier, 0.0, np.float64),
            lots=spread(held.lots, 0, np.int64),
            priced=np.zeros((b, LANES), np.uint8),
            weight=np.zeros((b, LANES)),
            hole=np.zeros((b, GROUPS)),
            prepared=np.zeros((b, PREPARED, LANES) if prepared else (0, PREPARED, LANES)),
            greeks=np.zeros((b, rows, LANES)),
            sums=np.zeros((b, rows, GROUPS)),
            first=first,
            blocks=np.arange(b),
            sorted_key=held.key[order][by_key],
            place=at[by_key].astype(np.int32),
        )

    def __len__(self) -> int:
        return len(self.place)

    @property
    def nbytes(self) -> int:
        """Bytes of all its arrays."""
        return sum(int(getattr(self, f.name).nbytes) for f in fields(self))

    def find(self, keys: I64) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """Places (m,) of ``keys`` (m,) among the lanes, and which of them are here."""
        if not len(self):
            return np.zeros(len(keys), np.intp), np.zeros(len(keys), np.bool_)
        at = np.minimum(np.searchsorted(self.sorted_key, keys), len(self) - 1)
        return self.place[at].astype(np.intp), self.sorted_key[at] == keys

    def lanes(self, block: int | None = None) -> NDArray[np.intp]:
        """Places of the positions of one block or of all, ascending."""
        if block is None:
            return np.flatnonzero(self.key.ravel() != EMPTY)
        return block * LANES + np.flatnonzero(self.key[block] != EMPTY)

    def positions(self, underlying: int, expiry_ns: I64) -> Positions:
        """What is held, in the order of the lanes; ``expiry_ns`` (e,) of the underlying's terms."""
        at = self.lanes()

        def flat(values: NDArray[Any]) -> NDArray[Any]:
            return values.ravel()[at]

        return Positions(
            flat(self.key),
            np.full(len(at), underlying, np.int64),
            flat(self.model),
            expiry_ns[flat(self.expiry)],
            flat(self.strike),
            flat(self.right),
            flat(self.vol),
            flat(self.multiplier),
            flat(self.lots),
        )
