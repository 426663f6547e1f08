"""The loops of one netting decision beside its solve: prices, whole lots, limits, and whether any lot can pay at all.

What they compute is said where they are called (``manager/lots.py``, ``manager/problem.py``, ``manager/risk_price.py``). They are
compiled because a decision happens once in many milliseconds: hundreds of small array calls, each cold in the caches by
then, took several times as long as the arithmetic. Every operation rounds by itself and in one order, so that a decision is
the same wherever it is made. f factors, m instruments, k rows; trades are signed lots (m,), or z+ and z- (2m,).
*Tested by* tests/unit/test_kernels_netting.py, tests/properties/test_netting_lots.py.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from common.kernels.jit import F64, I64, exact_inline, exact_kernel

#: A trade this far beyond a cap or row is still inside it.
_SLACK: Final = 1e-9
#: A single lot must lower the objective by this share of it to be worth a move.
_BETTER: Final = 1e-9
#: Moves of a single lot beyond two per instrument. Rounding alone needs few; where the start had to be truncated, or the
#: solver's distance in the metric of W is not the one whole lots are judged by, a desk alone took up to a hundred. Each lowers
#: the objective, so they end by themselves: this bounds the time.
MORE_MOVES: Final = 200
#: The solver holds bounds and rows to 1e-7: a trade that ought to be 4.9999998 lots may come as 5, but not once it is
#: smaller by this share.
_HAIR: Final = 1e-6


@exact_inline
def outside_by(exposure: float, lower: float, upper: float) -> float:
    """Signed distance to an interval: positive above, negative below, 0 inside."""
    if exposure > upper:
        return exposure - upper
    if exposure < lower:
        return exposure - lower
    return 0.0


@exact_inline
def _of_risk(r: F64, kink: F64, risk: F64) -> float:
    """kink'|r| + ½ r'Wr over the entries that are not 0."""
    total = 0.0
    for i in range(len(r)):
        if r[i] != 0.0:
            pull = 0.0
            for j in range(len(r)):
                if r[j] != 0.0:
                    pull += risk[i, j] * r[j]
            total += kink[i] * abs(r[i]) + 0.5 * r[i] * pull
    return total


@exact_inline
def of_trade(size: float, cost: float, impact: float, root: float) -> float:
    """Cost of ``size`` >= 0 lots: linear, ½ impact size², root size^1.5."""
    total = cost * size + 0.5 * impact * size * size
    if root != 0.0:
        total += root * size * math.sqrt(size)
    return total


@exact_kernel
def standing(exposure: F64, lower: F64, upper: F64, kink: F64, risk: F64) -> tuple[F64, F64]:
    """(r, price), (f,) each: what stands outside, and what a unit of it costs at the margin before any trade."""
    f = len(exposure)
    r, price = np.empty(f), np.empty(f)
    for i in range(f):
        r[i] = outside_by(exposure[i], lower[i], upper[i])
    for i in range(f):
        total = 0.0
        for j in range(f):
            if r[j] != 0.0:
                total += risk[i, j] * r[j]
        price[i] = total + (kink[i] if r[i] > 0.0 else -kink[i] if r[i] < 0.0 else 0.0)
    return r, price


@exact_kernel
def any_lot_pays(r: F64, price: F64, sensitivity: F64, cost: F64, buy_cap: F64, sell_cap: F64) -> bool:
    """Whether a lot of some instrument gives back more at the standing price than it costs."""
    f, m = sensitivity.shape
    for j in range(m):
        buy = sell = 0.0
        for i in range(f):
            if r[i] == 0.0:
                continue
            inward = -sensitivity[i, j] if r[i] > 0.0 else sensitivity[i, j]
            worth = abs(price[i]) * min(abs(inward), abs(r[i]))
            if inward > 0.0:
                buy += worth
            else:
                sell += worth
        if (buy > cost[j] and buy_cap[j] >= 1.0) or (sell > cost[j] and sell_cap[j] >= 1.0):
            return True
    return False


@exact_kernel
def objective(
    exposure: F64,
    lower: F64,
    upper: F64,
    kink: F64,
    risk: F64,
    sensitivity: F64,
    cost: F64,
    impact: F64,
    root: F64,
    lots: F64,
) -> float:
    """Cost of a trade and of the risk it leaves outside, USD."""
    f, m = sensitivity.shape
    r = exposure.copy()
    trading = 0.0
    for j in range(m):
        if lots[j] != 0.0:
            trading += of_trade(abs(lots[j]), cost[j], impact[j], root[j])
            for i in range(f):
                r[i] += sensitivity[i, j] * lots[j]
    for i in range(f):
        r[i] = outside_by(r[i], lower[i], upper[i])
    return trading + _of_risk(r, kink, risk)


@exact_inline
def _allowed(lots: F64, buy_cap: F64, sell_cap: F64, rows: F64, room: F64) -> bool:
    m = len(lots)
    for j in range(m):
        if lots[j] > buy_cap[j] + _SLACK or -lots[j] > sell_cap[j] + _SLACK:
            return False
    for k in range(len(room)):
        used = 0.0
        for j in range(m):
            if lots[j] > 0.0:
                used += rows[k, j] * lots[j]
            elif lots[j] < 0.0:
                used += rows[k, m + j] * -lots[j]
        if not used <= room[k] * (1.0 + _SLACK) + _SLACK:
            return False
    return True


@exact_inline
def _near(solution: F64, buy_cap: F64, sell_cap: F64, rows: F64, room: F64) -> F64:
    """The first that is allowed: the nearest whole lots, those toward no trade, these of a trade smaller by a hair, none."""
    lots = np.rint(solution)
    if not _allowed(lots, buy_cap, sell_cap, rows, room):
        lots = np.trunc(solution)
    if not _allowed(lots, buy_cap, sell_cap, rows, room):
        lots = np.trunc(solution * (1.0 - _HAIR))
    if not _allowed(lots, buy_cap, sell_cap, rows, room):
        lots = np.zeros(len(solution))
    return lots


@exact_kernel
def _repaired(
    exposure: F64,
    lower: F64,
    upper: F64,
    kink: F64,
    risk: F64,
    sensitivity: F64,
    cost: F64,
    impact: F64,
    root: F64,
    buy_cap: F64,
    sell_cap: F64,
    rows: F64,
    room: F64,
    start: F64,
    moves: int,
) -> tuple[F64, float]:
    """(lots (m,), their objective): from whole lots the best single-lot move, again and again until none pays."""
    f, m = sensitivity.shape
    lots = start.copy()
    value, r, left = np.empty(2 * m), np.empty(f), np.empty(f)
    args = (exposure, lower, upper, kink, risk, sensitivity, cost, impact, root)
    now = objective(*args, lots)
    for _ in range(moves):
        for i in range(f):
            left[i] = exposure[i]
        trading = 0.0
        for j in range(m):
            if lots[j] != 0.0:
                trading += of_trade(abs(lots[j]), cost[j], impact[j], root[j])
                for i in range(f):
                    left[i] += sensitivity[i, j] * lots[j]
        for k in range(2 * m):
            j = k % m
            step = 1.0 if k < m else -1.0
            for i in range(f):
                r[i] = outside_by(left[i] + step * sensitivity[i, j], lower[i], upper[i])
            old, new = abs(lots[j]), abs(lots[j] + step)
            change = of_trade(new, cost[j], impact[j], root[j]) - of_trade(old, cost[j], impact[j], root[j])
            value[k] = trading + change + _of_risk(r, kink, risk)
        moved = False
        while True:
            best = 0
            for k in range(1, 2 * m):
                if value[k] < value[best]:
                    best = k
            if not value[best] < now - _BETTER * max(1.0, abs(now)):
                break
            step = 1.0 if best < m else -1.0
            lots[best % m] += step
            if _allowed(lots, buy_cap, sell_cap, rows, room):
                now, moved = value[best], True
                break
            lots[best % m] -= step
            value[best] = np.inf
        if not moved:
            break
    return lots, objective(*args, lots)


@exact_kernel
def whole_lots(
    exposure: F64,
    lower: F64,
    upper: F64,
    kink: F64,
    risk: F64,
    sensitivity: F64,
    cost: F64,
    impact: F64,
    root: F64,
    buy_cap: F64,
    sell_cap: F64,
    rows: F64,
    room: F64,
    solution: F64,
) -> tuple[F64, float]:
    """(lots (m,), what they gain over no trade, USD): the nearest whole lots that are allowed, then the best single-lot
    move, again and again until none pays, at most 2m + ``MORE_MOVES``; where that gains nothing the same from no trade. Ties
    by lowest instrument, buying first."""
    m = len(cost)
    given = exposure, lower, upper, kink, risk, sensitivity, cost, impact, root, buy_cap, sell_cap, rows, room
    none, most = np.zeros(m), 2 * m + MORE_MOVES
    before = objective(exposure, lower, upper, kink, risk, sensitivity, cost, impact, root, none)
    near = _near(solution, buy_cap, sell_cap, rows, room)
    lots, after = _repaired(*given, near, most)
    if after >= before and near.any():
        lots, after = _repaired(*given, none, most)
    return lots, before - after


@exact_kernel
def dearest(sensitivity: F64, cost: F64, kink_multiple: float, admissible_multiple: float) -> tuple[F64, F64]:
    """(w, dearest admissible) in USD per unit, (f,): see ``manager.risk_price.kinks``."""
    f, m = sensitivity.shape
    w, admissible = np.zeros(f), np.zeros(f)
    for i in range(f):
        cheapest = np.inf
        for j in range(m):
            effect = abs(sensitivity[i, j])
            if effect > 1e-9:
                cheapest = min(cheapest, cost[j] / effect)
        admitted = 0.0
        for j in range(m):
            effect = abs(sensitivity[i, j])
            if effect > 1e-9:
                ratio = cost[j] / effect
                if ratio <= admissible_multiple * cheapest:
                    admitted = max(admitted, ratio)
        w[i], admissible[i] = kink_multiple * admitted, admitted
    return w, admissible


@exact_kernel
def risk_growth(items: F64, covariance: F64, pull: F64) -> float:
    """Most by which any subset of ``items`` (k, f) raises x'Cx, given C x = ``pull``: see ``manager.budgets_gate``."""
    k, f = items.shape
    total = 0.0
    moved = np.empty(f)
    for a in range(k):
        grows = 0.0
        for i in range(f):
            moved[i] = 0.0
            for j in range(f):
                moved[i] += items[a, j] * covariance[j, i]
            grows += 2.0 * items[a, i] * pull[i]
        for b in range(k):
            between = 0.0
            for i in range(f):
                between += moved[i] * items[b, i]
            grows += between if a == b else max(between, 0.0)
        total += max(grows, 0.0)
    return total


