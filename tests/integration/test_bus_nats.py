"""The bus on a real server that is killed, restarted or not there."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from contextlib import AsyncExitStack

import pytest
import uvloop

from common import subjects
from common.bus.nats_bus import NatsBus
from common.bus.nats_journal import NatsJournal
from common.bus.nats_lease import NatsLease
from common.bus.record import TRY_TIMEOUT_S
from common.bus.streams import LEASE_RENEW_S, LEASE_TTL_S, stream_settings
from common.errors import Conflict, Unavailable
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


async def until(condition, timeout_s=10.0):
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.01)


def test_a_server_that_is_not_there_is_named_in_time(caplog):
    async def scenario(_):
        begun = time.monotonic()
        with pytest.raises(Unavailable, match=r"nats://127\.0\.0\.1:9 cannot be reached within 0\.5 s"):
            await NatsBus.connect("nats://me:secret@127.0.0.1:9", "test", timeout_s=0.5)
        assert time.monotonic() - begun < 3.0

    run(scenario)
    assert "secret" not in caplog.text
    assert "Traceback" not in caplog.text


def test_another_server_in_the_same_folder_is_a_conflict(own_nats_server):
    with pytest.raises(Conflict, match="answers on its port"):
        nats.start(own_nats_server.settings.folder)


def test_values_watches_and_subscriptions_survive_a_killed_server(own_nats_server, caplog):
    caplog.set_level(logging.INFO)
    servers = [own_nats_server]

    async def scenario(connect):
        reader = await connect(own_nats_server, "reader")
        writer = await connect(own_nats_server, "writer")
        await writer.create_streams()
        budgets, beats = [], []
        await reader.watch(subjects.BUDGETS, lambda _, d: budgets.append(d))
        await reader.subscribe("hedgerow.heartbeat.*", lambda _, d: beats.append(d), bound=10)
        await writer.put(subjects.BUDGETS, b"1")
        await until(lambda: budgets == [b"1"])
        own_nats_server.kill()
        put = asyncio.create_task(writer.put(subjects.BUDGETS, b"2"))
        await asyncio.sleep(0.3)
        servers.append(nats.start(own_nats_server.settings.folder))
        await put
        await until(lambda: budgets[-1] == b"2")
        assert budgets == [b"1", b"2"]
        await until(lambda: reader.connected and writer.connected)
        await writer.publish("hedgerow.heartbeat.x", b"alive")
        await until(lambda: beats == [b"alive"])
        assert await reader.get(subjects.BUDGETS) == b"2"

    try:
        run(scenario)
    finally:
        servers[-1].stop()
    assert "Traceback" not in caplog.text


def test_after_a_server_that_died_alone_there_is_a_leader_again(own_nats_server):
    """The lease's stream must outlive the server: without it nobody could ever lead again (found by `hedgerow chaos`)."""

    async def scenario(connect):
        bus, other = await connect(own_nats_server), await connect(own_nats_server, "other")
        await bus.create_streams()
        mine, theirs = NatsLease(bus), NatsLease(other)
        assert await mine.try_acquire("a")
        own_nats_server.kill()
        again = await asyncio.to_thread(nats.start, own_nats_server.settings.folder)
        try:
            await until(lambda: bus.connected and other.connected)
            assert await mine.renew() or await mine.try_acquire("a")
            assert not await theirs.try_acquire("b")
            await mine.release()
            assert await theirs.try_acquire("b")
        finally:
            again.stop()

    run(scenario)


