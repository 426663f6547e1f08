"""What agents are told stands in the record first, and positions hold nothing up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import numpy as np

from common.errors import Refused
from common.messages import Header, PositionUpdate
from common.tasks import end
from common.wire import codec
from manager.telling import Telling


class Record:
    """A journal whose entries are stored when the test says so, or refused."""

    def __init__(self) -> None:
        self.stored = asyncio.Event()
        self.deposed = False

    async def flush(self) -> None:
        await self.stored.wait()
        if self.deposed:
            raise Refused("another leads")


class Values:
    """A bus that keeps what is stored."""

    def __init__(self) -> None:
        self.puts: list[int] = []

    async def put(self, _subject: str, data: bytes) -> None:
        self.puts.append(codec.decode_position_update(data).version)


def positions(version: int) -> PositionUpdate:
    return PositionUpdate(
        Header("manager", version, 0), version, np.array([0], np.uint32), np.array([version], np.int64)
    )


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def test_positions_wait_for_the_record_and_hold_nothing_up() -> None:
    async def test() -> None:
        journal, bus = Record(), Values()
        telling = Telling(bus, journal)  # type: ignore[arg-type]
        job = asyncio.create_task(telling.tell_positions())
        for version in (1, 2, 3):
            await telling.say(positions(version))
        await asyncio.sleep(0.01)
        assert bus.puts == []
        journal.stored.set()
        await asyncio.sleep(0.01)
        assert bus.puts[-1] == 3 and len(bus.puts) <= 2, "the newest stands for those before it"
        await telling.say(positions(4))
        await end([job])
        await telling.last_positions()
        assert bus.puts[-1] == 4

    run(test())


def test_a_leader_whose_record_is_refused_tells_nothing() -> None:
    async def test() -> None:
        journal, bus = Record(), Values()
        journal.deposed = True
        telling = Telling(bus, journal)  # type: ignore[arg-type]
        job = asyncio.create_task(telling.tell_positions())
        await telling.say(positions(1))
        journal.stored.set()
        await asyncio.wait([job], timeout=1.0)
        assert bus.puts == [] and isinstance(job.exception(), Refused)

    run(test())
