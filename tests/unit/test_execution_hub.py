"""A reader gets every report once, in order, or is told that it fell behind."""

from __future__ import annotations

import asyncio

import pytest

from common.errors import Refused, Unavailable
from execution.hub import ReportHub


def test_reports_reach_every_reader_and_a_slow_one_is_cut() -> None:
    async def main() -> None:
        hub = ReportHub(bound=3)
        fast, slow = hub.open(), hub.open()
        hub.publish([1, 2])
        assert await fast.next() == [1, 2]
        hub.publish([3, 4])
        assert await fast.next() == [3, 4]
        with pytest.raises(Refused, match="more than 3 reports behind"):
            await slow.next()
        hub.publish([5])
        assert await fast.next() == [5]

    asyncio.run(main())


def test_a_waiting_reader_wakes_when_the_service_stops() -> None:
    async def main() -> None:
        hub = ReportHub(bound=3)
        waiting = asyncio.create_task(hub.open().next())
        await asyncio.sleep(0)
        hub.close()
        with pytest.raises(Unavailable):
            await waiting
        with pytest.raises(Unavailable):
            await hub.open().next()

    asyncio.run(main())
