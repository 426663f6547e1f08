"""Gamma kind: delta and gamma intervals of each own underlying, and the trades that would meet them alone.

*Tested by* tests/unit/test_agents_gamma.py, tests/properties/test_agents_intervals.py.
"""

from __future__ import annotations

import numpy as np

from agents import intervals
from agents.decision import Decision, Terms, cheapest
from agents.gamma.kernel import underlying_exposures
from agents.pricing import Picture
from common import factors
from common.kernels.surface import DELTA_USD, GAMMA_USD
from common.units import NS_PER_DAY, NS_PER_YEAR, VOL_POINT

#: A gamma factor is stated per move of 1 %.
PER_CENT = 0.01


def decide(picture: Picture, symbols: tuple[str, ...], own: tuple[int, ...], terms: Terms) -> Decision:
    """Decision for the underlyings ``own`` (rows of ``symbols``): factors delta:U, gamma:U in that order each.

    With ``delta_only`` the gamma factor is absent. Exposures are NaN where a held contract has no Greek.
    """
    totals = np.empty((len(symbols), 2))
    underlying_exposures(picture.lots, picture.held_underlying, picture.held_greeks, totals)
    with_gamma = not terms.config.gamma.delta_only
    rows = 2 if with_gamma else 1
    f, m = rows * len(own), len(picture.menu)
    names: list[str] = []
    width_gamma: dict[str, float] = {}
    exposure, half_width = np.zeros(f), np.zeros(f)
    sensitivity, alone = np.zeros((f, m)), np.zeros(m)
    for i, u in enumerate(own):
        at = rows * i
        mine = picture.menu_underlying == u
        delta, dollar_gamma = float(totals[u, 0]), float(totals[u, 1])
        names.append(factors.delta(symbols[u]))
        sensitivity[at] = np.where(mine, picture.menu_greeks[:, DELTA_USD], 0.0)
        exposure[at] = delta
        width_gamma[names[-1]] = terms.width_gamma(names[-1], dollar_gamma)
        half_width[at] = _delta_half_width(picture, u, width_gamma[names[-1]], terms, names[-1])
        if with_gamma:
            names.append(factors.gamma(symbols[u]))
            sensitivity[at + 1] = np.where(mine, PER_CENT * picture.menu_greeks[:, GAMMA_USD], 0.0)
            exposure[at + 1] = PER_CENT * dollar_gamma
            option = cheapest(picture.menu_cost_usd, sensitivity[at + 1])
            half_width[at + 1] = _gamma_half_width(picture, u, option, terms, names[-1])
            change = intervals.to_nearest_edge(exposure[at + 1], half_width[at + 1])
            if option >= 0 and change != 0.0:
                alone[option] = change / sensitivity[at + 1, option]
                delta += alone[option] * sensitivity[at, option]
        future = np.flatnonzero(mine & picture.menu_is_future)
        change = intervals.to_nearest_edge(delta, half_width[at])
        if len(future) and change != 0.0:
            alone[future[0]] = change / sensitivity[at, future[0]]
    return Decision(tuple(names), exposure, half_width, sensitivity, alone, width_gamma=width_gamma)


def _delta_half_width(picture: Picture, u: int, dollar_gamma: float, terms: Terms, factor: str) -> float:
    width = terms.config.gamma.interval_scale * intervals.delta_half_width_usd(
        float(picture.future_cost_rate[u]), dollar_gamma, terms.risk_aversion_per_usd
    )
    return intervals.clip(width, 0.5 * float(picture.future_delta_usd[u]), terms.limit(factor))


def _gamma_half_width(picture: Picture, u: int, option: int, terms: Terms, factor: str) -> float:
    config = terms.config
    vol = float(picture.atm_vol[u])
    if not vol > 0.0:
        return 0.0  # no smile: nothing with gamma is held (the agent would have stopped), nothing can be bought
    if option >= 0:
        gamma = float(picture.menu_greeks[option, GAMMA_USD])
        cost, half_lot = float(picture.menu_cost_usd[option]) / gamma, 0.5 * PER_CENT * gamma
    else:
        # dV/dσ = ΓF² σ τ, so a half spread in volatility costs that many USD per USD of ΓF².
        years = config.reference_tenor_days * NS_PER_DAY / NS_PER_YEAR
        cost, half_lot = VOL_POINT * config.gamma.fallback_half_spread_vol_pt * vol * years, 0.0
    width = PER_CENT * intervals.gamma_half_width_usd(
        cost, intervals.daily(vol), config.gamma.rehedge_days, config.holding_days, terms.risk_aversion_per_usd
    )
    width *= config.gamma.interval_scale
    return intervals.clip(width, half_lot, terms.limit(factor))
