"""Calendars against QuantLib's holidays and against the days on which the recorded data really traded."""

from __future__ import annotations

import csv
import gzip
from datetime import date

import numpy as np
import pyarrow.parquet as pq
import pytest
import QuantLib as ql  # noqa: N813

from common.calendars.exchanges import market_calendar
from common.calendars.settlement import monthly_expiry
from common.market.config import default_data_dir
from common.units import NS_PER_MIN

DATA = default_data_dir()
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the real data files are not beside the repository")


def minutes_of(name: str, first: str, last: str) -> np.ndarray:
    table = pq.read_table(DATA / name, columns=["ts"])
    stamps = np.unique(table["ts"].to_numpy()).astype("datetime64[ns]").astype(np.int64)
    low, high = (int(np.datetime64(t, "ns").astype(np.int64)) for t in (first, last))
    return stamps[(stamps >= low) & (stamps < high)]


def test_new_york_has_the_sessions_quantlib_counts() -> None:
    stocks, other = market_calendar("XNYS"), ql.UnitedStates(ql.UnitedStates.NYSE)
    days = np.arange(np.datetime64("1991-01-01"), np.datetime64("2050-01-01"))
    ours = np.isin(days, stocks.sessions(date(1991, 1, 1), date(2049, 12, 31)))
    theirs = np.array([other.isBusinessDay(ql.Date(d.day, d.month, d.year)) for d in days.tolist()])
    assert [str(d) for d in days[ours != theirs]] == []


@pytest.mark.parametrize("year", range(2000, 2036))
def test_monthly_expiries_precede_holidays_by_quantlib(year: int) -> None:
    calendar = ql.UnitedStates(ql.UnitedStates.NYSE)
    for month in range(1, 13):
        friday = ql.Date.nthWeekday(3, ql.Friday, month, year)
        session = calendar.adjust(friday, ql.Preceding)
        assert monthly_expiry(year, month) == date(session.year(), session.month(), session.dayOfMonth())


@needs_data
def test_spy_traded_on_exactly_the_sessions_of_23_years() -> None:
    with gzip.open(DATA / "spy_daily_1998-2021.csv.gz", "rt", encoding="utf-8") as file:
        traded = np.array([row["date"] for row in csv.DictReader(file)], "datetime64[D]")
    stocks = market_calendar("XNYS")
    assert np.array_equal(stocks.sessions(traded[0].item(), traded[-1].item()), traded)


@needs_data
def test_the_e_mini_options_of_2020_01_06_trade_when_the_calendar_says_open() -> None:
    quoted = minutes_of("es_options_quotes_1min_2020-01-06.parquet", "2020-01-05T23:00", "2020-01-07T00:00")
    globex = market_calendar("XCME")
    start = int(np.datetime64("2020-01-05T23:00", "ns").astype(np.int64))
    open_minutes = globex.minutes(start, start + 25 * 60 * NS_PER_MIN)
    # 23 hours less the halt of 15 minutes, and the first hour of the next session.
    assert len(open_minutes) == 23 * 60 - 15 + 60
    assert np.isin(open_minutes, quoted).all()
    # Shut, there is the minute that begins with a halt or close, and a few indications before the next open.
    shut = quoted[~np.isin(quoted, open_minutes)].astype("datetime64[ns]").astype("datetime64[m]").astype(str).tolist()
    assert shut == [f"2020-01-06T{t}" for t in ("21:15", "22:00", "22:45", "22:52", "22:55")]


@needs_data
@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2013-10-07T22:00", "2013-10-11T22:00"),
        ("2013-12-18T00:00", "2013-12-19T00:00"),
        ("2020-01-05T23:00", "2020-01-07T00:00"),
    ],
)
def test_the_e_mini_futures_have_no_gap_while_open(first: str, last: str) -> None:
    quoted = minutes_of("es_futures_1min.parquet", first, last)
    start, end = (int(np.datetime64(t, "ns").astype(np.int64)) for t in (first, last))
    open_minutes = market_calendar("XCME").minutes(start, end)
    assert np.isin(open_minutes, quoted).all()
