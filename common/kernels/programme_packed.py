"""The interval programme in one array, and the steps of a solve around DAQP: opened, narrowed, judged, unscaled.

One array passes from step to step where a dozen, each of them counted, would cost more than most steps do. f factors, m
instruments, k rows; columns are z+, z-, r+, r- (2m + 2f). The solve that takes these steps: ``programme_solve.py``; what for:
``manager/netting.py``.
*Tested by* tests/unit/test_kernels_netting.py, tests/properties/test_netting_solvers.py.
"""

from __future__ import annotations

import numpy as np

from common.kernels.jit import F64, I64, Bools, exact_inline, exact_kernel
from common.kernels.netting import standing
from common.kernels.programme import Scaled, dual_start, first_columns, part, reduced, scaled

Parts = tuple[F64, F64, F64, F64, F64, F64, F64, F64, F64, F64, F64]


@exact_inline
def packed(of: Scaled) -> F64:
    """``scaled`` but ``free`` in one array, as ``parts`` takes it apart."""
    unit, money, s, extra, linear, curved, risk, apart, kink, cap, lower, upper, _ = of
    f, m, t = len(unit), s.shape[1], len(extra)
    out = np.empty(1 + 2 * f + f * m + 2 * m * t + 4 * m + 2 * f * f + 2 * m + 2 * f + 2 * (f + t))
    out[0] = money
    to = parts(out, f, m)
    for i in range(f):  # loops: each assignment of a slice takes seconds to compile
        to[0][i], to[7][i] = unit[i], kink[i]
        for j in range(m):
            to[1][i, j] = s[i, j]
        for j in range(f):
            to[5][i, j], to[6][i, j] = risk[i, j], apart[i, j]
    for k in range(t):
        for j in range(2 * m):
            to[2][k, j] = extra[k, j]
    for j in range(2 * m):
        to[3][j], to[4][j] = linear[j], curved[j]
    for j in range(2 * m + 2 * f):
        to[8][j] = cap[j]
    for i in range(f + t):
        to[9][i], to[10][i] = lower[i], upper[i]
    return out


@exact_inline
def parts(work: F64, f: int, m: int) -> Parts:
    """Views of a packed programme: unit, s, extra, linear, curved, risk, apart, kink, cap, lower, upper; money is work[0]."""
    t = (len(work) - 1 - 6 * f - f * m - 6 * m - 2 * f * f) // (2 * m + 2)
    at = 1
    unit = work[at : at + f]
    at += f
    s = work[at : at + f * m].reshape(f, m)
    at += f * m
    extra = work[at : at + 2 * m * t].reshape(t, 2 * m)
    at += 2 * m * t
    linear, curved = work[at : at + 2 * m], work[at + 2 * m : at + 4 * m]
    at += 4 * m
    risk = work[at : at + f * f].reshape(f, f)
    at += f * f
    apart = work[at : at + f * f].reshape(f, f)
    at += f * f
    kink = work[at : at + f]
    at += f
    cap = work[at : at + 2 * m + 2 * f]
    at += 2 * m + 2 * f
    return unit, s, extra, linear, curved, risk, apart, kink, cap, work[at : at + f + t], work[at + f + t :]


@exact_kernel
def opened(
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
    warm: bool,
    lots: F64,
    price: F64,
    nearly: float,
    most: int,
) -> tuple[F64, Bools, F64, F64]:
    """(``packed``, columns to begin with, multipliers of columns and rows); without ``warm`` at no trade and what that costs."""
    of = scaled(
        exposure,
        lower,
        upper,
        kink,
        risk,
        sensitivity,
        cost,
        impact,
        buy_cap,
        sell_cap,
        rows,
        room,
        spread,
        ridge,
        free,
    )
    r, at_rest = standing(exposure, lower, upper, kink, risk)
    start = price if warm else at_rest
    use = first_columns(r, at_rest, start, sensitivity, cost, nearly, most) & of[12]
    held, bound = (of[0], of[1], of[2], of[6], of[8], of[9]), len(of[11])
    of_columns, of_rows = dual_start(exposure, lower, upper, sensitivity, cost, impact, *held, bound, lots, start)
    return packed(of), use, of_columns, of_rows


@exact_kernel
def narrowed(
    work: F64, f: int, m: int, ridge: float, use: Bools, of_columns: F64, of_rows: F64
) -> tuple[I64, I64, F64, F64, F64, F64, F64, F64, bool]:
    """See ``manager.qp.Part``: what DAQP takes of the columns ``use`` and of the rows they enter."""
    _, s, extra, linear, curved, risk, apart, kink, cap, lower, upper = parts(work, f, m)
    used = np.flatnonzero(use)
    hessian, gradient, every = part(s, extra, linear, curved, risk, apart, kink, ridge, used)
    n = len(used)
    entered, e = np.empty(len(upper), np.int64), 0
    for i in range(len(upper)):
        for a in range(n):
            if every[i, a] != 0.0:
                entered[e] = i
                e += 1
                break
    rows, above, below, hint = np.empty((e, n)), np.empty(n + e), np.zeros(n + e), np.empty(n + e)
    for a in range(n):
        above[a], hint[a] = cap[used[a]], of_columns[used[a]]
    for b in range(e):
        i = entered[b]
        for a in range(n):
            rows[b, a] = every[i, a]
        above[n + b], below[n + b], hint[n + b] = upper[i], lower[i], of_rows[i]
    whole = n == np.count_nonzero(cap > 0.0)
    return used, entered[:e].copy(), hessian, gradient, rows, above, below, hint, whole


@exact_kernel
def judged(
    work: F64, f: int, m: int, negative: float, used: I64, entered: I64, found: F64, multipliers: F64
) -> tuple[F64, F64, F64, Bools, int]:
    """See ``manager.qp.Answer``: a part's answer in full length, and the columns whose reduced cost says they are missing."""
    _, s, extra, linear, curved, risk, apart, kink, cap, _, _ = parts(work, f, m)
    n, columns = len(used), len(cap)
    x, of_columns, of_rows = np.zeros(columns), np.zeros(columns), np.zeros(f + len(extra))
    use, more = np.zeros(columns, np.bool_), 0
    for a in range(n):
        x[used[a]], of_columns[used[a]], use[used[a]] = found[a], multipliers[a], True
    for b in range(len(entered)):
        of_rows[entered[b]] = multipliers[n + b]
    pays = reduced(s, extra, linear, curved, risk, apart, kink, x, of_rows)
    for a in range(columns):
        if cap[a] > 0.0 and not use[a] and pays[a] < -negative:
            use[a] = True
            more += 1
    return x, of_columns, of_rows, use, more


@exact_kernel
def unscaled(work: F64, f: int, m: int, x: F64, of_rows: F64) -> tuple[F64, F64, F64]:
    """(lots (m,), price (f,) USD per unit, what stays outside (f,) in the factor's unit) of a solution."""
    packed_parts = parts(work, f, m)
    unit, cap, money = packed_parts[0], packed_parts[8], work[0]
    lots, price, residual = np.empty(m), np.empty(f), np.empty(f)
    for j in range(m):
        lots[j] = min(max(x[j], 0.0), cap[j]) - min(max(x[m + j], 0.0), cap[m + j])
    for i in range(f):
        price[i] = of_rows[i] * money / unit[i]
        residual[i] = (x[2 * m + i] - x[2 * m + f + i]) * unit[i]
    return lots, price, residual


@exact_kernel
def movable(work: F64, f: int, m: int) -> Bools:
    """Columns that may move at all, (2m + 2f,)."""
    return parts(work, f, m)[8] > 0.0
