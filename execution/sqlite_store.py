"""The durable store: SQLite in WAL mode with ``synchronous=FULL``, one writer, a file lock against a second service.

``commit`` runs in one executor thread on the writer's connection; reads run on a second one in the loop's thread and
see committed data only. Schema changes are numbered migrations, applied in order and noted in ``migrations``; a store
written by a newer version is refused.
*Tested by* tests/contract/test_execution_store.py.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from hedgerow.execution.v1 import execution_pb2 as pb

from common.errors import Conflict, InputError, Problem, Refused, Unavailable
from common.messages import ExecutionReport, Order, OrderState, OrdStatus, Refusal, TradingState
from common.wire.execution_codec import order_from_pb, order_to_pb, report_from_pb, report_to_pb
from execution.events import EpochRaised, NewOrder, Record, TradingSet
from execution.orders import OrderRecord
from execution.state import Stored

FILE_NAME = "execution.sqlite"
LOCK_NAME = "execution.lock"
_TERMINAL = ", ".join(str(int(s)) for s in OrdStatus if s.terminal)
_MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE service (
            one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL, holder TEXT NOT NULL,
            trading_state INTEGER NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL)""",
        f"INSERT INTO service VALUES (1, 0, '', {int(TradingState.ACTIVE)}, '', '')",
        """CREATE TABLE orders (
            row INTEGER PRIMARY KEY, client_order_id TEXT NOT NULL UNIQUE, content BLOB NOT NULL,
            ord_status INTEGER NOT NULL, cum_lots INTEGER NOT NULL, leaves_lots INTEGER NOT NULL,
            cancel_asked INTEGER NOT NULL, refusal INTEGER NOT NULL, text TEXT NOT NULL)""",
        f"CREATE INDEX open_orders ON orders (row) WHERE ord_status NOT IN ({_TERMINAL})",
        """CREATE TABLE reports (
            sequence INTEGER PRIMARY KEY, client_order_id TEXT NOT NULL, exec_id TEXT NOT NULL,
            instrument INTEGER NOT NULL, signed_lots INTEGER NOT NULL, event_time_ns INTEGER NOT NULL,
            content BLOB NOT NULL)""",
        "CREATE UNIQUE INDEX fills ON reports (exec_id) WHERE signed_lots <> 0",
        "CREATE INDEX fills_of_order ON reports (client_order_id) WHERE signed_lots <> 0",
        # Small running sums, written in the transaction of what they sum, so that a restart reads a few rows.
        "CREATE TABLE positions (instrument INTEGER PRIMARY KEY, lots INTEGER NOT NULL, fills INTEGER NOT NULL)",
    ),
    (
        """CREATE TABLE stopped (
            scope TEXT PRIMARY KEY, trading_state INTEGER NOT NULL, who TEXT NOT NULL, why TEXT NOT NULL)""",
    ),
)
_COLUMNS = "row, content, ord_status, cum_lots, leaves_lots, cancel_asked, refusal, text, client_order_id"
_INSERT = (
    "INSERT INTO orders (client_order_id, content, ord_status, cum_lots, leaves_lots, cancel_asked, refusal, text) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)
_UPDATE = (
    "UPDATE orders SET ord_status = ?, cum_lots = ?, leaves_lots = ?, cancel_asked = ?, refusal = ?, text = ? "
    "WHERE client_order_id = ?"
)
_REPORT = "INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?, ?)"
_POSITION = (
    "INSERT INTO positions VALUES (?, ?, 1) "
    "ON CONFLICT (instrument) DO UPDATE SET lots = lots + excluded.lots, fills = fills + 1"
)


class SqliteStore:
    """A store in a folder. Raises ``Conflict`` if another service has it, ``InputError`` if it is no store of ours."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / FILE_NAME
        self._lock = _locked(folder / LOCK_NAME)
        self._closed = False
        try:
            self._writer = self._connect()
            self._migrate()
            self._reader = self._connect()
            self._last_sequence = self._one("SELECT coalesce(max(sequence), 0) FROM reports")
        except sqlite3.DatabaseError as error:
            self._unlock()
            remedy = "move the folder away or restore a backup of it"
            raise InputError(str(self._path), [Problem(0, f"not a usable store: {error}")], remedy) from error
        except InputError:
            self._unlock()
            raise

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _migrate(self) -> None:
        run = self._writer.execute
        run("BEGIN IMMEDIATE")
        run("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL)")
        version = run("SELECT coalesce(max(version), 0) FROM migrations").fetchone()[0]
        if version > len(_MIGRATIONS):
            run("ROLLBACK")
            self._writer.close()
            reason = f"schema version {version} is newer than this program's {len(_MIGRATIONS)}"
            raise InputError(str(self._path), [Problem(0, reason)], "run the version that wrote it, or a newer one")
        for number, statements in enumerate(_MIGRATIONS[version:], start=version + 1):
            for statement in statements:
                run(statement)
            run("INSERT INTO migrations VALUES (?, datetime('now'))", (number,))
        run("COMMIT")

    def load(self) -> Stored:
        """See ``Store.load``."""
        read = self._reader.execute
        epoch, holder, trading, who, why = read("SELECT epoch, holder, trading_state, who, why FROM service").fetchone()
        open_rows = read(f"SELECT {_COLUMNS} FROM orders WHERE ord_status NOT IN ({_TERMINAL}) ORDER BY row").fetchall()
        positions = read("SELECT instrument, lots, fills FROM positions").fetchall()
        stopped = read("SELECT trading_state, who, why, scope FROM stopped ORDER BY scope").fetchall()
        return Stored(
            epoch=epoch,
            holder=holder,
            trading=TradingSet(TradingState(trading), who, why),
            open_records=tuple(self._record(row) for row in open_rows),
            position_lots={instrument: lots for instrument, lots, _ in positions},
            last_sequence=self._last_sequence,
            # The newest reports are the latest but for a late venue answer; a few cover it.
            last_event_time_ns=self._one(
                "SELECT coalesce(max(event_time_ns), 0) FROM (SELECT event_time_ns FROM reports "
                "ORDER BY sequence DESC LIMIT 1000)"
            ),
            orders=self._one("SELECT coalesce(max(row), 0) FROM orders"),
            fills=sum(fills for _, _, fills in positions),
            stopped=tuple(TradingSet(TradingState(s), who, why, scope) for s, who, why, scope in stopped),
        )

    def commit(self, records: Sequence[Record]) -> None:
        """See ``Store.commit``. Raises ``Unavailable`` when the disk refuses (full, read-only, failing)."""
        sequence = self._last_sequence
        try:
            self._writer.execute("BEGIN IMMEDIATE")
            for record in records:
                sequence = self._write(record, sequence)
            self._writer.execute("COMMIT")
        except sqlite3.IntegrityError as error:
            self._roll_back()
            raise Refused(f"{self._path}: the records contradict what is stored: {error}") from error
        except sqlite3.DatabaseError as error:
            self._roll_back()
            raise Unavailable(
                f"{self._path}: cannot be written ({error}); free the disk or mend it, then restart"
            ) from error
        except Refused:
            self._roll_back()
            raise
        self._last_sequence = sequence

    def _roll_back(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    def _write(self, record: Record, sequence: int) -> int:
        run = self._writer.execute
        match record:
            case NewOrder(made):
                content = order_to_pb(made.order).SerializeToString()
                run(_INSERT, (made.order.client_order_id, content, *_mutable(made)))
            case OrderRecord():
                if run(_UPDATE, (*_mutable(record), record.order.client_order_id)).rowcount != 1:
                    raise Refused(f"order {record.order.client_order_id} is not stored")
            case ExecutionReport():
                if record.sequence != sequence + 1:
                    raise Refused(f"report {record.sequence} does not follow {sequence}")
                self._write_report(record)
                return record.sequence
            case EpochRaised(epoch, holder):
                run("UPDATE service SET epoch = ?, holder = ?", (epoch, holder))
            case TradingSet(TradingState.ACTIVE, _, _, scope) if scope:
                run("DELETE FROM stopped WHERE scope = ?", (scope,))
            case TradingSet(state, who, why, scope) if scope:
                run("INSERT OR REPLACE INTO stopped VALUES (?, ?, ?, ?)", (scope, int(state), who, why))
            case TradingSet(state, who, why):
                run("UPDATE service SET trading_state = ?, who = ?, why = ?", (int(state), who, why))
        return sequence

    def _write_report(self, report: ExecutionReport) -> None:
        signed = report.side.sign * report.last_lots
        row = (
            report.sequence,
            report.client_order_id,
            report.exec_id,
            report.instrument,
            signed,
            report.event_time_ns,
            report_to_pb(report).SerializeToString(),
        )
        self._writer.execute(_REPORT, row)
        if signed:
            self._writer.execute(_POSITION, (report.instrument, signed))

    def get(self, ids: Iterable[str]) -> list[OrderRecord]:
        """See ``Store.get``."""
        statement = f"SELECT {_COLUMNS} FROM orders WHERE client_order_id = ?"
        rows = (self._reader.execute(statement, (name,)).fetchone() for name in ids)
        return [self._record(row) for row in rows if row is not None]

    def orders(self, *, open_only: bool, after_row: int, limit: int) -> list[tuple[int, OrderState]]:
        """See ``Store.orders``."""
        only = f"AND ord_status NOT IN ({_TERMINAL})" if open_only else ""
        statement = f"SELECT {_COLUMNS} FROM orders WHERE row > ? {only} ORDER BY row LIMIT ?"
        rows = self._reader.execute(statement, (after_row, limit)).fetchall()
        return [(row[0], OrderState(_order(row[1]), OrdStatus(row[2]), row[3], row[4])) for row in rows]

    def reports(self, first: int, limit: int) -> list[ExecutionReport]:
        """See ``Store.reports``."""
        statement = "SELECT content FROM reports WHERE sequence >= ? ORDER BY sequence LIMIT ?"
        rows = self._reader.execute(statement, (first, limit)).fetchall()
        return [report_from_pb(pb.ExecutionReport.FromString(content)) for (content,) in rows]

    def fills(self, exec_ids: Iterable[str]) -> list[ExecutionReport]:
        """See ``Store.fills``."""
        statement = "SELECT content FROM reports WHERE exec_id = ? AND signed_lots <> 0"
        rows = (self._reader.execute(statement, (name,)).fetchone() for name in exec_ids)
        return [report_from_pb(pb.ExecutionReport.FromString(row[0])) for row in rows if row is not None]

    def close(self) -> None:
        """See ``Store.close``."""
        if not self._closed:
            self._closed = True
            self._reader.close()
            self._writer.close()
            self._unlock()

    def _unlock(self) -> None:
        os.close(self._lock)

    def _one(self, statement: str) -> int:
        return int(self._reader.execute(statement).fetchone()[0])

    def _record(self, row: tuple[int, bytes, int, int, int, int, int, str, str]) -> OrderRecord:
        _, content, status, cum, leaves, cancel_asked, refusal, text, name = row
        fills = self._reader.execute(
            "SELECT exec_id FROM reports WHERE client_order_id = ? AND signed_lots <> 0 ORDER BY sequence", (name,)
        ).fetchall()
        return OrderRecord(
            order=_order(content),
            ord_status=OrdStatus(status),
            cum_lots=cum,
            leaves_lots=leaves,
            cancel_asked=bool(cancel_asked),
            refusal=Refusal(refusal),
            text=text,
            fills=tuple(exec_id for (exec_id,) in fills),
        )


def _order(content: bytes) -> Order:
    return order_from_pb(pb.Order.FromString(content))


def _mutable(record: OrderRecord) -> tuple[int, int, int, int, int, str]:
    return (
        int(record.ord_status),
        record.cum_lots,
        record.leaves_lots,
        int(record.cancel_asked),
        int(record.refusal),
        record.text,
    )


def _locked(path: Path) -> int:
    """An exclusive lock that ends with the process, however it ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise Conflict(f"{path.parent}: another execution service is using this store; stop it first") from None
    return descriptor
