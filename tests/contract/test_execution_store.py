"""One contract over both stores: what is committed is there, whole, after any restart; what contradicts it is refused."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from common.errors import Conflict, InputError, Refused, Unavailable
from common.messages import ExecutionReport, OrdStatus, Refusal, Side, TradingState
from common.tactics import Combo, Follow, Tactic, TacticKind
from execution.events import EpochRaised, NewOrder, TradingSet
from execution.orders import OrderRecord
from execution.sqlite_store import FILE_NAME, SqliteStore
from execution.store import MemoryStore, Store
from tests.execution_world import ROOT, make_order

Opener = Callable[[], Store]


@pytest.fixture(params=["memory", "sqlite"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path):
    """Open the store; each further call closes it and opens it again (memory lives on, as its process does)."""
    current: list[Store] = []

    def opened() -> Store:
        if request.param == "memory":
            if not current:
                current.append(MemoryStore())
            return current[0]
        if current:
            current.pop().close()
        current.append(SqliteStore(tmp_path))
        return current[0]

    yield opened
    current[0].close()


def working(name: str, lots: int = 5, side: Side = Side.BUY) -> OrderRecord:
    return OrderRecord(make_order(name, side=side, lots=lots), OrdStatus.PENDING_NEW, leaves_lots=lots)


def report_of(record: OrderRecord, sequence: int, lots: int = 0, exec_id: str = "") -> ExecutionReport:
    order = record.order
    return ExecutionReport(
        sequence=sequence,
        exec_id=exec_id or f"R{sequence}",
        client_order_id=order.client_order_id,
        ord_status=record.ord_status,
        last_lots=lots,
        last_ticks=1002 if lots else 0,
        cum_lots=record.cum_lots,
        leaves_lots=record.leaves_lots,
        fee_cents=125 * lots,
        instrument=order.instrument,
        side=order.side,
        refusal=Refusal.NONE,
        text="",
        event_time_ns=1000 + sequence,
        receive_time_ns=0,
        bid_ticks=1000,
        ask_ticks=1002,
    )


def test_an_empty_store_is_active_and_unfenced(reopen: Opener) -> None:
    stored = reopen().load()
    assert (stored.epoch, stored.last_sequence, stored.orders, stored.fills) == (0, 0, 0, 0)
    assert stored.trading.state is TradingState.ACTIVE
    assert stored.open_records == ()


def test_orders_reports_positions_epoch_and_state_survive(reopen: Opener) -> None:
    store = reopen()
    a, b = working("a"), working("b", lots=2, side=Side.SELL)
    store.commit([EpochRaised(7, "m-1"), NewOrder(a), NewOrder(b)])
    a2 = replace(a, ord_status=OrdStatus.PARTIALLY_FILLED, cum_lots=3, leaves_lots=2, fills=("v1",), cancel_asked=True)
    b2 = replace(b, ord_status=OrdStatus.FILLED, cum_lots=2, leaves_lots=0, fills=("v2",), text="done")
    killed = TradingSet(TradingState.KILLED, "alice", "drill")
    first, second = report_of(a2, 1, 3, "v1"), report_of(b2, 2, 2, "v2")
    store.commit([a2, first, b2, second, killed])

    store = reopen()
    stored = store.load()
    assert (stored.epoch, stored.holder, stored.trading) == (7, "m-1", killed)
    assert stored.open_records == (a2,)
    assert stored.position_lots == {0: 1}
    assert (stored.last_sequence, stored.last_event_time_ns, stored.orders, stored.fills) == (2, 1002, 2, 2)
    assert store.get(["b", "nobody", "a"]) == [b2, a2]
    assert store.reports(1, 10) == [first, second]
    assert store.reports(2, 10) == [second]
    assert store.reports(1, 1) == [first]
    assert store.reports(3, 10) == []


def test_a_settlement_survives_and_stands_once(reopen: Opener) -> None:
    store = reopen()
    record = working("a")
    settled = replace(
        report_of(record, 2), exec_id="S-AAA-7", client_order_id="S-AAA-7", ord_status=OrdStatus.SETTLED, last_ticks=42
    )
    store.commit([NewOrder(record), report_of(record, 1, 2, "x1"), settled])
    store = reopen()
    assert store.load().settled == (settled,)
    assert store.load().position_lots == {record.order.instrument: 2}  # what the fills say; the core settles it
    with pytest.raises(Refused):
        store.commit([replace(settled, sequence=3)])
    assert store.load().last_sequence == 2


def test_pages_of_orders(reopen: Opener) -> None:
    store = reopen()
    records = [working(f"o{k}") for k in range(5)]
    store.commit([NewOrder(r) for r in records])
    store.commit([replace(records[1], ord_status=OrdStatus.CANCELED, leaves_lots=0)])
    everything = store.orders(open_only=False, after_row=0, limit=10)
    assert [row for row, _ in everything] == [1, 2, 3, 4, 5]
    assert [state.order.client_order_id for _, state in everything] == ["o0", "o1", "o2", "o3", "o4"]
    assert [row for row, _ in store.orders(open_only=True, after_row=0, limit=2)] == [1, 3]
    assert [row for row, _ in store.orders(open_only=True, after_row=3, limit=9)] == [4, 5]


@pytest.mark.parametrize(
    "wrong",
    [
        lambda a: [NewOrder(a)],
        lambda a: [working("nobody")],
        lambda a: [report_of(a, 3)],
        lambda a: [report_of(a, 1)],
        lambda a: [report_of(a, 2, 1, "v1")],
        lambda a: [NewOrder(working("b")), NewOrder(working("b"))],
    ],
    ids=["order twice", "unknown order", "gap", "sequence twice", "fill twice", "twice in one commit"],
)
def test_a_commit_that_contradicts_the_store_stores_nothing(reopen: Opener, wrong) -> None:
    store = reopen()
    a = working("a")
    store.commit([NewOrder(a), report_of(a, 1, 1, "v1")])
    good = NewOrder(working("good"))
    with pytest.raises(Refused):
        store.commit([EpochRaised(9, "x"), good, *wrong(a)])
    stored = reopen().load()
    assert (stored.epoch, stored.orders, stored.last_sequence, stored.fills) == (0, 1, 1, 1)
    reopen().commit([good, report_of(a, 2, 1, "v2")])
    assert reopen().load().last_sequence == 2


def test_the_log_is_synchronous_and_ahead(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    run = store._writer.execute
    assert run("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert run("PRAGMA synchronous").fetchone()[0] == 2
    store.close()


def test_a_second_service_on_the_same_store_conflicts(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    code = (
        "import sys; from pathlib import Path; from common.errors import HedgerowError\n"
        "from execution.sqlite_store import SqliteStore\n"
        "try: SqliteStore(Path(sys.argv[1]))\n"
        "except HedgerowError as e: print(e); sys.exit(e.exit_code)\n"
    )
    second = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert second.returncode == Conflict.exit_code == 5
    assert "another execution service" in second.stdout
    with pytest.raises(Conflict):
        SqliteStore(tmp_path)
    store.close()
    SqliteStore(tmp_path).close()


def test_children_come_back_with_their_open_parent_and_nobody_lists_them(reopen: Opener) -> None:
    """What a plan is rebuilt from: the ended child with its fills, the open one, and the order that is followed."""
    sliced = Tactic(TacticKind.SLICED, participation_percent=10, budget_ms=10, interval_ms=1)
    parent = OrderRecord(make_order("p", lots=9, tactic=sliced), OrdStatus.PARTIALLY_FILLED, cum_lots=4, leaves_lots=5)
    ended = replace(
        working("p.1", 6), ord_status=OrdStatus.CANCELED, cum_lots=4, leaves_lots=0, parent="p", fills=("f1",)
    )
    out = replace(working("p.2", 5), parent="p")
    lead = replace(working("lead", 2), ord_status=OrdStatus.CANCELED, leaves_lots=0)
    follower = OrderRecord(make_order("q", lots=1, follows=Follow("lead", 1, 2)), OrdStatus.NEW, leaves_lots=1)
    over = replace(working("old.1", 1), ord_status=OrdStatus.EXPIRED, leaves_lots=0, parent="old")
    fill = replace(report_of(parent, 1, 4, "f1"), child_order_id="p.1")
    store = reopen()
    store.commit([*map(NewOrder, (lead, parent, ended, out, follower, over)), fill])
    store = reopen()
    loaded = store.load()
    assert loaded.open_records == (replace(parent, fills=loaded.open_records[0].fills), out, follower)
    assert loaded.relatives == (ended, lead)
    assert (loaded.orders, loaded.fills, loaded.position_lots) == (3, 1, {0: 4})
    assert [s.order.client_order_id for _, s in store.orders(open_only=False, after_row=0, limit=9)] == [
        "lead",
        "p",
        "q",
    ]
    assert store.get(["p.1"]) == [ended]
    assert store.reports(1, 9) == [fill]


def test_ended_legs_come_back_with_one_that_is_open_though_their_order_is_over(reopen: Opener) -> None:
    """Whether the venue filled a combo in its ratio is seen once its last leg has ended."""
    combo = Combo((("l.1", 5), ("f.1", 2)), 100)
    over = replace(working("l", 5), ord_status=OrdStatus.FILLED, cum_lots=5, leaves_lots=0)
    ended = replace(over, order=replace(make_order("l.1", lots=5), combo=combo), parent="l")
    out = replace(working("f.1", 2), order=replace(make_order("f.1", lots=2), combo=combo), parent="f")
    store = reopen()
    store.commit([*map(NewOrder, (over, ended, out))])
    assert reopen().load().relatives == (ended,)


def test_a_file_that_is_no_store_is_refused_whole(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"not a database, not at all" * 100)
    with pytest.raises(InputError, match="not a usable store"):
        SqliteStore(tmp_path)
    (tmp_path / FILE_NAME).unlink()
    SqliteStore(tmp_path).close()


def test_a_store_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    SqliteStore(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute("INSERT INTO migrations VALUES (99, 'later')")
    connection.close()
    with pytest.raises(InputError, match="schema version 99 is newer"):
        SqliteStore(tmp_path)


def test_a_disk_that_refuses_is_said_and_loses_nothing(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path)
    store.commit([NewOrder(working("a"))])
    pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
    store._writer.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unavailable, match="cannot be written"):
        for k in range(1000):
            store.commit([NewOrder(working(f"b{k}"))])
    count = len(store.orders(open_only=False, after_row=0, limit=5000))
    store.close()
    again = SqliteStore(tmp_path)
    assert again.load().orders == count >= 1
    again.close()


def test_fills_are_found_by_exec_id_and_nothing_else_is(reopen: Opener) -> None:
    record = working("a")
    fill = report_of(record, 2, 3, "X1")
    reopen().commit([NewOrder(record), report_of(record, 1), fill])
    assert reopen().fills_named(["X1", "R1", "X2"]) == [fill]
