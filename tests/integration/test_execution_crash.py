"""kill -9 of a real server at every named point and at random moments under load, against a venue that remembers."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import socket
import sys
from collections import Counter
from pathlib import Path

import pytest
import uvloop

from common.errors import Unavailable
from common.execution_client import ExecutionClient
from common.messages import ExecutionReport, OrdStatus
from execution.sqlite_store import SqliteStore
from tests.execution_crash_server import LEDGER, POINTS
from tests.execution_world import ROOT, make_order

pytestmark = [pytest.mark.live, pytest.mark.slow]
ORDERS = 120


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


class Server:
    """The server process; ended by its pid."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address, self.folder = address, folder
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, point: str = "none", count: int = 0) -> None:
        code = ("-m", "tests.execution_crash_server", self.address, str(self.folder), point, str(count))
        self.process = await asyncio.create_subprocess_exec(sys.executable, *code, cwd=ROOT)

    async def kill(self) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


async def hedge_through(server: Server, crashes) -> list[ExecutionReport]:
    """Send all orders while ``crashes`` happen; returns every report as one reader saw them."""
    acked: set[str] = set()
    got: list[ExecutionReport] = []

    async def read() -> None:
        async for report in client.reports(1):
            got.append(report)

    def done() -> bool:
        return sum(r.ord_status.terminal for r in got) >= ORDERS

    async with ExecutionClient(server.address, lambda a: acked.add(a.client_order_id), patience_s=30.0) as client:
        await client.connect(20.0)
        assert (await client.fence(1, "leader")).accepted
        await asyncio.sleep(0.1)
        reader = asyncio.create_task(read())
        storm = asyncio.create_task(crashes(server))
        for k in range(ORDERS):
            while True:
                try:
                    await client.submit([make_order(f"o{k:03}", lots=1 + k % 3)])
                    break
                except Unavailable:
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.004)
        await storm
        async with asyncio.timeout(30.0):
            while not done() or len(acked) < ORDERS:
                await asyncio.sleep(0.02)
        reader.cancel()
        states = await client.list_orders()
        assert all(s.ord_status.terminal for s in states)
    await server.kill()
    return got


def verify(folder: Path, got: list[ExecutionReport]) -> Counter[str]:
    """Venue's own ledger against the store and against what the reader saw."""
    lines = [line.split() for line in (folder / LEDGER).read_text().splitlines()]
    at_venue = Counter(name for name, _ in lines)
    assert max(at_venue.values()) == 1
    store = SqliteStore(folder)
    reports = store.reports(1, 10**6)
    assert [r.sequence for r in reports] == list(range(1, len(reports) + 1))
    assert got == reports[: len(got)]
    filled = {r.client_order_id: r.last_lots for r in reports if r.last_lots}
    assert filled == {name: int(lots) for name, lots in lines}
    assert sum(1 for r in reports if r.last_lots) == len(lines)
    records = store.get([f"o{k:03}" for k in range(ORDERS)])
    assert len(records) == ORDERS
    assert {r.ord_status for r in records} <= {OrdStatus.FILLED, OrdStatus.REJECTED}
    assert store.load().open_records == ()
    store.close()
    return Counter(r.ord_status.name for r in reports)


@pytest.mark.parametrize("point", POINTS[:-1])
def test_killed_at_a_named_point_no_order_is_sent_twice_or_lost(tmp_path: Path, point: str) -> None:
    async def main() -> None:
        server = Server(free_address(), tmp_path)
        await server.start(point, 25)

        async def crashes(server: Server) -> None:
            assert server.process is not None
            assert await asyncio.wait_for(server.process.wait(), 20.0) == -signal.SIGKILL
            await server.start()

        statuses = verify(tmp_path, await hedge_through(server, crashes))
        if point in ("before send", "after send"):
            assert statuses["UNKNOWN"] >= 1

    uvloop.run(main())


def test_killed_at_random_moments_under_load(tmp_path: Path) -> None:
    chance = random.Random(11)

    async def main() -> None:
        server = Server(free_address(), tmp_path)
        await server.start()

        async def crashes(server: Server) -> None:
            for _ in range(3):
                await asyncio.sleep(chance.uniform(0.02, 0.3))
                await server.kill()
                await server.start()
                await asyncio.sleep(1.5)

        verify(tmp_path, await hedge_through(server, crashes))

    uvloop.run(main())
