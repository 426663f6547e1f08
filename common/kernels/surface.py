"""From the quotes of a chain to the Greeks of any of its contracts, held or listed, as a few loops over columns.

`absorb` turns quotes into volatilities as they arrive, with the forward of that moment; `refit` fits the smiles whose
quotes changed; `lot_greeks` reads volatility off the smiles and multiplies Greeks up to dollars a lot.
Conventions: forward of expiry T is base × exp(carry × (T - T_base)), base the mid of the future (or, for an underlying
without one, put-call parity at the money of its tightest expiry); years are ACT/365 to the nanosecond.
*Tested by* tests/unit/test_agents_pricing.py against a QuantLib portfolio.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np

from common.kernels.black76 import black76
from common.kernels.implied_vol import implied_vol_of
from common.kernels.jit import F64, I32, I64, U8, strict_inline, strict_kernel
from common.kernels.smile import fit_smile, smile_vol

NS_PER_YEAR: Final = 365 * 86_400 * 1_000_000_000
NO_PRICE: Final = -(2**31)

#: Columns of `lot_greeks`, each for one lot bought.
DELTA_USD: Final = 0  # multiplier × delta × forward
GAMMA_USD: Final = 1  # multiplier × Γ F²: dollar delta gained per 100 % move
VEGA_USD: Final = 2  # per volatility point
THETA_USD: Final = 3  # per calendar day
VANNA_USD: Final = 4  # dollar delta gained per volatility point
VOLGA_USD: Final = 5  # vega gained per volatility point
LOT_GREEKS: Final = 6

#: Noise of a volatility quote that no spread shows (0.1 point), so that a one-tick spread does not rule a fit.
_VOL_NOISE: Final = 1e-3
#: A quote whose half spread is more than this share of its volatility says too little to be fitted.
_WIDEST: Final = 0.25
#: In-the-money quotes further than this share of the forward from it are left to their out-of-the-money twin.
_IN_THE_MONEY: Final = 0.005
_INV_SQRT_2PI: Final = 0.3989422804014327


class Contracts(NamedTuple):
    """Static columns (n,) per instrument. slice: row in `Chain` of a listed option, -1 for futures and unlisted."""

    right: F64
    underlying: I64
    slice: I64
    expiry_ns: I64
    strike: F64
    log_strike: F64
    multiplier_usd: F64
    tick_size: F64
    fee_usd: F64


class Chain(NamedTuple):
    """Listed expiries (s,) by underlying, then expiry; ``member[first[i]:first[i+1]]``: rows by strike, call first."""

    underlying: I64
    expiry_ns: I64
    first: I64
    member: I64
    of_underlying: I64  # (u + 1,): slices of underlying i are of_underlying[i] ... of_underlying[i + 1] - 1
    future: I64  # (u,): row of the future, -1 without
    carry: F64  # (u,) per year
    rate: F64  # (u,) per year


class Quotes(NamedTuple):
    """The standing quotes (n,): the arrays of a `MarketSnapshot`, not copies."""

    bid_ticks: I32
    ask_ticks: I32
    bid_size_lots: I32
    ask_size_lots: I32


class Vols(NamedTuple):
    """What quotes have become: volatility and weight (n,) per instrument, fits (s, FIT_SIZE), base prices (u,)."""

    vol: F64
    weight: F64
    fit: F64
    live: U8  # (s,) 1 where the fit stands
    dirty: U8  # (s,) 1 where a quote changed since the fit
    base_price: F64
    base_half_spread: F64  # (u,) points, of the quote that gave the base price
    base_expiry_ns: I64
    base_time_ns: I64


@strict_inline
def is_usable(bid_ticks: int, ask_ticks: int, bid_size_lots: int, ask_size_lots: int) -> bool:
    """Two-sided, uncrossed, with size on both sides: the rule of ``MarketSnapshot``."""
    priced = bid_ticks > NO_PRICE and ask_ticks > NO_PRICE and bid_ticks < ask_ticks and bid_ticks >= 0
    return bool(priced and bid_size_lots > 0 and ask_size_lots > 0)


@strict_inline
def usable_row(row: int, quotes: Quotes) -> bool:
    """`is_usable` of one row; for code outside the hot loops."""
    return is_usable(quotes.bid_ticks[row], quotes.ask_ticks[row], quotes.bid_size_lots[row], quotes.ask_size_lots[row])


@strict_inline
def mid_of(row: int, contracts: Contracts, quotes: Quotes) -> float:
    """Mid in points of a usable quote."""
    return 0.5 * (float(quotes.bid_ticks[row]) + float(quotes.ask_ticks[row])) * float(contracts.tick_size[row])


@strict_inline
def half_spread_of(row: int, contracts: Contracts, quotes: Quotes) -> float:
    """Half spread in points of a usable quote."""
    return 0.5 * (float(quotes.ask_ticks[row]) - float(quotes.bid_ticks[row])) * float(contracts.tick_size[row])


@strict_inline
def years_between(later_ns: int, earlier_ns: int) -> float:
    """ACT/365 year fraction."""
    return float(later_ns - earlier_ns) / NS_PER_YEAR


@strict_inline
def forward_of(u: int, expiry_ns: int, chain: Chain, vols: Vols) -> float:
    """Forward of an underlying for an expiry, points; NaN before its first base price."""
    carry = chain.carry[u]
    if carry == 0.0:
        return float(vols.base_price[u])
    return float(vols.base_price[u] * math.exp(carry * years_between(expiry_ns, vols.base_expiry_ns[u])))


@strict_kernel
def _parity_base(u: int, contracts: Contracts, chain: Chain, quotes: Quotes, vols: Vols, now_ns: int) -> None:
    # Forward from the call and put whose prices are nearest to each other, in the expiry that quotes it tightest.
    tightest = np.inf
    for s in range(chain.of_underlying[u], chain.of_underlying[u + 1]):
        tau = years_between(chain.expiry_ns[s], now_ns)
        if tau <= 0.0:
            continue
        nearest, forward, width = np.inf, np.nan, np.inf
        for i in range(chain.first[s], chain.first[s + 1] - 1):
            call, put = chain.member[i], chain.member[i + 1]
            if contracts.strike[call] != contracts.strike[put] or contracts.right[call] != 1.0:
                continue
            if contracts.right[put] != -1.0 or not (usable_row(call, quotes) and usable_row(put, quotes)):
                continue
            gap = mid_of(call, contracts, quotes) - mid_of(put, contracts, quotes)
            if abs(gap) < nearest:
                nearest = abs(gap)
                forward = contracts.strike[call] + gap * math.exp(chain.rate[u] * tau)
                width = half_spread_of(call, contracts, quotes) + half_spread_of(put, contracts, quotes)
        if width < tightest and forward > 0.0:
            tightest = width
            vols.base_price[u] = forward
            vols.base_half_spread[u] = width
            vols.base_expiry_ns[u] = chain.expiry_ns[s]
            vols.base_time_ns[u] = now_ns


@strict_inline
def _weigh(half: float, forward: float, strike: float, tau: float, rate: float, vol: float) -> float:
    # Inverse variance of a volatility quote: its half spread over vega, and the noise no spread shows.
    s = vol * math.sqrt(tau)
    d1 = math.log(forward / strike) / s + 0.5 * s
    vega = math.exp(-rate * tau - 0.5 * d1 * d1) * _INV_SQRT_2PI * forward * math.sqrt(tau)
    noise = half / vega
    return 1.0 / (noise * noise + _VOL_NOISE * _VOL_NOISE) if noise < _WIDEST * vol else 0.0


@strict_kernel
def absorb(u: int, rows: I64, contracts: Contracts, chain: Chain, quotes: Quotes, vols: Vols, now_ns: int) -> None:
    """Take the changed quotes ``rows`` of underlying ``u`` in: its base price first, then the volatility of each.

    An unusable quote (crossed, one-sided, empty) takes its volatility out of the fit; an unusable future leaves the
    last base price standing (`Vols.base_time_ns` says since when). Of a call and a put only the one out of the money is
    read. Updates ``vols`` in place.
    """
    future = chain.future[u]
    if future < 0:
        _parity_base(u, contracts, chain, quotes, vols, now_ns)
    elif usable_row(future, quotes):
        vols.base_price[u] = mid_of(future, contracts, quotes)
        vols.base_half_spread[u] = half_spread_of(future, contracts, quotes)
        vols.base_expiry_ns[u] = contracts.expiry_ns[future]
        vols.base_time_ns[u] = now_ns
    # Each access to a member of a tuple counts references, so the loop below sees plain arrays and numbers only.
    slices, expiry_ns, strikes, rights = contracts.slice, contracts.expiry_ns, contracts.strike, contracts.right
    ticks, bids, asks = contracts.tick_size, quotes.bid_ticks, quotes.ask_ticks
    bid_sizes, ask_sizes = quotes.bid_size_lots, quotes.ask_size_lots
    vol, weight, dirty = vols.vol, vols.weight, vols.dirty
    base, base_expiry_ns, carry, rate = vols.base_price[u], vols.base_expiry_ns[u], chain.carry[u], chain.rate[u]
    for i in range(len(rows)):
        row = rows[i]
        if slices[row] < 0:
            continue
        dirty[slices[row]] = 1
        weight[row] = 0.0
        bid, ask = bids[row], asks[row]
        tau = years_between(expiry_ns[row], now_ns)
        forward = base * math.exp(carry * years_between(expiry_ns[row], base_expiry_ns))
        strike, right = strikes[row], rights[row]
        if not (tau > 0.0 and forward > 0.0 and is_usable(bid, ask, bid_sizes[row], ask_sizes[row])):
            continue
        if right * (forward - strike) > _IN_THE_MONEY * forward:
            continue
        mid, half = 0.5 * (float(bid) + float(ask)) * ticks[row], 0.5 * (float(ask) - float(bid)) * ticks[row]
        implied = implied_vol_of(mid, forward, strike, tau, rate, right, vol[row])
        if implied > 0.0:
            vol[row] = implied
            weight[row] = _weigh(half, forward, strike, tau, rate, implied)


@strict_kernel
def refit(u: int, contracts: Contracts, chain: Chain, vols: Vols, now_ns: int) -> None:
    """Fit the smiles of ``u`` whose quotes changed; between fits a strike keeps its volatility (sticky strike)."""
    for s in range(chain.of_underlying[u], chain.of_underlying[u + 1]):
        if vols.dirty[s] == 0:
            continue
        vols.dirty[s] = 0
        vols.live[s] = 0
        tau = years_between(chain.expiry_ns[s], now_ns)
        forward = forward_of(u, chain.expiry_ns[s], chain, vols)
        if tau <= 0.0 or not forward > 0.0:
            continue
        size = chain.first[s + 1] - chain.first[s]
        k, vol, weight = np.empty(size), np.empty(size), np.empty(size)
        n = 0
        log_forward = math.log(forward)
        for i in range(chain.first[s], chain.first[s + 1]):
            row = chain.member[i]
            if vols.weight[row] > 0.0:
                k[n] = contracts.log_strike[row] - log_forward
                vol[n] = vols.vol[row]
                weight[n] = vols.weight[row]
                n += 1
        if fit_smile(k[:n], vol[:n], weight[:n], log_forward, tau, vols.fit[s]):
            vols.live[s] = 1


@strict_inline
def _slice_vol(s: int, log_strike: float, expiry_ns: int, stretch: float, u: int, chain: Chain, vols: Vols) -> float:
    # Smile s read at the log-moneyness (to the forward of expiry_ns) of a strike, times stretch.
    shift = chain.carry[u] * years_between(expiry_ns, chain.expiry_ns[s])
    return smile_vol(vols.fit[s], vols.fit[s, 0] + (log_strike - vols.fit[s, 0] - shift) * stretch)


@strict_inline
def vol_at(u: int, log_strike: float, expiry_ns: int, chain: Chain, vols: Vols, now_ns: int) -> float:
    """Volatility per √year at a strike and expiry; NaN where no smile of ``u`` stands.

    On a listed expiry its own smile. Between two: total variance linear in time at equal log-moneyness. Before the
    first or after the last: the nearest smile at equal moneyness in standard deviations.
    """
    before, after = -1, -1
    for s in range(chain.of_underlying[u], chain.of_underlying[u + 1]):
        if vols.live[s] == 0 or chain.expiry_ns[s] <= now_ns:
            continue
        if chain.expiry_ns[s] <= expiry_ns:
            before = s
        if chain.expiry_ns[s] >= expiry_ns:
            after = s
            break
    if before < 0 and after < 0:
        return np.nan
    if before == after:
        return smile_vol(vols.fit[before], log_strike)
    tau = years_between(expiry_ns, now_ns)
    if before < 0 or after < 0:
        s = max(before, after)
        stretch = math.sqrt(years_between(chain.expiry_ns[s], now_ns) / tau)
        return _slice_vol(s, log_strike, expiry_ns, stretch, u, chain, vols)
    early, late = years_between(chain.expiry_ns[before], now_ns), years_between(chain.expiry_ns[after], now_ns)
    low = _slice_vol(before, log_strike, expiry_ns, 1.0, u, chain, vols)
    high = _slice_vol(after, log_strike, expiry_ns, 1.0, u, chain, vols)
    share = (tau - early) / (late - early)
    variance = (1.0 - share) * low * low * early + share * high * high * late
    return math.sqrt(variance / tau)


@strict_kernel
def atm_vol(u: int, tenor_ns: int, chain: Chain, vols: Vols, now_ns: int) -> float:
    """At-the-money-forward volatility per √year of a tenor from now; NaN where no smile stands."""
    expiry_ns = now_ns + tenor_ns
    forward = forward_of(u, expiry_ns, chain, vols)
    return vol_at(u, math.log(forward), expiry_ns, chain, vols, now_ns) if forward > 0.0 else np.nan


@strict_kernel
def lot_greeks(rows: I64, contracts: Contracts, chain: Chain, vols: Vols, now_ns: int, out: F64) -> None:
    """Dollar Greeks of one lot of each of ``rows`` (m,) into ``out`` (m, LOT_GREEKS); columns and units above.

    A future has delta multiplier × price and nothing else. Expired contracts are zero. NaN where no price or smile
    stands. Source: Black-76 (`black76`), the smile held at its strike (no smile term in delta).
    """
    m = len(rows)
    columns = np.empty((6, m))
    greeks = np.empty((8, m))
    for i in range(m):
        row = rows[i]
        u, expiry_ns = contracts.underlying[row], contracts.expiry_ns[row]
        tau = years_between(expiry_ns, now_ns)
        option = contracts.right[row] != 0.0 and tau > 0.0
        columns[0, i] = forward_of(u, expiry_ns, chain, vols)
        columns[1, i] = contracts.strike[row]
        columns[2, i] = tau
        columns[3, i] = vol_at(u, contracts.log_strike[row], expiry_ns, chain, vols, now_ns) if option else 0.0
        columns[4, i] = chain.rate[u]
        columns[5, i] = contracts.right[row] if option else 1.0
    black76(columns[0], columns[1], columns[2], columns[3], columns[4], columns[5], greeks)
    for i in range(m):
        row = rows[i]
        size, forward = contracts.multiplier_usd[row], columns[0, i]
        for g in range(6):
            out[i, g] = 0.0
        if columns[2, i] <= 0.0:
            continue
        if contracts.right[row] == 0.0:
            out[i, 0] = size * forward
            continue
        out[i, 0] = size * forward * greeks[1, i]
        out[i, 1] = size * forward * forward * greeks[2, i]
        out[i, 2] = size * 0.01 * greeks[3, i]
        out[i, 3] = size * greeks[4, i] / 365.0
        out[i, 4] = size * forward * 0.01 * greeks[6, i]
        out[i, 5] = size * 1e-4 * greeks[7, i]
