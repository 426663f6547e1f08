"""How good a fit is, in the market's own units: shares of quotes inside bid and ask, half spreads, volatility basis
points.

*Tested by* tests/unit/test_surfaces_fit.py, tests/unit/test_surfaces_stands.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from common.kernels.surface_fit_quotes import prices
from common.messages import F64, I64
from common.surfaces.quotes import FilteredQuotes, volatility
from common.surfaces.surface import Surface
from common.units import NS_PER_S

#: Flags of a slice, bits.
FEW_QUOTES: Final = 1
NOT_REFINED: Final = 2  # eSSVI stands: raw SVI was not free of arbitrage here
HELD_BACK: Final = 4  # raw SVI was followed part of the way
FORWARD_DOUBTED: Final = 8  # see the flags of its forward
OUTSIDE_SPREADS: Final = 16  # fewer than a quarter of the quotes are met within bid and ask
FLAG_NAMES: Final = {1: "few quotes", 2: "eSSVI", 4: "held back", 8: "doubtful forward", 16: "outside spreads"}

NEAR_SD: Final = 2.0
FEW: Final = 5
_VOL_BP: Final = 1e4
#: Half spreads are cut here: quotes of 1e-200 have spreads so thin that squares would overflow.
_FAR: Final = 1e150


@dataclass(frozen=True, slots=True, eq=False)
class Errors:
    """Errors of a surface against quotes (n,): vol_bp model minus mid in basis points of volatility (NaN: none);
    half_spreads the same in price over half the spread; inside: price within bid and ask; near: within two standard
    deviations of the forward."""

    vol_bp: F64
    half_spreads: F64
    inside: np.ndarray[tuple[int], np.dtype[np.bool_]]
    near: np.ndarray[tuple[int], np.dtype[np.bool_]]

    @property
    def rmse_vol_bp(self) -> float:
        """Root mean square within two standard deviations; NaN without such a quote."""
        return _rms(self.vol_bp[self.near & np.isfinite(self.vol_bp)])

    @property
    def rmse_half_spreads(self) -> float:
        """Root mean square over all quotes; NaN without quotes."""
        return _rms(self.half_spreads[np.isfinite(self.half_spreads)])

    @property
    def inside_share(self) -> float:
        """Share of quotes whose fitted price is within bid and ask; NaN without quotes."""
        return float(self.inside.mean()) if len(self.inside) else float("nan")

    def by_slice(self, first: I64) -> tuple[F64, F64, F64]:
        """The three of each slice (s,); rows of slice i at first[i]:first[i + 1], none empty."""
        count = np.diff(first).astype(np.float64)
        read = self.near & np.isfinite(self.vol_bp)
        near = np.add.reduceat(read.astype(np.float64), first[:-1])
        square = np.add.reduceat(np.where(read, self.vol_bp, 0.0) ** 2, first[:-1])
        vol_bp = np.sqrt(np.divide(square, near, out=np.full(len(near), np.nan), where=near > 0.0))
        halves = np.sqrt(np.add.reduceat(np.nan_to_num(self.half_spreads) ** 2, first[:-1]) / count)
        return vol_bp, halves, np.add.reduceat(self.inside.astype(np.float64), first[:-1]) / count


@dataclass(frozen=True, slots=True)
class SliceQuality:
    """One expiry: quotes read, errors as in `Errors`, least g and least relative growth of w over the slice before."""

    expiry_ns: int
    quotes: int
    rmse_vol_bp: float
    rmse_half_spreads: float
    inside_share: float
    least_g: float
    least_growth: float
    refined_share: float
    flags: int


@dataclass(frozen=True, slots=True)
class FitReport:
    """What was read, what was left out and why, how well it fits. ``counted`` sums to the rows of the chain.

    rounds: Gauss-Newton rounds of eSSVI and of SVI. violations: slices with a butterfly or calendar arbitrage (0 by
    construction, counted all the same). warm: started from an earlier surface.
    """

    as_of_ns: int
    counted: dict[str, int]
    slices: tuple[SliceQuality, ...]
    rmse_vol_bp: float
    rmse_half_spreads: float
    inside_share: float
    violations: int
    rounds: tuple[int, int]
    warm: bool

    @property
    def quotes(self) -> int:
        """Quotes the surface was fitted to."""
        return self.counted.get("used", 0)


def errors(surface: Surface, quotes: FilteredQuotes, vol_mid: F64 | None = None) -> Errors:
    """Errors of any surface against quotes, with the forwards of the quotes (so an older surface moves along with
    them)."""
    at = quotes.slice_of
    forward, years = quotes.forward[at], quotes.tau_years[at]
    mid = 0.5 * (quotes.bid + quotes.ask)
    market = volatility(quotes, mid) if vol_mid is None else vol_mid
    model = surface.vol(quotes.expiry_ns[at], quotes.strike, forward)
    found = np.isfinite(model)
    price = np.empty(len(mid))
    variance = np.where(found, model, 1.0) ** 2 * years
    prices(forward, quotes.strike, variance, quotes.right, price)
    price = np.where(found, price * quotes.discount[at], np.nan)
    off = (model - market) * _VOL_BP
    near = np.abs(np.log(quotes.strike / forward)) <= NEAR_SD * _atm_deviation(surface, quotes)[at]
    halves = np.clip((price - mid) / (0.5 * (quotes.ask - quotes.bid)), -_FAR, _FAR)
    return Errors(off, halves, (price >= quotes.bid) & (price <= quotes.ask), near)


def age_s(surface: Surface, now_ns: int) -> float:
    """Seconds since the quotes of the surface."""
    return (now_ns - surface.as_of_ns) / NS_PER_S


def _atm_deviation(surface: Surface, quotes: FilteredQuotes) -> F64:
    vol = surface.vol(quotes.expiry_ns, quotes.forward, quotes.forward)
    return np.asarray(np.nan_to_num(vol * np.sqrt(quotes.tau_years)))


def _rms(values: F64) -> float:
    return float(np.sqrt(np.mean(values**2))) if len(values) else float("nan")


def slice_flags(count: I64, moved: F64, inside: F64, doubts: I64) -> I64:
    """Flags (s,); ``moved``: share of the way from eSSVI to raw SVI, ``doubts``: not 0 where the forward is in
    doubt."""
    flags = np.where(count < FEW, FEW_QUOTES, 0)
    flags |= np.where(moved == 0.0, NOT_REFINED, np.where(moved < 1.0, HELD_BACK, 0))
    flags |= np.where(doubts != 0, FORWARD_DOUBTED, 0)
    return np.asarray(flags | np.where(inside < 0.25, OUTSIDE_SPREADS, 0), np.int64)


def by_expiry(values: I64, wanted: I64, columns: I64) -> I64:
    """``columns`` of the expiries ``wanted`` among ``values`` (ascending)."""
    return np.asarray(columns[np.searchsorted(values, wanted)])
