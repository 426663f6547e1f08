"""Raw SVI refinement of a whole surface: five numbers a slice, freedom from arbitrage as hinges on a grid of strikes.

Unknowns of slice i, scaled by the eSSVI fit it starts from (θ, e = √θ): a/θ, left slope/e, right slope/e, m/e,
ln(s/e). Hinges: Durrleman's g >= margin on a grid of k in units of e, w above that of the expiry before on the same
grid, slopes not falling with expiry. A ridge ties each slice to eSSVI, so what quotes do not say stays there. Hinges
alone do not promise anything: `surface_guard.py` decides on a denser grid what is accepted.
*Tested by* tests/unit/test_surfaces_fit.py, tests/properties/test_surfaces_arbitrage.py.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from common.kernels.jit import F64, I64, strict_inline, strict_kernel
from common.kernels.surface_fit import add_square, huber, solve_blocks
from common.kernels.svi import total_variance

_LARGEST_STEP: Final = 0.7
_SLOPE_MIN: Final = 1e-3
_SLOPE_MAX: Final = 1.99
#: Narrowest and widest bend in units of the at-the-money total volatility: nothing may hide between the strikes of
#: the grid.
_LN_S_MIN: Final = -2.0
_LN_S_MAX: Final = 2.0
#: What the hinges ask for beyond the condition itself: of g, and of w as a share.
MARGIN_G: Final = 2e-3
MARGIN_W: Final = 3e-4
RIDGE: Final = 10.0


@strict_kernel
def from_scaled(u: F64, theta: float, p: F64) -> None:
    """Unknowns ``u`` (5,) of a slice with at-the-money variance ``theta`` as a slice ``p`` (5,)."""
    e = math.sqrt(theta)
    p[0], p[1], p[2], p[3], p[4] = u[0] * theta, u[1] * e, u[2] * e, u[3] * e, math.exp(u[4]) * e


@strict_kernel
def scale_up(u: F64, theta: F64, slices: F64) -> None:
    """`from_scaled` of every slice."""
    for i in range(len(u)):
        from_scaled(u[i], theta[i], slices[i])


@strict_kernel
def scale_down(slices: F64, safe: F64, theta: F64, u: F64) -> None:
    """Unknowns ``u`` (s, 5) of ``slices`` in the scale of ``safe`` (s, 5), whose at-the-money variance goes into
    ``theta``."""
    for i in range(len(u)):
        b, p = safe[i], slices[i]
        theta[i] = total_variance(0.0, b[0], b[1], b[2], b[3], b[4])
        e = math.sqrt(theta[i])
        u[i, 0], u[i, 1], u[i, 2], u[i, 3] = p[0] / theta[i], p[1] / e, p[2] / e, p[3] / e
        u[i, 4] = min(max(math.log(p[4] / e), _LN_S_MIN), _LN_S_MAX)


@strict_kernel
def hinge_floor(safe: F64, theta: F64, grid: F64, floor: F64) -> None:
    """What a shortage of w is measured by, into ``floor`` (s, m + 2): w of the safe slice before, and its slopes."""
    for i in range(len(safe)):
        p = safe[max(i - 1, 0)]
        for j in range(len(grid)):
            floor[i, j] = total_variance(grid[j] * math.sqrt(theta[i]), p[0], p[1], p[2], p[3], p[4])
        floor[i, len(grid)], floor[i, len(grid) + 1] = p[1], p[2]


@strict_inline
def _value(k: float, p: F64, e: float, grad: F64) -> float:
    # w at k and its gradient by the unknowns.
    x = k - p[3]
    h = math.sqrt(x * x + p[4] * p[4])
    sum_, gap = p[2] + p[1], p[2] - p[1]
    grad[0] = e * e
    grad[1] = 0.5 * e * (h - x)
    grad[2] = 0.5 * e * (h + x)
    grad[3] = -0.5 * e * (gap + sum_ * x / h)
    grad[4] = 0.5 * sum_ * p[4] * p[4] / h
    return float(p[0] + 0.5 * (gap * x + sum_ * h))


@strict_kernel
def _data(p: F64, e: float, k: F64, w: F64, c: F64, h: F64, g: F64) -> float:
    grad = np.empty(5)
    cost = 0.0
    for j in range(len(k)):
        residual = (_value(k[j], p, e, grad) - w[j]) * c[j]
        weight, part = huber(residual)
        cost += part
        for a in range(5):
            grad[a] *= c[j]
        add_square(h, g, grad, residual, weight)
    return cost


@strict_kernel
def _butterfly(p: F64, e: float, grid: F64, shift: F64, stiff: float, h: F64, g: F64, short: F64) -> float:
    # Hinges on Durrleman's g; ``short`` tells what each lacks.
    grad = np.empty(5)
    cost = 0.0
    for j in range(len(grid)):
        k = grid[j] * e
        x = k - p[3]
        s2 = p[4] * p[4]
        d = math.sqrt(x * x + s2)
        total = p[2] + p[1]
        w = max(p[0] + 0.5 * ((p[2] - p[1]) * x + total * d), 1e-3 * e * e)
        w1 = 0.5 * ((p[2] - p[1]) + total * x / d)
        w2 = 0.5 * total * s2 / (d * d * d)
        v = 1.0 - 0.5 * k * w1 / w
        short[j] = MARGIN_G - (v * v - 0.25 * w1 * w1 * (1.0 / w + 0.25) + 0.5 * w2)
        active = short[j] + shift[j]
        if active <= 0.0:
            continue
        by_w = v * k * w1 / (w * w) + 0.25 * w1 * w1 / (w * w)
        by_w1 = -v * k / w - 0.5 * w1 * (1.0 / w + 0.25)
        _value(k, p, e, grad)
        cube = s2 / (d * d * d)
        grad[0] = by_w * grad[0]
        grad[1] = by_w * grad[1] + by_w1 * 0.5 * e * (x / d - 1.0) + 0.25 * e * cube
        grad[2] = by_w * grad[2] + by_w1 * 0.5 * e * (x / d + 1.0) + 0.25 * e * cube
        grad[3] = by_w * grad[3] - by_w1 * e * w2 + 0.75 * e * total * cube * x / (d * d)
        grad[4] = by_w * grad[4] - by_w1 * 0.5 * total * x * cube + 0.25 * total * cube * (2.0 - 3.0 * s2 / (d * d))
        for a in range(5):
            grad[a] *= -stiff
        cost += 0.5 * (stiff * active) ** 2
        add_square(h, g, grad, stiff * active, 1.0)
    return cost


@strict_kernel
def _calendar(
    lower: F64,
    p: F64,
    e0: float,
    e: float,
    grid: F64,
    floor: F64,
    shift: F64,
    stiff: float,
    h0: F64,
    g0: F64,
    h: F64,
    o: F64,
    g: F64,
    short: F64,
) -> float:
    # Hinges on what w lacks over the expiry before, in units of ``floor``; the last two are the slopes.
    below, grad = np.empty(5), np.empty(5)
    cost = 0.0
    m = len(grid)
    for j in range(m + 2):
        scale = 1.0 / floor[j]
        if j < m:
            k = grid[j] * e
            lack = _value(k, lower, e0, below) - _value(k, p, e, grad)
        else:
            side = 1 + j - m
            lack = lower[side] - p[side]
            below[:] = 0.0
            grad[:] = 0.0
            below[side], grad[side] = e0, e
        short[j] = lack * scale + MARGIN_W
        active = short[j] + shift[j]
        if active <= 0.0:
            continue
        for a in range(5):
            below[a] *= stiff * scale
            grad[a] *= -stiff * scale
        cost += 0.5 * (stiff * active) ** 2
        add_square(h, g, grad, stiff * active, 1.0)
        add_square(h0, g0, below, stiff * active, 1.0)
        for a in range(5):
            for b in range(5):
                o[a, b] += grad[a] * below[b]
    return cost


@strict_kernel
def _positive(p: F64, e: float, grid: F64, floor: F64, stiff: float, h: F64, g: F64) -> float:
    # The first slice has no expiry before it: its w stays above a share of where it started.
    grad = np.empty(5)
    cost = 0.0
    for j in range(len(grid)):
        short = 0.1 - _value(grid[j] * e, p, e, grad) / floor[j]
        if short <= 0.0:
            continue
        for a in range(5):
            grad[a] *= -stiff / floor[j]
        cost += 0.5 * (stiff * short) ** 2
        add_square(h, g, grad, stiff * short, 1.0)
    return cost


@strict_kernel
def assemble(
    u: F64,
    anchor: F64,
    theta: F64,
    stiff: float,
    grid: F64,
    floor: F64,
    shift: F64,
    first: I64,
    k: F64,
    w: F64,
    c: F64,
    h: F64,
    o: F64,
    g: F64,
    short: F64,
) -> float:
    """Cost, gradient g (s, 5) and Gauss-Newton blocks h, o (s, 5, 5) of scaled slices u (s, 5).

    floor (s, m + 2): what a shortage of w (m strikes) and of slopes (2) is measured by; shift (s, 2m + 2):
    multipliers of the hinges over ``stiff``; short (s, 2m + 2): filled with what each condition lacks, <= 0 where it
    holds.
    """
    h[:] = 0.0
    o[:] = 0.0
    g[:] = 0.0
    short[:] = -1.0
    cost = 0.0
    n, m = len(u), len(grid)
    p = np.empty((n, 5))
    for i in range(n):
        from_scaled(u[i], theta[i], p[i])
        e = math.sqrt(theta[i])
        a, b = first[i], first[i + 1]
        cost += _data(p[i], e, k[a:b], w[a:b], c[a:b], h[i], g[i])
        for d in range(5):
            off = u[i, d] - anchor[i, d]
            cost += 0.5 * RIDGE * off * off
            h[i, d, d] += RIDGE
            g[i, d] += RIDGE * off
        cost += _butterfly(p[i], e, grid, shift[i, :m], stiff, h[i], g[i], short[i, :m])
        if i == 0:
            cost += _positive(p[i], e, grid, floor[i], stiff, h[i], g[i])
        else:
            cost += _calendar(
                p[i - 1],
                p[i],
                math.sqrt(theta[i - 1]),
                e,
                grid,
                floor[i],
                shift[i, m:],
                stiff,
                h[i - 1],
                g[i - 1],
                h[i],
                o[i],
                g[i],
                short[i, m:],
            )
    return cost


@strict_kernel
def refine(
    u: F64,
    anchor: F64,
    theta: F64,
    stiff: float,
    grid: F64,
    floor: F64,
    shift: F64,
    first: I64,
    k: F64,
    w: F64,
    c: F64,
    most: int,
    tolerance: float,
) -> int:
    """Improve scaled slices ``u`` (s, 5) in place and add to ``shift`` what the conditions still lack; the rounds it
    took.

    Called again with the new ``shift`` it is the method of multipliers: conditions are met without extreme stiffness.
    Arguments as `assemble`; quotes as `surface_fit_essvi.fit_essvi`. Never raises.
    """
    n = len(u)
    h, o, g = np.empty((n, 5, 5)), np.empty((n, 5, 5)), np.empty((n, 5))
    h2, o2, g2 = np.empty((n, 5, 5)), np.empty((n, 5, 5)), np.empty((n, 5))
    step, work, trial = np.empty((n, 5)), np.empty((n, 5, 5)), np.empty((n, 5))
    short, short2 = np.empty(shift.shape), np.empty(shift.shape)
    cost = assemble(u, anchor, theta, stiff, grid, floor, shift, first, k, w, c, h, o, g, short)
    damping, grow, rounds = 1e-3, 2.0, 0
    while rounds < most:
        rounds += 1
        o2[:] = o
        following = np.inf
        if solve_blocks(h, o2, g, damping, step, work):
            for i in range(n):
                for a in range(5):
                    trial[i, a] = u[i, a] + min(max(step[i, a], -_LARGEST_STEP), _LARGEST_STEP)
                for a in range(1, 3):
                    trial[i, a] = min(max(trial[i, a], _SLOPE_MIN), _SLOPE_MAX / math.sqrt(theta[i]))
                trial[i, 4] = min(max(trial[i, 4], _LN_S_MIN), _LN_S_MAX)
            following = assemble(trial, anchor, theta, stiff, grid, floor, shift, first, k, w, c, h2, o2, g2, short2)
        if following < cost:
            gained = cost - following
            u[:] = trial
            h, h2, o, o2, g, g2, short, short2 = h2, h, o2, o, g2, g, short2, short
            cost = following
            damping, grow = max(0.2 * damping, 1e-8), 2.0
            if gained <= tolerance * cost:
                break
        else:
            damping, grow = damping * grow, 2.0 * grow
            if damping > 1e4:
                break
    for i in range(n):
        for j in range(shift.shape[1]):
            shift[i, j] = max(shift[i, j] + short[i, j], 0.0)
    return rounds
