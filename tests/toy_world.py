"""A small market for tests of the shells: two underlyings, a feed that answers snapshots, a manager that only
acknowledges.

Prices are Black-76 at 20 % with rate 0, written out here; nothing under test computes them.
"""

from __future__ import annotations

import asyncio
import functools
import json
import math
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import ParamSpec

import numpy as np

from common import subjects
from common.control_messages import Acknowledgement
from common.messages import AssignmentUpdate, BudgetUpdate, Header, Heartbeat, PositionUpdate, Proposal, QuoteBatch
from common.ports import Bus, Subscription
from common.snapshot import MarketSnapshot
from common.units import NS_PER_DAY, NS_PER_MS, NS_PER_YEAR
from common.universe import EUROPEAN, FUTURE, OPTION, Book, Underlying, Universe
from common.wire import codec

P = ParamSpec("P")

NOW_NS = 1_600_000_000 * 1_000_000_000
SYMBOLS = ("AAA", "BBB")
TICK = 0.01
_DAYS = (20, 50)
_STRIKES = tuple(float(k) for k in range(90, 112, 2))


def universe() -> Universe:
    """Per underlying one future of 90 days and calls and puts of two expiries, all listed."""
    rows = [(u, FUTURE, 90, 0.0, 0) for u in range(2)]
    rows += [(u, OPTION, d, k, r) for u in range(2) for d in _DAYS for k in _STRIKES for r in (1, -1)]
    u, kind, days, strike, right = (np.array(column) for column in zip(*rows, strict=True))
    n = len(rows)
    return Universe(
        instrument_id=tuple(f"{SYMBOLS[r[0]]}-{r[2]}-{r[3]:g}-{r[4]}" for r in rows),
        kind=kind.astype(np.uint8),
        underlying=u.astype(np.uint16),
        expiry_ns=NOW_NS + days.astype(np.int64) * NS_PER_DAY,
        strike=strike.astype(np.float64),
        right=right.astype(np.int8),
        style=np.full(n, EUROPEAN, np.uint8),
        multiplier_usd=np.full(n, 100.0),
        tick_size=np.full(n, TICK),
        fee_cents=np.full(n, 50, np.int64),
        listed=np.ones(n, np.uint8),
        underlyings=tuple(Underlying(s, i, 0.0, 0.0) for i, s in enumerate(SYMBOLS)),
        covariance_daily=np.array([[1.0, 0.8], [0.8, 1.0]]) * 1e-4,
    )


def book() -> Book:
    """Short two hundred lots of every 20-day option near the money."""
    rows = [i for i, name in enumerate(universe().instrument_id) if "-20-" in name and "-100-" in name]
    return Book("desk", ("a",) * len(rows), np.array(rows, np.uint32), np.full(len(rows), -200, np.int64))


def config_json(**agents: object) -> bytes:
    """The run's configuration as the launcher publishes it."""
    return json.dumps({"agents": agents}).encode()


def _black76(f: float, k: float, t: float, right: int) -> float:
    s = 0.2 * math.sqrt(t)
    d1 = math.log(f / k) / s + 0.5 * s
    cdf = lambda x: 0.5 * math.erfc(-x / math.sqrt(2.0))  # noqa: E731
    return right * (f * cdf(right * d1) - k * cdf(right * (d1 - s)))


@dataclass
class ToyFeed:
    """Publishes whole chains at movable prices and answers snapshot requests; ``lose`` skips that many batches."""

    bus: Bus
    future: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SYMBOLS, 100.0))
    sequence: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    now_ns: int = NOW_NS
    lose: int = 0

    def __post_init__(self) -> None:
        self.universe = universe()
        self.snapshot = MarketSnapshot(self.universe)

    async def open(self) -> None:
        """Answer snapshot requests from now on."""
        for symbol in SYMBOLS:
            await self.bus.serve(subjects.snapshot(symbol), self._answer)

    async def _answer(self, subject: str, _data: bytes) -> bytes:
        symbol = subject.rpartition(".")[2]
        self.asked[symbol] += 1
        return codec.encode_quote_batch(self.snapshot.as_batch(symbol))

    async def tick(self, symbol: str, future: float | None = None) -> None:
        """Publish every quote of one underlying, 5 ms of market time later."""
        self.future[symbol] = future or self.future[symbol]
        self.sequence[symbol] += 1
        self.now_ns += 5 * NS_PER_MS
        batch = self._batch(symbol)
        self.snapshot.apply(batch)
        if self.lose:
            self.lose -= 1
        else:
            await self.bus.publish(subjects.quotes(symbol), codec.encode_quote_batch(batch))

    def _batch(self, symbol: str) -> QuoteBatch:
        u, f = self.universe, self.future[symbol]
        rows = u.rows_of(symbol)
        years = (u.expiry_ns - NOW_NS) / NS_PER_YEAR
        mid = np.array([f if u.kind[i] == FUTURE else _black76(f, u.strike[i], years[i], u.right[i]) for i in rows])
        half = np.maximum(np.round(0.004 * mid / TICK), 1).astype(np.int32)
        ticks = np.round(mid / TICK).astype(np.int32)
        size = np.full(len(rows), 30, np.int32)
        head = Header(subjects.feed_source(symbol), self.sequence[symbol], self.now_ns, 1)
        return QuoteBatch(head, rows.astype(np.uint32), np.maximum(ticks - half, 0), ticks + half, size, size)


