"""Ending tasks: a cancel that is lost is given again, and the end waits for all."""

from __future__ import annotations

import asyncio

from common.tasks import end


async def _asks_for_ever(answers: list[asyncio.Future[str]]) -> None:
    """A loop as the shells have them, on the call in which Python 3.11 loses a cancel."""
    while True:
        answers.append(asyncio.get_running_loop().create_future())
        await asyncio.wait_for(answers[-1], 60.0)
        await asyncio.sleep(0.01)


def test_a_loop_whose_answer_comes_in_the_moment_of_its_cancel_ends_all_the_same() -> None:
    async def run() -> bool:
        answers: list[asyncio.Future[str]] = []
        task = asyncio.create_task(_asks_for_ever(answers))
        await asyncio.sleep(0.02)
        answers[-1].set_result("in time")  # the task has not seen it yet
        await asyncio.wait_for(end([task]), 5.0)
        return task.cancelled()

    assert asyncio.run(run())


def test_what_has_ended_is_left_and_what_it_raised_stays_in_it() -> None:
    async def fails() -> None:
        raise ValueError("kept")

    async def closes(seen: list[str]) -> None:
        try:
            await asyncio.sleep(60.0)
        finally:
            await asyncio.sleep(0.01)
            seen.append("closed")

    async def run() -> None:
        seen: list[str] = []
        failed, closing = asyncio.create_task(fails()), asyncio.create_task(closes(seen))
        await asyncio.sleep(0)
        await end([failed, closing])
        await end([])
        assert isinstance(failed.exception(), ValueError) and closing.cancelled() and seen == ["closed"]

    asyncio.run(run())
