"""Verify against stores doctored row by row, and backups taken while a service writes."""

from __future__ import annotations

import json
import resource
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from common.errors import InputError, Unavailable
from common.messages import Side, TimeInForce, TradingState
from common.tactics import Tactic, TacticKind
from common.units import NS_PER_S
from deploy.cli import app
from execution.config import PaperConfig
from execution.core import step
from execution.events import Ack, Cancel, Fence, Quotes, SetTrading, Submit, VenueEvents, Work
from execution.hand import act, decide
from execution.sqlite_backup import backup
from execution.sqlite_store import FILE_NAME, SqliteStore
from execution.sqlite_verify import verify
from execution.state import ExecutionSetup, Stored, start
from execution.venues.paper import PaperVenue
from execution.venues.port import VenueEvent, VenueKind
from tests.execution_world import T0_NS, make_limits, make_order, make_universe, standing
from tests.parents_world import House

DAY = TimeInForce.DAY


def cancelled(name: str) -> tuple[VenueEvent, ...]:
    return (VenueEvent(VenueKind.CANCELED, name, T0_NS),)


def trade(folder: Path, orders: int = 6) -> None:
    """Fills, part fills, a refusal, a replacement with fills before and after, a cancel, an order left open."""
    store = SqliteStore(folder)
    state, venue = (
        start(ExecutionSetup(make_universe(), make_limits(), store.load())),
        PaperVenue(make_universe(), PaperConfig()),
    )

    def carry(*events) -> None:
        pending = list(events)
        while pending:
            group = decide(state, store, pending)
            store.commit(group.records)
            told = act(group, venue, state.now_ns).venue
            pending = [VenueEvents(tuple(told), 0)] if told else []

    def later() -> None:
        while (due := venue.next_due_ns) is not None and due < T0_NS + 60 * NS_PER_S:
            if told := venue.on_time(due):
                carry(VenueEvents(tuple(told), 0))

    for batch in (standing(),):
        step(state, Quotes(batch))
        venue.on_quotes(batch)
    carry(Fence(1, "m"), SetTrading(TradingState.ACTIVE, "alice", "begin", 0))
    carry(*(Submit(make_order(f"i{k}", instrument=1, side=Side.BUY if k % 2 else Side.SELL), 0) for k in range(orders)))
    carry(Submit(make_order("big", lots=10**6), 0), Submit(make_order("a", lots=15, time_in_force=DAY), 0))
    later()
    carry(Submit(make_order("b", lots=14, limit_ticks=1001, time_in_force=DAY, orig_client_order_id="a"), 0))
    later()
    carry(Submit(make_order("c", instrument=2, limit_ticks=990, time_in_force=DAY), 0))
    later()
    carry(Cancel(("c",), 1, 0))
    later()
    store.close()


def doctor(folder: Path, *statements: str) -> list[str]:
    trade(folder)
    with closing(sqlite3.connect(folder / FILE_NAME, isolation_level=None)) as db:
        for statement in statements:
            db.execute(statement)
    return verify(folder).findings


