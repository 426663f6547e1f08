"""European options on a spot: high-precision tails, limits, NaN policy, blocks, rows."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from benchmarks.peers import contracts
from common.kernels import layout
from common.kernels.european import BLOCK, FIELDS, european, european_blocks


def greeks(*columns, rows: int = layout.GREEKS) -> np.ndarray:
    flat = [np.ascontiguousarray(c) for c in np.broadcast_arrays(*(np.atleast_1d(np.float64(c)) for c in columns))]
    out = np.full((rows, len(flat[0])), -99.0)
    european(*flat, out)
    return out


def exact(spot, strike, tau, vol, rate, carry, right):
    """Price and delta in 60 digits."""
    with mpmath.workdps(60):
        s, k, t, v, r, q, w = (mpmath.mpf(float(x)) for x in (spot, strike, tau, vol, rate, carry, right))
        dev = v * mpmath.sqrt(t)
        d1 = (mpmath.log(s / k) + (r - q) * t) / dev + dev / 2

        def cdf(x):
            return mpmath.erfc(-x / mpmath.sqrt(2)) / 2

        n1, n2 = cdf(w * d1), cdf(w * (d1 - dev))
        price = w * (s * mpmath.exp(-q * t) * n1 - k * mpmath.exp(-r * t) * n2)
        return price, w * mpmath.exp(-q * t) * n1, float(d1), float(dev)


def test_relative_accuracy_in_the_tails_is_as_stated():
    rng = np.random.default_rng(1)
    for _ in range(300):
        tau, vol = np.exp(rng.uniform(np.log(1e-4), np.log(10))), rng.uniform(0.05, 1.5)
        z = rng.uniform(1.0, 30.0)
        right = rng.choice([-1.0, 1.0])
        strike = 100.0 * np.exp(right * z * vol * np.sqrt(tau))
        case = (100.0, strike, tau, vol, 0.03, 0.01, right)
        price, delta, d1, dev = exact(*case)
        out = greeks(*case)[:, 0]
        allowed = 3e-15 * (1 + abs(d1) / dev) + 4e-16 * (abs(d1) + dev) ** 2
        if price > 1e-290:
            assert abs(float(out[layout.PRICE] / price - 1)) < allowed, case
            assert abs(float(out[layout.DELTA] / delta - 1)) < allowed, case


@pytest.mark.parametrize("right", [1.0, -1.0])
@pytest.mark.parametrize("spot", [110.0, 90.0, 100.0])
@pytest.mark.parametrize("tau", [0.0, -0.5, 1e-13])
def test_expired_is_intrinsic(spot, right, tau):
    out = greeks(spot, 100.0, tau, 0.2, 0.05, 0.02, right)[:, 0]
    money = right * (spot - 100.0)
    assert out[layout.PRICE] == max(money, 0.0)
    assert out[layout.DELTA] == right * (1.0 if money > 0 else 0.5 if money == 0 else 0.0)
    assert not out[2:].any()


@pytest.mark.parametrize("right", [1.0, -1.0])
@pytest.mark.parametrize("strike", [80.0, 120.0])
def test_no_volatility_is_the_limit_of_little(right, strike):
    limit = greeks(100.0, strike, 2.0, 0.0, 0.05, 0.02, right)[:, 0]
    near = greeks(100.0, strike, 2.0, 1e-4, 0.05, 0.02, right)[:, 0]
    assert limit == pytest.approx(near, abs=1e-11)


def test_no_volatility_at_the_forward_keeps_vega_and_vanna():
    limit = greeks(100.0, 100.0, 2.0, 0.0, 0.03, 0.03, 1.0)[:, 0]
    near = greeks(100.0, 100.0, 2.0, 1e-7, 0.03, 0.03, 1.0)[:, 0]
    for g in (layout.DELTA, layout.VEGA, layout.VANNA, layout.VOLGA, layout.RHO, layout.THETA):
        assert limit[g] == pytest.approx(near[g], rel=1e-5, abs=1e-5), layout.GREEK_NAMES[g]
    assert limit[layout.GAMMA] == 0.0


def test_the_last_minute_approaches_expiry():
    for right in (1.0, -1.0):
        for spot in (99.0, 101.0):
            last = greeks(spot, 100.0, 1 / 525_600, 0.2, 0.05, 0.02, right)[:, 0]
            gone = greeks(spot, 100.0, 0.0, 0.2, 0.05, 0.02, right)[:, 0]
            assert np.allclose(last[: layout.THETA], gone[: layout.THETA], atol=1e-5)


def test_huge_volatility_is_the_spot_or_the_strike():
    call = greeks(100.0, 90.0, 10.0, 1e3, 0.05, 0.02, 1.0)[:, 0]
    put = greeks(100.0, 90.0, 10.0, 1e3, 0.05, 0.02, -1.0)[:, 0]
    assert call[layout.PRICE] == pytest.approx(100 * np.exp(-0.2), rel=1e-15)
    assert put[layout.PRICE] == pytest.approx(90 * np.exp(-0.5), rel=1e-15)
    assert call[layout.DELTA] == pytest.approx(np.exp(-0.2), rel=1e-15)
    assert call[layout.GAMMA] == call[layout.VEGA] == 0.0


@pytest.mark.parametrize("field", range(FIELDS))
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_give_nan_in_their_own_column(field, value):
    good = [100.0, 105.0, 0.5, 0.2, 0.03, 0.01, 1.0]
    bad = list(good)
    bad[field] = value
    out = greeks(*np.array([good, bad, good]).T)
    assert np.isnan(out[:, 1]).all()
    assert np.array_equal(out[:, 0], greeks(*good)[:, 0]) and np.array_equal(out[:, 0], out[:, 2])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (0, 0.0),
        (0, -1.0),
        (0, 1e91),
        (1, 0.0),
        (1, 1e-91),
        (2, 2e4),
        (3, -1e-9),
        (3, 2e4),
        (4, 2e3),
        (5, -2e3),
        (6, 0.5),
    ],
)
def test_what_is_outside_the_domain_is_nan(field, value):
    case = [100.0, 105.0, 0.5, 0.2, 0.03, 0.01, 1.0]
    case[field] = value
    assert np.isnan(greeks(*case)).all()


def test_eight_rows_are_the_first_of_nine():
    c = contracts(1000)
    assert np.array_equal(greeks(*c.columns(), rows=8), greeks(*c.columns())[:8])


def test_blocks_and_columns_have_the_same_bits_whatever_stands_beside():
    c = contracts(3 * BLOCK)
    c.tau[5], c.vol[300], c.spot[600] = -1.0, 0.0, np.nan
    whole = greeks(*c.columns())
    blocks, out = c.blocks(), np.empty((3, layout.GREEKS, BLOCK))
    european_blocks(blocks, out)
    assert np.array_equal(out.transpose(1, 0, 2).reshape(layout.GREEKS, -1), whole, equal_nan=True)
    parts = [greeks(*(col[i : i + 7] for col in c.columns())) for i in range(0, 3 * BLOCK, 7)]
    assert np.array_equal(np.concatenate(parts, axis=1), whole, equal_nan=True)


def test_nothing_to_price():
    assert greeks(*[np.empty(0)] * 7).shape == (layout.GREEKS, 0)
    european_blocks(np.empty((0, FIELDS, BLOCK)), np.empty((0, 8, BLOCK)))
