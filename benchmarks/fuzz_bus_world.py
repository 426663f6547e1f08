"""A small Hedgerow on a bus in memory, for fuzzing: real manager, agents, fleet and reference feed; stubs of execution and feed.

The feed goes on quoting and answers for its standing quotes, so what a mutated message has stopped can come back. Execution
notes what the manager asks of it and fills every order at its limit. Trading is killed, or active, as the world is told.
*Tested by* tests/properties/test_fuzz_bus.py.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final

from agents.fleet import Fleet
from agents.shell import AgentShell
from common import subjects
from common.bus.memory_bus import MemoryBus, MemoryJournal, MemoryKey, MemoryLease, MemoryLog
from common.clock import WallClock
from common.control_messages import Command
from common.errors import HedgerowError
from common.execution_client import ExecutionClient, Fenced
from common.messages import ExecutionReport, Order, OrderState, OrdStatus, QuoteBatch, Refusal, TradingState
from common.parameters import values_of
from common.ports import Bus, Responder
from common.snapshot import MarketSnapshot
from common.tasks import end
from common.wire import codec
from execution.reference import ReferenceFeed
from lab.simulator.market import (
    AGENTS,
    MANAGER,
    MAX_LOTS,
    Setting,
    book_of,
    execution_limits_of,
    limits_of,
    owners,
    path_of,
    universe_of,
)
from manager.service import ManagerService, Ports
from manager.state import ManagerSetup

SYMBOLS: Final = ("AAA", "BBB")
RUN_ID: Final = "fuzzed"
#: Turns of the loop in which everybody has taken in what was said.
TURNS: Final = 10


def setting() -> Setting:
    """The simulator's small market with one agent of each kind it knows."""
    universe = universe_of(SYMBOLS)
    limits = limits_of(10**6, 1e12, MAX_LOTS)
    return Setting(
        universe, book_of(universe, random.Random(1)), limits, execution_limits_of(MAX_LOTS, 10**6), AGENTS, MANAGER
    )


class Desk(ExecutionClient):
    """Execution as the manager meets it; ``orders`` is what it was asked to send."""

    def __init__(self, state: TradingState) -> None:
        self.state = state
        self.orders: list[Order] = []
        self._epoch = 0
        self._reports: list[ExecutionReport] = []
        self._news = asyncio.Event()

    async def fence(self, epoch: int, _holder: str) -> Fenced:
        """Taken."""
        self._epoch = epoch
        return Fenced(epoch, True, 0)

    async def list_orders(self, **_: bool) -> tuple[OrderState, ...]:
        """Nothing is open."""
        return ()

    async def status(self) -> dict[str, object]:
        """Nothing to say."""
        return {}

    async def set_trading_state(self, state: TradingState, _who: str, _why: str, _scope: str = "") -> int:
        """As told."""
        self.state = state
        return 0

    async def submit(self, orders: Sequence[Order]) -> None:
        """Filled in full at the limit."""
        for order in orders:
            self.orders.append(order)
            number = len(self._reports) + 1
            self._reports.append(_filled(order, number))
        self._news.set()

    async def cancel(self, _ids: Sequence[str], _epoch: int) -> None:
        """Too late."""

    async def reports(self, from_sequence: int) -> AsyncIterator[ExecutionReport]:
        """All, then the new ones."""
        while True:
            while from_sequence <= len(self._reports):
                yield self._reports[from_sequence - 1]
                from_sequence += 1
            self._news.clear()
            await self._news.wait()


def _filled(order: Order, number: int) -> ExecutionReport:
    lots, ticks, at = order.quantity_lots, order.limit_ticks, order.instrument
    quote = (order.arrival_bid_ticks, order.arrival_ask_ticks)
    return ExecutionReport(number, f"E{number}", order.client_order_id, OrdStatus.FILLED, lots, ticks, lots, 0, 0, at, order.side,
        Refusal.NONE, "", order.event_time_ns, 0, *quote)  # fmt: skip


class Host:
    """Agents of the fleet that run elsewhere: here."""

    def start(self, name: str) -> None:
        """It runs already."""

    def gone(self, _pids: Mapping[str, int]) -> set[str]:
        """Nobody."""
        return set()

    def replace(self, name: str, pid: int) -> None:
        """It runs on."""

    def nodes(self) -> tuple[str, ...]:
        """One."""
        return ("here",)

    def load(self, name: str, node: str) -> None:
        """There is nowhere else."""

    def drop(self, name: str) -> None:
        """There is none."""

    def succeed(self, name: str, pid: int) -> None:
        """There is none."""

    def move(self, name: str, node: str) -> None:
        """There is nowhere else."""

    def stop(self, name: str, timeout_s: float) -> None:
        """It runs on."""


class Feed:
    """Quotes on, step by step, and answers for what stands."""

    def __init__(self, bus: Bus, made: Setting) -> None:
        self._bus = bus
        self._path = path_of(made.universe, random.Random(2), 10**9)
        self.standing = MarketSnapshot(made.universe)
        self.asked = 0

    async def step(self) -> None:
        """The next batch of every underlying."""
        for batch in next(self._path):
            self.standing.apply(batch)
            await self._bus.publish(subjects.quotes(_symbol(batch)), codec.encode_quote_batch(batch))

    async def answer(self, subject: str, _: bytes) -> bytes:
        """Every standing quote."""
        self.asked += 1
        return codec.encode_quote_batch(self.standing.as_batch(subject.rpartition(".")[2]))


