from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.market.bridge import bridged_day, garman_klass_vol

CORRELATION = np.array([[1.0, 0.88], [0.88, 1.0]])


@st.composite
def days(draw: st.DrawFn) -> np.ndarray:
    """Two underlyings' open, high, low, close; high or low may be the open or the close."""
    rows = []
    for _ in range(2):
        low = draw(st.floats(50.0, 5000.0))
        high = low * (1 + draw(st.floats(0.002, 0.08)))
        inside = st.one_of(st.just(0.0), st.just(1.0), st.floats(0.0, 1.0))
        o, c = (low + draw(inside) * (high - low) for _ in range(2))
        rows.append([min(max(o, low), high), high, low, min(max(c, low), high)])
    return np.array(rows)


@settings(max_examples=60, deadline=None)
@given(days(), st.integers(0, 2**32 - 1), st.sampled_from([97, 195, 390]))
def test_a_path_has_the_days_open_high_low_and_close(ohlc: np.ndarray, seed: int, steps: int) -> None:
    path = bridged_day(ohlc, CORRELATION, steps, np.random.default_rng(seed))
    assert path.shape == (2, steps + 1)
    np.testing.assert_array_equal(np.stack([path[:, 0], path.max(1), path.min(1), path[:, -1]], axis=1), ohlc)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_steps_keep_the_correlation(seed: int) -> None:
    ohlc = np.array([[100.0, 101.0, 99.0, 100.2], [200.0, 202.5, 197.8, 200.7]])
    rng = np.random.default_rng(seed)
    steps = [np.diff(np.log(bridged_day(ohlc, CORRELATION, 195, rng)), axis=1) for _ in range(10)]
    assert np.corrcoef(np.concatenate(steps, axis=1))[0, 1] == pytest.approx(0.88, abs=0.04)


def test_the_order_and_time_of_high_and_low_are_the_seeds() -> None:
    ohlc = np.array([[100.0, 101.0, 99.0, 100.0]])
    paths = [bridged_day(ohlc, np.eye(1), 195, np.random.default_rng(seed))[0] for seed in range(40)]
    high_first = [p.argmax() < p.argmin() for p in paths]
    assert 8 < sum(high_first) < 32
    assert len({int(p.argmax()) for p in paths}) > 25


def test_garman_klass_is_unbiased_for_brownian_motion() -> None:
    rng = np.random.default_rng(9)
    walk = np.cumsum(rng.standard_normal((4000, 2000)) * 0.01 / np.sqrt(2000), axis=1)
    ohlc = np.stack([np.zeros(4000), np.maximum(walk.max(1), 0), np.minimum(walk.min(1), 0), walk[:, -1]], axis=1)
    assert np.sqrt(np.mean(garman_klass_vol(ohlc) ** 2)) == pytest.approx(
        0.01, rel=0.06
    )  # discrete extremes fall short


@pytest.mark.parametrize(
    "ohlc", [[[100.0, 99.0, 98.0, 98.5]], [[100.0, 101.0, 100.5, 100.8]], [[0.0, 1.0, 0.0, 1.0]], [[1.0, np.nan, 1, 1]]]
)
def test_an_impossible_day_is_refused(ohlc: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="between its low and its high"):
        bridged_day(np.array(ohlc), np.eye(1), 10, np.random.default_rng(0))
