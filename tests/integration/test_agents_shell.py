"""The agent's shell with the real ``step`` on a memory bus: hydration, gaps, moving keys, restart, stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import numpy as np
import pytest

from agents.shell import AgentShell, run_agent
from common import subjects
from common.bus.memory_bus import MemoryBus
from common.clock import WallClock
from common.errors import Refused
from tests.toy_world import SYMBOLS, ToyFeed, ToyManager, on_loop, until

ALL = {f"gamma/{s}": "gamma-0" for s in SYMBOLS}


class World:
    """A bus with a feed and a manager on it, and agents started by the test."""

    def __init__(self) -> None:
        self.bus = MemoryBus()
        self.feed, self.manager = ToyFeed(self.bus), ToyManager(self.bus)
        self.incarnation = 0
        self.shells: dict[str, AgentShell] = {}
        self._running: dict[str, tuple[asyncio.Event, asyncio.Task[None]]] = {}

    def start(self, kind: str, shard: int) -> None:
        self.incarnation += 1
        stop = asyncio.Event()
        shell = AgentShell(self.bus, kind, shard, self.incarnation, WallClock())
        self.shells[shell.name] = shell
        self._running[shell.name] = stop, asyncio.create_task(shell.run(stop))

    async def stop(self, name: str) -> None:
        stop, task = self._running.pop(name)
        stop.set()
        await asyncio.wait_for(task, 5.0)

    async def kill(self, name: str) -> None:
        task = self._running.pop(name)[1]
        task.cancel()
        await asyncio.wait([task])

    async def hedging(self, name: str) -> None:
        await until(lambda: self.manager.state_of(name) == "hedging", 30.0, f"{name} hedging")


@asynccontextmanager
async def a_world() -> AsyncIterator[World]:
    world = World()
    await world.manager.open()
    await world.feed.open()
    for symbol in SYMBOLS:
        await world.feed.tick(symbol)
    try:
        yield world
    finally:
        for name in list(world._running):
            await world.stop(name)


@on_loop
async def test_every_kind_hydrates_from_a_snapshot_and_proposes() -> None:
    kinds = ("gamma", "vega", "cross_asset")
    async with a_world() as world:
        vega = {f"vega/{s}/{b}": "vega-0" for s in SYMBOLS for b in ("0-7d", "8-30d", "31-60d")}
        await world.manager.give({**ALL, **vega, "cross_asset/common": "cross_asset-0"})
        for kind in kinds:
            world.start(kind, 0)
        for kind in kinds:
            await world.hedging(f"{kind}-0")
        await until(lambda: {p.kind for p in world.manager.proposals} == set(kinds), 5.0, "proposals")
        gamma = next(p for p in world.manager.proposals if p.kind == "gamma")
        assert set(gamma.factor) == {f"{f}:{s}" for f in ("delta", "gamma") for s in SYMBOLS}
        # Short 200 straddles: short gamma, whatever the model.
        assert (gamma.exposure[[f.startswith("gamma") for f in gamma.factor]] < 0).all()
        assert np.isfinite(gamma.sensitivity).all() and gamma.trigger == "start"
        streams = {run.stream for run in gamma.inputs}
        assert streams >= {"positions", "budgets", "assignment", "snapshot.feed.AAA", "decide"}
        beat = world.manager.beats["gamma-0"]
        assert beat.keys == ("gamma/AAA", "gamma/BBB") and beat.assignment_version == 1
        assert beat.decide_p99_us >= beat.decide_p50_us > 0 and beat.rss_bytes > 0 and beat.loop


@on_loop
async def test_waits_for_reference_data_and_feed_and_says_so() -> None:
    world = World()
    world.start("gamma", 0)
    await until(lambda: world.shells["gamma-0"].heartbeat().state == "starting", what="a first heartbeat")
    await world.manager.open()
    await world.manager.give(ALL)
    await until(lambda: "waiting for feed.AAA" in world.manager.state_of("gamma-0"), 30.0, "waiting for the feed")
    await world.feed.open()
    for symbol in SYMBOLS:
        await world.feed.tick(symbol)
    await world.hedging("gamma-0")
    assert world.manager.beats["gamma-0"].gaps == 0
    await world.stop("gamma-0")


@on_loop
async def test_a_gap_silences_until_a_snapshot_heals_it() -> None:
    async with a_world() as world:
        await world.manager.give(ALL)
        world.start("gamma", 0)
        await world.hedging("gamma-0")
        asked = world.feed.asked["AAA"]
        world.feed.lose = 2
        for _ in range(3):
            await world.feed.tick("AAA", 101.0)
        await until(lambda: world.feed.asked["AAA"] > asked, what="a snapshot request")
        await until(lambda: world.manager.beats["gamma-0"].gaps == 2, what="the gap counted")
        await world.hedging("gamma-0")
        before = len(world.manager.proposals)
        await world.feed.tick("AAA", 103.0)
        await until(lambda: len(world.manager.proposals) > before, what="a proposal after the gap")
        assert world.manager.proposals[-1].trigger == "price move"
        assert world.feed.asked["BBB"] == 1, "only the gapped source was asked again"


@on_loop
async def test_asks_for_a_snapshot_when_only_the_core_knows_of_a_gap() -> None:
    async with a_world() as world:
        await world.manager.give(ALL)
        world.start("gamma", 0)
        await world.hedging("gamma-0")
        asked = world.feed.asked["AAA"]
        state = world.shells["gamma-0"]._state
        assert state is not None
        state.snapshot.sources["feed.AAA"].gapped = True
        await world.feed.tick("BBB")
        await until(lambda: world.feed.asked["AAA"] > asked, what="a snapshot request")
        await until(lambda: not state.snapshot.sources["feed.AAA"].gapped, what="healed")


@on_loop
async def test_keys_move_and_subscriptions_follow() -> None:
    async with a_world() as world:
        await world.manager.give({"gamma/AAA": "gamma-0", "gamma/BBB": "gamma-1"})
        world.start("gamma", 0)
        world.start("gamma", 1)
        for name in ("gamma-0", "gamma-1"):
            await world.hedging(name)
        quotes = lambda: sorted(s.pattern for s in world.bus._subscriptions if ".quotes." in s.pattern)  # noqa: E731
        assert quotes() == [subjects.quotes("AAA"), subjects.quotes("BBB")]
        await world.manager.give({"gamma/AAA": "gamma-1", "gamma/BBB": "gamma-1"})
        await until(lambda: world.manager.state_of("gamma-0") == "idle", what="gamma-0 idle")
        await until(lambda: world.manager.beats["gamma-1"].keys == ("gamma/AAA", "gamma/BBB"), what="gamma-1 owns both")
        await world.hedging("gamma-1")
        assert quotes() == [subjects.quotes("AAA"), subjects.quotes("BBB")]
        before = len(world.manager.proposals)
        await world.feed.tick("AAA", 104.0)
        await until(lambda: len(world.manager.proposals) > before, what="a proposal of the new owner")
        assert {p.agent for p in world.manager.proposals[before:]} == {"gamma-1"}


@on_loop
async def test_a_killed_agent_comes_back_as_a_new_incarnation_with_nothing_but_the_bus() -> None:
    async with a_world() as world:
        await world.manager.give(ALL)
        world.start("gamma", 0)
        await world.hedging("gamma-0")
        await until(lambda: world.manager.proposals, what="a proposal")
        await world.kill("gamma-0")
        await world.feed.tick("AAA", 102.0)
        before = len(world.manager.proposals)
        world.start("gamma", 0)
        await until(lambda: len(world.manager.proposals) > before, 30.0, "a proposal of the new incarnation")
        first, last = world.manager.proposals[0], world.manager.proposals[-1]
        assert (first.incarnation, last.incarnation) == (1, 2)
        delta = last.factor.index("delta:AAA")
        assert last.exposure[delta] < first.exposure[delta], "short gamma: delta falls as the market rises"


@on_loop
async def test_stops_when_told_and_says_so() -> None:
    async with a_world() as world:
        await world.manager.give(ALL)
        world.start("gamma", 0)
        await world.hedging("gamma-0")
        await world.stop("gamma-0")
        await until(lambda: world.manager.state_of("gamma-0") == "stopped: asked to", what="a last word")
        assert not [s for s in world.bus._subscriptions if ".quotes." in s.pattern] and not world.bus._watches
        beats = len(world.manager.seen)
        await asyncio.sleep(0.4)
        assert len(world.manager.seen) == beats


@on_loop
async def test_a_malformed_message_is_refused_whole_and_disturbs_nothing() -> None:
    async with a_world() as world:
        await world.manager.give(ALL)
        world.start("gamma", 0)
        await world.hedging("gamma-0")
        await world.bus.publish(subjects.quotes("AAA"), b"\xff\xfe not a batch")
        await world.bus.put(subjects.POSITIONS, b"\xff\xfe no positions")
        before = len(world.manager.proposals)
        await world.feed.tick("AAA", 105.0)
        await until(lambda: len(world.manager.proposals) > before, what="a proposal after the rubbish")


@on_loop
async def test_reference_data_that_do_not_decode_end_the_agent_with_the_reason() -> None:
    bus = MemoryBus()
    await ToyManager(bus).open()
    await bus.put(subjects.UNIVERSE, b"\xff\xfe")
    with pytest.raises(ExceptionGroup) as raised:
        await run_agent(bus, "gamma", 0, 1, WallClock(), asyncio.Event())
    assert raised.group_contains(Refused, match="Universe")
