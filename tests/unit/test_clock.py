from __future__ import annotations

import asyncio
import time

import pytest

from common.clock import ManualClock, WallClock


def test_wall_clock_is_utc_nanoseconds():
    assert abs(WallClock().wall_ns() - time.time_ns()) < 10**9


def test_wall_clock_sleeps_until_then_and_not_for_the_past():
    async def scenario():
        clock = WallClock()
        due = clock.wall_ns() + 20_000_000
        await clock.sleep_until_ns(due)
        assert clock.wall_ns() >= due
        begun = clock.wall_ns()
        await clock.sleep_until_ns(0)
        assert clock.wall_ns() - begun < 1_000_000_000

    asyncio.run(scenario())


def test_manual_clock_stands_still_and_wakes_sleepers_in_order_of_time():
    async def scenario():
        clock = ManualClock(100)
        woke = []

        async def sleeper(name, until_ns):
            await clock.sleep_until_ns(until_ns)
            woke.append((name, clock.wall_ns()))

        async with asyncio.TaskGroup() as tasks:
            for name, until in (("late", 130), ("first", 110), ("tie", 110), ("now", 100)):
                tasks.create_task(sleeper(name, until))
            await asyncio.sleep(0.001)
            assert woke == [("now", 100)]
            assert clock.next_wake_ns == 110
            clock.advance(9)
            await asyncio.sleep(0.001)
            assert len(woke) == 1
            clock.advance(1)
            await asyncio.sleep(0.001)
            assert woke[1:] == [("first", 110), ("tie", 110)]
            clock.advance(100)
        assert woke[3:] == [("late", 210)]
        assert clock.next_wake_ns is None

    asyncio.run(scenario())


def test_a_cancelled_sleeper_is_forgotten():
    async def scenario():
        clock = ManualClock()
        task = asyncio.create_task(clock.sleep_until_ns(5))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert clock.next_wake_ns is None
        clock.advance(10)

    asyncio.run(scenario())


def test_time_does_not_run_backwards():
    with pytest.raises(ValueError, match="backwards"):
        ManualClock().advance(-1)
