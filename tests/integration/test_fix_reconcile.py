"""Reconciliation with a FIX venue over a real session: what no report has told is found, and nothing else is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import uvloop

from common.messages import OrdStatus, TradingState
from tests.fix_market import Book
from tests.fix_rude import RudeVenue
from tests.integration.test_fix_rude import DAY, Desk, desk_and

pytestmark = pytest.mark.live


async def accepts(venue: RudeVenue, name: str) -> None:
    venue.accept(name)


async def fills_one(venue: RudeVenue, name: str) -> None:
    venue.accept(name)
    venue.trade(name, 1, 1002)


async def kinds(desk: Desk) -> list[tuple[str, str]]:
    found = await desk.client.reconcile(full=True)
    assert found["why_not"] == "" and found["in_doubt"] == []
    return sorted((b["kind"], b["subject"]) for b in found["breaks"])


async def day(desk: Desk) -> None:
    venue, client = desk.venue, desk.client
    venue.acts = [fills_one, accepts, accepts]
    for name in ("part", "rest", "moved"):
        await desk.order(name, time_in_force=DAY)
        await desk.until(lambda name=name: desk.last(name) is not None)
    await desk.until(lambda: desk.lots("part") == 1)
    await desk.order("full")
    assert await desk.ended("full") is OrdStatus.FILLED
    await client.cancel(["part"], 1)
    assert await desk.ended("part") is OrdStatus.CANCELED
    clean = await client.reconcile(full=True)
    assert (clean["why_not"], clean["breaks"], clean["in_doubt"]) == ("", [], [])
    assert (clean["orders"], clean["positions"], clean["fills"]) == (4, 1, 0)
    assert clean["not_compared"] == "single fills by their ids, and positions that come from elsewhere"

    # Fills of orders that work, while they are asked about: nobody is alarmed.
    asking = asyncio.create_task(kinds(desk))
    for _ in range(4):
        venue.trade("moved", 1, 1003)
        await asyncio.sleep(0.02)
    assert await asking == [] and await desk.state() == ("ACTIVE", "")
    assert await desk.ended("moved") is OrdStatus.FILLED

    # The venue says nothing: there is no statement, and no break either.
    venue.mute = True
    found = await client.reconcile(full=True)
    assert "has not answered OrderStatusRequest of order" in str(found["why_not"]) and found["breaks"] == []
    venue.mute = False
    await desk.until(lambda: True)
    assert await desk.state() == ("ACTIVE", "")

    # A fill of an order that has ended on both sides, of which no report ever came.
    venue.book.fill("part", 2, 1004)
    assert await kinds(desk) == [("ORDER_LOTS", "part")]
    state, why = await desk.state()
    assert state == "PAUSED" and "order with other filled lots: part; here CANCELED: 1 lots filled" in why
    assert "at the venue ended: 3 lots filled at 1003.33 ticks on average" in why
    assert desk.lots("part") == 1, "a break is for people: nothing is booked"
    await client.set_trading_state(TradingState.ACTIVE, "ann", "asked by phone")
    assert await kinds(desk) == [("ORDER_LOTS", "part")] and await desk.state() == ("ACTIVE", "asked by phone")

    # Another price, an order denied, one that nobody sent.
    venue.book.orders["full"].notional += 1
    del venue.book.orders["moved"]
    venue.book.write(act="order", name="stranger", symbol="ESH0", side="2", lots=7, ticks=1000)
    expected = [
        ("ORDER_LOTS", "part"), ("ORDER_MONEY", "full"), ("ORDER_ONLY_HERE", "moved"), ("ORDER_UNKNOWN", "stranger"),
    ]  # fmt: skip
    assert await kinds(desk) == expected
    assert (await desk.state())[0] == "PAUSED"


def test_what_no_report_has_told_is_found_and_nothing_else(tmp_path: Path) -> None:
    async def main() -> None:
        venue = RudeVenue(Book(tmp_path / "book.jsonl"))
        async with desk_and(venue, tmp_path, same_book=False, mass_status=True) as desk:
            await day(desk)

    uvloop.run(main())
