"""The ground the simulator stands on: time, processes, links, streams; and that a seed is a run."""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import uuid
from functools import partial
from pathlib import Path

import pytest

from common import subjects
from common.errors import Refused
from common.units import NS_PER_MS, NS_PER_S
from lab.simulator.links import Link
from lab.simulator.loop import Killed
from lab.simulator.nats import Stream
from lab.simulator.run import simulate
from lab.simulator.world import START_NS, Process, World

ROOT = Path(__file__).resolve().parents[2]


def test_a_process_sleeps_in_the_worlds_time_and_a_freeze_holds_it() -> None:
    world, seen = World(1), list[int]()

    async def main(process: Process) -> None:
        for _ in range(4):
            await process.sleep(1.0)
            seen.append((world.now_ns - START_NS) // NS_PER_MS)
        await process.sleep(1e6)

    process = Process(world, "p", main)
    process.start()
    world.at(START_NS + NS_PER_S + NS_PER_S // 2, lambda: process.freeze(2 * NS_PER_S))
    world.run(START_NS + 8 * NS_PER_S)
    world.end()
    assert seen == [1000, 3500, 4500, 5500]


def test_a_killed_process_does_nothing_more_outside_and_comes_back_without_its_memory() -> None:
    world, done = World(1), list[tuple[int, str]]()

    async def main(process: Process) -> None:
        life = process.starts
        try:
            for step in range(3):
                process.act("write", partial(done.append, (life, f"write {step}")))
                await process.sleep(1.0)
        finally:
            process.act("last words", lambda: done.append((life, "last words")))

    process = Process(world, "p", main)
    process.arm("write", 1, after=False)
    process.start()
    world.run(START_NS + 2 * NS_PER_S)
    assert process.starts == 2
    assert done == [(1, "write 0"), (2, "write 0")]
    world.end()
    with pytest.raises(Killed):
        process.act("anything")
    assert (1, "last words") not in done and (2, "last words") not in done


@pytest.mark.parametrize(
    "error", [KeyError("lots"), ExceptionGroup("two", [Refused("lost the lease"), KeyError("lots")])]
)
def test_a_process_that_ends_by_a_mistake_of_its_own_fails_the_run(error: Exception) -> None:
    assert "p ended by a mistake of its own" in (_ended_by(error) or "")


@pytest.mark.parametrize("error", [Refused("lost the lease"), OSError("the disk is full")])
def test_one_that_could_not_go_on_does_not(error: Exception) -> None:
    assert _ended_by(error) is None


def _ended_by(error: Exception) -> str | None:
    world = World(1)

    async def main(process: Process) -> None:
        await process.sleep(1.0)
        raise error

    Process(world, "p", main).start()
    world.run(START_NS + 2 * NS_PER_S)
    world.end()
    return world.failure


def test_a_crash_after_an_act_leaves_its_effect() -> None:
    world, done = World(1), list[str]()

    async def main(process: Process) -> None:
        process.act("send", lambda: done.append("sent"))
        done.append("went on")
        await process.sleep(1e6)

    process = Process(world, "p", main)
    process.arm("send", 0, after=True)
    process.start()
    world.run(START_NS + NS_PER_S // 4)
    world.end()
    assert done == ["sent"]


def test_a_link_keeps_order_loses_while_cut_and_holds_while_stalled() -> None:
    world, got = World(3), list[int]()
    link = Link(world, "l")
    for k in range(20):
        link.send(True, partial(got.append, k))
    world.run(START_NS + 10 * NS_PER_MS)
    assert got == list(range(20))
    link.break_until(world.now_ns + NS_PER_S, lossy=True)
    assert not link.send(True, lambda: got.append(99))
    link.heal()
    link.break_until(world.now_ns + NS_PER_S, lossy=False)
    assert link.send(True, lambda: got.append(20))
    world.run(world.now_ns + NS_PER_S // 2)
    assert got[-1] == 19
    world.run(world.now_ns + NS_PER_S)
    assert got[-1] == 20


@pytest.mark.parametrize("lost", [True, False])
def test_a_link_that_is_silent_one_way_carries_the_other(lost: bool) -> None:
    world, got = World(3), list[str]()
    link = Link(world, "l")
    assert link.hears
    link.silence(lost, world.now_ns + NS_PER_S)
    assert not link.send(lost, partial(got.append, "lost")) and link.send(not lost, partial(got.append, "arrives"))
    assert link.hears is lost
    world.run(world.now_ns + 2 * NS_PER_S)
    assert link.send(lost, partial(got.append, "again")) and link.hears
    world.run(world.now_ns + NS_PER_S)
    assert got == ["arrives", "again"]
    link.silence(lost, world.now_ns + NS_PER_S)
    link.heal()
    assert link.send(lost, partial(got.append, "mended"))


def test_a_stream_takes_a_message_only_where_its_conditions_hold() -> None:
    """The rules of JetStream that fence the journal."""
    stream = Stream(one=False)
    epoch, entry = subjects.JOURNAL_EPOCH, subjects.JOURNAL_ENTRY
    of_epoch = {"Nats-Expected-Last-Subject-Sequence-Subject": epoch}

    def expecting(last: int, token: int) -> dict[str, str]:
        said = {"Nats-Expected-Last-Sequence": str(last), "Nats-Expected-Last-Subject-Sequence": str(token)}
        return {**said, **of_epoch}

    assert stream.store(epoch, b"a", {"Nats-Expected-Last-Subject-Sequence": "0"}, 0) == 1
    assert stream.store(entry, b"1", expecting(1, 1), 0) == 2
    assert stream.store(entry, b"again", expecting(1, 1), 0) is None
    assert stream.store(epoch, b"b", {"Nats-Expected-Last-Subject-Sequence": "1"}, 0) == 3
    assert stream.store(entry, b"late", expecting(3, 1), 0) is None
    assert stream.store(entry, b"2", expecting(3, 3), 0) == 4
    lease = Stream(one=True, max_age_ns=10)
    assert lease.store("k", b"x", {}, 0) == 1
    assert lease.newest("k", 9) is not None and lease.newest("k", 10) is None


def test_a_seed_is_a_run_here_and_in_another_process() -> None:
    """Equal to the last line of the story, whatever the other process's hashes of text are."""
    one, two = simulate(3), simulate(3)
    assert one == two and one.orders > 0 and one.faults >= 5
    code = "from lab.simulator.run import simulate; simulate(1); print(simulate(3).digest)"
    env = {**os.environ, "PYTHONHASHSEED": "4711", "OMP_NUM_THREADS": "1"}
    other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == one.digest


def test_nothing_but_the_seed_is_drawn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found as seed 19: the lease drew a token of its own, which stood in the story of a manager that died as it answered."""

    def drawn(*_: object) -> bytes:
        raise AssertionError("something random that is not of the seed")

    for module, name in ((os, "urandom"), (secrets, "token_bytes"), (secrets, "token_hex"), (uuid, "uuid4")):
        monkeypatch.setattr(module, name, drawn)
    found = simulate(3)
    assert not found.failure and found.orders > 0, found.text()


def test_nothing_of_asyncio_is_left_behind() -> None:
    simulate(3)
    assert asyncio._get_running_loop() is None
