"""Greeks of a unit, as kernels give them, turned into the desk's Greeks in USD: the one place where the units are stated.

| row | desk Greek | from the kernel's |
|---|---|---|
| value | USD; of a spot or future its notional, whose change is its P&L | V |
| delta | USD: what 100 % of the base would bring at this slope | base dV/dbase |
| gamma | USD of delta gained when the base rises 1 % | 0.01 base² d²V/dbase² |
| vega | USD per volatility point | 0.01 dV/dσ |
| theta | USD per calendar day | dV/dt / 365 |
| rho | USD per basis point | 0.0001 dV/dr |
| vanna | USD of vega per point gained when the base rises 1 % | 0.0001 base d²V/dbase dσ |
| volga | USD of vega per point gained per volatility point | 0.0001 d²V/dσ² |
| charm | USD of delta gained per calendar day | base d(delta)/dt / 365 |

Each times ``usd_per_point``: signed lots × multiplier × USD for one unit of the currency the price is quoted in. The lot
Greeks of ``common/kernels/surface.py`` are the same with gamma and vanna per 100 % instead of per 1 %.
*Coin-settled* rows are turned into USD by ``inverse.in_usd``: an option is then a Black-76 option in USD, whose delta counts
the coin that its value is held in. A coin-settled future is margined in coin: its value is 0, not its notional, and one USD
of notional has one USD of delta.
*Tested by* tests/unit/test_book_risk_dollars.py.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from common.kernels import layout
from common.kernels.inverse import in_usd
from common.messages import F64
from common.risk.columns import Columns
from common.units import VOL_POINT

#: Names of the desk's Greeks; rows as in ``layout``.
DESK_NAMES: Final = (
    "value_usd",
    "delta_usd",
    "gamma_usd_per_pct",
    "vega_usd_per_point",
    "theta_usd_per_day",
    "rho_usd_per_bp",
    "vanna_usd_per_point_per_pct",
    "volga_usd_per_point2",
    "charm_usd_per_day",
)
DAYS_PER_YEAR: Final = 365.0
BASIS_POINT: Final = 1e-4
PER_CENT: Final = 0.01


def desk_greeks(columns: Columns, greeks: F64, usd_per_point: F64 | float) -> F64:
    """Desk Greeks (GREEKS, n) of n rows from their unit Greeks (GREEKS, n); rows and units above, NaN stays NaN.

    ``usd_per_point`` (n,) or one number. Multiply by signed lots for a position, by 1 for a lot.
    """
    base = columns.base
    out = _in_quote_currency(columns, greeks)
    out[layout.DELTA] *= base
    out[layout.GAMMA] *= PER_CENT * base * base
    out[layout.VEGA] *= VOL_POINT
    out[layout.THETA] /= DAYS_PER_YEAR
    out[layout.RHO] *= BASIS_POINT
    out[layout.VANNA] *= PER_CENT * VOL_POINT * base
    out[layout.VOLGA] *= VOL_POINT * VOL_POINT
    out[layout.CHARM] *= base / DAYS_PER_YEAR
    out *= usd_per_point
    return out


def _in_quote_currency(columns: Columns, greeks: F64) -> F64:
    out = np.array(greeks, np.float64)
    future = columns.model == layout.INVERSE_FUTURE
    rows = np.flatnonzero(future | (columns.model == layout.INVERSE))
    if len(rows):
        coin = np.ascontiguousarray(out[:, rows])
        coin[layout.PRICE, future[rows]] = np.where(np.isnan(coin[layout.PRICE, future[rows]]), np.nan, 0.0)
        in_usd(columns.base[rows], coin, coin)
        out[:, rows] = coin
    return out
