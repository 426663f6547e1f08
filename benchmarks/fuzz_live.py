"""Mutated bytes against processes: execution over gRPC with nothing of ours in between, and the venue's line.

Execution is killed and its epoch is one that no request carries, so nothing may reach the venue; the truth is the venue's own
file. The processes must be the same at the end, answer in time all along, and have written no traceback.
*Tested by* tests/integration/test_fuzz_live.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError
from hedgerow.execution.v1 import execution_pb2 as pb
from hedgerow.venue.v1 import venue_pb2

from benchmarks.execution_world import order, stub_of
from benchmarks.fuzz_execution import STREAM, controls, requests_of
from benchmarks.fuzz_verdict import ANSWER_S, SHOWN, Memory, Verdict, tracebacks
from benchmarks.harness import ROOT
from common.security.access import SERVICE
from common.wire.execution_codec import order_to_pb
from execution.venues.venue_file import FILE_NAME
from lab.fuzz import protobuf
from lab.fuzz.mutation import Case, Cases, Seed

_START_S: Final = 60.0
#: Requests of one order stream; calls between two probes.
STREAM_REQUESTS, PROBE_CASES = 8, 64
#: An epoch that no fence of a case can be, since a fence above this is refused.
NOBODYS_EPOCH: Final = 2**63 + 1


class Part:
    """A process of ``benchmarks.execution_world`` whose errors go to a file; ended by its pid."""

    def __init__(self, part: str, folder: Path, *rest: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.errors = folder / "stderr.txt"
        argv = [sys.executable, "-m", "benchmarks.execution_world", part, "127.0.0.1:0", str(folder / "data"), *rest]
        with self.errors.open("wb") as out:
            self.process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=out, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()

    def problems(self) -> list[str]:
        """Whether it ended, and what it wrote."""
        out = [] if self.process.poll() is None else [f"the process ended with {self.process.returncode}"]
        if found := tracebacks(self.errors):
            last = self.errors.read_text(errors="replace").strip().splitlines()[-1]
            out.append(f"{found} tracebacks in its log, the last ends in {last[:200]!r}")
        return out

    def end(self) -> None:
        """As -9 does."""
        self.process.kill()
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()


@contextlib.asynccontextmanager
async def pair(folder: Path) -> AsyncIterator[tuple[Part, Part]]:
    """Venue and execution as processes."""
    venue = await asyncio.to_thread(Part, "venue", folder / "venue")
    try:
        execution = await asyncio.to_thread(Part, "execution", folder / "execution", venue.address)
        try:
            yield venue, execution
        finally:
            execution.end()
    finally:
        venue.end()


async def calls(folder: Path, seed: int, first: int, count: int) -> Verdict:
    """``count`` requests to execution; a quarter of them change the trading state, after all orders are through."""
    verdict = Verdict("grpc, live")
    orders = Cases(seed, [*requests_of(NOBODYS_EPOCH), *_but("SetTradingState")], protobuf.remade)
    states = Cases(seed, [s for s in controls() if s.where == "SetTradingState"], protobuf.remade)
    async with pair(folder) as (venue, execution), grpc.aio.insecure_channel(execution.address) as channel:
        stub = stub_of(channel)
        await stub.GetStatus(pb.GetStatusRequest(), timeout=_START_S, wait_for_ready=True)
        killed: Any = pb.TRADING_STATE_KILLED
        await stub.SetTradingState(
            pb.SetTradingStateRequest(state=killed, who="fuzz", why="no order"), timeout=ANSWER_S
        )
        memory = Memory(execution.process.pid)
        for at in range(first, first + count, PROBE_CASES):
            made = states if at - first >= 0.75 * count else orders
            group = [made.case(n) for n in range(at, min(at + PROBE_CASES, first + count))]
            verdict.messages += len(group)
            await _round(channel, group, verdict)
            await _probe(stub, group, verdict, killed if made is orders else None)
            verdict.crashes += [f"{group[0].name} to {group[-1].name}: execution: {p}" for p in execution.problems()]
            if len(verdict.findings) > SHOWN or execution.process.poll() is not None:
                break
            if at - first >= 0.4 * count:
                memory.warm()
        verdict.growth_mib = memory.growth_mib()
        verdict.crashes += [f"venue: {p}" for p in venue.problems()]
        _file(folder, verdict)
    return verdict


def _but(method: str) -> list[Seed]:
    return [s for s in controls() if s.where != method]


async def _round(channel: Any, group: list[Case], verdict: Verdict) -> None:
    streamed = [c for c in group if c.seed.where == STREAM]
    streams = [streamed[k : k + STREAM_REQUESTS] for k in range(0, len(streamed), STREAM_REQUESTS)]
    single = [_call(channel, c, verdict) for c in group if c.seed.where != STREAM]
    await asyncio.gather(*(_stream(channel, s, verdict) for s in streams), *single)


async def _call(channel: Any, case: Case, verdict: Verdict) -> None:
    method = case.seed.where
    reader = method == "StreamReports"
    make = channel.unary_stream if reader else channel.unary_unary
    call = make(f"/{SERVICE}/{method}")(case.data, timeout=0.2 if reader else ANSWER_S)
    try:
        if reader:
            async for _ in call:
                pass
        else:
            await call
        verdict.counts["answered"] += 1
    except grpc.aio.AioRpcError as error:
        _ended(error, case, reader, verdict)


async def _stream(channel: Any, cases: list[Case], verdict: Verdict) -> None:
    async def requests() -> AsyncIterator[bytes]:
        for case in cases:
            yield case.data

    call = channel.stream_stream(f"/{SERVICE}/{STREAM}")(requests(), timeout=ANSWER_S * 2)
    try:
        async for data in call:
            acks = pb.StreamOrdersResponse.FromString(data).acks
            verdict.counts["refused"] += sum(a.refusal != 0 for a in acks)
            taken = [a.client_order_id for a in acks if not a.refusal and a.ord_status == pb.ORD_STATUS_PENDING_NEW]
            verdict.orders += [f"{cases[0].name} to {cases[-1].name}: {name!r} was taken" for name in taken]
    except grpc.aio.AioRpcError as error:
        _ended(error, cases[0], False, verdict)


def _ended(error: Any, case: Case, patient: bool, verdict: Verdict) -> None:
    code = error.code()
    verdict.counts[f"ended {code.name}"] += 1
    if code is grpc.StatusCode.DEADLINE_EXCEEDED and not patient:
        verdict.hangs.append(f"{case.name}: {case.seed.where} was not answered within {ANSWER_S:g} s")


async def _probe(stub: Any, group: list[Case], verdict: Verdict, wanted: int | None) -> None:
    where = f"{group[0].name} to {group[-1].name}"
    try:
        status = await stub.GetStatus(pb.GetStatusRequest(), timeout=ANSWER_S)
    except grpc.aio.AioRpcError as error:
        verdict.hangs.append(f"{where}: no status: {error.code().name} {error.details()}"[:300])
        return
    if status.orders or status.open_orders:
        verdict.orders.append(f"{where}: execution holds {status.orders} orders")
    if wanted is not None and status.state != wanted:
        verdict.changes.append(f"{where}: trading is {status.state}, was {wanted}")


def _file(folder: Path, verdict: Verdict) -> None:
    path = folder / "venue" / "data" / FILE_NAME
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    verdict.orders += [f"the venue's file has {line}"[:300] for line in lines[:5]]


def venue_seeds() -> list[Seed]:
    """Real requests of the venue's line, but for the one that opens a session."""
    one = order_to_pb(order(1))
    made = [
        venue_pb2.VenueRequest(submit=venue_pb2.SubmitOrder(order=one, now_ns=5)),
        venue_pb2.VenueRequest(replace=venue_pb2.ReplaceOrder(order=one, now_ns=5)),
        venue_pb2.VenueRequest(cancel=venue_pb2.CancelOrder(client_order_id="o1", now_ns=5)),
        venue_pb2.VenueRequest(ask=venue_pb2.AskOrders(client_order_id=["o1", "o2"])),
        venue_pb2.VenueRequest(status=venue_pb2.AskStatus()),
    ]
    return [Seed("venue", m.SerializeToString(), venue_pb2.VenueRequest) for m in made]


