"""Mutated bytes against real processes and a real nats-server, in short; a real FIX session is `hedgerow bench fuzz.fix`'s."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from hedgerow.execution.v1 import execution_pb2 as pb

from benchmarks import fuzz_bus, fuzz_live
from benchmarks.fuzz_execution import STREAM
from common.security.access import SERVICE

pytestmark = pytest.mark.live


def test_execution_and_venue_as_processes(tmp_path: Path) -> None:
    async def run() -> None:
        calls = await fuzz_live.calls(tmp_path / "calls", 41, 0, 300)
        assert calls.findings == [] and calls.counts["refused"] > 20
        line = await fuzz_live.venue_line(tmp_path / "line", 42, 0, 150)
        assert line.findings == [] and line.counts["answered or cut"] > 100

    asyncio.run(run())


def test_a_message_that_does_not_decode_ends_its_stream_with_a_code(tmp_path: Path) -> None:
    async def run() -> grpc.StatusCode:
        async with (
            fuzz_live.pair(tmp_path) as (_, execution),
            grpc.aio.insecure_channel(execution.address) as channel,
        ):
            call = channel.stream_stream(f"/{SERVICE}/{STREAM}")(timeout=20.0, wait_for_ready=True)
            whole = pb.StreamOrdersRequest(cancel=pb.CancelOrders(client_order_id=["a"])).SerializeToString()
            await call.write(whole)
            assert pb.StreamOrdersResponse.FromString(await call.read()).acks[0].client_order_id == "a"
            await call.write(b"\x0a\xff\xff")
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await call.read()
            return ended.value.code()

    # The library may be quicker than the service to say that it cannot read it.
    assert asyncio.run(run()) in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL)


def test_a_real_nats_server_between(tmp_path: Path) -> None:
    async def run() -> None:
        made = await fuzz_bus.material(tmp_path / "keys")
        verdict = await fuzz_bus.live(made, tmp_path, 44, 0, 200)
        assert verdict.findings == [] and verdict.counts["dropped with a reason"] > 20

    asyncio.run(run())
