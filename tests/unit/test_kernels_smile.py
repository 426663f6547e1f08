"""The smile fit: recovers curves of its own family, follows a QuantLib SABR smile, survives bad and few quotes."""

from __future__ import annotations

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from common.kernels.smile import FIT_SIZE, fit_smile, smile_vol

TAU = 0.25
LOG_F = float(np.log(100.0))


def fitted(k, vol, weight=None):
    fit = np.full(FIT_SIZE, np.nan)
    weight = np.full(len(k), 1e4) if weight is None else weight
    ok = fit_smile(np.asarray(k, float), np.asarray(vol, float), np.asarray(weight, float), LOG_F, TAU, fit)
    return ok, fit, lambda x: np.array([smile_vol(fit, LOG_F + v) for v in np.atleast_1d(x)])


def test_follows_a_sabr_smile_closely():
    k = np.linspace(-0.25, 0.15, 25)
    vol = np.array([ql.sabrVolatility(100 * np.exp(x), 100.0, TAU, 0.2, 1.0, 1.5, -0.6) for x in k])
    ok, _, curve = fitted(k, vol)
    assert ok
    assert np.abs(curve(k) - vol).max() < 5e-3
    assert np.sqrt(np.mean((curve(k) - vol) ** 2)) < 1.5e-3


def test_one_wrong_quote_does_not_bend_it():
    k = np.linspace(-0.2, 0.15, 21)
    vol = 0.2 - 0.3 * k + 0.5 * k * k
    clean = fitted(k, vol)[2](k)
    wrong = vol.copy()
    wrong[4] += 0.15
    assert np.abs(fitted(k, wrong)[2](k) - clean).max() < 5e-3


def test_weight_decides_between_quotes():
    _, _, curve = fitted([0.0, 0.0], [0.2, 0.3], [1e6, 1.0])
    assert curve(0.0)[0] == pytest.approx(0.2, abs=1e-3)


def test_one_quote_is_a_flat_smile():
    ok, _, curve = fitted([-0.05], [0.22])
    assert ok
    assert curve([-1.0, -0.05, 0.0, 1.0]) == pytest.approx(0.22)


def test_two_quotes_do_not_explode():
    ok, _, curve = fitted([-0.001, 0.001], [0.25, 0.15])
    assert ok
    assert (curve([-1.0, 1.0]) < 0.3).all() and (curve([-1.0, 1.0]) > 0.1).all()


def test_clamped_beyond_the_quotes():
    k = np.linspace(-0.2, 0.15, 15)
    _, _, curve = fitted(k, 0.2 - 0.3 * k)
    assert curve(-5.0)[0] == curve(-0.2)[0]
    assert curve(5.0)[0] == curve(0.15)[0]


def test_nothing_to_fit_leaves_the_fit_alone():
    for k, vol, weight in (([], [], []), ([0.0], [np.nan], [1.0]), ([0.0], [0.2], [0.0]), ([0.0], [0.2], [np.nan])):
        ok, fit, _ = fitted(k, vol, weight)
        assert not ok and np.isnan(fit).all()
    fit = np.full(FIT_SIZE, np.nan)
    assert not fit_smile(np.zeros(1), np.full(1, 0.2), np.ones(1), LOG_F, 0.0, fit)


def test_volatility_never_collapses():
    k = np.linspace(-0.02, 0.02, 9)
    ok, _, curve = fitted(k, np.maximum(0.2 - 15 * np.abs(k), 1e-3))
    assert ok and (curve(np.linspace(-1, 1, 50)) > 0.0).all()
