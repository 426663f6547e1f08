"""A feed process that is killed in the middle comes back and goes on where its recording ends."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import suppress

import pytest
import uvloop

from common import subjects
from common.bus.nats_bus import NatsBus
from common.market.recorded import RecordedMarket
from common.snapshot import MarketSnapshot
from common.wire.codec import decode_heartbeat, decode_quote_batch

pytestmark = [pytest.mark.live, pytest.mark.system]

BATCHES = 400
# A source of one future with a batch each market second.
FEED = f"""
import asyncio, sys
from pathlib import Path
import numpy as np, uvloop
from common.bus.nats_bus import NatsBus
from common.clock import WallClock
from common.messages import Header, QuoteBatch
from common.universe import Book, Underlying, Universe
from common.units import NS_PER_S
from deploy.feed import run_feed

ONE = np.ones(1)
UNIVERSE = Universe(
    ("A F",), np.zeros(1, np.uint8), np.zeros(1, np.uint16), np.full(1, 10**18), 0 * ONE, np.zeros(1, np.int8),
    np.zeros(1, np.uint8), ONE, ONE, np.ones(1, np.int64), np.ones(1, np.uint8), (Underlying("A", 0, 0.0, 0.0),),
    np.ones((1, 1)))
BOOK = Book("desk", (), np.zeros(0, np.uint32), np.zeros(0, np.int64))

class Source:
    universe = UNIVERSE
    statements = ()
    session_bounds_ns = ((NS_PER_S, {BATCHES} * NS_PER_S),)
    def batches(self):
        for i in range(1, {BATCHES} + 1):
            t, lots = np.array([i], np.int32), np.array([9], np.int32)
            yield QuoteBatch(Header("feed.A", i, i * NS_PER_S), np.zeros(1, np.uint32), t, t + 1, lots, lots)

async def main():
    async with await NatsBus.connect(sys.argv[1], "feed") as bus:
        await run_feed(Source(), bus, speed=200.0, recording=Path(sys.argv[2]), book=BOOK,
                       clock=WallClock(), stop=asyncio.Event())

uvloop.run(main())
"""


def test_a_killed_feed_goes_on_and_the_reader_ends_where_an_undisturbed_one_would(own_nats_server, tmp_path):
    script, recording = tmp_path / "feed.py", tmp_path / "market.bin"
    script.write_text(FEED)
    running: list[subprocess.Popen[bytes]] = []

    def start():
        running.append(subprocess.Popen([sys.executable, str(script), own_nats_server.url, str(recording)]))

    async def scenario(bus):
        await bus.create_streams()
        sequences, ended, loops = [], [], set()

        def on_quotes(_, data):
            sequences.append(decode_quote_batch(data).header.sequence)

        await bus.subscribe(subjects.QUOTES_ALL, on_quotes, bound=1000)
        await bus.subscribe(subjects.MARKET_HEARTBEAT, lambda _, d: loops.add(decode_heartbeat(d).loop), bound=10)
        await bus.watch(subjects.MARKET_END, lambda _, d: ended.append(decode_heartbeat(d)))
        start()
        await bus.put(subjects.MARKET_START, b"test")
        for kill_at in (80, 200):
            while not sequences or sequences[-1] < kill_at:
                await asyncio.sleep(0.005)
            running[-1].kill()
            running[-1].wait()
            start()
        while not ended:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.1)
        # Nothing twice, nothing out of order; what a kill swallowed was recorded and stands in the snapshot.
        assert sequences == sorted(set(sequences))
        assert len(sequences) >= BATCHES - 2
        assert [b.header.sequence for b in RecordedMarket(recording).batches()] == list(range(1, BATCHES + 1))
        assert (ended[0].batches, ended[0].header.event_time_ns) == (BATCHES, BATCHES * 10**9)
        snapshot = decode_quote_batch(await bus.request(subjects.snapshot("A"), b"", timeout_s=2))
        assert (snapshot.header.sequence, int(snapshot.bid_ticks[0])) == (BATCHES, BATCHES)
        assert loops == {"uvloop.Loop"}

    async def main():
        async with await NatsBus.connect(own_nats_server.url, "test") as bus:
            await asyncio.wait_for(scenario(bus), 40)

    try:
        uvloop.run(main())
    finally:
        for process in running:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait()


def test_a_gap_left_by_a_kill_heals_by_a_snapshot():
    """The rule the reader relies on, in the reader's own code: a jump marks the source, a snapshot clears the mark."""
    namespace: dict[str, object] = {}
    exec(FEED.rpartition("async def main")[0], namespace)
    batches = list(namespace["Source"]().batches())
    feed, reader = MarketSnapshot(namespace["UNIVERSE"]), MarketSnapshot(namespace["UNIVERSE"])
    for batch in batches[:10]:
        feed.apply(batch)
    for batch in (*batches[:7], batches[9]):
        reader.apply(batch)
    assert reader.sources["feed.A"].gapped
    assert not reader.usable().any()
    reader.apply(feed.as_batch("A"))
    assert reader.usable().all()
    assert reader.apply(batches[10])
    assert not reader.sources["feed.A"].gapped
