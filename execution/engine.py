"""The running execution: one loop that drains what is queued, commits once, then acts. Knows asyncio, not gRPC.

Bounds: ``queue_bound`` requests (senders wait), ``quotes_bound`` batches (the oldest is dropped, which is a gap and asks
for a snapshot), ``reports_bound`` reports per reader (a slower reader is cut and resumes from the store), ``group_bound``
events a commit. Pause and kill go ahead of everything queued. A failed commit ends the engine: memory is ahead of the
store then, so nothing more may be answered or sent.

A fence is a group of its own: what was queued before it is done, every order stream is cut, and what those streams still
hold is dropped unanswered. After ``Fence`` has returned, the store is all there is.
*Tested by* tests/unit/test_execution_engine_clock.py, tests/integration/test_execution_service.py,
tests/integration/test_execution_crash.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

from common.errors import HedgerowError, Refused, Unavailable
from common.messages import OrderAck, QuoteBatch
from common.ports import Clock
from common.units import NS_PER_S
from execution import parents
from execution.alone import Alone
from execution.config import ExecutionConfig
from execution.core import step
from execution.events import (
    Able,
    Event,
    Fence,
    Halt,
    LeftAlone,
    Quotes,
    Recovered,
    Resolve,
    SetTrading,
    Submit,
    VenueEvents,
    Work,
)
from execution.hand import Group, Outcome, act, decide
from execution.hub import ReportHub
from execution.latency import TickToOrder
from execution.state import ExecutionState
from execution.store import Store
from execution.venues.port import Ability, LinkedVenue, Venue, VenueEvent, VenueLink

_log = logging.getLogger(__name__)
#: Batches applied before anything else gets its turn on the loop.
_QUOTES_PER_TURN = 256


class Sink(Protocol):
    """Where the answers to one order stream go."""

    def deliver(self, acks: list[OrderAck]) -> None:
        """Take answers; must not wait."""
        ...

    def cut(self, reason: HedgerowError) -> None:
        """No more answers; nothing of this stream is taken any more."""
        ...


@dataclass(frozen=True, slots=True)
class _Item:
    event: Event
    sink: Sink | None = None
    done: asyncio.Future[int] | None = None


class Engine:
    """Owns the state while it runs. ``on_gap(source)`` is called when a source of reference quotes has a gap."""

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
        self._ability = Ability(venue)
        self.hub = ReportHub(config.reports_bound)
        self._config = config
        self._clock = clock
        self._since_ns = clock.wall_ns()
        self._on_gap = on_gap
        self._executor = ThreadPoolExecutor(1, "execution-store")
        self._requests: deque[_Item] = deque()
        self._control: deque[_Item] = deque()
        self._quotes: deque[QuoteBatch] = deque(maxlen=config.quotes_bound)
        #: In the order they came, so that equal input has equal effects (a set of objects has none).
        self._streams: dict[Sink, None] = {}
        self._news: list[VenueEvent] = []
        self._looks: deque[tuple[Callable[[], None], asyncio.Future[None]]] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._fired_ns: int | None = None
        #: Market time when it last moved, and the loop's time then.
        self._seen: tuple[int, float] = (0, 0.0)
        self._resolve = False
        self._alone = Alone(config.cancel_alone_s)
        self._look_ns: int | None = None
        #: The latest market time that the venue was told.
        self._told_ns = 0
        self._running = True
        self.latency = TickToOrder()

    # -- what comes in -------------------------------------------------------------------------------------------------

    def open_stream(self, sink: Sink) -> None:
        """Let a stream's requests in. Raises ``Unavailable`` when stopping."""
        self._check_running()
        self._streams[sink] = None

    def close_stream(self, sink: Sink) -> None:
        """Forget a stream; what it has queued is dropped."""
        self._streams.pop(sink, None)

    async def offer(self, event: Event, sink: Sink) -> None:
        """Queue a request of a stream; waits while the queue is full."""
        await self._put(_Item(event, sink))

    async def ask(self, event: Event) -> int:
        """Queue a request and wait until it holds; returns how many cancels it sent to the venue."""
        self._check_running()
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        item = _Item(event, done=done)
        if isinstance(event, SetTrading | Halt):
            self._control.append(item)
            self._wake.set()
        else:
            await self._put(item)
        return await done

    async def at_rest(self, look: Callable[[], None]) -> None:
        """Call ``look`` between two groups, when everything in memory is committed. Raises what it raises."""
        self._check_running()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._looks.append((look, done))
        self._wake.set()
        await done

    async def _put(self, item: _Item) -> None:
        while self._running and len(self._requests) >= self._config.queue_bound:
            self._room.clear()
            await self._room.wait()
        self._check_running()
        self._requests.append(item)
        self._wake.set()

    def _check_running(self) -> None:
        if not self._running:
            raise Unavailable("execution is stopping")

    def take_quotes(self, batch: QuoteBatch) -> None:
        """Queue reference quotes; never waits."""
        self._quotes.append(batch)
        self._wake.set()

    def hear(self, events: Sequence[VenueEvent]) -> None:
        """Take what a linked venue says by itself; never waits. No more can pile up than open orders can cause."""
        self._news += events
        self._wake.set()

    @property
    def link(self) -> VenueLink:
        """How the line to the venue is; a venue in this process is there since this engine is."""
        if isinstance(self.venue, LinkedVenue):
            return self.venue.link
        return VenueLink(True, self._since_ns)

    # -- the loop ------------------------------------------------------------------------------------------------------

    async def recover(self) -> None:
        """Ask the venue about everything left open by the last run; before any request is taken."""
        await self._carry([_Item(Recovered(self._clock.wall_ns()))])
        while self._news:
            await self._carry(self._next_group())

    async def run(self) -> None:
        """Work until ``stop``. Raises what the store raised; nothing that still waits is answered with success."""
        ticker = asyncio.create_task(self._ask_again())
        try:
            while self._running:
                await self._wake.wait()
                self._wake.clear()
                self._look()
                while self._running and ((items := self._next_group()) or self._quotes):
                    await self._carry(items)
                    self._look()
                self._arm()
        finally:
            ticker.cancel()
            self._end()

    def stop(self) -> None:
        """Finish the group in hand, then end ``run``; requests still queued are dropped unanswered."""
        self._running = False
        self._wake.set()

    async def _ask_again(self) -> None:
        while True:
            await asyncio.sleep(self._config.resolve_every_s)
            self._resolve = True
            self._wake.set()

    def _end(self) -> None:
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
        self._executor.shutdown(wait=True)
        reason = Unavailable("execution stopped before it was done")
        _fail([*self._control, *self._requests], reason)
        for _, done in self._looks:
            if not done.done():
                done.set_exception(reason)
        for sink in self._streams:
            sink.cut(reason)
        self._room.set()
        self.hub.close()

    def _look(self) -> None:
        while self._looks:
            look, done = self._looks.popleft()
            if done.done():
                continue
            try:
                look()
            except Exception as error:  # whoever asked for the look gets what it raised
                done.set_exception(error)
            else:
                done.set_result(None)

    def _next_group(self) -> list[_Item]:
        self._take_market()
        # A pause or kill before the news and the look, which may let orders that are worked place more.
        group: list[_Item] = [*self._control]
        self._control.clear()
        if (combos := self._ability.combos) is not self.state.combos:
            group.append(_Item(Able(combos)))
        if self._news:
            group.append(_Item(VenueEvents(tuple(self._news), self._clock.wall_ns())))
            self._news = []
        if self._look_ns is not None and self.state.plans:
            group.append(_Item(Work(self._look_ns, self._clock.wall_ns())))
        self._look_ns = None
        if self._resolve:
            self._resolve = False
            group.append(_Item(Resolve()))
            if self._alone.look(asyncio.get_running_loop().time(), len(self._streams)) and self.state.open:
                group.append(self._left_alone())
        while self._requests and len(group) < self._config.group_bound:
            fence = isinstance(self._requests[0].event, Fence)
            if fence and group:
                break
            item = self._requests.popleft()
            if item.done is not None and item.done.cancelled():
                continue
            if item.sink is None or item.sink in self._streams:
                group.append(item)
            if fence:
                break
        self._room.set()
        return group

    def _left_alone(self) -> _Item:
        if fresh := [name for name in self.state.open if not self.state.orders[name].cancel_asked]:
            _log.warning("%s: what works is cancelled, orders %s", self._alone.why, ", ".join(sorted(fresh)))
        return _Item(LeftAlone(self._alone.why, self._clock.wall_ns()))

    def _take_market(self) -> None:
        for _ in range(min(len(self._quotes), _QUOTES_PER_TURN)):
            batch = self._quotes.popleft()
            step(self.state, Quotes(batch))
            if self.state.snapshot.sources[batch.header.source].gapped:
                self._on_gap(batch.header.source)
            self._news += self.venue.on_quotes(batch)
            self._look_ns = self.state.now_ns
        if self._fired_ns is not None:
            self._news += self.venue.on_time(self._fired_ns)
            self._look_ns = max(self.state.now_ns, self._fired_ns)
            self._fired_ns = None
        self._told_ns = max(self._told_ns, self._look_ns or 0)

    async def _carry(self, items: list[_Item]) -> None:
        group = decide(self.state, self.store, [item.event for item in items])
        try:
            await self._commit(group)
        except BaseException as error:
            _fail(items, Unavailable(f"not stored: {error}"))
            raise
        outcome = act(group, self.venue, self.state.now_ns)
        self._news += outcome.venue
        self._answer(items, outcome)
        if outcome.reports:
            self.hub.publish(outcome.reports)

    async def _commit(self, group: Group) -> None:
        if not group.records:
            await asyncio.sleep(0)
            return
        await asyncio.get_running_loop().run_in_executor(self._executor, self.store.commit, group.records)

    def _answer(self, items: list[_Item], outcome: Outcome) -> None:
        answers: dict[Sink, list[OrderAck]] = {}
        for item, acks, cancels in zip(items, outcome.acks, outcome.cancels, strict=True):
            if item.sink is not None:
                answers.setdefault(item.sink, []).extend(acks)
            if isinstance(item.event, Submit):
                self._time(item.event, acks)
            if isinstance(item.event, Fence) and self.fenced(item.event.epoch, item.event.holder):
                self._cut_streams(item.event)
            if item.done is not None and not item.done.done():
                item.done.set_result(cancels)
        for sink, acks in answers.items():
            sink.deliver(acks)

    def _time(self, event: Submit, acks: Sequence[OrderAck]) -> None:
        for ack in acks:
            if ack.tick_to_order_ns > 0 and not ack.duplicate:
                self.latency.add(event.order.receive_time_ns, ack.tick_to_order_ns)

    def fenced(self, epoch: int, holder: str) -> bool:
        """True if this holder leads under this epoch."""
        return self.state.epoch == epoch and self.state.holder == holder

    def _cut_streams(self, fence: Fence) -> None:
        reason = Refused(f"epoch {fence.epoch} was fenced by {fence.holder}; open a new stream")
        for sink in self._streams:
            sink.cut(reason)
        self._streams.clear()

    # -- market time ---------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        """One timer for whatever is due next, at the venue or of an order at work; recomputed as market time moves."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_ns = parents.earliest(self.venue.next_due_ns, parents.due_ns(self.state))
        if due_ns is not None:
            # A market that was silent and goes on is behind what its silence was taken for; the venue's clock is not.
            wait_s = max(due_ns - max(self._reached_ns(), self._told_ns), 0) / NS_PER_S / self._config.speed
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._fire, due_ns)

    def _reached_ns(self) -> int:
        """Market time now: what was last seen of it, and what has passed on the wall since. Work in between delays nothing."""
        wall_s, now_ns = asyncio.get_running_loop().time(), self.state.now_ns
        if now_ns != self._seen[0]:
            self._seen = (now_ns, wall_s)
        return now_ns + round((wall_s - self._seen[1]) * self._config.speed * NS_PER_S)

    def _fire(self, due_ns: int) -> None:
        self._fired_ns = max(due_ns, self._reached_ns())
        self._wake.set()


def _fail(items: list[_Item], reason: Unavailable) -> None:
    for item in items:
        if item.done is not None and not item.done.done():
            item.done.set_exception(reason)
