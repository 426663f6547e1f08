"""Running volatility: what it converges to, and that it does not depend on how sources interleave."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.messages import Header, QuoteBatch
from common.snapshot import MarketSnapshot
from common.units import NS_PER_DAY, NS_PER_S
from manager.config import Volatility
from manager.volatility import RunningVolatility
from tests.manager_world import NOW_NS, universe

WORLD = universe()


def batch(u: int, sequence: int, at_ns: int, mid_ticks: int) -> QuoteBatch:
    one = np.ones(1, np.int32)
    header = Header(f"feed.{WORLD.symbols[u]}", sequence, at_ns)
    return QuoteBatch(header, np.array([u], np.uint32), one * (mid_ticks - 1), one * (mid_ticks + 1), one, one)


def run(batches: list[tuple[int, QuoteBatch]]) -> np.ndarray:
    market, vol = MarketSnapshot(WORLD), RunningVolatility(WORLD, Volatility())
    for u, b in batches:
        if market.apply(b):
            vol.on_batch(u, b.header.event_time_ns, market)
    return vol.sigma_daily()


def test_starts_at_the_prior() -> None:
    np.testing.assert_allclose(run([]), [0.010, 0.013])


def test_converges_to_the_volatility_of_the_day_and_night() -> None:
    """Days of 6.5 hours with a variance of 75 % inside and 25 % overnight, 2 % in all."""
    rng, log, out, sequence = np.random.default_rng(3), 0.0, [], 0
    for day in range(120):
        log += 0.02 * np.sqrt(0.25) * rng.normal()
        for k in range(0, 23_401, 300):
            log += 0.02 * np.sqrt(0.75 * 300 / 23_400) * rng.normal() if k else 0.0
            sequence += 1
            ticks = round(5_000_000 * np.exp(log))
            out.append((0, batch(0, sequence, NOW_NS + day * NS_PER_DAY + k * NS_PER_S, ticks)))
    sigma = run(out)
    assert sigma[0] == pytest.approx(0.02, rel=0.15)
    assert sigma[1] == pytest.approx(0.013)


def test_faster_than_the_grid_changes_nothing_but_the_last_mid() -> None:
    start = NOW_NS - NOW_NS % (300 * NS_PER_S)
    slow = [(0, batch(0, k + 1, start + k * 300 * NS_PER_S, 54_000 + 400 * (k % 2))) for k in range(20)]
    fast = [
        (
            0,
            batch(
                0,
                2 * k + i + 1,
                start + k * 300 * NS_PER_S - (1 - i) * NS_PER_S,
                54_000 + (400 * (k % 2) if i else 999),
            ),
        )
        for k in range(20)
        for i in range(2)
    ]
    # The extra batch a second before each grid point is the last one known there; its mid is constant.
    assert run(fast)[0] < 0.010 < run(slow)[0]


@given(st.lists(st.booleans(), min_size=60, max_size=60), st.integers(0, 2**32 - 1))
def test_interleaving_of_sources_does_not_matter(order: list[bool], seed: int) -> None:
    rng = np.random.default_rng(seed)
    streams = [
        [
            (u, batch(u, k + 1, NOW_NS + int(k * 170 * NS_PER_S), int(54_000 + rng.integers(-200, 200))))
            for k in range(30)
        ]
        for u in range(2)
    ]
    mixed, left = [], [list(streams[0]), list(streams[1])]
    for first in order:
        u = int(first) if left[int(first)] else 1 - int(first)
        if left[u]:
            mixed.append(left[u].pop(0))
    mixed += left[0] + left[1]
    np.testing.assert_array_equal(run(mixed), run(streams[0] + streams[1]))
