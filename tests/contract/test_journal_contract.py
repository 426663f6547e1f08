"""One contract, two journals: ordered, stored once, one writer at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import uvloop

from common.bus.memory_bus import MemoryJournal, MemoryLog
from common.bus.nats_bus import NatsBus
from common.bus.nats_journal import NatsJournal
from common.errors import Refused
from deploy.nats_server import NatsServer

AnyJournal = MemoryJournal | NatsJournal
Scenario = Callable[[Callable[[], AnyJournal]], Awaitable[None]]


@pytest.fixture(params=["memory", pytest.param("nats", marks=pytest.mark.live)])
def on_journal(request: pytest.FixtureRequest, nats_server: NatsServer) -> Callable[[Scenario], None]:
    """Runs a scenario with a maker of journals on one record."""

    async def in_memory(scenario: Scenario) -> None:
        log = MemoryLog()
        await scenario(lambda: MemoryJournal(log))

    async def on_nats(scenario: Scenario) -> None:
        async with await NatsBus.connect(nats_server.url, "journal") as bus:
            await bus.create_streams()
            await bus.clear()
            made: list[NatsJournal] = []

            def make() -> NatsJournal:
                made.append(NatsJournal(bus))
                return made[-1]

            await scenario(make)
            for journal in made:
                await journal.close()

    def run(scenario: Scenario) -> None:
        world = in_memory if request.param == "memory" else on_nats
        uvloop.run(asyncio.wait_for(world(scenario), 20.0))

    return run


async def entries(journal: AnyJournal, first: int = 1) -> list[bytes]:
    return [data async for data in journal.read(first)]


def test_entries_are_read_back_in_order_from_any_number_on(on_journal):
    async def scenario(make):
        journal = make()
        assert await entries(journal) == []
        await journal.take_over("a")
        wrote = [b"%d" % i * (i % 7) for i in range(500)]
        for data in wrote:
            journal.append(data)
        await journal.flush()
        assert await entries(journal) == wrote
        assert await entries(journal, 123) == wrote[122:]
        assert await entries(journal, 501) == []

    on_journal(scenario)


def test_nobody_appends_before_taking_over(on_journal):
    async def scenario(make):
        with pytest.raises(Refused):
            make().append(b"x")

    on_journal(scenario)


def test_a_deposed_leader_appends_nothing_more_and_hears_it(on_journal):
    async def scenario(make):
        old, new = make(), make()
        first = await old.take_over("old")
        old.append(b"1")
        await old.flush()
        second = await new.take_over("new")
        assert second > first
        with pytest.raises(Refused, match="deposed by new"):
            old.append(b"stale")
            await old.flush()
        with pytest.raises(Refused, match="deposed by new"):
            old.append(b"stale again")
        new.append(b"2")
        await new.flush()
        assert await entries(new) == [b"1", b"2"]

    on_journal(scenario)


def test_a_deposed_leader_may_lead_again(on_journal):
    async def scenario(make):
        one, two = make(), make()
        await one.take_over("one")
        one.append(b"1")
        await one.flush()
        await two.take_over("two")
        two.append(b"2")
        await two.flush()
        await one.take_over("one")
        one.append(b"3")
        await one.flush()
        assert await entries(one) == [b"1", b"2", b"3"]

    on_journal(scenario)


def test_a_follower_gets_every_entry_once_across_leaders(on_journal):
    async def scenario(make):
        old, new, standby = make(), make(), make()
        await old.take_over("old")
        for i in range(1, 6):
            old.append(b"%d" % i)
        await old.flush()
        got, all_of_them = [], []
        await standby.follow(4, lambda data: got.append(int(data)))
        assert got == [4, 5]
        running = await standby.follow(1, lambda data: all_of_them.append(int(data)))
        await new.take_over("new")
        for i in range(6, 300):
            new.append(b"%d" % i)
        await new.flush()
        async with asyncio.timeout(5):
            while len(got) < 296 or len(all_of_them) < 299:
                await asyncio.sleep(0.01)
        assert got == list(range(4, 300))
        assert all_of_them == list(range(1, 300))
        await running.stop()
        new.append(b"300")
        await new.flush()
        async with asyncio.timeout(5):
            while len(got) < 297:
                await asyncio.sleep(0.01)
        assert len(all_of_them) == 299

    on_journal(scenario)
