"""A store recounted from its rows: every invariant that execution promises, without the code that keeps it.

Pure reading of one SQLite file (opened read-only; a running service may go on writing, the check sees one moment of it).
Rules: the file itself (``PRAGMA integrity_check``), a known schema, reports gapless with unique exec ids, every report's
columns as its content says, orders whose content parses under its own id, statuses that follow one another as the table of
``execution/orders.py`` allows and end where the order says, fills against filled lots and quantities, replacements that name
each other, children against their parents and the fills that name them, legs against their combos, running sums of positions
and money against the fills.
*Tested by* tests/unit/test_execution_verify.py.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.message import DecodeError
from hedgerow.execution.v1 import execution_pb2 as pb

from common.errors import InputError, Problem, Refused
from common.messages import ExecutionReport, Order, OrdStatus
from common.wire.execution_codec import order_from_pb, report_from_pb
from execution.orders import TRANSITIONS
from execution.sqlite_schema import MIGRATIONS
from execution.sqlite_store import FILE_NAME

#: Findings of one rule that are written out; the rest is counted.
MAX_SHOWN = 20


@dataclass(slots=True)
class Verified:
    """What was counted and what is wrong, a sentence each; nothing wrong means that all held."""

    orders: int = 0
    reports: int = 0
    fills: int = 0
    open_orders: int = 0
    findings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Life:
    """What the reports say of one order: its last status, lots filled under its id, where it was left."""

    status: OrdStatus = OrdStatus.PENDING_NEW
    own_lots: int = 0
    cum_lots: int = 0
    leaves_lots: int = -1


#: One status after another that a change of the table can cause; a fill after the end keeps the status.
_FOLLOWS = {(before, after) for (before, _), after in TRANSITIONS.items()} | {(s, s) for s in OrdStatus}


def verify(store: Path) -> Verified:
    """Check a store: its folder or its file. Raises ``InputError`` if there is none or it cannot be read at all."""
    path = store / FILE_NAME if store.is_dir() else store
    if not path.is_file():
        raise InputError(str(path), [Problem(0, "there is no store here")], "name a store's folder or its file")
    out = Verified()
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            for rule, said in _rules(connection, out):
                shown = list(said)
                out.findings += [f"{rule}: {text}" for text in shown[:MAX_SHOWN]]
                if len(shown) > MAX_SHOWN:
                    out.findings.append(f"{rule}: and {len(shown) - MAX_SHOWN} more")
    except sqlite3.DatabaseError as error:
        out.findings.append(f"file: {error}")
    return out


def _rules(db: sqlite3.Connection, out: Verified) -> Iterator[tuple[str, Iterator[str]]]:
    yield "file", _file(db)
    yield "schema", _schema(db)
    lives: dict[str, _Life] = defaultdict(_Life)
    sums: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    yield "reports", _reports(db, out, lives, sums)
    yield "orders", _orders(db, out, lives)
    yield "positions", _positions(db, sums)


def _file(db: sqlite3.Connection) -> Iterator[str]:
    for (said,) in db.execute("PRAGMA integrity_check"):
        if said != "ok":
            yield said.replace("\n", "; ")


def _schema(db: sqlite3.Connection) -> Iterator[str]:
    versions = [v for (v,) in db.execute("SELECT version FROM migrations ORDER BY version")]
    if versions != list(range(1, len(MIGRATIONS) + 1)):
        yield f"migrations {versions}, limit 1 to {len(MIGRATIONS)}; start the service once to bring an older store up"


def _reports(
    db: sqlite3.Connection, out: Verified, lives: dict[str, _Life], sums: dict[int, list[int]]
) -> Iterator[str]:
    columns = "sequence, client_order_id, exec_id, instrument, signed_lots, event_time_ns, content"
    fills: set[str] = set()
    last = 0
    for sequence, *told, content in db.execute(f"SELECT {columns} FROM reports ORDER BY sequence"):
        out.reports += 1
        if sequence != last + 1:
            yield f"report {sequence} follows {last}"
        last = sequence
        try:
            report = report_from_pb(pb.ExecutionReport.FromString(content))
        except (DecodeError, Refused) as error:
            yield f"report {sequence} cannot be read: {error}"
            continue
        signed = report.side.sign * report.last_lots
        said = [report.client_order_id, report.exec_id, report.instrument, signed, report.event_time_ns]
        if said != told or report.sequence != sequence:
            yield f"report {sequence} has columns {told} and content {said}"
        if report.ord_status is OrdStatus.SETTLED:
            if report.exec_id != report.client_order_id or signed:
                yield f"settlement {report.exec_id} in report {sequence} names an order or has lots"
            if report.exec_id in fills:
                yield f"settlement {report.exec_id} stands twice, again in report {sequence}"
            fills.add(report.exec_id)
            continue
        yield from _followed(report, lives[report.client_order_id])
        if report.child_order_id:
            lives[report.child_order_id].own_lots += report.last_lots
        if signed:
            out.fills += 1
            if report.exec_id in fills:
                yield f"fill {report.exec_id} stands twice, again in report {sequence}"
            fills.add(report.exec_id)
            add = (signed, 1, -signed * report.last_ticks, report.fee_cents)
            sums[report.instrument] = [a + b for a, b in zip(sums[report.instrument], add, strict=True)]


def _followed(report: ExecutionReport, life: _Life) -> Iterator[str]:
    name = report.client_order_id
    if (life.status, report.ord_status) not in _FOLLOWS:
        yield f"order {name} went from {life.status.name} to {report.ord_status.name} in report {report.sequence}"
    life.own_lots += report.last_lots
    if report.cum_lots < life.cum_lots:
        yield f"order {name} had {life.cum_lots} lots filled, {report.cum_lots} in report {report.sequence}"
    life.status, life.cum_lots, life.leaves_lots = report.ord_status, report.cum_lots, report.leaves_lots


def _orders(db: sqlite3.Connection, out: Verified, lives: dict[str, _Life]) -> Iterator[str]:
    statement = (
        "SELECT client_order_id, content, ord_status, cum_lots, leaves_lots, replaced_by, inherited_lots, parent "
        "FROM orders ORDER BY row"
    )
    linked: dict[str, str] = {}
    named: dict[str, str] = {}
    combos: dict[str, dict[str, tuple[Order, int, bool]]] = defaultdict(dict)
    known: set[str] = set()
    for name, content, status, cum, leaves, replaced_by, inherited, parent in db.execute(statement):
        out.orders += not parent
        known.add(name)
        try:
            order, ord_status = order_from_pb(pb.Order.FromString(content)), OrdStatus(status)
        except (DecodeError, Refused, ValueError) as error:
            yield f"order {name} cannot be read: {error}"
            continue
        out.open_orders += not parent and not ord_status.terminal
        if order.client_order_id != name:
            yield f"order {name} has the content of {order.client_order_id}"
        if order.orig_client_order_id:
            named[name] = order.orig_client_order_id
        if replaced_by:
            linked[name] = replaced_by
        life = lives.pop(name, _Life())
        if order.combo is not None:
            combos[order.combo.combo_id][name] = (order, cum, ord_status.terminal)
        if parent:
            yield from _of_child(order, ord_status, cum, leaves, life)
            yield from _with_parent(db, name, parent, ord_status)
            continue
        yield from _of_life(order, ord_status, cum, leaves, inherited, life)
    for combo_id, legs in combos.items():
        yield from _of_combo(combo_id, legs)
    for name in lives:
        yield f"order {name} is reported and not stored"
    for name, by in linked.items():
        if named.get(by) != name:
            yield f"order {name} says that {by} replaces it, which names {named.get(by, 'nothing')!r}"
    for name, original in named.items():
        if original not in known:
            yield f"order {name} replaces {original}, which is not stored"


def _of_child(order: Order, status: OrdStatus, cum: int, leaves: int, life: _Life) -> Iterator[str]:
    """A child has no reports of its own; its fills are its parent's, which name it."""
    name, quantity = order.client_order_id, order.quantity_lots
    if cum != life.own_lots:
        yield f"child {name} has {cum} lots filled, its fills sum to {life.own_lots}"
    if (leaves != 0) if status.terminal else (cum + leaves != quantity):
        yield f"child {name} is {status.name} with {cum} lots filled and {leaves} working of {quantity}"


