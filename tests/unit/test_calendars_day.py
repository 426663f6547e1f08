"""The trading day on real days, each transition against the exchange's published hours."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from common.calendars.day import (
    CallHalt,
    Clock,
    DayState,
    Phase,
    Resume,
    Schedule,
    Session,
    schedule_of,
    schedule_of_bounds,
    step,
)
from common.calendars.exchanges import market_calendar
from common.units import NS_PER_MIN, NS_PER_S

MIN = NS_PER_MIN


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS_PER_S


def said(schedule: Schedule, first: str, last: str) -> list[tuple[str, str]]:
    state = DayState(schedule, at(first))
    _, moves = step(state, Clock(at(last)))
    return [(datetime.fromtimestamp(m.at_ns // NS_PER_S, UTC).isoformat()[:16], m.after.value) for m in moves]


def test_thanksgiving_week_in_new_york_has_a_holiday_and_an_early_close() -> None:
    schedule = schedule_of(market_calendar("XNYS"), date(2019, 11, 27), date(2019, 12, 2), pre_open_min=30)
    assert said(schedule, "2019-11-27T00:00", "2019-12-02T15:00") == [
        ("2019-11-27T14:00", "pre-open"),
        ("2019-11-27T14:30", "open"),
        ("2019-11-27T21:00", "closed"),
        ("2019-11-28T05:00", "holiday"),
        ("2019-11-29T05:00", "closed"),
        ("2019-11-29T14:00", "pre-open"),
        ("2019-11-29T14:30", "open"),
        ("2019-11-29T18:00", "closed"),
        ("2019-12-02T14:00", "pre-open"),
        ("2019-12-02T14:30", "open"),
    ]
    early = [s.label for s in schedule.sessions if s.early]
    assert early == ["2019-11-29"]


def test_globex_halts_for_a_quarter_of_an_hour_in_2020_and_resting_orders_stay() -> None:
    schedule = schedule_of(market_calendar("XCME"), date(2020, 1, 6), date(2020, 1, 7))
    assert said(schedule, "2020-01-05T12:00", "2020-01-06T23:30") == [
        ("2020-01-05T23:00", "open"),
        ("2020-01-06T21:15", "halt"),
        ("2020-01-06T21:30", "open"),
        ("2020-01-06T22:00", "closed"),
        ("2020-01-06T23:00", "open"),
    ]
    _, moves = step(DayState(schedule, at("2020-01-05T12:00")), Clock(at("2020-01-06T22:30")))
    assert [m.closes for m in moves] == [False, False, False, True]
    assert schedule.session_at(at("2020-01-06T21:20")) is schedule.sessions[0]


def test_a_refusal_says_why_and_until_when() -> None:
    schedule = schedule_of(market_calendar("XNYS"), date(2019, 11, 27), date(2019, 11, 29), pre_open_min=30)
    assert schedule.refusal(at("2019-11-28T15:00")) == (
        "the market is closed: a holiday; it opens at 2019-11-29T14:30:00Z"
    )
    assert schedule.refusal(at("2019-11-29T14:10")).startswith("the market is not open yet: pre-open; it opens at")
    assert schedule.refusal(at("2019-11-29T14:30")) == ""
    assert schedule.refusal(at("2019-11-29T18:00")) == "the market is closed and opens no more"


def test_a_called_halt_outlasts_a_planned_one_and_ends_with_the_session() -> None:
    day = Session("1", 0, 10 * MIN, 100 * MIN, halts_ns=((30 * MIN, 40 * MIN),))
    state = DayState(Schedule([day]), 20 * MIN)
    assert step(state, CallHalt(25 * MIN, "circuit breaker"))[1][0].text == "circuit breaker"
    assert step(state, Clock(50 * MIN))[1] == [] and state.phase is Phase.HALT
    assert [m.after for m in step(state, Resume(60 * MIN))[1]] == [Phase.OPEN]
    assert [m.after for m in step(state, CallHalt(70 * MIN, "again"))[1]] == [Phase.HALT]
    (last,) = step(state, Clock(100 * MIN))[1]
    assert last.closes and last.at_ns == 100 * MIN and not state.called
    assert step(state, Resume(110 * MIN))[1] == []


def test_stated_halts_are_cut_to_the_sessions_and_joined_with_those_there_are() -> None:
    schedule = schedule_of_bounds(((0, 100), (200, 300)), 50).with_halts(((10, 20), (15, 30), (90, 210)))
    assert [s.halts_ns for s in schedule.sessions] == [((10, 30), (90, 100)), ((200, 210),)]
    phases = [schedule.phase_at(t) for t in (0, 10, 30, 95, 100, 150, 205, 210, 300)]
    names = "open halt open halt closed pre-open halt open closed"
    assert [p.value for p in phases] == names.split()
    with pytest.raises(ValueError, match="ends before"):
        schedule.with_halts(((5, 5),))


def test_sessions_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="has closed"):
        Schedule([Session("1", 0, 0, 100), Session("2", 90, 110, 200)])
    with pytest.raises(ValueError, match="not in order"):
        Schedule([Session("1", 0, 100, 100)])


def test_without_sessions_the_market_is_always_open() -> None:
    schedule = Schedule()
    assert schedule.phase_at(5) is Phase.OPEN and schedule.unbroken(0, 10**18) and schedule.refusal(7) == ""