def test_a_store_as_it_was_written_holds(tmp_path: Path) -> None:
    trade(tmp_path)
    found = verify(tmp_path)
    assert found.findings == []
    assert (found.orders, found.open_orders, found.fills) == (10, 1, 7)
    ran = CliRunner().invoke(app, ["execution", "verify", str(tmp_path), "--json"])
    assert ran.exit_code == 0
    assert json.loads(ran.stdout)["findings"] == []


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DELETE FROM reports WHERE sequence = 3", "report 4 follows 2"),
        ("UPDATE reports SET signed_lots = signed_lots + 1 WHERE signed_lots = 10", "has columns"),
        ("UPDATE reports SET exec_id = 'x' WHERE signed_lots = 10", "has columns"),
        ("UPDATE orders SET cum_lots = 9 WHERE client_order_id = 'a'", "9 lots filled, its fills sum to 10"),
        ("UPDATE orders SET leaves_lots = 1 WHERE client_order_id = 'c'", "CANCELED with 1 lots working"),
        ("UPDATE orders SET leaves_lots = 5 WHERE client_order_id = 'b'", "10 lots filled and 5 working of 14"),
        ("UPDATE orders SET ord_status = 2 WHERE client_order_id = 'c'", "c is NEW, its last report says CANCELED"),
        ("UPDATE orders SET content = x'ffff' WHERE client_order_id = 'c'", "order c cannot be read"),
        (
            "UPDATE orders SET content = (SELECT content FROM orders WHERE client_order_id = 'a') "
            "WHERE client_order_id = 'c'",
            "order c has the content of a",
        ),
        ("UPDATE orders SET replaced_by = 'c' WHERE client_order_id = 'a'", "says that c replaces it"),
        ("UPDATE orders SET inherited_lots = 0 WHERE client_order_id = 'b'", "10 lots filled, its fills sum to 0"),
        ("DELETE FROM orders WHERE client_order_id = 'i0'", "order i0 is reported and not stored"),
        ("UPDATE positions SET lots = lots + 1 WHERE instrument = 0", "instrument 0 is stored"),
        ("UPDATE positions SET fee_cents = 0 WHERE instrument = 1", "instrument 1 is stored"),
        ("UPDATE positions SET cash_lot_ticks = 0 WHERE instrument = 0", "instrument 0 is stored"),
        ("DELETE FROM migrations WHERE version = 2", "migrations [1, 3, 4, 5]"),
    ],
)
def test_what_breaks_an_invariant_is_found_and_said(tmp_path: Path, statement: str, words: str) -> None:
    found = doctor(tmp_path, statement)
    assert [f for f in found if words in f], found
    ran = CliRunner().invoke(app, ["execution", "verify", str(tmp_path)])
    assert ran.exit_code == 1
    assert words in ran.stdout


def work(folder: Path) -> None:
    """``p`` works through p.1 (part filled, cancelled) and p.2, left open; ``q`` ends with a late fill of its child."""
    house = House(SqliteStore(folder))
    patient = Tactic(TacticKind.PASSIVE, urgency_percent=50, budget_ms=10_000, interval_ms=500)
    for name in ("p", "q"):
        house.run([Submit(make_order(name, lots=10, limit_ticks=1003, tactic=patient, event_time_ns=T0_NS), 1)])
    house.hear(house.venue.happen("p.1", VenueKind.ACCEPTED), house.venue.happen("p.1", VenueKind.FILL, 4))
    house.run([Cancel(("q",), 1, 1)])
    house.hear(house.venue.happen("q.1", VenueKind.CANCELED))
    house.run([Work(T0_NS + 5 * NS_PER_S, 1)])
    house.hear(house.venue.happen("p.1", VenueKind.CANCELED))
    house.hear(house.venue.happen("q.1", VenueKind.FILL, 2))
    house.store.close()


def test_orders_that_are_worked_hold_with_their_children(tmp_path: Path) -> None:
    work(tmp_path)
    found = verify(tmp_path)
    assert found.findings == []
    assert (found.orders, found.open_orders, found.fills) == (2, 1, 2)


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE orders SET cum_lots = 3 WHERE client_order_id = 'p.1'", "p.1 has 3 lots filled, its fills sum to 4"),
        ("UPDATE orders SET cum_lots = 3 WHERE client_order_id = 'p'", "p has 3 lots filled, its fills sum to 4"),
        ("UPDATE orders SET leaves_lots = 1 WHERE client_order_id = 'p.1'", "p.1 is CANCELED with 4 lots filled and 1"),
        ("UPDATE orders SET parent = 'r' WHERE client_order_id = 'p.2'", "p.2 belongs to r, which is not stored"),
        ("UPDATE orders SET parent = 'q' WHERE client_order_id = 'p.2'", "and its parent q has ended"),
        ("DELETE FROM orders WHERE client_order_id = 'p.1'", "p.1 is reported and not stored"),
    ],
)
def test_a_child_that_disagrees_with_its_parent_is_found(tmp_path: Path, statement: str, words: str) -> None:
    work(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as db:
        db.execute(statement)
    found = verify(tmp_path).findings
    assert [f for f in found if words in f], found


def test_a_corrupt_page_is_found_and_the_service_refuses_it(tmp_path: Path) -> None:
    trade(tmp_path, orders=200)
    path = tmp_path / FILE_NAME
    with path.open("r+b") as file:
        file.seek(4096 * 2)
        file.write(b"\xde\xad" * 2048)
    found = verify(tmp_path).findings
    assert found and found[0].startswith("file: ")
    store: SqliteStore | None = None
    with pytest.raises((InputError, Unavailable), match="restore a backup"):
        store = SqliteStore(tmp_path)
        store.load()
        store.orders(open_only=False, after_row=0, limit=10**6)
        store.reports(1, 10**6)
    if store is not None:
        store.close()


@pytest.mark.parametrize("limit", ["file size", "pages", "read only"])
def test_a_disk_that_refuses_ends_the_store_and_loses_nothing_committed(tmp_path: Path, limit: str) -> None:
    """A full disk as RLIMIT_FSIZE shows it (EFBIG) and as SQLite's page limit does (SQLITE_FULL); a read-only one."""
    trade(tmp_path)
    store = SqliteStore(tmp_path)
    before = verify(tmp_path)
    state = start(ExecutionSetup(make_universe(), make_limits(), store.load()))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if limit == "file size":
        resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / FILE_NAME).stat().st_size + 65_536, hard))
    elif limit == "pages":
        pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
        store._writer.execute(f"PRAGMA max_page_count = {pages}")
    else:
        store._writer.execute("PRAGMA query_only = 1")
    committed = 0
    try:
        with pytest.raises(Unavailable, match=r"cannot be written .*free the disk or mend it, then restart"):
            for k in range(10_000):
                store.commit(decide(state, store, [Submit(make_order(f"n{k}", lots=10**6), 0)]).records)
                committed += 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    store.close()
    after = verify(tmp_path)
    assert after.findings == []
    assert (after.orders, after.reports) == (before.orders + committed, before.reports + committed)
    again = SqliteStore(tmp_path)
    state = start(ExecutionSetup(make_universe(), make_limits(), again.load()))
    again.commit(decide(state, again, [Submit(make_order("after", lots=10**6), 0)]).records)
    again.close()
    assert verify(tmp_path).findings == []


