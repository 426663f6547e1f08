"""The journal on a real server: nothing lost, doubled or out of order while servers die and leaders change."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest
import uvloop

from common.bus.nats_bus import NatsBus
from common.bus.nats_journal import NatsJournal
from common.errors import Refused
from deploy import nats_server as nats

pytestmark = pytest.mark.live


def run(scenario):
    """Run a scenario with a way to connect whose connections are closed whatever happens."""

    async def main():
        async with AsyncExitStack() as stack:

            async def connect(server, name="test"):
                return await stack.enter_async_context(await NatsBus.connect(server.url, name))

            await asyncio.wait_for(scenario(connect), 60)

    uvloop.run(main())


async def entries(journal):
    return [int(data) async for data in journal.read()]


def test_appends_across_two_kills_of_the_server_are_stored_once_in_order(own_nats_server):
    servers = [own_nats_server]
    count = 3000

    async def appender(journal):
        for i in range(count):
            journal.append(b"%d" % i)
            if i % 5 == 0:
                await asyncio.sleep(0.001)

    async def killer():
        for _ in range(2):
            await asyncio.sleep(0.15)
            servers[-1].kill()
            await asyncio.sleep(0.1)
            servers.append(nats.start(own_nats_server.settings.folder))

    async def scenario(connect):
        bus = await connect(own_nats_server, "leader")
        other = await connect(own_nats_server, "standby")
        await bus.create_streams()
        journal, standby = NatsJournal(bus), NatsJournal(other)
        await journal.take_over("leader")
        followed = []
        await standby.follow(1, lambda data: followed.append(int(data)))
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(appender(journal))
            tasks.create_task(killer())
        await journal.flush()
        assert journal.unstored == 0
        assert await entries(journal) == list(range(count))
        async with asyncio.timeout(10):
            while len(followed) < count:
                await asyncio.sleep(0.05)
        assert followed == list(range(count))
        await journal.close()

    try:
        run(scenario)
    finally:
        servers[-1].stop()


def test_leaders_that_depose_each_other_while_writing_leave_whole_runs(nats_server):
    """Each leader's stored entries are a prefix of what it appended, and nobody writes between another's."""

    async def scenario(connect):
        buses = [await connect(nats_server, f"m{i}") for i in range(2)]
        await buses[0].create_streams()
        await buses[0].clear()
        journals = [NatsJournal(bus) for bus in buses]
        appended = []
        for turn in range(8):
            journal, name = journals[turn % 2], turn
            await journal.take_over(f"turn {turn}")
            try:
                for i in range(400):
                    journal.append(b"%d %d" % (name, i))
                    if i % 50 == 0:
                        await asyncio.sleep(0)
            except Refused:  # not before the next turn
                raise AssertionError(turn) from None
            appended.append(400)
        await journals[1].flush()
        with pytest.raises(Refused):
            await journals[0].flush()
            journals[0].append(b"late")
            await journals[0].flush()
        stored = [tuple(map(int, data.split())) async for data in journals[1].read()]
        turns = [turn for turn, _ in stored]
        assert turns == sorted(turns)
        for turn in range(8):
            mine = [i for t, i in stored if t == turn]
            assert mine == list(range(len(mine)))
        assert turns.count(7) == 400
        for journal in journals:
            await journal.close()

    run(scenario)


def test_too_much_waiting_and_too_large_entries_are_refused_not_forgotten(nats_server, monkeypatch):
    monkeypatch.setattr("common.bus.nats_journal.WAITING_BYTES_MAX", 1000)
    monkeypatch.setattr("common.bus.nats_journal.ENTRY_BYTES_MAX", 700)

    async def scenario(connect):
        bus = await connect(nats_server, "test")
        await bus.create_streams()
        await bus.clear()
        journal = NatsJournal(bus)
        await journal.take_over("me")
        with pytest.raises(ValueError, match="701 bytes"):
            journal.append(bytes(701))
        journal.append(bytes(600))
        with pytest.raises(Exception, match="no more fit"):
            journal.append(bytes(600))
        await journal.flush()
        journal.append(bytes(600))
        await journal.flush()
        assert [len(data) async for data in journal.read()] == [600, 600]
        await journal.close()

    run(scenario)
