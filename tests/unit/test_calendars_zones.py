from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest

from common.calendars.zones import CHICAGO, NEW_YORK, instant_ns, local_date, moment_of, utc_ns, zone_of


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text + "+00:00").timestamp()) * 10**9


@pytest.mark.parametrize(
    ("day", "wanted"),
    [
        (date(2018, 3, 9), "2018-03-09T21:00"),  # the Friday before the clocks go forward
        (date(2018, 3, 11), "2018-03-11T20:00"),
        (date(2018, 3, 12), "2018-03-12T20:00"),
        (date(2018, 11, 2), "2018-11-02T20:00"),
        (date(2018, 11, 5), "2018-11-05T21:00"),
        (date(2006, 4, 3), "2006-04-03T20:00"),  # before 2007 the clocks went forward in April
        (date(2006, 3, 13), "2006-03-13T21:00"),
    ],
)
def test_four_in_the_afternoon_in_new_york(day: date, wanted: str) -> None:
    assert instant_ns(day, time(16, 0), NEW_YORK) == utc(wanted)


def test_chicago_is_an_hour_behind_new_york_on_every_day_of_a_change() -> None:
    for day in (date(2018, 3, 9), date(2018, 3, 11), date(2018, 11, 4), date(2018, 11, 5)):
        assert instant_ns(day, time(8, 30), CHICAGO) == instant_ns(day, time(9, 30), NEW_YORK)


@pytest.mark.parametrize(("day", "at"), [(date(2018, 3, 11), time(2, 30)), (date(2018, 11, 4), time(1, 30))])
def test_a_wall_time_that_the_change_skips_or_repeats_is_refused(day: date, at: time) -> None:
    with pytest.raises(ValueError, match="names no single instant"):
        instant_ns(day, at, NEW_YORK)


def test_naive_times_are_refused() -> None:
    with pytest.raises(ValueError, match="names no time zone"):
        utc_ns(datetime(2018, 3, 9, 16))
    with pytest.raises(ValueError, match="names no time zone"):
        moment_of("2018-03-09T16:00:00")
    with pytest.raises(ValueError, match="is no moment"):
        moment_of(1_520_000_000)
    with pytest.raises(ValueError, match="carries a zone of its own"):
        instant_ns(date(2018, 3, 9), time(16, tzinfo=UTC), NEW_YORK)


@pytest.mark.parametrize("name", ["EST", "EST5EDT", "GMT", "", "Mars/Olympus", "../etc"])
def test_only_iana_names_of_places_are_zones(name: str) -> None:
    with pytest.raises(ValueError, match=r"zone|Area/City"):
        zone_of(name)


def test_offsets_count_to_the_microsecond() -> None:
    moment = datetime(2018, 3, 9, 16, 0, 0, 123_457, tzinfo=timezone(timedelta(hours=-5)))
    assert utc_ns(moment) == utc("2018-03-09T21:00") + 123_457_000
    assert utc_ns(datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)) == -1_000


def test_the_date_on_the_exchanges_clocks() -> None:
    assert local_date(utc("2020-01-06T03:00"), NEW_YORK) == date(2020, 1, 5)
    assert local_date(utc("2020-01-06T05:00"), NEW_YORK) == date(2020, 1, 6)
    assert local_date(-1, "UTC") == date(1969, 12, 31)
