"""Volatility surfaces on real chains: arbitrages, errors and times, from filtered quotes to the fitted surface.

Times are those of `common.surfaces.fitting.fit_filtered`: implied volatilities, fit, guard and report. Cold has no
previous surface; warm starts from the surface of the quotes as they were and fits them after a small move (forwards,
volatilities and noise). Kernels are compiled beforehand. Arbitrage is looked for by `common.surfaces.arbitrage`,
which knows prices and strikes only.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.registry import Context, Row, bench
from common.calendars.exchanges import market_calendar
from common.kernels.surface_fit_quotes import prices
from common.surfaces.arbitrage import check
from common.surfaces.chain import FitSettings
from common.surfaces.fitting import Fit, fit, fit_filtered
from common.surfaces.quality import errors
from common.surfaces.quotes import FilteredQuotes, filtered
from common.surfaces.stands import SurfaceBook
from lab.surface_chains import ES_DAY_NS, es_minutes, spx_close

ROUNDS = 15
RMSE_BAR_BP = 60.0
COLD_BAR_MS, WARM_BAR_MS = 100.0, 15.0


@bench(
    "surface.spx.violations",
    "surface.spx.rmse",
    "surface.spx.cold",
    "surface.spx.warm",
    what="the SPX chain of 2026-01-30, all expiries",
    minutes=0.5,
)
def spx(context: Context) -> Iterable[Row]:
    """One chain: 59 expiries at the close."""
    chain, moment = spx_close(context.data_dir)
    quotes = filtered(chain, moment, FitSettings())
    result = fit_filtered(quotes)
    surface = result.surface
    assert surface is not None
    on, beyond = check(surface), check(surface, beyond=5.0)
    report = result.report
    left_out = ", ".join(f"{name} {n}" for name, n in report.counted.items() if n)
    yield Row(
        "surface.spx.violations",
        f"{on.butterflies} butterflies, {on.calendars} calendars on the quoted range of {len(surface)} expiries; "
        f"{beyond.butterflies} and {beyond.calendars} five standard deviations beyond it; rows: {left_out}",
        on.butterflies + on.calendars,
        "grid points",
        "0 butterfly and 0 calendar violations",
        on.clean,
        samples=len(surface) * 1001,
    )
    worst = max(s.rmse_vol_bp for s in report.slices)
    yield Row(
        "surface.spx.rmse",
        f"within two standard deviations, on the quotes it was fitted to; worst expiry {worst:.1f}; "
        f"{_puts(result)}; {report.inside_share:.1%} of all {report.quotes} "
        f"quotes inside bid and ask; RMSE {report.rmse_half_spreads:.2f} half spreads",
        round(report.rmse_vol_bp, 2),
        "vol bp",
        f"at most {RMSE_BAR_BP:g}",
        report.rmse_vol_bp <= RMSE_BAR_BP,
        samples=report.quotes,
    )
    later = [moved(quotes, result.vol_mid, seed) for seed in range(ROUNDS)]
    fit_filtered(later[0], surface)
    cold, warm = [], []
    busy = 0.0
    for other in later:
        took, _ = _timed(partial(fit_filtered, quotes))
        cold.append(took)
        before = time.process_time()
        took, again = _timed(partial(fit_filtered, other, surface))
        busy += time.process_time() - before
        warm.append((took, again))
    yield _time("surface.spx.cold", cold, COLD_BAR_MS, f"RMSE {report.rmse_vol_bp:.1f} vol bp")
    bps = [again.report.rmse_vol_bp for _, again in warm]
    yield _time(
        "surface.spx.warm",
        [took for took, _ in warm],
        WARM_BAR_MS,
        f"{busy / ROUNDS * 1e3:.1f} on the processor; after moves of 10 bp in price and volatility; "
        f"RMSE {min(bps):.1f} to {max(bps):.1f} vol bp, "
        f"{sum(again.report.violations for _, again in warm)} violations",
    )


def _puts(result: Fit) -> str:
    """RMSE and bias further down, where the bar does not look: a straight wing lies below deep puts."""
    surface, quotes = result.surface, result.quotes
    assert surface is not None
    off = errors(surface, quotes, result.vol_mid).vol_bp
    deviation = surface.vol(quotes.expiry_ns, quotes.forward) * np.sqrt(quotes.tau_years)
    z = -np.log(quotes.strike / quotes.forward[quotes.slice_of]) / deviation[quotes.slice_of]
    told = []
    for low, high in ((2.0, 4.0), (4.0, 6.0), (6.0, 10.0), (10.0, np.inf)):
        band = off[(z > low) & (z <= high)]
        told.append(
            f"{low:g} to {high:g} below {np.sqrt(np.mean(band**2)):.0f} (bias {band.mean():+.0f}, {len(band)} quotes)"
        )
    return ", ".join(told)


def moved(quotes: FilteredQuotes, vol: np.ndarray, seed: int) -> FilteredQuotes:
    """The quotes a little later: forwards up or down by some 10 bp, volatilities by some 10 bp, mids by 5 % of half a
    spread."""
    rng = np.random.default_rng(seed)
    at = quotes.slice_of
    forward = quotes.forward * np.exp(rng.normal(0.0, 1e-3))
    mid = np.empty(len(vol))
    prices(forward[at], quotes.strike, (vol + rng.normal(0.0, 1e-3)) ** 2 * quotes.tau_years[at], quotes.right, mid)
    mid *= quotes.discount[at]
    half = np.minimum(0.5 * (quotes.ask - quotes.bid), 0.9 * mid)
    mid += 0.05 * half * rng.normal(size=len(mid))
    return replace(quotes, forward=forward, bid=mid - half, ask=mid + half)


@bench(
    "surface.es.minutes", "surface.es.violations", what="a surface for every open minute of the E-mini day", minutes=1.5
)
def es(context: Context) -> Iterable[Row]:
    """Every minute of 2020-01-06 that the calendar says open, each fitted from the one before."""
    minutes = market_calendar("XCME").minutes(*ES_DAY_NS)
    previous, book = None, SurfaceBook()
    misses, took, refused, found, expiries = [], [], 0, 0, []
    for moment, chain in es_minutes(context.data_dir, minutes):
        seconds, result = _timed(partial(fit, chain, moment, previous))
        if result.surface is None:
            continue
        previous = result.surface
        book, verdict = book.offer(result)
        refused += not verdict.accepted
        misses.append(result.report.rmse_vol_bp)
        took.append(seconds)
        expiries.append(len(result.surface))
        seen = check(result.surface, 401)
        found += seen.butterflies + seen.calendars
    yield Row(
        "surface.es.minutes",
        f"of {len(minutes)} open minutes; {sum(n == max(expiries) for n in expiries)} with every expiry; {refused} refused by "
        f"the book, where the one before stands; RMSE within two standard deviations: median {statistics.median(misses):.1f}, "
        f"worst {max(misses):.1f} vol bp; {statistics.median(took) * 1e3:.1f} ms a minute with filters and early exercise",
        len(misses),
        "surfaces",
        f"one for each of the {len(minutes)} minutes",
        len(misses) == len(minutes),
        samples=len(minutes),
    )
    yield Row(
        "surface.es.violations",
        f"butterflies and calendars on the quoted range, 401 strikes a slice, {sum(expiries)} slices",
        found,
        "grid points",
        "none",
        found == 0,
        samples=len(misses),
    )


def _timed(work: Callable[[], Fit]) -> tuple[float, Fit]:
    started = time.perf_counter()
    done = work()
    return time.perf_counter() - started, done


def _time(name: str, seconds: list[float], bar_ms: float, what: str) -> Row:
    ms = sorted(s * 1e3 for s in seconds)
    median = statistics.median(ms)
    return Row(
        name,
        f"median of {len(ms)} rounds, min {ms[0]:.1f}, max {ms[-1]:.1f}; {what}",
        round(median, 2),
        "ms",
        f"at most {bar_ms:g}",
        median <= bar_ms,
        samples=len(ms),
    )
