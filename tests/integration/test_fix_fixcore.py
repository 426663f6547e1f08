"""A real FIX session between two engines of different making, with kills of either side: the same book on both."""

from __future__ import annotations

from pathlib import Path

import pytest
import uvloop

from common.messages import OrdStatus, Side, TimeInForce, TradingState
from tests.fix_market import Book, fix_order
from tests.fix_storm import Run, assert_every_order_ended, storm
from tests.fix_world import assert_same_book

pytestmark = [pytest.mark.live, pytest.mark.slow]


async def working_day(folder: Path) -> Run:
    async with Run(folder) as run:
        await run.submit(fix_order("full", lots=3), fix_order("partx", 2, Side.SELL, lots=4))
        rest = fix_order("rest", 5, lots=2, time_in_force=TimeInForce.DAY)
        await run.submit(rest, fix_order("kept", 1, lots=1, time_in_force=TimeInForce.DAY))
        await run.heard(
            lambda: {"rest", "kept"} <= {r.client_order_id for r in run.got if r.ord_status is OrdStatus.NEW}
        )
        await run.client.cancel(["rest"], 1)
        await run.ended(3)
        assert run.status("kept") is OrdStatus.NEW
        await run.client.set_trading_state(TradingState.KILLED, "test", "the end")
        await run.ended(4)
        found = await run.client.reconcile(full=True)
        assert (found["why_not"], found["breaks"], found["orders"], found["positions"]) == ("", [], 4, 2)
    return run


def test_orders_cancels_and_a_kill_reach_the_venue(tmp_path: Path) -> None:
    run = uvloop.run(working_day(tmp_path))
    statuses = {name: run.status(name) for name in ("full", "partx", "rest", "kept")}
    assert statuses == dict.fromkeys(("partx", "rest", "kept"), OrdStatus.CANCELED) | {"full": OrdStatus.FILLED}
    book = Book(run.book)
    assert_same_book(run.store, book)
    assert book.totals() == {"full": (3, 1002 + 2 * 1001), "partx": (1, 1000)}
    log = (run.store / "fix" / "log" / "messages.log").read_text()
    sent = {kind for kind in ("D", "F", "AF", "q") if f"\x0135={kind}\x01" in log}
    assert sent == {"D", "F", "AF", "q"}


@pytest.mark.parametrize("seed", [1])
def test_both_sides_are_killed_and_hold_the_same_book(tmp_path: Path, seed: int) -> None:
    run = uvloop.run(storm(tmp_path, seed))
    book = Book(run.book)
    assert_same_book(run.store, book)
    assert len(book.orders) > 15
    assert_every_order_ended(run, book)
