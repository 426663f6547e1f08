"""The loaded successor of an agent: it has all that takes processor time behind it, beats under a name of its own, and waits.

What takes time at an agent's start is Python, Ray, numba and the kernels, none of which depends on the moment. What does (book,
positions, budgets, quotes) is fetched when its turn comes. Whose turn it is the fleet says (`agents.actor.AgentActor.begin`).
*Tested by* tests/integration/test_agents_successor.py, tests/e2e/test_fleet_move.py.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import logging
import os
from typing import Final

import psutil

from agents.reference import fetch_setup
from agents.step import AgentSetup, warm
from common import subjects
from common.bus.hearing import Hearing
from common.errors import Unavailable
from common.factors import agent_name, successor_of
from common.messages import Header, Heartbeat
from common.ports import Bus, Clock
from common.tasks import end
from common.wire import codec

BEAT_S: Final = 0.25
STANDS_BY: Final = "stands by"

log = logging.getLogger(__name__)


async def load(setup: AgentSetup) -> None:
    """Compile the kernels, or load them from their cache, beside the loop. A second time costs milliseconds."""
    await asyncio.to_thread(warm, setup)
    gc.freeze()  # Ray, numba and the kernels stay: no collection looks through them again
    gc.enable()  # see `agents.actor`


async def stand_by(
    bus: Bus, kind: str, shard: int, incarnation: int, clock: Clock, begun: asyncio.Event, *, node: str = ""
) -> None:
    """Load, then beat as ``gamma-0+`` while it hears itself, until ``begun`` is set, for which loading is not broken off.

    ``incarnation`` and ``node`` are told in the heartbeats. Raises what `agents.reference.fetch_setup` raises.
    """
    setup = await fetch_setup(bus, kind, shard, incarnation, begun)
    if setup is not None:
        await load(setup)
    if begun.is_set():
        return
    name, process = successor_of(agent_name(kind, shard)), psutil.Process()
    hearing = Hearing(bus, name, incarnation)

    async def beat() -> None:
        for sequence in itertools.count(1):
            header = Header(name, sequence, 0, clock.wall_ns())
            rss_bytes = int(process.memory_info().rss)
            word = Heartbeat(header, incarnation, STANDS_BY, pid=os.getpid(), rss_bytes=rss_bytes, node=node)
            try:
                await bus.publish(subjects.heartbeat(name), codec.encode_heartbeat(word))
            except Unavailable as error:
                log.warning("%s could not send a heartbeat: %s", name, error)
            await hearing.wait(BEAT_S)

    beating, waiting = asyncio.create_task(beat()), asyncio.create_task(begun.wait())
    try:
        await asyncio.wait((beating, waiting), return_when=asyncio.FIRST_COMPLETED)
        if beating.done():
            beating.result()
    finally:
        await end((beating, waiting))
        await hearing.stop()
