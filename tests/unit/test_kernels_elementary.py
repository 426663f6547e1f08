"""exp, log and the Mills ratio against scipy over their whole range, compiled as a kernel would use them."""

from __future__ import annotations

import numpy as np
from scipy.special import erfcx

from common.kernels import elementary
from common.kernels.jit import F64, kernel


@kernel
def _each(which: int, x: F64, out: F64) -> None:
    for i in range(len(x)):
        if which == 0:
            out[i] = elementary.exp(x[i])
        elif which == 1:
            out[i] = elementary.log(x[i])
        elif which == 2:
            out[i] = elementary.mills(x[i])
        else:
            out[i] = elementary.normal_pdf(x[i])


def _run(which: int, x: np.ndarray) -> np.ndarray:
    out = np.empty_like(x)
    _each(which, x, out)
    return out


def test_exp_is_exact_to_rounding():
    x = np.linspace(-708, 709, 200_001)
    assert np.abs(_run(0, x) / np.exp(x) - 1).max() < 5e-16


def test_log_is_exact_to_rounding():
    x = np.exp(np.linspace(-690, 690, 200_001))
    assert np.abs(_run(1, x) - np.log(x)).max() < 3e-13  # of values up to 690
    near = np.linspace(0.5, 2, 200_001)
    near = near[near != 1.0]
    assert np.abs(_run(1, near) / np.log(near) - 1).max() < 1e-15
    assert _run(1, np.array([1.0]))[0] == 0.0


@kernel
def _each_ratio(a: F64, b: F64, out: F64) -> None:
    for i in range(len(a)):
        out[i] = elementary.log_ratio(a[i], b[i])


def test_log_of_a_ratio_is_exact_to_rounding_and_zero_at_one():
    rng = np.random.default_rng(1)
    a = np.exp(rng.uniform(-200, 200, 100_000))
    b = a * np.exp(rng.choice([1e-9, 0.01, 1.0, 100.0], 100_000) * rng.uniform(-1, 1, 100_000))
    out = np.empty_like(a)
    _each_ratio(a, b, out)
    exact = np.log(a.astype(np.longdouble) / b)
    assert (np.abs(out - exact) <= 3e-16 + 2e-16 * np.abs(exact)).all()
    _each_ratio(a, a, out)
    assert not out.any()


def test_mills_ratio_against_scaled_erfc():
    x = np.r_[np.linspace(0, 10, 100_001), np.linspace(10, 1000, 10_001)]
    assert np.abs(_run(2, x) / (np.sqrt(np.pi / 2) * erfcx(x / np.sqrt(2))) - 1).max() < 3e-15


def test_density_vanishes_far_out_without_underflow_noise():
    out = _run(3, np.array([0.0, 38.0, 1e6]))
    assert abs(out[0] - 1 / np.sqrt(2 * np.pi)) < 1e-16
    assert out[1] < 1e-300 and out[2] < 1e-300
