"""Black-76 against QuantLib's BlackCalculator, bumped QuantLib prices, and the limits."""

from __future__ import annotations

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from common.kernels import black76 as b76
from common.kernels import european, layout


def greeks(forward, strike, tau, vol, rate, right) -> np.ndarray:
    columns = [np.atleast_1d(np.asarray(c, np.float64)) for c in (forward, strike, tau, vol, rate, right)]
    columns = [np.ascontiguousarray(c) for c in np.broadcast_arrays(*columns)]
    out = np.full((8, len(columns[0])), -99.0)
    b76.black76(*columns, out)
    return out


def quantlib(forward, strike, tau, vol, rate, right) -> ql.BlackCalculator:
    kind = ql.Option.Call if right > 0 else ql.Option.Put
    payoff = ql.PlainVanillaPayoff(kind, float(strike))
    return ql.BlackCalculator(payoff, float(forward), float(vol * np.sqrt(tau)), float(np.exp(-rate * tau)))


def contracts(n: int = 300, seed: int = 11):
    rng = np.random.default_rng(seed)
    tau = rng.uniform(0.01, 3, n)
    vol = rng.uniform(0.05, 0.9, n)
    forward = rng.uniform(50, 5000, n)
    strike = forward * np.exp(rng.uniform(-3, 3, n) * vol * np.sqrt(tau))
    return np.stack([forward, strike, tau, vol, rng.uniform(-0.02, 0.08, n), rng.choice([-1.0, 1.0], n)], axis=1)


def test_value_delta_gamma_vega_against_quantlib():
    table = contracts()
    out = greeks(*table.T)
    for i, row in enumerate(table):
        reference = quantlib(*row)
        wanted = (reference.value(), reference.deltaForward(), reference.gammaForward(), reference.vega(row[2]))
        scale = (row[0], 1.0, 1.0 / row[0], row[0])
        for g, (value, unit) in enumerate(zip(wanted, scale, strict=True)):
            assert out[g, i] == pytest.approx(value, abs=2e-13 * unit, rel=1e-10), (g, row)


def test_theta_rho_vanna_volga_against_bumped_quantlib():
    table = contracts(150, seed=12)
    out = greeks(*table.T)
    for i, (f, k, t, v, r, w) in enumerate(table):
        h = 1e-4 * t
        theta = -(quantlib(f, k, t + h, v, r, w).value() - quantlib(f, k, t - h, v, r, w).value()) / (2 * h)
        rho = (quantlib(f, k, t, v, r + 1e-5, w).value() - quantlib(f, k, t, v, r - 1e-5, w).value()) / 2e-5
        e = 1e-4 * v
        up, down = quantlib(f, k, t, v + e, r, w), quantlib(f, k, t, v - e, r, w)
        vanna = (up.deltaForward() - down.deltaForward()) / (2 * e)
        volga = (up.vega(t) - down.vega(t)) / (2 * e)
        for g, value, unit in (
            (layout.THETA, theta, f),
            (layout.RHO, rho, f),
            (layout.VANNA, vanna, 1.0),
            (layout.VOLGA, volga, f),
        ):
            assert out[g, i] == pytest.approx(value, rel=2e-6, abs=2e-6 * unit), (g, f, k, t, v, r, w)


@pytest.mark.parametrize("right", [1.0, -1.0])
@pytest.mark.parametrize(("forward", "strike"), [(110.0, 100.0), (90.0, 100.0), (100.0, 100.0)])
def test_expired_is_intrinsic(forward, strike, right):
    for tau in (0.0, -0.5):
        out = greeks(forward, strike, tau, 0.2, 0.05, right)[:, 0]
        money = right * (forward - strike)
        assert out[layout.PRICE] == max(money, 0.0)
        assert out[layout.DELTA] == right * (1.0 if money > 0 else 0.5 if money == 0 else 0.0)
        assert not out[2:].any()


def test_no_volatility_is_discounted_intrinsic():
    out = greeks(110.0, 100.0, 2.0, 0.0, 0.05, 1.0)[:, 0]
    assert out[layout.PRICE] == pytest.approx(10 * np.exp(-0.1))
    assert out[layout.DELTA] == pytest.approx(np.exp(-0.1))
    assert out[layout.THETA] == pytest.approx(0.05 * 10 * np.exp(-0.1))
    assert out[layout.GAMMA] == out[layout.VEGA] == out[layout.VANNA] == out[layout.VOLGA] == 0.0


def test_limit_is_approached():
    for right in (1.0, -1.0):
        tiny = greeks(110.0, 100.0, 1e-9, 0.2, 0.05, right)[:, 0]
        gone = greeks(110.0, 100.0, 0.0, 0.2, 0.05, right)[:, 0]
        assert np.allclose(tiny[:4], gone[:4], atol=1e-6)


def test_deep_wings_stay_finite_and_ordered():
    strike = 100.0 * np.exp(np.linspace(-12, 12, 400))
    out = greeks(100.0, strike, 0.25, 0.2, 0.01, 1.0)
    assert np.isfinite(out).all()
    assert (np.diff(out[layout.PRICE]) <= 1e-12).all()
    assert (out[layout.GAMMA] >= 0).all() and (out[layout.PRICE] >= 0).all()
    assert out[layout.PRICE, -1] == pytest.approx(0.0, abs=1e-300)


def test_nan_and_nonsense_give_nan_in_their_own_column_only():
    good = np.array([100.0, 100.0, 0.5, 0.2, 0.01, 1.0])
    rows = [good.copy() for _ in range(12)]
    for i in range(6):
        rows[i][i] = np.nan
    rows[6][0], rows[7][1], rows[8][3], rows[9][5], rows[10][4] = -1.0, 0.0, -0.2, 0.5, np.inf
    out = greeks(*np.array(rows).T)
    assert np.isnan(out[:, :11]).all()
    assert np.array_equal(out[:, 11], greeks(*good)[:, 0])


def test_compiled_equals_its_plain_python(monkeypatch):
    table = contracts(40, seed=3)
    out = greeks(*table.T)
    plain = np.empty_like(out)
    monkeypatch.setattr(b76, "price_columns", european.price_columns.py_func)
    for name in ("_price_block", "_prepare", "_greeks"):
        monkeypatch.setattr(european, name, getattr(european, name).py_func)
    columns = [np.ascontiguousarray(c) for c in table.T]
    b76.black76.py_func(*columns, plain)
    assert np.allclose(out, plain, rtol=1e-12, atol=1e-12)


def test_blocks_do_not_show():
    table = contracts(1000, seed=4)
    whole = greeks(*table.T)
    parts = np.concatenate([greeks(*part.T) for part in np.array_split(table, 13)], axis=1)
    assert np.array_equal(whole, parts)
