"""Newton's method for the exercise boundary, and the boundary's derivatives by volatility and rates.

Second half of `american_boundary.py` (equations and sources there). The derivatives solve the linear systems
J ∂y/∂σ = -∂F/∂σ, J ∂y/∂ρ = -∂F/∂ρ, J ∂²y/∂σ² = -(second derivative of F along y(σ) with ∂²y/∂σ² left out).
*Tested by* tests/unit/test_american_kernel.py.
"""

from __future__ import annotations

import math
from typing import Final

from common.kernels.american_boundary import MAX_STEPS, TOLERANCE, _equations, _guess, _interpolate, _prepare, log_start
from common.kernels.american_nodes import (
    ALL,
    C1,
    C2,
    D1,
    D2,
    ELAPSED,
    INTERPOLATE,
    INV_DIAGONAL,
    INV_LEFT,
    INV_RIGHT,
    IS_INNER,
    JACOBIAN,
    N1,
    NODES,
    P1,
    P2,
    POINTS,
    PULL,
    R1,
    R2,
    RESIDUAL,
    SCALE,
    SCRATCH,
    SHIFT,
    SIDE,
    SOLUTION,
    XI,
    Y_RHO,
    Y_VOL,
    Y_VOL2,
    B,
    Y,
)
from common.kernels.jit import F64, I64, kernel

#: Below this max(|r|, |q|)√τ/σ Jacobi's iteration shrinks the error of a linear system at least fourfold a sweep, five- to
#: ninefold as a rule.
_GENTLE: Final = 0.75
_SWEEPS: Final = 9


@kernel
def _jacobian(ws: F64, q: float) -> None:
    # d RESIDUAL_i / d y_j into JACOBIAN at j·NODES + i.
    for i in range(NODES):
        ws[SCRATCH + i] = 0.0
    for k in range(POINTS + 1):
        for i in range(NODES):
            c = k * NODES + i
            inner = IS_INNER[c]
            left = inner * ws[INV_LEFT + i]
            right = ws[INV_RIGHT + i]
            side = right if q > 0.0 else left + (1.0 - inner) * right
            coefficient = ws[B + i] * ws[C1 + c]
            e1 = coefficient * ws[P1 + c] * ws[SCALE + c]
            e2 = ws[C2 + c] * ws[P2 + c] * ws[SCALE + c]
            pull = left * (e1 * ws[D1 + c] - e2 * ws[D2 + c]) * ws[SCALE + c] - side * e1
            ws[PULL + c] = pull
            ws[SCRATCH + i] += pull - left * e1 - side * coefficient * ws[N1 + c]
    # One unrolled sum a cell, so that the loop over rows becomes vector code.
    for j in range(NODES):
        for i in range(NODES):
            total = 0.0
            for k in range(POINTS):
                total += ws[PULL + k * NODES + i] * INTERPOLATE[j * ALL + k * NODES + i]
            ws[JACOBIAN + j * NODES + i] = total
    for i in range(NODES):
        ws[JACOBIAN + i * NODES + i] -= XI[i] * ws[SCRATCH + i]


@kernel
def _factorise(ws: F64, pivots: I64) -> None:
    # LU of the stored (transposed) Jacobian with row pivots, in place.
    for c in range(NODES):
        best, largest = c, abs(ws[JACOBIAN + c * NODES + c])
        for i in range(c + 1, NODES):
            size = abs(ws[JACOBIAN + i * NODES + c])
            if size > largest:
                best, largest = i, size
        pivots[c] = best
        if best != c:
            for j in range(NODES):
                kept = ws[JACOBIAN + c * NODES + j]
                ws[JACOBIAN + c * NODES + j] = ws[JACOBIAN + best * NODES + j]
                ws[JACOBIAN + best * NODES + j] = kept
        inverse = 1.0 / ws[JACOBIAN + c * NODES + c]
        for i in range(c + 1, NODES):
            factor = ws[JACOBIAN + i * NODES + c] * inverse
            ws[JACOBIAN + i * NODES + c] = factor
            for j in range(c + 1, NODES):
                ws[JACOBIAN + i * NODES + j] -= factor * ws[JACOBIAN + c * NODES + j]


