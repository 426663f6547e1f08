"""Vega kind: an interval for the vega of each own (underlying, expiry bucket), and the trades that would meet it alone.

*Tested by* tests/unit/test_agents_vega.py, tests/properties/test_agents_intervals.py.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from agents import intervals
from agents.decision import Decision, Terms, cheapest
from agents.pricing import Picture
from agents.vega.config import VegaConfig
from agents.vega.kernel import SUMS, THETA, VANNA, VEGA, VOLGA, bucket_exposures, buckets_of
from common import factors
from common.kernels.surface import VEGA_USD

_LAST_DAY: Final = np.array([last for _, last in factors.BUCKETS])
#: Tenor in days that stands for a bucket in η: the middle of its days; three years for the open one.
_TENOR_DAYS: Final = (4.0, 19.0, 45.5, 75.5, 136.5, 273.5, 547.5, 1095.0)
_REFERENCE_TENOR_DAYS: Final = 30.0


def vol_of_vol_pt(bucket: int, config: VegaConfig) -> float:
    """η of a bucket: points of implied volatility per √trading day, η30 (30/tenor)^damping."""
    damped = (_REFERENCE_TENOR_DAYS / _TENOR_DAYS[bucket]) ** config.tenor_damping
    return float(config.vol_of_vol_pt_per_sqrt_day * damped)


def decide(picture: Picture, symbols: tuple[str, ...], own: tuple[tuple[int, int], ...], terms: Terms) -> Decision:
    """Decision for own (underlying, bucket) pairs; reports vanna, volga and theta beside each.

    The menu holds all contracts of the underlyings; those of other buckets have no sensitivity here.
    """
    held_bucket = np.empty(len(picture.held), np.int64)
    menu_bucket = np.empty(len(picture.menu), np.int64)
    buckets_of(picture.held_expiry_ns, picture.now_ns, _LAST_DAY, held_bucket)
    buckets_of(picture.menu_expiry_ns, picture.now_ns, _LAST_DAY, menu_bucket)
    sums = np.empty((len(symbols), len(factors.BUCKETS), SUMS))
    bucket_exposures(picture.lots, picture.held_underlying, held_bucket, picture.held_greeks, sums)
    f, m = len(own), len(picture.menu)
    names, reported = [], []
    exposure, half_width, value = np.zeros(f), np.zeros(f), np.zeros(3 * f)
    sensitivity, alone = np.zeros((f, m)), np.zeros(m)
    vega = picture.menu_greeks[:, VEGA_USD]
    for i, (u, b) in enumerate(own):
        place = f"{symbols[u]}/{factors.BUCKET_NAMES[b]}"
        names.append(factors.vega(symbols[u], factors.BUCKET_NAMES[b]))
        reported += [f"vanna:{place}", f"volga:{place}", f"theta:{place}"]
        exposure[i] = sums[u, b, VEGA]
        value[3 * i : 3 * i + 3] = sums[u, b, VANNA], sums[u, b, VOLGA], sums[u, b, THETA]
        sensitivity[i] = np.where((picture.menu_underlying == u) & (menu_bucket == b), vega, 0.0)
        option = cheapest(picture.menu_cost_usd, sensitivity[i])
        half_width[i] = _half_width(picture, option, b, terms, names[-1])
        change = intervals.to_nearest_edge(exposure[i], half_width[i])
        if option >= 0 and change != 0.0:
            alone[option] = change / sensitivity[i, option]
    return Decision(tuple(names), exposure, half_width, sensitivity, alone, tuple(reported), value)


def _half_width(picture: Picture, option: int, bucket: int, terms: Terms, factor: str) -> float:
    config = terms.config.vega
    if option >= 0:
        vega = float(picture.menu_greeks[option, VEGA_USD])
        cost, half_lot = float(picture.menu_cost_usd[option]) / vega, 0.5 * vega
    else:
        # A half spread of so many points costs that many USD per (USD per point).
        cost, half_lot = config.fallback_half_spread_vol_pt, 0.0
    width = config.interval_scale * intervals.vega_half_width_usd(
        cost, vol_of_vol_pt(bucket, config), terms.config.holding_days, terms.risk_aversion_per_usd
    )
    return intervals.clip(width, half_lot, terms.limit(factor))
