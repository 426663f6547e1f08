"""The loops of one netting decision: scaled programmes, whole lots, and whether any lot can pay at all.

What they compute is said where they are called (``manager/netting.py``, ``manager/lots.py``, ``manager/problem.py``). They are
compiled because a decision happens once in many milliseconds: hundreds of small array calls, each cold in the caches by
then, took several times as long as the arithmetic. Every operation rounds by itself and in one order, so that a decision is
the same wherever it is made. f factors, m instruments, k rows; trades are signed lots (m,), or z+ and z- (2m,).
*Tested by* tests/unit/test_kernels_netting.py, tests/properties/test_netting_lots.py, tests/properties/test_netting_solvers.py.
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


@exact_inline
def _outside(exposure: float, lower: float, upper: float) -> float:
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
def _of_trade(size: float, cost: float, impact: float, root: float) -> float:
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
        r[i] = _outside(exposure[i], lower[i], upper[i])
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
            trading += _of_trade(abs(lots[j]), cost[j], impact[j], root[j])
            for i in range(f):
                r[i] += sensitivity[i, j] * lots[j]
    for i in range(f):
        r[i] = _outside(r[i], lower[i], upper[i])
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
    move, again and again, at most twice per instrument. Ties by lowest instrument, buying first."""
    f, m = sensitivity.shape
    lots = np.rint(solution)
    if not _allowed(lots, buy_cap, sell_cap, rows, room):
        lots = np.trunc(solution)
    value, r, left = np.empty(2 * m), np.empty(f), np.empty(f)
    args = (exposure, lower, upper, kink, risk, sensitivity, cost, impact, root)
    now = objective(*args, lots)
    for _ in range(2 * m):
        for i in range(f):
            left[i] = exposure[i]
        trading = 0.0
        for j in range(m):
            if lots[j] != 0.0:
                trading += _of_trade(abs(lots[j]), cost[j], impact[j], root[j])
                for i in range(f):
                    left[i] += sensitivity[i, j] * lots[j]
        for k in range(2 * m):
            j = k % m
            step = 1.0 if k < m else -1.0
            for i in range(f):
                r[i] = _outside(left[i] + step * sensitivity[i, j], lower[i], upper[i])
            old, new = abs(lots[j]), abs(lots[j] + step)
            change = _of_trade(new, cost[j], impact[j], root[j]) - _of_trade(old, cost[j], impact[j], root[j])
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
    return lots, objective(*args, np.zeros(m)) - objective(*args, lots)


@exact_kernel
def scaled(
    exposure: F64,
    lower: F64,
    upper: F64,
    kink: F64,
    risk: F64,
    sensitivity: F64,
    cost: F64,
    impact: F64,
    buy_cap: F64,
    sell_cap: F64,
    rows: F64,
    room: F64,
    spread: float,
    ridge: float,
    free: float,
) -> tuple[F64, float, F64, F64, F64, F64, F64, F64, F64, F64, F64, F64]:
    """(unit, money, s, extra, linear, curved, risk, apart, kink, cap, lower, upper) of a programme in lots and mean costs.

    ``free``: a bound that is none. Rows that no trade within the caps can fill are left out.
    """
    f, m = sensitivity.shape
    unit = np.empty(f)
    s = np.empty((f, m))
    for i in range(f):
        most = 0.0
        for j in range(m):
            most = max(most, abs(sensitivity[i, j]))
        unit[i] = max(most, 1e-9)
        for j in range(m):
            s[i, j] = sensitivity[i, j] / unit[i]
    money = 0.0
    for j in range(m):
        money += cost[j]
    money /= m
    cap = np.full(2 * m + 2 * f, free)
    linear, curved = np.empty(2 * m), np.empty(2 * m)
    for j in range(m):
        cap[j], cap[m + j] = buy_cap[j], sell_cap[j]
        linear[j] = linear[m + j] = cost[j] / money
        curved[j] = curved[m + j] = impact[j] / money + ridge
    tight = np.empty(len(room), np.int64)
    t = 0
    for k in range(len(room)):
        used = 0.0
        for j in range(2 * m):
            used += rows[k, j] * cap[j]
        if used > room[k]:
            tight[t] = k
            t += 1
    extra = np.empty((t, 2 * m))
    below, above = np.full(f + t, -free), np.empty(f + t)
    for i in range(t):
        k = tight[i]
        size = 1e-12
        for j in range(2 * m):
            size = max(size, rows[k, j])
        for j in range(2 * m):
            extra[i, j] = rows[k, j] / size
        above[f + i] = min(room[k] / size, free)
    scaled_risk, apart, scaled_kink = np.empty((f, f)), np.empty((f, f)), np.empty(f)
    for i in range(f):
        below[i] = max((lower[i] - exposure[i]) / unit[i], -free)
        above[i] = min((upper[i] - exposure[i]) / unit[i], free)
        scaled_kink[i] = kink[i] * unit[i] / money
        for j in range(f):
            scaled_risk[i, j] = risk[i, j] * (unit[i] * unit[j] / money)
            apart[i, j] = -scaled_risk[i, j]
        apart[i, i] = spread * scaled_risk[i, i] - scaled_risk[i, i]
    return unit, money, s, extra, linear, curved, scaled_risk, apart, scaled_kink, cap, below, above


