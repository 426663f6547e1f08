"""Execution and a FIX venue as processes, orders without pause and kills of either side; what both hold in the end.

``python -m tests.fix_storm FOLDER SEED ORDERS KILLS [fixcore|jspurefix]`` prints one JSON object; a test and a bench run it.
KILLS 0: execution ends itself at each of its named points instead, early in a life and later.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import uvloop

from benchmarks.execution_world import POINTS
from common.errors import Unavailable
from common.execution_client import ExecutionClient
from common.messages import ExecutionReport, OrdStatus, Side, TradingState
from execution.sqlite_store import SqliteStore
from tests.execution_world import ROOT
from tests.fix_market import Book, fix_order
from tests.fix_world import Part, assert_same_book, free_port


class Run:
    """Execution and exchange as processes, and a leader that keeps every report."""

    def __init__(self, folder: Path, venue: str = "fixcore") -> None:
        port, self.address = free_port(), f"127.0.0.1:{free_port()}"
        self.store, self.book = folder / "store", folder / "venue" / "book.jsonl"
        self.venue = Part(*_counterparty(venue), str(port), str(folder / "venue"))
        self.execution = Part(sys.executable, "-m", "tests.fix_world", self.address, str(self.store), str(port))
        self.got: list[ExecutionReport] = []
        #: Dealt, and those of them before which orders were reported since the one before.
        self.kills = self.trading_kills = 0

    async def __aenter__(self) -> Run:
        await self.venue.start()
        await self.execution.start()
        self.client = ExecutionClient(self.address, lambda _: None, patience_s=60.0)
        self._reader = asyncio.create_task(self._read())
        try:
            await self.client.connect(30.0)
            assert (await self.client.fence(1, "leader")).accepted
            await self.open_line()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def _read(self) -> None:
        while True:  # as a manager does
            with contextlib.suppress(Unavailable):
                async for report in self.client.reports(len(self.got) + 1):
                    self.got.append(report)
            await asyncio.sleep(0.05)

    async def __aexit__(self, *_: object) -> None:
        self._reader.cancel()
        await self.client.close()
        await self.execution.kill()
        await self.venue.kill()

    async def open_line(self) -> None:
        async with asyncio.timeout(30.0):
            while "," in str((await self.client.status())["venue"]):
                await asyncio.sleep(0.05)

    async def submit(self, *orders) -> None:
        while True:
            try:
                return await self.client.submit(list(orders))
            except Unavailable:
                await asyncio.sleep(0.05)

    async def heard(self, holds: Callable[[], bool]) -> None:
        """Wait for reports. Raises ``AssertionError`` with those that came and why the reader ended, if it did."""
        try:
            async with asyncio.timeout(60.0):
                while not holds():
                    assert not self._reader.done(), f"reports end: {self._reader!r}"
                    await asyncio.sleep(0.02)
        except TimeoutError:
            told = [(r.client_order_id, r.ord_status.name, r.refusal.name, r.text) for r in self.got[-20:]]
            raise AssertionError(f"heard {told}; execution says {await self.client.status()}") from None

    async def ended(self, count: int) -> None:
        await self.heard(lambda: sum(r.ord_status.terminal for r in self.got) >= count)

    def status(self, name: str) -> OrdStatus:
        return [r for r in self.got if r.client_order_id == name][-1].ord_status


async def random_kills(run: Run, seed: int, kills: int, starting: bool) -> None:
    """Of execution and venue in turn while orders are worked; where ``starting``, one of four whatever the other is doing."""
    chance = random.Random(seed)
    for k in range(kills):
        heard = len(run.got)
        if chance.random() < 0.75 or not starting:
            async with asyncio.timeout(60.0):
                while len(run.got) == heard:
                    await asyncio.sleep(0.02)
        await asyncio.sleep(chance.uniform(0.0, 1.0))
        run.trading_kills += len(run.got) > heard
        await (run.execution, run.venue)[k % 2].again()
        run.kills += 1


async def named_points(run: Run) -> None:
    """Every point, early and under way. A question follows from an order in doubt, and that from a venue that died."""
    for point in POINTS:
        asks = "ask" in point
        for count in (1, 2) if asks else (3, 20):
            heard = len(run.got)
            await run.execution.again(point, str(count))
            async with asyncio.timeout(90.0):
                while not await run.execution.gone(8.0):
                    if asks:
                        await run.venue.again()
            run.kills += 1
            run.trading_kills += len(run.got) > heard
    await run.execution.again()


async def storm(folder: Path, seed: int, orders: int = 60, kills: int = 4, venue: str = "fixcore") -> Run:
    """At least ``orders`` orders, and for as long as kills are dealt."""
    over = asyncio.Event()

    async def trouble() -> None:
        try:
            # jspurefix killed while it starts may begin its numbers at 1 again, which docs/fix.md leaves to people.
            await (random_kills(run, seed, kills, venue == "fixcore") if kills else named_points(run))
        finally:
            over.set()

    async def trade() -> int:
        k = 0
        while k < orders or not over.is_set():
            name = f"o{k:04}{'x' if k % 5 == 0 else ''}"
            await run.submit(fix_order(name, k % 3, Side.BUY if k % 2 else Side.SELL, lots=1 + k % 3))
            await asyncio.sleep(0.08)
            k += 1
        return k

    async with Run(folder, venue) as run:
        sent, _ = await asyncio.gather(trade(), trouble())
        await run.ended(sent)
        assert (await run.client.status())["state"] == TradingState.ACTIVE.name
    return run


def assert_every_order_ended(run: Run, book: Book) -> None:
    """Terminal all of them; rejected are just those that never arrived."""
    store = SqliteStore(run.store)
    records = store.get(dict.fromkeys(r.client_order_id for r in run.got))
    store.close()
    for r in records:
        assert r.ord_status.terminal, r
        assert (r.ord_status is OrdStatus.REJECTED) == (r.order.client_order_id not in book.orders), r


def _counterparty(venue: str) -> tuple[str, ...]:
    if venue == "fixcore":
        return sys.executable, "-m", "tests.fix_exchange"
    node = shutil.which("node")
    if node is None:
        raise FileNotFoundError("node is not installed")
    return node, str(ROOT / "tests" / "fix_jspurefix.js")


def main(folder: Path, seed: int, orders: int, kills: int, venue: str) -> None:
    run = uvloop.run(storm(folder, seed, orders, kills, venue))
    book = Book(run.book)
    assert_same_book(run.store, book)
    assert_every_order_ended(run, book)
    from_count = sum(":status " in r.exec_id for r in run.got)
    told = {"arrived": len(book.orders), "fills": book.fills, "from_count": from_count}
    print(json.dumps(told | {"kills": run.kills, "trading_kills": run.trading_kills}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]), sys.argv[5] if len(sys.argv) > 5 else "fixcore")
