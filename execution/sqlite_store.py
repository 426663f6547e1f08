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
from typing import Any

from hedgerow.execution.v1 import execution_pb2 as pb

from common.errors import Conflict, InputError, Problem, Refused, Unavailable
from common.messages import ExecutionReport, Order, OrderState, OrdStatus, Refusal, TradingState
from common.wire.execution_codec import order_from_pb, order_to_pb, report_from_pb, report_to_pb
from execution.events import EpochRaised, NewOrder, Record, TradingSet
from execution.orders import OrderRecord
from execution.sqlite_schema import MIGRATIONS, TERMINAL
from execution.state import Stored
from execution.tactics.order import leads_of, legs_beside, worked

FILE_NAME = "execution.sqlite"
LOCK_NAME = "execution.lock"
_COLUMNS = (
    "row, content, ord_status, cum_lots, leaves_lots, cancel_asked, refusal, text, client_order_id, replaced_by, "
    "inherited_lots, protection_ticks, parent"
)
_INSERT = (
    "INSERT INTO orders (client_order_id, content, protection_ticks, parent, ord_status, cum_lots, leaves_lots, "
    "cancel_asked, refusal, text, replaced_by, inherited_lots) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_UPDATE = (
    "UPDATE orders SET ord_status = ?, cum_lots = ?, leaves_lots = ?, cancel_asked = ?, refusal = ?, text = ?, "
    "replaced_by = ?, inherited_lots = ? WHERE client_order_id = ?"
)
_REPORT = "INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_POSITION = (
    "INSERT INTO positions VALUES (?, ?, 1, ?, ?) "
    "ON CONFLICT (instrument) DO UPDATE SET lots = lots + excluded.lots, fills = fills + 1, "
    "cash_lot_ticks = cash_lot_ticks + excluded.cash_lot_ticks, fee_cents = fee_cents + excluded.fee_cents"
)