def test_the_lease_of_a_holder_whose_connection_is_gone_is_free_after_the_time_of_a_renewal(own_nats_server):
    async def scenario(connect):
        mine_bus, bus = await connect(own_nats_server), await connect(own_nats_server, "other")
        await bus.create_streams(lease_ttl_s=30.0)
        mine, theirs = NatsLease(mine_bus, ttl_s=0.5), NatsLease(bus, ttl_s=0.5)
        assert await mine.try_acquire("a")
        await asyncio.sleep(0.6)
        for _ in range(5):
            assert not await theirs.try_acquire("b"), "it is there, though it has not renewed for long"
            await asyncio.sleep(LEASE_RENEW_S / 2)
        await mine_bus._nc._close(mine_bus._nc.CLOSED)  # as a process that ends: no word to anybody
        assert not await theirs.try_acquire("b") and not await theirs.try_acquire("b"), "it may be connected anew"
        await asyncio.sleep(LEASE_RENEW_S + 0.3)
        assert await theirs.try_acquire("b")
        assert await theirs.renew() and await theirs.holder() == "b"
        third = await connect(own_nats_server, "third")
        young = NatsLease(third, ttl_s=30.0)
        await bus._nc._close(bus._nc.CLOSED)
        for _ in range(2):
            assert not await young.try_acquire("c"), "whoever lost the same server may not be back yet"
            await asyncio.sleep(LEASE_RENEW_S + 0.3)

    run(scenario)


def test_a_holder_that_renews_keeps_its_lease_where_this_server_does_not_know_it(own_nats_server):
    """As one that is connected to another server of a cluster, or of a version that does not answer."""

    async def scenario(connect):
        bus, other = await connect(own_nats_server), await connect(own_nats_server, "other")
        await bus.create_streams(lease_ttl_s=30.0)
        mine, theirs = NatsLease(bus), NatsLease(other, ttl_s=0.0)
        assert await mine.try_acquire("a")
        await mine._serving.stop()
        for _ in range(4):
            for _ in range(2):
                assert not await theirs.try_acquire("b")
                await asyncio.sleep(LEASE_RENEW_S / 2)
            assert await mine.renew()

    run(scenario)


def test_a_holder_that_is_there_and_does_not_answer_keeps_its_lease(own_nats_server):
    async def scenario(connect):
        bus, other = await connect(own_nats_server), await connect(own_nats_server, "other")
        await bus.create_streams(lease_ttl_s=30.0)
        mine, theirs = NatsLease(bus), NatsLease(other, ttl_s=0.0)

        async def hangs(_subject: str, _data: bytes) -> bytes:
            await asyncio.sleep(60.0)
            return b""

        assert await mine.try_acquire("a")
        await mine._serving.stop()
        mine._serving = await bus.serve(subjects.held(mine._token), hangs)
        for _ in range(5):
            assert not await theirs.try_acquire("b")
            await asyncio.sleep(LEASE_RENEW_S / 2)

    run(scenario)


def test_the_lease_waits_for_no_disk_and_the_record_does(own_nats_server, caplog):
    """Of one server alone the lease's stream is not synced; one that was made otherwise is left as it is."""

    async def scenario(connect):
        bus = await connect(own_nats_server)
        await bus.create_streams()
        how = {}
        for name in (subjects.STREAM_LEASE, subjects.STREAM_JOURNAL, *subjects.LAST_VALUE_STREAMS):
            how[name] = (await bus._js.stream_info(name)).config.persist_mode
        assert how.pop(subjects.STREAM_LEASE) == "async" and set(how.values()) <= {None, "default"}
        made = (await bus._js.stream_info(subjects.STREAM_LEASE)).config
        await bus._js.delete_stream(subjects.STREAM_LEASE)
        await bus._js.add_stream(made.evolve(persist_mode=None, max_age=7.0))
        await bus.create_streams()
        kept = (await bus._js.stream_info(subjects.STREAM_LEASE)).config
        assert kept.persist_mode in (None, "default") and kept.max_age == LEASE_TTL_S
        lease = NatsLease(bus)
        assert await lease.try_acquire("a") and await lease.renew()
        assert not any("persist_mode" in settings for settings in stream_settings(3, LEASE_TTL_S))

    run(scenario)
    assert "keeps how it is synced" in caplog.text


