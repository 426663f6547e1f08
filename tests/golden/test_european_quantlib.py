"""Every Greek of random European options against QuantLib, to 1e-10 of its size."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.peers import Contracts, contracts
from benchmarks.reference import quantlib_nine, scales
from common.kernels import layout
from common.kernels.black76 import black76
from common.kernels.european import european

BAR = 1e-10


def worst(c: Contracts, out: np.ndarray) -> np.ndarray:
    return np.abs((out - quantlib_nine(c)) / scales(c)).max(axis=1)


@pytest.mark.parametrize("n", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_every_greek_on_a_spot(n):
    c = contracts(n)
    out = np.empty((layout.GREEKS, n))
    european(*c.columns(), out)
    errors = dict(zip(layout.GREEK_NAMES, worst(c, out), strict=True))
    assert max(errors.values()) < BAR, errors


def test_every_greek_on_a_forward():
    n = 3_000
    c = contracts(n, seed=3)
    c = Contracts(c.spot, c.strike, c.tau, c.vol, c.rate, c.rate, c.right)
    out = np.empty((layout.GREEKS, n))
    black76(c.spot, c.strike, c.tau, c.vol, c.rate, c.right, out)
    reference = quantlib_nine(c)
    reference[layout.RHO] = -c.tau * reference[layout.PRICE]  # of the discount alone: the forward is held
    assert (np.abs(out - reference) / scales(c)).max() < BAR


def test_a_minute_to_ten_years_and_1_to_500_percent_in_the_six_closed_forms():
    rng = np.random.default_rng(5)
    n = 2_000
    tau = np.exp(rng.uniform(np.log(1 / 525_600), np.log(10), n))
    vol = np.exp(rng.uniform(np.log(0.01), np.log(5), n))
    spot = np.full(n, 100.0)
    strike = spot * np.exp(rng.uniform(-6, 6, n) * vol * np.sqrt(tau))
    c = Contracts(spot, strike, tau, vol, np.full(n, 0.03), np.full(n, 0.05), rng.choice([-1.0, 1.0], n))
    out = np.empty((layout.GREEKS, n))
    european(*c.columns(), out)
    assert worst(c, out)[: layout.VANNA].max() < BAR
