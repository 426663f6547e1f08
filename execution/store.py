"""The port of the order store and its in-memory form; ``sqlite_store`` holds the durable one. One contract, one suite.

Contract
- ``commit`` is one transaction: all records or none. A store that failed to commit must not be used any further.
- Report sequences are gapless from 1, exec ids unique, an order is new exactly once: a commit that breaks one of these
  raises ``errors.Refused`` and stores nothing.
- Reads see what is committed and nothing else. ``orders`` lists what was asked for; children are found by their ids.

*Tested by* tests/contract/test_execution_store.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from common.errors import Refused
from common.messages import ExecutionReport, OrderState, OrdStatus, TradingState
from execution.events import EpochRaised, NewOrder, Record, TradingSet
from execution.orders import OrderRecord
from execution.state import Stored
from execution.tactics.order import leads_of, legs_beside, worked


class Store(Protocol):
    """Orders, reports, epoch and trading state. Rows of orders count from 1 in the order of arrival."""

    def load(self) -> Stored:
        """Everything a core starts from."""
        ...

    def commit(self, records: Sequence[Record]) -> None:
        """Store all of them, durably, or none. Raises ``errors.Refused`` if they contradict what is stored."""
        ...

    def get(self, ids: Iterable[str]) -> list[OrderRecord]:
        """Records of these orders, those that exist."""
        ...

    def orders(self, *, open_only: bool, after_row: int, limit: int) -> list[tuple[int, OrderState]]:
        """A page of (row, order), rows ascending from the one after ``after_row``."""
        ...

    def reports(self, first: int, limit: int) -> list[ExecutionReport]:
        """At most ``limit`` reports with sequence ``first`` or later, ascending."""
        ...

    def fills(self, client_order_id: str) -> list[ExecutionReport]:
        """The fills of one order, or of a child, ascending."""
        ...

    def fills_named(self, exec_ids: Iterable[str]) -> list[ExecutionReport]:
        """Fills of these exec ids, those that exist."""
        ...

    def close(self) -> None:
        """Release it; may be called twice."""
        ...


class MemoryStore:
    """For the lab and for tests: the same answers, gone with the process."""

    def __init__(self) -> None:
        self._rows: dict[str, int] = {}
        self._records: list[OrderRecord] = []
        self._reports: list[ExecutionReport] = []
        self._fills: dict[str, int] = {}
        self._epoch = EpochRaised(0, "")
        self._trading = Stored().trading
        self._stopped: dict[str, TradingSet] = {}

    def load(self) -> Stored:
        """See ``Store.load``."""
        position: dict[int, int] = {}
        cash: dict[int, tuple[int, int]] = {}
        for report in self._reports:
            if report.last_lots:
                signed = report.side.sign * report.last_lots
                position[report.instrument] = position.get(report.instrument, 0) + signed
                paid, fees = cash.get(report.instrument, (0, 0))
                cash[report.instrument] = (paid - signed * report.last_ticks, fees + report.fee_cents)
        return Stored(
            epoch=self._epoch.epoch,
            holder=self._epoch.holder,
            trading=self._trading,
            open_records=tuple(r for r in self._records if r.open),
            relatives=self._relatives(),
            position_lots=position,
            cash=cash,
            last_sequence=len(self._reports),
            last_event_time_ns=max((r.event_time_ns for r in self._reports), default=0),
            orders=sum(1 for r in self._records if not r.parent),
            fills=sum(r.last_lots > 0 for r in self._reports),
            stopped=tuple(self._stopped[scope] for scope in sorted(self._stopped)),
            settled=tuple(r for r in self._reports if r.ord_status is OrdStatus.SETTLED),
        )

    def _relatives(self) -> tuple[OrderRecord, ...]:
        out = [r for r in self._records if r.open]
        parents = {r.order.client_order_id for r in out if worked(r.order)}
        ended = [r for r in self._records if r.parent in parents and not r.open]
        return (*ended, *self.get([*leads_of(out), *legs_beside(out, ended)]))

    def commit(self, records: Sequence[Record]) -> None:
        """See ``Store.commit``."""
        self._verify(records)
        for record in records:
            match record:
                case NewOrder(made):
                    self._rows[made.order.client_order_id] = len(self._records)
                    self._records.append(made)
                case OrderRecord():
                    self._records[self._rows[record.order.client_order_id]] = record
                case ExecutionReport():
                    self._reports.append(record)
                    if record.last_lots or record.ord_status is OrdStatus.SETTLED:
                        self._fills[record.exec_id] = len(self._reports) - 1
                case EpochRaised():
                    self._epoch = record
                case TradingSet(scope=""):
                    self._trading = record
                case TradingSet():
                    self._stopped.pop(record.scope, None)
                    if record.state is not TradingState.ACTIVE:
                        self._stopped[record.scope] = record

    def _verify(self, records: Sequence[Record]) -> None:
        sequence, made, fills = len(self._reports), set[str](), set[str]()
        for record in records:
            match record:
                case NewOrder(new):
                    name = new.order.client_order_id
                    if name in self._rows or name in made:
                        raise Refused(f"order {name} is stored already")
                    made.add(name)
                case OrderRecord():
                    name = record.order.client_order_id
                    if name not in self._rows and name not in made:
                        raise Refused(f"order {name} is not stored")
                case ExecutionReport():
                    sequence += 1
                    if record.sequence != sequence:
                        raise Refused(f"report {record.sequence} does not follow {sequence - 1}")
                    if record.exec_id in self._fills or record.exec_id in fills:
                        raise Refused(f"fill or settlement {record.exec_id} is stored already")
                    if record.last_lots or record.ord_status is OrdStatus.SETTLED:
                        fills.add(record.exec_id)

    def get(self, ids: Iterable[str]) -> list[OrderRecord]:
        """See ``Store.get``."""
        return [self._records[self._rows[name]] for name in ids if name in self._rows]

    def orders(self, *, open_only: bool, after_row: int, limit: int) -> list[tuple[int, OrderState]]:
        """See ``Store.orders``."""
        out: list[tuple[int, OrderState]] = []
        for at in range(after_row, len(self._records)):
            if len(out) == limit:
                break
            if not self._records[at].parent and (self._records[at].open or not open_only):
                out.append((at + 1, self._records[at].state))
        return out

    def reports(self, first: int, limit: int) -> list[ExecutionReport]:
        """See ``Store.reports``."""
        at = max(first, 1) - 1
        return self._reports[at : at + limit]

    def fills(self, client_order_id: str) -> list[ExecutionReport]:
        """See ``Store.fills``."""
        return [r for r in self._reports if r.last_lots and client_order_id in (r.client_order_id, r.child_order_id)]

    def fills_named(self, exec_ids: Iterable[str]) -> list[ExecutionReport]:
        """See ``Store.fills_named``."""
        named = [self._reports[self._fills[name]] for name in exec_ids if name in self._fills]
        return [report for report in named if report.last_lots]

    def close(self) -> None:
        """See ``Store.close``."""
