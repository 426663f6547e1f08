"""Implied volatility over a huge domain, on forward and spot, and at its bounds."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from common.kernels import layout
from common.kernels.black76 import black76
from common.kernels.european import european
from common.kernels.implied_vol import implied_vol, implied_vol_of, implied_vol_spot

N = 200_000


def random_options(seed: int, both_sides: bool):
    rng = np.random.default_rng(seed)
    tau, vol = np.exp(rng.uniform(np.log(1e-6), np.log(10), N)), np.exp(rng.uniform(np.log(0.005), np.log(5), N))
    spot, rate, carry = np.exp(rng.uniform(-5, 10, N)), rng.uniform(-0.1, 0.2, N), rng.uniform(-0.05, 0.1, N)
    z = rng.uniform(-1, 1, N) * rng.choice([0.01, 1, 3, 8, 30], N)
    strike = spot * np.exp((rate - carry) * tau + z * vol * np.sqrt(tau))
    right = rng.choice([-1.0, 1.0], N) if both_sides else np.where(z > 0, 1.0, -1.0)
    return spot, strike, tau, vol, rate, carry, right


def test_out_of_the_money_prices_give_their_volatility_back_to_rounding():
    spot, strike, tau, vol, rate, carry, right = random_options(1, both_sides=False)
    greeks, found = np.empty((8, N)), np.empty(N)
    european(spot, strike, tau, vol, rate, carry, right, greeks)
    implied_vol_spot(greeks[0].copy(), spot, strike, tau, rate, carry, right, found)
    solid = (greeks[layout.PRICE] > 1e-280) & (greeks[layout.VEGA] * 1e-10 > 1e-15 * greeks[layout.PRICE])
    assert solid.mean() > 0.98
    s = vol * np.sqrt(tau)
    allowed = vol * 2e-14 * (1 + 1 / s)
    assert (np.abs(found - vol) < 1e-10)[solid].all()
    assert (np.abs(found - vol) <= allowed)[solid & (s < 3)].all()


def test_wherever_vega_is_not_dust_the_error_is_below_1e_10():
    spot, strike, tau, vol, rate, carry, right = random_options(2, both_sides=True)
    greeks, found = np.empty((8, N)), np.empty(N)
    european(spot, strike, tau, vol, rate, carry, right, greeks)
    implied_vol_spot(greeks[0].copy(), spot, strike, tau, rate, carry, right, found)
    rounding = 1e-15 * np.maximum(greeks[layout.PRICE], np.abs(greeks[layout.DELTA]) * spot)
    solid = (greeks[layout.VEGA] * 1e-10 > rounding) & (greeks[layout.PRICE] > 1e-280)
    assert solid.mean() > 0.7
    assert np.abs(found - vol)[solid].max() < 1e-10
    assert not (found <= 0).any()


@pytest.mark.parametrize("z", [0.5, 4.0, 9.0])
def test_a_five_minute_wing_against_60_digits(z):
    with mpmath.workdps(60):
        tau, vol, forward = mpmath.mpf(5) / 525_600, mpmath.mpf("0.35"), mpmath.mpf(5000)
        dev = vol * mpmath.sqrt(tau)
        strike = mpmath.mpf(float(forward * mpmath.exp(z * dev)))
        d1 = mpmath.log(forward / strike) / dev + dev / 2
        price = float(forward * mpmath.ncdf(d1) - strike * mpmath.ncdf(d1 - dev))
    assert implied_vol_of(price, 5000.0, float(strike), 5 / 525_600, 0.0, 1.0, np.nan) == pytest.approx(0.35, abs=2e-12)


def test_forward_and_spot_agree_and_one_equals_many():
    spot, strike, tau, vol, rate, _, _ = (c[:500].copy() for c in random_options(3, both_sides=False))
    right = np.where(strike > spot, 1.0, -1.0)
    greeks, a, b = np.empty((8, 500)), np.empty(500), np.empty(500)
    black76(spot, strike, tau, vol, rate, right, greeks)
    price = greeks[0].copy()
    implied_vol(price, spot, strike, tau, rate, right, a)
    implied_vol_spot(price, spot, strike, tau, rate, rate, right, b)
    assert np.array_equal(a, b, equal_nan=True)
    rows = zip(price, spot, strike, tau, rate, right, strict=True)
    alone = np.array([implied_vol_of(*map(float, row), np.nan) for row in rows])
    assert np.allclose(alone, a, rtol=1e-9, atol=0, equal_nan=True)


def test_at_and_below_intrinsic_there_is_no_volatility():
    spot, strike, tau, _, rate, carry, right = random_options(4, both_sides=True)
    asset, cash = spot * np.exp(-carry * tau), strike * np.exp(-rate * tau)
    intrinsic = np.maximum(right * (asset - cash), 0.0)
    found = np.empty(N)
    for price in (
        intrinsic,
        intrinsic * (1 - 1e-9),
        np.where(right > 0, asset, cash),
        np.where(right > 0, asset, cash) * 1.01,
    ):
        implied_vol_spot(price, spot, strike, tau, rate, carry, right, found)
        assert np.isnan(found).all()


@pytest.mark.parametrize("field", range(7))
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0])
def test_senseless_input_is_nan_and_spoils_no_neighbour(field, value):
    good = [5.0, 100.0, 105.0, 0.5, 0.03, 0.01, 1.0]
    bad = list(good)
    bad[field] = value
    out = np.empty(3)
    implied_vol_spot(*np.ascontiguousarray(np.array([good, bad, good]).T), out)
    assert out[0] == out[2] > 0
    assert np.isnan(out[1]) or (value == 0.0 and field in (4, 5))


def test_position_in_the_column_does_not_show():
    spot, strike, tau, vol, rate, carry, right = (c[:1000].copy() for c in random_options(5, both_sides=True))
    greeks, whole = np.empty((8, 1000)), np.empty(1000)
    european(spot, strike, tau, vol, rate, carry, right, greeks)
    columns = (greeks[0].copy(), spot, strike, tau, rate, carry, right)
    implied_vol_spot(*columns, whole)
    parts = []
    for i in range(0, 1000, 13):
        piece = np.empty(len(spot[i : i + 13]))
        implied_vol_spot(*(c[i : i + 13] for c in columns), piece)
        parts.append(piece)
    assert np.array_equal(np.concatenate(parts), whole, equal_nan=True)
