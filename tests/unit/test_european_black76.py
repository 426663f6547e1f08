"""Black-76 next to Black-Scholes-Merton, and its charm."""

from __future__ import annotations

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from benchmarks.peers import contracts
from common.kernels import layout
from common.kernels.black76 import black76
from common.kernels.european import european


def test_a_future_is_a_spot_whose_yield_is_the_rate_except_for_rho():
    c = contracts(500)
    spot, future = np.empty((layout.GREEKS, 500)), np.empty((layout.GREEKS, 500))
    european(c.spot, c.strike, c.tau, c.vol, c.rate, c.rate, c.right, spot)
    black76(c.spot, c.strike, c.tau, c.vol, c.rate, c.right, future)
    for g in range(layout.GREEKS):
        if g != layout.RHO:
            assert np.array_equal(spot[g], future[g])
    assert np.array_equal(future[layout.RHO], -c.tau * future[layout.PRICE])


def test_charm_is_the_decay_of_delta():
    payoff, h = ql.PlainVanillaPayoff(ql.Option.Call, 105.0), 1e-4

    def delta(tau):
        return ql.BlackCalculator(payoff, 100.0, 0.3 * np.sqrt(tau), np.exp(-0.04 * tau)).deltaForward()

    out = np.empty((layout.GREEKS, 1))
    black76(*(np.array([x]) for x in (100.0, 105.0, 0.5, 0.3, 0.04, 1.0)), out)
    assert out[layout.CHARM, 0] == pytest.approx(-(delta(0.5 + h) - delta(0.5 - h)) / (2 * h), rel=1e-6)


def test_eight_rows_do_for_those_who_need_no_charm():
    columns = [np.array([x]) for x in (100.0, 105.0, 0.5, 0.3, 0.04, -1.0)]
    eight, nine = np.empty((8, 1)), np.empty((9, 1))
    black76(*columns, eight)
    black76(*columns, nine)
    assert np.array_equal(eight, nine[:8])
