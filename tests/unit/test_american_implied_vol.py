"""Implied volatility of American prices: QuantLib's prices, the kernel's own, and what has no volatility."""

from __future__ import annotations

import numpy as np
import pytest

from common.kernels.american import american
from common.kernels.american_implied_vol import american_implied_vol
from common.kernels.jit import F64
from common.kernels.layout import GREEKS, PRICE, VEGA
from tests.unit.test_american_kernel import CASES, Reference


def implied(price: F64, columns: list[F64]) -> F64:
    spot, strike, tau, _, rate, dividend, right = columns
    out = np.empty(len(price))
    american_implied_vol(price, spot, strike, tau, rate, dividend, right, out)
    return out


def test_volatility_of_quantlib_prices() -> None:
    rows = np.array(CASES)
    right, spot, strike, days, vol, rate, dividend = (np.ascontiguousarray(rows[:, j]) for j in range(7))
    prices = np.array([Reference(int(c[0]), c[2], c[3]).price(c[1], c[5], c[6], c[4]) for c in CASES])
    columns = [spot, strike, days / 365, vol, rate, dividend, right]
    assert implied(prices, columns) == pytest.approx(vol, abs=2e-6)


def test_round_trip() -> None:
    rng = np.random.default_rng(8)
    n = 400
    right = np.where(rng.random(n) < 0.5, 1.0, -1.0)
    spot, strike = np.full(n, 100.0), 100.0 * np.exp(rng.normal(0.0, 0.2, n))
    tau, vol = rng.uniform(7, 700, n) / 365, rng.uniform(0.08, 0.9, n)
    columns = [spot, strike, tau, vol, rng.uniform(0, 0.08, n), rng.uniform(0, 0.06, n), right]
    out = np.empty((GREEKS, n))
    american(*columns, out)
    found = implied(out[PRICE].copy(), columns)
    told = (out[VEGA] > 0.5) & (out[PRICE] > np.maximum(right * (spot - strike), 0.0) + 1e-6)
    assert told.mean() > 0.8
    assert np.abs(found - vol)[told].max() <= 1e-10
    assert not (found == 0.0).any()


def test_no_volatility_outside_the_bounds() -> None:
    right = np.array([-1.0, -1.0, -1.0, 1.0, 1.0, 1.0, -1.0])
    price = np.array([9.99, 10.0, 100.1, 100.2, -1.0, np.nan, 12.0])
    spot, strike = np.array([90.0, 90.0, 90.0, 100.0, 100.0, 100.0, np.nan]), np.full(7, 100.0)
    columns = [spot, strike, np.full(7, 0.5), spot, np.full(7, 0.05), np.full(7, 0.02), right]
    assert np.isnan(implied(price, columns)).all()
