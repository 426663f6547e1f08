"""The NATS loop of one agent: everything outside that its pure ``step`` needs, and nothing that decides.

Guarantees
- Events reach ``step`` in the order in which they arrived; ``Decide`` follows whenever nothing is left to apply, so
  that batches pile up rather than decisions.
- Bounded: at most ``DATA_BOUND`` undecoded batches in the inbox and as many held back per underlying. Beyond, the
  oldest are dropped, which shows as a gap in the sequence; the agent falls silent for that underlying until a
  snapshot has healed it.
- No state of its own that matters: universe, book and configuration come from the reference stream, positions,
  budgets and assignment from their last values, quotes from a snapshot. A restart is a new incarnation and needs
  nothing else.
- It beats only while it hears: an agent whose connection carries one way only is covered and replaced like one that hangs.
- Kernels run on the loop (they take microseconds), but are compiled or loaded from their cache before the first
  event, in a thread, while heartbeats go out.

*Tested by* tests/integration/test_agents_shell.py, tests/integration/test_agents_shell_nats.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections import Counter
from collections.abc import Callable

import psutil

from agents.fitting import fitting
from agents.intake import QUOTES, Arrival, Durations, Gate, Inbox, LoadMeter
from agents.reference import fetch_setup
from agents.status import LOADING
from agents.step import AgentEvent, AgentState, Decide, start, step
from agents.successor import load
from common import subjects
from common.bus.delivery import REASON_MAX
from common.bus.hearing import Hearing
from common.errors import Refused, Unavailable
from common.factors import agent_name
from common.messages import ENDED, AssignmentUpdate, Header, Heartbeat, Proposal
from common.ports import Bus, Clock, Subscription
from common.wire import codec

#: Quote batches kept undecoded in the inbox, and held back per underlying while a snapshot is on its way.
DATA_BOUND = 4096
HEARTBEAT_S = 0.25
STOP_TIMEOUT_S = 1.0
SNAPSHOT_TIMEOUT_S = 1.0
#: Wait before asking for another snapshot of one underlying (a snapshot is the whole chain); doubled if the last one
#: did not help.
SNAPSHOT_SPACING_S = 0.05

log = logging.getLogger(__name__)

_STATE_STREAMS: dict[str, tuple[str, Callable[[bytes], AgentEvent]]] = {
    "positions": (subjects.POSITIONS, codec.decode_position_update),
    "budgets": (subjects.BUDGETS, codec.decode_budget_update),
    "assignment": (subjects.ASSIGNMENT, codec.decode_assignment_update),
    "parameters": (subjects.PARAMETERS, codec.decode_agent_parameters),
}


async def run_agent(
    bus: Bus, kind: str, shard: int, incarnation: int, clock: Clock, stop: asyncio.Event, *, node: str = ""
) -> None:
    """Run the agent ``kind-shard`` until ``stop`` is set; ``incarnation`` rises with every start of the same agent.
    ``node`` is where it runs, for its heartbeats.

    Waits for the reference data as long as it takes. Raises what is not worth waiting for: ``errors.Refused`` for
    reference data that do not decode, ``pydantic.ValidationError`` for a configuration that makes no sense.
    """
    await AgentShell(bus, kind, shard, incarnation, clock, node).run(stop)


class AgentShell:
    """One agent's subscriptions, gates, heartbeat and counters."""

    def __init__(self, bus: Bus, kind: str, shard: int, incarnation: int, clock: Clock, node: str = "") -> None:
        self.kind, self.shard, self.node = kind, shard, node
        self.name = agent_name(kind, shard)
        self.incarnation = incarnation
        self._bus, self._clock = bus, clock
        self._hearing = Hearing(bus, self.name, incarnation)
        self._state: AgentState | None = None
        self._ended = ""
        self._inbox = Inbox(DATA_BOUND)
        self._wake = asyncio.Event()
        self._gates: dict[str, Gate] = {}
        self._quotes: dict[str, Subscription] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}
        #: Snapshots in a row that did not open the gate; present once one was asked for.
        self._fruitless: Counter[str] = Counter()
        self._undecided = False
        self._assignment_version = 0
        self._now_ns = 0
        self._counts: Counter[str] = Counter()
        self._decided = Durations()
        self._load = LoadMeter()
        self._process = psutil.Process()

    async def run(self, stop: asyncio.Event) -> None:
        """See `run_agent`."""
        watches: list[Subscription] = []
        async with asyncio.TaskGroup() as tasks:
            helpers = [tasks.create_task(self._beat()), tasks.create_task(self._wake_on(stop))]
            try:
                setup = await fetch_setup(self._bus, self.kind, self.shard, self.incarnation, stop)
                if setup is not None:
                    await load(setup)
                    self._state = start(setup)
                    for stream, (subject, _) in _STATE_STREAMS.items():
                        watches.append(await self._bus.watch(subject, self._latest(stream)))
                    await self._work(stop, tasks)
            finally:
                for task in (*helpers, *self._asking.values()):
                    task.cancel()
                with contextlib.suppress(TimeoutError):  # a connection that hangs must not keep the process
                    async with asyncio.timeout(STOP_TIMEOUT_S):
                        for subscription in (*watches, *self._quotes.values()):
                            await subscription.stop()
                        await self._hearing.stop()
        self._ended = ENDED
        await self._publish_heartbeat()

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

    # -- arrivals --------------------------------------------------------------------------------------------------

    def _on_quotes(self, _subject: str, data: bytes) -> None:
        self._inbox.put_batch(data)
        self._wake.set()

    def _latest(self, stream: str) -> Callable[[str, bytes], None]:
        def on_value(_subject: str, data: bytes) -> None:
            self._inbox.put_latest(stream, data)
            self._wake.set()

        return on_value

    async def _work(self, stop: asyncio.Event, tasks: asyncio.TaskGroup) -> None:
        while not stop.is_set():
            await self._wake.wait()
            self._wake.clear()
            began_ns = self._clock.wall_ns()
            for arrival in self._inbox.take():
                await self._take(arrival)
            if self._undecided:
                self._undecided = False
                await self._decide()
            self._load.worked(self._clock.wall_ns() - began_ns)
            await self._follow_symbols()
            self._ask_for_snapshots(tasks)

    async def _take(self, arrival: Arrival) -> None:
        try:
            events = self._events(arrival)
        except Refused as error:
            self._counts["malformed"] += 1
            if self._counts["malformed"] & (self._counts["malformed"] - 1) == 0:  # the 1st, 2nd, 4th, ...
                told = str(error)[:REASON_MAX]
                log.error("%s ignores a malformed message on %s: %s", self.name, arrival.stream, told)
            return
        for event in events:
            await self._step(event)
            self._undecided = True

    def _events(self, arrival: Arrival) -> list[AgentEvent]:
        """What an arrival means for ``step``: nothing, itself, or a snapshot with the batches it had held back.

        Raises ``Refused`` for what does not decode or does not fit this agent's universe.
        """
        assert self._state is not None
        if arrival.stream in _STATE_STREAMS:
            event = fitting(self._state.setup, _STATE_STREAMS[arrival.stream][1](arrival.data))
            if isinstance(event, AssignmentUpdate):
                self._assignment_version = event.version
            return [event]
        healing = arrival.stream != QUOTES
        symbol = arrival.stream.partition(".")[2]
        if healing:
            self._asking.pop(symbol, None)
        batch = self._state.snapshot.check(codec.decode_quote_batch(arrival.data))
        gate = self._gates.get(batch.header.source)
        if gate is None:  # no longer ours
            return []
        passed = gate.heal(batch) if healing else gate.offer(batch)
        if healing:
            self._fruitless[symbol] = self._fruitless[symbol] + 1 if gate.waiting else 0
        self._counts["batches"] += len(passed)
        for b in passed:
            self._now_ns = max(self._now_ns, b.header.event_time_ns)
            if not healing and b.header.receive_time_ns:
                self._load.waited(self._clock.wall_ns() - b.header.receive_time_ns)
        return [*passed]

    async def _decide(self) -> None:
        began = self._clock.wall_ns()
        await self._step(Decide())
        self._decided.add(self._clock.wall_ns() - began)

    async def _step(self, event: AgentEvent) -> None:
        assert self._state is not None
        self._state, proposals = step(self._state, event)
        for proposal in proposals:
            await self._propose(proposal)

    async def _propose(self, proposal: Proposal) -> None:
        try:
            await self._bus.publish(subjects.proposal(self.name), codec.encode_proposal(proposal))
            self._counts["proposals"] += 1
        except Unavailable as error:
            # The data plane may lose it: the next decision states the whole wish again.
            log.warning("%s could not send proposal %s: %s", self.name, proposal.header.id, error)

    # -- which quotes ----------------------------------------------------------------------------------------------

    async def _follow_symbols(self) -> None:
        """Subscribe to the underlyings of the present keys, and to no others."""
        assert self._state is not None
        wanted = set(self._state.symbols)
        for symbol in self._quotes.keys() - wanted:
            await self._quotes.pop(symbol).stop()
            self._counts["gaps"] += self._gates.pop(subjects.feed_source(symbol)).lost
            if (task := self._asking.pop(symbol, None)) is not None:
                task.cancel()
        for symbol in sorted(wanted - self._quotes.keys()):
            self._gates[subjects.feed_source(symbol)] = Gate(DATA_BOUND)
            self._quotes[symbol] = await self._bus.subscribe(subjects.quotes(symbol), self._on_quotes, bound=DATA_BOUND)

    def _ask_for_snapshots(self, tasks: asyncio.TaskGroup) -> None:
        assert self._state is not None
        for symbol in self._quotes:
            source = subjects.feed_source(symbol)
            seen = self._state.snapshot.sources.get(source)
            gate = self._gates[source]
            # ``step`` may have forgotten what it knew (its record was full), which the gate cannot see.
            gate.waiting |= seen.gapped if seen is not None else gate.sequence > 0
            if gate.waiting and symbol not in self._asking:
                self._asking[symbol] = tasks.create_task(self._ask_for_snapshot(symbol))

    async def _ask_for_snapshot(self, symbol: str) -> None:
        """Ask until the feed answers; the answer queues up behind what has arrived. Asking again waits first."""
        if symbol in self._fruitless:
            await asyncio.sleep(min(SNAPSHOT_SPACING_S * 2 ** self._fruitless[symbol], SNAPSHOT_TIMEOUT_S))
        self._fruitless.setdefault(symbol, 0)
        while True:
            try:
                data = await self._bus.request(subjects.snapshot(symbol), b"", timeout_s=SNAPSHOT_TIMEOUT_S)
                break
            except (Unavailable, Refused):  # nobody there, or too many ask at once
                await asyncio.sleep(SNAPSHOT_SPACING_S)
        self._inbox.put_latest(f"snapshot.{symbol}", data)
        self._wake.set()

    # -- sign of life ----------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        while True:
            await self._publish_heartbeat()
            await self._hearing.wait(HEARTBEAT_S)

    async def _publish_heartbeat(self) -> None:
        try:
            await self._bus.publish(subjects.heartbeat(self.name), codec.encode_heartbeat(self.heartbeat()))
        except Unavailable as error:
            log.warning("%s could not send a heartbeat: %s", self.name, error)

    def heartbeat(self) -> Heartbeat:
        """What the agent says of itself now; must be called on its loop."""
        state = self._state
        loop = type(asyncio.get_running_loop())
        self._counts["heartbeats"] += 1
        busy_share, lag_us = self._load.read(self._clock.wall_ns())
        return Heartbeat(
            header=Header(self.name, self._counts["heartbeats"], self._now_ns, self._clock.wall_ns()),
            incarnation=self.incarnation,
            state=self._ended or (LOADING if state is None else state.status),
            loop=f"{loop.__module__}.{loop.__qualname__}",
            pid=os.getpid(),
            proposals=self._counts["proposals"],
            batches=self._counts["batches"],
            gaps=min(self._counts["gaps"] + sum(gate.lost for gate in self._gates.values()), 2**63 - 1),
            decide_p50_us=self._decided.percentile_us(50.0),
            decide_p99_us=self._decided.percentile_us(99.0),
            rss_bytes=int(self._process.memory_info().rss),
            unusable_quotes=0 if state is None else state.unusable_quotes,
            keys=() if state is None else state.keys,
            assignment_version=self._assignment_version,
            busy_share=busy_share,
            lag_us=lag_us,
            node=self.node,
        )
