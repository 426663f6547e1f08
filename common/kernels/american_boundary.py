"""Early-exercise boundary of a put with strike 1, and how it answers to volatility and rates.

With V(S, t) = European put + ∫ [r e^(-ru) N(-d2) - q S e^(-qu) N(-d1)] du, d1,2 = (ln S/B(t-u) + (r - q)u)/(σ√u) ±
σ√u/2 (Kim 1990), the smooth pasting V_S = -1 at S = B(t) is one equation a time t (system FP-A of Andersen, Lake and
Offengenden 2016, "High performance American option pricing"). Where the paper iterates a fixed point on ln² B, here y of
ln B = ln X - ξ y(ξ) is collocated (see american_nodes.py) and Newton's method is applied to the logarithm of the ratio
of both sides: from the QD+ guess (Li 2010, "Analytical approximations for the critical stock prices of American
options") two steps suffice as a rule. Differentiating the equations once by σ and by the rates and twice by σ gives
linear systems with the same matrix: the response of the boundary needs no bumped solution.
*Tested by* tests/unit/test_american_kernel.py (QuantLib's boundary equations at high precision; bumps).
"""

from __future__ import annotations

import math
from typing import Final

from common.kernels.american_nodes import (
    ALL,
    BACK,
    C1,
    C2,
    D1,
    D2,
    DRIFT,
    ELAPSED,
    GUESS,
    HERE,
    INNER,
    INTERPOLATE,
    INV_LEFT,
    INV_RIGHT,
    IS_INNER,
    LOG_B,
    N1,
    NODES,
    P1,
    P2,
    POINTS,
    R1,
    R2,
    RESIDUAL,
    ROOT_ELAPSED,
    SCALE,
    SCRATCH,
    WEIGHT,
    XI,
    B,
    Y,
)
from common.kernels.elementary import exp, log, mills, normal_pdf
from common.kernels.jit import F64, inline, kernel

_D_MAX: Final = 26.0  # a density of 1e-147: products of it stay clear of denormal numbers, which cost 100 cycles each
_FLOOR: Final = 1e-290
#: Newton stops once a step moves ln B by less, in units of σ√τ (at most 1): the next error is then about its square.
TOLERANCE: Final = 4e-4
MAX_STEPS: Final = 12
_BAW_STEPS: Final = 3
_QD_STEPS: Final = 2


@inline
def clamp(d: float) -> float:
    """d within 26 standard deviations, beyond which the tails count as zero."""
    return min(max(d, -_D_MAX), _D_MAX)


@inline
def normal_cdf(d: float, density: float) -> float:
    """N(d) for |d| <= 26 from its density; relative precision in the lower tail."""
    tail = density * mills(abs(d))
    return tail if d < 0.0 else 1.0 - tail


@inline
def log_start(r: float, q: float) -> float:
    """ln X, X = B(0+) = min(1, r/q): where exercise begins to pay at expiry."""
    return math.log(r / q) if q > r else 0.0


@kernel
def _prepare(ws: F64, r: float, q: float, sigma: float, tau: float, dr: float, dq: float) -> None:
    # What does not depend on the boundary. (dr, dq): the direction of rho.
    unit = sigma * math.sqrt(tau)
    for k in range(ALL):
        u = tau * ELAPSED[k]
        inner = IS_INNER[k]
        outer = 1.0 - inner
        weight = WEIGHT[k] * (tau * inner + outer)
        e1 = exp(-q * u) * weight
        e2 = exp(-r * u) * weight
        ws[C1 + k] = e1 * (q * inner + outer)
        ws[C2 + k] = e2 * (r * inner + outer)
        ws[R1 + k] = dq * e1 * (inner - u * (q * inner + outer))
        ws[R2 + k] = dr * e2 * (inner - u * (r * inner + outer))
        ws[SCALE + k] = 1.0 / (unit * ROOT_ELAPSED[k])
        ws[DRIFT + k] = (r - q) * u


