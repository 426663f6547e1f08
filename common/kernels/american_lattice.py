"""American put with strike 1 by finite differences: the region of two exercise boundaries, and the net under Newton.

For q < r < 0 early exercise pays between two boundaries (Andersen and Lake 2021, "Fast American option pricing: the
double-boundary case"), for which american_boundary.py has no equations. Here the premium over the European put is
solved on a uniform grid in ln S: smooth at expiry, with the obstacle intrinsic - European. Time steps grow with √t from
expiry (TR-BDF2, Bank et al. 1985: second order, damps every mode); the linear complementarity problem of each stage is
solved exactly by policy iteration, which needs no idea of where or how many the boundaries are. Volatility, rate and
time derivatives are central differences on one and the same grid.
*Tested by* tests/unit/test_american_lattice.py against QuantLib's finite differences.
"""

from __future__ import annotations

import math
from typing import Final

from common.kernels.american_boundary import clamp, normal_cdf
from common.kernels.elementary import exp, normal_pdf
from common.kernels.jit import F64, kernel

CELLS: Final = 960  # grid points
STEPS: Final = 128  # time steps
_GAMMA: Final = 0.585786437626905  # 2 - √2
_POLICY: Final = 40
# Rows of the grid workspace (ROWS, CELLS): premium, stage, right side, obstacle, two of the elimination, policy.
_P: Final = 0
_STAGE: Final = 1
_SIDE: Final = 2
_OBSTACLE: Final = 3
_UPPER: Final = 4
_REST: Final = 5
_ACTIVE: Final = 6
GRID_ROWS: Final = 7
_BUMP_VOL: Final = 0.02  # of the volatility
_BUMP_TIME: Final = 0.01  # of the time
_BUMP_RATE: Final = 1e-4


@kernel
def _obstacle(grid: F64, low: float, h: float, r: float, q: float, sigma: float, t: float) -> None:
    # Intrinsic value less European put.
    st = sigma * math.sqrt(t)
    er = exp(-r * t)
    for j in range(CELLS):
        y = low + j * h
        d1 = clamp((y + (r - q) * t) / st + 0.5 * st)
        d2 = clamp(d1 - st)
        put = er * normal_cdf(-d2, normal_pdf(d2)) - exp(y - q * t) * normal_cdf(-d1, normal_pdf(d1))
        grid[_OBSTACLE, j] = max(1.0 - exp(y), 0.0) - put


@kernel
def _complementarity(grid: F64, below: float, centre: float, above: float) -> None:
    # min(A P - side, P - obstacle) = 0 into _STAGE; A tridiagonal with constant rows; policy kept between stages.
    last = CELLS - 1
    first_value, last_value = max(grid[_OBSTACLE, 0], 0.0), max(grid[_OBSTACLE, last], 0.0)
    for _ in range(_POLICY):
        grid[_UPPER, 0], grid[_REST, 0] = 0.0, first_value
        for j in range(1, last):
            if grid[_ACTIVE, j] > 0.5:
                grid[_UPPER, j], grid[_REST, j] = 0.0, grid[_OBSTACLE, j]
            else:
                inverse = 1.0 / (centre - below * grid[_UPPER, j - 1])
                grid[_UPPER, j] = above * inverse
                grid[_REST, j] = (grid[_SIDE, j] - below * grid[_REST, j - 1]) * inverse
        grid[_STAGE, last] = last_value
        for back in range(1, CELLS):
            j = last - back
            grid[_STAGE, j] = grid[_REST, j] - grid[_UPPER, j] * grid[_STAGE, j + 1]
        changed = 0
        for j in range(1, last):
            value = grid[_STAGE, j]
            applied = below * grid[_STAGE, j - 1] + centre * value + above * grid[_STAGE, j + 1]
            active = 1.0 if applied - grid[_SIDE, j] > value - grid[_OBSTACLE, j] else 0.0
            if active != grid[_ACTIVE, j]:
                changed += 1
                grid[_ACTIVE, j] = active
        if changed == 0:
            break


