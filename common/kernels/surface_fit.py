"""Gauss-Newton with Levenberg and Marquardt's damping for all slices of a surface at once.

Only neighbouring expiries touch each other (calendar spreads), so the normal equations are block tridiagonal: one
block of p × p a slice on the diagonal, one between neighbours. Solving them costs as much as fitting the slices one
by one. Residuals are in units of each quote's noise: (w(k) - σ²τ) / (2στ · noise), linear in w, with Huber's weights
beyond ``HUBER``. Source: Marquardt (1963); Nielsen (1999) for the update of the damping.
*Tested by* tests/unit/test_surfaces_solver.py (scipy).
"""

from __future__ import annotations

import math
from typing import Final

from common.kernels.jit import F64, strict_inline, strict_kernel

HUBER: Final = 3.0


@strict_inline
def huber(residual: float) -> tuple[float, float]:
    """(weight, cost) of a residual: ½r² within ``HUBER``, linear beyond."""
    size = abs(residual)
    if size <= 3.0:
        return 1.0, 0.5 * residual * residual
    return 3.0 / size, 3.0 * (size - 1.5)


@strict_inline
def add_square(h: F64, g: F64, grad: F64, residual: float, weight: float) -> None:
    """Add a weighted squared residual to a block's lower half ``h`` (p, p) and gradient ``g`` (p,)."""
    for a in range(len(grad)):
        t = weight * grad[a]
        g[a] += t * residual
        for b in range(a + 1):
            h[a, b] += t * grad[b]


@strict_kernel
def solve_blocks(h: F64, o: F64, g: F64, damping: float, step: F64, work: F64) -> bool:
    """Solve (H + damping · diag H) step = -g for symmetric block tridiagonal H; False where it is not positive
    definite.

    h (s, p, p) lower halves of the diagonal blocks; o (s, p, p), o[i] the block of rows of slice i and columns of slice
    i - 1; g, step (s, p); work (s, p, p). Cholesky by blocks: L_i L_iᵀ = H_i - B_i B_iᵀ, B_i = O_i L_{i-1}⁻ᵀ, kept in
    ``work`` (L) and in place of ``o`` (B).
    """
    s, p = g.shape
    for i in range(s):
        block = work[i]
        for a in range(p):
            for b in range(a + 1):
                block[a, b] = h[i, a, b]
            block[a, a] += damping * h[i, a, a] + 1e-12
        if i > 0:
            low, b_i = work[i - 1], o[i]
            for a in range(p):  # B L' = O, row by row
                for c in range(p):
                    t = b_i[a, c]
                    for d in range(c):
                        t -= b_i[a, d] * low[c, d]
                    b_i[a, c] = t / low[c, c]
            for a in range(p):
                for b in range(a + 1):
                    t = 0.0
                    for d in range(p):
                        t += b_i[a, d] * b_i[b, d]
                    block[a, b] -= t
        for a in range(p):
            for b in range(a + 1):
                t = block[a, b]
                for d in range(b):
                    t -= block[a, d] * block[b, d]
                if a == b:
                    if not t > 0.0:
                        return False
                    block[a, a] = math.sqrt(t)
                else:
                    block[a, b] = t / block[b, b]
        for a in range(p):
            t = -g[i, a]
            if i > 0:
                for d in range(p):
                    t -= o[i, a, d] * step[i - 1, d]
            for d in range(a):
                t -= block[a, d] * step[i, d]
            step[i, a] = t / block[a, a]
    for i in range(s - 1, -1, -1):
        block = work[i]
        for a in range(p - 1, -1, -1):
            t = step[i, a]
            if i + 1 < s:
                for d in range(p):
                    t -= o[i + 1, d, a] * step[i + 1, d]
            for d in range(a + 1, p):
                t -= block[d, a] * step[i, d]
            step[i, a] = t / block[a, a]
    return True