class SqliteStore:
    """A store in a folder. Raises ``Conflict`` if another service has it, ``InputError`` if it is no store of ours."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(folder / LOCK_NAME)
        except OSError as error:
            raise InputError(
                str(folder), [Problem(0, f"cannot be written: {error}")], "give a folder to write to"
            ) from error
        self._closed = False
        try:
            self._writer = self._connect()
            self._migrate()
            self._reader = self._connect()
            self._last_sequence = self._one("SELECT coalesce(max(sequence), 0) FROM reports")
        except sqlite3.DatabaseError as error:
            self._unlock()
            raise self._unusable(error) from error
        except InputError:
            self._unlock()
            raise

    def _unusable(self, error: sqlite3.Error) -> InputError:
        remedy = "move the folder away or restore a backup of it; `hedgerow execution verify` says what is damaged"
        return InputError(str(self._path), [Problem(0, f"not a usable store: {error}")], remedy)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _migrate(self) -> None:
        run = self._writer.execute
        self._writer.create_function("report_ticks", 1, lambda c: pb.ExecutionReport.FromString(c).last_ticks)
        self._writer.create_function("report_fee_cents", 1, lambda c: pb.ExecutionReport.FromString(c).fee_cents)
        run("BEGIN IMMEDIATE")
        run("CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied_at TEXT NOT NULL)")
        version = run("SELECT coalesce(max(version), 0) FROM migrations").fetchone()[0]
        if version > len(MIGRATIONS):
            run("ROLLBACK")
            self._writer.close()
            reason = f"schema version {version} is newer than this program's {len(MIGRATIONS)}"
            raise InputError(str(self._path), [Problem(0, reason)], "run the version that wrote it, or a newer one")
        for number, statements in enumerate(MIGRATIONS[version:], start=version + 1):
            for statement in statements:
                run(statement)
            run("INSERT INTO migrations VALUES (?, datetime('now'))", (number,))
        run("COMMIT")

    def load(self) -> Stored:
        """See ``Store.load``. Raises ``InputError`` where what a start needs is damaged."""
        try:
            return self._load()
        except sqlite3.DatabaseError as error:
            raise self._unusable(error) from error

    def _load(self) -> Stored:
        read = self._reader.execute
        epoch, holder, trading, who, why = read("SELECT epoch, holder, trading_state, who, why FROM service").fetchone()
        open_rows = read(f"SELECT {_COLUMNS} FROM orders WHERE ord_status NOT IN ({TERMINAL}) ORDER BY row").fetchall()
        positions = read("SELECT instrument, lots, fills, cash_lot_ticks, fee_cents FROM positions").fetchall()
        stopped = read("SELECT trading_state, who, why, scope FROM stopped ORDER BY scope").fetchall()
        open_records = tuple(self._record(row) for row in open_rows)
        return Stored(
            epoch=epoch,
            holder=holder,
            trading=TradingSet(TradingState(trading), who, why),
            open_records=open_records,
            relatives=self._relatives(open_records),
            position_lots={instrument: lots for instrument, lots, *_ in positions},
            cash={instrument: (cash, fees) for instrument, _, _, cash, fees in positions},
            last_sequence=self._last_sequence,
            # The newest reports are the latest but for a late venue answer; a few cover it.
            last_event_time_ns=self._one(
                "SELECT coalesce(max(event_time_ns), 0) FROM (SELECT event_time_ns FROM reports "
                "ORDER BY sequence DESC LIMIT 1000)"
            ),
            orders=self._one("SELECT coalesce(max(row), 0) FROM orders")
            - self._one("SELECT count(*) FROM orders WHERE parent <> ''"),
            fills=sum(fills for _, _, fills, _, _ in positions),
            stopped=tuple(TradingSet(TradingState(s), who, why, scope) for s, who, why, scope in stopped),
            settled=tuple(
                report_from_pb(pb.ExecutionReport.FromString(content))
                for (content,) in read("SELECT content FROM reports WHERE client_order_id = exec_id ORDER BY sequence")
            ),
        )

    def _relatives(self, open_records: Sequence[OrderRecord]) -> tuple[OrderRecord, ...]:
        """Ended children of open parents, the orders that open ones follow, and ended legs of combos that have open ones."""
        ended = f"SELECT {_COLUMNS} FROM orders WHERE parent = ? AND parent <> '' AND ord_status IN ({TERMINAL})"
        out = []
        for record in open_records:
            if worked(record.order):
                out += [self._record(r) for r in self._read(ended, (record.order.client_order_id,))]
        return (*out, *self.get([*leads_of(open_records), *legs_beside(open_records, out)]))

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
                run(_INSERT, (made.order.client_order_id, content, made.protection_ticks, made.parent, *_mutable(made)))
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
            report.child_order_id,
        )
        self._writer.execute(_REPORT, row)
        if signed:
            cash = -signed * report.last_ticks
            self._writer.execute(_POSITION, (report.instrument, signed, cash, report.fee_cents))

    def get(self, ids: Iterable[str]) -> list[OrderRecord]:
        """See ``Store.get``. Raises ``Unavailable`` where a page cannot be read."""
        statement = f"SELECT {_COLUMNS} FROM orders WHERE client_order_id = ?"
        rows = (row for name in ids for row in self._read(statement, (name,)))
        return [self._record(row) for row in rows]

    def _read(self, statement: str, values: tuple[object, ...]) -> list[Any]:
        try:
            return self._reader.execute(statement, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise Unavailable(f"{self._path}: cannot be read ({error}); restore a backup, then restart") from error

    def orders(self, *, open_only: bool, after_row: int, limit: int) -> list[tuple[int, OrderState]]:
        """See ``Store.orders``."""
        only = f"AND ord_status NOT IN ({TERMINAL})" if open_only else ""
        statement = f"SELECT {_COLUMNS} FROM orders WHERE row > ? AND parent = '' {only} ORDER BY row LIMIT ?"
        rows = self._read(statement, (after_row, limit))
        return [(row[0], OrderState(_order(row[1]), OrdStatus(row[2]), row[3], row[4])) for row in rows]

    def reports(self, first: int, limit: int) -> list[ExecutionReport]:
        """See ``Store.reports``."""
        statement = "SELECT content FROM reports WHERE sequence >= ? ORDER BY sequence LIMIT ?"
        rows = self._read(statement, (first, limit))
        return [report_from_pb(pb.ExecutionReport.FromString(content)) for (content,) in rows]

    def fills(self, client_order_id: str) -> list[ExecutionReport]:
        """See ``Store.fills``."""
        rows = [
            row
            for column in ("client_order_id", "child_order_id")
            for row in self._read(
                f"SELECT content FROM reports WHERE {column} = ? AND signed_lots <> 0 ORDER BY sequence",
                (client_order_id,),
            )
        ]
        return [report_from_pb(pb.ExecutionReport.FromString(content)) for (content,) in rows]

    def fills_named(self, exec_ids: Iterable[str]) -> list[ExecutionReport]:
        """See ``Store.fills_named``."""
        statement = "SELECT content FROM reports WHERE exec_id = ? AND signed_lots <> 0"
        rows = [row for name in exec_ids for row in self._read(statement, (name,))]
        return [report_from_pb(pb.ExecutionReport.FromString(content)) for (content,) in rows]

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

    def _record(self, row: tuple[Any, ...]) -> OrderRecord:
        _, content, status, cum, leaves, cancel_asked, refusal, text, name, replaced_by, inherited, *rest = row
        order, (protection, parent) = _order(content), rest
        fills = self._fills(name, "child_order_id" if parent else "client_order_id")
        earlier = order.orig_client_order_id if inherited else ""
        while earlier:
            fills = self._fills(earlier, "client_order_id") + fills
            found = self._reader.execute(
                "SELECT content FROM orders WHERE client_order_id = ? AND inherited_lots > 0", (earlier,)
            ).fetchone()
            earlier = _order(found[0]).orig_client_order_id if found else ""
        return OrderRecord(
            order=order,
            ord_status=OrdStatus(status),
            cum_lots=cum,
            leaves_lots=leaves,
            cancel_asked=bool(cancel_asked),
            refusal=Refusal(refusal),
            text=text,
            fills=tuple(fills),
            inherited_lots=inherited,
            replaced_by=replaced_by,
            protection_ticks=protection,
            parent=parent,
        )

    def _fills(self, name: str, column: str) -> list[str]:
        statement = f"SELECT exec_id FROM reports WHERE {column} = ? AND signed_lots <> 0 ORDER BY sequence"
        return [exec_id for (exec_id,) in self._read(statement, (name,))]


def _order(content: bytes) -> Order:
    return order_from_pb(pb.Order.FromString(content))


def _mutable(record: OrderRecord) -> tuple[int | str, ...]:
    return (
        int(record.ord_status),
        record.cum_lots,
        record.leaves_lots,
        int(record.cancel_asked),
        int(record.refusal),
        record.text,
        record.replaced_by,
        record.inherited_lots,
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
