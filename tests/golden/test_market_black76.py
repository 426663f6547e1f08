"""Modelled values against QuantLib's Black calculator."""

from __future__ import annotations

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from common.market.black76 import price_grid, values


@pytest.mark.parametrize("right", [1.0, -1.0])
@pytest.mark.parametrize("deviation", [0.005, 0.03, 0.15, 0.6])
def test_values_are_quantlibs(right: float, deviation: float) -> None:
    strike = np.array([2000.0, 2600.0, 2860.0, 2900.0, 3300.0])
    forward = np.array([[2500.0], [2866.25]])
    discount = np.array([[0.999], [0.985]])
    found = values(forward, strike, np.full(5, right), np.array([[deviation**2]]), discount)
    kind = ql.Option.Call if right > 0 else ql.Option.Put
    for s in range(2):
        for j, k in enumerate(strike):
            wanted = ql.blackFormula(kind, float(k), float(forward[s, 0]), deviation, float(discount[s, 0]))
            assert found[s, j] == pytest.approx(wanted, abs=1e-9)


def test_no_variance_leaves_the_intrinsic_value() -> None:
    found = values(
        np.array([[100.0]]), np.array([90.0, 110.0]), np.array([1.0, -1.0]), np.zeros((1, 2)), np.ones((1, 1))
    )
    assert found.tolist() == [[10.0, 10.0]]


def test_the_compiled_loop_is_the_written_one() -> None:
    rng = np.random.default_rng(1)
    forward, variance = rng.uniform(90, 110, (3, 4)), rng.uniform(0, 0.1, (3, 4))
    strike, right = rng.uniform(80, 120, 4), np.array([1.0, -1.0, 1.0, -1.0])
    out, plain = np.empty((3, 4)), np.empty((3, 4))
    price_grid(forward, strike, right, variance, np.ones((3, 4)), out)
    price_grid.py_func(forward, strike, right, variance, np.ones((3, 4)), plain)
    np.testing.assert_allclose(out, plain, rtol=1e-13)