@kernel
def _march(grid: F64, low: float, h: float, r: float, q: float, sigma: float, tau: float) -> None:
    # Premium at time tau to expiry into _P.
    diffusion = 0.5 * sigma * sigma / (h * h)
    drift = 0.5 * (r - q - 0.5 * sigma * sigma) / h
    l_below, l_centre, l_above = diffusion - drift, -2.0 * diffusion - r, diffusion + drift
    for j in range(CELLS):
        grid[_P, j] = 0.0
        grid[_ACTIVE, j] = 0.0
    blend = 1.0 / (_GAMMA * (2.0 - _GAMMA))
    before = 0.0
    for n in range(1, STEPS + 1):
        now = tau * (n / STEPS) ** 2
        dt = now - before
        half = 0.5 * _GAMMA * dt
        for j in range(1, CELLS - 1):
            applied = l_below * grid[_P, j - 1] + l_centre * grid[_P, j] + l_above * grid[_P, j + 1]
            grid[_SIDE, j] = grid[_P, j] + half * applied
        _obstacle(grid, low, h, r, q, sigma, before + _GAMMA * dt)
        _complementarity(grid, -half * l_below, 1.0 - half * l_centre, -half * l_above)
        for j in range(CELLS):
            grid[_SIDE, j] = blend * (grid[_STAGE, j] - (1.0 - _GAMMA) ** 2 * grid[_P, j])
        _obstacle(grid, low, h, r, q, sigma, now)
        _complementarity(grid, -half * l_below, 1.0 - half * l_centre, -half * l_above)
        for j in range(CELLS):
            grid[_P, j] = grid[_STAGE, j]
        before = now


@kernel
def _local(grid: F64, node: int, h: float, out: F64) -> None:
    # Premium and its first two derivatives by ln S at a grid point, fourth order.
    a, b, c = grid[_P, node - 2], grid[_P, node - 1], grid[_P, node]
    d, e = grid[_P, node + 1], grid[_P, node + 2]
    out[0] = c
    out[1] = (a - 8.0 * b + 8.0 * d - e) / (12.0 * h)
    out[2] = (-a + 16.0 * b - 30.0 * c + 16.0 * d - e) / (12.0 * h * h)


@kernel
def lattice_premium(
    grid: F64, local: F64, log_s: float, r: float, q: float, sigma: float, tau: float, dr: float, dq: float, qs: F64
) -> float:
    """Premium and its derivatives into qs[0:8], in the order of `american_premium.premium`; its value less obstacle.

    The returned value is <= 0 where immediate exercise is best. grid (GRID_ROWS, CELLS) and local (3, 3) are scratch.
    log_s = ln(S/K); r, q per year, any signs; sigma per √year > 0; tau years > 0; (dr, dq): direction of rho.
    """
    reach = 5.5 * sigma * math.sqrt(tau) + abs(r - q) * tau
    start = min(max(r / q, 1e-6), 1.0) if r * q > 0.0 else 1.0
    bottom, top = min(log_s, math.log(start)) - reach, max(log_s, 0.0) + reach
    h = (top - bottom) / (CELLS - 1)
    node = min(max(int((log_s - bottom) / h + 0.5), 2), CELLS - 3)
    low = log_s - node * h
    bump = _BUMP_VOL * sigma
    _march(grid, low, h, r, q, sigma - bump, tau)
    _local(grid, node, h, local[0])
    _march(grid, low, h, r, q, sigma + bump, tau)
    _local(grid, node, h, local[1])
    down, up = local[0], local[1]
    qs[3] = (up[0] - down[0]) / (2.0 * bump)
    qs[5] = (up[1] - down[1]) / (2.0 * bump)
    qs[6] = (up[0] + down[0]) / (bump * bump)
    _march(grid, low, h, r - _BUMP_RATE * dr, q - _BUMP_RATE * dq, sigma, tau)
    _local(grid, node, h, local[0])
    _march(grid, low, h, r + _BUMP_RATE * dr, q + _BUMP_RATE * dq, sigma, tau)
    _local(grid, node, h, local[1])
    qs[4] = (up[0] - down[0]) / (2.0 * _BUMP_RATE)
    _march(grid, low, h, r, q, sigma, tau * (1.0 - _BUMP_TIME))
    _local(grid, node, h, local[0])
    _march(grid, low, h, r, q, sigma, tau * (1.0 + _BUMP_TIME))
    _local(grid, node, h, local[1])
    qs[7] = (up[1] - down[1]) / (2.0 * _BUMP_TIME * tau)
    _march(grid, low, h, r, q, sigma, tau)
    _local(grid, node, h, local[2])
    qs[0], qs[1] = local[2, 0], local[2, 1]
    qs[2] = local[2, 2] - local[2, 1]
    qs[6] -= 2.0 * local[2, 0] / (bump * bump)
    held: float = grid[_P, node] - grid[_OBSTACLE, node]
    return held
