"""Agents, manager and execution in one process under a virtual clock: the same cores as live, without Ray, NATS or gRPC.

The loop takes the earliest thing that happens next: the batches of one market time, or something due at the venue. In one
instant: quotes meet the venue, the manager and the agents; agents decide; proposals reach the manager; the manager decides;
orders reach execution; reports and new positions go back. That repeats until nobody has anything to say. Wall time is 0.
*Tested by* tests/simulation/test_closed_loop_conservation.py, tests/simulation/test_closed_loop_determinism.py.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from agents.config import AgentsConfig
from agents.sharding import all_keys, assign
from agents.step import AgentSetup, AgentState, Decide, start, step
from common.control_messages import Acknowledgement, Command, Cycle, JournalEntry
from common.factors import VEGA
from common.limits import Limits
from common.messages import (
    I64,
    AgentParameters,
    AssignmentUpdate,
    BudgetUpdate,
    ExecutionReport,
    Order,
    OrderState,
    PositionUpdate,
    QuoteBatch,
)
from common.parameters import values_of
from common.ports import MarketSource
from common.universe import Book
from execution.config import ExecutionConfig
from execution.inprocess import InProcessExecution
from manager import events as ev
from manager import step as manager
from manager.config import ManagerConfig
from manager.hash import order_hash

Mode = Literal["joint", "plain", "alone", "none", "delta_only"]
MODES: tuple[Mode, ...] = ("joint", "plain", "alone", "none", "delta_only")
HOLDER, EPOCH = "closed loop", 1
#: Exchanges between agents, manager and execution in one instant; what is left is said at the next one.
MAX_ROUNDS = 32
_Update = PositionUpdate | BudgetUpdate | AssignmentUpdate | AgentParameters


@dataclass(frozen=True)
class RunResult:
    """What a run leaves behind: the manager's journal and its own count ``traded_lots`` (n,), execution's orders."""

    run_id: str
    entries: tuple[JournalEntry, ...]
    traded_lots: I64
    order_states: tuple[OrderState, ...]
    quotes: int
    batches: int
    instants: int
    #: Of each desk, crossings included, (desks, n); the manager's own count as well.
    desk_lots: I64 = field(default_factory=lambda: np.zeros((1, 0), np.int64))

    @property
    def orders(self) -> tuple[Order, ...]:
        """Orders in the order they were decided."""
        return tuple(o for e in self.entries if isinstance(e.event, Cycle) for o in e.event.orders)

    @property
    def reports(self) -> tuple[ExecutionReport, ...]:
        """Execution reports in sequence."""
        return tuple(e.event for e in self.entries if isinstance(e.event, ExecutionReport))

    @property
    def order_hash(self) -> str:
        """Fingerprint of the order list (promise 9)."""
        return order_hash(self.orders)


def configs_of(mode: Mode, agents: AgentsConfig, manager_config: ManagerConfig) -> tuple[AgentsConfig, ManagerConfig]:
    """Settings of a mode. ``delta_only`` is the joint manager with futures only: no gamma factor and no vega agent."""
    if mode == "delta_only":
        gamma = agents.gamma.model_copy(update={"delta_only": True})
        shards = {**agents.shards, VEGA: 0}
        agents = agents.model_copy(update={"gamma": gamma, "shards": shards})
        return agents, manager_config.model_copy(update={"netting": "joint"})
    return agents, manager_config.model_copy(update={"netting": mode})


class ClosedLoop:
    """One run in progress. ``feed`` takes the batches of one instant; ``settle`` lets the venue finish."""

    def __init__(
        self,
        source: MarketSource,
        book: Book,
        agents_config: AgentsConfig,
        manager_config: ManagerConfig,
        limits: Limits,
        execution_config: ExecutionConfig,
        run_id: str,
        on_entry: Callable[[JournalEntry], None] | None = None,
    ) -> None:
        universe = source.universe
        tuned = values_of(agents_config.model_dump())
        sessions = execution_config.sessions_ns or source.session_bounds_ns
        setup = manager.ManagerSetup(universe, book, manager_config, limits, run_id, tuned, sessions)
        self.run_id = run_id
        self.manager = manager.start(setup)
        self.execution = InProcessExecution(universe, execution_config.limits, execution_config.paper, sessions)
        self.agents = _agents(source, book, agents_config)
        self.entries: list[JournalEntry] = []
        self.acknowledged: list[Acknowledgement] = []
        self.quotes = self.batches = self.instants = 0
        self._now_ns = 0
        self._on_entry = on_entry
        self._updates: dict[type, _Update] = {}
        self._reports: list[ExecutionReport] = []
        self._took_over = False
        self._keys = assign(all_keys(universe, book, _first_ns(source)), agents_config.shards)
        self._readers: dict[str, list[AgentState]] = {}

    def feed(self, now_ns: int, batches: list[QuoteBatch]) -> None:
        """One instant: batches of ``now_ns`` (or none, when something is due at the venue)."""
        self.instants += 1
        self._now_ns = now_ns
        for batch in batches:
            self.quotes += len(batch.instrument)
            self._reports += self.execution.on_quotes(batch)
            manager.step(self.manager, ev.MarketNews(batch))
        self._reports += self.execution.on_time(now_ns)
        self.batches += len(batches)
        if not self._took_over:
            self._open()
        awake = {id(a): a for b in batches for a in self._readers.get(b.header.source, ())}
        for batch in batches:
            for agent in self._readers.get(batch.header.source, ()):
                step(agent, batch)
        self._exchange([a for a in self.agents if id(a) in awake])

    def steer(self, command: Command) -> None:
        """A person's command, between two instants; what was answered stands in ``acknowledged``."""
        self._do(ev.CommandArrived(0, command))

    def settle(self) -> None:
        """Let everything that is still due at the venue happen; the market has ended and nothing new is decided."""
        while (due := self.execution.next_due_ns) is not None:
            self._now_ns = due
            self._reports += self.execution.on_time(due)
            for report in self._take_reports():
                self._do(ev.ReportArrived(0, report))

    def result(self) -> RunResult:
        """What has happened so far."""
        ledger, states, counts = (
            self.manager.fold.ledger,
            self.execution.orders(),
            (self.quotes, self.batches, self.instants),
        )
        return RunResult(
            self.run_id, tuple(self.entries), ledger.traded.copy(), states, *counts, desk_lots=ledger.desk_lots()
        )

    def _open(self) -> None:
        """The manager takes over and learns who owns what."""
        self._took_over = True
        self.execution.fence(EPOCH, HOLDER)
        self._do(ev.TookOver(self.manager.now_ns, 0, EPOCH, HOLDER, (), (), 0))
        command = Command("assign-1", "assign", HOLDER, "start", json.dumps({"owner": self._keys}))
        self._do(ev.CommandArrived(0, command))
        self._tell_agents()
        for agent in self.agents:
            for symbol in agent.symbols:
                self._readers.setdefault(f"feed.{symbol}", []).append(agent)

    def _exchange(self, awake: list[AgentState]) -> None:
        for _ in range(MAX_ROUNDS):
            said = False
            for agent in awake:
                for proposal in step(agent, Decide())[1]:
                    said = True
                    self._do(ev.ProposalArrived(0, proposal))
            said |= bool(self._reports)
            for report in self._take_reports():
                self._do(ev.ReportArrived(0, report))
            # As live: the manager's own market time, which the latest batch sets.
            self._do(ev.Decide(self.manager.now_ns, 0))
            if not (self._updates or self._reports):
                return
            awake = self.agents if self._tell_agents() else []

    def _take_reports(self) -> list[ExecutionReport]:
        reports, self._reports = self._reports, []
        return reports

    def _tell_agents(self) -> bool:
        """Newest positions, budgets and assignment to every agent; False if there was nothing new."""
        updates, self._updates = self._updates, {}
        for agent in self.agents:
            for update in updates.values():
                step(agent, update)
        return bool(updates)

    def _do(self, event: ev.Event) -> None:
        for instruction in manager.step(self.manager, event)[1]:
            if isinstance(instruction, ev.Record):
                self.entries.append(instruction.entry)
                if self._on_entry is not None:
                    self._on_entry(instruction.entry)
            elif isinstance(instruction, ev.Submit):
                self._reports += self.execution.submit(instruction.orders, self._now_ns)[1]
            elif isinstance(instruction, ev.Cancel):
                self._reports += self.execution.cancel(instruction.client_order_id, EPOCH, self._now_ns)[1]
            elif isinstance(instruction, ev.Publish):
                self._updates[type(instruction.update)] = instruction.update
            elif isinstance(instruction, ev.SetTradingState):
                self._set_trading_state(instruction)
            elif isinstance(instruction, ev.Acknowledge):
                self.acknowledged.append(instruction.acknowledgement)

    def _set_trading_state(self, asked: ev.SetTradingState) -> None:
        who, why = asked.command.who, asked.command.why
        self._reports += self.execution.set_trading_state(asked.state, who, why, self._now_ns, asked.scope)
        text = f"execution holds {asked.state.name}"
        self._do(ev.TradingStateSet(asked.command.command_id, True, text))