async def venue_line(folder: Path, seed: int, first: int, count: int) -> Verdict:
    """Mutated frames, each on a connection of its own, beside execution's session: no order, and the session stands."""
    verdict, cases = Verdict("venue, live"), Cases(seed, venue_seeds(), protobuf.remade)
    async with pair(folder) as (venue, execution), grpc.aio.insecure_channel(execution.address) as channel:
        stub = stub_of(channel)
        await stub.GetStatus(pb.GetStatusRequest(), timeout=_START_S, wait_for_ready=True)
        host, _, port = venue.address.rpartition(":")
        memory = Memory(venue.process.pid)
        for number in range(first, first + count):
            case = cases.case(number)
            if _opens(case.data):
                verdict.counts["a request that opens a session, left out"] += 1
                continue
            verdict.messages += 1
            reader, writer = await asyncio.open_connection(host, int(port))
            # A frame as long as it says, or longer, or shorter than what follows.
            head = len(case.data) + (0, 0, 0, 1, -1, 2**31)[number % 6]
            writer.write(max(head, 0).to_bytes(4, "big") + case.data)
            try:
                writer.write_eof()
                await asyncio.wait_for(reader.read(), ANSWER_S)
                verdict.counts["answered or cut"] += 1
            except TimeoutError:
                verdict.hangs.append(f"{case.name}: the venue neither answers nor hangs up")
            except OSError:
                verdict.counts["answered or cut"] += 1
            writer.close()
            if number - first >= 0.4 * count:
                memory.warm()
        status = await stub.GetStatus(pb.GetStatusRequest(), timeout=ANSWER_S)
        if not status.venue_state.connected:
            verdict.changes.append("execution has lost its session with the venue")
        verdict.growth_mib = memory.growth_mib()
        verdict.crashes += [f"venue: {p}" for p in venue.problems()] + [f"execution: {p}" for p in execution.problems()]
        _file(folder, verdict)
    return verdict


def _opens(data: bytes) -> bool:
    try:
        return bool(venue_pb2.VenueRequest.FromString(data).HasField("open"))
    except DecodeError:
        return False
