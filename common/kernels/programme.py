"""The interval programme as DAQP takes it: scaled, the matrices of a part of its columns, reduced costs, a first active set.

What it is: top of ``manager/netting.py``. Why it is compiled: ``netting.py`` beside this file. f factors, m instruments, k rows,
t of them tight; columns are z+, z-, r+, r- (2m + 2f).
*Tested by* tests/unit/test_kernels_netting.py, tests/properties/test_netting_solvers.py.
"""

from __future__ import annotations

import numpy as np

from common.kernels.jit import F64, I64, Bools, exact_inline, exact_kernel
from common.kernels.netting import outside_by

#: unit, money, s, extra, linear, curved, risk, apart, kink, cap, lower, upper, free: see ``scaled``.
Scaled = tuple[F64, float, F64, F64, F64, F64, F64, F64, F64, F64, F64, F64, Bools]


@exact_inline
def _tight(rows: F64, room: F64, cap: F64, free: float) -> tuple[F64, F64]:
    """The rows (t, 2m) that trades within the caps can fill, each divided by its largest entry, and their room."""
    m2 = rows.shape[1]
    index, t = np.empty(len(room), np.int64), 0
    for k in range(len(room)):
        used = 0.0
        for j in range(m2):
            used += rows[k, j] * cap[j]
        if used > room[k]:
            index[t] = k
            t += 1
    extra, left = np.empty((t, m2)), np.empty(t)
    for i in range(t):
        k = index[i]
        size = 1e-12
        for j in range(m2):
            size = max(size, rows[k, j])
        for j in range(m2):
            extra[i, j] = rows[k, j] / size
        left[i] = min(room[k] / size, free)
    return extra, left


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
) -> Scaled:
    """(unit, money, s, extra, linear, curved, risk, apart, kink, cap, lower, upper, free) in lots and mean costs.

    ``free``: a bound that is none; what comes back under that name are the columns that may move. What a row without room
    holds at zero has a cap of 0. Rows that no trade within the caps can fill are left out.
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
    # Such a corner the solver finds hard to see: with the caps at 0 the row can no longer be filled and drops out.
    for k in range(len(room)):
        if room[k] <= 0.0:
            for j in range(2 * m):
                if rows[k, j] > 0.0:
                    cap[j] = 0.0
    extra, left = _tight(rows, room, cap, free)
    below, above = np.full(f + len(left), -free), np.empty(f + len(left))
    for k in range(len(left)):  # a loop: the assignment of a slice takes seconds to compile
        above[f + k] = left[k]
    scaled_risk, apart, scaled_kink = np.empty((f, f)), np.empty((f, f)), np.empty(f)
    for i in range(f):
        below[i] = max((lower[i] - exposure[i]) / unit[i], -free)
        above[i] = min((upper[i] - exposure[i]) / unit[i], free)
        scaled_kink[i] = kink[i] * unit[i] / money
        for j in range(f):
            scaled_risk[i, j] = risk[i, j] * (unit[i] * unit[j] / money)
            apart[i, j] = -scaled_risk[i, j]
        apart[i, i] = spread * scaled_risk[i, i] - scaled_risk[i, i]
    moves = cap > 0.0
    return unit, money, s, extra, linear, curved, scaled_risk, apart, scaled_kink, cap, below, above, moves


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
    r: F64, standing_price: F64, warm_price: F64, sensitivity: F64, cost: F64, nearly: float, most: int
) -> Bools:
    """Trades that pay, or nearly, at either price; residuals that stand outside now. (2m + 2f,) True where to begin.

    At the standing price no more than the ``most`` instruments that pay best (and their equals): a solution trades few.
    """
    f, m = sensitivity.shape
    out, pays = np.zeros(2 * m + 2 * f, np.bool_), np.empty(m)
    for j in range(m):
        at_rest = at_warm = 0.0
        for i in range(f):
            at_rest += standing_price[i] * sensitivity[i, j]
            at_warm += warm_price[i] * sensitivity[i, j]
        pays[j] = abs(at_rest) / cost[j]
        out[j], out[m + j] = -at_rest > nearly * cost[j], at_rest > nearly * cost[j]
        # What pays at the warm price begins whatever its place.
        if abs(at_warm) > nearly * cost[j]:
            out[j], out[m + j] = out[j] or at_warm < 0.0, out[m + j] or at_warm > 0.0
            pays[j] = np.inf
    if m > most:
        least = np.sort(pays)[m - most]
        for j in range(m):
            if pays[j] < least:
                out[j] = out[m + j] = False
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
        r[i] = outside_by(r[i], lower[i], upper[i]) / unit[i]
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
