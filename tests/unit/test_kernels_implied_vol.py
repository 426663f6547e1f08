"""Implied volatility: QuantLib prices back to the volatility they were made from; NaN where there is none."""

from __future__ import annotations

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from common.kernels.implied_vol import implied_vol, implied_vol_of


def implied(price, forward, strike, tau, rate, right) -> np.ndarray:
    columns = [np.atleast_1d(np.asarray(c, np.float64)) for c in (price, forward, strike, tau, rate, right)]
    columns = [np.ascontiguousarray(c) for c in np.broadcast_arrays(*columns)]
    out = np.empty(len(columns[0]))
    implied_vol(*columns, out)
    return out


def test_round_trip_of_quantlib_prices():
    rng = np.random.default_rng(7)
    n = 2000
    vol, tau = rng.uniform(0.05, 1.0, n), rng.uniform(0.01, 2.0, n)
    forward, rate = rng.uniform(50, 5000, n), rng.uniform(-0.01, 0.06, n)
    strike = forward * np.exp(rng.uniform(-3, 3, n) * vol * np.sqrt(tau))
    right = np.where(strike > forward, 1.0, -1.0)
    price = np.array(
        [
            ql.blackFormula(ql.Option.Call if w > 0 else ql.Option.Put, k, f, v * np.sqrt(t), np.exp(-r * t))
            for f, k, t, v, r, w in zip(forward, strike, tau, vol, rate, right, strict=True)
        ]
    )
    assert np.abs(implied(price, forward, strike, tau, rate, right) - vol).max() < 1e-10


def test_in_the_money_agrees_with_its_twin():
    price_otm = ql.blackFormula(ql.Option.Put, 90.0, 100.0, 0.2 * np.sqrt(0.5), 0.99)
    price_itm = price_otm + 0.99 * 10.0
    rate = -np.log(0.99) / 0.5
    assert implied(price_itm, 100.0, 90.0, 0.5, rate, 1.0)[0] == pytest.approx(0.2, abs=1e-10)


@pytest.mark.parametrize(
    ("price", "strike", "right"),
    [
        (0.0, 110.0, 1.0),  # worthless: no volatility, not volatility 0
        (-1.0, 110.0, 1.0),
        (10.0, 90.0, 1.0),  # at intrinsic
        (9.0, 90.0, 1.0),  # below intrinsic
        (100.0, 110.0, 1.0),  # a call worth the forward
        (110.0, 110.0, -1.0),  # a put worth the strike
        (np.nan, 110.0, 1.0),
        (np.inf, 110.0, 1.0),
    ],
)
def test_outside_the_bounds_is_nan(price, strike, right):
    assert np.isnan(implied(price, 100.0, strike, 1.0, 0.0, right)[0])


def test_senseless_contracts_are_nan():
    for forward, strike, tau, right in (
        (-1, 100, 1, 1),
        (100, 0, 1, 1),
        (100, 100, 0, 1),
        (100, 100, -1, 1),
        (100, 100, 1, 0),
    ):
        assert np.isnan(implied(5.0, forward, strike, tau, 0.0, right)[0])


def test_the_guess_changes_nothing():
    price = ql.blackFormula(ql.Option.Call, 105.0, 100.0, 0.3, 1.0)
    answers = [implied_vol_of(price, 100.0, 105.0, 1.0, 0.0, 1.0, g) for g in (np.nan, 1e-6, 0.29, 0.3, 5.0, 1e9, -1.0)]
    assert np.allclose(answers, 0.3, atol=1e-13)
