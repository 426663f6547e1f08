"""No-arbitrage bounds and shape of American prices over random contracts."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from common.kernels.american import american
from common.kernels.layout import DELTA, GAMMA, GREEKS, PRICE, VEGA

N = 25
SEEDS = st.integers(0, 2**32 - 1)


def columns(seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    right = np.where(rng.random(N) < 0.5, 1.0, -1.0)
    tau = np.exp(rng.uniform(np.log(1 / 365), np.log(10.0), N))
    vol = np.exp(rng.uniform(np.log(0.05), np.log(0.8), N))
    rate, dividend = rng.uniform(0.0, 0.12, N), rng.uniform(0.0, 0.12, N)
    strike = 100.0 * np.exp(rng.normal(0.0, 1.0, N) * vol * np.sqrt(tau))
    return [np.full(N, 100.0), strike, tau, vol, rate, dividend, right]


def price(rows: list[np.ndarray]) -> np.ndarray:
    out = np.empty((GREEKS, N))
    american(*rows, out)
    return out


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_above_european_and_intrinsic_and_growing_with_time(seed: int) -> None:
    rows = columns(seed)
    spot, strike, tau, vol, rate, dividend, right = rows
    out = price(rows)
    unit = vol * np.sqrt(tau)
    d1 = (np.log(spot / strike) + (rate - dividend) * tau) / unit + 0.5 * unit
    growth, discount = np.exp(-dividend * tau), np.exp(-rate * tau)
    european = right * (spot * growth * norm.cdf(right * d1) - strike * discount * norm.cdf(right * (d1 - unit)))
    assert (out[PRICE] >= right * (spot - strike)).all()
    assert (out[PRICE] >= european - 1e-10 * strike).all()
    assert (out[PRICE] <= np.where(right > 0, spot, strike)).all()
    assert (out[PRICE] <= price([spot, strike, 1.05 * tau, *rows[3:]])[PRICE] + 2e-6 * strike).all()


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_shape(seed: int) -> None:
    rows = columns(seed)
    spot, strike, *_, right = rows
    out = price(rows)
    assert (right * out[DELTA] >= -1e-12).all()
    assert (right * out[DELTA] <= 1.0 + 1e-4).all()
    assert (out[GAMMA] * spot >= -1e-3).all()
    assert (out[VEGA] >= -1e-4 * strike).all()


@settings(max_examples=25, deadline=None)
@given(SEEDS)
def test_a_call_is_a_put_with_the_roles_exchanged(seed: int) -> None:
    spot, strike, tau, vol, rate, dividend, right = columns(seed)
    mirrored = price([strike, spot, tau, vol, dividend, rate, -right])
    assert np.allclose(
        price([spot, strike, tau, vol, rate, dividend, right])[PRICE], mirrored[PRICE], rtol=0, atol=1e-9
    )


@settings(max_examples=15, deadline=None)
@given(SEEDS)
def test_a_row_does_not_depend_on_its_neighbours(seed: int) -> None:
    rows = columns(seed)
    order = np.random.default_rng(seed).permutation(N)
    shuffled = price([r[order] for r in rows])
    assert np.array_equal(shuffled, price(rows)[:, order])
