"""The recount of struck days finds each thing that can be wrong with one, on journals written by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from common.control_messages import DayStruck, ImportedTrade, JournalEntry, JournalEvent, TradesImported
from common.messages import ExecutionReport, Header, OrdStatus, Refusal, Side
from common.units import NS_PER_DAY
from common.universe import Book
from lab.audit_strikes import strike_violations
from tests.manager_world import FUTURE_MULTIPLIER, TICK, universe

UNIVERSE = universe()
BOOK = Book("book", ("a",), np.array([0], np.uint32), np.array([4]))
#: Ticks of the open, of a fill of two lots, of the close; USD of a tick of a lot.
OPEN, FILL, CLOSE, TICK_USD = 54_000, 54_010, 54_100, TICK * FUTURE_MULTIPLIER[0]
HOURS = ((NS_PER_DAY, NS_PER_DAY + 1_000),)


def strike(day: int, at_ns: int, ticks: int, level: float, pnl: float) -> DayStruck:
    held, mark = np.array([0], np.uint32), np.array([ticks * TICK])
    return DayStruck(day, at_ns, (), held, mark, ("",), np.array([level]), np.array([pnl]))


def fill() -> ExecutionReport:
    none = (0, 0, 0)
    told = (54_009, 54_011)
    return ExecutionReport(
        1, "e1", "o1", OrdStatus.FILLED, 2, FILL, 2, 0, 260, 0, Side.BUY, Refusal.NONE, "", *none[:2], *told
    )


def told(*events: JournalEvent) -> list[str]:
    entries = [JournalEntry(k, 1, 0, 0, e, Header("", 0, 0)) for k, e in enumerate(events, 1)]
    return list(strike_violations(UNIVERSE, BOOK, entries, HOURS))


BEGAN = 4 * OPEN * TICK_USD
#: Six lots at the close, less what two cost and their fee of USD 2.60.
ENDED = 6 * CLOSE * TICK_USD - 2 * FILL * TICK_USD - 2.60
OPENING = strike(0, NS_PER_DAY, OPEN, BEGAN, 0.0)
CLOSING = strike(1, NS_PER_DAY + 1_000, CLOSE, ENDED, ENDED - BEGAN)


def test_an_honest_day_is_clean_and_a_fill_told_twice_counts_once() -> None:
    assert told(OPENING, fill(), CLOSING) == []
    assert told(OPENING, fill(), replace(fill(), sequence=2), CLOSING) == []


@pytest.mark.parametrize(
    ("events", "why"),
    [
        ((OPENING, CLOSING), "book, fills and marks give"),
        ((OPENING, fill(), strike(1, CLOSING.at_ns, CLOSE, ENDED, 0.0)), "the levels differ"),
        ((OPENING, fill(), strike(1, CLOSING.at_ns - 1, CLOSE, ENDED, ENDED - BEGAN)), "where no day closes"),
        ((OPENING, fill(), CLOSING, CLOSING), "not after the strike before"),
        ((fill(), CLOSING), "the first strike is the opening"),
        ((OPENING, fill(), replace(CLOSING, instrument=np.array([1], np.uint32))), "is held and has no mark"),
    ],
)
def test_what_is_wrong_is_said(events: tuple[object, ...], why: str) -> None:
    assert any(why in text for text in told(*events))


def test_client_trades_and_what_corrects_them_are_counted() -> None:
    bought = ImportedTrade("t1", "a", 0, 3, FILL * TICK, 0)
    right = ImportedTrade("t2", "a", 0, 5, FILL * TICK, 0, corrects="t1")
    level = 9 * CLOSE * TICK_USD - 5 * FILL * TICK_USD
    events = (TradesImported("i1", (bought,)), TradesImported("i2", (right,)))
    assert told(OPENING, *events, strike(1, CLOSING.at_ns, CLOSE, level, level - BEGAN)) == []
    assert told(OPENING, events[0], strike(1, CLOSING.at_ns, CLOSE, level, level - BEGAN)) != []
