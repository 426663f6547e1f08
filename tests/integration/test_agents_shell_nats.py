"""The agent's shell on a real NATS server and uvloop: the same life, and how long a proposal takes."""

from __future__ import annotations

import asyncio
import statistics

import pytest
import uvloop

from agents.shell import run_agent
from common.bus.nats_bus import NatsBus
from common.clock import WallClock
from deploy.nats_server import NatsServer
from tests.toy_world import SYMBOLS, ToyFeed, ToyManager, until


@pytest.mark.live
def test_hydrates_hedges_and_stops_on_nats(own_nats_server: NatsServer) -> None:
    uvloop.run(_live(own_nats_server.url))


async def _live(url: str) -> None:
    world_bus, agent_bus = await NatsBus.connect(url, "world"), await NatsBus.connect(url, "gamma-0")
    try:
        await world_bus.create_streams()
        await _hedge(world_bus, agent_bus)
    finally:
        await agent_bus.close()
        await world_bus.close()


async def _hedge(world_bus: NatsBus, agent_bus: NatsBus) -> None:
    feed, manager = ToyFeed(world_bus), ToyManager(world_bus)
    await manager.open()
    await feed.open()
    for symbol in SYMBOLS:
        await feed.tick(symbol)
    await manager.give({f"gamma/{s}": "gamma-0" for s in SYMBOLS})
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run_agent(agent_bus, "gamma", 0, 7, WallClock(), stop))
        await until(lambda: manager.state_of("gamma-0") == "hedging", 30.0, "hedging")
        assert manager.beats["gamma-0"].loop == "uvloop.Loop"
        took_ms = [await _tick_to_proposal_ms(feed, manager, 101.0 - (i % 2)) for i in range(40)]
        print(f"tick to proposal over NATS: median {statistics.median(took_ms):.2f} ms")
        assert statistics.median(took_ms) < 100.0
        assert manager.proposals[-1].incarnation == 7 and manager.beats["gamma-0"].gaps == 0
        stop.set()
    await until(lambda: manager.state_of("gamma-0") == "stopped: asked to", what="a last word")


async def _tick_to_proposal_ms(feed: ToyFeed, manager: ToyManager, future: float) -> float:
    loop = asyncio.get_running_loop()
    before, began = len(manager.proposals), loop.time()
    await feed.tick("AAA", future)
    while len(manager.proposals) == before:
        assert loop.time() - began < 5.0, "no proposal"
        await asyncio.sleep(0)
    return 1e3 * (loop.time() - began)
