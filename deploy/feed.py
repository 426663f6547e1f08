"""The role ``feed``: publishes a market source at the pace of its market time, records it, answers for what stands.

Pace: within a session market time runs ``speed`` times as fast as wall time; from a close the next open follows at
once. A batch that is late goes out at once: nothing is dropped, and the lag is reported. Nothing goes out before
``subjects.MARKET_START`` is set, so that everybody is there for the first quote; after the last batch
``subjects.MARKET_END`` is set, and snapshots are still answered.

Restart: the recording says how many batches went out; a source gives the same batches again, so the feed applies those
to its quotes, publishes none of them and goes on with the next. A batch that was recorded but not published shows as a
gap in its source's sequence, which readers heal by a snapshot.
*Tested by* tests/unit/test_feed_pace.py, tests/integration/test_feed_restart.py.
"""

from __future__ import annotations

import asyncio
import dataclasses
import math
import os
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from common import subjects
from common.clock import SleepingClock
from common.errors import Conflict, Refused, UsageError
from common.market.recorded import RecordedMarket, Recorder
from common.messages import Header, Heartbeat, QuoteBatch
from common.ports import Bus, MarketSource
from common.snapshot import MarketSnapshot
from common.tasks import end
from common.units import NS_PER_MS, NS_PER_S
from common.universe import Book
from common.wire.codec import encode_heartbeat, encode_quote_batch

NAME: Final = "feed"
END_OF_DATA: Final = "end of data"
HEARTBEAT_S: Final = 1.0
#: A lag below this is the loop's own jitter and not reported in words.
_LAG_SAID_NS: Final = 100 * NS_PER_MS
#: How long a stop may wait for a sleep to end.
_STOP_LOOK_NS: Final = 200 * NS_PER_MS
_YIELD_EVERY: Final = 64


class Recording(Protocol):
    """Where published batches are kept; ``common.market.recorded.Recorder`` is one, see ``open_recording``."""

    @property
    def batches(self) -> int:
        """Whole batches in it, those of an earlier process included."""
        ...

    def append_encoded(self, payload: bytes) -> None:
        """Keep one batch as it is published; it must survive a kill of this process once this returns."""
        ...


class Pace:
    """How much market time has been played at an instant, nights left out. ``bounds`` (open, close) ns, ascending."""

    def __init__(self, bounds: tuple[tuple[int, int], ...]) -> None:
        self._opens = [begin for begin, _ in bounds]
        self._closes = [closes for _, closes in bounds]
        self._before = [0]
        for opens, closes in bounds:
            self._before.append(self._before[-1] + closes - opens)

    @property
    def length_ns(self) -> int:
        """Market time of all sessions together."""
        return self._before[-1]

    def played_ns(self, event_time_ns: int) -> int:
        """Session time up to an instant; an instant outside every session counts as the close before it."""
        i = bisect_right(self._opens, event_time_ns) - 1
        if i < 0:
            return 0
        return self._before[i] + min(event_time_ns, self._closes[i]) - self._opens[i]


@dataclass(frozen=True, slots=True)
class FeedResult:
    """What a feed process has done. ``batches`` counts those of earlier processes of the run too."""

    batches: int
    published: int
    max_lag_ns: int
    ended: bool


def open_recording(path: Path, source: MarketSource, book: Book) -> Recorder:
    """A recorder at ``path`` that begins with what is recorded there already, a tail that a kill tore off left out.

    The old recording stays until a whole copy of it has taken its place, so this too may be killed. Raises
    ``errors.Conflict`` if it is a recording of other instruments, ``errors.InputError`` if it is damaged.
    """
    if not path.exists():
        return Recorder(path, source, book, flush_every=1)
    old = RecordedMarket(path)
    if old.universe.instrument_id != source.universe.instrument_id:
        raise Conflict(f"{path}: a recording of other instruments is there")
    copy = path.with_name(f"{path.name}.resuming")
    copy.unlink(missing_ok=True)
    recorder = Recorder(copy, source, book, flush_every=1)
    for batch in old.batches():
        recorder.append(batch)
    copy.replace(path)
    return recorder


async def run_feed(
    source: MarketSource,
    bus: Bus,
    *,
    speed: float,
    recording: Path,
    book: Book,
    clock: SleepingClock,
    stop: asyncio.Event,
) -> FeedResult:
    """``feed`` into the recording at that path, going on with it if it is there."""
    with open_recording(recording, source, book) as recorder:
        return await feed(source, bus, speed=speed, recorder=recorder, clock=clock, stop=stop)


async def feed(
    source: MarketSource, bus: Bus, *, speed: float, recorder: Recording, clock: SleepingClock, stop: asyncio.Event
) -> FeedResult:
    """Feed until ``stop`` is set. ``speed`` > 0, market seconds per wall second; ``math.inf`` publishes without waiting.

    Raises ``errors.UsageError`` for another speed; what bus and recorder raise goes through.
    """
    if not speed > 0:
        raise UsageError(f"--speed must be above 0, not {speed:g}")
    part = _Feed(source, bus, speed, recorder, clock, stop)
    batches = await part.resume()
    server = await bus.serve(subjects.snapshot("*"), part.answer)
    beats = asyncio.create_task(part.beat())
    try:
        await part.wait_for_start()
        await part.publish_all(batches)
        if not stop.is_set():
            await part.announce_end()
        await stop.wait()
    finally:
        await end([beats])
        await server.stop()
    return part.result()


