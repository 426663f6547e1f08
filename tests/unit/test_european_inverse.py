"""Coin-settled options: payoff integrals, high-precision differences, USD side against QuantLib, futures."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from scipy.integrate import quad

from common.kernels import layout
from common.kernels.inverse import in_usd, inverse, inverse_future

CASES = [
    (60_000.0, 65_000.0, 0.25, 0.6, 0.0, 1.0),
    (60_000.0, 65_000.0, 0.25, 0.6, 0.02, -1.0),
    (60_000.0, 30_000.0, 0.02, 0.9, 0.0, 1.0),
    (60_000.0, 61_000.0, 1 / 365, 0.5, 0.0, -1.0),
    (3_000.0, 9_000.0, 2.0, 1.2, -0.01, 1.0),
]


def coin(*case) -> np.ndarray:
    out = np.empty((layout.GREEKS, 1))
    inverse(*(np.array([float(x)]) for x in case), out)
    return out


def exact(forward, strike, tau, vol, rate, right):
    """Value in coin in mpmath numbers."""
    dev = vol * mpmath.sqrt(tau)
    d1 = mpmath.log(forward / strike) / dev + dev / 2
    n1, n2 = mpmath.ncdf(right * d1), mpmath.ncdf(right * (d1 - dev))
    return mpmath.exp(-rate * tau) * right * (n1 - strike / forward * n2)


@pytest.mark.parametrize("case", CASES)
def test_price_is_the_expected_payoff_in_coin(case):
    # Under the coin's own measure the forward is lognormal with log-drift +σ²/2, and the payoff is max(1 - K/F, 0).
    forward, strike, tau, vol, rate, right = case
    dev = vol * np.sqrt(tau)
    kink = np.log(strike / forward) / dev - dev / 2

    def integrand(z):
        end = forward * np.exp(dev * z + 0.5 * dev * dev)
        return max(right * (1 - strike / end), 0.0) * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)

    low, high = (kink, 12.0) if right > 0 else (-12.0, kink)
    expected = np.exp(-rate * tau) * quad(integrand, low, high, epsabs=1e-14)[0]
    assert coin(*case)[layout.PRICE, 0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_greeks_are_the_derivatives_of_the_price_in_coin(case):
    out = coin(*case)[:, 0]
    with mpmath.workdps(50):
        x = [mpmath.mpf(v) for v in case]

        def derivative(*orders):
            return float(
                mpmath.diff(lambda f, t, v, r: exact(f, x[1], t, v, r, x[5]), (x[0], x[2], x[3], x[4]), orders)
            )

        wanted = {
            layout.PRICE: float(exact(*x)),
            layout.DELTA: derivative(1, 0, 0, 0),
            layout.GAMMA: derivative(2, 0, 0, 0),
            layout.VEGA: derivative(0, 0, 1, 0),
            layout.THETA: -derivative(0, 1, 0, 0),
            layout.RHO: derivative(0, 0, 0, 1),
            layout.VANNA: derivative(1, 0, 1, 0),
            layout.VOLGA: derivative(0, 0, 2, 0),
            layout.CHARM: -derivative(1, 1, 0, 0),
        }
    for g, value in wanted.items():
        assert out[g] == pytest.approx(value, rel=1e-10, abs=1e-25), layout.GREEK_NAMES[g]


@pytest.mark.parametrize("case", CASES)
def test_in_usd_is_quantlibs_black(case):
    forward, strike, tau, vol, rate, right = case
    usd = np.empty((layout.GREEKS, 1))
    in_usd(np.array([forward]), coin(*case), usd)
    payoff = ql.PlainVanillaPayoff(ql.Option.Call if right > 0 else ql.Option.Put, strike)
    b = ql.BlackCalculator(payoff, forward, vol * np.sqrt(tau), np.exp(-rate * tau))
    wanted = (b.value(), b.deltaForward(), b.gammaForward(), b.vega(tau))
    assert usd[:4, 0] == pytest.approx(wanted, rel=1e-10)


def test_deep_in_the_money_call_is_a_whole_coin_short_a_fixed_amount_of_usd():
    out = coin(60_000.0, 600.0, 0.1, 0.5, 0.0, 1.0)[:, 0]
    assert out[layout.PRICE] == pytest.approx(0.99, abs=1e-15)
    assert out[layout.DELTA] == pytest.approx(600 / 60_000**2, rel=1e-13)
    assert out[layout.GAMMA] == pytest.approx(-2 * 600 / 60_000**3, rel=1e-13)


@pytest.mark.parametrize(
    ("forward", "price", "delta"), [(120.0, 1 / 6, 100 / 120**2), (80.0, 0.0, 0.0), (100.0, 0.0, 0.005)]
)
def test_expired_call(forward, price, delta):
    out = coin(forward, 100.0, 0.0, 0.5, 0.0, 1.0)[:, 0]
    assert out[layout.PRICE] == pytest.approx(price) and out[layout.DELTA] == pytest.approx(delta)
    assert not out[layout.VEGA :].any()


def test_nonsense_is_nan():
    for case in ((np.nan, 1, 1, 1, 0, 1), (-1, 1, 1, 1, 0, 1), (1, 1, 1, -1, 0, 1), (1, 1, 1, 1, 0, 0)):
        assert np.isnan(coin(*case)).all()


def test_a_future_earns_the_difference_of_reciprocals():
    prices = np.array([50_000.0, 60_000.0, np.nan, 0.0, np.inf])
    out = np.empty((layout.GREEKS, 5))
    inverse_future(prices, out)
    assert out[layout.PRICE, 1] - out[layout.PRICE, 0] == pytest.approx(1 / 50_000 - 1 / 60_000, rel=1e-14)
    assert out[layout.DELTA, 0] == pytest.approx(1 / 50_000**2) and out[layout.GAMMA, 0] == pytest.approx(
        -2 / 50_000**3
    )
    assert not out[3:, :2].any() and np.isnan(out[:, 2:]).all()
    marked = out[:, :2].copy()
    marked[layout.PRICE] = 0.0
    usd = np.empty_like(marked)
    in_usd(prices[:2].copy(), marked, usd)
    assert usd[layout.DELTA] * prices[:2] == pytest.approx([1.0, 1.0])
