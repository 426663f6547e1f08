"""The calls of the service as a client of any language sees them: replacements, market orders, states, reasons, deadlines."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import grpc
import pytest
import uvloop
from hedgerow.execution.v1 import execution_pb2 as pb
from hedgerow.execution.v1 import execution_pb2_grpc

from common.errors import Refused
from common.execution_client import ExecutionClient
from common.messages import ExecutionReport, OrdStatus, OrdType, Refusal, Side, TimeInForce, TradingState
from common.subjects import quotes as subject
from common.wire.codec import encode_quote_batch
from common.wire.error_codec import error_reason
from common.wire.execution_codec import order_to_pb
from execution.sqlite_store import SqliteStore
from tests.execution_world import make_config, make_order, running, standing, until

pytestmark = pytest.mark.live
DAY = TimeInForce.DAY


async def collect(client: ExecutionClient, into: list[ExecutionReport]) -> None:
    async for report in client.reports(1):
        into.append(report)


async def drained(call) -> None:
    async for _ in call:
        pass


def test_a_replacement_over_the_stream_takes_the_place_of_its_original(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path)) as desk:
            await desk.bus.publish(subject("AAA"), encode_quote_batch(standing(2, size=10)))
            got: list[ExecutionReport] = []
            reader = asyncio.create_task(collect(desk.client, got))
            await desk.client.submit([make_order("a", lots=15, time_in_force=DAY)])
            await until(lambda: any(r.last_lots == 10 for r in got))
            new = make_order("b", lots=12, limit_ticks=1001, time_in_force=DAY, orig_client_order_id="a")
            await desk.client.submit([new])
            await until(lambda: any(r.client_order_id == "b" for r in got))
            ends = {r.client_order_id: (r.ord_status, r.cum_lots, r.leaves_lots) for r in got}
            assert ends == {"a": (OrdStatus.REPLACED, 10, 0), "b": (OrdStatus.PARTIALLY_FILLED, 10, 2)}
            await desk.client.cancel(["b"], 1)
            await until(lambda: got[-1].ord_status is OrdStatus.CANCELED)
            state = await desk.client.get_order("b")
            assert state is not None and (state.order, state.cum_lots) == (new, 10)
            reader.cancel()

    uvloop.run(main())


def test_what_a_message_says_and_what_its_order_says_must_agree(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path)) as desk, grpc.aio.insecure_channel(desk.address) as channel:
            call = execution_pb2_grpc.ExecutionServiceStub(channel).StreamOrders()
            named = order_to_pb(make_order("x", orig_client_order_id="a"))
            plain = order_to_pb(make_order("y"))
            await call.write(pb.StreamOrdersRequest(submit=pb.SubmitOrders(orders=[named])))
            await call.write(pb.StreamOrdersRequest(replace=pb.ReplaceOrders(orders=[plain])))
            acks = []
            while len(acks) < 2:
                acks += (await call.read()).acks
            assert [(a.client_order_id, a.refusal) for a in acks] == [
                ("x", Refusal.MALFORMED),
                ("y", Refusal.MALFORMED),
            ]
            assert {a.code for a in acks} == {grpc.StatusCode.INVALID_ARGUMENT.value[0]}
            assert await desk.client.get_order("x") is None
            call.cancel()

    uvloop.run(main())


def test_a_market_order_fills_no_worse_than_the_collar_and_its_content_stays_as_sent(tmp_path: Path) -> None:
    limits = make_config(tmp_path).limits
    narrow = limits.model_copy(
        update={"future": limits.future.model_copy(update={"collar_ticks": 1, "collar_fraction": 0.0})}
    )

    async def main() -> None:
        async with running(make_config(tmp_path, limits=narrow)) as desk:
            order = make_order("m", lots=4, limit_ticks=0, ord_type=OrdType.MARKET)
            await desk.client.submit([order, make_order("p", ord_type=OrdType.MARKET)])
            assert (await desk.answer("p")).refusal is Refusal.MALFORMED  # a market order with a price
            async for report in desk.client.reports(1):
                if report.client_order_id == "m" and report.ord_status.terminal:
                    # mid 1001 + 1 tick is the ask: the worst price, and there it trades
                    assert (report.ord_status, report.last_ticks) == (OrdStatus.FILLED, 1002)
                    break
            state = await desk.client.get_order("m")
            assert state is not None and state.order == order

    uvloop.run(main())


def test_reduce_only_lets_out_what_shrinks_and_survives_a_restart(tmp_path: Path) -> None:
    config = make_config(tmp_path)

    async def first() -> None:
        async with running(config) as desk:
            await desk.client.submit([make_order("long", lots=5)])
            async for report in desk.client.reports(1):
                if report.ord_status is OrdStatus.FILLED:
                    break
            await desk.client.set_trading_state(TradingState.REDUCE_ONLY, "alice", "end of day")
            await desk.client.submit([make_order("more"), make_order("turn", side=Side.SELL, lots=6)])
            for name in ("more", "turn"):
                refused = await desk.answer(name)
                assert refused.refusal is Refusal.REDUCE_ONLY
                assert "alice" in refused.text

    async def second() -> None:
        async with running(config) as desk:
            assert (await desk.client.status())["state"] == "REDUCE_ONLY"
            await desk.client.submit([make_order("less", side=Side.SELL, lots=5)])
            assert (await desk.answer("less")).refusal is Refusal.NONE
            await desk.client.submit([make_order("too", side=Side.SELL)])
            assert (await desk.answer("too")).refusal is Refusal.REDUCE_ONLY
            await desk.client.set_trading_state(TradingState.ACTIVE, "alice", "next day")
            await desk.client.submit([make_order("free")])
            assert (await desk.answer("free")).refusal is Refusal.NONE

    uvloop.run(first())
    uvloop.run(second())


def test_a_failed_call_carries_its_reason(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path)) as desk, grpc.aio.insecure_channel(desk.address) as channel:
            stub = execution_pb2_grpc.ExecutionServiceStub(channel)
            calls = {
                "NO_SUCH_ORDER": stub.GetOrder(pb.GetOrderRequest(client_order_id="nobody")),
                "INVALID_REQUEST": stub.SetTradingState(pb.SetTradingStateRequest(state=1)),
                "NO_SUCH_REPORT": drained(stub.StreamReports(pb.StreamReportsRequest(from_sequence=9))),
            }
            for reason, call in calls.items():
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call
                assert error_reason(caught.value.trailing_metadata()) == reason
            with pytest.raises(Refused, match="INVALID_REQUEST"):
                await desk.client.set_trading_state(TradingState.PAUSED, "", "")

    uvloop.run(main())


def test_a_fence_whose_caller_gave_up_before_its_turn_is_not_carried_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = SqliteStore.commit

    def slow(self: SqliteStore, records) -> None:
        time.sleep(0.3)
        commit(self, records)

    async def main() -> None:
        async with running(make_config(tmp_path)) as desk, grpc.aio.insecure_channel(desk.address) as channel:
            monkeypatch.setattr(SqliteStore, "commit", slow)
            await desk.client.submit([make_order("a")])
            await asyncio.sleep(0.1)
            stub = execution_pb2_grpc.ExecutionServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stub.Fence(pb.FenceRequest(epoch=9, holder="late"), timeout=0.1)
            assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            assert (await desk.answer("a")).refusal is Refusal.NONE
            assert (await desk.client.status())["epoch"] == 1

    uvloop.run(main())


def test_the_status_says_how_the_line_to_the_venue_is(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(make_config(tmp_path)) as desk:
            line = (await desk.client.status())["venue_state"]
            assert isinstance(line, dict)
            assert (line["name"], line["connected"], line["waits_for"]) == ("paper", True, "")
            assert line["since_ns"] > 0

    uvloop.run(main())
