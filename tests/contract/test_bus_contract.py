"""One contract, two buses: what a shell may rely on holds in memory and on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop

from common import subjects
from common.bus.memory_bus import MemoryBus, matches
from common.bus.nats_bus import NatsBus
from common.errors import Refused, Unavailable
from deploy.nats_server import NatsServer

AnyBus = MemoryBus | NatsBus
Scenario = Callable[[AnyBus], Awaitable[None]]


@asynccontextmanager
async def a_bus(kind: str, server: NatsServer) -> AsyncIterator[AnyBus]:
    if kind == "memory":
        yield MemoryBus()
        return
    async with await NatsBus.connect(server.url, "contract") as bus:
        await bus.create_streams()
        await bus.clear()
        yield bus


@pytest.fixture(params=["memory", pytest.param("nats", marks=pytest.mark.live)])
def on_bus(request: pytest.FixtureRequest, nats_server: NatsServer) -> Callable[[Scenario], None]:
    def run(scenario: Scenario) -> None:
        async def main() -> None:
            async with a_bus(request.param, nats_server) as bus:
                await asyncio.wait_for(scenario(bus), 20.0)

        uvloop.run(main())

    return run


async def until(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


def test_messages_arrive_in_order_where_they_are_wanted(on_bus):
    async def scenario(bus):
        got, other = [], []
        await bus.subscribe("hedgerow.market.quotes.*", lambda s, d: got.append((s, d)), bound=1000)
        await bus.subscribe("hedgerow.proposal.*", lambda s, d: other.append((s, d)), bound=1000)
        for i in range(100):
            await bus.publish(subjects.quotes("AB"[i % 2]), b"%d" % i)
        await until(lambda: len(got) == 100)
        assert [int(d) for _, d in got] == list(range(100))
        assert {s for s, _ in got} == {subjects.quotes("A"), subjects.quotes("B")}
        assert other == []

    on_bus(scenario)


def test_a_subscriber_that_falls_behind_keeps_the_newest_and_counts_the_rest(on_bus):
    async def scenario(bus):
        got = []
        subscription = await bus.subscribe("hedgerow.heartbeat.x", lambda _, d: got.append(int(d)), bound=10)
        for i in range(200):
            await bus.publish("hedgerow.heartbeat.x", b"%d" % i)
        await until(lambda: got[-1:] == [199])
        # Which ones were dropped depends on when the loop came round; never out of order, never uncounted.
        assert got == sorted(got)
        assert len(got) + subscription.dropped == 200
        assert bus.dropped == subscription.dropped > 0
        assert got[-10:] == list(range(190, 200))

    on_bus(scenario)


def test_nothing_is_delivered_after_stop(on_bus):
    async def scenario(bus):
        got = []
        subscription = await bus.subscribe("hedgerow.heartbeat.y", lambda _, d: got.append(d), bound=10)
        await bus.publish("hedgerow.heartbeat.y", b"1")
        await until(lambda: got == [b"1"])
        await subscription.stop()
        await bus.publish("hedgerow.heartbeat.y", b"2")
        await asyncio.sleep(0.05)
        assert got == [b"1"]

    on_bus(scenario)


def test_a_handler_that_raises_is_counted_and_the_next_message_comes(on_bus, caplog):
    async def scenario(bus):
        got = []

        def handler(_: str, data: bytes) -> None:
            if data == b"bad":
                raise RuntimeError("a bug")
            got.append(data)

        await bus.subscribe("hedgerow.heartbeat.z", handler, bound=10)
        await bus.publish("hedgerow.heartbeat.z", b"bad")
        await bus.publish("hedgerow.heartbeat.z", b"good")
        await until(lambda: got == [b"good"])
        assert bus.handler_errors == 1

    on_bus(scenario)
    assert "a bug" in caplog.text


def test_requests_are_answered_refused_or_unavailable(on_bus):
    async def scenario(bus):
        async def responder(subject: str, data: bytes) -> bytes:
            if data == b"no":
                raise Refused("limits.set: soft above hard")
            if data == b"slow":
                await asyncio.sleep(5)
            return subject.encode() + data

        await bus.serve(subjects.CONTROL_ALL, responder)
        assert await bus.request(subjects.control("pause"), b"!", timeout_s=2) == b"hedgerow.control.pause!"
        with pytest.raises(Refused, match=r"limits\.set: soft above hard"):
            await bus.request(subjects.control("limits.set"), b"no", timeout_s=2)
        with pytest.raises(Unavailable, match=r"hedgerow\.status"):
            await bus.request(subjects.STATUS, b"", timeout_s=0.2)
        slow = asyncio.create_task(bus.request(subjects.control("kill"), b"slow", timeout_s=0.3))
        # One answer that takes long holds up nobody else's.
        assert await bus.request(subjects.control("resume"), b"?", timeout_s=0.2) == b"hedgerow.control.resume?"
        with pytest.raises(Unavailable, match=r"hedgerow\.control\.kill.*0\.3 s"):
            await slow

    on_bus(scenario)


def test_a_request_waits_for_a_server_that_is_coming_up(on_bus):
    async def scenario(bus):
        async def responder(_: str, data: bytes) -> bytes:
            return data

        asked = asyncio.create_task(bus.request(subjects.STATUS, b"early", timeout_s=3))
        await asyncio.sleep(0.1)
        await bus.serve(subjects.STATUS, responder)
        assert await asked == b"early"

    on_bus(scenario)


def test_a_stopped_server_answers_no_more(on_bus):
    async def scenario(bus):
        async def responder(_: str, data: bytes) -> bytes:
            return data

        server = await bus.serve(subjects.STATUS, responder)
        await server.stop()
        with pytest.raises(Unavailable):
            await bus.request(subjects.STATUS, b"", timeout_s=0.1)

    on_bus(scenario)


def test_the_newest_value_is_kept_and_watched(on_bus):
    async def scenario(bus):
        assert await bus.get(subjects.BUDGETS) is None
        early, late = [], []
        await bus.watch(subjects.BUDGETS, lambda _, d: early.append(d))
        assert early == []
        await bus.put(subjects.BUDGETS, b"1")
        await bus.put(subjects.POSITIONS, b"other")
        await bus.put(subjects.BUDGETS, b"2")
        await until(lambda: early == [b"1", b"2"])
        watch = await bus.watch(subjects.BUDGETS, lambda _, d: late.append(d))
        assert late == [b"2"]  # already handed over: a reader may act on it at once
        await bus.put(subjects.BUDGETS, b"3")
        await until(lambda: late == [b"2", b"3"] and early[-1] == b"3")
        await watch.stop()
        await bus.put(subjects.BUDGETS, b"4")
        await until(lambda: early[-1] == b"4")
        assert late == [b"2", b"3"]
        assert await bus.get(subjects.BUDGETS) == b"4"

    on_bus(scenario)


def test_a_payload_that_its_handler_refuses_is_counted_and_the_next_one_comes(on_bus, caplog):
    async def scenario(bus):
        heard = []

        def picky(_subject, data):
            if data != b"good":
                raise Refused(f"{data!r} is no good")
            heard.append(data)

        await bus.subscribe("a.b", picky, bound=100)
        for data in (*[b"bad"] * 5, b"good"):
            await bus.publish("a.b", data)
        await until(lambda: heard == [b"good"])
        assert (bus.refused, bus.handler_errors) == (5, 0)

    on_bus(scenario)
    said = [r for r in caplog.records if "is no good" in r.getMessage()]
    assert len(said) == 3 and not any(r.exc_info for r in said), "the 1st, 2nd and 4th, without a traceback"


def test_a_subject_that_no_stream_keeps_is_named(on_bus):
    async def scenario(bus):
        for call in (bus.put("hedgerow.nowhere", b""), bus.get("hedgerow.nowhere")):
            with pytest.raises(KeyError, match=r"hedgerow\.nowhere"):
                await call

    on_bus(scenario)


@pytest.mark.parametrize(
    ("pattern", "subject", "expected"),
    [
        ("a.b", "a.b", True),
        ("a.*", "a.b", True),
        ("a.*", "a.b.c", False),
        ("a.>", "a.b.c", True),
        ("a.>", "a", False),
        ("*.b", "a.c", False),
    ],
)
def test_wildcards_are_nats_own(pattern, subject, expected):
    assert matches(pattern, subject) is expected
