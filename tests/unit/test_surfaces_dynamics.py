"""Total Greeks against full revaluation with the surface moved by the rule, priced by QuantLib."""

from __future__ import annotations

import math

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from common.kernels.layout import DELTA, GAMMA, GREEKS, PRICE, VANNA, VEGA, VOLGA
from common.surfaces.dynamics import (
    STICKY_MONEYNESS,
    STICKY_STRIKE,
    moved_vol,
    smile_derivatives,
    vol_slopes,
    with_smile,
)
from common.surfaces.fitting import fit
from common.surfaces.surface import Surface
from common.units import NS_PER_DAY
from tests.surfaces_world import AS_OF_NS, chain_of, essvi_w

DAYS = [20.0, 90.0, 250.0]
STRIKES = np.array([4400.0, 4800.0, 5000.0, 5150.0, 5400.0])
RIGHTS = np.array([-1.0, -1.0, 1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def surface() -> Surface:
    def truth(i: int, k: np.ndarray) -> np.ndarray:
        return essvi_w(k, 0.04 * DAYS[i] / 365, -0.6, 0.2 * np.sqrt(DAYS[i] / 365))

    found = fit(chain_of(DAYS, truth, forward=lambda tau: 5000.0), AS_OF_NS).surface
    assert found is not None
    return found


def value(strike: float, right: float, forward: float, vol: float, tau: float) -> float:
    kind = ql.Option.Call if right > 0 else ql.Option.Put
    return float(ql.blackFormula(kind, strike, forward, vol * math.sqrt(tau)))


def fixed_vol_greeks(forward: float, vol: np.ndarray, tau: float) -> np.ndarray:
    """By bumps of QuantLib prices at fixed volatility."""
    out = np.zeros((GREEKS, len(STRIKES)))
    f, v = 0.25, 1e-4
    for i, (strike, right) in enumerate(zip(STRIKES.tolist(), RIGHTS.tolist(), strict=True)):
        p = [[value(strike, right, forward + a * f, vol[i] + b * v, tau) for b in (-1, 0, 1)] for a in (-1, 0, 1)]
        out[PRICE, i] = p[1][1]
        out[DELTA, i] = (p[2][1] - p[0][1]) / (2 * f)
        out[GAMMA, i] = (p[2][1] - 2 * p[1][1] + p[0][1]) / f**2
        out[VEGA, i] = (p[1][2] - p[1][0]) / (2 * v)
        out[VOLGA, i] = (p[1][2] - 2 * p[1][1] + p[1][0]) / v**2
        out[VANNA, i] = (p[2][2] - p[2][0] - p[0][2] + p[0][0]) / (4 * f * v)
    return out


@pytest.mark.parametrize("ratio", [STICKY_MONEYNESS, STICKY_STRIKE, 1.5, 2.0])
@pytest.mark.parametrize("day", [20.0, 55.0, 90.0])
def test_delta_gamma_and_vanna_are_those_of_full_revaluation(surface: Surface, ratio: float, day: float) -> None:
    expiry, tau = AS_OF_NS + round(day * NS_PER_DAY), day / 365.0
    forward = float(surface.forward(expiry))
    vol = surface.vol(expiry, STRIKES)
    slopes = vol_slopes(surface, np.full(5, expiry), STRIKES, np.full(5, forward), ratio)
    total = with_smile(fixed_vol_greeks(forward, vol, tau), slopes)

    def revalued(base: float, lift: float = 0.0) -> np.ndarray:
        moved = moved_vol(surface, expiry, STRIKES, math.log(base / forward), ratio) + lift
        rows = zip(STRIKES.tolist(), RIGHTS.tolist(), moved.tolist(), strict=True)
        return np.array([value(k, r, base, v, tau) for k, r, v in rows])

    step, v = 0.5, 1e-4
    up, mid, down = (revalued(forward + d) for d in (step, 0.0, -step))
    assert total[DELTA] == pytest.approx((up - down) / (2 * step), abs=2e-6)
    assert total[GAMMA] == pytest.approx((up - 2 * mid + down) / step**2, rel=2e-3, abs=2e-7)
    cross = [revalued(forward + a * step, b * v) for a, b in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
    vanna = (cross[0] - cross[1] - cross[2] + cross[3]) / (4 * step * v)
    assert total[VANNA] == pytest.approx(vanna, rel=1e-3, abs=2e-4 * float(np.abs(vanna).max()))


def test_sticky_strike_adds_nothing(surface: Surface) -> None:
    greeks = np.random.default_rng(0).normal(size=(GREEKS, 5))
    slopes = vol_slopes(surface, surface.expiry_ns[1], STRIKES, 5000.0, STICKY_STRIKE)
    assert (with_smile(greeks, slopes) == greeks).all()


def test_the_ratio_is_bergomis(surface: Surface) -> None:
    """d(at-the-money volatility)/d ln S over the skew."""
    expiry, x = surface.expiry_ns[1], 1e-4
    skew = float(smile_derivatives(surface, expiry, 5000.0, 5000.0)[0])
    for ratio in (0.0, 1.0, 1.6):
        atm = moved_vol(surface, expiry, 5000.0 * math.exp(x), x, ratio)
        change = (float(atm) - float(surface.vol(expiry, 5000.0))) / x
        assert change == pytest.approx(ratio * skew, rel=2e-3, abs=1e-9)


def test_derivatives_are_those_of_the_formula_that_made_the_smile(surface: Surface) -> None:
    expiry, tau = surface.expiry_ns[1], DAYS[1] / 365
    k = np.log(STRIKES / 5000.0)
    h = 1e-4

    def sigma(x: np.ndarray) -> np.ndarray:
        return np.asarray(np.sqrt(essvi_w(x, 0.04 * tau, -0.6, 0.2 * np.sqrt(tau)) / tau))

    skew, bend = smile_derivatives(surface, expiry, STRIKES, 5000.0)
    assert skew == pytest.approx((sigma(k + h) - sigma(k - h)) / (2 * h), abs=5e-3)
    assert bend == pytest.approx((sigma(k + h) - 2 * sigma(k) + sigma(k - h)) / h**2, abs=0.1)