def test_streams_are_asked_for_again_of_a_server_that_is_slow(own_nats_server):
    """A disk that is busy for longer than one try is no reason to give up a start."""

    async def scenario(connect):
        bus = await connect(own_nats_server)
        os.kill(own_nats_server.pid, signal.SIGSTOP)
        making = asyncio.create_task(bus.create_streams())
        try:
            await asyncio.sleep(1.5 * TRY_TIMEOUT_S)
            assert not making.done()
        finally:
            os.kill(own_nats_server.pid, signal.SIGCONT)
        await making
        await bus.put(subjects.BOOK, b"1")
        assert await bus.get(subjects.BOOK) == b"1"

    run(scenario)


@pytest.mark.parametrize("given_up_by", ["its caller", "its time"])
def test_a_subscription_that_is_given_up_leaves_nobody_deaf(own_nats_server, monkeypatch, given_up_by):
    """The server's answer to it comes later, and nobody waits for it then."""
    monkeypatch.setattr("common.bus.nats_bus.STORE_TIMEOUT_S", 0.2 if given_up_by == "its time" else 10.0)

    async def scenario(connect):
        reader = await connect(own_nats_server, "reader")
        writer = await connect(own_nats_server, "writer")
        got, given_up = [], []
        await reader.subscribe(subjects.proposal("gamma-0"), lambda _, d: got.append(d), bound=8)
        other = subjects.proposal("vega-0")
        os.kill(own_nats_server.pid, signal.SIGSTOP)
        try:
            asking = asyncio.create_task(reader.subscribe(other, lambda _, d: given_up.append(d), bound=8))
            await asyncio.sleep(0.5)
            asking.cancel()
            (outcome,) = await asyncio.gather(asking, return_exceptions=True)
            assert isinstance(outcome, Unavailable if given_up_by == "its time" else asyncio.CancelledError)
        finally:
            os.kill(own_nats_server.pid, signal.SIGCONT)
        await asyncio.sleep(0.2)
        await writer.publish(other, b"for nobody")
        await writer.publish(subjects.proposal("gamma-0"), b"heard")
        await until(lambda: got == [b"heard"], timeout_s=2.0)
        assert not given_up

    run(scenario)


def test_a_watcher_that_missed_the_news_reads_it_again(own_nats_server):
    async def scenario(connect):
        reader = await connect(own_nats_server, "reader")
        writer = await connect(own_nats_server, "writer")
        await writer.create_streams()
        got = []
        watch = await reader.watch(subjects.POSITIONS, lambda _, d: got.append(d))
        await watch.inner.unsubscribe()  # deaf from now on, as if messages were lost on the way
        await writer.put(subjects.POSITIONS, b"7")
        await until(lambda: got == [b"7"], timeout_s=4.0)

    run(scenario)


def test_a_server_that_stays_away_makes_put_and_request_unavailable(own_nats_server, monkeypatch):
    monkeypatch.setattr("common.bus.record.STORE_TIMEOUT_S", 0.5)

    async def scenario(connect):
        bus = await connect(own_nats_server, "test")
        await bus.create_streams()
        lease = NatsLease(bus, ttl_s=1.5)
        assert await lease.try_acquire("me")
        own_nats_server.kill()
        with pytest.raises(Unavailable, match=r"hedgerow\.budgets"):
            await bus.put(subjects.BUDGETS, b"1")
        with pytest.raises(Unavailable, match=r"hedgerow\.status"):
            await bus.request(subjects.STATUS, b"", timeout_s=0.3)
        await bus.publish("hedgerow.heartbeat.x", b"dropped, no error")
        begun = time.monotonic()
        while await lease.renew():  # held until its time is up, lost then: nobody could have said so
            assert time.monotonic() - begun < 4.0

    run(scenario)


def test_a_new_run_on_the_same_server_starts_empty_with_a_higher_token(nats_server):
    async def scenario(connect):
        bus = await connect(nats_server, "test")
        await bus.create_streams()
        journal = NatsJournal(bus)
        first = await journal.take_over("a")
        journal.append(b"old")
        await journal.flush()
        await bus.put(subjects.BOOK, b"old")
        await bus.clear()
        assert await bus.get(subjects.BOOK) is None
        assert await journal.take_over("b") > first
        assert [x async for x in journal.read()] == []
        await journal.close()

    run(scenario)
