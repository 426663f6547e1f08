"""Price and Greeks of an American put with strike 1 from its exercise boundary.

Value and derivatives by ln S, σ, rates and t are integrals over elapsed time u of the same densities; the boundary
enters with its own derivatives, so that no Greek is a difference of prices. Just above the boundary the integrands turn
within √u of the order of ln(S/B)/σ, therefore √(u/τ) = 2w/(1+w²), w = c sinh(v asinh(1/c)), with c that scale, and
Gauss-Legendre in v: gamma is as good there as elsewhere. Equations: american_boundary.py.
*Tested by* tests/unit/test_american_kernel.py.
"""

from __future__ import annotations

import math

from common.kernels.american_boundary import clamp, log_start, normal_cdf
from common.kernels.american_nodes import (
    DU,
    INV_SIGMA_ROOT_U,
    LOG_B_AT,
    LOG_B_RHO,
    LOG_B_VOL,
    LOG_B_VOL2,
    LOG_B_XI,
    NODES,
    POWERS,
    PREMIUM_POINTS,
    PREMIUM_V,
    PREMIUM_WEIGHT,
    TERMS,
    TO_POWERS,
    XI_AT,
    U,
    Y,
)
from common.kernels.elementary import exp, normal_pdf
from common.kernels.jit import F64, kernel


@kernel
def _points(qs: F64, layer: float, sigma: float, tau: float) -> None:
    # Elapsed times, weights and ξ of the premium's quadrature, concentrated on √(u/τ) of the order of ``layer``.
    c = min(max(layer, 1e-7), 10.0)
    stretch = math.log(1.0 / c + math.sqrt(1.0 / (c * c) + 1.0))
    unit = sigma * math.sqrt(tau)
    for k in range(PREMIUM_POINTS):
        up = exp(stretch * PREMIUM_V[k])
        down = 1.0 / up
        w = 0.5 * c * (up - down)
        ratio = 1.0 / (1.0 + w * w)
        root = 2.0 * w * ratio
        xi = max((1.0 - w) * (1.0 + w), 1e-12) * ratio
        qs[U + k] = tau * root * root
        qs[INV_SIGMA_ROOT_U + k] = 1.0 / (unit * root)
        qs[DU + k] = PREMIUM_WEIGHT[k] * 0.5 * c * stretch * (up + down) * 4.0 * tau * root * xi * ratio
        qs[XI_AT + k] = xi


@kernel
def _boundary_at_points(qs: F64, ws: F64, log_x: float, d_log_x: float) -> None:
    # ln B and its derivatives by σ, ρ, σσ and ξ at the points, by Horner's rule over all points at once.
    for g in range(4):
        for i in range(NODES):
            total = 0.0
            for j in range(NODES):
                total += TO_POWERS[i * NODES + j] * ws[Y + g * NODES + j]
            qs[POWERS + g * NODES + i] = total
    for k in range(PREMIUM_POINTS):
        qs[LOG_B_AT + k] = qs[POWERS + NODES - 1]
        qs[LOG_B_VOL + k] = qs[POWERS + 2 * NODES - 1]
        qs[LOG_B_RHO + k] = qs[POWERS + 3 * NODES - 1]
        qs[LOG_B_VOL2 + k] = qs[POWERS + 4 * NODES - 1]
        qs[LOG_B_XI + k] = 0.0
    for j in range(NODES - 1):
        i = NODES - 2 - j
        a0, a1, a2, a3 = qs[POWERS + i], qs[POWERS + NODES + i], qs[POWERS + 2 * NODES + i], qs[POWERS + 3 * NODES + i]
        for k in range(PREMIUM_POINTS):
            z = 2.0 * qs[XI_AT + k] - 1.0
            qs[LOG_B_XI + k] = qs[LOG_B_XI + k] * z + qs[LOG_B_AT + k]
            qs[LOG_B_AT + k] = qs[LOG_B_AT + k] * z + a0
            qs[LOG_B_VOL + k] = qs[LOG_B_VOL + k] * z + a1
            qs[LOG_B_RHO + k] = qs[LOG_B_RHO + k] * z + a2
            qs[LOG_B_VOL2 + k] = qs[LOG_B_VOL2 + k] * z + a3
    for k in range(PREMIUM_POINTS):
        xi, y = qs[XI_AT + k], qs[LOG_B_AT + k]
        qs[LOG_B_XI + k] = -y - 2.0 * xi * qs[LOG_B_XI + k]
        qs[LOG_B_AT + k] = log_x - xi * y
        qs[LOG_B_VOL + k] *= -xi
        qs[LOG_B_RHO + k] = d_log_x - xi * qs[LOG_B_RHO + k]
        qs[LOG_B_VOL2 + k] *= -xi