class _Feed:
    def __init__(
        self,
        source: MarketSource,
        bus: Bus,
        speed: float,
        recorder: Recording,
        clock: SleepingClock,
        stop: asyncio.Event,
    ) -> None:
        self._source, self._bus, self._recorder, self._clock, self._stop = source, bus, recorder, clock, stop
        self._speed = speed
        self._pace = Pace(source.session_bounds_ns)
        self._snapshot = MarketSnapshot(source.universe)
        self._state = "waiting for the start"
        self._published = 0
        self._beats = 0
        self._lag_ns = 0
        self._max_lag_ns = 0
        self._ended = False

    async def resume(self) -> Iterator[QuoteBatch]:
        """The source's batches after those the recording holds; their quotes stand."""
        batches = self._source.batches()
        for done in range(self._recorder.batches):
            batch = next(batches, None)
            if batch is None:
                raise Refused(f"the recording has {self._recorder.batches} batches, its source ends after {done}")
            self._snapshot.apply(batch)
            if done % _YIELD_EVERY == 0:
                await asyncio.sleep(0)
        return batches

    async def answer(self, subject: str, _: bytes) -> bytes:
        """Every standing quote of the underlying that the subject names."""
        symbol = subject.rpartition(".")[2]
        if symbol not in self._source.universe.symbols:
            raise Refused(f"{subject}: no such underlying; there are {', '.join(self._source.universe.symbols)}")
        batch = self._snapshot.as_batch(symbol)
        return encode_quote_batch(self._stamped(batch))

    def _stamped(self, batch: QuoteBatch) -> QuoteBatch:
        header = dataclasses.replace(batch.header, receive_time_ns=self._clock.wall_ns())
        return dataclasses.replace(batch, header=header)

    async def wait_for_start(self) -> None:
        """Return when the market is opened, or at ``stop``."""
        started = asyncio.Event()
        watch = await self._bus.watch(subjects.MARKET_START, lambda _, __: started.set())
        waits = [asyncio.create_task(started.wait()), asyncio.create_task(self._stop.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        await end(waits)
        await watch.stop()

    async def publish_all(self, batches: Iterator[QuoteBatch]) -> None:
        """Publish to the end of the data or to ``stop``. The first batch goes out at once and sets the pace."""
        begun_ns: int | None = None
        base_ns = 0
        for batch in batches:
            played_ns = self._pace.played_ns(batch.header.event_time_ns)
            if begun_ns is None:
                begun_ns, base_ns = self._clock.wall_ns(), played_ns
            due_ns = begun_ns + round((played_ns - base_ns) / self._speed)
            await self._sleep_until(due_ns)
            if self._stop.is_set():
                return
            await self._publish(batch, due_ns)

    async def _sleep_until(self, due_ns: int) -> None:
        while not self._stop.is_set():
            now_ns = self._clock.wall_ns()
            await self._clock.sleep_until_ns(min(due_ns, now_ns + _STOP_LOOK_NS))
            if self._clock.wall_ns() >= due_ns:
                return

    async def _publish(self, batch: QuoteBatch, due_ns: int) -> None:
        stamped = self._stamped(batch)
        payload = encode_quote_batch(stamped)
        self._recorder.append_encoded(payload)
        symbol = batch.header.source.removeprefix(subjects.feed_source(""))
        await self._bus.publish(subjects.quotes(symbol), payload)
        self._snapshot.apply(stamped)
        self._published += 1
        self._lag_ns = 0 if math.isinf(self._speed) else stamped.header.receive_time_ns - due_ns
        self._max_lag_ns = max(self._max_lag_ns, self._lag_ns)
        late = f", {self._lag_ns / NS_PER_S:.1f} s behind its pace" if self._lag_ns >= _LAG_SAID_NS else ""
        self._state = f"feeding{late}"

    async def announce_end(self) -> None:
        """Set ``subjects.MARKET_END``; returns when it is stored."""
        self._state, self._ended = END_OF_DATA, True
        await self._bus.put(subjects.MARKET_END, encode_heartbeat(self._heartbeat()))

    async def beat(self) -> None:
        """A heartbeat every ``HEARTBEAT_S`` of wall time."""
        while True:
            await self._bus.publish(subjects.MARKET_HEARTBEAT, encode_heartbeat(self._heartbeat()))
            await asyncio.sleep(HEARTBEAT_S)

    def _heartbeat(self) -> Heartbeat:
        self._beats += 1
        loop = type(asyncio.get_running_loop())
        return Heartbeat(
            Header(NAME, self._beats, self._snapshot.now_ns, self._clock.wall_ns()),
            incarnation=0,
            state=self._state,
            loop=f"{loop.__module__}.{loop.__qualname__}",
            pid=os.getpid(),
            batches=self._recorder.batches,
            unusable_quotes=self._snapshot.unusable,
        )

    def result(self) -> FeedResult:
        """What was done."""
        return FeedResult(self._recorder.batches, self._published, self._max_lag_ns, self._ended)
