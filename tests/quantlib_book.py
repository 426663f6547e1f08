"""A plain portfolio sum with QuantLib: the independent truth for exposures. One Python object an option."""

from __future__ import annotations

import numpy as np
import QuantLib as ql  # noqa: N813

from common.units import NS_PER_YEAR
from common.universe import OPTION, Universe


def option_greeks(universe: Universe, row: int, forward: float, vol: float, now_ns: int) -> dict[str, float]:
    """Dollar Greeks of one lot: delta_usd, gamma_usd (ΓF²), vega_usd per point, by QuantLib's BlackCalculator."""
    tau = (int(universe.expiry_ns[row]) - now_ns) / NS_PER_YEAR
    size = float(universe.multiplier_usd[row])
    if universe.kind[row] != OPTION:
        return {"delta": size * forward if tau > 0 else 0.0, "gamma": 0.0, "vega": 0.0, "vanna": 0.0, "volga": 0.0}
    if tau <= 0:
        return dict.fromkeys(("delta", "gamma", "vega", "vanna", "volga"), 0.0)
    rate = universe.underlyings[int(universe.underlying[row])].rate_per_year
    kind = ql.Option.Call if universe.right[row] > 0 else ql.Option.Put
    payoff = ql.PlainVanillaPayoff(kind, float(universe.strike[row]))

    def calculator(v: float) -> ql.BlackCalculator:
        return ql.BlackCalculator(payoff, forward, v * float(np.sqrt(tau)), float(np.exp(-rate * tau)))

    here, up, down = calculator(vol), calculator(vol + 1e-4), calculator(vol - 1e-4)
    return {
        "delta": size * forward * here.deltaForward(),
        "gamma": size * forward**2 * here.gammaForward(),
        "vega": size * 0.01 * here.vega(tau),
        "vanna": size * forward * 0.01 * (up.deltaForward() - down.deltaForward()) / 2e-4,
        "volga": size * 1e-4 * (up.vega(tau) - down.vega(tau)) / 2e-4,
    }
