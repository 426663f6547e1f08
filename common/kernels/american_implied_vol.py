"""Implied volatility of American prices.

The price less its value at zero volatility is strictly increasing in volatility wherever the option is held, so that
its logarithm is solved by Halley's method with the kernel's own vega and volga, from the inflection √(2 |ln F/K| / τ) of
the European price, kept in a shrinking bracket. All quotes take their steps together and leave when done.
*Tested by* tests/unit/test_american_implied_vol.py (QuantLib prices, round trip, bounds).
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from common.kernels.american import american_columns
from common.kernels.jit import F64, I64, strict_kernel
from common.kernels.layout import GREEKS, PRICE, VEGA, VOLGA

_MAX_STEPS: Final = 80
_ROOT_VARIANCE_MAX: Final = 9.9
#: A bracket below this part of the volatility ends the search, and a step below _STEP, which is taken (Halley is cubic).
_BRACKET: Final = 1e-12
_STEP: Final = 1e-6
#: Later steps halve the bracket every other time: the price may jump in the last digits where its Newton count changes.
_PATIENCE: Final = 12
# Rows of the state of a search.
_GOAL: Final = 0
_LOW: Final = 1
_HIGH: Final = 2
_VOL: Final = 3
_FLOOR_PRICE: Final = 4


@strict_kernel
def _following(state: F64, j: int, count: int, value: float, vega: float, volga: float) -> float:
    # The next volatility of a search, or minus the final one.
    vol, goal, floor = state[_VOL, j], state[_GOAL, j], state[_FLOOR_PRICE, j]
    if value > goal:
        state[_HIGH, j] = vol
    else:
        state[_LOW, j] = vol
    low, high = state[_LOW, j], state[_HIGH, j]
    middle: float = math.sqrt(low * high) if low > 0.0 else 0.5 * high
    if high - low < _BRACKET * high:
        return -middle
    gain = value - floor
    if not (gain > 0.0 and vega > 0.0) or (count > _PATIENCE and count % 2 == 0):
        return middle
    newton = math.log(gain / (goal - floor)) * gain / vega
    step = newton / max(1.0 - 0.5 * newton * (volga / vega - vega / gain), 0.25)
    following: float = vol - step
    if abs(step) < _STEP * vol:
        return -following
    if following > low and following < high:
        return following
    return middle


@strict_kernel
def _start(
    state: F64, price: F64, spot: F64, strike: F64, tau: F64, rate: F64, dividend_yield: F64, right: F64, out: F64
) -> I64:
    # Bounds and first volatility of each search; the rows that have one. ``out`` becomes NaN.
    n = len(price)
    lowest, highest, none = np.empty((GREEKS, n)), np.empty((GREEKS, n)), np.zeros(n)
    most = np.empty(n)
    for i in range(n):
        most[i] = _ROOT_VARIANCE_MAX / math.sqrt(tau[i]) if tau[i] > 0.0 else np.nan
    american_columns(spot, strike, tau, none, rate, dividend_yield, right, 0.0, lowest)
    american_columns(spot, strike, tau, most, rate, dividend_yield, right, 0.0, highest)
    rows = np.empty(n, np.int64)
    count = 0
    for i in range(n):
        out[i] = np.nan
        floor = lowest[PRICE, i]
        # At the floor, within rounding, every low volatility gives the price: no information.
        if price[i] > floor + 1e-14 * (spot[i] + strike[i]) and price[i] < highest[PRICE, i] * (1.0 - 1e-12):
            moneyness = math.log(spot[i] / strike[i]) + (rate[i] - dividend_yield[i]) * tau[i]
            vol = max(math.sqrt(2.0 * abs(moneyness) / tau[i]), 2.5 / math.sqrt(tau[i]) * (price[i] - floor) / spot[i])
            state[_GOAL, i], state[_FLOOR_PRICE, i] = price[i], floor
            state[_LOW, i], state[_HIGH, i] = 0.0, most[i]
            state[_VOL, i] = min(max(vol, 1e-4 * most[i]), 0.5 * most[i])
            rows[count] = i
            count += 1
    return rows[:count]


@strict_kernel
def american_implied_vol(
    price: F64, spot: F64, strike: F64, tau: F64, rate: F64, dividend_yield: F64, right: F64, out: F64
) -> None:
    """Volatility per √year at which `american` gives n prices, into ``out`` (n,).

    price (n,) in points; the rest as `american`; for an option on a future pass the rate as the yield. NaN, never 0,
    where the price is at or below the value without volatility (intrinsic, or the best deterministic exercise), at or
    above its bound, or an argument is NaN or outside the domain of `american`. Never raises.
    """
    n = len(price)
    state = np.empty((5, n))
    rows = _start(state, price, spot, strike, tau, rate, dividend_yield, right, out)
    for step in range(_MAX_STEPS):
        m = len(rows)
        if m == 0:
            break
        greeks, vols = np.empty((GREEKS, m)), state[_VOL][rows]
        american_columns(
            spot[rows], strike[rows], tau[rows], vols, rate[rows], dividend_yield[rows], right[rows], 0.0, greeks
        )
        count = 0
        for k in range(m):
            i = rows[k]
            following = _following(state, i, step, greeks[PRICE, k], greeks[VEGA, k], greeks[VOLGA, k])
            if following <= 0.0:
                out[i] = -following
            else:
                state[_VOL, i] = following
                rows[count] = i
                count += 1
        rows = rows[:count]
