"""All nine Greeks of European options by QuantLib, and the size each of them naturally has.

QuantLib's BlackCalculator gives six in closed form; vanna, volga and charm are central differences of sixth order of its
delta and vega, good to 1e-12 of their size.
*Tested by* tests/golden/test_european_quantlib.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.peers import Contracts
from common.kernels import layout
from common.messages import F64

#: Relative step of the differences, and their weights for ±1, ±2, ±3 steps (Fornberg 1988).
_STEP = 5e-3
_WEIGHTS = ((1, 45 / 60), (2, -9 / 60), (3, 1 / 60))


def quantlib_nine(c: Contracts) -> F64:
    """Greeks (GREEKS, n), rows and units of ``layout``, of options with time and volatility left."""
    import QuantLib as ql  # noqa: N813

    kinds = {1.0: ql.Option.Call, -1.0: ql.Option.Put}

    def calculator(spot: float, strike: float, tau: float, vol: float, rate: float, carry: float, w: float) -> Any:
        payoff = ql.PlainVanillaPayoff(kinds[w], strike)
        return ql.BlackCalculator(
            payoff, spot * math.exp((rate - carry) * tau), vol * math.sqrt(tau), math.exp(-rate * tau)
        )

    out = np.empty((layout.GREEKS, len(c.spot)))
    for i, (spot, strike, tau, vol, rate, carry, w) in enumerate(
        zip(*(col.tolist() for col in c.columns()), strict=True)
    ):
        b = calculator(spot, strike, tau, vol, rate, carry, w)
        vanna = volga = charm = 0.0
        for k, weight in _WEIGHTS:
            for sign in (1, -1):
                size = 1.0 + sign * k * _STEP
                bent = calculator(spot, strike, tau, vol * size, rate, carry, w)
                aged = calculator(spot, strike, tau * size, vol, rate, carry, w)
                vanna += sign * weight * bent.delta(spot)
                volga += sign * weight * bent.vega(tau)
                charm -= sign * weight * aged.delta(spot)
        six = (b.value(), b.delta(spot), b.gamma(spot), b.vega(tau), b.theta(spot, tau), b.rho(tau))
        out[:, i] = (*six, vanna / (_STEP * vol), volga / (_STEP * vol), charm / (_STEP * tau))
    return out


def scales(c: Contracts) -> F64:
    """Natural size (GREEKS, n) of each Greek: of the discounted asset and strike, moved by one deviation or one year."""
    size = c.spot * np.exp(-c.carry * c.tau) + c.strike * np.exp(-c.rate * c.tau)
    root_tau = np.sqrt(c.tau)
    s = c.vol * root_tau
    per_year = c.vol / root_tau + np.abs(c.rate) + np.abs(c.carry)
    return np.stack(
        [
            size,
            size / c.spot,
            size / (c.spot**2 * s),
            size * root_tau,
            size * per_year,
            size * c.tau,
            size / (c.spot * c.vol),
            size * root_tau / c.vol,
            size / c.spot * (1.0 / c.tau + np.abs(c.rate - c.carry) / s),
        ]
    )
