"""Cross-asset kind: the delta to the common factor, and the delta of underlyings without a future, through proxies.

*Tested by* tests/unit/test_agents_cross_asset.py.
"""

from __future__ import annotations

import numpy as np

from agents import intervals
from agents.cross_asset.covariance import best_proxy, common_betas
from agents.cross_asset.kernel import weighted_exposures
from agents.decision import Decision, Terms, cheapest
from agents.pricing import Picture
from common import factors
from common.kernels.surface import DELTA_USD
from common.messages import F64

#: Stands in ``own`` for the common factor, where a proxy factor has the row of its underlying.
COMMON_FACTOR = -1


def decide(picture: Picture, symbols: tuple[str, ...], own: tuple[int, ...], covariance: F64, terms: Terms) -> Decision:
    """Decision for ``own``: COMMON_FACTOR and rows of underlyings without a future; covariance (u, u) of log returns.

    Every factor is a weighted sum of dollar deltas: weights β_U for the common one; 1 on U and 1/β on its proxy for a
    proxy factor. Exposure and sensitivity use the same weights, so what was hedged counts.
    """
    futures = tuple(int(u) for u in np.flatnonzero(picture.future >= 0))
    f, m = len(own), len(picture.menu)
    names, exposure, half_width = [], np.zeros(f), np.zeros(f)
    width_gamma: dict[str, float] = {}
    sensitivity, alone = np.zeros((f, m)), np.zeros(m)
    for i, u in enumerate(own):
        if u == COMMON_FACTOR:
            names.append(factors.COMMON)
            weight = common_betas(covariance, futures)
        else:
            names.append(factors.proxy(symbols[u]))
            weight = _proxy_weights(covariance, u, futures)
        sums = np.empty(2)
        weighted_exposures(picture.lots, picture.held_underlying, picture.held_greeks, weight, sums)
        exposure[i] = sums[0]
        sensitivity[i] = _weighted_delta(picture, weight)
        effect = np.where(picture.menu_is_future, sensitivity[i], 0.0)
        width_gamma[names[-1]] = terms.width_gamma(names[-1], float(sums[1]))
        half_width[i] = _half_width(picture, weight, width_gamma[names[-1]], terms, names[-1])
        change = intervals.to_nearest_edge(exposure[i], half_width[i])
        future = cheapest(picture.menu_cost_usd, effect)
        if future >= 0 and change != 0.0:
            alone[future] += change / effect[future]
    return Decision(tuple(names), exposure, half_width, sensitivity, alone, width_gamma=width_gamma)


def _proxy_weights(covariance: F64, underlying: int, futures: tuple[int, ...]) -> F64:
    weight = np.zeros(len(covariance))
    weight[underlying] = 1.0
    proxy, beta = best_proxy(covariance, underlying, futures)
    if proxy >= 0 and beta != 0.0:
        weight[proxy] = 1.0 / beta
    return weight


def _weighted_delta(picture: Picture, weight: F64) -> F64:
    return np.asarray(weight[picture.menu_underlying] * picture.menu_greeks[:, DELTA_USD])


def _half_width(picture: Picture, weight: F64, dollar_gamma: float, terms: Terms, factor: str) -> float:
    # The delta formula on the factor's own gamma; a USD of factor delta costs κ_U/|w_U| through the future of U.
    usable = (picture.future >= 0) & (weight != 0.0) & np.isfinite(picture.future_cost_rate)
    if not usable.any():
        return intervals.clip(0.0, 0.0, terms.limit(factor))
    size = np.abs(weight[usable])
    rate = picture.future_cost_rate[usable] / size
    width = intervals.delta_half_width_usd(float(rate.min()), dollar_gamma, terms.risk_aversion_per_usd)
    width *= terms.config.cross_asset.interval_scale
    half_lot = 0.5 * float((picture.future_delta_usd[usable] * size).min())
    return intervals.clip(width, half_lot, terms.limit(factor))
