"""Identities every Black-76 price and volatility obeys."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from common.kernels import layout
from common.kernels.black76 import black76
from common.kernels.implied_vol import implied_vol

forwards = st.floats(1e-2, 1e5)
deviations = st.floats(-5, 5)
taus = st.floats(1e-4, 10)
vols = st.floats(0.01, 3)
rates = st.floats(-0.05, 0.2)


def greeks(forward, strike, tau, vol, rate, right):
    out = np.empty((layout.GREEKS, 1))
    black76(*(np.array([float(v)]) for v in (forward, strike, tau, vol, rate, right)), out)
    return out[:, 0]


@given(forwards, deviations, taus, vols, rates)
@settings(max_examples=300, deadline=None)
def test_put_call_parity_in_every_greek(forward, z, tau, vol, rate):
    strike = forward * np.exp(np.clip(z * vol * np.sqrt(tau), -20, 20))
    call, put = greeks(forward, strike, tau, vol, rate, 1), greeks(forward, strike, tau, vol, rate, -1)
    discount = np.exp(-rate * tau)
    size = max(forward, strike)
    assert call[layout.PRICE] - put[layout.PRICE] == pytest.approx(discount * (forward - strike), abs=1e-12 * size)
    assert call[layout.DELTA] - put[layout.DELTA] == pytest.approx(discount, rel=1e-12)
    for g in (layout.GAMMA, layout.VEGA, layout.VANNA, layout.VOLGA):
        assert call[g] == put[g]
    assert call[layout.THETA] - put[layout.THETA] == pytest.approx(
        rate * discount * (forward - strike), abs=1e-11 * size
    )


@given(forwards, deviations, taus, vols, rates, st.sampled_from([-1, 1]), st.floats(0.01, 100))
@settings(max_examples=200, deadline=None)
def test_homogeneous_in_forward_and_strike(forward, z, tau, vol, rate, right, scale):
    strike = forward * np.exp(np.clip(z * vol * np.sqrt(tau), -20, 20))
    one, two = (
        greeks(forward, strike, tau, vol, rate, right),
        greeks(scale * forward, scale * strike, tau, vol, rate, right),
    )
    size = scale * max(forward, strike)
    assert two[layout.PRICE] == pytest.approx(scale * one[layout.PRICE], rel=1e-9, abs=1e-13 * size)
    assert two[layout.GAMMA] * scale == pytest.approx(one[layout.GAMMA], rel=1e-9, abs=1e-290)


@given(forwards, deviations, taus, vols, rates)
@settings(max_examples=200, deadline=None)
def test_black_scholes_equation(forward, z, tau, vol, rate):
    # On a forward: V_t + ½σ²F²Γ = rV.
    strike = forward * np.exp(np.clip(z * vol * np.sqrt(tau), -20, 20))
    g = greeks(forward, strike, tau, vol, rate, 1)
    diffusion = 0.5 * vol**2 * forward**2 * g[layout.GAMMA]
    assert g[layout.THETA] + diffusion == pytest.approx(rate * g[layout.PRICE], rel=1e-9, abs=1e-9 * diffusion + 1e-300)


@given(forwards, st.floats(-4, 4), taus, vols, rates)
@settings(max_examples=300, deadline=None)
def test_implied_volatility_inverts_the_price(forward, z, tau, vol, rate):
    assume(1e-3 < vol * np.sqrt(tau) < 4)
    strike = forward * np.exp(z * vol * np.sqrt(tau))
    right = 1.0 if strike > forward else -1.0
    price = greeks(forward, strike, tau, vol, rate, right)[layout.PRICE]
    out = np.empty(1)
    implied_vol(*(np.array([float(v)]) for v in (price, forward, strike, tau, rate, right)), out)
    assert out[0] == pytest.approx(vol, rel=1e-9)
