"""Figures of the execution service: orders a second through the stream, answers, memory and restart at a million, a check.

The service is a process of its own on loopback with its SQLite store (WAL, ``synchronous=FULL``) in the scratch folder; every
order is committed before it is sent. The load is one gRPC stream from this process with a bounded number unanswered.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import grpc
import psutil
import uvloop
from hedgerow.execution.v1 import execution_pb2 as pb

from benchmarks.execution_world import T0_NS, limits, order, quotes, stub_of, universe
from benchmarks.harness import ROOT
from benchmarks.registry import Context, Row, bench
from common.snapshot import MarketSnapshot
from common.units import NS_PER_MS
from common.wire.execution_codec import order_to_pb
from execution.checks import breach, malformed, protected
from execution.exposure import Exposure
from execution.flow import Flow
from execution.sqlite_store import FILE_NAME

#: Orders in one message, and unanswered at most.
BATCH, UNANSWERED = 64, 2048
LOAD_ORDERS: Final = 60_000
MILLION: Final = 1_000_000
PACED_PER_S, PACED_S = 500, 10
CHECKS: Final = 20_000


class Service:
    """The service as a process; killed at the end by its pid."""

    def __init__(self, part: str, folder: Path, *rest: str, address: str = "127.0.0.1:0") -> None:
        argv = [sys.executable, "-m", "benchmarks.execution_world", part, address, str(folder), *rest]
        self.process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """As -9 does; may be called twice."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()

    def rss_mib(self) -> float:
        """Resident memory."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20


async def _fenced(stub: Any) -> None:
    answer = await stub.Fence(pb.FenceRequest(epoch=1, holder="bench"), wait_for_ready=True, timeout=20.0)
    assert answer.accepted
    await asyncio.sleep(0.2)


async def load(address: str, first: int, count: int, batch: int = BATCH) -> float:
    """Send ``count`` orders as fast as they are answered; seconds from the first sent to the last answered."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = stub_of(channel)
        await _fenced(stub)
        call = stub.StreamOrders()
        room = asyncio.Semaphore(UNANSWERED // batch)

        async def write() -> None:
            for at in range(first, first + count, batch):
                orders = [order_to_pb(order(k)) for k in range(at, min(at + batch, first + count))]
                await room.acquire()
                await call.write(pb.StreamOrdersRequest(submit=pb.SubmitOrders(orders=orders)))

        started = time.perf_counter()
        writing = asyncio.create_task(write())
        answered = released = 0
        async for response in call:
            refused = [a.text for a in response.acks if a.refusal]
            assert not refused, refused[0]
            answered += len(response.acks)
            while released < answered // batch:
                released += 1
                room.release()
            if answered >= count:
                break
        seconds = time.perf_counter() - started
        await writing
        call.cancel()
        return seconds


async def reports(address: str, wanted: int, first: int = 1) -> float:
    """Seconds from now until ``wanted`` reports have been read."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = stub_of(channel)
        started, read = time.perf_counter(), 0
        async for response in stub.StreamReports(pb.StreamReportsRequest(from_sequence=first)):
            read += len(response.reports)
            if read >= wanted:
                break
        return time.perf_counter() - started


async def paced(address: str) -> list[float]:
    """Milliseconds from writing an order to its answer, one order a message, ``PACED_PER_S`` a second."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = stub_of(channel)
        await _fenced(stub)
        call = stub.StreamOrders()
        sent_s: dict[str, float] = {}
        took_ms: list[float] = []
        count = PACED_PER_S * PACED_S

        async def write() -> None:
            begun = time.perf_counter()
            for k in range(count):
                message = pb.StreamOrdersRequest(submit=pb.SubmitOrders(orders=[order_to_pb(order(k))]))
                await asyncio.sleep(max(begun + k / PACED_PER_S - time.perf_counter(), 0.0))
                sent_s[f"o{k:09}"] = time.perf_counter()
                await call.write(message)

        writing = asyncio.create_task(write())
        async for response in call:
            now_s = time.perf_counter()
            took_ms += [1e3 * (now_s - sent_s[a.client_order_id]) for a in response.acks]
            if len(took_ms) >= count:
                break
        await writing
        call.cancel()
        return took_ms


_RATE, _RATE_ONE, _PAPER = "execution.orders_per_s", "execution.orders_per_s_single", "execution.orders_per_s_paper"
_REPORTS, _P50, _P99 = "execution.reports_per_s", "execution.ack_p50", "execution.ack_p99"


@bench(_RATE, _RATE_ONE, what="durable orders a second through the stream to a null venue", minutes=1)
def sustained(context: Context) -> Iterable[Row]:
    """Many orders a message, then one."""
    for ident, batch, bar in ((_RATE, BATCH, 3000.0), (_RATE_ONE, 1, 0.0)):
        with Service("null", context.scratch / f"execution-null-{batch}") as service:
            uvloop.run(load(service.address, 0, 2000, batch))
            rate = LOAD_ORDERS / uvloop.run(load(service.address, 2000, LOAD_ORDERS, batch))
        what = f"{LOAD_ORDERS:,} orders, {batch} a message, each committed (FULL) before it is sent; null venue"
        yield Row(
            ident, what, round(rate), "orders/s", "3,000 or more" if bar else "", rate >= bar, samples=LOAD_ORDERS
        )


@bench(_PAPER, _REPORTS, what="the same with paper fills, and the reports read", minutes=1)
def with_fills(context: Context) -> Iterable[Row]:
    """Every order fills whole on arrival: two reports an order."""
    with Service("paper", context.scratch / "execution-paper") as service:

        async def both() -> tuple[float, float]:
            reading = asyncio.create_task(reports(service.address, 2 * LOAD_ORDERS))
            return await load(service.address, 0, LOAD_ORDERS), await reading

        loaded_s, read_s = uvloop.run(both())
    what = f"{LOAD_ORDERS:,} orders with paper fills and a reader of reports beside it"
    yield Row(_PAPER, what, round(LOAD_ORDERS / loaded_s), "orders/s", "", True, samples=LOAD_ORDERS)
    rate = round(2 * LOAD_ORDERS / read_s)
    yield Row(_REPORTS, "reports a second meanwhile, as read", rate, "reports/s", "", True, samples=2 * LOAD_ORDERS)


@bench(_P50, _P99, what="order to answer at 500 orders a second, null venue", minutes=1)
def answers(context: Context) -> Iterable[Row]:
    """From writing the message to reading its answer, the commit between."""
    with Service("null", context.scratch / "execution-paced") as service:
        took_ms = uvloop.run(paced(service.address))
    cuts = quantiles(took_ms, n=100)
    what = f"order written to answer read, {PACED_PER_S} orders/s, one a message, committed (FULL)"
    yield Row(_P50, f"{what}: median", round(cuts[49], 3), "ms", "2 or less", cuts[49] <= 2.0, samples=len(took_ms))
    yield Row(_P99, f"{what}: 99th percentile", round(cuts[98], 3), "ms", "", True, samples=len(took_ms))


_RSS, _RESTART, _DISK = "execution.million.rss", "execution.million.restart", "execution.million.disk"


@bench(_RSS, _RESTART, _DISK, what="a million orders: memory, restart, disk", minutes=6)
def million(context: Context) -> Iterable[Row]:
    """Memory is looked at each 100,000 orders from the first on; then kill -9 and a restart on the store as it is."""
    folder, step = context.scratch / "execution-million", MILLION // 10
    sizes: list[float] = []
    with Service("null", folder) as service:
        for first in range(0, MILLION, step):
            uvloop.run(load(service.address, first, step))
            sizes.append(service.rss_mib())
    started = time.perf_counter()
    with Service("null", folder) as service:
        ready_s = time.perf_counter() - started
        stored = uvloop.run(_orders_stored(service.address))
    spread = 100.0 * (max(sizes) - min(sizes)) / sizes[0]
    what = f"{MILLION:,} orders: memory from {min(sizes):.0f} to {max(sizes):.0f} MiB after each {step:,}"
    yield Row(_RSS, what, round(spread, 1), "%", "10 or less", spread <= 10.0, samples=len(sizes))
    holds = ready_s <= 3.0 and stored == MILLION
    what = f"kill -9 with {stored:,} orders stored, process start to requests taken"
    yield Row(_RESTART, what, round(ready_s, 2), "s", "3 or less", holds)
    size = (folder / FILE_NAME).stat().st_size / MILLION
    yield Row(_DISK, "store, order and report together", round(size), "bytes an order", "", True)


async def _orders_stored(address: str) -> int:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = stub_of(channel)
        return int((await stub.GetStatus(pb.GetStatusRequest(), wait_for_ready=True, timeout=20.0)).orders)


@bench("execution.check", what="all pre-trade checks of one order", minutes=1)
def check(context: Context) -> Iterable[Row]:  # noqa: ARG001
    """Median over many orders, windows and working orders as under load."""
    at, rules, snapshot, exposure, flow = universe(), limits(), MarketSnapshot(universe()), Exposure(), Flow()
    snapshot.apply(quotes())
    took_us = []
    for k in range(CHECKS):
        asked = order(k)
        started = time.perf_counter_ns()
        sent = protected(asked, rules, at, snapshot)
        found = malformed(asked, at) or breach(sent, rules, at, snapshot, exposure, flow)
        took_us.append((time.perf_counter_ns() - started) / 1e3)
        assert found is None
        flow.take_order(asked, T0_NS + k * NS_PER_MS)
    middle = quantiles(took_us, n=100)[49]
    yield Row(
        "execution.check",
        "every rule, order accepted",
        round(middle, 1),
        "us",
        "50 or less",
        middle <= 50.0,
        samples=CHECKS,
    )
