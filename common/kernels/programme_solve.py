"""The interval programme solved in one compiled call: column generation around DAQP, from the problem to lots and prices.

As ``manager.qp.solve_columns`` does it for several desks; what the columns are: ``programme_packed.py``. f factors, m
instruments, k rows.
*Tested by* tests/unit/test_kernels_solver.py, tests/properties/test_netting_solvers.py.
"""

from __future__ import annotations

import numpy as np

from common.kernels.jit import F64, exact_kernel
from common.kernels.netting import standing
from common.kernels.programme_packed import judged, movable, narrowed, opened, unscaled
from common.kernels.solver import INFEASIBLE, quadratic


@exact_kernel
def solved(
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
    negative: float,
    settings: F64,
    limit: int,
) -> tuple[F64, F64, F64, int, int]:
    """(lots (m,), price (f,), what stays outside (f,), iterations, DAQP's exit flag: 1 or more where solved, else no trade).

    ``limit``: iterations; ``negative``: reduced costs above -this count as 0. The rest: ``programme_packed.opened``.
    """
    f, m = sensitivity.shape
    work, use, of_columns, of_rows = opened(
        exposure, lower, upper, kink, risk, sensitivity, cost, impact, buy_cap, sell_cap, rows, room,
        spread, ridge, free, warm, lots, price, nearly, most,
    )  # fmt: skip
    iterations = 0
    while True:
        used, entered, hessian, gradient, a, above, below, hint, whole = narrowed(
            work, f, m, ridge, use, of_columns, of_rows
        )
        found, multipliers, flag, steps = quadratic(
            hessian, gradient, a, above, below, hint, whole, settings, limit - iterations
        )
        iterations += steps
        if flag == INFEASIBLE and not whole:
            # Never true, only hard to see for the solver in this part; the whole has more room.
            use, of_columns, of_rows = movable(work, f, m), np.zeros_like(of_columns), np.zeros_like(of_rows)
            continue
        if flag < 1:
            return np.zeros(m), np.zeros(f), standing(exposure, lower, upper, kink, risk)[0], iterations, flag
        x, of_columns, of_rows, use, more = judged(work, f, m, negative, used, entered, found, multipliers)
        if more == 0:
            trade, prices, residual = unscaled(work, f, m, x, of_rows)
            return trade, prices, residual, iterations, flag
