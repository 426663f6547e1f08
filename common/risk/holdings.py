"""A book as scenarios see it: what each row's price depends on, and what a point of it is worth in USD.

*Units.* ``usd_per_point`` is signed lots × multiplier × FX rate, so that a row is worth ``usd_per_point`` × price; a row
quoted in the coin (`layout.INVERSE`, `layout.INVERSE_FUTURE`) is worth that many coins, times ``base`` USD.
*Smile dynamics.* A skew-stickiness ratio R says how volatility follows the spot: a strike K read after a move from S to
S' has the volatility that stood at K (S/S')^(1-R). R = 1 is sticky strike, R = 0 sticky moneyness, and the at-the-money
volatility moves by R × skew per unit of ln S: the convention of ``common/surfaces/dynamics.py``.
*Tested by* tests/unit/test_risk_scenarios.py, tests/properties/test_risk_scenarios.py.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from common.kernels import layout
from common.messages import F64, I64
from common.risk.columns import Columns

Rows = NDArray[np.intp]
Bools = NDArray[np.bool_]


class Smile(Protocol):
    """Where volatilities are read off again when the spot moves and the smile does not stay at its strikes."""

    def vol(self, rows: Rows, log_shift: F64) -> F64:
        """Volatility (n,) per √year of the given rows of the book, read at strike × exp(-log_shift), (n,)."""
        ...


@dataclass(frozen=True)
class Holdings:
    """n rows; ``underlying`` (n,) points into ``symbols``. ``smile`` is needed for anything but sticky strike.

    ``smile_row`` (n,): the row by which ``smile`` knows each row (the position it was built with).
    """

    columns: Columns
    usd_per_point: F64
    underlying: I64
    symbols: tuple[str, ...]
    smile: Smile | None = None
    smile_row: Rows | None = None

    def __post_init__(self) -> None:
        n = len(self.columns)
        if not len(self.usd_per_point) == len(self.underlying) == n:
            raise ValueError(f"{n} columns, {len(self.usd_per_point)} quantities, {len(self.underlying)} underlyings")
        if n and not 0 <= int(self.underlying.min()) <= int(self.underlying.max()) < len(self.symbols):
            raise ValueError(f"an underlying outside the {len(self.symbols)} symbols")

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def rows_of_smile(self) -> Rows:
        """Rows (n,) in the terms of ``smile``."""
        return np.arange(len(self)) if self.smile_row is None else self.smile_row

    def take(self, rows: Rows) -> Holdings:
        """The given rows, in that order."""
        return Holdings(
            self.columns.take(rows),
            self.usd_per_point[rows],
            self.underlying[rows],
            self.symbols,
            self.smile,
            self.rows_of_smile[rows],
        )

    def on(self, underlying: int) -> Holdings:
        """The rows on one underlying."""
        return self.take(np.flatnonzero(self.underlying == underlying))

    def priced(self) -> tuple[Holdings, Rows]:
        """What can be valued, and the rows (r,) that cannot because a number they need is NaN."""
        good = usable(self.columns) & np.isfinite(self.usd_per_point)
        return self.take(np.flatnonzero(good)), np.flatnonzero(~good)


def is_option(columns: Columns) -> Bools:
    """True (n,) where strike, time, volatility and right are read."""
    return np.isin(columns.model, (layout.SPOT, layout.FUTURE, layout.INVERSE_FUTURE), invert=True)


def in_coin(columns: Columns) -> Bools:
    """True (n,) where the price is in the coin, so that ``base`` turns it into USD."""
    return np.isin(columns.model, (layout.INVERSE, layout.INVERSE_FUTURE))


def usable(columns: Columns) -> Bools:
    """True (n,) where every number the row's model reads is finite."""
    option = is_option(columns)
    good = np.isfinite(columns.base)
    for field in fields(Columns):
        if field.name not in ("model", "base"):
            good &= np.isfinite(getattr(columns, field.name)) | ~option
    return good
