"""From the demo's model of a day to its quotes: values off the surface, spreads and sizes off the E-mini fit.

*Tested by* tests/golden/test_market_demo.py, tests/properties/test_market_surface.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from common.instruments import AM, CALL, PUT, Instrument, instant_ns, option
from common.market import black76, spread_fit, ssvi
from common.market.demo_model import DayModel, noisy_total_variance
from common.messages import F64, I32, I64, U32
from common.units import NO_PRICE, NS_PER_YEAR
from common.universe import OPTION, Universe

STRIKES = 24
STRIKE_STEP = {"SPX": 25.0, "IXIC": 50.0}
#: Strikes reach so many standard deviations at the long-run volatility, and so far beyond the range of the window.
DEVIATIONS_DOWN = 2.0
DEVIATIONS_UP = 1.25
RANGE_MARGIN = 0.03
SIZE_MAX_LOTS = 2000
#: Scatter of ln size of the futures.
FUTURE_SIZE_SCATTER = 0.8
_SIZES = 3


@dataclass(frozen=True)
class Listing:
    """What one underlying quotes: its future, then n options on e expiries, in universe order.

    rows (n + 1,) in the universe, the future first; expiries_ns (e,); expiry_at (n,) into it; strike, right (n,).
    ``factor`` scales the volatility of the S&P 500.
    """

    factor: float
    carry_per_year: float
    rate_per_year: float
    future_expiry_ns: int
    future_tick: float
    option_tick: float
    rows: U32
    expiries_ns: I64
    expiry_at: NDArray[np.intp]
    strike: F64
    right: F64


@dataclass(frozen=True)
class Values:
    """Model values of one session: forward, mid, tau_years, total_variance (s, n); future_bid_ticks, _ask_ticks (s,)."""

    future_bid_ticks: I32
    future_ask_ticks: I32
    forward: F64
    tau_years: F64
    total_variance: F64
    mid: F64


def listed_options(
    symbol: str, expiries: Iterable[date], start: date, extent: tuple[float, float], at: float
) -> list[Instrument]:
    """Calls and puts around level ``at``: ``STRIKES`` an expiry, spread with sqrt(T), and around all of ``extent``."""
    found = []
    step = STRIKE_STEP[symbol]
    for expiry in expiries:
        years = (instant_ns(expiry, AM) - instant_ns(start, AM)) / NS_PER_YEAR
        deviation = ssvi.LONG_RUN_VOL * np.sqrt(years)
        bottom = min(extent[0] * (1.0 - RANGE_MARGIN), at * np.exp(-DEVIATIONS_DOWN * deviation))
        top = max(extent[1] * (1.0 + RANGE_MARGIN), at * np.exp(DEVIATIONS_UP * deviation))
        strikes = np.unique(np.rint(np.linspace(bottom, top, STRIKES) / step) * step)
        found += [option(symbol, expiry, float(k), right) for k in strikes for right in (CALL, PUT)]
    return found


def make_listing(universe: Universe, symbol: str, factor: float) -> Listing:
    """The listed rows of one underlying, as arrays."""
    rows = universe.rows_of(symbol)
    rows = rows[universe.listed[rows] == 1]
    options = rows[universe.kind[rows] == OPTION]
    terms = universe.underlyings[universe.underlying_index(symbol)]
    expiries, expiry_at = np.unique(universe.expiry_ns[options], return_inverse=True)
    return Listing(
        factor,
        terms.carry_per_year,
        terms.rate_per_year,
        int(universe.expiry_ns[terms.future_instrument]),
        float(universe.tick_size[terms.future_instrument]),
        float(universe.tick_size[options[0]]),
        np.concatenate([[terms.future_instrument], options]).astype(np.uint32),
        expiries,
        np.asarray(expiry_at, np.intp),
        universe.strike[options],
        universe.right[options].astype(np.float64),
    )


def value_day(listing: Listing, day: DayModel, underlying: int) -> Values:
    """Futures quotes and option values of one session. Options are valued on the mid of the quoted future."""
    bid, ask = _future_ticks(listing, day, underlying)
    future_mid = 0.5 * (bid.astype(np.float64) + ask) * listing.future_tick
    tau = (listing.expiries_ns[None, :] - day.time_ns[:, None]) / NS_PER_YEAR
    beyond = (listing.expiries_ns - listing.future_expiry_ns) / NS_PER_YEAR
    forward = future_mid[:, None] * np.exp(listing.carry_per_year * beyond)
    theta = ssvi.atm_total_variance(day.vix, tau, listing.factor)
    theta = noisy_total_variance(theta, day.variance_noise[underlying])
    at = listing.expiry_at
    moneyness = np.log(listing.strike / forward[:, at])
    variance = ssvi.total_variance(moneyness, theta[:, at], day.rho[underlying][:, None])
    discount = np.exp(-listing.rate_per_year * tau[:, at])
    mid = black76.values(forward[:, at], listing.strike, listing.right, variance, discount)
    return Values(bid, ask, forward[:, at], tau[:, at], variance, mid)


def _future_ticks(listing: Listing, day: DayModel, underlying: int) -> tuple[I32, I32]:
    years = (listing.future_expiry_ns - day.time_ns) / NS_PER_YEAR
    fair = day.index[underlying] * np.exp(listing.carry_per_year * years) / listing.future_tick
    width = np.maximum(1, np.rint(fair * spread_fit.FUTURE_SPREAD_BP * 1e-4)).astype(np.int32)
    bid = np.rint(fair - 0.5 * width).astype(np.int32)
    return bid, bid + width


def quote_day(listing: Listing, values: Values, seed: int, day_at: int, underlying: int) -> tuple[I32, I32, I32, I32]:
    """Bid and ask ticks, bid and ask size in lots, each (s, n + 1), the future first.

    An option whose bid would be below one tick has no bid. Sizes scatter log-normally about their fit.
    """
    x = listing.right * np.log(listing.strike / values.forward) / np.sqrt(values.tau_years)
    mid = np.maximum(values.mid, 1e-6)
    half = 0.5 * spread_fit.fitted_spread(mid, values.forward, x)
    bid = np.rint((mid - half) / listing.option_tick)
    ask = np.maximum(np.rint((mid + half) / listing.option_tick), np.maximum(bid, 0.0) + 1.0)
    no_bid = bid < 1.0
    rng = np.random.default_rng([seed, _SIZES, day_at, underlying])
    size = np.log(spread_fit.fitted_size(mid, values.forward, x))
    sizes = [_lots(size, spread_fit.SIZE_SCATTER, rng) for _ in range(2)]
    sizes[0][no_bid] = 0
    future_size = np.full((len(mid), 1), np.log(spread_fit.FUTURE_SIZE_LOTS))
    future_sizes = [_lots(future_size, FUTURE_SIZE_SCATTER, rng) for _ in range(2)]
    bid_ticks = np.where(no_bid, NO_PRICE, bid).astype(np.int32)
    return (
        np.hstack([values.future_bid_ticks[:, None], bid_ticks]),
        np.hstack([values.future_ask_ticks[:, None], ask.astype(np.int32)]),
        np.hstack([future_sizes[0], sizes[0]]),
        np.hstack([future_sizes[1], sizes[1]]),
    )


def _lots(log_size: F64, scatter: float, rng: np.random.Generator) -> I32:
    drawn = np.exp(log_size + scatter * rng.standard_normal(log_size.shape))
    return np.asarray(np.clip(np.rint(drawn), 1, SIZE_MAX_LOTS), np.int32)
