"""The fit of spreads and sizes: its constants are what the data give, and it has the day's medians."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from common.market import spread_fit
from common.market.es_files import read_futures
from common.units import NO_PRICE
from tests.market_data import DATA, needs_es_files


@pytest.fixture(scope="module")
def sample() -> spread_fit.Sample:
    return spread_fit.load_sample(DATA)


@needs_es_files
def test_the_constants_are_the_fit(sample: spread_fit.Sample) -> None:
    spread, size, scatter = spread_fit.fit(sample)
    np.testing.assert_allclose(spread, spread_fit.SPREAD_COEFFICIENTS, atol=2e-4)
    np.testing.assert_allclose(size, spread_fit.SIZE_COEFFICIENTS, atol=2e-4)
    assert scatter == pytest.approx(spread_fit.SIZE_SCATTER, abs=1e-3)
    np.testing.assert_allclose(np.quantile(sample.x, [0.01, 0.99]), spread_fit.X_BOUNDS, atol=1e-3)


@needs_es_files
def test_the_fit_has_the_medians_of_the_day(sample: spread_fit.Sample) -> None:
    assert np.median(sample.spread / sample.mid) == pytest.approx(0.009, abs=0.0003)
    assert np.median(sample.bid_size) == 30
    fitted = spread_fit.fitted_spread(sample.mid, sample.forward, sample.x)
    assert np.median(fitted / sample.mid) == pytest.approx(np.median(sample.spread / sample.mid), rel=0.002)
    assert np.median(spread_fit.fitted_size(sample.mid, sample.forward, sample.x)) == pytest.approx(30, abs=0.2)
    assert np.median(np.abs(np.log(fitted / sample.spread))) < 0.35


@needs_es_files
def test_the_future_is_as_stated() -> None:
    rows = read_futures(DATA).since(spread_fit.SESSION_START_NS).only(frozenset({"ESH0"}))
    both = (rows.bid_ticks > NO_PRICE) & (rows.ask_ticks > NO_PRICE)
    bid, ask = rows.bid_ticks[both] * 0.25, rows.ask_ticks[both] * 0.25
    assert 1e4 * np.median((ask - bid) / (0.5 * (ask + bid))) == pytest.approx(spread_fit.FUTURE_SPREAD_BP, abs=0.01)
    assert np.median(rows.bid_size_lots[both]) == spread_fit.FUTURE_SIZE_LOTS


def test_least_absolute_is_the_linear_programme() -> None:
    """Median regression is an LP (Koenker and Bassett 1978); HiGHS solves it exactly."""
    rng = np.random.default_rng(5)
    design = np.column_stack([np.ones(120), rng.standard_normal((120, 2))])
    target = design @ np.array([1.0, -0.5, 0.3]) + rng.standard_t(2, 120)
    n, c = design.shape
    answer = linprog(
        np.concatenate([np.zeros(c), np.ones(2 * n)]),
        A_eq=np.hstack([design, np.eye(n), -np.eye(n)]),
        b_eq=target,
        bounds=[(None, None)] * c + [(0, None)] * (2 * n),
    )
    found = spread_fit.least_absolute(design, target, rounds=400)
    assert np.abs(target - design @ found).sum() <= answer.fun * (1 + 1e-3)
