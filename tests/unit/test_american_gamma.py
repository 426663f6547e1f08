"""Gamma of American options near the exercise boundary, where 16 points of the boundary tell least."""

from __future__ import annotations

import math

import numpy as np
import QuantLib as ql  # noqa: N813

from benchmarks.american import Peer
from common.kernels.american import american
from common.kernels.american_boundary import TOLERANCE
from common.kernels.american_nodes import BOUNDARY_SIZE, NODES, Y
from common.kernels.american_response import solve_boundary
from common.kernels.jit import F64
from common.kernels.layout import DELTA, GAMMA, GREEKS, PRICE, VEGA

#: Of n(0)/(S σ√τ), the gamma of a European option at the money.
BAR = 1e-4


def kernel(rows: F64) -> F64:
    """(GREEKS, n) of rows spot, strike, days, vol, rate, yield, right."""
    out = np.empty((GREEKS, rows.shape[1]))
    spot, strike, days, vol, rate, dividend, right = (np.ascontiguousarray(row) for row in rows)
    american(spot, strike, days / 365, vol, rate, dividend, right, out)
    return out


def contracts(seed: int, n: int) -> F64:
    """1 day-5 years, vol 5-100 %, rates and yields 0-12 %, three deviations to both sides of the strike."""
    rng = np.random.default_rng(seed)
    days, vol = (
        np.floor(np.exp(rng.uniform(0.0, math.log(1825.0), n))) + 1.0,
        np.exp(rng.uniform(math.log(0.05), 0.0, n)),
    )
    rate, dividend = rng.uniform(0.0, 0.12, n), rng.uniform(0.0, 0.12, n)
    right = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    spot = 100.0 * np.exp(rng.uniform(-3.0, 3.0, n) * vol * np.sqrt(days / 365))
    return np.array([spot, np.full(n, 100.0), days, vol, rate, dividend, right])


def five_points(row: F64) -> tuple[float, float, float]:
    """Price/S, delta and gamma·S of QuantLib's prices; NaN where a point has less than 1e-6 S above its intrinsic value."""
    peer = Peer(ql, row, ql.QdFpAmericanEngine.highPrecisionScheme())
    spot, strike, right = row[0], row[1], row[6]
    h = min(0.002, 0.05 * row[3] * math.sqrt(row[2] / 365))
    a, b, c, d, e = (peer.price(1.0 + k * h) for k in (-2, -1, 0, 1, 2))
    edge = min(a - right * (spot * (1.0 - 2.0 * h) - strike), e - right * (spot * (1.0 + 2.0 * h) - strike))
    if edge < 1e-6 * spot:
        return math.nan, math.nan, math.nan
    gamma = (-a + 16 * b - 30 * c + 16 * d - e) / (12 * h * h * spot)
    return c / spot, (a - 8 * b + 8 * d - e) / (12 * h * spot), gamma


def test_gamma_close_to_the_boundary_is_that_of_quantlib() -> None:
    rows = contracts(20261, 6000)
    ours = kernel(rows)
    unit = rows[3] * np.sqrt(rows[2] / 365)
    over = (ours[PRICE] - rows[6] * (rows[0] - rows[1])) / (rows[0] * unit)
    near = np.flatnonzero((ours[VEGA] != 0.0) & (over < 0.05))[:200]
    told = np.array([five_points(rows[:, i]) for i in near]).T
    seen = np.isfinite(told[0])
    assert seen.sum() >= 150
    picked, (price, delta, gamma) = near[seen], told[:, seen]
    scale = np.maximum(0.4 / unit[picked], 1.0)
    assert np.abs(ours[PRICE, picked] / rows[0, picked] - price).max() < 1e-5
    assert np.abs(ours[DELTA, picked] - delta).max() < 1e-4
    assert (np.abs(ours[GAMMA, picked] * rows[0, picked] - gamma) / scale).max() < BAR


def test_gamma_at_the_boundary_is_that_of_the_equation() -> None:
    # The value stands still in time there, so that ½σ²B²Γ = rK - qB of a put: no reference, no differences.
    rows = contracts(20262, 3000)
    rows[6] = -1.0
    steepness = np.maximum(rows[4], rows[5]) * np.sqrt(rows[2] / 365) / rows[3]
    # Above q = 3 r the boundary lies where no spot goes.
    rows = rows[:, (steepness < 2.0) & (rows[5] < 3.0 * rows[4])]
    unit = rows[3] * np.sqrt(rows[2] / 365)
    low, high = np.full(len(unit), math.log(1e-3)), np.zeros(len(unit))
    for _ in range(36):
        middle = 0.5 * (low + high)
        rows[0] = 100.0 * np.exp(middle)
        exercised = kernel(rows)[VEGA] == 0.0
        low, high = np.where(exercised, middle, low), np.where(exercised, high, middle)
    edge = np.exp(high)
    rows[0] = 100.0 * edge * np.exp(1e-6 * unit)
    jump = 2.0 * (rows[4] - rows[5] * edge) / (rows[3] * edge) ** 2
    error = np.abs(kernel(rows)[GAMMA] * 100.0 - jump) * edge / np.maximum(0.4 / unit, 1.0)
    assert np.percentile(error, 95) < BAR
    assert error.max() < 2.0 * BAR


def test_newton_ends_from_every_guess() -> None:
    # Just below r = q the first guess is uneven; with low rates Jacobi's iteration then diverges now and again.
    rng = np.random.default_rng(20263)
    ws, pivots = np.zeros(BOUNDARY_SIZE), np.zeros(NODES, np.int64)
    for _ in range(20_000):
        tau, vol = math.exp(rng.uniform(math.log(1 / 365), math.log(5.0))), math.exp(rng.uniform(-3.5, 0.4))
        rate = math.exp(rng.uniform(math.log(1e-4), math.log(0.15)))
        dividend = rate * math.exp(rng.uniform(-0.2, 1.0))
        if dividend * math.sqrt(tau) < 10.0 * vol:
            moved = solve_boundary(ws, pivots, rate, dividend, vol, tau, 1.0, 0.0)
            assert moved <= TOLERANCE and np.isfinite(ws[Y : Y + 4 * NODES]).all(), (rate, dividend, vol, tau)
