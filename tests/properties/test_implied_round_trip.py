"""Volatility to price and back on random contracts; any seven numbers give a positive volatility or NaN."""

from __future__ import annotations

import numpy as np
import QuantLib as ql  # noqa: N813
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from common.kernels.implied_vol import implied_vol_spot


def implied(*case) -> float:
    out = np.empty(1)
    implied_vol_spot(*(np.array([float(x)]) for x in case), out)
    return float(out[0])


@given(
    st.floats(1, 1e4),
    st.floats(-6, 6),
    st.floats(1e-3, 10),
    st.floats(0.02, 3),
    st.floats(-0.05, 0.2),
    st.floats(0, 0.1),
)
@settings(max_examples=300, deadline=None)
def test_quantlib_price_to_volatility(spot, z, tau, vol, rate, carry):
    dev = vol * np.sqrt(tau)
    assume(dev < 6)
    forward = spot * np.exp((rate - carry) * tau)
    strike = forward * np.exp(z * dev)
    right = 1.0 if z > 0 else -1.0
    price = ql.blackFormula(ql.Option.Call if right > 0 else ql.Option.Put, strike, forward, dev, np.exp(-rate * tau))
    # QuantLib takes one normal from the other, so its own rounding is that of the forward, not of the price.
    vega = np.exp(-rate * tau) * forward * np.sqrt(tau) * np.exp(-0.5 * (z - dev / 2) ** 2) / 2.5066
    noise = 4e-15 * (forward + strike) * np.exp(-rate * tau) / vega
    assume(noise < 1e-6)
    assert abs(implied(price, spot, strike, tau, rate, carry, right) - vol) < 1e-10 + 10 * noise


@given(*[st.floats(allow_nan=True, allow_infinity=True)] * 6, st.sampled_from([-1.0, 1.0, 0.0, np.nan]))
@settings(max_examples=500, deadline=None)
def test_any_seven_numbers_give_a_positive_volatility_or_nan(price, spot, strike, tau, rate, carry, right):
    found = implied(price, spot, strike, tau, rate, carry, right)
    assert np.isnan(found) or 0.0 < found < np.inf
