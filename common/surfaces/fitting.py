"""The fit of a whole surface: eSSVI free of arbitrage by construction, then raw SVI where it stays so.

1. eSSVI over all expiries at once (common/kernels/surface_fit_essvi.py). What comes out has no arbitrage whatever the
quotes are. 2. Raw SVI over all expiries at once, conditions as hinges with multipliers
(common/kernels/surface_fit_svi.py), stiffness rising. 3. The guard (common/kernels/surface_fit_guard.py) takes it
over where a dense grid finds no arbitrage; eSSVI stands elsewhere. A previous surface gives the start of both; where
its refinement ends worse than eSSVI, the refinement is begun afresh.
*Tested by* tests/unit/test_surfaces_fit.py, tests/golden/test_surfaces_spx.py, tests/golden/test_surfaces_es.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from common.kernels.ssvi import to_svi
from common.kernels.surface_fit_essvi import fit_essvi
from common.kernels.surface_fit_guard import POINTS, settle, strikes, verdict
from common.kernels.surface_fit_quotes import weigh
from common.kernels.surface_fit_svi import hinge_floor, refine, scale_down, scale_up
from common.messages import F64
from common.surfaces import parity
from common.surfaces.chain import ChainQuotes, FitSettings
from common.surfaces.quality import FitReport, SliceQuality, by_expiry, errors, slice_flags
from common.surfaces.quotes import FilteredQuotes, filtered, volatility
from common.surfaces.surface import Surface

DEFAULT: Final = FitSettings()
#: Strikes of the hinges in units of the at-the-money deviation: dense at the money, out to 40.
_GRID: Final = 40.0 * np.sinh(4.5 * np.linspace(-1.0, 1.0, 41)) / np.sinh(4.5)
_COLD: Final = (3.0, 30.0, 100.0, 300.0, 1000.0, 1000.0)
_WARM: Final = (30.0, 300.0, 1000.0)
_DOUBTFUL: Final = parity.INTERPOLATED | parity.POOR_FIT | parity.FEW_PAIRS
#: Start of eSSVI without a previous surface: correlation, and ψ as a share of √θ.
_RHO, _PSI, _PSI_MAX = -0.5, 0.9, 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """``surface`` is None where no quote was usable. ``quotes`` and their mid volatility (n,) are what it was fitted
    to."""

    surface: Surface | None
    report: FitReport
    quotes: FilteredQuotes
    vol_mid: F64


@dataclass(frozen=True, slots=True, eq=False)
class _Targets:
    """What the kernels read: ln(K/F), total variance and 1/(2στ·noise) of each quote, volatility at the money (s,)."""

    k: F64
    variance: F64
    weight: F64
    atm: F64


@dataclass(frozen=True, slots=True, eq=False)
class _Refined:
    """Slices (s, 5), the share of its way from eSSVI each went, what the guard found of each, rounds."""

    slices: F64
    moved: F64
    g: F64
    growth: F64
    rounds: int


def fit(chain: ChainQuotes, as_of_ns: int, previous: Surface | None = None, settings: FitSettings = DEFAULT) -> Fit:
    """Fit the chain as of ``as_of_ns``; ``previous`` is a start, never an input.

    Raises ``ValueError`` where weighted years do not grow with expiry. Quotes left out are counted in the report.
    """
    return fit_filtered(filtered(chain, as_of_ns, settings), previous, settings)


def fit_filtered(quotes: FilteredQuotes, previous: Surface | None = None, settings: FitSettings = DEFAULT) -> Fit:
    """Fit filtered quotes; see `fit`."""
    vol = volatility(quotes, 0.5 * (quotes.bid + quotes.ask))
    if not len(quotes.expiry_ns):
        none = float("nan")
        return Fit(
            None, FitReport(quotes.as_of_ns, quotes.counted, (), none, none, none, 0, (0, 0), False), quotes, vol
        )
    if (np.diff(quotes.tau_years) <= 0.0).any():
        raise ValueError(f"{quotes.underlying}: years to expiry do not grow with expiry: {quotes.tau_years.tolist()}")
    targets = _targets(quotes, vol, settings)
    start = _matched(quotes, previous)
    essvi = _start(quotes, targets, start)
    rounds = _essvi(essvi, quotes, targets, start is not None)
    safe = np.empty((len(essvi), 5))
    to_svi(essvi, safe)
    found = _refined(safe, quotes, targets, start, settings)
    surface = _surface(quotes, targets, found.slices, essvi)
    report = _report(surface, quotes, vol, found, (rounds, found.rounds), start is not None)
    return Fit(surface, report, quotes, vol)


def _targets(quotes: FilteredQuotes, vol: F64, settings: FitSettings) -> _Targets:
    at = quotes.slice_of
    k = np.log(quotes.strike / quotes.forward[at])
    half = 0.5 * (quotes.ask - quotes.bid) / quotes.discount[at]
    atm, noise = np.empty(len(quotes.expiry_ns)), np.empty(len(k))
    weigh(quotes.first, quotes.tau_years, k, vol, half, quotes.forward, settings.vol_noise, atm, noise)
    years = quotes.tau_years[at]
    return _Targets(k, vol * vol * years, 1.0 / (2.0 * vol * years * noise), atm)


def _matched(quotes: FilteredQuotes, previous: Surface | None) -> tuple[F64, F64] | None:
    """eSSVI coordinates and slices of ``previous`` where every expiry is in it, in the order of ``quotes``; else
    None."""
    if previous is None or not np.isin(quotes.expiry_ns, previous.expiry_ns).all():
        return None
    rows = np.searchsorted(previous.expiry_ns, quotes.expiry_ns)
    return previous.essvi[rows].copy(), previous.slices[rows].copy()


def _start(quotes: FilteredQuotes, targets: _Targets, matched: tuple[F64, F64] | None) -> F64:
    if matched is not None:
        return matched[0]
    theta = targets.atm**2 * quotes.tau_years
    psi = np.minimum(_PSI * np.sqrt(theta), _PSI_MAX)
    return np.stack((np.log(theta / psi), np.log(psi * (1.0 - _RHO)), np.log(psi * (1.0 + _RHO))), axis=1)


def _essvi(x: F64, quotes: FilteredQuotes, targets: _Targets, warm: bool) -> int:
    rounds = 0
    for stiff in (3000.0,) if warm else (300.0, 3000.0):
        rounds += fit_essvi(
            x, stiff, quotes.tau_years, quotes.first, targets.k, targets.variance, targets.weight, 60, 1e-4
        )
    return rounds


def _refined(
    safe: F64, quotes: FilteredQuotes, targets: _Targets, matched: tuple[F64, F64] | None, settings: FitSettings
) -> _Refined:
    n = len(safe)
    slices, moved, g, growth = safe.copy(), np.zeros(n), np.empty(n), np.empty(n)
    if not settings.refine:
        grid = np.empty(POINTS)
        strikes(safe, grid)
        verdict(safe, grid, g, growth)
        return _Refined(slices, moved, g, growth, 0)
    theta, anchor = np.empty(n), np.empty_like(safe)
    scale_down(safe, safe, theta, anchor)
    total = 0
    for warm in (True, False) if matched is not None else (False,):
        u = anchor.copy()
        if warm and matched is not None:
            scale_down(matched[1], safe, theta, u)
        total += _rounds(u, anchor, safe, theta, quotes, targets, _WARM if warm else _COLD, 15 if warm else 30)
        scale_up(u, theta, slices)
        settle(slices, safe, moved, g, growth)
        if moved.min() == 1.0:
            break
    return _Refined(slices, moved, g, growth, total)


def _rounds(
    u: F64,
    anchor: F64,
    safe: F64,
    theta: F64,
    quotes: FilteredQuotes,
    targets: _Targets,
    stiffness: tuple[float, ...],
    most: int,
) -> int:
    floor = np.empty((len(u), len(_GRID) + 2))
    hinge_floor(safe, theta, _GRID, floor)
    shift = np.zeros((len(u), 2 * len(_GRID) + 2))
    rounds = 0
    for stiff in stiffness:
        rounds += refine(
            u,
            anchor,
            theta,
            stiff,
            _GRID,
            floor,
            shift,
            quotes.first,
            targets.k,
            targets.variance,
            targets.weight,
            most,
            1e-4,
        )
    return rounds


def _surface(quotes: FilteredQuotes, targets: _Targets, slices: F64, essvi: F64) -> Surface:
    return Surface(
        quotes.underlying,
        quotes.as_of_ns,
        quotes.expiry_ns,
        quotes.tau_years,
        slices,
        essvi,
        quotes.forward,
        quotes.discount,
        np.minimum.reduceat(targets.k, quotes.first[:-1]),
        np.maximum.reduceat(targets.k, quotes.first[:-1]),
    )


def _report(
    surface: Surface, quotes: FilteredQuotes, vol: F64, found: _Refined, rounds: tuple[int, int], warm: bool
) -> FitReport:
    off = errors(surface, quotes, vol)
    count = np.diff(quotes.first)
    vol_bp, halves, inside = off.by_slice(quotes.first)
    doubts = by_expiry(quotes.found.expiry_ns, quotes.expiry_ns, quotes.found.flags) & _DOUBTFUL
    flags = slice_flags(count, found.moved, inside, doubts)
    columns = (quotes.expiry_ns, count, vol_bp, halves, inside, found.g, found.growth, found.moved, flags)
    slices = tuple(SliceQuality(*row) for row in zip(*(c.tolist() for c in columns), strict=True))
    violations = int((found.g < 0.0).sum() + (found.growth < 0.0).sum())
    return FitReport(
        quotes.as_of_ns,
        quotes.counted,
        slices,
        off.rmse_vol_bp,
        off.rmse_half_spreads,
        off.inside_share,
        violations,
        rounds,
        warm,
    )
