"""Who waits for the lease: one that starts into a led run leaves it to a warmer standby, if there is one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from benchmarks.fuzz_bus_world import RUN_ID, Desk, setting
from common import subjects
from common.bus.memory_bus import MemoryBus, MemoryJournal, MemoryKey, MemoryLease, MemoryLog
from common.bus.streams import LEASE_RENEW_S
from common.clock import ManualClock, WallClock
from common.messages import Header, Heartbeat, TradingState
from common.parameters import values_of
from common.units import NS_PER_S
from common.wire import codec
from manager import service
from manager.peers import PEERS_MAX, STANDBY, Peers
from manager.service import ManagerService, Ports
from manager.state import ManagerSetup

#: Wall seconds in which what is to happen happens, on any machine.
SOON_S = 20.0


class Place:
    """What all managers of a run share."""

    def __init__(self) -> None:
        s = setting()
        self.setup = ManagerSetup(s.universe, s.book, s.manager, s.limits, RUN_ID, values_of(s.agents.model_dump()))
        self.bus, self.log, self.key, self.desk = MemoryBus(), MemoryLog(), MemoryKey(), Desk(TradingState.ACTIVE)
        #: Beats are as old as this says, however slow the machine is.
        self.clock = ManualClock(1)

    @asynccontextmanager
    async def manager(self, name: str) -> AsyncIterator[ManagerService]:
        lease = MemoryLease(self.key, WallClock())
        made = ManagerService(self.setup, Ports(self.bus, MemoryJournal(self.log), lease, self.desk, self.clock), name)
        stop = asyncio.Event()
        running = asyncio.create_task(made.run(stop))
        try:
            yield made
        finally:
            stop.set()
            await asyncio.wait_for(running, SOON_S)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not holds():
            await asyncio.sleep(0.01)


def test_a_manager_that_hears_no_other_leads_at_once_and_one_that_does_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "COLD_S", 10 * SOON_S)
    monkeypatch.setattr(service, "ALONE_S", 0.3)

    async def scenario() -> None:
        place = Place()
        async with place.manager("manager-a") as first:
            await until(lambda: first.leading)
        async with place.manager("manager-b") as alone:  # the record says that somebody has led; nobody beats
            await until(lambda: alone.leading)
        place.clock.advance(NS_PER_S)  # by now the others have been silent for long
        warmer = True

        async def beat() -> None:
            while warmer:
                said = Heartbeat(Header("manager-z", place.clock.wall_ns(), 0), 0, "standby")
                await place.bus.publish(subjects.heartbeat("manager-z"), codec.encode_heartbeat(said))
                await asyncio.sleep(0.05)

        beating = asyncio.create_task(beat())
        await asyncio.sleep(0.1)
        async with place.manager("manager-c") as cold:
            await asyncio.sleep(1.0)
            assert not cold.leading, "the lease was a warmer standby's"
            warmer = False
            await beating
            place.clock.advance(NS_PER_S)
            await until(lambda: cold.leading)

    asyncio.run(scenario())


def test_a_leader_that_is_gone_is_no_standby() -> None:
    """Who would kill, or restart, the new leader because somebody stands by must not be told of the old one."""

    async def scenario() -> None:
        place = Place()
        async with AsyncExitStack() as second_runs:
            async with place.manager("manager-a") as first:
                await until(lambda: first.leading)
                second = await second_runs.enter_async_context(place.manager("manager-b"))
                await until(lambda: first.status()["standby"] == ["manager-b"])
                await asyncio.sleep(3 * LEASE_RENEW_S)  # it says that it leads
                assert second.status()["standby"] == []
            await until(lambda: second.leading)
            assert second.status()["standby"] == []

    asyncio.run(scenario())


def test_who_has_been_heard() -> None:
    peers, now_ns = Peers(), 5 * NS_PER_S
    for name, at_ns in (("c", now_ns - NS_PER_S - 1), ("b", now_ns - NS_PER_S), ("a", now_ns)):
        peers.hear(beat_of(name), at_ns)
    assert peers.heard(now_ns, 1.0, but="a") == []
    assert peers.heard(now_ns, 1.000000001, but="a") == ["b"]
    assert peers.heard(now_ns, 2.0, but="") == ["c", "b", "a"]
    peers.hear(beat_of("b", "leading"), now_ns)
    assert peers.heard(now_ns, 2.0, but="") == ["c", "a"], "who leads does not stand by"


def test_those_not_heard_for_longest_are_forgotten() -> None:
    peers = Peers()
    for k in range(PEERS_MAX):
        peers.hear(beat_of(f"m{k}"), k)
    peers.hear(beat_of("m0"), PEERS_MAX)
    peers.hear(beat_of("new"), PEERS_MAX)
    assert set(peers.heard(PEERS_MAX, 1.0, but="")) == {f"m{k}" for k in range(PEERS_MAX) if k != 1} | {"new"}


def beat_of(name: str, state: str = STANDBY) -> Heartbeat:
    return Heartbeat(Header(name, 0, 0), 0, state)