@kernel
def _guess_terms(ws: F64, r: float, q: float, sigma: float, tau: float, x: float) -> None:
    # Per node: σ√t, e^(-qt), e^(-rt), 1 - e^(-qt), 1 - e^(-rt), M/h, root, -λ of Barone-Adesi-Whaley, upper bound of B.
    variance = sigma * sigma
    n1 = 2.0 * (r - q) / variance - 1.0
    lam = -0.5 * (n1 + math.sqrt(n1 * n1 + 8.0 * r / variance))
    perpetual = lam / (lam - 1.0) if lam < 0.0 else 0.0
    for i in range(NODES):
        t = tau * XI[i] * XI[i]
        st = sigma * math.sqrt(t)
        rt, qt = r * t, q * t
        er, eq = exp(-rt), exp(-qt)
        hr = 1.0 - er if abs(rt) > 1e-5 else rt * (1.0 - 0.5 * rt)
        hq = 1.0 - eq if abs(qt) > 1e-5 else qt * (1.0 - 0.5 * qt)
        m_over_h = 2.0 / (variance * t) * (rt / hr if abs(rt) > 1e-5 else 1.0 + 0.5 * rt)
        root = math.sqrt(n1 * n1 + 4.0 * m_over_h)
        lam_t = 0.5 * (n1 + root)
        ws[GUESS + i] = st
        ws[GUESS + NODES + i] = eq
        ws[GUESS + 2 * NODES + i] = er
        ws[GUESS + 3 * NODES + i] = hq
        ws[GUESS + 4 * NODES + i] = hr
        ws[GUESS + 5 * NODES + i] = m_over_h
        ws[GUESS + 6 * NODES + i] = root
        ws[GUESS + 7 * NODES + i] = lam_t
        ws[GUESS + 8 * NODES + i] = min(x, hr * lam_t / (hq * (1.0 + lam_t))) if hq > 0.0 else x
        pull = exp(max(-2.0 * st * x / max(x - perpetual, 1e-3), -50.0))
        ws[LOG_B + i] = log(max(perpetual + (x - perpetual) * pull, 1e-17))


@kernel
def _guess_step(ws: F64, r: float, q: float, tau: float) -> None:
    # Newton in ln B on ln(tails) - ln(rest) of  B (1 - e^(-qt) N(-d1)) = l (1 - B - european), l = -λ - c0.
    for i in range(NODES):
        st, eq, er = ws[GUESS + i], ws[GUESS + NODES + i], ws[GUESS + 2 * NODES + i]
        hq, hr = ws[GUESS + 3 * NODES + i], ws[GUESS + 4 * NODES + i]
        lam, top = ws[GUESS + 7 * NODES + i], ws[GUESS + 8 * NODES + i]
        b = min(exp(ws[LOG_B + i]), top * 0.9999999)
        log_b = log(b)
        d1 = clamp((log_b + (r - q) * tau * XI[i] * XI[i]) / st + 0.5 * st)
        d2 = clamp(d1 - st)
        p1 = normal_pdf(d1)
        v1 = b * eq * normal_cdf(d1, p1)
        v2 = er * normal_cdf(d2, normal_pdf(d2))
        left = max(v1 + lam * (v1 - v2), _FLOOR)
        right = max(lam * hr - (1.0 + lam) * b * hq, _FLOOR)
        slope = (v1 * (1.0 + lam) + b * eq * p1 / st) / left + (1.0 + lam) * b * hq / right
        step = (log(left) - log(right)) / slope
        moved = log_b - min(max(step, -1.0), 1.0)
        log_top = log(top)
        ws[LOG_B + i] = moved if moved < log_top else 0.5 * (log_b + log_top)


