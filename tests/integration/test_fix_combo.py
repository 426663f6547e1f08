"""Combos over a real FIX session, against the exchange on another engine: leg fills in ratio, a cancel, kills of either side."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import uvloop

from common.errors import Unavailable
from common.messages import Order, OrdStatus, Side
from common.tactics import Follow, Tactic, TacticKind
from execution.sqlite_verify import verify
from tests.fix_market import Book, fix_order
from tests.fix_storm import Run
from tests.fix_world import assert_same_book

pytestmark = [pytest.mark.live]
#: Long enough in market time, which the test's quotes never move.
TERMS = {"budget_ms": 600_000, "interval_ms": 600_000}


def pair(name: str, units: int) -> tuple[Order, Order]:
    """Three options bought and two futures sold a unit; the id of the lead says what the exchange does with it."""
    lead = fix_order(name, 1, lots=3 * units, tactic=Tactic(TacticKind.COMBO, legs=2, **TERMS))
    delta = fix_order(
        f"{name}d", 0, Side.SELL, lots=2 * units, follows=Follow(name, 2, 3), tactic=Tactic(TacticKind.COMBO, **TERMS)
    )
    return lead, delta


async def working(run: Run, name: str) -> None:
    """Until the exchange has the combo."""
    async with asyncio.timeout(20.0):
        while name not in Book(run.book).combos:
            await asyncio.sleep(0.05)


async def back(run: Run) -> None:
    """Until the service that was started again answers and its line stands."""
    async with asyncio.timeout(30.0):
        while True:
            try:
                return await run.open_line()
            except Unavailable:
                await asyncio.sleep(0.05)


async def day(folder: Path) -> Run:
    async with Run(folder) as run:
        await run.submit(*pair("full", 4))
        await run.ended(2)
        await run.submit(*pair("partx", 3))
        await run.submit(*pair("restw", 2))
        await working(run, "restw.1")
        await run.client.cancel(["restwd"], 1)
        await run.ended(4)
        # It waits at the venue while we die, and again while the venue does: asked about, never sent again.
        await run.submit(*pair("keptw", 1))
        await working(run, "keptw.1")
        for part in (run.execution, run.venue):
            await part.kill()
            await part.start()
        await back(run)
        await run.client.cancel(["keptw", "partx"], 1)
        await run.ended(8)
    return run


def test_combos_fill_leg_by_leg_and_both_sides_hold_the_same_book(tmp_path: Path) -> None:
    run = uvloop.run(day(tmp_path))
    book = Book(run.book)
    assert_same_book(run.store, book)
    assert verify(run.store).findings == []
    assert sorted(book.combos) == ["full.1", "keptw.1", "partx.1", "restw.1"]
    lots = {name: held.cum for name, held in book.orders.items()}
    assert {name: lots[name] for name in ("full.1", "fulld.1", "partx.1", "partxd.1")} == {
        "full.1": 12, "fulld.1": 8, "partx.1": 3, "partxd.1": 2,
    }  # fmt: skip
    assert [run.status(name) for name in ("full", "fulld")] == [OrdStatus.FILLED] * 2
    assert {run.status(n) for n in ("partx", "partxd", "restw", "restwd", "keptw", "keptwd")} == {OrdStatus.CANCELED}
    # 3 x 1002 bought and 2 x 1000 sold a unit: what the exchange was told it may cost, to the tick.
    assert {(r.child_order_id, r.last_ticks) for r in run.got if r.last_lots} == {
        ("full.1", 1002), ("fulld.1", 1000), ("partx.1", 1002), ("partxd.1", 1000),
    }  # fmt: skip
    log = (run.store / "fix" / "log" / "messages.log").read_text()
    sent = [line for line in log.splitlines() if "\x0135=AB\x01" in line]
    assert len(sent) == 4 and "\x0135=D\x01" not in log
    assert all("\x0144=251.5\x01" in line and "\x01563=1\x01" in line for line in sent)  # 1006 ticks of 0.25
