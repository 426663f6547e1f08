from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from common.calendars.variance import VarianceClock, VarianceClockConfig, VarianceEvent, act365_years, convert_vol
from common.units import NS_PER_US, NS_PER_YEAR

FIRST = int(datetime(1990, 1, 3, tzinfo=UTC).timestamp()) * 10**9
LAST = int(datetime(2049, 1, 1, tzinfo=UTC).timestamp()) * 10**9

moments = st.integers(FIRST, LAST)
weights = st.floats(0.02, 5.0)


@cache
def clock(kind: int) -> VarianceClock:
    events = tuple(
        VarianceEvent(
            name=f"e{i}", at=datetime(2018, 1 + i, 20, 18, tzinfo=UTC), minutes=60 * (i + 1), variance_days=1 + i
        )
        for i in range(kind)
    )
    return VarianceClock(VarianceClockConfig(calendar=("XNYS", "24/7", "CMES", "XCBO")[kind], events=events))


@settings(deadline=None)  # the first example of a kind builds its clock
@given(st.integers(0, 3), moments, moments, moments)
def test_time_adds_up_exactly(kind: int, a: int, b: int, c: int) -> None:
    w = [int(clock(kind).weighted_ns(t)) for t in (a, b, c)]
    assert (w[2] - w[0]) == (w[1] - w[0]) + (w[2] - w[1])
    years = clock(kind).years
    whole, parts = float(years(a, c)), float(years(a, b)) + float(years(b, c))
    assert abs(whole - parts) <= 4 * np.finfo(float).eps * max(
        abs(whole), abs(float(years(a, b))), abs(float(years(b, c)))
    )


@settings(deadline=None)  # the first example of a kind builds its clock
@given(st.integers(0, 3), moments, st.integers(NS_PER_US, 10 * NS_PER_YEAR))
def test_time_always_passes(kind: int, start: int, step: int) -> None:
    later = min(start + step, LAST + 10**15)
    assert int(clock(kind).weighted_ns(later)) > int(clock(kind).weighted_ns(start))


@settings(deadline=None)  # the first example of a kind builds its clock
@given(st.integers(0, 3), moments)
def test_time_never_runs_back_even_across_an_edge(kind: int, near: int) -> None:
    edges = clock(kind)._edges
    edge = int(edges[np.searchsorted(edges, near)])
    around = np.arange(-3, 4, dtype=np.int64) + edge
    assert (np.diff(clock(kind).weighted_ns(around)) >= 0).all()


@settings(deadline=None)  # the first example of a kind builds its clock
@given(st.integers(0, 3), st.lists(moments, min_size=1, max_size=30), moments)
def test_columns_equal_one_by_one(kind: int, expiries: list[int], now: int) -> None:
    together = clock(kind).years(now, np.array(expiries, np.int64))
    assert together.tolist() == [float(clock(kind).years(now, e)) for e in expiries]


@given(st.floats(0.01, 4.0), st.floats(1e-9, 50.0), st.floats(1e-9, 50.0))
def test_a_quote_keeps_its_variance_between_clocks(vol: float, one: float, other: float) -> None:
    moved = convert_vol(np.array([vol]), np.array([one]), np.array([other]))
    np.testing.assert_allclose(moved**2 * other, vol**2 * one, rtol=1e-14)
    np.testing.assert_allclose(convert_vol(moved, np.array([other]), np.array([one])), vol, rtol=1e-14)


@settings(max_examples=8, deadline=None)
@given(weights, weights, weights, weights)
def test_whatever_the_weights_the_reference_years_keep_their_length(s: float, o: float, w: float, h: float) -> None:
    config = VarianceClockConfig(session=s, overnight=o, weekend=w, holiday=h)
    start = int(datetime(1997, 1, 1, 5, tzinfo=UTC).timestamp()) * 10**9
    end = int(datetime(2025, 1, 1, 5, tzinfo=UTC).timestamp()) * 10**9
    np.testing.assert_allclose(VarianceClock(config).years(start, end), act365_years(start, end), rtol=1e-9)
