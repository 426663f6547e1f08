"""When the paper venue settles, at what price, and that it does so once, also across a restart and at execution."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from common.messages import ExecutionReport, OrdStatus
from common.units import NO_PRICE, NS_PER_DAY, NS_PER_MIN, NS_PER_S
from common.universe import AMERICAN, Underlying
from execution.config import PaperConfig
from execution.events import NewOrder
from execution.inprocess import InProcessExecution
from execution.sqlite_store import FILE_NAME, SqliteStore
from execution.sqlite_verify import verify
from execution.state import ExecutionSetup, start
from execution.venues.lasting import LastingVenue
from execution.venues.paper import PaperVenue
from execution.venues.port import VenueEvent, VenueKind
from execution.venues.record import RecordKind, from_line, from_pb, to_line, to_pb
from tests.execution_world import T0_NS, make_limits, make_order, make_universe, quotes, standing

UNIVERSE = make_universe()  # row 7, a call of BBB at 100, settles one day after T0
EXPIRY_NS = T0_NS + NS_PER_DAY
NAME = f"S-BBB-{EXPIRY_NS}"
EXACT = PaperConfig(latency_ms=0.0, jitter_ms=0.0)
ROW = (4, 1000, 1002, 5, 5)  # BBB's future: mid 250.25 points


def bbb(sequence: int, bid: int | None, ask: int | None, at_ns: int) -> list:
    return quotes(sequence, (4, bid, ask, 5, 5), symbol="BBB", at_ns=at_ns)


def brief(told: list[VenueEvent]) -> list[tuple[str, int]]:
    return [(e.exec_id, e.ticks) for e in told if e.kind is VenueKind.SETTLED]


def test_pm_takes_the_last_quotes_of_the_session_and_is_told_once() -> None:
    v = PaperVenue(UNIVERSE, EXACT, ((T0_NS, EXPIRY_NS), (EXPIRY_NS + 3600 * NS_PER_S, EXPIRY_NS + NS_PER_DAY)))
    v.on_quotes(bbb(1, 1000, 1002, T0_NS))
    v.on_quotes(bbb(2, 1010, 1014, EXPIRY_NS - NS_PER_MIN))
    assert v.next_due_ns == EXPIRY_NS
    (told,) = v.on_time(EXPIRY_NS)
    assert (told.exec_id, told.client_order_id, told.instrument, told.event_time_ns) == (NAME, NAME, 7, EXPIRY_NS)
    assert told.ticks == 1012 and "settle at 253" in told.text
    assert v.next_due_ns is None
    assert v.on_quotes(bbb(3, 900, 902, EXPIRY_NS + 3601 * NS_PER_S)) == []


def test_pm_is_settled_by_the_next_days_quotes_at_the_old_price_if_nobody_asked_before() -> None:
    v = PaperVenue(UNIVERSE, EXACT, ((T0_NS, EXPIRY_NS), (EXPIRY_NS + 3600 * NS_PER_S, EXPIRY_NS + NS_PER_DAY)))
    v.on_quotes(bbb(1, 1010, 1014, EXPIRY_NS - NS_PER_MIN))
    assert brief(v.on_quotes(bbb(2, 900, 902, EXPIRY_NS + 3601 * NS_PER_S))) == [(NAME, 1012)]


def test_am_takes_the_first_usable_quotes_of_the_new_session() -> None:
    night_ns = EXPIRY_NS - 3600 * NS_PER_S
    v = PaperVenue(UNIVERSE, EXACT, ((T0_NS, night_ns), (EXPIRY_NS, EXPIRY_NS + NS_PER_DAY)))
    v.on_quotes(bbb(1, 1010, 1014, night_ns - NS_PER_S))
    assert v.next_due_ns is None
    assert v.on_time(EXPIRY_NS) == []
    assert v.on_quotes(bbb(2, None, 902, EXPIRY_NS)) == []
    assert v.on_quotes(standing(1, at_ns=EXPIRY_NS + NS_PER_S)) == []  # another underlying's quotes say nothing
    (told,) = v.on_quotes(bbb(3, 900, 902, EXPIRY_NS + 2 * NS_PER_S))
    assert (told.ticks, told.event_time_ns) == (901, EXPIRY_NS + 2 * NS_PER_S)


def test_the_future_is_carried_to_the_instant() -> None:
    carried = replace(UNIVERSE, underlyings=(UNIVERSE.underlyings[0], Underlying("BBB", 4, 0.1, 0.0)))
    v = PaperVenue(carried, EXACT)
    v.on_quotes(bbb(1, 1000, 1002, T0_NS))
    assert brief(v.on_time(EXPIRY_NS)) == [(NAME, 993)]  # 1001 × exp(-0.1 × 29 / 365) = 993.09


def test_without_a_future_put_call_parity_tells_the_price() -> None:
    none = replace(UNIVERSE, underlyings=(UNIVERSE.underlyings[0], Underlying("BBB", -1, 0.0, 0.0)))
    v = PaperVenue(none, EXACT)
    v.on_quotes(quotes(1, (5, 40, 42, 5, 5), (6, 20, 22, 5, 5), symbol="BBB", at_ns=T0_NS))
    assert brief(v.on_time(EXPIRY_NS)) == [(NAME, 420)]  # 100 + (41 - 21) × 0.25 = 105 points


def test_what_settled_before_the_market_was_seen_is_left_alone() -> None:
    v = PaperVenue(UNIVERSE, EXACT)
    v.on_quotes(bbb(1, 1000, 1002, EXPIRY_NS + NS_PER_S))
    assert v.on_time(EXPIRY_NS + NS_PER_MIN) == []
    # One that had been there before, and was down meanwhile, settles late.
    again = PaperVenue(UNIVERSE, EXACT, since_ns=EXPIRY_NS - NS_PER_S)
    assert brief(again.on_quotes(bbb(1, 1000, 1002, EXPIRY_NS + NS_PER_S))) == [(NAME, 1001)]


def test_the_venue_with_a_file_does_not_settle_again_after_a_restart() -> None:
    v = LastingVenue(PaperVenue(UNIVERSE, EXACT))
    v.on_quotes(bbb(1, 1000, 1002, T0_NS))
    (record,) = v.on_time(EXPIRY_NS)
    assert record.kind is RecordKind.SETTLED
    assert from_line(to_line(record)) == record == from_pb(to_pb(record))
    again = LastingVenue(PaperVenue(UNIVERSE, EXACT, since_ns=EXPIRY_NS), [record])
    assert again.on_quotes(bbb(1, 900, 902, EXPIRY_NS + NS_PER_S)) == []


def test_execution_books_a_settlement_once_as_a_report_of_no_order(tmp_path: Path) -> None:
    universe = replace(UNIVERSE, style=UNIVERSE.style * 0 + AMERICAN)
    ex = InProcessExecution(universe, make_limits(), EXACT)
    ex.fence(1, "test")
    ex.on_quotes(standing(1, symbol="BBB", at_ns=T0_NS))
    ex.submit([make_order("a", instrument=7, lots=3, limit_ticks=1002, event_time_ns=T0_NS)], T0_NS)
    ex.on_time(T0_NS + NS_PER_S)
    assert ex.state.exposure.position_lots == {7: 3}
    reports = ex.on_time(EXPIRY_NS)
    (told,) = [r for r in reports if r.ord_status is OrdStatus.SETTLED]
    assert (told.exec_id, told.client_order_id, told.instrument, told.last_ticks) == (NAME, NAME, 7, 1001)
    assert (told.last_lots, told.bid_ticks) == (0, NO_PRICE)
    # The call at 100 is exercised: three futures at 400 ticks of a quarter.
    assert {i: n for i, n in ex.state.exposure.position_lots.items() if n} == {4: 3}
    assert ex.state.exposure.cash[4] == (-3 * 400, 0)
    again = VenueEvent(VenueKind.SETTLED, NAME, EXPIRY_NS, NAME, ticks=900, instrument=7)
    assert ex._venue([again], EXPIRY_NS) == ()
    stored: list[ExecutionReport] = ex.store.reports(1, 100)
    assert [r.sequence for r in stored] == list(range(1, len(stored) + 1))
    durable = SqliteStore(tmp_path)
    durable.commit([*(NewOrder(r) for r in ex.store.get(["a"])), *stored])
    assert durable.load().settled == ex.store.load().settled == (told,)
    durable.close()
    assert verify(tmp_path).findings == []
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db, db:
        db.execute("DROP INDEX settlements")
        columns = "client_order_id, exec_id, instrument, signed_lots, event_time_ns, content"
        db.execute(
            f"INSERT INTO reports (sequence, {columns}) SELECT sequence + 1, {columns} FROM reports "
            "WHERE client_order_id = exec_id"
        )
    assert any("stands twice" in said for said in verify(tmp_path).findings)
    reborn = start(ExecutionSetup(universe, make_limits(), ex.store.load()))
    assert reborn.exposure.position_lots == ex.state.exposure.position_lots and reborn.settled == ex.state.settled
