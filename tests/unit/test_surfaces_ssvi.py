"""eSSVI coordinates against the formulas of the papers."""

from __future__ import annotations

import numpy as np
import pytest

from common.kernels.ssvi import make_feasible, to_svi
from common.kernels.svi import total_variance
from tests.surfaces_world import essvi_w


def coordinates(theta: float, rho: float, psi: float) -> list[float]:
    return [np.log(theta / psi), np.log(psi * (1.0 - rho)), np.log(psi * (1.0 + rho))]


@pytest.mark.parametrize(("theta", "rho", "psi"), [(0.04, -0.7, 0.2), (1e-4, 0.3, 0.01), (0.5, -0.99, 1.4)])
def test_a_slice_is_hendriks_and_martinis(theta: float, rho: float, psi: float) -> None:
    out = np.empty((1, 5))
    to_svi(np.array([coordinates(theta, rho, psi)]), out)
    k = np.linspace(-1.0, 1.0, 21)
    assert [total_variance(float(x), *out[0]) for x in k] == pytest.approx(essvi_w(k, theta, rho, psi), rel=1e-12)


def test_made_feasible_the_conditions_of_the_papers_hold() -> None:
    rng = np.random.default_rng(3)
    for _ in range(500):
        x = rng.normal(0.0, 2.0, (8, 3)) + np.linspace(-4.0, 0.0, 8)[:, None]
        make_feasible(x, 0.0)
        phi = np.exp(-x[:, 0])
        left, right = np.exp(x[:, 1]), np.exp(x[:, 2])
        psi = 0.5 * (left + right)
        rho, theta = (right - left) / (right + left), psi / phi
        # Gatheral and Jacquier (2014), theorem 4.2.
        assert (psi * (1.0 + np.abs(rho)) <= 4.0 * (1.0 + 1e-12)).all()
        assert (psi * phi * (1.0 + np.abs(rho)) <= 4.0 * (1.0 + 1e-12)).all()
        # Mingone (2022): max((1 + ρ₁)/(1 + ρ₂), (1 - ρ₁)/(1 - ρ₂)) ψ₁ <= ψ₂ <= ψ₁ θ₂/θ₁.
        wings = np.maximum(right[:-1] / right[1:] * psi[1:], left[:-1] / left[1:] * psi[1:])
        assert (wings <= psi[1:] * (1.0 + 1e-12)).all()
        assert (psi[1:] <= psi[:-1] * theta[1:] / theta[:-1] * (1.0 + 1e-12)).all()


def test_what_is_feasible_stays() -> None:
    x = np.array([coordinates(0.01, -0.6, 0.08), coordinates(0.03, -0.5, 0.14)])
    y = x.copy()
    make_feasible(y, 0.0)
    assert (x == y).all()
