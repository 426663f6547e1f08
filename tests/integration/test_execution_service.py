"""A real server on loopback, uvloop, SQLite store: what clients are promised."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
import uvloop
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hedgerow.execution.v1 import execution_pb2 as pb
from hedgerow.execution.v1 import execution_pb2_grpc

from common.errors import Conflict, Refused, Unavailable
from common.execution_client import ExecutionClient
from common.messages import ExecutionReport, OrderAck, OrdStatus, Refusal, TimeInForce, TradingState
from common.subjects import quotes as quotes_subject
from common.wire.codec import encode_quote_batch
from common.wire.execution_codec import order_to_pb
from execution.service import serve
from execution.sqlite_store import SqliteStore
from execution.venues.port import VenueEvent, VenueKind
from tests.execution_world import make_config, make_order, make_universe, running, standing, until

pytestmark = pytest.mark.live


async def collect(client: ExecutionClient, first: int, into: list[ExecutionReport]) -> None:
    async for report in client.reports(first):
        into.append(report)


def test_an_order_goes_from_stream_to_fill_and_a_retry_gets_the_stored_answer(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path)) as desk:
            order = make_order("a", lots=3, receive_time_ns=1)
            await desk.client.submit([order, make_order("b", lots=2)])
            assert (await desk.answer("a")).ord_status is OrdStatus.PENDING_NEW
            assert (await desk.answer("a")).tick_to_order_ns > 0
            status = await desk.client.status()
            assert status["tick_to_order_p50_ns"] == status["tick_to_first_order_p50_ns"] > 0, "one order, of one tick"
            got: list[ExecutionReport] = []
            reader = asyncio.create_task(collect(desk.client, 1, got))
            await until(lambda: len(got) >= 4)
            assert [r.sequence for r in got] == [1, 2, 3, 4]
            a = [r for r in got if r.client_order_id == "a"]
            assert [(r.ord_status, r.last_lots, r.cum_lots, r.leaves_lots) for r in a] == [
                (OrdStatus.NEW, 0, 0, 3),
                (OrdStatus.FILLED, 3, 3, 0),
            ]
            assert (a[1].last_ticks, a[1].bid_ticks, a[1].ask_ticks, a[1].fee_cents) == (1002, 1000, 1002, 375)
            await desk.client.submit([order])
            again = await desk.answer("a", 2)
            assert (again.duplicate, again.ord_status) == (True, OrdStatus.FILLED)
            await desk.client.submit([replace(order, quantity_lots=4)])
            assert (await desk.answer("a", 3)).refusal is Refusal.ID_REUSED
            state = await desk.client.get_order("a")
            assert state is not None
            assert (state.order, state.ord_status, state.cum_lots) == (order, OrdStatus.FILLED, 3)
            assert await desk.client.get_order("nobody") is None
            status = await desk.client.status()
            assert (status["orders"], status["fills"], status["open_orders"], status["venue"]) == (2, 2, 0, "paper")
            assert (status["state"], status["epoch"]) == ("ACTIVE", 1)
            reader.cancel()

    uvloop.run(main())


def test_many_orders_in_one_message_are_answered_in_order_and_listed_in_pages(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(
            make_config(
                tmp_path,
                limits=make_config(tmp_path).limits.model_copy(
                    update={"max_open_orders": 5000, "max_orders_per_window": 5000}
                ),
            )
        ) as desk:
            names = [f"o{k:04}" for k in range(2100)]
            await desk.client.submit([make_order(n, limit_ticks=990, time_in_force=TimeInForce.DAY) for n in names])
            await until(lambda: len(desk.acks) == len(names), 20.0)
            assert [a.client_order_id for a in desk.acks] == names
            listed = await desk.client.list_orders()
            assert [s.order.client_order_id for s in listed] == names
            assert desk.client.unanswered == ()

    uvloop.run(main())


def test_an_older_leader_is_refused_and_a_newer_one_must_fence_first(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path)) as desk:
            async with ExecutionClient(desk.address) as other:
                assert (await other.fence(5, "m-2")).accepted
                assert (await other.fence(5, "m-2")).accepted  # a retry
                late = await other.fence(5, "m-3")
                assert (late.accepted, late.epoch) == (False, 5)
                assert not (await other.fence(4, "m-1")).accepted
            async with asyncio.timeout(5.0):  # the fences cut its stream; it is back in a moment, deposed
                while True:
                    try:
                        await desk.client.submit([make_order("old", epoch=1), make_order("early", epoch=6)])
                        break
                    except Unavailable:
                        await asyncio.sleep(0.01)
            for name in ("old", "early"):
                assert (await desk.answer(name)).refusal is Refusal.STALE_EPOCH
                assert await desk.client.get_order(name) is None
            await desk.client.cancel(["x"], 1)
            assert (await desk.answer("x")).refusal is Refusal.STALE_EPOCH

    uvloop.run(main())


def test_a_fence_cuts_the_streams_opened_before_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path)) as desk, grpc.aio.insecure_channel(desk.address) as channel:
            old = execution_pb2_grpc.ExecutionServiceStub(channel).StreamOrders()
            submit = pb.SubmitOrders(orders=[order_to_pb(make_order("a"))])
            await old.write(pb.StreamOrdersRequest(submit=submit))
            assert (await old.read()).acks[0].client_order_id == "a"
            assert (await desk.client.fence(1, "leader")).accepted
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                while (await old.read()) is not grpc.aio.EOF:
                    pass
                raise AssertionError(await old.code())
            assert caught.value.code() is grpc.StatusCode.ABORTED
            await desk.client.submit([make_order("b")])
            assert (await desk.answer("b")).ord_status is OrdStatus.PENDING_NEW

    uvloop.run(main())


def test_pause_holds_when_acknowledged_and_kill_cancels_and_survives(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    async def first() -> None:
        async with running(config) as desk:
            resting = [make_order(f"r{k}", limit_ticks=990, time_in_force=TimeInForce.DAY) for k in range(3)]
            await desk.client.submit(resting)
            await desk.answer("r2")
            assert await desk.client.set_trading_state(TradingState.PAUSED, "alice", "lunch") == 0
            await desk.client.submit([make_order("p")])
            refused = await desk.answer("p")
            assert refused.refusal is Refusal.PAUSED
            assert "alice" in refused.text
            assert len(await desk.client.list_orders(open_only=True)) == 3
            assert await desk.client.set_trading_state(TradingState.KILLED, "bob", "drill") == 3
            got: list[ExecutionReport] = []
            reader = asyncio.create_task(collect(desk.client, 1, got))
            await until(lambda: sum(r.ord_status is OrdStatus.CANCELED for r in got) == 3)
            reader.cancel()
            with pytest.raises(Refused, match="who asks"):
                await desk.client.set_trading_state(TradingState.ACTIVE, "", "no name")

    async def second() -> None:
        async with running(config, fence=2) as desk:
            status = await desk.client.status()
            assert (status["state"], status["who"], status["why"]) == ("KILLED", "bob", "drill")
            await desk.client.submit([make_order("k", epoch=2)])
            assert (await desk.answer("k")).refusal is Refusal.KILLED
            await desk.client.set_trading_state(TradingState.ACTIVE, "alice", "drill over")
            await desk.client.submit([make_order("go", epoch=2)])
            assert (await desk.answer("go")).ord_status is OrdStatus.PENDING_NEW

    uvloop.run(first())
    uvloop.run(second())


def test_a_cancel_ends_a_working_order(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path)) as desk:
            await desk.client.submit([make_order("r", limit_ticks=990, time_in_force=TimeInForce.DAY)])
            await desk.answer("r")
            await desk.client.cancel(["r", "nobody"], 1)
            assert (await desk.answer("r", 2)).refusal is Refusal.NONE
            assert (await desk.answer("nobody")).refusal is Refusal.MALFORMED
            await until_status(desk.client, "r", OrdStatus.CANCELED)

    uvloop.run(main())


def test_an_answer_that_is_not_understood_ends_no_stream_for_good(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path)) as desk:
            heard: list[str] = []

            def on_ack(ack: OrderAck) -> None:
                heard.append(ack.client_order_id)
                if len(heard) == 1:
                    raise ValueError("nobody foresaw this")

            async with ExecutionClient(desk.address, on_ack) as client:
                await client.submit([make_order("a"), make_order("b")])
                await until(lambda: heard == ["a", "b"])  # both were in one message: the second one is asked for again
                await client.submit([make_order("c")])
                await until(lambda: heard == ["a", "b", "c"])
                assert (await client.status())["orders"] == 3

    uvloop.run(main())


async def until_status(client: ExecutionClient, name: str, status: OrdStatus) -> None:
    async with asyncio.timeout(5.0):
        while (state := await client.get_order(name)) is None or state.ord_status is not status:
            await asyncio.sleep(0.01)


def test_reports_resume_where_they_stopped_and_a_slow_reader_is_cut(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path, reports_bound=16)) as desk:
            got: list[ExecutionReport] = []
            reader = asyncio.create_task(collect(desk.client, 1, got))
            names = [f"o{k}" for k in range(60)]
            for name in names:
                await desk.client.submit([make_order(name)])
            await until(lambda: len(got) == 120, 10.0)
            assert [r.sequence for r in got] == list(range(1, 121))
            assert [r.sequence for r in await desk.client.reports_between(50, 60)] == list(range(50, 61))
            assert await desk.client.reports_between(5, 4) == ()
            with pytest.raises(Refused, match="report 999 was asked for"):
                await anext(desk.client.reports(999))
            reader.cancel()

    uvloop.run(main())


def test_malformed_messages_are_answered_and_disturb_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path)) as desk, grpc.aio.insecure_channel(desk.address) as channel:
            stub = execution_pb2_grpc.ExecutionServiceStub(channel)
            call = stub.StreamOrders()
            bad = order_to_pb(make_order("bad"))
            bad.ClearField("side")
            long = order_to_pb(make_order("x" * 40))
            good = order_to_pb(make_order("good"))
            await call.write(pb.StreamOrdersRequest())
            await call.write(pb.StreamOrdersRequest(submit=pb.SubmitOrders(orders=[bad, long, good])))
            await call.done_writing()
            acks = [ack async for response in call for ack in response.acks]
            assert {a.client_order_id: Refusal(a.refusal) for a in acks} == {
                "bad": Refusal.MALFORMED,
                "x" * 40: Refusal.MALFORMED,
                "good": Refusal.NONE,
            }
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Fence(pb.FenceRequest(epoch=0, holder="m"))
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            await desk.bus.publish(quotes_subject("AAA"), b"\xff\xff not a batch")
            await desk.client.submit([make_order("after")])
            assert (await desk.answer("after")).ord_status is OrdStatus.PENDING_NEW

    uvloop.run(main())


def test_health_and_reflection(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path)) as desk, grpc.aio.insecure_channel(desk.address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            for name in ("", "readiness", "hedgerow.execution.v1.ExecutionService"):
                answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
                assert answer.status == health_pb2.HealthCheckResponse.SERVING
            from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

            ask = reflection_pb2.ServerReflectionRequest(list_services="")
            call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([ask]))
            names = {s.name for s in (await call.read()).list_services_response.service}
            assert "hedgerow.execution.v1.ExecutionService" in names

    uvloop.run(main())


def test_a_second_service_on_the_same_store_or_address_conflicts(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path / "one")) as desk:
            for config in (make_config(tmp_path / "one"), make_config(tmp_path / "two", address=desk.address)):
                with pytest.raises(Conflict):
                    await serve(config, desk.bus, make_universe(), asyncio.Event())
            assert (await desk.client.status())["state"] == "ACTIVE"

    uvloop.run(main())


def test_nobody_there_is_unavailable_with_the_address() -> None:
    async def main() -> None:
        async with ExecutionClient("127.0.0.1:1", deadline_s=0.3, patience_s=0.2) as client:
            with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
                await client.connect(0.3)
            with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
                await client.status()
            with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
                await anext(client.reports(1))
            await client.submit([make_order("a")])
            await asyncio.sleep(0.3)
            with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
                await client.submit([make_order("b")])

    uvloop.run(main())


def test_a_store_that_fails_ends_the_service_with_no_order_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []

    class Quiet:
        name, next_due_ns = "quiet", None

        def submit(self, order, now_ns):
            sent.append(order.client_order_id)
            return []

        def cancel(self, client_order_id, now_ns):
            return []

        def ask(self, client_order_id, now_ns):
            return [VenueEvent(VenueKind.NOT_FOUND, client_order_id, now_ns)]

        def on_quotes(self, batch):
            return []

        def on_time(self, now_ns):
            return []

    async def main() -> None:
        async with running(make_config(tmp_path), venue=Quiet()) as desk:
            await desk.client.submit([make_order("before")])
            await desk.answer("before")
            failing = Unavailable("the disk is full")

            def fail(self, records):
                raise failing

            monkeypatch.setattr(SqliteStore, "commit", fail)
            await desk.client.submit([make_order("after")])
            await asyncio.sleep(0.3)
            assert desk.answers("after") == []
            with pytest.raises(Unavailable):
                await desk.client.status()

    with pytest.raises(Unavailable, match="disk is full"):
        uvloop.run(main())
    assert sent == ["before"]


def test_a_gap_in_the_quotes_stops_orders_until_the_feed_has_sent_a_snapshot(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path)) as desk:
            await desk.bus.publish(quotes_subject("AAA"), encode_quote_batch(standing(7)))
            await asyncio.sleep(0.05)
            await desk.client.submit([make_order("a")])
            refused = await desk.answer("a")
            assert refused.refusal is Refusal.STALE_REFERENCE
            assert "gap" in refused.text

            async def snapshot(_subject: str, _data: bytes) -> bytes:
                return encode_quote_batch(replace(standing(7), snapshot=True))

            await desk.bus.serve("hedgerow.market.snapshot.AAA", snapshot)
            await asyncio.sleep(0.6)
            await desk.client.submit([make_order("b")])
            assert (await desk.answer("b")).ord_status is OrdStatus.PENDING_NEW

    uvloop.run(main())
