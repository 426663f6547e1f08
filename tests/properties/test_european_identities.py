"""Identities of Black-Scholes-Merton on random contracts, and no number that makes a kernel fail."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.kernels import layout
from common.kernels.european import european

spots = st.floats(1e-2, 1e5)
deviations = st.floats(-6, 6)
taus = st.floats(1e-4, 10)
vols = st.floats(0.01, 3)
rates = st.floats(-0.05, 0.2)


def greeks(*case):
    out = np.empty((layout.GREEKS, 1))
    european(*(np.array([float(x)]) for x in case), out)
    return out[:, 0]


def strike_of(spot, z, tau, vol, rate, carry):
    return spot * np.exp((rate - carry) * tau + z * vol * np.sqrt(tau))


@given(spots, deviations, taus, vols, rates, rates)
@settings(max_examples=200, deadline=None)
def test_put_call_parity_in_every_greek(spot, z, tau, vol, rate, carry):
    strike = strike_of(spot, z, tau, vol, rate, carry)
    call, put = (greeks(spot, strike, tau, vol, rate, carry, w) for w in (1, -1))
    asset, cash = spot * np.exp(-carry * tau), strike * np.exp(-rate * tau)
    tiny = 1e-13 * (asset + cash)
    gap = call - put
    assert gap[layout.PRICE] == pytest.approx(asset - cash, abs=tiny)
    assert gap[layout.DELTA] == pytest.approx(asset / spot, rel=1e-12)
    assert gap[layout.THETA] == pytest.approx(carry * asset - rate * cash, abs=10 * tiny)
    assert gap[layout.RHO] == pytest.approx(tau * cash, rel=1e-12)
    charm_size = abs(call[layout.CHARM]) + abs(carry) + tiny
    assert gap[layout.CHARM] == pytest.approx(carry * asset / spot, abs=1e-12 * charm_size + 1e-13)
    for g in (layout.GAMMA, layout.VEGA, layout.VANNA, layout.VOLGA):
        assert gap[g] == 0.0


@given(spots, deviations, taus, vols, rates, rates, st.sampled_from([-1, 1]))
@settings(max_examples=200, deadline=None)
def test_black_scholes_equation(spot, z, tau, vol, rate, carry, right):
    strike = strike_of(spot, z, tau, vol, rate, carry)
    g = greeks(spot, strike, tau, vol, rate, carry, right)
    terms = (
        g[layout.THETA],
        0.5 * vol**2 * spot**2 * g[layout.GAMMA],
        (rate - carry) * spot * g[layout.DELTA],
        -rate * g[layout.PRICE],
    )
    assert abs(sum(terms)) < 1e-12 * sum(map(abs, terms)) + 1e-13 * (spot + strike)


@given(spots, deviations, taus, vols, rates, rates, st.sampled_from([-1, 1]))
@settings(max_examples=200, deadline=None)
def test_vega_gamma_relation_and_bounds(spot, z, tau, vol, rate, carry, right):
    strike = strike_of(spot, z, tau, vol, rate, carry)
    g = greeks(spot, strike, tau, vol, rate, carry, right)
    assert g[layout.VEGA] == pytest.approx(g[layout.GAMMA] * spot**2 * vol * tau, rel=1e-12)
    asset, cash = spot * np.exp(-carry * tau), strike * np.exp(-rate * tau)
    assert max(right * (asset - cash), 0.0) - 1e-13 * (asset + cash) <= g[layout.PRICE]
    assert g[layout.PRICE] <= (asset if right > 0 else cash) * (1 + 1e-15)
    assert g[layout.GAMMA] >= 0 and 0 <= right * g[layout.DELTA] <= np.exp(-carry * tau) * (1 + 1e-15)


@given(*[st.floats(allow_nan=True, allow_infinity=True)] * 6, st.sampled_from([-1.0, 1.0, 0.0, np.nan]))
@settings(max_examples=500, deadline=None)
def test_any_seven_numbers_give_finite_greeks_or_nan_in_all(spot, strike, tau, vol, rate, carry, right):
    out = greeks(spot, strike, tau, vol, rate, carry, right)
    assert np.isfinite(out[[layout.PRICE, layout.DELTA]]).all() or np.isnan(out).all()
    assert not np.isinf(out[layout.PRICE])
