"""Restarts by the launcher: one at a time, the leader last, acknowledged only when the part works again.

The parts are real processes of the real supervisor that end on SIGTERM; who leads and who stands by is told by a stand-in.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from common import subjects
from common.bus.memory_bus import MemoryBus
from common.control_messages import Acknowledgement, Command
from common.wire import codec
from deploy import restart
from deploy.processes import ChildSpec, Supervisor
from deploy.restart import Restarts, action_of
from tests.toy_world import on_loop

PART = "import signal; signal.sigwait([signal.SIGTERM])"
NAMES = ("manager-a", "manager-b", "execution")


class World:
    """Children, and a status in which the newest running manager other than the one just ended leads."""

    def __init__(self, supervisor: Supervisor, bus: MemoryBus) -> None:
        self.supervisor, self.bus = supervisor, bus
        self.leader = "manager-b"
        self.log: list[str] = []
        self.broken: set[str] = set()

    async def works(self, name: str) -> bool:
        others = [n for n in NAMES if n != name]
        assert all(self.supervisor.children[n].pid for n in others), "two parts are down at once"
        if name in self.broken:
            return False
        self.log.append(name)
        return True

    async def status(self, _subject: str, _data: bytes) -> bytes:
        return json.dumps({"leader": {"holder": self.leader}}).encode()

    async def ask(self, part: str) -> Acknowledgement:
        command = Command("c", "restart", "me", "a test", json.dumps({"part": part}))
        data = await self.bus.request(subjects.control("restart"), codec.encode_command(command), timeout_s=30.0)
        return codec.decode_acknowledgement(data)


@asynccontextmanager
async def a_world(folder: Path) -> AsyncIterator[World]:
    bus, supervisor = MemoryBus(), Supervisor(folder)
    for name in NAMES:
        supervisor.start(ChildSpec(name, [sys.executable, "-c", PART]))
    world = World(supervisor, bus)
    await bus.serve(subjects.STATUS, world.status)
    works = dict.fromkeys(("manager", "execution", "feed"), world.works)
    await Restarts(bus, supervisor, "", works).open()
    watching = asyncio.create_task(supervisor.watch())
    try:
        yield world
    finally:
        watching.cancel()
        await supervisor.stop()
        supervisor.close()


def test_managers_are_restarted_one_at_a_time_and_the_leader_last(tmp_path: Path) -> None:
    @on_loop
    async def test() -> None:
        async with a_world(tmp_path) as world:
            before = {name: world.supervisor.children[name].pid for name in NAMES}
            answer = await world.ask("manager")
            assert answer.accepted, answer.text
            assert world.log == ["manager-a", "manager-b"]
            after = {name: world.supervisor.children[name].pid for name in NAMES}
            assert [name for name in NAMES if after[name] != before[name]] == ["manager-a", "manager-b"]

    test()


def test_what_does_not_work_again_is_not_acknowledged_and_the_next_one_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restart, "PART_TIMEOUT_S", 2.0)

    @on_loop
    async def test() -> None:
        async with a_world(tmp_path) as world:
            world.broken.add("manager-a")
            leader = world.supervisor.children["manager-b"].pid
            answer = await world.ask("manager")
            assert not answer.accepted and "manager-a was ended and does not work again" in answer.text
            assert world.supervisor.children["manager-b"].pid == leader

    test()


def test_only_what_may_be_restarted_is(tmp_path: Path) -> None:
    @on_loop
    async def test() -> None:
        async with a_world(tmp_path) as world:
            assert (await world.ask("execution")).accepted
            assert (await world.ask("leader")).accepted and world.log == ["execution", "manager-b"]
            for part in ("nats", "fleet", "feed", "manager-z"):
                answer = await world.ask(part)
                assert not answer.accepted and f"no part '{part}'" in answer.text

    test()


def test_agents_are_the_fleets_to_restart() -> None:
    assert action_of("manager") == ("restart", "manager")
    assert action_of("manager-b") == ("restart", "manager-b")
    for part, name in (("agents", "agents"), ("gamma", "gamma"), ("cross-asset-0", "cross_asset-0")):
        assert action_of(part) == ("restart.agents", name)
