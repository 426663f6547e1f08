from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from pydantic import ValidationError

from common.calendars.variance import VarianceClock, VarianceClockConfig, VarianceEvent, act365_years, convert_vol
from common.units import NS_PER_DAY, NS_PER_MIN, NS_PER_YEAR


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text + "+00:00").timestamp()) * 10**9


@pytest.fixture(scope="module")
def clock() -> VarianceClock:
    return VarianceClock(VarianceClockConfig())


def test_act365_counts_nanoseconds() -> None:
    assert float(act365_years(utc("2018-01-01T00:00"), utc("2019-01-01T00:00"))) == 1.0
    assert float(act365_years(utc("2020-01-01T00:00"), utc("2021-01-01T00:00"))) == 366 / 365
    assert float(act365_years(0, NS_PER_MIN)) == NS_PER_MIN / NS_PER_YEAR
    assert float(act365_years(NS_PER_DAY, 0)) == -1 / 365


def test_equal_weights_are_act365_to_the_bit() -> None:
    flat = VarianceClock(VarianceClockConfig(session=0.3, overnight=0.3, weekend=0.3, holiday=0.3))
    rng = np.random.default_rng(3)
    now, expiry = (rng.integers(utc("1995-01-01T00:00"), utc("2045-01-01T00:00"), 5_000) for _ in range(2))
    assert np.array_equal(flat.years(now, expiry), act365_years(now, expiry))


def test_each_kind_of_hour_runs_at_its_weight() -> None:
    weights = {"session": 1.0, "overnight": 0.2, "weekend": 0.05, "holiday": 0.1}
    clock = VarianceClock(VarianceClockConfig(**weights))

    def hour(text: str) -> float:
        return float(clock.years(utc(text), utc(text) + 60 * NS_PER_MIN))

    session = hour("2018-07-02T15:00")
    assert hour("2018-07-02T22:00") / session == pytest.approx(0.2)
    assert hour("2018-07-03T18:00") / session == pytest.approx(0.2)  # after an early close
    assert hour("2018-07-07T15:00") / session == pytest.approx(0.05)  # Saturday
    assert hour("2018-07-04T15:00") / session == pytest.approx(0.1)
    # A Saturday starts at midnight in New York, which is 04:00 UTC in July: half of this hour is still Friday.
    assert hour("2018-07-07T03:30") / session == pytest.approx((0.2 + 0.05) / 2)


def test_a_weighted_year_is_a_year_on_average(clock: VarianceClock) -> None:
    years = float(clock.years(utc("1997-01-01T05:00"), utc("2025-01-01T05:00")))
    assert years == pytest.approx(28 * 365.25 / 365, rel=1e-9)


def test_a_weekend_adds_little(clock: VarianceClock) -> None:
    friday = float(clock.years(utc("2018-02-02T21:00"), utc("2018-02-05T14:30")))
    thursday = float(clock.years(utc("2018-02-01T21:00"), utc("2018-02-02T14:30")))
    calendar = (utc("2018-02-05T14:30") - utc("2018-02-02T21:00")) / (utc("2018-02-02T14:30") - utc("2018-02-01T21:00"))
    assert thursday < friday < 1.6 * thursday
    assert calendar > 3.5


def test_an_event_adds_its_days_and_only_inside_its_window() -> None:
    fomc = VarianceEvent(name="FOMC", at=datetime(2018, 3, 21, 18, tzinfo=UTC), minutes=60, variance_days=1.5)
    plain, with_event = VarianceClock(VarianceClockConfig()), VarianceClock(VarianceClockConfig(events=(fomc,)))
    ordinary = float(plain.years(utc("2018-03-20T13:30"), utc("2018-03-21T13:30")))

    def extra(start: str, end: str) -> float:
        return float(with_event.years(utc(start), utc(end)) - plain.years(utc(start), utc(end)))

    assert extra("2018-03-21T18:00", "2018-03-21T19:00") == pytest.approx(1.5 * ordinary, rel=1e-9)
    assert extra("2018-03-21T18:00", "2018-03-21T18:30") == pytest.approx(0.75 * ordinary, rel=1e-9)
    assert extra("2018-03-01T00:00", "2018-03-21T18:00") == pytest.approx(0.0, abs=1e-15)
    assert extra("2018-03-21T19:00", "2018-12-21T21:00") == pytest.approx(0.0, abs=1e-15)


