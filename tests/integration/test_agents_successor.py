"""A successor on a memory bus: it says that it stands by once it has loaded, and no more once its turn has come."""

from __future__ import annotations

import asyncio

from agents.successor import STANDS_BY, stand_by
from common import subjects
from common.bus.memory_bus import MemoryBus
from common.clock import WallClock
from common.messages import Heartbeat
from common.wire import codec
from tests.toy_world import ToyManager, on_loop, until


async def _listening(bus: MemoryBus) -> list[Heartbeat]:
    beats: list[Heartbeat] = []
    await bus.subscribe(subjects.HEARTBEATS_ALL, lambda _, data: beats.append(codec.decode_heartbeat(data)), bound=64)
    return beats


@on_loop
async def test_it_beats_under_its_own_name_once_loaded_and_until_it_begins() -> None:
    bus, begun = MemoryBus(), asyncio.Event()
    beats = await _listening(bus)
    standing = asyncio.create_task(stand_by(bus, "gamma", 1, 7, WallClock(), begun, node="there"))
    await asyncio.sleep(0.3)
    assert not beats, "nothing to load yet: no universe, no book, no settings"
    await ToyManager(bus).open({})
    await until(lambda: len(beats) >= 2, what="two heartbeats", timeout_s=60.0)
    told = [(b.header.source, b.incarnation, b.state, b.node) for b in beats]
    assert set(told) == {("gamma-1+", 7, STANDS_BY, "there")}
    assert [b.header.sequence for b in beats] == list(range(1, len(beats) + 1))
    begun.set()
    await asyncio.wait_for(standing, 5.0)
    count = len(beats)
    await asyncio.sleep(0.6)
    assert len(beats) == count


@on_loop
async def test_one_whose_turn_it_is_waits_for_nothing_and_says_nothing() -> None:
    bus, begun = MemoryBus(), asyncio.Event()
    beats = await _listening(bus)
    begun.set()
    await asyncio.wait_for(stand_by(bus, "gamma", 1, 7, WallClock(), begun), 1.0)
    assert not beats
