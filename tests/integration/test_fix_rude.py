"""A venue that breaks every rule it can: at the end both sides hold the same book, and no order arrived twice."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvloop

from common.execution_client import ExecutionClient
from common.messages import ExecutionReport, OrdStatus, TimeInForce
from tests.fix_market import Book, fix_order
from tests.fix_rude import RudeVenue
from tests.fix_world import assert_same_book, execution, free_port

pytestmark = [pytest.mark.live]
DAY = TimeInForce.DAY


class Desk:
    """The service in this process, and a leader."""

    def __init__(self, venue: RudeVenue, folder: Path) -> None:
        self.venue, self.folder, self.got = venue, folder, list[ExecutionReport]()
        self.stop = asyncio.Event()

    async def order(self, name: str, lots: int = 4, **changes: object) -> None:
        await self.client.submit([fix_order(name, lots=lots, **changes)])

    async def ended(self, name: str, seconds: float = 20.0) -> OrdStatus:
        await self.until(lambda: self.last(name) is not None and self.last(name).ord_status.terminal, seconds)
        return self.last(name).ord_status

    def last(self, name: str) -> ExecutionReport | None:
        return next((r for r in reversed(self.got) if r.client_order_id == name), None)

    def lots(self, name: str) -> int:
        return sum(r.last_lots for r in self.got if r.client_order_id == name)

    async def until(self, holds, seconds: float = 20.0) -> None:
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.01)

    async def open_line(self) -> None:
        async with asyncio.timeout(20.0):
            while "," in str((await self.client.status())["venue"]):
                await asyncio.sleep(0.02)

    async def state(self) -> tuple[str, str]:
        status = await self.client.status()
        return str(status["state"]), str(status["why"])


@contextlib.asynccontextmanager
async def desk_and(venue: RudeVenue, folder: Path, *, same_book: bool = True, **more: object) -> AsyncIterator[Desk]:
    async with venue:
        desk = Desk(venue, folder)
        address = f"127.0.0.1:{free_port()}"
        ready = asyncio.Event()
        changes = {"answer_timeout_s": 0.5, "mass_status": False, "restart_s": 2.0} | more
        serving = asyncio.create_task(
            execution(address, folder / "store", venue.port, desk.stop, lambda _: ready.set(), **changes)
        )
        await asyncio.wait({serving, asyncio.create_task(ready.wait())}, return_when=asyncio.FIRST_COMPLETED)
        desk.client = ExecutionClient(address, lambda _: None, deadline_s=3.0, patience_s=5.0)
        await desk.client.connect()
        assert (await desk.client.fence(1, "leader")).accepted

        async def read() -> None:
            async for report in desk.client.reports(1):
                desk.got.append(report)

        reader = asyncio.create_task(read())
        try:
            await desk.open_line()
            yield desk
        finally:
            reader.cancel()
            await desk.client.close()
            desk.stop.set()
            await serving
    if same_book:
        assert_same_book(folder / "store", venue.book)


def play(tmp_path: Path, scenario) -> None:
    venue = RudeVenue(Book(tmp_path / "book.jsonl"))

    async def run() -> None:
        async with desk_and(venue, tmp_path) as desk:
            await scenario(desk)

    uvloop.run(run())


async def cuts_in_the_middle_of_a_fill(desk: Desk) -> None:
    async def act(venue: RudeVenue, name: str) -> None:
        venue.accept(name)
        writer, venue._writer = venue._writer, None
        raw = venue.trade(name, 4, 1002)
        writer.write(raw[: len(raw) // 2])
        await writer.drain()
        venue._writer = writer
        await venue.cut()

    desk.venue.acts = [act]
    await desk.order("cut")
    assert await desk.ended("cut") is OrdStatus.FILLED
    assert desk.venue.logons == 2


async def replays_everything_again(desk: Desk) -> None:
    await desk.order("a")
    assert await desk.ended("a") is OrdStatus.FILLED
    # Old numbers with the mark of a duplicate, then the same trade under a new number.
    venue = desk.venue
    venue._resend(1)
    trade = venue.kept[max(venue.kept)]
    fields = [(int(t), v.decode()) for t, v in pairs(trade)]
    venue.send("8", [(97, "Y"), *fields])
    await desk.order("b")
    assert await desk.ended("b") is OrdStatus.FILLED
    assert desk.lots("a") == desk.lots("b") == 4 and await desk.state() == ("ACTIVE", "")


async def gap_fills_fills_it_lost(desk: Desk) -> None:
    async def act(venue: RudeVenue, name: str) -> None:
        venue.accept(name)
        venue.trade(name, 1, 1001, lost=True)
        venue.trade(name, 2, 1002, lost=True)
        venue.send("0", [])  # the next number it has shows the gap, and nothing is kept to fill it with

    desk.venue.acts = [act]
    await desk.order("lost", lots=5, time_in_force=DAY)
    await desk.until(lambda: desk.lots("lost") == 3)
    assert desk.last("lost").ord_status is OrdStatus.PARTIALLY_FILLED
    assert "status" in next(r.exec_id for r in desk.got if r.last_lots)
    # One of them turns up after all, late and under a number of its own.
    desk.venue.send("8", [(11, "lost"), (17, "E1"), (150, "F"), (39, "1"), (32, "1"), (31, "250.25"), (14, "1")])
    desk.venue.trade("lost", 2, 1002)
    assert await desk.ended("lost") is OrdStatus.FILLED
    assert await desk.state() == ("ACTIVE", "")


async def loses_the_last_fill_and_hangs_up(desk: Desk) -> None:
    async def act(venue: RudeVenue, name: str) -> None:
        venue.accept(name)
        venue.trade(name, 4, 1001, lost=True)
        await venue.cut()

    desk.venue.acts = [act]
    await desk.order("gone")
    assert await desk.ended("gone") is OrdStatus.FILLED
    assert await desk.state() == ("ACTIVE", "")


async def dies_before_it_reads_an_order(desk: Desk) -> None:
    await desk.venue.cut()
    desk.venue.logon_offset = 0
    await desk.order("never")  # the line may look well to the engine still: then it is numbered and never comes
    assert await desk.ended("never") is OrdStatus.REJECTED
    assert "never" not in desk.venue.book.orders
    await desk.open_line()
    await desk.order("next")
    assert await desk.ended("next") is OrdStatus.FILLED
    assert not any(m[35] == "D" and m.get(43) == "Y" for m in desk.venue.heard)


async def asks_again_for_an_order_from_before_the_break(desk: Desk) -> None:
    desk.venue.forgets = True
    await desk.order("stale")
    assert await desk.ended("stale") is OrdStatus.REJECTED
    assert [m.get(43) for m in desk.venue.heard if m[35] == "D"] == [None]
    await desk.order("fresh")
    assert await desk.ended("fresh") is OrdStatus.FILLED


async def fills_after_a_cancel(desk: Desk) -> None:
    async def act(venue: RudeVenue, name: str) -> None:
        venue.accept(name)

    desk.venue.acts = [act]
    await desk.order("late", time_in_force=DAY)
    await desk.until(lambda: desk.last("late") is not None)
    await desk.client.cancel(["late"], 1)
    assert await desk.ended("late") is OrdStatus.CANCELED
    raw = desk.venue.trade("late", 2, 1002)
    desk.venue.send("8", [(int(t), v.decode()) for t, v in pairs(raw)])
    await desk.until(lambda: desk.lots("late") == 2)
    state, why = await desk.state()
    assert state == "PAUSED" and "after it was CANCELED" in why


async def lowers_its_sequence_numbers(desk: Desk) -> None:
    await desk.order("before")
    assert await desk.ended("before") is OrdStatus.FILLED
    desk.venue.logon_offset = -3
    await desk.venue.cut()
    await desk.until(lambda: desk.venue.logons >= 3)  # the first was refused by our engine
    await desk.open_line()
    await desk.order("after")
    assert await desk.ended("after") is OrdStatus.FILLED


async def answers_late(desk: Desk) -> None:
    async def act(venue: RudeVenue, name: str) -> None:
        await asyncio.sleep(1.2)  # longer than anybody waits; the order is uncertain by then
        venue.accept(name)
        venue.trade(name, 4, 1002)

    desk.venue.acts = [act]
    desk.venue.late_s = 0.7
    await desk.order("slow")
    await desk.until(lambda: desk.last("slow") is not None)
    assert desk.got[0].ord_status is OrdStatus.UNKNOWN
    assert await desk.ended("slow") is OrdStatus.FILLED
    assert await desk.state() == ("ACTIVE", "")


async def sends_rubbish(desk: Desk) -> None:
    venue = desk.venue
    good = venue.frame("8", [(11, "x"), (17, "E"), (150, "F")], venue.next_out)
    for rubbish in (
        b"\x00\xff" * 50,
        b"8=FIX.4.4\x019=5\x01",
        good[:-7] + b"10=999\x01",
        b"8=FIX.4.4\x019=-1\x0135=8\x01",
    ):
        venue.write(rubbish)
    await asyncio.sleep(0.2)
    await desk.open_line()
    await desk.order("still")
    assert await desk.ended("still") is OrdStatus.FILLED
    venue.send("8", [(11, "still"), (17, "Z1"), (150, "F"), (32, "many"), (31, "1")])
    await desk.until(lambda: True)
    async with asyncio.timeout(5):
        while (await desk.state())[0] != "PAUSED":
            await asyncio.sleep(0.02)
    assert "cannot be read" in (await desk.state())[1]


async def busts_a_trade(desk: Desk) -> None:
    await desk.order("bust")
    assert await desk.ended("bust") is OrdStatus.FILLED
    desk.venue.send(
        "8", [(11, "bust"), (17, "B1"), (19, "E1"), (150, "H"), (39, "1"), (14, "0"), (32, "4"), (31, "250.5")]
    )
    async with asyncio.timeout(5):
        while (await desk.state())[0] != "PAUSED":
            await asyncio.sleep(0.02)
    assert "cancelled trade E1" in (await desk.state())[1]


async def tells_of_an_order_nobody_sent(desk: Desk) -> None:
    desk.venue.send("8", [(11, "stranger"), (17, "S1"), (150, "F"), (39, "2"), (32, "1"), (31, "250")])
    async with asyncio.timeout(5):
        while (await desk.state())[0] != "PAUSED":
            await asyncio.sleep(0.02)
    assert "stranger" in (await desk.state())[1]


def pairs(raw: bytes) -> list[tuple[bytes, bytes]]:
    from tests.fix_rude import HEADER, parsed

    return [(t, v) for t, v in parsed(raw) if t not in HEADER]


SCENARIOS = (
    cuts_in_the_middle_of_a_fill,
    replays_everything_again,
    gap_fills_fills_it_lost,
    loses_the_last_fill_and_hangs_up,
    dies_before_it_reads_an_order,
    asks_again_for_an_order_from_before_the_break,
    fills_after_a_cancel,
    lowers_its_sequence_numbers,
    answers_late,
    sends_rubbish,
    busts_a_trade,
    tells_of_an_order_nobody_sent,
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.__name__)
def test_a_rude_venue(tmp_path: Path, scenario) -> None:
    play(tmp_path, scenario)