@kernel
def _guess_correction(ws: F64, r: float, q: float, sigma: float, tau: float) -> None:
    # Li's c0 at the present guess, added to λ; the upper bound of B moves with it.
    variance = sigma * sigma
    n1 = 2.0 * (r - q) / variance - 1.0
    for i in range(NODES):
        st, eq, er = ws[GUESS + i], ws[GUESS + NODES + i], ws[GUESS + 2 * NODES + i]
        hq, hr = ws[GUESS + 3 * NODES + i], ws[GUESS + 4 * NODES + i]
        m_over_h, root, lam = ws[GUESS + 5 * NODES + i], ws[GUESS + 6 * NODES + i], ws[GUESS + 7 * NODES + i]
        log_b = ws[LOG_B + i]
        b = exp(log_b)
        d1 = clamp((log_b + (r - q) * tau * XI[i] * XI[i]) / st + 0.5 * st)
        d2 = clamp(d1 - st)
        p1 = normal_pdf(d1)
        v1 = b * eq * normal_cdf(d1, p1)
        v2 = er * normal_cdf(d2, normal_pdf(d2))
        gap = max(hr - b * hq - v1 + v2, _FLOOR)
        theta = r * (er - v2) - q * (b * eq - v1) - 0.5 * variance * b * eq * p1 / st
        twice = n1 - 2.0 * lam
        c0 = -er / twice * (m_over_h - 2.0 * theta / (variance * er * gap) + m_over_h * m_over_h / (root * twice))
        lam = min(max(lam - c0, 0.2 * lam), 5.0 * lam)
        top = ws[GUESS + 8 * NODES + i]
        ws[GUESS + 7 * NODES + i] = lam
        ws[GUESS + 8 * NODES + i] = min(top, hr * lam / (hq * (1.0 + lam))) if hq > 0.0 else top


@kernel
def _guess(ws: F64, r: float, q: float, sigma: float, tau: float, log_x: float) -> None:
    _guess_terms(ws, r, q, sigma, tau, exp(log_x))
    for _ in range(_BAW_STEPS):
        _guess_step(ws, r, q, tau)
    _guess_correction(ws, r, q, sigma, tau)
    for _ in range(_QD_STEPS):
        _guess_step(ws, r, q, tau)
    for i in range(NODES):
        ws[Y + i] = max((log_x - ws[LOG_B + i]) / XI[i], 0.01 * sigma * math.sqrt(tau))


@kernel
def _interpolate(ws: F64, source: int, target: int, start: float) -> None:
    # start - ξ y(ξ) of node values y into every point of the integrals; 0 on the European row.
    for k in range(ALL):
        ws[target + k] = start * IS_INNER[k]
    for j in range(NODES):
        y = ws[source + j]
        for k in range(ALL):
            ws[target + k] -= INTERPOLATE[j * ALL + k] * y


@kernel
def _equations(ws: F64, log_x: float) -> None:
    # RESIDUAL: ln of left over right of  ∫φ = B (e^(-qt) N(d1) + ∫ q e^(-qu) N(d1)), terms with q < 0 put on the left.
    for i in range(NODES):
        log_b = log_x - XI[i] * ws[Y + i]
        ws[B + i] = exp(log_b)
        for k in range(POINTS + 1):
            ws[HERE + k * NODES + i] = log_b
    _interpolate(ws, Y, BACK, log_x)
    for k in range(ALL):
        scale = ws[SCALE + k]
        centre = (ws[HERE + k] - ws[BACK + k] + ws[DRIFT + k]) * scale
        half = 0.5 / scale
        d1, d2 = clamp(centre + half), clamp(centre - half)
        p1, p2 = normal_pdf(d1), normal_pdf(d2)
        ws[D1 + k], ws[D2 + k], ws[P1 + k], ws[P2 + k] = d1, d2, p1, p2
        ws[N1 + k] = normal_cdf(d1, p1)
    for i in range(NODES):
        ws[RESIDUAL + i] = 0.0
        ws[SCRATCH + i] = 0.0
    for k in range(POINTS):
        for i in range(NODES):
            c = k * NODES + i
            ws[SCRATCH + i] += ws[C1 + c] * ws[N1 + c]
            ws[RESIDUAL + i] += (ws[C2 + c] * ws[P2 + c] - ws[B + i] * ws[C1 + c] * ws[P1 + c]) * ws[SCALE + c]
    for i in range(NODES):
        inner = ws[B + i] * ws[SCRATCH + i]
        outer = ws[B + i] * ws[C1 + INNER + i] * ws[N1 + INNER + i]
        left = max(ws[RESIDUAL + i] - min(inner, 0.0), _FLOOR)
        right = max(outer + max(inner, 0.0), _FLOOR)
        ws[INV_LEFT + i], ws[INV_RIGHT + i] = 1.0 / left, 1.0 / right
        ws[RESIDUAL + i] = log(left) - log(right)
