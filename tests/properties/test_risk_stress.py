"""The smallest breach is a breach, and no random move that is smaller breaks the limit."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from common.risk.scenarios import Rules, Shocks, pnl_by_underlying
from common.risk.search import root_of
from common.risk.stress import Reach, break_loss
from tests.risk_books import random_holdings


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 3))
def test_nothing_smaller_breaks_the_limit(seed, underlyings):
    book = random_holdings(seed, 12, underlyings)
    rng = np.random.default_rng(seed)
    deviations = np.concatenate([rng.uniform(0.005, 0.02, underlyings), rng.uniform(0.03, 0.1, underlyings)])
    half = rng.normal(size=(2 * underlyings, 2 * underlyings)) + 2.0 * np.eye(2 * underlyings)
    correlation = half @ half.T
    scale = np.sqrt(np.diag(correlation))
    covariance = correlation / np.outer(scale, scale) * np.outer(deviations, deviations)
    root = root_of(covariance)

    def loss(z):
        x = z @ root.T
        return -pnl_by_underlying(book, Shocks.of(x[:, :underlyings], x[:, underlyings:]), Rules()).sum(axis=1)

    rays = rng.normal(size=(400, 2 * underlyings))
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    limit = 0.9 * float(loss(3.0 * rays).max())
    if limit <= 0.0:
        return
    found = break_loss(book, limit, covariance, Rules(), Reach(farthest=4.0, step=0.25, directions=32))
    assert found.sigmas <= 3.0
    assert -found.then >= limit * (1.0 - 1e-9)
    # Four per mille: the draw of directions is finite, and so is the refinement.
    smaller = (
        found.sigmas
        * 0.996
        * rng.uniform(0.0, 1.0, (1500, 1)) ** (1.0 / (2 * underlyings))
        * (lambda x: x / np.linalg.norm(x, axis=1, keepdims=True))(rng.normal(size=(1500, 2 * underlyings)))
    )
    assert float(loss(smaller).max()) < limit
    assert not math.isnan(found.then)