def test_a_folder_that_cannot_be_written_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="give a folder to write to"):
        SqliteStore(tmp_path / "file" / "store")


def test_a_wall_clock_that_jumps_decides_nothing() -> None:
    def run(walls: list[int]) -> list:
        state = start(ExecutionSetup(make_universe(), make_limits(), Stored()))
        step(state, Quotes(standing()))
        step(state, Fence(1, "m"))
        out = []
        for k, wall_ns in enumerate(walls):
            _, said = step(state, Submit(make_order(f"o{k}", lots=1 + k % 3, receive_time_ns=5), wall_ns))
            out.append([type(i).__name__ for i in said])
            ack = next(i.ack for i in said if isinstance(i, Ack))
            assert ack.tick_to_order_ns >= 0
            out.append((ack.client_order_id, ack.ord_status, ack.refusal))
            _, said = step(state, VenueEvents(cancelled(f"o{k}"), wall_ns))
            out.append([type(i).__name__ for i in said])
        return out

    day_ns = 86_400 * NS_PER_S
    assert run([10, 20, 30, 40]) == run([T0_NS, T0_NS - day_ns, T0_NS + 365 * day_ns, 1])


def test_where_there_is_no_store_that_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no store here"):
        verify(tmp_path)
    with pytest.raises(InputError, match="no store here"):
        backup(tmp_path, tmp_path / "copy")


def test_a_backup_taken_while_it_is_written_is_one_moment_and_starts_again(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "store")
    state = start(ExecutionSetup(make_universe(), make_limits(), store.load()))
    step(state, Quotes(standing()))
    stop, written = threading.Event(), [0]

    def write() -> None:
        while not stop.is_set():
            orders = [Submit(make_order(f"o{written[0] + k:06}", lots=10**6), 0) for k in range(20)]
            store.commit(decide(state, store, [Fence(1, "m"), *orders]).records)
            written[0] += 20

    writing = threading.Thread(target=write)
    writing.start()
    while written[0] < 200:
        pass
    size = backup(tmp_path / "store", tmp_path / "copy.sqlite")
    stop.set()
    writing.join()
    store.close()
    assert size > 0
    copied = verify(tmp_path / "copy.sqlite")
    assert copied.findings == []
    assert 200 <= copied.orders <= written[0] and copied.orders % 20 == 0
    with pytest.raises(InputError, match="exists already"):
        backup(tmp_path / "store", tmp_path / "copy.sqlite")
    restored = tmp_path / "restored"
    restored.mkdir()
    (tmp_path / "copy.sqlite").rename(restored / FILE_NAME)
    again = SqliteStore(restored)
    assert again.load().orders == copied.orders
    assert [r.sequence for r in again.reports(1, 10**6)] == list(range(1, copied.reports + 1))
    again.close()