@exact_kernel
def common_variance(
    sensitivity: F64, common_rows: I64, delta_rows: I64, futures: I64, returns: F64, sigma: F64, shrink: float
) -> tuple[float, F64]:
    """(variance of the common factor, what each underlying (u,) keeps of its own): see ``manager.risk_price``.

    ``sensitivity`` (all factors, n); of each desk its row of the common factor and, per underlying, of the delta.
    """
    u = len(futures)
    beta, left = np.ones(u), np.empty(u)
    for k in range(u):
        for d in range(len(common_rows)):
            ratio = sensitivity[common_rows[d], futures[k]] / sensitivity[delta_rows[d * u + k], futures[k]]
            if np.isfinite(ratio):
                beta[k] = ratio
                break
    least, above, below = np.inf, 0.0, 0.0
    for i in range(u):
        own = returns[i, i] * (sigma[i] * sigma[i])
        least = min(least, own / max(beta[i] * beta[i], 1e-12))
        for j in range(u):
            if i != j:
                both = beta[i] * beta[j]
                above += returns[i, j] * (sigma[i] * sigma[j]) * both
                below += both * both
    most = (1.0 - shrink) * least
    fitted = above / below if below > 0.0 else most
    variance = min(max(fitted, shrink * most), most)
    for i in range(u):
        left[i] = returns[i, i] * (sigma[i] * sigma[i]) - variance * (beta[i] * beta[i])
    return variance, left


