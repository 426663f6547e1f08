"""kill -9 and STOP of the venue and of execution under load, judged by the venue's own file."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import socket
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from common.errors import Unavailable
from common.execution_client import ExecutionClient
from common.messages import ExecutionReport, Order, OrdStatus, Side, TradingState
from common.tactics import Follow, Tactic, TacticKind
from execution.sqlite_store import SqliteStore
from execution.sqlite_verify import verify
from execution.tactics.order import worked
from execution.venues.venue_file import FILE_NAME
from tests.execution_world import ROOT, make_order

pytestmark = [pytest.mark.live, pytest.mark.slow]
ORDERS = 80
TOGETHER = 6
COMBO = Tactic(TacticKind.COMBO, budget_ms=60_000, interval_ms=1_000)


def asked(k: int) -> list[Order]:
    """The k-th orders: one as it is, or every eighth time an option and its future as a combo, three to two."""
    name = f"o{k:03}"
    if k % 8 != 5:
        return [make_order(name, lots=1 + k % 3)]
    lead = make_order(name, 1, lots=3 * (1 + k % 3), tactic=replace(COMBO, legs=2))
    delta = make_order(f"{name}d", 0, Side.SELL, lots=2 * (1 + k % 3), tactic=COMBO, follows=Follow(name, 2, 3))
    return [lead, delta]


ALL = [order.client_order_id for k in range(ORDERS) for order in asked(k)]


def free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


class Part:
    """One process; ended and frozen by its pid."""

    def __init__(self, *argv: str) -> None:
        self._argv = argv
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        code = ("-m", "tests.venue_world", *self._argv)
        self.process = await asyncio.create_subprocess_exec(sys.executable, *code, cwd=ROOT)

    async def kill(self) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def freeze(self, seconds: float) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        self.process.send_signal(signal.SIGCONT)


async def trouble(parts: list[Part], chance: random.Random) -> None:
    for _ in range(6):
        await asyncio.sleep(chance.uniform(0.3, 0.8))
        part = chance.choice(parts)
        if chance.random() < 0.3:
            await part.freeze(chance.uniform(0.2, 2.0))
        else:
            await part.kill()
            await part.start()
    await asyncio.sleep(1.0)


async def trade(client: ExecutionClient, got: list[ExecutionReport]) -> None:
    """Few at a time: what is sent while the venue is down is refused once it is back, however long a slow machine takes."""
    sent = 0
    for k in range(ORDERS):
        while sent - sum(r.ord_status.terminal for r in got) >= TOGETHER:
            await asyncio.sleep(0.05)
        while True:
            try:
                await client.submit(asked(k))
                break
            except Unavailable:
                await asyncio.sleep(0.05)
        sent += len(asked(k))
        await asyncio.sleep(0.05)


async def storm(folder: Path, seed: int) -> list[ExecutionReport]:
    at, venue_at = free_address(), free_address()
    venue = Part("venue", venue_at, str(folder / "venue"))
    execution = Part("execution", at, str(folder / "store"), venue_at)
    got: list[ExecutionReport] = []
    await venue.start()
    await execution.start()
    acked: set[str] = set()
    async with ExecutionClient(at, lambda a: acked.add(a.client_order_id), patience_s=60.0) as client:
        await client.connect(30.0)
        assert (await client.fence(1, "leader")).accepted

        async def read() -> None:
            async for report in client.reports(1):
                got.append(report)

        reader = asyncio.create_task(read())
        await asyncio.gather(trade(client, got), trouble([venue, execution], random.Random(seed)))
        async with asyncio.timeout(60.0):
            while sum(r.ord_status.terminal for r in got) < len(ALL) or len(acked) < len(ALL):
                await asyncio.sleep(0.05)
        assert (await client.status())["state"] == TradingState.ACTIVE.name  # nobody had to stop trading
        reader.cancel()
    await execution.kill()
    await venue.kill()
    return got


@pytest.mark.parametrize("seed", [3, 4])
def test_no_order_reaches_the_venue_twice_and_no_fill_is_lost(tmp_path: Path, seed: int) -> None:
    got = uvloop.run(storm(tmp_path, seed))
    lines = [json.loads(line) for line in (tmp_path / "venue" / FILE_NAME).read_text().splitlines()]
    taken = Counter(line["client_order_id"] for line in lines if line["kind"] in ("ORDER", "DUPLICATE"))
    assert max(taken.values()) == 1 and not any(line["kind"] == "DUPLICATE" for line in lines)
    store = SqliteStore(tmp_path / "store")
    reports = store.reports(1, 10**6)
    records = store.get(ALL)
    store.close()
    filled = Counter({line["exec_id"]: line["lots"] for line in lines if line["kind"] == "FILL"})
    assert len(filled) == sum(line["kind"] == "FILL" for line in lines) > ORDERS // 4
    assert filled == Counter({r.exec_id: r.last_lots for r in reports if r.last_lots})
    assert [r.sequence for r in reports] == list(range(1, len(reports) + 1)) and got == reports[: len(got)]
    assert len(records) == len(ALL) and all(r.ord_status.terminal for r in records)
    lots = {r.order.client_order_id: r.cum_lots for r in records}
    pairs = [(lots[name.removesuffix("d")], lots[name]) for name in ALL if name.endswith("d")]
    assert all(2 * option == 3 * future for option, future in pairs) and sum(map(sum, pairs)) > 0
    assert verify(tmp_path / "store").findings == []
    for r in (r for r in records if not worked(r.order)):
        arrived = r.order.client_order_id in taken
        assert arrived or r.ord_status is OrdStatus.REJECTED
        assert not (arrived and r.ord_status is OrdStatus.REJECTED)
