"""A real FIX session between two engines of different making, with kills of either side: the same book on both."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
import uvloop

from common.errors import Unavailable
from common.execution_client import ExecutionClient
from common.messages import ExecutionReport, OrdStatus, Side, TimeInForce, TradingState
from execution.sqlite_store import SqliteStore
from tests.fix_market import Book, fix_order
from tests.fix_world import Part, assert_same_book, free_port

pytestmark = [pytest.mark.live, pytest.mark.slow]


class Run:
    """Execution and exchange as processes, and a leader that keeps every report."""

    def __init__(self, folder: Path) -> None:
        port, self.address = free_port(), f"127.0.0.1:{free_port()}"
        self.store, self.book = folder / "store", folder / "venue" / "book.jsonl"
        self.venue = Part("tests.fix_exchange", str(port), str(folder / "venue"))
        self.execution = Part("tests.fix_world", self.address, str(self.store), str(port))
        self.got: list[ExecutionReport] = []

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
        async for report in self.client.reports(1):
            self.got.append(report)

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

    async def ended(self, count: int) -> None:
        async with asyncio.timeout(60.0):
            while sum(r.ord_status.terminal for r in self.got) < count:
                await asyncio.sleep(0.05)

    def status(self, name: str) -> OrdStatus:
        return [r for r in self.got if r.client_order_id == name][-1].ord_status


async def working_day(folder: Path) -> Run:
    async with Run(folder) as run:
        await run.submit(fix_order("full", lots=3), fix_order("partx", 2, Side.SELL, lots=4))
        rest = fix_order("rest", 5, lots=2, time_in_force=TimeInForce.DAY)
        await run.submit(rest, fix_order("kept", 1, lots=1, time_in_force=TimeInForce.DAY))
        async with asyncio.timeout(10):
            while not {"rest", "kept"} <= {r.client_order_id for r in run.got if r.ord_status is OrdStatus.NEW}:
                await asyncio.sleep(0.02)
        await run.client.cancel(["rest"], 1)
        await run.ended(3)
        assert run.status("kept") is OrdStatus.NEW
        await run.client.set_trading_state(TradingState.KILLED, "test", "the end")
        await run.ended(4)
    return run


def test_orders_cancels_and_a_kill_reach_the_venue(tmp_path: Path) -> None:
    run = uvloop.run(working_day(tmp_path))
    statuses = {name: run.status(name) for name in ("full", "partx", "rest", "kept")}
    assert statuses == dict.fromkeys(("partx", "rest", "kept"), OrdStatus.CANCELED) | {"full": OrdStatus.FILLED}
    book = Book(run.book)
    assert_same_book(run.store, book)
    assert book.totals() == {"full": (3, 1002 + 2 * 1001), "partx": (1, 1000)}
    log = next((run.store / "fix" / "log").glob("FIX*.messages.current.log")).read_text()
    sent = {kind for kind in ("D", "F", "AF", "q") if f"\x0135={kind}\x01" in log}
    assert sent == {"D", "F", "AF", "q"}


async def storm(folder: Path, seed: int, orders: int = 60, kills: int = 4) -> Run:
    chance = random.Random(seed)

    async def trouble() -> None:
        for k in range(kills):
            await asyncio.sleep(chance.uniform(0.8, 1.5))
            part = (run.execution, run.venue)[k % 2]
            await part.kill()
            await part.start()

    async def trade() -> None:
        for k in range(orders):
            name = f"o{k:03}{'x' if k % 5 == 0 else ''}"
            await run.submit(fix_order(name, k % 3, Side.BUY if k % 2 else Side.SELL, lots=1 + k % 3))
            await asyncio.sleep(0.08)

    async with Run(folder) as run:
        await asyncio.gather(trade(), trouble())
        await run.ended(orders)
        assert (await run.client.status())["state"] == TradingState.ACTIVE.name
    return run


@pytest.mark.parametrize("seed", [1])
def test_both_sides_are_killed_and_hold_the_same_book(tmp_path: Path, seed: int) -> None:
    run = uvloop.run(storm(tmp_path, seed))
    book = Book(run.book)
    assert_same_book(run.store, book)
    assert len(book.orders) > 15
    store = SqliteStore(run.store)
    records = store.get([r.client_order_id for r in run.got])
    store.close()
    for r in records:
        assert r.ord_status.terminal
        assert (r.ord_status is OrdStatus.REJECTED) == (r.order.client_order_id not in book.orders)
