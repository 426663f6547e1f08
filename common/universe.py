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
    #: (UTC ns, row): from then on this future is the front, and positions in those before it are held in it; ascending.
    rolls: tuple[tuple[int, int], ...] = ()

    def front(self, now_ns: int) -> int:
        """Row of the future that hedges it and from which its forwards follow now; -1 without one."""
        at = self.future_instrument
        for from_ns, row in self.rolls:
            if from_ns > now_ns:
                break
            at = row
        return at


@dataclass(frozen=True)
class Universe:
    """Columns (n,) per instrument; units in market.proto. ``covariance_daily`` (u, u) of daily log returns is the prior.

    Columns are read-only here however they came about, so that kernels are compiled for one form of them.
    """

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

    def __post_init__(self) -> None:
        for name, column in list(vars(self).items()):
            if isinstance(column, np.ndarray):
                still = column.view()
                still.flags.writeable = False
                object.__setattr__(self, name, still)

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

    @cached_property
    def rolls(self) -> bool:
        """Whether some future is rolled at all."""
        return any(u.rolls for u in self.underlyings)

    def fronts(self, now_ns: int) -> NDArray[np.intp]:
        """Row of each underlying's front future now, (u,); -1 without one."""
        return np.array([u.front(now_ns) for u in self.underlyings], np.intp)

    def underlying_index(self, symbol: str) -> int:
        """Row of an underlying. Raises ``KeyError`` with the known symbols if there is none."""
        try:
            return self.symbols.index(symbol)
        except ValueError:
            raise KeyError(f"no underlying {symbol!r}; known: {', '.join(self.symbols)}") from None

    def rows_of(self, symbol: str) -> NDArray[np.intp]:
        """Rows of every instrument on one underlying, ascending."""
        return np.flatnonzero(self.underlying == self.underlying_index(symbol))


@dataclass(frozen=True, slots=True)
class Desk:
    """A desk: the accounts whose positions are its own, and the legal entity it trades for."""

    name: str
    legal_entity: str
    accounts: tuple[str, ...]


@dataclass(frozen=True)
class Book:
    """What the desks hold at the open: account per row, instrument (n,), signed quantity_lots (n,).

    ``desks`` divides the accounts among several desks that are hedged apart; fewer than two: the whole book is one desk.
    """

    book_id: str
    account: tuple[str, ...]
    instrument: U32
    quantity_lots: I64
    average_price: F64 = field(default_factory=lambda: np.empty(0))
    desks: tuple[Desk, ...] = ()

    @cached_property
    def desk_names(self) -> tuple[str, ...]:
        """Desks in order; ``("",)``, the whole book under no name, where there are fewer than two."""
        return tuple(d.name for d in self.desks) if len(self.desks) > 1 else ("",)

    @cached_property
    def desk_of_row(self) -> I64:
        """Desk of each row, (n,). Raises ``KeyError`` on an account in no desk."""
        if len(self.desk_names) == 1:
            return np.zeros(len(self.instrument), np.int64)
        of = {account: d for d, desk in enumerate(self.desks) for account in desk.accounts}
        return np.array([of[account] for account in self.account], np.int64)

    def desk_lots(self, instruments: int) -> I64:
        """Signed lots of each desk per instrument, (desks, instruments); exact integers."""
        out = np.zeros((len(self.desk_names), instruments), np.int64)
        np.add.at(out, (self.desk_of_row, self.instrument.astype(np.intp)), self.quantity_lots)
        return out

    def net_lots(self, instruments: int) -> I64:
        """Signed lots per instrument, shape (instruments,); exact integers."""
        out = np.zeros(instruments, np.int64)
        np.add.at(out, self.instrument.astype(np.intp), self.quantity_lots)
        return out
