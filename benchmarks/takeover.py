"""A new leader over a journal of 1,000,000 events: ready from a snapshot, and from the first entry.

The events are those of one session of the default input, again and again, each time under new numbers: orders, fills,
proposals and cycles as long and as mixed as in a run (about 2 kB an event), every order and fill counted once. They are
filled into a real nats-server without syncing each write; the server that the takeover is measured on syncs as in a run.
The snapshot is as old as it may be when the next one is due, so the tail is as long as it gets. Execution is a stub that
knows the open orders: what is measured is the journal's part. Starting an interpreter is not counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import uvloop
from hedgerow.control.v1 import control_pb2 as pb

from benchmarks.registry import Context, Row, bench
from common.bus.nats_bus import NatsBus
from common.bus.nats_journal import NatsJournal
from common.bus.nats_lease import NatsLease
from common.clock import WallClock
from common.execution_client import ExecutionClient, Fenced
from common.messages import ExecutionReport, OrderState
from common.ports import FoldSnapshot
from common.wire import codec
from deploy import nats_server
from deploy.config import load
from deploy.finish import lab_settings
from deploy.setup import Prepared, prepare
from lab.closed_loop import run
from manager.config import SNAPSHOT_EVERY
from manager.fold import apply
from manager.hash import state_hash
from manager.service import ManagerService, Ports
from manager.snapshot import encode
from manager.snapshots import Snapshots
from manager.state import ManagerSetup, ManagerState, start

EVENTS: Final = 1_000_000
BAR_S: Final = 5.0
RUN_ID: Final = "bench-takeover"
_FLUSH_EVERY: Final = 20_000


def session() -> tuple[Prepared, list[bytes]]:
    """One session of the default input, and the journal a closed loop writes on it."""
    prepared = prepare(load(None, {"market.name": "demo", "market.demo.end": "2018-01-29"}), RUN_ID)
    lab = lab_settings(prepared, None)
    settings = prepared.settings.manager
    ran = run(prepared.source, prepared.book, lab.agents, settings, lab.limits, lab.execution, run_id=RUN_ID)
    return prepared, [codec.encode_journal_entry(e) for e in ran.entries]


class Repeated:
    """A journal of ``events`` entries: the first time as it was, then without its takeover and commands, renumbered."""

    def __init__(self, journal: Sequence[bytes], events: int) -> None:
        self._first = [pb.JournalEntry.FromString(data) for data in journal]
        self._again = [e for e in self._first if e.WhichOneof("event") in ("proposal", "cycle", "report", "round")]
        self.events = events
        reports = [e.report for e in self._first if e.HasField("report")]
        cycles = [e.cycle for e in self._first if e.HasField("cycle")]
        self._reports = len(reports)
        self._fills = sum(r.last_lots > 0 for r in reports)
        self._orders = sum(len(c.orders) for c in cycles)
        self._cycles = max(int(c.cycle_id.rpartition("-")[2]) for c in cycles)
        self._spoken = max(e.proposal.proposal.header.sequence for e in self._first if e.HasField("proposal"))

    def __iter__(self) -> Iterator[bytes]:
        count = turn = 0
        while count < self.events:
            for entry in self._first if turn == 0 else self._again:
                if count == self.events:
                    return
                count += 1
                yield self._renumbered(entry, count, turn)
            turn += 1

    def _renumbered(self, entry: pb.JournalEntry, sequence: int, turn: int) -> bytes:
        out = pb.JournalEntry()
        out.CopyFrom(entry)
        out.sequence = sequence
        if out.HasField("proposal"):
            out.proposal.proposal.header.sequence += turn * self._spoken
            out.proposal.proposal.position_version += turn * self._fills
        elif out.HasField("report"):
            out.report.sequence += turn * self._reports
            out.report.exec_id = _named(out.report.exec_id, turn)
            out.report.client_order_id = _named(out.report.client_order_id, turn)
        elif out.HasField("cycle"):
            head, _, number = out.cycle.cycle_id.rpartition("-")
            out.cycle.cycle_id = f"{head}-{int(number) + turn * self._cycles}"
            for order in out.cycle.orders:
                order.client_order_id = _named(order.client_order_id, turn)
                order.order_sequence += turn * self._orders
        return out.SerializeToString()


def _named(name: str, turn: int) -> str:
    return f"{name[:-5]}{turn:05d}"


class StandingExecution(ExecutionClient):
    """Execution as a takeover meets it: it takes the fence, knows the orders that are open, and has no news."""

    def __init__(self, open_orders: Sequence[OrderState], last_report: int) -> None:
        self._open, self._last = tuple(open_orders), last_report

    async def fence(self, epoch: int, _holder: str) -> Fenced:
        """Accepted."""
        return Fenced(epoch, True, self._last)

    async def list_orders(self, **_: bool) -> tuple[OrderState, ...]:
        """What is open."""
        return self._open

    async def status(self) -> dict[str, object]:
        """Nothing to say."""
        return {}

    async def reports(self, _from_sequence: int) -> AsyncIterator[ExecutionReport]:
        """None, and no end."""
        await asyncio.Event().wait()
        none: tuple[ExecutionReport, ...] = ()
        for report in none:
            yield report


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds: to fold everything, to have snapshot and tail folded, to lead. Bytes of the snapshot and the journal.

    ``*_cpu_s`` of this process, which others on the machine do not lengthen.
    """

    scratch_s: float
    scratch_cpu_s: float
    loaded_s: float
    leading_s: float
    leading_cpu_s: float
    fill_s: float
    snapshot_bytes: int
    journal_bytes: int
    tail: int


