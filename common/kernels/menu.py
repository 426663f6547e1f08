"""The columns of a decision's menu: what may be traded now, what a lot costs, how many may be ordered.

What they mean is said in ``manager/menu.py``; why they are compiled in ``netting.py`` beside this file. n instruments of the
universe, m of them asked about (``at``), f factors, u underlyings. Quotes are ticks and lots as they stand, (n,).
*Tested by* tests/unit/test_kernels_menu.py, tests/unit/test_manager_menu.py.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from common.kernels.jit import F64, I32, I64, U8, Bools, exact_kernel
from common.units import NO_PRICE

U16 = NDArray[np.uint16]


@exact_kernel
def tradable(
    at: I64,
    listed: U8,
    underlying: U16,
    kind: U8,
    option: int,
    bid_ticks: I32,
    ask_ticks: I32,
    bid_size_lots: I32,
    ask_size_lots: I32,
    usable: Bools,
    watched: Bools,
    fronts: I64,
    rolls: bool,
    out: Bools,
) -> Bools:
    """(m,) True where an instrument of ``at`` is listed, quoted on both sides with size, and may be traded at all.

    ``usable``, ``watched`` (u,): underlyings that may be traded; whose delta somebody watches. Where futures roll
    hedges are made in the front alone, ``fronts`` (u,); the others are left by the roll. ``out`` (n,): what rests.
    """
    ok = np.empty(len(at), np.bool_)
    for k in range(len(at)):
        j = at[k]
        u, bid, ask = underlying[j], bid_ticks[j], ask_ticks[j]
        quoted = bid > NO_PRICE and ask > NO_PRICE and bid < ask and bid >= 0
        sized = bid_size_lots[j] > 0 and ask_size_lots[j] > 0
        front = kind[j] == option or not rolls or fronts[u] == j
        ok[k] = (
            listed[j] != 0
            and usable[u]
            and quoted
            and sized
            and (watched[u] or kind[j] != option)
            and front
            and not out[j]
        )
    return ok


@exact_kernel
def known(at: I64, live: I64, stated: Bools, nature: Bools) -> Bools:
    """(m,) True where every live factor's change by the instrument is stated now or zero by nature; both (f, n)."""
    ok = np.empty(len(at), np.bool_)
    for k in range(len(at)):
        ok[k] = True
        for i in live:
            if not (stated[i, at[k]] or nature[i, at[k]]):
                ok[k] = False
                break
    return ok


@exact_kernel
def dealt(
    at: I64,
    bid_ticks: I32,
    ask_ticks: I32,
    bid_size_lots: I32,
    ask_size_lots: I32,
    tick_cents: F64,
    fee_cents: I64,
    shares: F64,
    unique: float,
    cents: float,
) -> tuple[F64, F64, F64, I64, I64]:
    """(cost, impact, root in USD a lot, a lot², a lot^1.5; cost and notional in cents that a lot reserves), (m,) each.

    ``shares`` (3, n): of the half spread, that each of the three charges; ``unique``: of the cost, what impact is at least;
    ``cents`` in a dollar.
    """
    m = len(at)
    cost, impact, root = np.empty(m), np.empty(m), np.empty(m)
    cost_cents, notional_cents = np.empty(m, np.int64), np.empty(m, np.int64)
    for k in range(m):
        j = at[k]
        bid, ask = float(bid_ticks[j]), float(ask_ticks[j])
        half = 0.5 * (ask - bid) * tick_cents[j]
        size = float(min(bid_size_lots[j], ask_size_lots[j]))
        cost[k] = max(shares[0, j] * half + fee_cents[j], 0.01) / cents
        impact[k] = shares[1, j] * half / cents / size + unique * cost[k]
        root[k] = shares[2, j] * half / cents / math.sqrt(size)
        cost_cents[k] = math.ceil(half) + fee_cents[j]
        notional_cents[k] = math.ceil(ask * tick_cents[j])
    return cost, impact, root, cost_cents, notional_cents


@exact_kernel
def ordered(
    at: I64,
    bid_size_lots: I32,
    ask_size_lots: I32,
    quote_share: float,
    most_buy: F64,
    most_sell: F64,
    own: I64,
    rests: Bools,
) -> tuple[F64, F64, F64, F64]:
    """(lots that may be bought, sold; that could be, did nothing of ours work), (m,) each.

    ``most_buy``, ``most_sell`` (m,): of one order; ``own`` (m,): signed lots that work; nothing may be ordered where it
    ``rests``, nor against an order of our own, which it could trade with.
    """
    m = len(at)
    buy, sell, shown_buy, shown_sell = np.empty(m), np.empty(m), np.empty(m), np.empty(m)
    for k in range(m):
        shown_buy[k] = min(math.floor(ask_size_lots[at[k]] * quote_share), most_buy[k])
        shown_sell[k] = min(math.floor(bid_size_lots[at[k]] * quote_share), most_sell[k])
        working = float(own[k])
        buy[k] = 0.0 if rests[k] or working < 0.0 else max(shown_buy[k] - max(working, 0.0), 0.0)
        sell[k] = 0.0 if rests[k] or working > 0.0 else max(shown_sell[k] - max(-working, 0.0), 0.0)
    return buy, sell, shown_buy, shown_sell