@exact_kernel
def part(
    s: F64, extra: F64, linear: F64, curved: F64, risk: F64, apart: F64, kink: F64, ridge: float, used: I64
) -> tuple[F64, F64, F64]:
    """(Hessian (n, n), gradient (n,), rows (f + t, n)) of the n columns ``used`` of z+, z-, r+, r-, ascending."""
    f, m = s.shape
    t, n = len(extra), len(used)
    hessian, gradient, rows = np.zeros((n, n)), np.empty(n), np.zeros((f + t, n))
    for a in range(n):
        column = used[a]
        if column < 2 * m:
            hessian[a, a] = curved[column]
            gradient[a] = linear[column]
            side = 1.0 if column < m else -1.0
            for i in range(f):
                rows[i, a] = side * s[i, column % m]
            for i in range(t):
                rows[f + i, a] = extra[i, column]
            continue
        at = column - 2 * m
        row, under = at % f, at >= f
        gradient[a] = kink[row]
        rows[row, a] = 1.0 if under else -1.0
        for b in range(n):
            if used[b] >= 2 * m:
                other = used[b] - 2 * m
                same = (other >= f) == under
                hessian[a, b] = risk[row, other % f] if same else apart[row, other % f]
        hessian[a, a] += ridge
    return hessian, gradient, rows


@exact_kernel
def reduced(
    s: F64, extra: F64, linear: F64, curved: F64, risk: F64, apart: F64, kink: F64, x: F64, multipliers: F64
) -> F64:
    """Reduced costs of all columns z+, z-, r+, r-, (2m + 2f,)."""
    f, m = s.shape
    out = np.empty(2 * m + 2 * f)
    for j in range(m):
        pull = 0.0
        for i in range(f):
            pull += s[i, j] * multipliers[i]
        out[j] = linear[j] + curved[j] * x[j] + pull
        out[m + j] = linear[m + j] + curved[m + j] * x[m + j] - pull
    for j in range(2 * m):
        for k in range(len(extra)):
            out[j] += extra[k, j] * multipliers[f + k]
    up, down = x[2 * m : 2 * m + f], x[2 * m + f :]
    for i in range(f):
        same = apart_from = 0.0
        for j in range(f):
            if up[j] != 0.0 or down[j] != 0.0:
                same += risk[i, j] * up[j] + apart[i, j] * down[j]
                apart_from += apart[i, j] * up[j] + risk[i, j] * down[j]
        out[2 * m + i] = kink[i] + same - multipliers[i]
        out[2 * m + f + i] = kink[i] + apart_from + multipliers[i]
    return out


@exact_kernel
def first_columns(
    r: F64, standing_price: F64, warm_price: F64, sensitivity: F64, cost: F64, nearly: float
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Trades that pay, or nearly, at either price; residuals that stand outside now. (2m + 2f,) True where to begin."""
    f, m = sensitivity.shape
    out = np.zeros(2 * m + 2 * f, np.bool_)
    for j in range(m):
        at_rest = at_warm = 0.0
        for i in range(f):
            at_rest += standing_price[i] * sensitivity[i, j]
            at_warm += warm_price[i] * sensitivity[i, j]
        out[j] = -at_rest > nearly * cost[j] or -at_warm > nearly * cost[j]
        out[m + j] = at_rest > nearly * cost[j] or at_warm > nearly * cost[j]
    for i in range(f):
        out[2 * m + i], out[2 * m + f + i] = r[i] > 0.0, r[i] < 0.0
    return out


@exact_kernel
def dual_start(
    exposure: F64,
    lower: F64,
    upper: F64,
    sensitivity: F64,
    cost: F64,
    impact: F64,
    unit: F64,
    money: float,
    s: F64,
    risk: F64,
    kink: F64,
    cap: F64,
    rows: int,
    lots: F64,
    price: F64,
) -> tuple[F64, F64]:
    """Multipliers (2m + 2f,) of the columns and (rows,) of the rows at a neighbouring solution: lots (m,), price (f,)."""
    f, m = sensitivity.shape
    mu, r = np.empty(f), exposure.copy()
    for j in range(m):
        if lots[j] != 0.0:
            for i in range(f):
                r[i] += sensitivity[i, j] * lots[j]
    for i in range(f):
        mu[i] = price[i] * unit[i] / money
        r[i] = _outside(r[i], lower[i], upper[i]) / unit[i]
    out, of_rows = np.zeros(2 * m + 2 * f), np.zeros(rows)
    for j in range(m):
        pull = 0.0
        for i in range(f):
            pull += s[i, j] * mu[i]
        slope = (cost[j] + impact[j] * abs(lots[j])) / money
        for side in range(2):
            z = max(lots[j] if side == 0 else -lots[j], 0.0)
            gain = -(slope + pull) if side == 0 else -(slope - pull)
            if z <= 0.0:
                out[side * m + j] = min(gain, 0.0)
            elif z >= cap[side * m + j]:
                out[side * m + j] = max(gain, 0.0)
    for i in range(f):
        lean = mu[i]
        for j in range(f):
            if r[j] != 0.0:
                lean -= risk[i, j] * r[j]
        if r[i] <= 0.0:
            out[2 * m + i] = min(lean - kink[i], 0.0)
        if r[i] >= 0.0:
            out[2 * m + f + i] = min(-lean - kink[i], 0.0)
        of_rows[i] = mu[i]
    return out, of_rows


@exact_kernel
def dearest(sensitivity: F64, cost: F64, kink_multiple: float, admissible_multiple: float) -> tuple[F64, F64]:
    """(w, dearest) in USD per unit, (f,): see ``manager.risk_price.kinks``."""
    f, m = sensitivity.shape
    w, most = np.zeros(f), np.zeros(f)
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
                most[i] = max(most[i], ratio)
                if ratio <= admissible_multiple * cheapest:
                    admitted = max(admitted, ratio)
        w[i] = kink_multiple * admitted
    return w, most


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
