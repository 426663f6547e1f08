"""The feed against a source of known times and a clock that only the test moves."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest

from common import subjects
from common.bus.memory_bus import MemoryBus
from common.clock import ManualClock
from common.errors import Conflict, Refused, UsageError
from common.market.recorded import RecordedMarket
from common.messages import Header, QuoteBatch
from common.snapshot import MarketSnapshot
from common.units import NS_PER_S
from common.universe import Book, Underlying, Universe
from common.wire.codec import decode_heartbeat, decode_quote_batch
from deploy.feed import END_OF_DATA, Pace, feed, open_recording

# Two sessions of 100 s with a night of 1,000 s between them.
BOUNDS = ((1_000 * NS_PER_S, 1_100 * NS_PER_S), (2_100 * NS_PER_S, 2_200 * NS_PER_S))
TIMES_S = (1_000, 1_050, 1_100, 2_100, 2_150)


def universe() -> Universe:
    n = 2
    return Universe(
        instrument_id=("A F", "B F"),
        kind=np.zeros(n, np.uint8),
        underlying=np.arange(n, dtype=np.uint16),
        expiry_ns=np.full(n, 10**18, np.int64),
        strike=np.zeros(n),
        right=np.zeros(n, np.int8),
        style=np.zeros(n, np.uint8),
        multiplier_usd=np.full(n, 50.0),
        tick_size=np.full(n, 0.25),
        fee_cents=np.full(n, 100, np.int64),
        listed=np.ones(n, np.uint8),
        underlyings=(Underlying("A", 0, 0.0, 0.0), Underlying("B", 1, 0.0, 0.0)),
        covariance_daily=np.eye(2),
    )


class Source:
    universe = universe()
    statements = ()
    session_bounds_ns = BOUNDS

    def batches(self):
        for sequence, time_s in enumerate(TIMES_S, 1):
            for i, symbol in enumerate("AB"):
                ticks = np.array([100 * sequence + i], np.int32)
                lots = np.array([5], np.int32)
                header = Header(subjects.feed_source(symbol), sequence, time_s * NS_PER_S)
                yield QuoteBatch(header, np.array([i], np.uint32), ticks, ticks + 1, lots, lots)


class Recording:
    def __init__(self, batches=()):
        self.kept = list(batches)

    @property
    def batches(self):
        return len(self.kept)

    def append_encoded(self, payload):
        self.kept.append(decode_quote_batch(payload))


async def a_feed(speed, recorder, *, opened=True, source=None):
    """A running feed with what it publishes: (wall seconds, batch)."""
    bus, clock, stop, heard = MemoryBus(), ManualClock(), asyncio.Event(), []

    def hear(_, data):
        heard.append((clock.wall_ns() / NS_PER_S, decode_quote_batch(data)))

    await bus.subscribe(subjects.QUOTES_ALL, hear, bound=1000)
    if opened:
        await bus.put(subjects.MARKET_START, b"test")
    task = asyncio.create_task(feed(source or Source(), bus, speed=speed, recorder=recorder, clock=clock, stop=stop))
    return SimpleNamespace(bus=bus, clock=clock, stop=stop, heard=heard, task=task)


async def turn(running, seconds=0.0):
    """Let wall time pass in small steps, everybody running in between."""
    for _ in range(max(1, round(seconds / 0.05))):
        for _ in range(30):
            await asyncio.sleep(0)
        if seconds:
            running.clock.advance(round(0.05 * NS_PER_S))
    for _ in range(30):
        await asyncio.sleep(0)


async def finish(running):
    running.stop.set()
    running.clock.advance(NS_PER_S)
    return await asyncio.wait_for(running.task, 5)


def test_played_time_leaves_the_night_out():
    pace = Pace(BOUNDS)
    assert pace.length_ns == 200 * NS_PER_S
    seconds = {0: 0, 1_000: 0, 1_050: 50, 1_100: 100, 1_500: 100, 2_100: 100, 2_150: 150, 2_200: 200, 9_999: 200}
    assert {t: pace.played_ns(t * NS_PER_S) // NS_PER_S for t in seconds} == seconds


def test_batches_go_out_at_the_pace_of_market_time():
    async def scenario():
        recorder = Recording()
        running = await a_feed(100.0, recorder)
        await turn(running, 2.0)
        at = [wall_s for wall_s, batch in running.heard if batch.header.source == "feed.A"]
        assert at == pytest.approx([0.0, 0.5, 1.0, 1.0, 1.5], abs=0.051)
        ended = decode_heartbeat(await running.bus.get(subjects.MARKET_END))
        assert (ended.state, ended.batches, ended.header.event_time_ns) == (END_OF_DATA, 10, 2_150 * NS_PER_S)
        result = await finish(running)
        assert (result.batches, result.published, result.ended) == (10, 10, True)
        # What was recorded is what was published, wall times included.
        assert [b.header for b in recorder.kept] == [b.header for _, b in running.heard]
        assert all(b.header.receive_time_ns >= round(t * NS_PER_S) - 1 for t, b in running.heard)

    asyncio.run(scenario())


def test_nothing_goes_out_before_the_market_is_opened_but_snapshots_are_answered():
    async def scenario():
        running = await a_feed(math.inf, Recording(), opened=False)
        await turn(running, 1.0)
        assert running.heard == []
        empty = decode_quote_batch(await running.bus.request(subjects.snapshot("A"), b"", timeout_s=1))
        assert (len(empty.instrument), empty.snapshot) == (0, True)
        await running.bus.put(subjects.MARKET_START, b"test")
        await turn(running, 0.5)
        assert len(running.heard) == 10
        await finish(running)

    asyncio.run(scenario())


def test_a_late_joiner_gets_what_stands_and_goes_on_without_a_gap():
    async def scenario():
        running = await a_feed(100.0, Recording())
        await turn(running, 0.7)
        snapshot = decode_quote_batch(await running.bus.request(subjects.snapshot("B"), b"", timeout_s=1))
        assert (snapshot.header.sequence, int(snapshot.bid_ticks[0])) == (2, 201)
        late = MarketSnapshot(universe())
        assert late.apply(snapshot)
        await turn(running, 1.5)
        for _, batch in running.heard:
            if batch.header.source == "feed.B":
                late.apply(batch)
        assert late.sources["feed.B"].gaps == 0
        assert late.sources["feed.B"].sequence == 5
        with pytest.raises(Refused, match="no such underlying; there are A, B"):
            await running.bus.request(subjects.snapshot("X"), b"", timeout_s=1)
        await finish(running)

    asyncio.run(scenario())


def test_a_restarted_feed_goes_on_after_its_recording_and_publishes_nothing_twice():
    async def scenario():
        whole = list(Source().batches())
        recorder = Recording(whole[:5])
        running = await a_feed(100.0, recorder)
        await turn(running, 1.2)
        assert [b.header.id for _, b in running.heard] == [b.header.id for b in whole[5:]]
        assert running.heard[0][0] == pytest.approx(0.0, abs=0.051)  # the pace begins anew at the first batch left
        snapshot = decode_quote_batch(await running.bus.request(subjects.snapshot("A"), b"", timeout_s=1))
        assert snapshot.header.sequence == 5
        result = await finish(running)
        assert (result.batches, result.published) == (10, 5)

    asyncio.run(scenario())


def test_a_feed_that_falls_behind_drops_nothing_and_says_so():
    async def scenario():
        running = await a_feed(100.0, Recording())
        beats = []
        await running.bus.subscribe(subjects.MARKET_HEARTBEAT, lambda _, d: beats.append(decode_heartbeat(d)), bound=10)
        await turn(running)
        running.clock.advance(3 * NS_PER_S)  # the machine was away
        await turn(running, 0.2)
        assert [b.header.sequence for _, b in running.heard if b.header.source == "feed.A"] == [1, 2, 3, 4, 5]
        result = await finish(running)
        assert result.max_lag_ns == pytest.approx(2.5 * NS_PER_S, abs=0.3 * NS_PER_S)

    asyncio.run(scenario())


def test_stopped_before_the_end_it_announces_none():
    async def scenario():
        running = await a_feed(1.0, Recording())
        await turn(running, 1.0)
        result = await finish(running)
        assert (result.published, result.ended) == (2, False)
        assert await running.bus.get(subjects.MARKET_END) is None

    asyncio.run(scenario())


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan])
def test_a_speed_that_makes_no_sense_is_refused(speed):
    async def scenario():
        with pytest.raises(UsageError, match="speed must be above 0"):
            await feed(
                Source(), MemoryBus(), speed=speed, recorder=Recording(), clock=ManualClock(), stop=asyncio.Event()
            )

    asyncio.run(scenario())


def test_a_recording_longer_than_its_source_is_refused():
    async def scenario():
        whole = list(Source().batches())
        with pytest.raises(Refused, match="11 batches, its source ends after 10"):
            await feed(
                Source(),
                MemoryBus(),
                speed=1.0,
                recorder=Recording([*whole, whole[0]]),
                clock=ManualClock(),
                stop=asyncio.Event(),
            )

    asyncio.run(scenario())


def test_a_recording_goes_on_after_a_torn_tail(tmp_path):
    path = tmp_path / "market.bin"
    book = Book("desk", ("a",), np.zeros(1, np.uint32), np.ones(1, np.int64))
    whole = list(Source().batches())
    with open_recording(path, Source(), book) as recorder:
        for batch in whole[:6]:
            recorder.append(batch)
    path.write_bytes(path.read_bytes()[:-3])
    with open_recording(path, Source(), book) as recorder:
        assert recorder.batches == 5
        for batch in whole[5:]:
            recorder.append(batch)
    kept = RecordedMarket(path)
    assert [b.header for b in kept.batches()] == [b.header for b in whole]
    assert kept.lost_bytes == 0
    assert [p.name for p in tmp_path.iterdir()] == ["market.bin"]


def test_a_recording_of_other_instruments_is_a_conflict(tmp_path):
    path = tmp_path / "market.bin"
    book = Book("desk", (), np.zeros(0, np.uint32), np.zeros(0, np.int64))
    open_recording(path, Source(), book).close()
    other = Source()
    other.universe = dataclasses.replace(universe(), instrument_id=("C F", "D F"))
    with pytest.raises(Conflict, match="other instruments"):
        open_recording(path, other, book)
