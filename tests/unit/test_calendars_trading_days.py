"""Trading days end at the last close of a UTC date; without sessions they are days of UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from common.calendars.trading_days import NEVER_NS, TradingDays
from common.units import NS_PER_DAY, NS_PER_S


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS_PER_S


def day(text: str) -> int:
    return at(text) // NS_PER_DAY


#: The E-mini from Sunday evening, with a silence on Monday that ends no day, and the evening after it.
SPANS = [("2020-01-05T23:01", "2020-01-06T21:16"), ("2020-01-06T21:28", "2020-01-06T22:00")]
SPANS.append(("2020-01-06T23:01", "2020-01-07T22:00"))
DAYS = TradingDays([(at(a), at(b)) for a, b in SPANS])


def test_an_evening_belongs_to_the_next_day_and_a_silence_to_its_own() -> None:
    monday, tuesday = day("2020-01-06"), day("2020-01-07")
    for text in ("2020-01-05T23:30", "2020-01-06T00:30", "2020-01-06T21:20", "2020-01-06T21:59:59"):
        assert DAYS.of(at(text)) == monday
    for text in ("2020-01-06T22:00", "2020-01-06T22:30", "2020-01-06T23:30", "2020-01-07T10:00"):
        assert DAYS.of(at(text)) == tuesday
    assert DAYS.of(at("2020-01-07T22:00")) == tuesday + 1 and DAYS.of(at("2020-01-11T12:00")) == day("2020-01-11")


def test_closes_and_opens() -> None:
    assert DAYS.close_after(at("2020-01-05T23:30")) == at("2020-01-06T22:00")
    assert DAYS.close_after(at("2020-01-06T22:00")) == at("2020-01-07T22:00")
    assert DAYS.close_after(at("2020-01-07T22:00")) == NEVER_NS
    assert DAYS.open_after(at("2020-01-06T22:00")) == at("2020-01-06T23:01")
    assert DAYS.open_after(at("2020-01-06T23:01")) == at("2020-01-06T23:01")
    assert DAYS.open_after(at("2020-01-07T22:00")) == NEVER_NS


def test_without_sessions_days_are_those_of_utc() -> None:
    days = TradingDays()
    assert days.of(3 * NS_PER_DAY + 5) == 3 and days.close_after(5) == NEVER_NS
