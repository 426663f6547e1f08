"""Spot and futures: price, delta 1, nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from common.kernels import layout
from common.kernels.linear import linear


@pytest.mark.parametrize("rows", [8, 9])
def test_rows(rows):
    base = np.array([100.0, -37.6, 0.0, np.nan, np.inf])
    out = np.full((rows, 5), -99.0)
    linear(base, out)
    assert np.array_equal(out[layout.PRICE, :3], base[:3]) and (out[layout.DELTA, :3] == 1.0).all()
    assert not out[2:, :3].any() and np.isnan(out[:, 3:]).all()
