from __future__ import annotations

import subprocess
import sys
from datetime import date, datetime

import numpy as np
import pytest

from common.calendars.exchanges import market_calendar
from common.units import NS_PER_MIN


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text + "+00:00").timestamp()) * 10**9


def test_sessions_holidays_and_early_closes_of_a_week() -> None:
    stocks = market_calendar("XNYS")
    first, last = date(2018, 7, 2), date(2018, 7, 8)
    assert [str(d) for d in stocks.sessions(first, last)] == ["2018-07-02", "2018-07-03", "2018-07-05", "2018-07-06"]
    assert [str(d) for d in stocks.holidays(first, last)] == ["2018-07-04"]
    assert [str(d) for d in stocks.early_closes(first, last)] == ["2018-07-03"]
    assert stocks.open_close_ns(date(2018, 7, 3)) == (utc("2018-07-03T13:30"), utc("2018-07-03T17:00"))
    assert stocks.session_on_or_before(date(2018, 7, 4)) == date(2018, 7, 3)
    assert stocks.session_on_or_after(date(2018, 7, 7)) == date(2018, 7, 9)
    with pytest.raises(ValueError, match="XNYS has no session on 2018-07-04"):
        stocks.open_close_ns(date(2018, 7, 4))


def test_index_options_close_a_quarter_of_an_hour_after_the_stocks() -> None:
    options = market_calendar("XPHL")
    assert options.open_close_ns(date(2018, 7, 3)) == (utc("2018-07-03T13:30"), utc("2018-07-03T17:15"))
    assert options.open_close_ns(date(2018, 7, 5))[1] == utc("2018-07-05T20:15")


@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        (date(2013, 10, 7), "2013-10-06T22:00", "2013-10-07T21:15"),  # closed at 16:15 then
        (date(2018, 3, 12), "2018-03-11T22:00", "2018-03-12T21:00"),  # the Sunday the clocks went forward
        (date(2018, 11, 5), "2018-11-04T23:00", "2018-11-05T22:00"),
        (date(2018, 7, 3), "2018-07-02T22:00", "2018-07-03T17:15"),
        (date(2018, 7, 4), "2018-07-03T22:00", "2018-07-04T17:00"),
        (date(2026, 6, 19), "2026-06-18T22:00", "2026-06-19T17:00"),  # Juneteenth
    ],
)
def test_the_e_mini_day(day: date, opens: str, closes: str) -> None:
    assert market_calendar("XCME").open_close_ns(day) == (utc(opens), utc(closes))


def test_halts_are_cut_out_of_a_session() -> None:
    globex = market_calendar("XCME")
    moments = ["21:14", "21:15", "21:29", "21:30", "21:59", "22:00", "22:59", "23:00"]
    asked = np.array([utc(f"2020-01-06T{m}") for m in moments])
    assert globex.is_open(asked).tolist() == [True, False, False, True, True, False, False, True]
    # The halt of 15 minutes ended in June 2021, and an early close leaves no room for it.
    assert bool(globex.is_open(utc("2021-06-25T20:20"))) is False
    assert bool(globex.is_open(utc("2021-06-28T20:20"))) is True


def test_minutes_are_the_whole_minutes_that_trade() -> None:
    stocks = market_calendar("XNYS")
    day = stocks.minutes(utc("2018-07-03T00:00"), utc("2018-07-04T00:00"))
    assert len(day) == 210
    assert day[0] == utc("2018-07-03T13:30")
    assert day[-1] == utc("2018-07-03T16:59")
    assert stocks.minutes(utc("2018-07-03T13:30") + 1, utc("2018-07-03T13:32")).tolist() == [utc("2018-07-03T13:31")]
    assert len(stocks.minutes(utc("2018-07-03T14:00"), utc("2018-07-03T14:00"))) == 0
    around = market_calendar("DRBT").minutes(utc("2018-07-03T00:00"), utc("2018-07-05T00:00"))
    assert len(around) == 2 * 1440
    assert set(np.diff(around)) == {NS_PER_MIN}


@pytest.mark.parametrize(
    "ask",
    [
        lambda c: c.is_session(date(1985, 1, 2)),
        lambda c: c.sessions(date(2049, 1, 1), date(2060, 1, 1)),
        lambda c: c.is_open(utc("1980-01-01T00:00")),
        lambda c: c.is_open(np.array([utc("2018-01-01T00:00"), utc("2055-01-01T00:00")])),
        lambda c: c.minutes(utc("2050-12-01T00:00"), utc("2051-02-01T00:00")),
        lambda c: c.session_on_or_after(date(2050, 12, 31)),
    ],
)
def test_beyond_its_bounds_a_calendar_says_so(ask: object) -> None:
    assert callable(ask)
    with pytest.raises(ValueError, match=r"XNYS.*(lies outside|no session beside)"):
        ask(market_calendar("XNYS"))


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no calendar for 'XXXX'; known: .*XNYS"):
        market_calendar("XXXX")
    stocks = market_calendar("XNYS")
    with pytest.raises(ValueError, match="lies before the start"):
        stocks.minutes(utc("2018-07-03T14:00"), utc("2018-07-03T13:00"))
    with pytest.raises(ValueError, match="lies before the first"):
        stocks.sessions(date(2018, 7, 3), date(2018, 7, 2))
    with pytest.raises(ValueError, match="minutes asked for at once"):
        stocks.minutes(utc("2000-01-01T00:00"), utc("2018-01-01T00:00"))
    with pytest.raises(ValueError, match="XCME is known from 2012-11-19"):
        market_calendar("XCME").is_session(date(2012, 11, 16))


def test_aliases_share_one_calendar_and_its_columns_cannot_be_written() -> None:
    assert market_calendar("XNAS") is market_calendar("XNYS")
    with pytest.raises(ValueError, match="read-only"):
        market_calendar("XNYS").open_ns[0] = 0


def test_importing_calendars_does_not_import_pandas() -> None:
    code = (
        "import sys, common.calendars.settlement, common.calendars.variance, common.market.calendar, common.risk.market_curves;"
        "sys.exit(bool({'pandas', 'exchange_calendars'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