def _of_combo(combo_id: str, legs: dict[str, tuple[Order, int, bool]]) -> Iterator[str]:
    """All legs are stored and name the same combo, and when all have ended they filled in its ratio."""
    combo = next(iter(legs.values()))[0].combo
    if combo is None or set(combo.leg_ids) != set(legs) or any(order.combo != combo for order, _, _ in legs.values()):
        yield f"combo {combo_id} is stored with the legs {sorted(legs)}, which do not name each other"
        return
    units = {divmod(cum, combo.ratio(name)) for name, (_, cum, _) in legs.items()}
    if all(ended for _, _, ended in legs.values()) and (len(units) > 1 or any(rest for _, rest in units)):
        filled = ", ".join(f"{cum} of {name}" for name, (_, cum, _) in legs.items())
        yield f"combo {combo_id} filled out of its ratio: {filled}"


def _with_parent(db: sqlite3.Connection, name: str, parent: str, status: OrdStatus) -> Iterator[str]:
    found = db.execute("SELECT ord_status FROM orders WHERE client_order_id = ?", (parent,)).fetchone()
    if found is None:
        yield f"child {name} belongs to {parent}, which is not stored"
    elif OrdStatus(found[0]).terminal and not status.terminal:
        yield f"child {name} is {status.name} and its parent {parent} has ended"


def _of_life(order: Order, status: OrdStatus, cum: int, leaves: int, inherited: int, life: _Life) -> Iterator[str]:
    name, quantity = order.client_order_id, order.quantity_lots
    if status is not life.status:
        yield f"order {name} is {status.name}, its last report says {life.status.name}"
    if cum - inherited != life.own_lots:
        yield f"order {name} has {cum - inherited} lots filled, its fills sum to {life.own_lots}"
    if life.leaves_lots >= 0 and (cum, leaves) != (life.cum_lots, life.leaves_lots):
        said = (life.cum_lots, life.leaves_lots)
        yield f"order {name} has {(cum, leaves)} lots filled and working, its last report says {said}"
    pending = bool(order.orig_client_order_id) and status in (OrdStatus.PENDING_NEW, OrdStatus.UNKNOWN)
    if status.terminal and leaves:
        yield f"order {name} is {status.name} with {leaves} lots working"
    if not status.terminal and not pending and cum + leaves != quantity:
        yield f"order {name} has {cum} lots filled and {leaves} working of {quantity}"


def _positions(db: sqlite3.Connection, sums: dict[int, list[int]]) -> Iterator[str]:
    stored = {
        at: list(rest)
        for at, *rest in db.execute("SELECT instrument, lots, fills, cash_lot_ticks, fee_cents FROM positions")
    }
    for at in sorted(stored.keys() | sums.keys()):
        if stored.get(at, [0] * 4) != sums.get(at, [0] * 4):
            yield (
                f"instrument {at} is stored with (lots, fills, cash in lot ticks, fees in cents) {stored.get(at)}, "
                f"its fills sum to {sums.get(at)}"
            )
