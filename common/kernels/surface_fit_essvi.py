"""eSSVI fit of a whole surface in the coordinates of ssvi.py, where every no-arbitrage condition is a linear
inequality.

Inequalities enter as stiff hinges between neighbours while fitting; `ssvi.make_feasible` then removes what is left of
a violation, so what comes out is free of arbitrage whatever the quotes say. Weak springs tie the shape (numbers less
½ ln τ) of a slice to its neighbour, so an expiry with one quote takes its shape from the next ones.
*Tested by* tests/unit/test_surfaces_fit.py, tests/properties/test_surfaces_arbitrage.py.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from common.kernels.jit import F64, I64, strict_kernel
from common.kernels.ssvi import LN_4, make_feasible
from common.kernels.surface_fit import add_square, huber, solve_blocks

_SPRING: Final = 1.0
_ANCHOR: Final = 0.1
_MARGIN: Final = 2e-4
_LARGEST_STEP: Final = 0.7


@strict_kernel
def _data(x: F64, k: F64, w: F64, c: F64, h: F64, g: F64) -> float:
    # Quotes of one slice: k, w = σ²τ, c = 1/(2στ · noise).
    e, f, width = math.exp(x[1]), math.exp(x[2]), math.exp(x[0])
    psi = 0.5 * (e + f)
    rho = (f - e) / (f + e)
    bend = 2.0 * e * f / ((f + e) * (f + e))  # dρ/dr = -dρ/dl
    grad = np.empty(3)
    cost = 0.0
    for j in range(len(k)):
        d = math.sqrt(k[j] * k[j] + 2.0 * rho * k[j] * width + width * width)
        value = 0.5 * psi * (width + rho * k[j] + d)
        tilt = psi * bend * k[j] * width / d
        grad[0] = 0.5 * psi * width * (1.0 + (rho * k[j] + width) / d) * c[j]
        grad[1] = 0.5 * (0.5 * e * (width + d - k[j]) - tilt) * c[j]
        grad[2] = 0.5 * (0.5 * f * (width + d + k[j]) + tilt) * c[j]
        residual = (value - w[j]) * c[j]
        weight, part = huber(residual)
        cost += part
        add_square(h, g, grad, residual, weight)
    return cost


@strict_kernel
def _order(x: F64, i: int, shape: float, stiff: float, h: F64, o: F64, g: F64) -> float:
    # Hinges and springs between slice i - 1 and i; ``shape`` = ½ ln(τ_i / τ_{i-1}).
    cost = 0.0
    for a in range(3):
        step = x[i, a] - x[i - 1, a]
        for t, residual in ((_SPRING, _SPRING * (step - shape)), (stiff, min(stiff * (step - _MARGIN), 0.0))):
            if t == stiff and residual == 0.0:
                continue
            cost += 0.5 * residual * residual
            h[i, a, a] += t * t
            h[i - 1, a, a] += t * t
            o[i, a, a] -= t * t
            g[i, a] += t * residual
            g[i - 1, a] -= t * residual
    return cost


@strict_kernel
def _caps(x: F64, stiff: float, h: F64, g: F64) -> float:
    cost = 0.0
    for a in range(1, 3):
        over = x[a] - LN_4 + _MARGIN
        if over > 0.0:
            cost += 0.5 * (stiff * over) ** 2
            h[a, a] += stiff * stiff
            g[a] += stiff * stiff * over
        over = x[a] - x[0] - LN_4 + _MARGIN
        if over > 0.0:
            cost += 0.5 * (stiff * over) ** 2
            h[a, a] += stiff * stiff
            h[0, 0] += stiff * stiff
            h[a, 0] -= stiff * stiff
            g[a] += stiff * stiff * over
            g[0] -= stiff * stiff * over
    return cost


@strict_kernel
def _assemble(
    x: F64, anchor: F64, stiff: float, taus: F64, first: I64, k: F64, w: F64, c: F64, h: F64, o: F64, g: F64
) -> float:
    h[:] = 0.0
    o[:] = 0.0
    g[:] = 0.0
    cost = 0.0
    for i in range(len(x)):
        a, b = first[i], first[i + 1]
        cost += _data(x[i], k[a:b], w[a:b], c[a:b], h[i], g[i])
        cost += _caps(x[i], stiff, h[i], g[i])
        for d in range(3):
            off = x[i, d] - anchor[i, d]
            cost += 0.5 * (_ANCHOR * off) ** 2
            h[i, d, d] += _ANCHOR * _ANCHOR
            g[i, d] += _ANCHOR * _ANCHOR * off
        if i > 0:
            cost += _order(x, i, 0.5 * math.log(taus[i] / taus[i - 1]), stiff, h, o, g)
    return cost


@strict_kernel
def fit_essvi(x: F64, stiff: float, taus: F64, first: I64, k: F64, w: F64, c: F64, most: int, tolerance: float) -> int:
    """Fit eSSVI coordinates ``x`` (s, 3) in place, from where they stand; the rounds it took.

    taus (s,) years ascending; quotes of slice i at first[i]:first[i+1] by ``k`` = ln(K/F), ``w`` = σ²τ and
    ``c`` = 1/(2στ · noise), all finite. Ends after ``most`` rounds or when a round improves the cost by less than the
    share ``tolerance``. What is left in ``x`` is free of arbitrage. Never raises.
    """
    n = len(x)
    anchor = x.copy()
    h, o, g = np.empty((n, 3, 3)), np.empty((n, 3, 3)), np.empty((n, 3))
    h2, o2, g2 = np.empty((n, 3, 3)), np.empty((n, 3, 3)), np.empty((n, 3))
    step, work, trial = np.empty((n, 3)), np.empty((n, 3, 3)), np.empty((n, 3))
    cost = _assemble(x, anchor, stiff, taus, first, k, w, c, h, o, g)
    damping, grow, rounds = 1e-3, 2.0, 0
    while rounds < most:
        rounds += 1
        o2[:] = o
        solved = solve_blocks(h, o2, g, damping, step, work)
        following = np.inf
        if solved:
            for i in range(n):
                for a in range(3):
                    trial[i, a] = x[i, a] + min(max(step[i, a], -_LARGEST_STEP), _LARGEST_STEP)
            following = _assemble(trial, anchor, stiff, taus, first, k, w, c, h2, o2, g2)
        if following < cost:
            gained = cost - following
            x[:] = trial
            h, h2, o, o2, g, g2 = h2, h, o2, o, g2, g
            cost = following
            damping, grow = max(0.2 * damping, 1e-8), 2.0
            if gained <= tolerance * cost:
                break
        else:
            damping, grow = damping * grow, 2.0 * grow
            if damping > 1e4:
                break
    make_feasible(x, 1e-6)
    return rounds
