"""What the demo models between the real daily figures: instants, index paths, VIX inside the day, noise of the surface.

All of it for the whole window at once, from one seed; quotes are made from it day by day (``demo.py``).
*Tested by* tests/golden/test_market_demo.py, tests/properties/test_market_surface.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from common.market import ssvi
from common.market.bridge import bridged_day
from common.market.calendar import session_ns
from common.market.config import DemoConfig
from common.market.daily import DailyWindow
from common.messages import F64, I64
from common.units import NS_PER_S

#: A night counts as one session for the noise: what was dear at the close is less so at the open.
NIGHT_S = 23_400
_PATHS, _NOISE = 1, 2


@dataclass(frozen=True)
class DayModel:
    """One session of s instants: time_ns (s,) from open to close, index (u, s) in points, vix (s,) in vol points.

    Noise, per underlying: variance_noise (u, s, e) log factors on the forward variance up to each of e expiries;
    rho (u, s) correlation of the smile.
    """

    day: date
    time_ns: I64
    index: F64
    vix: F64
    variance_noise: F64
    rho: F64


def instants(day: date, step_s: int) -> I64:
    """Open, every ``step_s`` after it, close; UTC ns."""
    opens, closes = session_ns(day)
    return np.append(np.arange(opens, closes, step_s * NS_PER_S, dtype=np.int64), closes)


def build_days(window: DailyWindow, config: DemoConfig, expiries: int) -> tuple[DayModel, ...]:
    """Every session of the window; a function of the real figures and the seed alone."""
    correlation = np.atleast_2d(np.corrcoef(window.returns_before.T))
    rng = np.random.default_rng([config.seed, _PATHS])
    times = [instants(day, config.step_s) for day in window.days]
    index = [bridged_day(window.ohlc[:, at, :], correlation, len(time_ns) - 1, rng) for at, time_ns in enumerate(times)]
    variance_noise, rho = _surface_noise(times, config, len(window.ohlc), expiries)
    days = []
    for at, day in enumerate(window.days):
        vix = _vix_inside(window.vix[at], window.vix[at + 1], index[at][0], times[at], config)
        days.append(DayModel(day, times[at], index[at], vix, variance_noise[at], rho[at]))
    return tuple(days)


def _vix_inside(before: float, close: float, index: F64, time_ns: I64, config: DemoConfig) -> F64:
    """VIX (s,) of one session: a share of the change at the open, the rest along the session, tilted by the index.

    ln VIX = line from open to close + ``vix_per_return`` × (ln index - its own line from open to close), so that it ends
    at the real close and rises while the index dips.
    """
    share = (time_ns - time_ns[0]) / (time_ns[-1] - time_ns[0])
    opened = np.log(before) + config.vix_overnight_share * np.log(close / before)
    line = opened + (np.log(close) - opened) * share
    log_index = np.log(index)
    off_line = log_index - (log_index[0] + (log_index[-1] - log_index[0]) * share)
    return np.asarray(np.exp(line + config.vix_per_return * off_line))


def _surface_noise(
    times: list[I64], config: DemoConfig, underlyings: int, expiries: int
) -> tuple[list[F64], list[F64]]:
    """Per day: log noise of forward variances (u, s, e) and ρ (u, s). Stationary Ornstein-Uhlenbeck, started in its law."""
    rng = np.random.default_rng([config.seed, _NOISE])
    seconds = np.concatenate([np.append(NIGHT_S, np.diff(t) / NS_PER_S) for t in times])
    keep = np.exp2(-seconds / config.noise_half_life_s)
    keep[0] = 0.0
    shock = rng.standard_normal((len(seconds), underlyings, expiries + 2)) * np.sqrt(1.0 - keep**2)[:, None, None]
    state = np.empty_like(shock)
    now = np.zeros(shock.shape[1:])
    for at in range(len(shock)):
        now = keep[at] * now + shock[at]
        state[at] = now
    log_noise = config.level_noise * state[:, :, :1] + config.tenor_noise * state[:, :, 1:-1]
    rho = np.clip(ssvi.RHO + config.skew_noise * state[:, :, -1], *ssvi.RHO_BOUNDS)
    cuts = np.cumsum([len(t) for t in times])[:-1]
    return (
        [np.ascontiguousarray(np.swapaxes(x, 0, 1)) for x in np.split(log_noise, cuts)],
        [np.ascontiguousarray(x.T) for x in np.split(rho, cuts)],
    )


def noisy_total_variance(theta: F64, log_noise: F64) -> F64:
    """θ (s, e) with each forward variance scaled by exp(noise); still growing with expiry, so free of calendar spreads."""
    forward = np.diff(theta, axis=1, prepend=0.0)
    return np.asarray(np.cumsum(forward * np.exp(log_noise), axis=1))
