from __future__ import annotations

from datetime import date, datetime, time

import pytest

from common.calendars.settlement import (
    Settlement,
    deribit_month_expiry,
    expiries_after,
    month_end_expiry,
    monthly_expiry,
    rule_of,
    settlement_ns,
    settlement_session,
    weekly_expiries,
)
from common.calendars.zones import CHICAGO, NEW_YORK


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text + "+00:00").timestamp()) * 10**9


@pytest.mark.parametrize(
    ("expiry", "rule", "wanted"),
    [
        (date(2018, 2, 16), Settlement.AM, "2018-02-16T14:30"),
        (date(2018, 3, 16), Settlement.AM, "2018-03-16T13:30"),  # after the clocks went forward
        (date(2018, 11, 2), Settlement.PM, "2018-11-02T20:00"),
        (date(2018, 11, 5), Settlement.PM, "2018-11-05T21:00"),
        (date(2018, 11, 23), Settlement.PM, "2018-11-23T18:00"),  # the day after Thanksgiving closes at 13:00
        (date(2018, 11, 23), Settlement.AM, "2018-11-23T14:30"),
        (date(2018, 11, 23), Settlement.CME_WEEKLY, "2018-11-23T18:00"),
        (date(2019, 4, 19), Settlement.AM, "2019-04-18T13:30"),  # Good Friday
        (date(2019, 4, 19), Settlement.PM, "2019-04-18T20:00"),
        (date(2026, 6, 19), Settlement.PM, "2026-06-18T20:00"),  # Juneteenth
        (date(2014, 1, 18), Settlement.PM, "2014-01-17T21:00"),  # a Saturday, as symbols had it until 2015
        (date(2020, 3, 20), Settlement.CME_QUARTERLY, "2020-03-20T13:30"),
        (date(2020, 12, 18), Settlement.CME_QUARTERLY, "2020-12-18T14:30"),
        (date(2020, 1, 10), Settlement.CME_WEEKLY, "2020-01-10T21:00"),
        (date(2026, 1, 30), Settlement.DERIBIT, "2026-01-30T08:00"),
        (date(2026, 7, 4), Settlement.DERIBIT, "2026-07-04T08:00"),  # no holiday, no summer time
    ],
)
def test_settlement_instants(expiry: date, rule: Settlement, wanted: str) -> None:
    assert settlement_ns(expiry, rule) == utc(wanted)


@pytest.mark.parametrize(
    ("year", "month", "wanted"),
    [
        (2008, 3, date(2008, 3, 20)),  # Good Friday
        (2014, 4, date(2014, 4, 17)),
        (2018, 2, date(2018, 2, 16)),
        (2020, 6, date(2020, 6, 19)),  # Juneteenth was no holiday yet
        (2026, 6, date(2026, 6, 18)),
        (2030, 4, date(2030, 4, 18)),
    ],
)
def test_monthly_expiry_is_the_third_friday_or_the_session_before(year: int, month: int, wanted: date) -> None:
    assert monthly_expiry(year, month) == wanted


def test_weekly_and_month_end_expiries() -> None:
    assert list(weekly_expiries(date(2019, 4, 8), date(2019, 4, 30))) == [
        date(2019, 4, 12), date(2019, 4, 18), date(2019, 4, 26),
    ]  # fmt: skip
    assert list(weekly_expiries(date(2018, 9, 1), date(2018, 9, 9), weekday=0)) == [date(2018, 8, 31)]  # Labor Day
    assert month_end_expiry(2018, 3) == date(2018, 3, 29)
    assert month_end_expiry(2018, 12) == date(2018, 12, 31)
    assert deribit_month_expiry(2026, 12) == date(2026, 12, 25)
    assert deribit_month_expiry(2026, 1) == date(2026, 1, 30)


def test_expiries_after_takes_the_march_cycle_last() -> None:
    found = expiries_after(date(2026, 5, 15), 2, 1)
    assert found == (date(2026, 6, 18), date(2026, 7, 17), date(2026, 9, 18))


def test_a_rule_is_named_by_the_usual_hour_of_the_contract() -> None:
    assert rule_of(time(16, 0), NEW_YORK) is Settlement.PM
    assert rule_of(time(8, 30), CHICAGO) is Settlement.CME_QUARTERLY
    assert rule_of(time(8, 0), "UTC") is Settlement.DERIBIT
    with pytest.raises(ValueError, match="no settlement rule has the hour 16:00:00 UTC"):
        rule_of(time(16, 0), "UTC")


def test_an_expiry_beyond_the_calendar_is_refused() -> None:
    with pytest.raises(ValueError, match="lies outside"):
        settlement_session(date(2060, 1, 1), Settlement.PM)