async def filled(url: str, journal: Iterable[bytes], cut: int) -> tuple[int, int]:
    """Fill the stream; returns (stream sequence where the tail after ``cut`` begins, bytes)."""
    async with await NatsBus.connect(url, "fill") as bus:
        await bus.create_streams()
        record = NatsJournal(bus)
        await record.take_over("fill")
        tail_from = size = 0
        for count, data in enumerate(journal, start=1):
            record.append(data)
            size += len(data)
            if count % _FLUSH_EVERY == 0 or count == cut:
                await record.flush()
            if count == cut:
                tail_from = record.position[1]
        await record.flush()
        await record.close()
        return tail_from, size


async def from_scratch(bus: NatsBus, setup: ManagerSetup, cut: int) -> tuple[float, float, bytes, ManagerState]:
    """Fold every entry: (seconds, CPU seconds, snapshot after ``cut`` entries, the state). Encoding it is not counted."""
    state, snapshot, out_s, out_cpu_s = start(setup), b"", 0.0, 0.0
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    async for data in NatsJournal(bus).read(1):
        apply(state, codec.decode_journal_entry(data))
        if state.journal_sequence == cut:
            before_s, before_cpu_s = time.perf_counter(), time.process_time()
            snapshot = encode(state.fold, setup.run_id)
            out_s, out_cpu_s = time.perf_counter() - before_s, time.process_time() - before_cpu_s
    seconds, cpu_s = time.perf_counter() - began_s - out_s, time.process_time() - began_cpu_s - out_cpu_s
    return seconds, cpu_s, snapshot, state


async def new_leader(bus: NatsBus, setup: ManagerSetup, known: ManagerState) -> tuple[float, float, float]:
    """Seconds until a new manager has folded snapshot and tail, until it leads, and CPU seconds until then."""
    orders = known.fold.orders.open.values()
    states = [OrderState(x.order, x.status, x.cum_lots, x.leaves_lots) for x in orders]
    execution = StandingExecution(states, known.fold.report_sequence)
    journal = NatsJournal(bus)
    ports = Ports(bus, journal, NatsLease(bus), execution, WallClock(), Snapshots(journal))
    service, stop = ManagerService(setup, ports, "new"), asyncio.Event()
    began_s, began_cpu_s = time.perf_counter(), time.process_time()
    running = asyncio.create_task(service.run(stop))
    loaded_s = await _until(lambda: service.state.journal_sequence >= known.journal_sequence, running) - began_s
    leading_s = await _until(lambda: service.leading, running) - began_s
    cpu_s = time.process_time() - began_cpu_s
    stop.set()
    await running
    return loaded_s, leading_s, cpu_s


