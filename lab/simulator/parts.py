"""The processes of a simulated run. Manager, agents and execution are the real shells; only their wiring stands here.

| process | real code that runs | wiring mirrored from |
|---|---|---|
| manager-* | ``ManagerService``, ``NatsJournal``, ``NatsLease``, ``ExecutionClient`` | ``deploy/roles.py`` ``_manager`` |
| execution | ``Engine``, ``ExecutionServicer``, ``ReferenceFeed`` | ``execution/service.py`` ``serve`` |
| gamma-*, vega-* | ``AgentShell`` | ``agents/actor.py`` |
| feed | (the synthetic market) | ``deploy/feed.py``: record, stand, publish; answers snapshots |

*Tested by* tests/simulation/test_simulator_world.py.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from agents.shell import AgentShell
from common import subjects
from common.bus.nats_journal import NatsJournal
from common.bus.nats_lease import NatsLease
from common.execution_client import ExecutionClient
from common.messages import Header, Heartbeat, OrderAck, QuoteBatch
from common.parameters import values_of
from common.snapshot import MarketSnapshot
from common.units import NS_PER_S
from common.wire import codec
from execution.config import ExecutionConfig
from execution.engine import Engine
from execution.events import Record
from execution.reconciler import Reconciler
from execution.reference import ReferenceFeed
from execution.servicer import ExecutionServicer
from execution.state import ExecutionSetup, ExecutionState, start
from execution.store import MemoryStore
from lab.simulator.exchange import Exchange, VenueLink
from lab.simulator.market import SPEED, STEP_S, Setting
from lab.simulator.nats import NatsServer, SimBus
from lab.simulator.wire import Wire
from lab.simulator.world import START_NS, Process, World
from manager.service import ManagerService, Ports
from manager.state import ManagerSetup

RUN_ID = "simulated"
#: Wall seconds; live a minute and five seconds. The tolerance is longer than a message takes and an unknown order stays so.
RECONCILE_EVERY_S = 1.0
RECONCILE_TOLERANCE_S = 1.2
#: Live ten.
ALONE_S = 1.0
#: Of the feed, as live.
_BEAT_S = 1.0
Heard = Callable[[QuoteBatch], None]


def publish_reference(nats: NatsServer, setting: Setting) -> None:
    """What ``deploy/setup.py`` puts there before anybody starts."""
    config = json.dumps({"agents": setting.agents.model_dump()}).encode()
    nats.store(subjects.UNIVERSE, codec.encode_universe(setting.universe), {})
    nats.store(subjects.BOOK, codec.encode_book(setting.book), {})
    nats.store(subjects.CONFIG, config, {})


class Managers:
    """Manager processes and, of those that live, the real service inside."""

    def __init__(self, world: World, nats: NatsServer, setting: Setting, names: Sequence[str]) -> None:
        self._nats = nats
        self._setting = setting
        self.services: dict[str, ManagerService] = {}
        self.processes = [Process(world, name, self._main) for name in names]

    async def _main(self, process: Process) -> str:
        s = self._setting
        setup = ManagerSetup(s.universe, s.book, s.manager, s.limits, RUN_ID, values_of(s.agents.model_dump()))
        bus: Any = SimBus(self._nats, process)  # what journal and lease use of a NatsBus, on simulated operations
        acks: list[Callable[[OrderAck], None]] = []
        async with ExecutionClient(process.name, lambda ack: acks[0](ack)) as client:
            lease = NatsLease(bus, token=f"{process.name}-{process.starts}")
            ports = Ports(bus, NatsJournal(bus), lease, client, process)
            service = ManagerService(setup, ports, process.name)
            self.services[process.name] = service
            acks.append(service.on_ack)
            return await service.run(asyncio.Event())

    def living(self) -> list[ManagerService]:
        """Services whose process lives."""
        return [self.services[p.name] for p in self.processes if p.alive and p.name in self.services]

    def leaders(self) -> list[ManagerService]:
        """Those that believe they lead."""
        return [s for s in self.living() if s.leading]


class DurableStore(MemoryStore):
    """Execution's store. It outlives the process; a commit is one act, done whole or not at all.

    ``MemoryStore`` keeps the contract of the SQLite store (one suite for both, tests/contract/test_execution_store.py).
    """

    def __init__(self) -> None:
        super().__init__()
        self.on_commit: list[Callable[[Sequence[Record]], None]] = []
        self.process: Process | None = None

    def commit(self, records: Sequence[Record]) -> None:
        """See ``Store.commit``; the run may crash before or after it."""

        def write() -> None:
            MemoryStore.commit(self, records)
            for told in self.on_commit:
                told(records)

        if self.process is not None and self.process.alive:
            self.process.act("commit", write)
        else:
            write()


class Execution:
    """The execution process; ``state`` is that of the service now running."""

    def __init__(self, world: World, nats: NatsServer, wire: Wire, exchange: Exchange, setting: Setting) -> None:
        self._nats, self._wire, self._exchange, self._setting = nats, wire, exchange, setting
        self.store = DurableStore()
        self.state: ExecutionState | None = None
        self.on_quotes: list[Heard] = []
        self.on_life: list[Callable[[], None]] = []
        self.process = Process(world, "execution", self._main)
        self.store.process = self.process

    async def _main(self, process: Process) -> str:
        setting = self._setting
        config = ExecutionConfig(
            store=Path("store"),
            limits=setting.execution_limits,
            speed=SPEED,
            cancel_alone_s=ALONE_S,
            reconcile_every_s=RECONCILE_EVERY_S,
            reconcile_tolerance_s=RECONCILE_TOLERANCE_S,
        )
        state = start(ExecutionSetup(setting.universe, config.limits, self.store.load()))
        for told in self.on_life:
            told()
        link = VenueLink(self._exchange, process)
        engine = Engine(config, state, self.store, link, process, lambda source: feed.heal(source))
        reconciler = Reconciler(engine, config, process)

        def gapped(source: str) -> bool:
            seen = state.snapshot.sources.get(source)
            return seen is not None and seen.gapped

        def take(batch: QuoteBatch) -> None:
            for told in self.on_quotes:
                told(batch)
            engine.take_quotes(batch)

        bus = SimBus(self._nats, process)
        feed = ReferenceFeed(
            bus,
            setting.universe,
            take,
            gapped,
            bound=config.quotes_bound,
            timeout_s=config.snapshot_timeout_s,
        )
        self.state = state
        await engine.recover()
        running = asyncio.get_running_loop()
        working, reconciling = running.create_task(engine.run()), running.create_task(reconciler.run())
        await feed.start()
        self._wire.serve(process, ExecutionServicer(engine, process, reconciler))
        process.say(f"serves; trading is {state.trading.state.name}, epoch {state.epoch}")
        await asyncio.wait({working, reconciling}, return_when=asyncio.FIRST_COMPLETED)
        engine.stop()
        reconciling.cancel()
        failures = await asyncio.gather(working, reconciling, return_exceptions=True)
        failure = next((f for f in failures if isinstance(f, Exception)), None)
        if failure is not None:
            raise failure
        return "stopped"


def agent_process(world: World, nats: NatsServer, kind: str, shard: int, shells: dict[str, AgentShell]) -> Process:
    """An agent; its incarnation is its number of starts, as the fleet gives it. ``shells`` gets the shell of each life."""

    async def main(process: Process) -> str:
        shell = AgentShell(SimBus(nats, process), kind, shard, process.starts, process)
        shells[process.name] = shell
        await shell.run(asyncio.Event())
        return "stopped"

    return Process(world, f"{kind}-{shard}", main)


class Feed:
    """The market: recorded first, then published; what is recorded outlives a crash, as ``market.bin`` does."""

    def __init__(
        self,
        world: World,
        nats: NatsServer,
        exchange: Exchange,
        setting: Setting,
        path: Iterator[list[QuoteBatch]],
    ) -> None:
        self._nats, self._exchange, self._setting = nats, exchange, setting
        self._path = path
        #: Every batch by source, in the order of its sequence from 1.
        self.recorded: dict[str, list[QuoteBatch]] = defaultdict(list)
        #: Source that says nothing until a wall time: it goes silent while others move on.
        self.silent: dict[str, int] = {}
        self.standing = MarketSnapshot(setting.universe)
        #: Beats, batches and answers it has sent.
        self.said = 0
        self.process = Process(world, "feed", self._main)
        self._begun_ns: int | None = None
        self._beating: asyncio.Task[None] | None = None
        self._steps = 0

    async def _main(self, process: Process) -> str:
        bus = SimBus(self._nats, process)
        await bus.serve(subjects.snapshot("*"), self._answer)
        self._beating = asyncio.get_running_loop().create_task(self._beat(bus, process))
        if self._begun_ns is None:
            self._begun_ns = process.world.now_ns
        while True:
            due_ns = self._begun_ns + round(self._steps * STEP_S / SPEED * NS_PER_S)
            if due_ns > process.world.now_ns:
                await process.sleep((due_ns - process.world.now_ns) / NS_PER_S)
            self._steps += 1
            for batch in next(self._path):
                await self._publish(bus, process, batch)

    async def _beat(self, bus: SimBus, process: Process) -> None:
        for number in count(1):
            self.said += 1
            beat = Heartbeat(Header("feed", number, self.standing.now_ns, process.wall_ns()), process.starts, "feeding")
            await bus.publish(subjects.MARKET_HEARTBEAT, codec.encode_heartbeat(beat))
            await process.sleep(_BEAT_S)

    async def _publish(self, bus: SimBus, process: Process, batch: QuoteBatch) -> None:
        source = batch.header.source
        if process.world.now_ns < self.silent.get(source, 0):
            return
        sequence = len(self.recorded[source]) + 1
        stamped = replace(batch, header=replace(batch.header, sequence=sequence, receive_time_ns=process.wall_ns()))

        def record() -> None:
            self.recorded[source].append(stamped)
            self._exchange.quote(stamped)
            self.standing.apply(stamped)

        process.act("record", record)
        self.said += 1
        process.say(f"{source}:{sequence} of market time {_market_s(batch):.0f} s")
        await bus.publish(subjects.quotes(source.partition(".")[2]), codec.encode_quote_batch(stamped))

    async def _answer(self, subject: str, _: bytes) -> bytes:
        self.said += 1
        batch = self.standing.as_batch(subject.rpartition(".")[2])
        stamp = replace(batch.header, receive_time_ns=self.process.wall_ns())
        return codec.encode_quote_batch(replace(batch, header=stamp))


def _market_s(batch: QuoteBatch) -> float:
    return (batch.header.event_time_ns - START_NS) / NS_PER_S


def direct_client(process: Process) -> Any:
    """The command line's own line to execution (``hedgerow kill --direct``)."""
    return ExecutionClient(process.name)
