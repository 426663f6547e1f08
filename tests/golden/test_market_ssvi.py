"""The modelled smile against independent facts: the VIX it must be worth, the published no-arbitrage function."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from common.market import ssvi


@pytest.mark.parametrize("vix", [10.0, 15.0, 25.0, 37.0])
def test_the_30_day_variance_swap_is_worth_the_vix(vix: float) -> None:
    """Log-contract replication from out-of-the-money options (the integral the Cboe's VIX approximates)."""
    years = ssvi.VIX_TENOR_YEARS
    theta = ssvi.atm_total_variance(np.array([vix]), np.array([[years]]))[0, 0]

    def strip(k: float) -> float:
        deviation = float(np.sqrt(ssvi.total_variance(np.array(k), np.array(theta), np.array(ssvi.RHO))))
        w = 1.0 if k > 0 else -1.0
        d1 = -k / deviation + 0.5 * deviation
        price = w * (norm.cdf(w * d1) - np.exp(k) * norm.cdf(w * (d1 - deviation)))
        return float(2.0 * price * np.exp(-k))

    variance = quad(strip, -3, 0, limit=400)[0] + quad(strip, 0, 3, limit=400)[0]
    assert 100 * np.sqrt(variance / years) == pytest.approx(vix, rel=0.012)


@pytest.mark.parametrize("rho", ssvi.RHO_BOUNDS)
@pytest.mark.parametrize("theta", [1e-4, 1e-3, 0.01, 0.05, 0.2])
def test_no_butterfly_at_any_strike(rho: float, theta: float) -> None:
    """Durrleman's condition g(k) >= 0 (Gatheral and Jacquier 2014, lemma 2.2), derivatives by finite differences."""
    k = np.linspace(-2.0, 1.5, 20_001)
    w = ssvi.total_variance(k, np.array(theta), np.array(rho))
    first = np.gradient(w, k)
    second = np.gradient(first, k)
    g = (1 - k * first / (2 * w)) ** 2 - first**2 / 4 * (1 / w + 0.25) + second / 2
    assert g[2:-2].min() > -1e-6
    assert ssvi.ETA * (1 + abs(rho)) <= 2.0


def test_slices_never_cross() -> None:
    k = np.linspace(-1.0, 0.7, 501)
    theta = np.geomspace(1e-4, 0.3, 60)
    for rho in ssvi.RHO_BOUNDS:
        w = ssvi.total_variance(k[None], theta[:, None], np.array(rho))
        assert np.diff(w, axis=0).min() >= 0.0


@pytest.mark.parametrize("vix", [9.0, 11.0, 37.0, 80.0])
def test_forward_variance_is_positive_and_shocks_fade_with_tenor(vix: float) -> None:
    tau = np.linspace(0.01, 2.0, 400)[None]
    assert np.diff(ssvi.atm_total_variance(np.array([vix]), tau)[0]).min() > 0
    shift = (
        ssvi.atm_total_variance(np.array([vix + 1]), tau) / tau - ssvi.atm_total_variance(np.array([vix]), tau) / tau
    )
    assert np.all(np.diff(shift[0]) < 0)
