"""Nodes, weights and memory layout of the American boundary and premium, fixed at import.

The exercise boundary of a put with strike 1 is kept as B(t) = X exp(-ξ y(ξ)), ξ = √(t/τ), X = min(1, r/q): y is a
polynomial through the `NODES` points `XI`. Each boundary equation integrates over elapsed time u = t_i sin²θ, so that
√u and √(t_i - u) are both smooth in θ; the points lie at fixed fractions of τ, so that interpolation is the constant
matrix `INTERPOLATE`. Flat arrays over (equation, point) store point k of equation i at k·NODES + i; the last row of
points is the European term at u = t_i.
*Tested by* tests/unit/test_american_kernel.py, tests/unit/test_american_gamma.py.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_F64 = NDArray[np.float64]

NODES: Final = 16  # points of the boundary; a multiple of 4, so that inner loops fill vector registers
POINTS: Final = 12  # quadrature points of a boundary equation
INNER: Final = NODES * POINTS
ALL: Final = INNER + NODES
PREMIUM_POINTS: Final = 48  # quadrature points of the premium


def _lagrange(nodes: _F64, at: _F64) -> _F64:
    # (len(nodes), len(at)): value at each point of the polynomial that is 1 on one node, 0 on the others.
    rows = []
    for j, node in enumerate(nodes):
        others = np.delete(nodes, j)
        rows.append(np.prod((at[None, :] - others[:, None]) / (node - others[:, None]), axis=0))
    return np.array(rows)


def _gauss(points: int, low: float, high: float) -> tuple[_F64, _F64]:
    x, w = np.polynomial.legendre.leggauss(points)
    return low + 0.5 * (high - low) * (x + 1.0), 0.5 * (high - low) * w


#: Boundary points ξ = (1 + cos θ)/2 in (0, 1], ascending: θ = 0, today, then (4k - 1)π/(4n - 1); k = n would be expiry, where
#: ln B = ln X needs no equation. With both ends the polynomial of ln B runs through n + 1 points, which ask for the spacing
#: of Chebyshev-Lobatto points, θ = kπ/n (Radau's left ten times the error of gamma). The shift by a quarter towards today
#: halves it again: gamma next to the boundary is as good as the slope in time there. Shifted by a half, the first Newton
#: step fails at times, for the polynomial of an uneven guess swings.
_THETA_XI: Final = np.concatenate([[0.0], (4.0 * np.arange(1, NODES) - 1.0) * np.pi / (4 * NODES - 1)])
XI: Final = np.sort(0.5 * (1.0 + np.cos(_THETA_XI)))
_THETA, _THETA_WEIGHT = _gauss(POINTS, 0.0, 0.5 * np.pi)
_SIN, _COS = np.sin(_THETA), np.cos(_THETA)

#: u/τ, √(u/τ), ξ at t_i - u and du/τ of every point (ALL,); the European row has ξ = 0 and weight 1.
ELAPSED: Final = np.concatenate([np.outer(_SIN**2, XI**2).ravel(), XI**2])
ROOT_ELAPSED: Final = np.sqrt(ELAPSED)
XI_LEFT: Final = np.concatenate([np.outer(_COS, XI).ravel(), np.zeros(NODES)])
WEIGHT: Final = np.concatenate([np.outer(2.0 * _SIN * _COS * _THETA_WEIGHT, XI**2).ravel(), np.ones(NODES)])
#: 1 on the points of the integral, 0 on the European row.
IS_INNER: Final = np.concatenate([np.ones(INNER), np.zeros(NODES)])
#: ξ·(Lagrange polynomial j at ξ) at j·ALL + point: minus the response of ln B there to y_j.
INTERPOLATE: Final = np.concatenate(
    [_lagrange(XI, XI_LEFT[:INNER]) * XI_LEFT[:INNER], np.zeros((NODES, NODES))], 1
).ravel()
#: Power coefficients in 2ξ - 1 of the polynomial through node values, (NODES, NODES) flat.
TO_POWERS: Final = np.linalg.inv(np.vander(2.0 * XI - 1.0, increasing=True)).ravel()
#: Gauss-Legendre on [0, 1] for the premium.
PREMIUM_V, PREMIUM_WEIGHT = _gauss(PREMIUM_POINTS, 0.0, 1.0)

# Offsets into the flat workspace of the boundary; the rows of length ALL first.
C1: Final = 0 * ALL  # coefficient of B_i N(d1): q e^(-qu) du, European row e^(-qt)
C2: Final = 1 * ALL  # coefficient of N(d2): r e^(-ru) du, European row e^(-rt)
R1: Final = 2 * ALL  # derivatives of C1, C2 in the direction of rho
R2: Final = 3 * ALL
SCALE: Final = 4 * ALL  # 1/(σ√u)
DRIFT: Final = 5 * ALL  # (r - q) u
BACK: Final = 6 * ALL  # ln B at t_i - u; 0, the strike, on the European row
HERE: Final = 7 * ALL  # ln B at t_i
D1: Final = 8 * ALL
D2: Final = 9 * ALL
P1: Final = 10 * ALL  # densities and normal probability, without coefficients
P2: Final = 11 * ALL
N1: Final = 12 * ALL
PULL: Final = 13 * ALL  # derivative of the equation by ln B(t_i) - ln B(t_i - u)
SHIFT: Final = 14 * ALL  # first derivative of ln B by vol at t_i - u
ROWS: Final = 15 * ALL
# Then columns of length NODES.
Y: Final = ROWS + 0 * NODES
Y_VOL: Final = ROWS + 1 * NODES
Y_RHO: Final = ROWS + 2 * NODES
Y_VOL2: Final = ROWS + 3 * NODES
LOG_B: Final = ROWS + 4 * NODES
B: Final = ROWS + 5 * NODES
RESIDUAL: Final = ROWS + 6 * NODES
INV_LEFT: Final = ROWS + 7 * NODES  # one over the two sides of the equation
INV_RIGHT: Final = ROWS + 8 * NODES
SCRATCH: Final = ROWS + 9 * NODES
SIDE: Final = ROWS + 10 * NODES  # right side, solution and inverse diagonal of a linear system
SOLUTION: Final = ROWS + 11 * NODES
INV_DIAGONAL: Final = ROWS + 12 * NODES
GUESS: Final = ROWS + 13 * NODES  # nine columns of the first guess
JACOBIAN: Final = ROWS + 22 * NODES  # transposed: derivative of equation i by y_j at j·NODES + i
BOUNDARY_SIZE: Final = JACOBIAN + NODES * NODES

# Offsets into the flat workspace of the premium: eight rows of terms, then what they are made of.
TERMS: Final = 8
U: Final = (TERMS + 0) * PREMIUM_POINTS
INV_SIGMA_ROOT_U: Final = (TERMS + 1) * PREMIUM_POINTS
DU: Final = (TERMS + 2) * PREMIUM_POINTS
XI_AT: Final = (TERMS + 3) * PREMIUM_POINTS
LOG_B_AT: Final = (TERMS + 4) * PREMIUM_POINTS  # ln B, then its derivatives by vol, rho, vol² and ξ
LOG_B_VOL: Final = (TERMS + 5) * PREMIUM_POINTS
LOG_B_RHO: Final = (TERMS + 6) * PREMIUM_POINTS
LOG_B_VOL2: Final = (TERMS + 7) * PREMIUM_POINTS
LOG_B_XI: Final = (TERMS + 8) * PREMIUM_POINTS
POWERS: Final = (TERMS + 9) * PREMIUM_POINTS
PREMIUM_SIZE: Final = POWERS + 4 * NODES