@kernel
def _terms(qs: F64, log_s: float, r: float, q: float, sigma: float, tau: float, dr: float, dq: float) -> None:
    # Integrands of the premium: value, S d/dS, S² d²/dS², d/dσ, d/dρ, S d²/dS dσ, d²/dσ², S d²/dS dτ.
    inverse = 1.0 / sigma
    spot = exp(log_s)
    for k in range(PREMIUM_POINTS):
        u, scale, du = qs[U + k], qs[INV_SIGMA_ROOT_U + k], qs[DU + k]
        e2, e1 = exp(-r * u) * du, spot * exp(-q * u) * du
        centre = (log_s - qs[LOG_B_AT + k] + (r - q) * u) * scale
        half = 0.5 / scale
        d1, d2 = clamp(centre + half), clamp(centre - half)
        p1, p2 = normal_pdf(d1), normal_pdf(d2)
        n1, n2 = e1 * normal_cdf(-d1, p1), e2 * normal_cdf(-d2, p2)
        e1, e2 = q * e1 * p1, r * e2 * p2
        phi = (e2 - e1) * scale
        phi_m = (e1 * d1 * scale - e1 - e2 * d2 * scale) * scale
        moved, moved2 = -qs[LOG_B_VOL + k] * scale, -qs[LOG_B_VOL2 + k] * scale
        d1_1, d2_1 = moved - d2 * inverse, moved - d1 * inverse
        d1_2 = moved2 + (d2 * inverse - moved - d2_1) * inverse
        d2_2 = moved2 + (d1 * inverse - moved - d1_1) * inverse
        qs[k] = r * n2 - q * n1
        qs[PREMIUM_POINTS + k] = -q * n1 - phi
        qs[2 * PREMIUM_POINTS + k] = e1 * scale - phi_m + phi
        qs[3 * PREMIUM_POINTS + k] = e1 * d1_1 - e2 * d2_1
        rates = dr * (1.0 - r * u) * n2 - dq * (1.0 - q * u) * n1
        qs[4 * PREMIUM_POINTS + k] = rates - phi * (u * (dr - dq) - qs[LOG_B_RHO + k])
        qs[5 * PREMIUM_POINTS + k] = e2 * d2 * scale * d2_1 + e1 * (1.0 - d1 * scale) * d1_1 + phi * inverse
        qs[6 * PREMIUM_POINTS + k] = e1 * (d1_2 - d1 * d1_1 * d1_1) - e2 * (d2_2 - d2 * d2_1 * d2_1)
        qs[7 * PREMIUM_POINTS + k] = phi_m * qs[LOG_B_XI + k] * 0.5 / (tau * qs[XI_AT + k])


@kernel
def premium(qs: F64, ws: F64, log_s: float, r: float, q: float, sigma: float, tau: float, dr: float, dq: float) -> None:
    """Early-exercise premium and its derivatives into qs[0:8] from the boundary in ``ws``.

    Order: value, S d/dS, S² d²/dS², d/dσ, d/dρ, S d²/dS dσ, d²/dσ², S d²/dS dτ (time to expiry). log_s = ln(S/K) above
    ln B(τ); r, q per year; sigma per √year; tau years. qs (PREMIUM_SIZE,) is scratch.
    """
    log_x = log_start(r, q)
    d_log_x = dr / r - dq / q if q > r else 0.0
    distance = log_s - log_x + ws[Y + NODES - 1]
    unit = sigma * math.sqrt(tau)
    _points(qs, 0.5 * distance / unit, sigma, tau)
    _boundary_at_points(qs, ws, log_x, d_log_x)
    _terms(qs, log_s, r, q, sigma, tau, dr, dq)
    for g in range(TERMS):
        a0, a1, a2, a3 = 0.0, 0.0, 0.0, 0.0
        for k in range(0, PREMIUM_POINTS, 4):
            c = g * PREMIUM_POINTS + k
            a0 += qs[c]
            a1 += qs[c + 1]
            a2 += qs[c + 2]
            a3 += qs[c + 3]
        qs[g] = (a0 + a1) + (a2 + a3)
    # Leibniz: the integral's upper end at u = τ, where the boundary is X.
    root = math.sqrt(tau)
    d1 = clamp((log_s - log_x + (r - q) * tau) / (sigma * root) + 0.5 * sigma * root)
    d2 = clamp(d1 - sigma * root)
    p1 = normal_pdf(d1)
    growth = exp(log_s - q * tau)
    edge = (r * exp(-r * tau) * normal_pdf(d2) - q * growth * p1) / (sigma * root)
    qs[7] += -q * growth * normal_cdf(-d1, p1) - edge