async def from_snapshot(bus: NatsBus, setup: ManagerSetup) -> ManagerState:
    """Snapshot and tail without a clock, to compare with the whole journal."""
    journal = NatsJournal(bus)
    state = await Snapshots(journal).load(setup) or start(setup)
    async for data in journal.read(state.journal_sequence + 1):
        apply(state, codec.decode_journal_entry(data))
    return state


async def _until(done: Callable[[], bool], running: asyncio.Task[str]) -> float:
    while not done():
        if running.done():
            raise RuntimeError(f"the manager ended: {running.result()}")
        await asyncio.sleep(0.002)
    return time.perf_counter()


def measured(folder: Path, events: int = EVENTS, every: int = SNAPSHOT_EVERY) -> Measured:
    """Everything, on a server of its own in ``folder``."""
    prepared, journal = session()
    setup = ManagerSetup(
        prepared.source.universe, prepared.book, prepared.settings.manager, prepared.limits, prepared.run_id
    )
    cut = max(events - every + 1, 1)
    settings = nats_server.prepare(folder)
    began_s = time.perf_counter()
    server = nats_server.start(folder, sync_always=False)
    try:
        tail_from, size = uvloop.run(filled(settings.url, Repeated(journal, events), cut))
    finally:
        server.stop()
    fill_s = time.perf_counter() - began_s
    server = nats_server.start(folder)
    try:
        found: Measured = uvloop.run(_measure(settings.url, setup, cut, tail_from, fill_s, size))
        return found
    finally:
        server.stop()


async def _measure(url: str, setup: ManagerSetup, cut: int, tail_from: int, fill_s: float, size: int) -> Measured:
    async with await NatsBus.connect(url, "bench") as bus:
        scratch_s, scratch_cpu_s, data, known = await from_scratch(bus, setup, cut)
        leader = NatsJournal(bus)
        await leader.take_over("old")
        await leader.store_snapshot(FoldSnapshot(cut, tail_from, data))
        await leader.close()
        if state_hash(await from_snapshot(bus, setup)) != state_hash(known):
            raise RuntimeError("snapshot and tail give another state than the whole journal")
        loaded_s, leading_s, cpu_s = await new_leader(bus, setup, known)
    tail = known.journal_sequence - cut
    return Measured(scratch_s, scratch_cpu_s, loaded_s, leading_s, cpu_s, fill_s, len(data), size, tail)


@bench(
    "journal.takeover_1m",
    "journal.takeover_1m_loaded",
    "journal.takeover_1m_from_scratch",
    what="a new leader over a journal of 1,000,000 events: from a snapshot, and from the first entry",
    minutes=8,
)
def takeover(context: Context) -> Iterable[Row]:
    """Load, stand by, fence, lead."""
    events = int(context.options.get("events", EVENTS))
    m = measured(context.scratch / "takeover-nats", events)
    of = f"{events:,} events, {m.journal_bytes / 2**20:,.0f} MiB, snapshot {m.snapshot_bytes / 2**20:.1f} MiB"
    of = f"{of}, tail {m.tail:,}; {m.leading_cpu_s:.1f} s of CPU"
    what = f"from a new manager's start to its leading, its wait for a warmer standby included; {of}"
    yield Row("journal.takeover_1m", what, round(m.leading_s, 2), "s", f"≤ {BAR_S:g} s", m.leading_s <= BAR_S)
    what = "of that, until snapshot and tail are folded and the state is that of the whole journal, by hash"
    yield Row("journal.takeover_1m_loaded", what, round(m.loaded_s, 2), "s", "", True)
    what = f"the same journal folded from its first entry, {m.scratch_cpu_s:.0f} s of CPU; filled in {m.fill_s:.0f} s"
    yield Row("journal.takeover_1m_from_scratch", what, round(m.scratch_s, 2), "s", "", True)
