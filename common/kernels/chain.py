"""Which contracts of a chain are worth hedging with: a function of the standing quotes alone.

It keeps no state and reads no fit, so that all agents who look at the same quotes choose alike.
*Tested by* tests/unit/test_agents_menu.py.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from common.kernels.jit import F64, I64, strict_kernel
from common.kernels.surface import (
    Chain,
    Contracts,
    Quotes,
    Vols,
    forward_of,
    half_spread_of,
    is_usable,
    usable_row,
    years_between,
)

#: Options chosen per expiry at most: put at -1, put and call at 0, call at +1 standard deviations.
PER_EXPIRY: Final = 4
_HALF_PI: Final = 0.5 * math.pi


@strict_kernel
def _usable_prices(members: I64, contracts: Contracts, quotes: Quotes, widest: float, out: F64) -> None:
    # Mid of each member whose quote is usable and tight enough, NaN of the others.
    ticks, bids, asks = contracts.tick_size, quotes.bid_ticks, quotes.ask_ticks
    bid_sizes, ask_sizes = quotes.bid_size_lots, quotes.ask_size_lots
    for i in range(len(members)):
        row = members[i]
        bid, ask = bids[row], asks[row]
        tight = 2.0 * (float(ask) - float(bid)) <= widest * (float(bid) + float(ask))
        usable = tight and is_usable(bid, ask, bid_sizes[row], ask_sizes[row])
        out[i] = 0.5 * (float(bid) + float(ask)) * ticks[row] if usable else np.nan


@strict_kernel
def _nearest(right: float, goal: float, low: float, high: float, k: F64, rights: F64, price: F64) -> int:
    # Position of the usable option with this right, ln K inside [low, high] and nearest to goal; -1 without.
    best, distance = -1, np.inf
    for i in range(len(k)):
        if rights[i] == right and price[i] == price[i] and low <= k[i] <= high and abs(k[i] - goal) < distance:
            best, distance = i, abs(k[i] - goal)
    return best


@strict_kernel
def pick(
    u: int,
    contracts: Contracts,
    chain: Chain,
    quotes: Quotes,
    vols: Vols,
    now_ns: int,
    shortest_ns: int,
    widest: float,
    out: I64,
) -> int:
    """Write the menu of one underlying into ``out`` and return how many: its future, then options by expiry.

    Per listed expiry more than ``shortest_ns`` away: the options nearest to -1 (put), 0 (put and call) and +1 (call)
    standard deviations of ln K from the forward, usable and with spread at most ``widest`` of mid. One standard
    deviation is √(π/2) × straddle/forward (Brenner and Subrahmanyam 1988), so no fitted volatility enters. ``out``
    needs room for 1 + PER_EXPIRY × slices of the underlying. An expiry without a quoted straddle is left out.
    """
    count = 0
    future = chain.future[u]
    if future >= 0 and usable_row(future, quotes):
        out[0] = future
        count = 1
    for s in range(chain.of_underlying[u], chain.of_underlying[u + 1]):
        if chain.expiry_ns[s] - now_ns <= shortest_ns:
            continue
        forward = forward_of(u, chain.expiry_ns[s], chain, vols)
        if not forward > 0.0:
            continue
        members = chain.member[chain.first[s] : chain.first[s + 1]]
        price, k, rights = np.empty(len(members)), contracts.log_strike[members], contracts.right[members]
        _usable_prices(members, contracts, quotes, widest, price)
        at = math.log(forward)
        put = _nearest(-1.0, at, -np.inf, np.inf, k, rights, price)
        call = _nearest(1.0, at, -np.inf, np.inf, k, rights, price)
        if put < 0 or call < 0:
            continue
        # Where the two strikes differ, each side has half a delta.
        straddle = price[put] + price[call] + 0.5 * (math.exp(k[call]) - math.exp(k[put]))
        discount = math.exp(-chain.rate[u] * years_between(chain.expiry_ns[s], now_ns))
        deviation = math.sqrt(_HALF_PI) * max(straddle, 0.0) / (discount * forward)
        low = _nearest(-1.0, at - deviation, -np.inf, at, k, rights, price)
        high = _nearest(1.0, at + deviation, at, np.inf, k, rights, price)
        chosen = (low if low != put else -1, put, call, high if high != call else -1)
        for j in chosen:
            if j >= 0:
                out[count] = members[j]
                count += 1
    return count


@strict_kernel
def lot_costs(rows: I64, contracts: Contracts, quotes: Quotes, out: F64) -> None:
    """Cost in USD of trading one lot of each of ``rows`` (m,) now: half spread × multiplier + fee; NaN if unusable."""
    for i in range(len(rows)):
        row = rows[i]
        half = half_spread_of(row, contracts, quotes) * contracts.multiplier_usd[row]
        out[i] = half + contracts.fee_usd[row] if usable_row(row, quotes) else np.nan
