"""What a surface is fitted to: the option quotes of one underlying at one moment, and what is known of its forwards.

*Tested by* tests/unit/test_surfaces_filters.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.messages import F64, I64
from common.universe import EUROPEAN

Flags = NDArray[np.bool_]
#: ``last_trade_ns`` of a contract whose last trade is not known.
UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class KnownForward:
    """A forward in points and the discount factor to the expiry of its options, where both are known.

    ``spot``: of the underlying, for American options on it (the yield follows from spot, forward and discount); None:
    the options are exercised into the forward itself, a future.
    """

    forward: float
    discount: float
    spot: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ChainQuotes:
    """Columns (n,), any order. expiry_ns: settlement instant, UTC ns (AM and PM of one date are two expiries).

    strike in points > 0; right +1 call, -1 put; bid, ask in points, NaN where a side is absent; last_trade_ns UTC ns,
    ``UNKNOWN`` where the file does not say. ``style``: EUROPEAN or AMERICAN (common/universe.py). ``known``: forwards
    by expiry; put-call parity gives the others, for European options only. ``tau_years``: weighted years by expiry
    instead of ACT/365. Raises ``ValueError`` for columns of different lengths and for American options without a
    known forward.
    """

    underlying: str
    expiry_ns: I64
    strike: F64
    right: F64
    bid: F64
    ask: F64
    last_trade_ns: I64
    style: int = EUROPEAN
    known: dict[int, KnownForward] = field(default_factory=dict)
    tau_years: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        columns = ("expiry_ns", "strike", "right", "bid", "ask", "last_trade_ns")
        lengths = {name: len(getattr(self, name)) for name in columns}
        if len(set(lengths.values())) > 1:
            raise ValueError(f"columns of different lengths: {lengths}")
        if self.style != EUROPEAN:
            bare = sorted({int(e) for e in np.unique(self.expiry_ns)} - set(self.known))
            if bare:
                raise ValueError(
                    f"{self.underlying}: parity is no equation for American options; no forward for {bare}"
                )

    def __len__(self) -> int:
        return len(self.strike)


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How quotes are filtered and slices fitted.

    widest_spread: largest spread as a share of mid. same_day_only: a contract whose last trade is known must have
    traded on the day of the snapshot (New York). vol_noise: noise of a volatility quote at the money that no spread
    shows, per √year. refine: raw SVI after eSSVI. least_pairs: traded parity pairs from which untraded ones are left
    out.
    """

    widest_spread: float = 1.0
    same_day_only: bool = True
    vol_noise: float = 1e-3
    refine: bool = True
    least_pairs: int = 6

    def __post_init__(self) -> None:
        if not (self.widest_spread > 0.0 and self.vol_noise > 0.0 and self.least_pairs >= 2):
            raise ValueError("widest_spread and vol_noise must be positive, least_pairs at least 2")
