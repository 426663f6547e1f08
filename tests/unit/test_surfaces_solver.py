"""The block solver against a dense one, the eSSVI fit against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import least_squares

from common.kernels.surface_fit import solve_blocks
from common.kernels.surface_fit_essvi import fit_essvi
from common.kernels.surface_fit_svi import assemble
from tests.surfaces_world import essvi_w


@pytest.mark.parametrize("blocks", [1, 2, 7])
@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_blocks_are_solved_as_one_matrix(blocks: int, damping: float) -> None:
    rng = np.random.default_rng(blocks)
    p, n = 3, 3 * blocks
    root = np.zeros((n + 40, n))
    for i in range(blocks):
        columns = slice(max(i - 1, 0) * p, (i + 1) * p)
        rows = slice(i * 5, i * 5 + 9)
        root[rows, columns] = rng.normal(size=root[rows, columns].shape)
    dense = root.T @ root
    for i in range(blocks):  # only neighbours touch
        dense[i * p : (i + 1) * p, (i + 2) * p :] = 0.0
        dense[(i + 2) * p :, i * p : (i + 1) * p] = 0.0
    dense += 5.0 * np.eye(n)
    g = rng.normal(size=(blocks, p))
    h = np.array([dense[i * p : (i + 1) * p, i * p : (i + 1) * p] for i in range(blocks)])
    o = np.zeros((blocks, p, p))
    for i in range(1, blocks):
        o[i] = dense[i * p : (i + 1) * p, (i - 1) * p : i * p]
    step, work = np.empty((blocks, p)), np.empty((blocks, p, p))
    assert solve_blocks(h, o, g, damping, step, work)
    expected = np.linalg.solve(dense + damping * np.diag(np.diag(dense)), -g.ravel())
    assert step.ravel() == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_what_is_not_positive_definite_is_refused() -> None:
    h, o, g = -np.ones((1, 1, 1)), np.zeros((1, 1, 1)), np.ones((1, 1))
    assert not solve_blocks(h, o, g, 0.0, np.empty((1, 1)), np.empty((1, 1, 1)))


def test_one_noisy_slice_is_fitted_as_scipy_does() -> None:
    rng = np.random.default_rng(11)
    tau, theta, rho, psi = 0.5, 0.02, -0.6, 0.17
    k = np.linspace(-0.5, 0.3, 60)
    vol = np.sqrt(essvi_w(k, theta, rho, psi) / tau) + rng.normal(0.0, 5e-4, len(k))
    w, c = vol**2 * tau, 1.0 / (2.0 * vol * tau * 5e-4)

    def residuals(x: np.ndarray) -> np.ndarray:
        return (essvi_w(k, float(np.exp(x[0])), float(np.tanh(x[1])), float(np.exp(x[2]))) - w) * c

    best = least_squares(residuals, [np.log(theta), np.arctanh(-0.3), np.log(psi)], xtol=1e-14, ftol=1e-14).x
    start = np.array([[np.log(theta / 0.1), np.log(0.1 * 1.3), np.log(0.1 * 0.7)]])
    fit_essvi(start, 300.0, np.array([tau]), np.array([0, len(k)]), k, w, c, 60, 1e-12)
    left, right = np.exp(start[0, 1:])
    ours = (0.5 * (left + right) * np.exp(start[0, 0]), (right - left) / (right + left), 0.5 * (left + right))
    assert ours == pytest.approx((np.exp(best[0]), np.tanh(best[1]), np.exp(best[2])), rel=2e-4)


def test_the_gradient_of_the_refinement_is_that_of_its_cost() -> None:
    u = np.array([[0.3, 0.7, 0.2, 0.5, -0.2], [0.25, 0.8, 0.25, 0.6, -0.3]])
    theta, grid = np.array([0.04, 0.044]), np.linspace(-6.0, 6.0, 25)
    k = np.tile(np.linspace(-0.8, 0.5, 12), 2)
    w = np.repeat(theta, 12) * (1.0 + k * k)
    quotes = (np.array([0, 12, 24]), k, w, np.full(24, 50.0))
    floor = np.full((2, 27), 0.05)
    shift = np.full((2, 52), 0.4)  # so that most hinges bite

    def cost(x: np.ndarray) -> tuple[float, np.ndarray]:
        h, o, g = np.empty((2, 5, 5)), np.empty((2, 5, 5)), np.empty((2, 5))
        value = assemble(x, u, theta, 7.0, grid, floor, shift, *quotes, h, o, g, np.empty((2, 52)))
        return value, g.ravel()

    at = u + 0.05
    _, gradient = cost(at)
    step = 1e-6 * np.eye(10).reshape(10, 2, 5)
    bumped = [(cost(at + d)[0] - cost(at - d)[0]) / 2e-6 for d in step]
    assert gradient == pytest.approx(bumped, rel=1e-6, abs=1e-6 * float(np.abs(gradient).max()))
