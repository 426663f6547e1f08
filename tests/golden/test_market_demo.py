"""The demo market against the real daily files, read here with pandas."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import numpy as np
import pandas
import pytest

from common.market.config import DemoConfig
from common.market.demo import SYMBOLS, DemoMarket
from common.units import NO_PRICE, NS_PER_YEAR
from tests.market_data import as_bytes, column, demo, demo_batches

FILES = {"SPX": "sp500", "IXIC": "nasdaq"}
DAYS = 10
STEPS = 196


def real_days(name: str) -> pandas.DataFrame:
    """A file as arch itself loads it; here, so that who only collects this module does not wait for arch."""
    return import_module(f"arch.data.{name}").load()


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_day_has_its_real_open_high_low_and_close(symbol: str) -> None:
    real = real_days(FILES[symbol]).loc["2018-01-29":"2018-02-09", ["Open", "High", "Low", "Close"]].to_numpy()
    at = SYMBOLS.index(symbol)
    paths = np.stack([d.index[at] for d in demo().days])
    assert paths.shape == (DAYS, STEPS)
    found = np.stack([paths[:, 0], paths.max(axis=1), paths.min(axis=1), paths[:, -1]], axis=1)
    np.testing.assert_array_equal(found, real)


def test_the_files_are_read_without_the_package_that_carries_them() -> None:
    """Its models take a second to load, and set numba up before the kernels do: they would all be compiled anew."""
    code = (
        "import sys; from common.market.config import DemoConfig; from common.market.demo import DemoMarket;"
        "assert DemoMarket(None, DemoConfig()).days;"
        "print(sorted({'arch', 'scipy.stats', 'statsmodels', 'matplotlib'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_the_quoted_future_touches_high_and_low_to_the_tick(symbol: str) -> None:
    """Its mid, carried back to the index with the stated carry, is the path to half a spread's rounding."""
    universe, batches = demo().universe, demo_batches(symbol)
    terms = universe.underlyings[universe.underlying_index(symbol)]
    assert batches[0].instrument[0] == terms.future_instrument
    mid = 0.125 * (column(batches, "bid_ticks")[:, 0] + column(batches, "ask_ticks")[:, 0])
    times = np.array([b.header.event_time_ns for b in batches])
    years = (universe.expiry_ns[terms.future_instrument] - times) / NS_PER_YEAR
    index = (mid * np.exp(-terms.carry_per_year * years)).reshape(DAYS, STEPS)
    real = real_days(FILES[symbol]).loc["2018-01-29":"2018-02-09"]
    np.testing.assert_allclose(index.max(axis=1), real["High"], atol=0.13)
    np.testing.assert_allclose(index.min(axis=1), real["Low"], atol=0.13)


def test_the_vix_is_joined_by_the_stated_rule() -> None:
    real = real_days("vix")["vix"].dropna()
    closes = real.loc["2018-01-26":"2018-02-09"].to_numpy()
    assert closes[0] == 11.08
    for at, day in enumerate(demo().days):
        assert day.vix[-1] == pytest.approx(closes[at + 1], rel=1e-12)
        assert day.vix[0] == pytest.approx(closes[at] ** 0.7 * closes[at + 1] ** 0.3, rel=1e-12)


def test_the_two_move_as_they_did_the_year_before() -> None:
    returns = [np.log(real_days(FILES[s])["Close"]).diff().loc["2017-01-30":"2018-01-26"].to_numpy() for s in SYMBOLS]
    steps = np.concatenate([np.diff(np.log(d.index), axis=1) for d in demo().days], axis=1)
    assert np.corrcoef(steps)[0, 1] == pytest.approx(np.corrcoef(returns)[0, 1], abs=0.03)
    np.testing.assert_allclose(demo().universe.covariance_daily, np.cov(returns), rtol=0.05)


def test_two_iterations_and_two_markets_are_equal_byte_for_byte() -> None:
    one = as_bytes(demo().batches())
    assert one == as_bytes(demo().batches()) == as_bytes(DemoMarket(None, DemoConfig()).batches())
    other = DemoMarket(None, DemoConfig(seed=8))
    assert as_bytes(other.batches()) != one
    np.testing.assert_array_equal(other.days[3].index[0].max(), demo().days[3].index[0].max())


def test_batches_are_numbered_timed_and_of_the_stated_size() -> None:
    batches = list(demo().batches())
    assert len(batches) == 2 * DAYS * STEPS
    for symbol in SYMBOLS:
        mine = demo_batches(symbol)
        assert [b.header.sequence for b in mine] == list(range(1, DAYS * STEPS + 1))
        assert all(b.header.receive_time_ns == 0 for b in mine)
        listed = demo().universe.rows_of(symbol)
        assert sorted(mine[0].instrument.tolist()) == listed.tolist()
        assert 300 < len(listed) <= 350
    times = [b.header.event_time_ns for b in batches]
    assert times == sorted(times)
    bounds = demo().session_bounds_ns
    assert len(bounds) == DAYS
    assert all(any(a <= t <= b for a, b in bounds) for t in times)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_quotes_are_uncrossed_sized_and_as_wide_as_stated(symbol: str) -> None:
    bid, ask = column(demo_batches(symbol), "bid_ticks"), column(demo_batches(symbol), "ask_ticks")
    bid_size, ask_size = column(demo_batches(symbol), "bid_size_lots"), column(demo_batches(symbol), "ask_size_lots")
    there = bid > NO_PRICE
    assert np.all(ask > 0)
    assert np.all(ask[there] > bid[there])
    assert np.all(bid[there] >= 1)
    assert np.all((bid_size > 0) == there)
    assert np.all(ask_size > 0)
    options = there[:, 1:]
    assert options.mean() > 0.97
    relative = ((ask - bid) / (0.5 * (ask + bid)))[:, 1:][options]
    assert np.median(relative) == pytest.approx(0.009, abs=0.002)
    assert 20 <= np.median(bid_size[:, 1:][options]) <= 60
    assert np.median(ask[:, 0] - bid[:, 0]) == (1 if symbol == "SPX" else 2)


def test_strikes_hold_the_whole_window() -> None:
    universe = demo().universe
    for at, symbol in enumerate(SYMBOLS):
        rows = [r for r in universe.rows_of(symbol) if universe.right[r] > 0]
        for expiry in np.unique(universe.expiry_ns[rows]):
            strikes = sorted(universe.strike[r] for r in rows if universe.expiry_ns[r] == expiry)
            low = min(d.index[at].min() for d in demo().days)
            high = max(d.index[at].max() for d in demo().days)
            assert strikes[1] < low < high < strikes[-2]
            assert 20 <= len(strikes) <= 24


@pytest.mark.parametrize(
    ("start", "end", "sessions"),
    [("2015-08-17", "2015-08-28", 10), ("2018-07-02", "2018-07-05", 3), ("2014-02-03", "2014-02-04", 2)],
)
def test_other_windows_work(start: str, end: str, sessions: int) -> None:
    market = DemoMarket(None, DemoConfig.model_validate({"start": start, "end": end, "step_s": 300}))
    assert len(market.session_bounds_ns) == sessions
    batches = list(market.batches())
    assert [b.header.event_time_ns for b in batches][-1] == market.session_bounds_ns[-1][1]
    assert len({u.future_instrument for u in market.universe.underlyings}) == 2


def test_what_is_real_and_what_is_modelled_is_said() -> None:
    text = "\n".join(demo().statements)
    for word in ("Real:", "Modelled:", "Assumed:", "seed 7", "0.88", "2018-01-29"):
        assert word in text