def test_events_that_overlap_add_up() -> None:
    at = datetime(2018, 3, 21, 18, tzinfo=UTC)
    one = VarianceEvent(name="one", at=at, minutes=60, variance_days=1.0)
    two = VarianceEvent(name="two", at=at.replace(minute=30), minutes=60, variance_days=2.0)
    span = (utc("2018-03-21T17:00"), utc("2018-03-21T20:00"))
    plain, first, second, both = (
        float(VarianceClock(VarianceClockConfig(events=e)).years(*span)) for e in ((), (one,), (two,), (one, two))
    )
    assert both - plain == pytest.approx((first - plain) + (second - plain), rel=1e-9)


def test_other_markets_have_clocks_too() -> None:
    crypto = VarianceClock(VarianceClockConfig(calendar="DRBT"))
    assert float(crypto.years(0 + utc("2020-01-01T00:00"), utc("2020-12-31T00:00"))) == 1.0
    globex = VarianceClock(VarianceClockConfig(calendar="XCME"))
    halt = (utc("2020-01-06T22:00"), utc("2020-01-06T23:00"))
    session = (utc("2020-01-06T18:00"), utc("2020-01-06T19:00"))
    assert float(globex.years(*halt) / globex.years(*session)) == pytest.approx(0.16)


def test_conversion_keeps_the_variance_and_the_last_instant(clock: VarianceClock) -> None:
    now = utc("2018-02-02T20:00")
    expiries = np.array([utc("2018-02-02T21:00"), utc("2018-02-05T21:00"), utc("2019-02-01T21:00")])
    vol = np.array([0.2, 0.2, 0.2])
    weighted = clock.vol_from_calendar(vol, now, expiries)
    assert weighted[0] < 0.2 < weighted[1]  # an hour of the session runs fast; most of Friday to Monday is a weekend
    np.testing.assert_allclose(
        weighted**2 * clock.years(now, expiries), vol**2 * act365_years(now, expiries), rtol=1e-14
    )
    np.testing.assert_allclose(clock.vol_to_calendar(weighted, now, expiries), vol, rtol=1e-14)
    assert convert_vol(np.array([0.3]), np.array([0.0]), np.array([0.0])).tolist() == [0.3]
    assert np.isnan(convert_vol(np.array([np.nan]), np.array([1.0]), np.array([2.0]))).all()


def test_what_makes_no_clock_is_refused(clock: VarianceClock) -> None:
    with pytest.raises(ValidationError, match="names no time zone"):
        VarianceEvent.model_validate({"name": "x", "at": "2018-03-21T18:00:00", "variance_days": 1.0})
    with pytest.raises(ValidationError, match="is no moment"):
        VarianceEvent.model_validate({"name": "x", "at": 1521655200, "variance_days": 1.0})
    with pytest.raises(ValidationError, match="greater than 0"):
        VarianceClockConfig(weekend=0.0)
    with pytest.raises(ValidationError, match="span a year"):
        VarianceClockConfig.model_validate({"reference_first": "2020-01-01", "reference_last": "2020-06-01"})
    with pytest.raises(ValueError, match="of the calendar's speed"):
        VarianceClock(VarianceClockConfig(weekend=1e-5))
    late = VarianceEvent(name="late", at=datetime(2070, 1, 1, tzinfo=UTC), variance_days=1.0)
    with pytest.raises(ValueError, match=r"'late'.*lies outside the calendar"):
        VarianceClock(VarianceClockConfig(events=(late,)))
    with pytest.raises(ValueError, match="the variance clock of XNYS runs from 1990"):
        clock.weighted_ns(utc("1980-01-01T00:00"))
    with pytest.raises(ValueError, match="holds less than a year"):
        VarianceClock(
            VarianceClockConfig.model_validate({"reference_first": "1950-01-01", "reference_last": "1960-01-01"})
        )
