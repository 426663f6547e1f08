"""American options on a spot with a continuous yield, and on futures: price and all Greeks of columns of options.

The method, in the order of the modules: american_nodes.py (constants), american_boundary.py and american_response.py
(exercise boundary and its derivatives), american_premium.py (price and Greeks), american_lattice.py (the region of two
boundaries). Calls are puts with the roles exchanged: C(S, K, r, q) = P(K, S, q, r) (McDonald and Schroder 1998).
docs/american.md tells accuracy and limits.
*Tested by* tests/unit/test_american_kernel.py, tests/unit/test_american_gamma.py, tests/unit/test_american_limits.py,
tests/unit/test_american_lattice.py, tests/golden/test_american_published.py, tests/properties/test_american_bounds.py.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from common.kernels.american_boundary import TOLERANCE, clamp, log_start, normal_cdf
from common.kernels.american_lattice import CELLS, GRID_ROWS, lattice_premium
from common.kernels.american_nodes import BOUNDARY_SIZE, NODES, PREMIUM_SIZE, TERMS, Y
from common.kernels.american_premium import premium
from common.kernels.american_response import solve_boundary
from common.kernels.elementary import exp, normal_pdf
from common.kernels.jit import F64, I64, kernel, strict_kernel
from common.kernels.layout import CHARM, DELTA, GAMMA, GREEKS, PRICE, RHO, THETA, VANNA, VEGA, VOLGA

#: Below this σ√τ volatility is taken as zero: an error of the price under 2e-6 of the spot.
_ROOT_VARIANCE_MIN: Final = 5e-6
#: Largest max(|r|, |q|)√τ/σ: beyond, the boundary is a step that the nodes, or the lattice, do not resolve.
_STEEPEST: Final = 10.0
_STEEPEST_LATTICE: Final = 2.0
#: Highest y today that a boundary has, far above any: NaN, which compiled code for finite numbers does not see, is not below.
_HIGHEST: Final = 1e6
_OUTSIDE: Final = 2.0
#: Early exercise earns at most r⁺ + q⁻ a year and unit: over a shorter time than this the premium is rounding.
_PREMIUM_MIN: Final = 1e-10
_EXERCISED: Final = 1.0
_HELD: Final = 0.0


@strict_kernel
def _in_domain(spot: float, strike: float, tau: float, vol: float, r: float, q: float, right: float) -> bool:
    # Arguments that mean an option, within what double precision can carry.
    sane = spot > 1e-100 and spot < 1e100 and strike > 1e-100 and strike < 1e100 and (right == 1.0 or right == -1.0)
    ratio = spot / strike
    years = max(tau, 0.0)
    sane = sane and tau > -1e6 and tau <= 100.0 and vol >= 0.0 and ratio > 1e-40 and ratio < 1e40
    return sane and vol * math.sqrt(years) <= 10.0 and abs(r) * years <= 30.0 and abs(q) * years <= 30.0


@strict_kernel
def _deterministic(
    spot: float, strike: float, tau: float, r: float, q: float, right: float, dq: float, out: F64, i: int
) -> None:
    # No volatility: the best of exercise now, at expiry, and where K e^(-rt) - S e^(-qt) is stationary.
    years = max(tau, 0.0)
    now = right * (spot - strike)
    best, when, inner = max(now, 0.0), 0.0, False
    late = right * (spot * math.exp(-q * years) - strike * math.exp(-r * years))
    if late > best:
        best, when = late, years
    if years > 0.0 and r != q and r * q > 0.0:
        t = math.log(r * strike / (q * spot)) / (r - q)
        if t > 0.0 and t < years:
            value = right * (spot * math.exp(-q * t) - strike * math.exp(-r * t))
            if value > best:
                best, when, inner = value, t, True
    growth, discount = math.exp(-q * when), math.exp(-r * when)
    for g in range(GREEKS):
        out[g, i] = 0.0
    out[PRICE, i] = best
    out[DELTA, i] = right * growth if best > 0.0 else (0.5 * right if now == 0.0 else 0.0)
    if best > 0.0:
        out[RHO, i] = right * when * (strike * discount - dq * spot * growth)
        if inner:
            out[GAMMA, i] = right * q * growth / (spot * (r - q))
        elif when > 0.0:
            out[THETA, i] = right * (q * spot * growth - r * strike * discount)
            out[CHARM, i] = right * q * growth


@kernel
def _european_put(log_s: float, r: float, q: float, sigma: float, tau: float, dr: float, dq: float, parts: F64) -> None:
    # European put with strike 1 in the order of `premium`: value, S d/dS, S² d²/dS², σ, ρ, S d²/dS dσ, σσ, S d²/dS dτ.
    root = math.sqrt(tau)
    unit = sigma * root
    d1 = clamp((log_s + (r - q) * tau) / unit + 0.5 * unit)
    d2 = clamp(d1 - unit)
    p1 = normal_pdf(d1)
    growth = exp(min(max(log_s - q * tau, -300.0), 300.0))
    n1 = growth * normal_cdf(-d1, p1)
    n2 = exp(-r * tau) * normal_cdf(-d2, normal_pdf(d2))
    weight = growth * p1
    parts[0] = n2 - n1
    parts[1] = -n1
    parts[2] = weight / unit
    parts[3] = weight * root
    parts[4] = tau * (dq * n1 - dr * n2)
    parts[5] = -weight * d2 / sigma
    parts[6] = weight * root * d1 * d2 / sigma
    parts[7] = q * n1 + weight * ((r - q) / unit - 0.5 * d2 / tau)


@strict_kernel
def _put(
    log_s: float, r: float, q: float, sigma: float, tau: float, dr: float, dq: float, known: F64, pivots: I64,
    ws: F64, qs: F64, grid: F64, local: F64, parts: F64,
) -> float:  # fmt: skip
    # Value and derivatives of the put with strike 1 into ``parts``; then _HELD, _EXERCISED or _OUTSIDE.
    never = (r < 0.0 and q >= r) or (r == 0.0 and q >= 0.0)
    if never or (max(r, 0.0) + max(-q, 0.0)) * tau < _PREMIUM_MIN:
        _european_put(log_s, r, q, sigma, tau, dr, dq, parts)
        return _HELD
    steepness = max(abs(r), abs(q)) * math.sqrt(tau) / sigma
    if steepness > _STEEPEST:
        return _OUTSIDE
    collocated = r >= 0.0
    if collocated:
        same = known[0] == r and known[1] == q and known[2] == sigma and known[3] == tau
        if not (same and known[4] == dr and known[5] == dq):
            known[0], known[1], known[2], known[3], known[4], known[5] = r, q, sigma, tau, dr, dq
            known[6] = solve_boundary(ws, pivots, r, q, sigma, tau, dr, dq)
        collocated = known[6] <= TOLERANCE and ws[Y + NODES - 1] < _HIGHEST
    if collocated:
        if log_s <= log_start(r, q) - ws[Y + NODES - 1]:
            return _EXERCISED
        premium(qs, ws, log_s, r, q, sigma, tau, dr, dq)
        _european_put(log_s, r, q, sigma, tau, dr, dq, parts)
        value = parts[0] + qs[0]
        collocated = value > 1.0 - math.exp(log_s) - 1e-4 and value < max(1.0, math.exp(-r * tau)) + 1e-4
    if not collocated:
        if steepness > _STEEPEST_LATTICE:
            return _OUTSIDE
        if lattice_premium(grid, local, log_s, r, q, sigma, tau, dr, dq, qs) <= 0.0 and log_s < 0.0:
            return _EXERCISED
        _european_put(log_s, r, q, sigma, tau, dr, dq, parts)
    for g in range(TERMS):
        parts[g] += qs[g]
    return _HELD


@strict_kernel
def american_columns(
    spot: F64, strike: F64, tau_years: F64, vol: F64, rate: F64, dividend: F64, right: F64, rho_yield: float, out: F64
) -> None:
    """`american` with the direction of RHO: rho_yield tells how far the yield moves with the rate (1 on a future)."""
    ws, qs, parts = np.empty(BOUNDARY_SIZE), np.empty(PREMIUM_SIZE), np.empty(TERMS)
    pivots, known = np.empty(NODES, np.int64), np.full(7, np.nan)
    grid, local = np.empty((GRID_ROWS, CELLS)), np.empty((3, 3))
    for i in range(len(spot)):
        s, k, tau, sigma, r, q = spot[i], strike[i], tau_years[i], vol[i], rate[i], dividend[i]
        put = right[i] < 0.0
        if not _in_domain(s, k, tau, sigma, r, q, right[i]):
            for g in range(GREEKS):
                out[g, i] = np.nan
            continue
        if not (tau > 0.0 and sigma * math.sqrt(tau) > _ROOT_VARIANCE_MIN):
            _deterministic(s, k, tau, r, q, right[i], rho_yield, out, i)
            continue
        log_s = math.log(s / k)
        dr, dq, unit = 1.0, rho_yield, k
        if not put:
            log_s, r, q, dr, dq, unit = -log_s, q, r, rho_yield, 1.0, s
        held = _put(log_s, r, q, sigma, tau, dr, dq, known, pivots, ws, qs, grid, local, parts)
        intrinsic = right[i] * (s - k)
        if held != _HELD:
            for g in range(GREEKS):
                out[g, i] = 0.0 if held == _EXERCISED else np.nan
            if held == _OUTSIDE:
                continue
            out[PRICE, i], out[DELTA, i] = intrinsic, right[i]
            continue
        value, slope, curve = parts[0], parts[1], parts[2]
        theta = r * value - (r - q) * slope - 0.5 * sigma * sigma * curve
        out[PRICE, i] = max(max(unit * value, intrinsic), 0.0)
        out[VEGA, i], out[VOLGA, i] = unit * parts[3], unit * parts[6]
        out[THETA, i], out[RHO, i] = unit * theta, unit * parts[4]
        if put:
            out[DELTA, i], out[GAMMA, i] = slope * k / s, curve * k / (s * s)
            out[VANNA, i], out[CHARM, i] = parts[5] * k / s, -parts[7] * k / s
        else:
            out[DELTA, i], out[GAMMA, i] = value - slope, curve / s
            out[VANNA, i], out[CHARM, i] = parts[3] - parts[5], theta + parts[7]


def american(spot: F64, strike: F64, tau: F64, vol: F64, rate: F64, dividend_yield: F64, right: F64, out: F64) -> None:
    """Price and eight Greeks of n American options on a spot into ``out`` (GREEKS, n), rows of layout.py.

    spot, strike (n,) > 0 in points; tau (n,) years ACT/365; vol (n,) per √year; rate, dividend_yield (n,) per year,
    continuous, any sign; right (n,) +1 call, -1 put. Rows per unit of the contract, per year and per 1.00 of vol or rate;
    RHO with the yield held. Where exercise now is best: price intrinsic, delta ±1, all else 0. tau <= 0 or vol = 0: the
    best deterministic exercise (at expiry delta 0, ±1, or ±0.5 at the strike). NaN in every row for NaN, senseless
    arguments (spot or strike <= 0, vol < 0, right not ±1) and outside the domain: τ <= 100, σ√τ <= 10, |r|τ and |q|τ <= 30,
    S/K within 1e±40; and, where early exercise can pay, |r|√τ and |q|√τ <= 10 σ (2 σ with two boundaries: a put with
    q < r < 0, a call with r < q < 0); σ√τ < 5e-6 counts as no volatility. Never raises.
    """
    american_columns(spot, strike, tau, vol, rate, dividend_yield, right, 0.0, out)


def american_future(future: F64, strike: F64, tau: F64, vol: F64, rate: F64, right: F64, out: F64) -> None:
    """`american` on a future whose premium is paid at the trade: yield = rate; RHO with the future held."""
    american_columns(future, strike, tau, vol, rate, rate, right, 1.0, out)
