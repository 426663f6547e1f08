"""Slices against QuantLib prices, Gatheral's own formula and published examples."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import QuantLib as ql  # noqa: N813
from scipy.integrate import quad

from common.kernels.svi import SLICE, durrleman, least_grown_g, mixed_variance, total_variance, variance_at, vol_at
from tests.surfaces_world import black, raw_svi_w

#: Gatheral and Jacquier (2014), section 5.1, after Axel Vogt: a, b, rho, m, sigma with a butterfly arbitrage near k = 0.9.
VOGT = (-0.0410, 0.1331, 0.3060, 0.3586, 0.4153)
FAIR = (0.01, 0.12, -0.55, 0.05, 0.15)


def from_raw(a: float, b: float, rho: float, m: float, sigma: float) -> np.ndarray:
    return np.array([a, b * (1.0 - rho), b * (1.0 + rho), m, sigma])


@pytest.mark.parametrize("raw", [VOGT, FAIR])
def test_the_wing_form_is_raw_svi(raw: tuple[float, ...]) -> None:
    k = np.linspace(-2.0, 2.0, 41)
    ours = [total_variance(float(x), *from_raw(*raw)) for x in k]
    assert ours == pytest.approx(raw_svi_w(k, *raw), rel=1e-13)


@pytest.mark.parametrize("raw", [VOGT, FAIR])
def test_g_is_the_density_of_quantlib_prices(raw: tuple[float, ...]) -> None:
    h = 1e-3
    for k in np.linspace(-1.0, 1.2, 23):
        strikes = math.exp(k) + h * np.array([-1.0, 0.0, 1.0])
        w = raw_svi_w(np.log(strikes), *raw)
        price = [
            ql.blackFormula(ql.Option.Call, s, 1.0, math.sqrt(v))
            for s, v in zip(strikes.tolist(), w.tolist(), strict=True)
        ]
        second = (price[0] - 2.0 * price[1] + price[2]) / h**2
        root = math.sqrt(w[1])
        d2 = -k / root - 0.5 * root
        # f(K) = g(k) n(d2) / (K √w)
        expected = durrleman(float(k), from_raw(*raw)) * math.exp(-0.5 * d2 * d2) / math.sqrt(2.0 * math.pi * w[1])
        assert second * strikes[1] == pytest.approx(expected, rel=2e-4, abs=2e-6)


def test_vogts_example_has_a_butterfly_and_the_fair_one_has_not() -> None:
    k = np.linspace(-1.5, 1.5, 301)
    assert min(durrleman(float(x), from_raw(*VOGT)) for x in k) < -0.01
    assert min(durrleman(float(x), from_raw(*FAIR)) for x in k) > 0.0


def test_the_density_integrates_to_one() -> None:
    p = from_raw(*FAIR)

    def density(k: float) -> float:
        w = total_variance(k, *p)
        d2 = -k / math.sqrt(w) - 0.5 * math.sqrt(w)
        return durrleman(k, p) * math.exp(-0.5 * d2 * d2) / math.sqrt(2.0 * math.pi * w)

    assert quad(density, -12.0, 12.0, points=[-0.5, 0.0, 0.5], limit=200)[0] == pytest.approx(1.0, abs=1e-8)


def test_a_mixture_is_that_of_the_prices() -> None:
    for k in (-0.6, -0.05, 0.0, 0.2, 0.7):
        right = np.array([1.0 if k >= 0.0 else -1.0])
        strike = np.array([math.exp(k)])
        for share in (0.0, 0.3, 0.9, 1.0):
            w = mixed_variance(k, 0.02, 0.05, share)
            ends = [black(1.0, strike, np.sqrt(np.array([v])), right)[0] for v in (0.02, 0.05)]
            wanted = share * ends[0] + (1.0 - share) * ends[1]
            assert black(1.0, strike, np.sqrt(np.array([w])), right)[0] == pytest.approx(wanted, rel=1e-11)


def test_where_prices_vanish_the_mixture_is_linear_in_variance() -> None:
    assert mixed_variance(-30.0, 0.01, 0.02, 0.25) == pytest.approx(0.0175, rel=1e-12)


def test_listed_expiries_are_read_from_their_slice_and_time_is_linear_at_the_money() -> None:
    slices = np.stack((from_raw(*FAIR), from_raw(0.02, 0.16, -0.5, 0.05, 0.2)))
    taus = np.array([0.25, 1.0])
    for i in range(2):
        assert variance_at(taus[i], -0.3, taus, slices) == total_variance(-0.3, *slices[i])
    ends = [total_variance(0.0, *s) for s in slices]
    assert variance_at(0.5, 0.0, taus, slices) == pytest.approx(ends[0] + (ends[1] - ends[0]) / 3.0, rel=1e-12)
    assert variance_at(0.125, -0.4, taus, slices) == pytest.approx(0.5 * total_variance(-0.4, *slices[0]), rel=1e-14)
    after = variance_at(1.5, -0.4, taus, slices) - total_variance(-0.4, *slices[1])
    assert after == pytest.approx(0.5 * ends[1], rel=1e-12)


def test_least_g_of_what_follows_is_the_least_over_all_levels() -> None:
    p = from_raw(*FAIR)
    for k in (-1.0, -0.2, 0.1, 0.8):
        levels = np.concatenate(([0.0], np.geomspace(1e-5, 1e4, 4000)))
        found = min(durrleman(k, p + np.array([c, 0.0, 0.0, 0.0, 0.0])) for c in levels.tolist())
        assert least_grown_g(k, p) == pytest.approx(found, abs=1e-5)


def test_nonsense_gives_nan() -> None:
    slices = from_raw(*FAIR).reshape(1, SLICE)
    taus = np.array([0.5])
    for tau, strike, forward in (
        (0.0, 1.0, 1.0),
        (-1.0, 1.0, 1.0),
        (0.5, 0.0, 1.0),
        (0.5, 1.0, -1.0),
        (np.nan, 1.0, 1.0),
    ):
        assert math.isnan(vol_at(tau, strike, forward, taus, slices))
    assert math.isnan(vol_at(0.5, 1.0, 1.0, np.empty(0), np.empty((0, SLICE))))


def test_a_mixture_of_prices_is_solved_to_rounding_whatever_the_wing() -> None:
    # Prices by the normal distribution in 40 digits; a search that leaves its bracket at the end is off by 1e-9.
    rng = np.random.default_rng(12)
    with mpmath.workdps(40):

        def price(k: float, w: mpmath.mpf) -> mpmath.mpf:
            s, x = mpmath.sqrt(w), -abs(mpmath.mpf(k))
            return mpmath.exp(x / 2) * mpmath.ncdf(x / s + s / 2) - mpmath.exp(-x / 2) * mpmath.ncdf(x / s - s / 2)

        for _ in range(200):
            k, w1 = float(rng.uniform(-9.0, 9.0)), float(rng.uniform(0.5, 3.0))
            w2, share = w1 * float(rng.uniform(1.01, 8.0)), float(rng.uniform(0.01, 0.99))
            goal = share * price(k, w1) + (1.0 - mpmath.mpf(share)) * price(k, w2)
            found = price(k, mpmath.mpf(mixed_variance(k, w1, w2, share)))
            assert abs(found / goal - 1) < 1e-12, (k, w1, w2, share)