@kernel
def _substitute(ws: F64, pivots: I64, x: int) -> None:
    # Solves with the factors: Uᵀ, Lᵀ, then the row exchanges backwards. Overwrites the right side at offset x.
    for c in range(NODES):
        total = ws[x + c]
        for j in range(c):
            total -= ws[JACOBIAN + j * NODES + c] * ws[x + j]
        ws[x + c] = total / ws[JACOBIAN + c * NODES + c]
    for back in range(NODES):
        c = NODES - 1 - back
        total = ws[x + c]
        for j in range(c + 1, NODES):
            total -= ws[JACOBIAN + j * NODES + c] * ws[x + j]
        ws[x + c] = total
    for back in range(NODES):
        c = NODES - 1 - back
        p = pivots[c]
        kept = ws[x + c]
        ws[x + c] = ws[x + p]
        ws[x + p] = kept


@kernel
def _relax(ws: F64, x: int) -> None:
    # Solves by Jacobi's iteration, all in vector code: a third of the cost of the factors.
    for i in range(NODES):
        ws[SIDE + i] = ws[x + i]
        ws[INV_DIAGONAL + i] = 1.0 / ws[JACOBIAN + i * NODES + i]
        ws[SOLUTION + i] = ws[SIDE + i] * ws[INV_DIAGONAL + i]
    for _ in range(_SWEEPS):
        for i in range(NODES):
            total = ws[SIDE + i]
            for j in range(NODES):
                total -= ws[JACOBIAN + j * NODES + i] * ws[SOLUTION + j]
            ws[SCRATCH + i] = total
        for i in range(NODES):
            ws[SOLUTION + i] += ws[SCRATCH + i] * ws[INV_DIAGONAL + i]
    for i in range(NODES):
        ws[x + i] = ws[SOLUTION + i]


@kernel
def _solve(ws: F64, pivots: I64, x: int, relaxed: bool) -> None:
    if relaxed:
        _relax(ws, x)
    else:
        _substitute(ws, pivots, x)


@kernel
def _first_sides(ws: F64, sigma: float, rate_less_yield: float, d_log_x: float, tau: float) -> None:
    # Right sides -∂F/∂σ into Y_VOL and -∂F/∂ρ into Y_RHO; rate_less_yield = dr - dq.
    inverse = 1.0 / sigma
    for i in range(NODES):
        ws[Y_VOL + i] = 0.0
        ws[Y_RHO + i] = 0.0
    for k in range(POINTS + 1):
        for i in range(NODES):
            c = k * NODES + i
            inner, scale, b = IS_INNER[c], ws[SCALE + c], ws[B + i]
            d1, d2, p1, p2 = ws[D1 + c], ws[D2 + c], ws[P1 + c], ws[P2 + c]
            e1, e2 = b * ws[C1 + c] * p1, ws[C2 + c] * p2
            by_vol = inner * scale * ((e2 - e1) * d1 * d2 - e2 + e1) + e1 * d2
            drift = scale * tau * ELAPSED[c] * rate_less_yield
            by_rate = inner * scale * (ws[R2 + c] * p2 - b * ws[R1 + c] * p1 + (e1 * d1 - e2 * d2) * drift)
            by_rate -= b * ws[R1 + c] * ws[N1 + c] + e1 * drift
            by_start = -e1 * scale - b * ws[C1 + c] * ws[N1 + c]
            ws[Y_VOL + i] -= inverse * by_vol
            ws[Y_RHO + i] -= by_rate + d_log_x * by_start
    for i in range(NODES):
        ws[Y_VOL + i] *= ws[INV_RIGHT + i]
        ws[Y_RHO + i] *= ws[INV_RIGHT + i]