@dataclass
class ToyManager:
    """Acknowledges assignments, publishes flat positions and wide budgets, and keeps what the agents say."""

    bus: Bus
    version: int = 0
    owner: dict[str, str] = field(default_factory=dict)
    beats: dict[str, Heartbeat] = field(default_factory=dict)
    seen: list[Heartbeat] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    refuse: int = 0
    _running: list[Subscription] = field(default_factory=list)

    async def beat(self) -> None:
        """A manager's own heartbeats, for ever."""
        for i in range(1, 1_000_000):
            beat = Heartbeat(Header("manager-0", i, NOW_NS), 1, "leading")
            await self.bus.publish(subjects.heartbeat("manager-0"), codec.encode_heartbeat(beat))
            await asyncio.sleep(0.1)

    async def open(self, agents: dict[str, object] | None = None) -> None:
        """Publish the reference data and the first positions and budgets, then listen."""
        await self.bus.put(subjects.UNIVERSE, codec.encode_universe(universe()))
        await self.bus.put(subjects.BOOK, codec.encode_book(book()))
        await self.bus.put(subjects.CONFIG, config_json(**(agents or {})))
        none = np.empty(0, np.uint32), np.empty(0, np.int64)
        positions = PositionUpdate(Header("manager", 1, NOW_NS), 0, *none)
        await self.bus.put(subjects.POSITIONS, codec.encode_position_update(positions))
        budgets = BudgetUpdate(Header("manager", 1, NOW_NS), 1, (), np.empty(0), np.empty(0), 1e-6)
        await self.bus.put(subjects.BUDGETS, codec.encode_budget_update(budgets))
        self._running = [
            await self.bus.subscribe(subjects.HEARTBEATS_ALL, self._on_heartbeat, bound=4096),
            await self.bus.subscribe(subjects.PROPOSALS_ALL, self._on_proposal, bound=4096),
            await self.bus.serve(subjects.control("assign"), self._on_assign),
        ]

    async def give(self, owner: dict[str, str]) -> None:
        """A new assignment."""
        self.version += 1
        self.owner = dict(owner)
        update = AssignmentUpdate(Header("manager", self.version, NOW_NS), self.version, self.owner)
        await self.bus.put(subjects.ASSIGNMENT, codec.encode_assignment_update(update))

    async def _on_assign(self, _subject: str, data: bytes) -> bytes:
        command = codec.decode_command(data)
        self.commands.append(command.command_id)
        if self.refuse:
            self.refuse -= 1
            return codec.encode_acknowledgement(Acknowledgement(command.command_id, False, "not now"))
        await self.give(json.loads(command.arguments_json)["owner"])
        return codec.encode_acknowledgement(Acknowledgement(command.command_id, True, "assigned"))

    def _on_heartbeat(self, _subject: str, data: bytes) -> None:
        beat = codec.decode_heartbeat(data)
        self.beats[beat.header.source] = beat
        self.seen.append(beat)

    def _on_proposal(self, _subject: str, data: bytes) -> None:
        self.proposals.append(codec.decode_proposal(data))

    def state_of(self, name: str) -> str:
        """Last state an agent gave; empty before its first heartbeat."""
        return self.beats[name].state if name in self.beats else ""


async def until(condition: Callable[[], object], timeout_s: float = 10.0, what: str = "") -> None:
    """Wait until ``condition()`` is true; fail after ``timeout_s``."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, f"not within {timeout_s} s: {what}"
        await asyncio.sleep(0.01)


def on_loop(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    """Run an async test on a loop of its own, for at most a minute."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 60.0))

    return run