def _agents(source: MarketSource, book: Book, config: AgentsConfig) -> list[AgentState]:
    return [
        start(AgentSetup(source.universe, book, kind, shard, config, 1))
        for kind, count in sorted(config.shards.items())
        for shard in range(count)
    ]


def _first_ns(source: MarketSource) -> int:
    bounds = source.session_bounds_ns
    return bounds[0][0] if bounds else next(iter(source.batches())).header.event_time_ns


def instants(batches: Iterable[QuoteBatch]) -> Iterator[tuple[int, list[QuoteBatch]]]:
    """Batches of equal market time together."""
    together: list[QuoteBatch] = []
    for batch in batches:
        if together and batch.header.event_time_ns != together[0].header.event_time_ns:
            yield together[0].header.event_time_ns, together
            together = []
        together.append(batch)
    if together:
        yield together[0].header.event_time_ns, together


def run(
    source: MarketSource,
    book: Book,
    agents_config: AgentsConfig,
    manager_config: ManagerConfig,
    limits: Limits,
    execution_config: ExecutionConfig,
    *,
    run_id: str,
    batches: Iterable[QuoteBatch] | None = None,
    on_batch: Callable[[QuoteBatch], None] | None = None,
    on_entry: Callable[[JournalEntry], None] | None = None,
    commands: Iterable[tuple[int, Command]] = (),
) -> RunResult:
    """Run a market to its end. ``batches`` replaces ``source.batches()`` (prepared, or split with ``split``).

    ``on_batch`` sees every batch before the cores do, ``on_entry`` every journal entry. ``commands``: what people tell the
    manager once its market has reached a time, oldest first; the first instant is over before the first of them.
    """
    waiting = deque(commands)
    loop = ClosedLoop(source, book, agents_config, manager_config, limits, execution_config, run_id, on_entry)
    for now_ns, together in instants(source.batches() if batches is None else batches):
        while (due := loop.execution.next_due_ns) is not None and due < now_ns:
            loop.feed(due, [])
        if on_batch is not None:
            for batch in together:
                on_batch(batch)
        while waiting and loop.instants and waiting[0][0] < now_ns:
            loop.steer(waiting.popleft()[1])
        loop.feed(now_ns, together)
    for _, command in waiting:
        loop.steer(command)
    loop.settle()
    return loop.result()


def split(batches: Iterable[QuoteBatch], quotes_max: int) -> Iterator[QuoteBatch]:
    """The same quotes in batches of at most ``quotes_max``, sequences numbered anew per source."""
    sequence: dict[str, int] = {}
    for b in batches:
        for first in range(0, max(len(b.instrument), 1), quotes_max):
            part = slice(first, first + quotes_max)
            source = b.header.source
            sequence[source] = sequence.get(source, 0) + 1
            yield QuoteBatch(
                replace(b.header, sequence=sequence[source]),
                b.instrument[part],
                b.bid_ticks[part],
                b.ask_ticks[part],
                b.bid_size_lots[part],
                b.ask_size_lots[part],
                b.quote_time_ns[part] if len(b.quote_time_ns) else np.empty(0, np.int64),
                b.snapshot,
            )
