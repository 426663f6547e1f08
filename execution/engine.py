"""The running execution: one loop that drains what is queued, commits once, then acts. Knows asyncio, not gRPC.

Bounds: ``queue_bound`` requests (senders wait), ``quotes_bound`` batches (the oldest is dropped, which is a gap and asks for
a snapshot), ``reports_bound`` reports per reader (a slower reader is cut and resumes from the store), ``group_bound`` events
a commit. Pause and kill go ahead of everything queued. A failed commit ends the engine: memory is ahead of the store then,
so nothing more may be answered or sent.

A fence is a group of its own: what was queued before it is done, and whatever the streams opened before it still hold is
dropped unanswered. After ``Fence`` has returned, the store is all there is.
*Tested by* tests/integration/test_execution_service.py, tests/integration/test_execution_crash.py.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from common.errors import Unavailable
from common.messages import OrderAck, QuoteBatch
from common.ports import Clock
from common.units import NS_PER_S
from execution.config import ExecutionConfig
from execution.core import step
from execution.events import Event, Fence, Quotes, Recovered, Resolve, SetTrading, VenueEvents
from execution.hand import Outcome, act, decide
from execution.hub import ReportHub
from execution.state import ExecutionState
from execution.store import Store
from execution.venues.port import Venue, VenueEvent

_LATENCIES_KEPT = 8192


class Sink(Protocol):
    """Where the answers to one stream's requests go. ``generation``: fences seen when it was opened."""

    generation: int

    def deliver(self, acks: list[OrderAck]) -> None:
        """Take answers; must not wait."""
        ...


@dataclass(frozen=True, slots=True)
class _Item:
    event: Event
    sink: Sink | None = None
    done: asyncio.Future[int] | None = None


class Engine:
    """Owns the state while it runs. ``on_gap(symbol)`` is called when a source of reference quotes has a gap."""

    def __init__(
        self,
        config: ExecutionConfig,
        state: ExecutionState,
        store: Store,
        venue: Venue,
        clock: Clock,
        on_gap: Callable[[str], None],
    ) -> None:
        self.state = state
        self.store = store
        self.venue = venue
        self.hub = ReportHub(config.reports_bound)
        self.generation = 0
        self._config = config
        self._clock = clock
        self._on_gap = on_gap
        self._executor = ThreadPoolExecutor(1, "execution-store")
        self._requests: asyncio.Queue[_Item] = asyncio.Queue(config.queue_bound)
        self._control: deque[_Item] = deque()
        self._quotes: deque[QuoteBatch] = deque(maxlen=config.quotes_bound)
        self._news: list[VenueEvent] = []
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._due_ns: int | None = None
        self._resolve = False
        self._running = True
        self._latencies_ns: deque[int] = deque(maxlen=_LATENCIES_KEPT)

    # -- what comes in -------------------------------------------------------------------------------------------------

    async def offer(self, event: Event, sink: Sink) -> None:
        """Queue a request of a stream; waits while the queue is full."""
        await self._put(_Item(event, sink))

    async def ask(self, event: Event) -> int:
        """Queue a request and wait until it holds; returns how many cancels it sent to the venue."""
        if not self._running:
            raise Unavailable("execution is stopping")
        item = _Item(event, done=asyncio.get_running_loop().create_future())
        if isinstance(event, SetTrading):
            self._control.append(item)
            self._wake.set()
        else:
            await self._put(item)
        assert item.done is not None
        return await item.done

    async def _put(self, item: _Item) -> None:
        if not self._running:
            raise Unavailable("execution is stopping")
        await self._requests.put(item)
        self._wake.set()

    def take_quotes(self, batch: QuoteBatch) -> None:
        """Queue reference quotes; never waits."""
        self._quotes.append(batch)
        self._wake.set()

    # -- the loop ------------------------------------------------------------------------------------------------------

    async def recover(self) -> None:
        """Ask the venue about everything left open by the last run; before any request is taken."""
        await self._carry([_Item(Recovered(self._clock.wall_ns()))])
        while self._news:
            await self._carry(self._next_group())

    async def run(self) -> None:
        """Work until cancelled. Raises what the store raised; then nothing waiting is ever answered with success."""
        ticker = asyncio.create_task(self._ask_again())
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while items := self._next_group():
                    await self._carry(items)
                self._arm()
        finally:
            ticker.cancel()
            await asyncio.gather(ticker, return_exceptions=True)
            self._stop()

    def _stop(self) -> None:
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
        self._executor.shutdown(wait=True)
        waiting = list(self._control)
        while not self._requests.empty():
            waiting.append(self._requests.get_nowait())
        for item in waiting:
            if item.done is not None and not item.done.done():
                item.done.set_exception(Unavailable("execution stopped before it was done"))
        self.hub.close()

    def _next_group(self) -> list[_Item]:
        wall_ns = self._clock.wall_ns()
        self._take_market()
        group: list[_Item] = []
        if self._news:
            group.append(_Item(VenueEvents(tuple(self._news), wall_ns)))
            self._news = []
        if self._resolve:
            self._resolve = False
            group.append(_Item(Resolve()))
        while self._control:
            group.append(self._control.popleft())
        while not self._requests.empty() and len(group) < self._config.group_bound:
            item = self._requests.get_nowait()
            if item.sink is not None and item.sink.generation != self.generation:
                continue
            if isinstance(item.event, Fence):
                # Its place in the queue is kept by going back to the front with nothing in between.
                if group:
                    self._fence_next = item
                    return group
                return [item]
            group.append(item)
        return group

    async def _carry(self, items: list[_Item]) -> None:
        group = decide(self.state, self.store, [item.event for item in items])
        if group.records:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._executor, self.store.commit, group.records)
        outcome = act(group, self.venue, self.state.now_ns)
        self._news += outcome.venue
        self._answer(items, outcome)
        if outcome.reports:
            self.hub.publish(outcome.reports)
