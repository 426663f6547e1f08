"""The running covariance: positive semidefinite, independent of how sources interleave, deterministic."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.cross_asset.covariance import GridCovariance
from common.units import NS_PER_S

PRIOR = np.array([[1e-4, 8e-5, 7e-5], [8e-5, 1.5e-4, 6e-5], [7e-5, 6e-5, 2e-4]])

ticks = st.lists(st.tuples(st.integers(0, 200_000), st.floats(90, 110)), min_size=1, max_size=60)


def tape(u, pairs):
    times = sorted(t for t, _ in pairs)
    return [(u, t * NS_PER_S, p) for t, (_, p) in zip(times, pairs, strict=True)]


@given(ticks, ticks, ticks, st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_any_interleaving_gives_the_same_bits(a, b, c, rng):
    tapes = [tape(u, pairs) for u, pairs in enumerate((a, b, c))]
    results = []
    for attempt in range(3):
        queues = [list(t) for t in tapes]
        grid = GridCovariance(PRIOR, (0, 1, 2), 300.0, 5.0)
        while any(queues):
            alive = [q for q in queues if q]
            following = min(alive, key=lambda q: q[0][1]) if attempt == 0 else rng.choice(alive)
            grid.observe(*following.pop(0))
        results.append(grid.matrix)
    assert np.array_equal(results[0], results[1]) and np.array_equal(results[0], results[2])
    assert np.allclose(results[0], results[0].T)
    assert np.linalg.eigvalsh(results[0]).min() > -1e-12


def test_unknown_prices_leave_the_prior():
    grid = GridCovariance(PRIOR, (0, 1), 300.0, 5.0)
    for i in range(50):
        grid.observe(0, i * 300 * NS_PER_S, 100.0 + i)
        grid.observe(1, i * 300 * NS_PER_S, float("nan"))
    assert np.array_equal(grid.matrix[1:], PRIOR[1:])
    assert grid.matrix[0, 1] == PRIOR[0, 1]


def test_an_unwatched_source_holds_nobody_up():
    grid = GridCovariance(PRIOR, (0, 1), 300.0, 5.0)
    for i in range(10):
        for u in (0, 1):
            grid.observe(u, i * 300 * NS_PER_S, 100.0 + i * (u + 1))
    assert grid.version > 5 and np.array_equal(grid.matrix[2], PRIOR[2])
