"""Who hears nothing beats no more: an agent on a real server, over a line that carries one way for a while."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from agents.shell import HEARTBEAT_S, run_agent
from agents.successor import BEAT_S, stand_by
from common import subjects
from common.bus.hearing import UNHEARD, Hearing
from common.bus.memory_bus import MemoryBus
from common.bus.nats_bus import NatsBus
from common.clock import WallClock
from common.messages import Heartbeat
from common.tasks import end
from common.wire import codec
from deploy.nats_server import NatsServer
from tests.one_way import OneWay, one_way
from tests.toy_world import SYMBOLS, ToyFeed, ToyManager, on_loop, until

#: Beats of one that hears nothing: words that were under way, and the beat that was due with each.
AT_MOST = 3


@pytest.mark.live
@pytest.mark.parametrize("who", ["gamma-0", "gamma-0+"])
def test_one_that_hears_nothing_beats_no_more_and_again_when_it_hears(own_nats_server: NatsServer, who: str) -> None:
    uvloop.run(_deaf_for_a_while(own_nats_server.url, who))


async def _deaf_for_a_while(url: str, who: str) -> None:
    world = await NatsBus.connect(url, "world")
    beats: list[Heartbeat] = []
    stop = asyncio.Event()
    try:
        await world.create_streams()
        async with one_way(url) as line:
            own = await NatsBus.connect(line.url, "gamma-0")
            running = asyncio.create_task(_live(own, who, stop))
            try:
                await _populated(world)
                await world.subscribe(
                    subjects.heartbeat(who), lambda _, data: beats.append(codec.decode_heartbeat(data)), bound=64
                )
                await _deafened(line, beats)
                stop.set()
                await asyncio.wait_for(running, 10.0)
            finally:
                line.release()
                await end([running])
                await own.close()
    finally:
        await world.close()


async def _live(bus: NatsBus, who: str, stop: asyncio.Event) -> None:
    if who.endswith("+"):
        await stand_by(bus, "gamma", 0, 7, WallClock(), stop)
    else:
        await run_agent(bus, "gamma", 0, 7, WallClock(), stop)


async def _populated(world: NatsBus) -> None:
    feed, manager = ToyFeed(world), ToyManager(world)
    await manager.open()
    await feed.open()
    for symbol in SYMBOLS:
        await feed.tick(symbol)
    await manager.give({f"gamma/{s}": "gamma-0" for s in SYMBOLS})


async def _deafened(line: OneWay, beats: list[Heartbeat]) -> None:
    await until(
        lambda: len(beats) >= 6 and not beats[-1].state.startswith("starting"), 60.0, "beats of one that has loaded"
    )
    line.hold("gamma-0")
    deaf_at = len(beats)
    await asyncio.sleep(12 * max(HEARTBEAT_S, BEAT_S))
    last = len(beats)
    assert last - deaf_at <= AT_MOST, "it beats as if it heard"
    line.release()
    await until(lambda: len(beats) >= last + 4, what="beats again, without having been started anew")
    assert {beat.incarnation for beat in beats} == {7}


@on_loop
async def test_the_words_of_another_incarnation_or_of_anybody_else_are_not_its_own() -> None:
    bus = MemoryBus()
    hearing = Hearing(bus, "gamma-0", 7)
    await _twice(hearing)
    assert hearing._subscription is not None
    await hearing._subscription.stop()  # as if its words were lost on the way
    await bus.subscribe(subjects.echo("gamma-0"), hearing._on_word, bound=8)
    bus_publish, sent = bus.publish, []

    async def lost(subject: str, data: bytes) -> None:
        sent.append(data)
        for word in (b"6.1000", b"7.", b"7.x", b"", b"7", b"hello", b"6." + data.partition(b".")[2]):
            await bus_publish(subject, word)

    bus.publish = lost  # type: ignore[method-assign]
    waiting = asyncio.create_task(_twice(hearing))
    await asyncio.sleep(0.2)
    assert hearing.deaf and not waiting.done() and len(sent) > 4
    bus.publish = bus_publish  # type: ignore[method-assign]
    await asyncio.wait_for(waiting, 2.0)
    assert not hearing.deaf


@on_loop
async def test_one_that_may_not_hear_itself_beats_as_ever(caplog: pytest.LogCaptureFixture) -> None:
    bus = MemoryBus()

    async def lost(subject: str, data: bytes) -> None: ...

    bus.publish = lost  # type: ignore[method-assign]
    hearing = Hearing(bus, "gamma-0", 7)
    for _ in range(UNHEARD + 2):
        await asyncio.wait_for(hearing.wait(0.001), 1.0)
    assert not hearing.deaf and caplog.text.count("has it the right to?") == 1


async def _twice(hearing: Hearing) -> None:
    await hearing.wait(0.01)
    await hearing.wait(0.01)
