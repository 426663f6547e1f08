"""A synthetic market of two days whose nearest options settle at the first close (PM) or at the second open (AM)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from common.units import NS_PER_DAY, NS_PER_S
from common.universe import AMERICAN, OPTION, Universe
from lab.synthetic import SyntheticMarket


@dataclass(frozen=True)
class ExpiringMarket(SyntheticMarket):
    """``settles``: "pm" or "am". ``delivers``: options are American, of the future's multiplier, and exercised into it."""

    sessions: int = 2
    strikes: int = 6
    session_s: int = 240
    settles: str = "pm"
    delivers: bool = False

    @property
    def settles_ns(self) -> int:
        """The settlement instant of the nearest options."""
        (opens, closes), (second, _) = self.session_bounds_ns[:2]
        assert second == opens + NS_PER_DAY and closes == opens + self.session_s * NS_PER_S
        return closes if self.settles == "pm" else second

    @cached_property
    def universe(self) -> Universe:
        """The synthetic one with other terms."""
        base = SyntheticMarket(self.symbols, strikes=self.strikes).universe
        option = base.kind == OPTION
        first = base.expiry_ns == base.expiry_ns[option].min()
        changed = replace(base, expiry_ns=np.where(first, self.settles_ns, base.expiry_ns))
        if not self.delivers:
            return changed
        style = np.where(option, AMERICAN, base.style).astype(np.uint8)
        multiplier = np.full(len(base), base.multiplier_usd[0])
        return replace(changed, style=style, multiplier_usd=multiplier)

    @property
    def settling(self) -> np.ndarray:
        """Rows that settle, ascending."""
        return np.flatnonzero(self.universe.expiry_ns == self.settles_ns)