def _symbol(batch: QuoteBatch) -> str:
    return batch.header.source.partition(".")[2]


class World:
    """All of it, from the first quote to an assignment that holds."""

    def __init__(
        self,
        state: TradingState,
        audited: Callable[[Responder], Responder] = lambda responder: responder,
        *,
        keeps: bool = True,
        bus: Bus | None = None,
    ) -> None:
        self.made = setting()
        #: Another bus than one in memory needs time, not turns, until everybody has heard.
        self._pause_s = 0.0 if bus is None else 0.004
        self.bus: Bus = bus or MemoryBus()
        self.log = MemoryLog()
        self.desk, self.feed = Desk(TradingState.ACTIVE), Feed(self.bus, self.made)
        self._wanted, self._keeps = state, keeps
        s = self.made
        setup = ManagerSetup(s.universe, s.book, s.manager, s.limits, RUN_ID, values_of(s.agents.model_dump()))
        lease = MemoryLease(MemoryKey(), WallClock(), ttl_s=3600.0)
        ports = Ports(self.bus, MemoryJournal(self.log), lease, self.desk, WallClock(), audited=audited)
        self.manager = ManagerService(setup, ports, "manager-a")
        self.agents = [AgentShell(self.bus, k, n, 1, WallClock()) for k, n in (("gamma", 0), ("gamma", 1), ("vega", 0))]
        self.fleet = Fleet(self.bus, Host(), WallClock(), audited=audited)
        self.reference_quotes = MarketSnapshot(s.universe)
        self.reference = ReferenceFeed(
            self.bus, s.universe, self._referred, lambda source: self.reference_quotes.sources[source].gapped
            if source in self.reference_quotes.sources else False, bound=4096, timeout_s=0.5,
        )  # fmt: skip
        self._stop = asyncio.Event()
        self.tasks: dict[str, asyncio.Task[object]] = {}

    def _referred(self, batch: QuoteBatch) -> None:
        self.reference_quotes.apply(batch)

    async def __aenter__(self) -> World:
        s = self.made
        config = json.dumps({"agents": s.agents.model_dump()}).encode()
        await self.bus.put(subjects.UNIVERSE, codec.encode_universe(s.universe))
        await self.bus.put(subjects.BOOK, codec.encode_book(s.book))
        await self.bus.put(subjects.CONFIG, config)
        await self.bus.serve(subjects.snapshot("*"), self.feed.answer)
        start = asyncio.create_task
        self.tasks["manager"] = start(self.manager.run(self._stop))
        await self._until(lambda: self.manager.leading, "a leading manager")
        await self.command("assign", json.dumps({"owner": owners(s.universe, s.book, 0)}))
        for agent in self.agents:
            self.tasks[agent.name] = start(agent.run(self._stop))
        self.tasks["fleet"] = start(self.fleet.run(self._stop))
        await self.reference.start()
        await self.feed.step()
        await self._until(
            lambda: all(a.heartbeat().state == "hedging" for a in self.agents), "agents that hedge", step=True
        )
        if self._wanted is TradingState.KILLED:
            await self.command("kill", "{}")
        await self.settle()
        self.desk.orders.clear()
        return self

    async def _until(self, holds: Callable[[], bool], what: str, *, step: bool = False) -> None:
        async with asyncio.timeout(60.0):
            while not holds():
                if self.died():
                    raise AssertionError(f"no {what}: {self.died()}")
                await asyncio.sleep(0.01)
                if step:
                    await self.feed.step()

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await self.reference.stop()
        await asyncio.wait(self.tasks.values(), timeout=5.0)
        await end(self.tasks.values())

    async def command(self, action: str, arguments: str) -> bool:
        """A command of the world's own; whether it was accepted."""
        order = Command(f"world-{action}", action, "world", "as the part wants it", arguments)
        data = await self.bus.request(subjects.control(action), codec.encode_command(order), timeout_s=10.0)
        return codec.decode_acknowledgement(data).accepted

    async def settle(self) -> None:
        """Everybody has taken in what was said."""
        for _ in range(TURNS):
            await asyncio.sleep(0)
        if self._pause_s:
            await asyncio.sleep(self._pause_s)
        if not self._keeps:
            self.log.entries.clear()

    def died(self) -> str:
        """Who has ended, and of what."""
        return "; ".join(
            f"{name} ended: {task.exception()!r}" if task.exception() else f"{name} ended: {task.result()}"
            for name, task in self.tasks.items()
            if task.done() and not task.cancelled()
        )[:300]

    def steered(self) -> tuple[object, ...]:
        """What only a command may change."""
        fold = self.manager.state.fold
        cause = "" if fold.assignment is None else fold.assignment.header.cause_id
        # The fleet gives keys to others by itself where an agent seems to be ill, as mutated heartbeats may well say.
        assigned = "" if cause.startswith(("assign-", "world-")) else cause
        return (
            self.desk.state, fold.trading, dict(fold.holds), fold.limits.version, len(fold.parameters), assigned,
            len(fold.imports.trades), dict(self.fleet.known.desired),
        )  # fmt: skip

    async def answers(self, timeout_s: float) -> str:
        """Why a question for the status is not answered in time; empty where it is."""
        try:
            json.loads(await self.bus.request(subjects.STATUS, b"", timeout_s=timeout_s))
        except HedgerowError as error:
            return str(error)
        return ""
