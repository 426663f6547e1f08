"""Running daily volatility of each future, sampled on a grid of market time.

Each underlying has its own stream and its own grid, so the result depends on the batches of each source alone and not
on how sources interleave. A sample at grid point t is the last usable mid before t, known once a batch at t or later
comes. Variance per day is an exponentially weighted mean of r² / w, where w is the share of a day the step stands for:
its length over the session's within the session, the night's share for a gap. A step weighs 1 - 2^(-w / half life).
(RiskMetrics, J.P. Morgan 1996, with unequal steps.) After a roll it begins at the new future; the return across it is left out.
*Tested by* tests/unit/test_manager_volatility.py, tests/properties/test_manager_determinism.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from common.messages import F64
from common.snapshot import MarketSnapshot
from common.units import NO_PRICE, NS_PER_S
from common.universe import Universe
from manager.config import Volatility


@dataclass(slots=True)
class _Stream:
    future: int
    variance: float
    mid: float = math.nan
    mid_ns: int = 0
    sample: float = math.nan
    sample_ns: int = 0


class RunningVolatility:
    """Daily variance per underlying, seeded by the universe's prior."""

    def __init__(self, universe: Universe, config: Volatility) -> None:
        self._config = config
        self._step_ns = int(config.grid_s * NS_PER_S)
        prior = np.diag(universe.covariance_daily)
        self._prior, self._underlyings = prior, universe.underlyings
        self._streams = [_Stream(u.future_instrument, float(prior[i])) for i, u in enumerate(universe.underlyings)]

    def restart(self, sigma_daily: F64 | None) -> None:
        """Go on from ``sigma_daily`` (u,), per √day, None for the prior, and from the next batch of each source.

        A leader does so when it takes over: how long its process has watched then decides nothing, the record does.
        """
        variance = self._prior if sigma_daily is None else np.square(sigma_daily)
        self._streams = [_Stream(s.future, float(variance[i])) for i, s in enumerate(self._streams)]

    def on_batch(self, underlying: int, event_time_ns: int, market: MarketSnapshot) -> None:
        """Look at one underlying's future after one of its batches was applied."""
        stream, front = self._streams[underlying], self._underlyings[underlying].front(event_time_ns)
        if front != stream.future:  # what lies between two quarters is carry, not a move
            stream.future, stream.mid_ns, stream.sample_ns = front, 0, 0
        if stream.mid_ns and event_time_ns // self._step_ns > stream.mid_ns // self._step_ns:
            self._sample(stream)
        bid, ask = int(market.bid_ticks[stream.future]), int(market.ask_ticks[stream.future])
        if NO_PRICE < bid < ask and bid > 0:
            stream.mid, stream.mid_ns = 0.5 * (bid + ask), event_time_ns

    def _sample(self, stream: _Stream) -> None:
        if stream.sample_ns:
            weight = self._weight((stream.mid_ns - stream.sample_ns) / NS_PER_S)
            if weight > 0.0:
                move = math.log(stream.mid / stream.sample)
                gain = 1.0 - 2.0 ** (-weight / self._config.half_life_days)
                stream.variance += gain * (move * move / weight - stream.variance)
        stream.sample, stream.sample_ns = stream.mid, stream.mid_ns

    def _weight(self, seconds: float) -> float:
        c = self._config
        if seconds <= c.gap_s:
            return (1.0 - c.overnight_share) * seconds / c.session_s
        return c.overnight_share

    def sigma_daily(self) -> F64:
        """Volatility per √day of each underlying, (u,)."""
        return np.sqrt([s.variance for s in self._streams])
