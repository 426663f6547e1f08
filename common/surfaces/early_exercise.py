"""What early exercise is worth in a quoted American option, so that a surface can be fitted to the European rest.

The premium is American less European value at one volatility, that of the mid less the premium. It is found by taking a
first premium, at the volatility of the whole mid, off and valuing again: each round leaves an error smaller by the
premium's own vega over the option's, small for the out-of-the-money options of a surface.
*Tested by* tests/unit/test_surfaces_early_exercise.py (QuantLib).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from common.kernels.american import american, american_future
from common.kernels.implied_vol import implied_vol
from common.kernels.layout import GREEKS, PRICE
from common.kernels.surface_fit_quotes import prices
from common.messages import F64, I64
from common.surfaces.chain import ChainQuotes
from common.units import NS_PER_YEAR

_ROUNDS: Final = 2


def premium_share(chain: ChainQuotes, rows: I64, as_of_ns: int, forward: F64, discount: F64) -> F64:
    """Share (n,) of the mid of the chain's ``rows`` that early exercise is worth, 0 <= share < 1; 0 where no
    volatility is.

    forward, discount (n,): of each row. Time is calendar years to the settlement instant.
    """
    years = (chain.expiry_ns[rows] - as_of_ns) / NS_PER_YEAR
    strike, right = chain.strike[rows], chain.right[rows]
    mid = 0.5 * (chain.bid[rows] + chain.ask[rows])
    vol, european = np.empty(len(rows)), np.empty(len(rows))
    rate, share = -np.log(discount) / years, np.zeros(len(rows))
    for _ in range(_ROUNDS):
        implied_vol(mid * (1.0 - share) / discount, forward, strike, years, np.zeros(len(rows)), right, vol)
        prices(forward, strike, np.where(np.isfinite(vol), vol, 1.0) ** 2 * years, right, european)
        worth = _american(chain, rows, forward, years, vol, rate)[PRICE] - discount * european
        share = np.clip(np.where(np.isfinite(worth), worth / mid, 0.0), 0.0, 0.99)
    return np.asarray(share)


def _american(chain: ChainQuotes, rows: I64, forward: F64, years: F64, vol: F64, rate: F64) -> F64:
    known = [chain.known[int(e)].spot for e in chain.expiry_ns[rows]]
    strike, right = chain.strike[rows], chain.right[rows]
    out = np.empty((GREEKS, len(rows)))
    if all(s is None for s in known):
        american_future(forward, strike, years, vol, rate, right, out)
        return out
    spot = np.array([f if s is None else s for s, f in zip(known, forward, strict=True)])
    american(spot, strike, years, vol, rate, rate - np.log(forward / spot) / years, right, out)
    return out