@kernel
def _second_side(ws: F64, sigma: float) -> None:
    # Right side for ∂²y/∂σ² into Y_VOL2, once Y_VOL is known. Primes: derivatives by σ along the moving boundary.
    inverse = 1.0 / sigma
    _interpolate(ws, Y_VOL, SHIFT, 0.0)
    for i in range(NODES):
        ws[Y_VOL2 + i] = 0.0
    for k in range(POINTS + 1):
        for i in range(NODES):
            c = k * NODES + i
            b, scale = ws[B + i], ws[SCALE + c]
            d1, d2 = ws[D1 + c], ws[D2 + c]
            here = -XI[i] * ws[Y_VOL + i]
            moved = (here - ws[SHIFT + c]) * scale
            d1_1, d2_1 = moved - d2 * inverse, moved - d1 * inverse
            d1_2 = (d2 * inverse - moved - d2_1) * inverse
            d2_2 = (d1 * inverse - moved - d1_1) * inverse
            e1, e2 = b * ws[C1 + c] * ws[P1 + c], ws[C2 + c] * ws[P2 + c]
            t1, t2 = here - d1 * d1_1, d2 * d2_1
            first = -e2 * t2 - e1 * t1
            second = e2 * (t2 * t2 - d2_1 * d2_1 - d2 * d2_2) - e1 * (t1 * t1 - d1_1 * d1_1 - d1 * d1_2)
            left = IS_INNER[c] * scale * (second + 2.0 * inverse * (inverse * (e2 - e1) - first))
            right = b * here * here * ws[C1 + c] * ws[N1 + c] + e1 * (2.0 * here * d1_1 + d1_2 - d1 * d1_1 * d1_1)
            ws[Y_VOL2 + i] -= left - right
    for i in range(NODES):
        ws[Y_VOL2 + i] *= ws[INV_RIGHT + i]


@kernel
def _newton(ws: F64, pivots: I64, q: float, log_x: float, unit: float, relaxed: bool) -> float:
    # From the values in Y; the last step of ln B in units of ``unit``.
    moved = 1.0
    for _ in range(MAX_STEPS):
        _equations(ws, log_x)
        _jacobian(ws, q)
        if not relaxed:
            _factorise(ws, pivots)
        _solve(ws, pivots, RESIDUAL, relaxed)
        moved = 0.0
        for i in range(NODES):
            y = ws[Y + i]
            following = min(max(y - ws[RESIDUAL + i], 0.3 * y), 3.0 * y)
            moved = max(moved, XI[i] * abs(following - y) / unit)
            ws[Y + i] = following
        if moved < TOLERANCE:
            break
    return moved


@kernel
def solve_boundary(ws: F64, pivots: I64, r: float, q: float, sigma: float, tau: float, dr: float, dq: float) -> float:
    """Fill Y, Y_VOL, Y_RHO, Y_VOL2 of the workspace ``ws`` (BOUNDARY_SIZE,); the last Newton step of ln B/(σ√τ).

    r, q per year with r > 0, or r = 0 > q (one boundary); sigma per √year > 0; tau years > 0; (dr, dq) is the
    direction of the rho derivative. A result above TOLERANCE means no convergence. pivots (NODES,) is scratch.
    """
    log_x = log_start(r, q)
    _prepare(ws, r, q, sigma, tau, dr, dq)
    _guess(ws, r, q, sigma, tau, log_x)
    relaxed = max(abs(r), abs(q)) * math.sqrt(tau) < _GENTLE * sigma
    unit = min(sigma * math.sqrt(tau), 1.0)
    moved = _newton(ws, pivots, q, log_x, unit, relaxed)
    if relaxed and moved > TOLERANCE:
        # Rare: from an uneven guess the first Jacobian may be far from the last, and Jacobi's iteration diverge.
        relaxed = False
        _guess(ws, r, q, sigma, tau, log_x)
        moved = _newton(ws, pivots, q, log_x, unit, relaxed)
    d_log_x = dr / r - dq / q if q > r else 0.0
    _first_sides(ws, sigma, dr - dq, d_log_x, tau)
    _solve(ws, pivots, Y_VOL, relaxed)
    _solve(ws, pivots, Y_RHO, relaxed)
    _second_side(ws, sigma)
    _solve(ws, pivots, Y_VOL2, relaxed)
    return moved
