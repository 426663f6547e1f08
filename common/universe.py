"""The instruments of a run as columns, one row an instrument; the row number is the instrument's index everywhere.

Built once by the market source, published as reference data, never changed while a run lasts.
*Tested by* tests/unit/test_universe.py, tests/properties/test_wire_round_trip.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from common.messages import F64, I64, U8, U32

FUTURE = 0
OPTION = 1
EUROPEAN = 0
AMERICAN = 1


@dataclass(frozen=True, slots=True)
class Underlying:
    """How forwards follow from the future: F(T) = future × exp(carry × (T − T_future)). Rates per year, continuous."""

    symbol: str
    future_instrument: int
    carry_per_year: float
    rate_per_year: float


@dataclass(frozen=True)
class Universe:
    """Columns (n,) per instrument; units in market.proto. ``covariance_daily`` (u, u) of daily log returns is the prior."""

    instrument_id: tuple[str, ...]
    kind: U8
    underlying: NDArray[np.uint16]
    expiry_ns: I64
    strike: F64
    right: NDArray[np.int8]
    style: U8
    multiplier_usd: F64
    tick_size: F64
    fee_cents: I64
    listed: U8
    underlyings: tuple[Underlying, ...]
    covariance_daily: F64
    covariance_source: str = ""

    def __len__(self) -> int:
        return len(self.instrument_id)

    @cached_property
    def index(self) -> dict[str, int]:
        """Instrument id to row."""
        return {name: i for i, name in enumerate(self.instrument_id)}

    @cached_property
    def symbols(self) -> tuple[str, ...]:
        """Symbols of the underlyings, in index order."""
        return tuple(u.symbol for u in self.underlyings)

    def underlying_index(self, symbol: str) -> int:
        """Row of an underlying. Raises ``KeyError`` with the known symbols if there is none."""
        try:
            return self.symbols.index(symbol)
        except ValueError:
            raise KeyError(f"no underlying {symbol!r}; known: {', '.join(self.symbols)}") from None

    def rows_of(self, symbol: str) -> NDArray[np.intp]:
        """Rows of every instrument on one underlying, ascending."""
        return np.flatnonzero(self.underlying == self.underlying_index(symbol))


@dataclass(frozen=True)
class Book:
    """What the desk holds at the open: account per row, instrument (n,), signed quantity_lots (n,)."""

    book_id: str
    account: tuple[str, ...]
    instrument: U32
    quantity_lots: I64
    average_price: F64 = field(default_factory=lambda: np.empty(0))

    def net_lots(self, instruments: int) -> I64:
        """Signed lots per instrument, shape (instruments,); exact integers."""
        out = np.zeros(instruments, np.int64)
        np.add.at(out, self.instrument.astype(np.intp), self.quantity_lots)
        return out