@exact_kernel
def moved_rows(sensitivity: F64) -> I64:
    """Factors that some instrument moves, ascending; one it moves by an unknown amount (NaN) counts as not moved by it."""
    f, m = sensitivity.shape
    out, k = np.empty(f, np.int64), 0
    for i in range(f):
        for j in range(m):
            if abs(sensitivity[i, j]) > 0.0:
                out[k] = i
                k += 1
                break
    return out[:k].copy()


@exact_kernel
def limit_rows(
    sensitivity: F64,
    hard: F64,
    highest: F64,
    lowest: F64,
    cost_usd: F64,
    notional_usd: F64,
    owner: I64,
    left_usd: F64,
    more: F64,
    more_room: F64,
) -> tuple[F64, F64]:
    """Rows (k, 2m) on (z+, z-) and their room (k,): see ``manager.problem``.

    Hard limits both ways of every factor that has one (``hard``, ``highest``, ``lowest`` (f,)), then cost and notional of
    the firm and of each underlying (``owner`` (m,), room ``left_usd`` (1 + u, 2)), then ``more`` (e, 2m).
    """
    f, m = sensitivity.shape
    n = 0
    for i in range(f):
        n += int(np.isfinite(hard[i]))
    scopes, extra = len(left_usd), len(more)
    rows, room = np.zeros((2 * n + 2 * scopes + extra, 2 * m)), np.empty(2 * n + 2 * scopes + extra)
    at = 0
    for i in range(f):
        if not np.isfinite(hard[i]):
            continue
        for j in range(m):
            up, down = max(sensitivity[i, j], 0.0), max(-sensitivity[i, j], 0.0)
            rows[at, j], rows[at, m + j], rows[n + at, j], rows[n + at, m + j] = up, down, down, up
        room[at], room[n + at] = max(hard[i] - highest[i], 0.0), max(hard[i] + lowest[i], 0.0)
        at += 1
    for k in range(scopes):
        at = 2 * (n + k)
        for j in range(m):
            if k == 0 or owner[j] == k - 1:
                rows[at, j] = rows[at, m + j] = cost_usd[j]
                rows[at + 1, j] = rows[at + 1, m + j] = notional_usd[j]
        room[at], room[at + 1] = left_usd[k, 0], left_usd[k, 1]
    for k in range(extra):
        rows[2 * (n + scopes) + k], room[2 * (n + scopes) + k] = more[k], more_room[k]
    return rows, room


@exact_kernel
def alone(rows: F64, room: F64) -> F64:
    """Most (z+, z-), (2m,) whole lots, that the rows allow of each where nothing else is traded; infinite without a row."""
    k, m2 = rows.shape
    out = np.full(m2, np.inf)
    for i in range(k):
        for j in range(m2):
            if rows[i, j] > 0.0:
                out[j] = min(out[j], room[i] / rows[i, j])
    for j in range(m2):
        out[j] = np.floor(out[j])
    return out
