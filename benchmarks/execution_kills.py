"""kill -9 of execution and of the venue's process under load, and a venue that is gone for a minute, judged by the venue's file.

The file is read as JSON lines with nothing of the venue's own code. Every run is one store, one file and one stream of orders
(every fifth rests and is replaced) that goes on whatever dies; at the end each order is terminal everywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import uvloop

from benchmarks.execution import Service
from benchmarks.execution_world import BID, POINTS, order
from benchmarks.registry import Context, Row, bench
from common.errors import HedgerowError, Refused, Unavailable
from common.execution_client import ExecutionClient
from common.messages import Order, OrderAck, Side, TimeInForce
from execution.sqlite_store import SqliteStore
from execution.sqlite_verify import verify
from execution.venues.venue_file import FILE_NAME

SEED: Final = 17
KILLS: Final = 200
#: Passages of a point before the kill: early, and under way.
COUNTS: Final = (3, 40)
GONE_S: Final = 60.0
PACE_S: Final = 0.01
_QUIET_S: Final = 90.0


class Pair:
    """Venue and execution, each a process on an address that outlives it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.venue = Service("venue", folder / "venue")
        self.execution = Service("execution", folder / "store", self.venue.address)
        #: Kept here: a process that a point kills at its start says no address.
        self.at, self.venue_at = self.execution.address, self.venue.address

    def kill(self, part: str, *point: str) -> None:
        """End one with -9 and start it again where it was."""
        if part == "venue":
            self.venue.kill()
            self.venue = Service("venue", self.folder / "venue", address=self.venue_at)
        else:
            self.execution.kill()
            self.execution = Service("execution", self.folder / "store", self.venue_at, *point, address=self.at)

    def end(self) -> None:
        """Both."""
        self.execution.kill()
        self.venue.kill()


@dataclass
class Load:
    """Orders that keep coming until ``over`` is set; what was answered."""

    client: ExecutionClient
    over: asyncio.Event = field(default_factory=asyncio.Event)
    sent: list[str] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)

    async def run(self) -> None:
        """Every fifth order rests below the market and is replaced by one that takes."""
        number, resting = 0, None
        while not self.over.is_set():
            asked = order(number)
            if number % 5 == 0:
                asked = replace(_buy(asked), time_in_force=TimeInForce.DAY, limit_ticks=BID - 50)
                resting = asked
            elif number % 5 == 3 and resting is not None:
                asked = replace(_buy(asked), orig_client_order_id=resting.client_order_id, quantity_lots=4)
                asked = replace(asked, allocation=(("gamma-0", 4),))
            with contextlib.suppress(Unavailable):
                await self.client.submit([asked])
                self.sent.append(asked.client_order_id)
                number += 1
            await asyncio.sleep(PACE_S)

    def took(self, ack: OrderAck) -> None:
        """An answer."""
        self.answered.add(ack.client_order_id)


def _buy(asked: Order) -> Order:
    lots = asked.quantity_lots
    return replace(asked, side=Side.BUY, limit_ticks=asked.arrival_ask_ticks, allocation=(("gamma-0", lots),))


async def stormed(folder: Path, trouble: Callable[[Pair], Awaitable[int]]) -> tuple[int, list[str], int]:
    """Kills dealt, what is wrong at the end, orders sent."""
    pair = Pair(folder)
    try:
        async with ExecutionClient(pair.at, lambda a: load.took(a), patience_s=60.0) as client:
            load = Load(client)
            await client.connect(30.0)
            assert (await client.fence(1, "bench")).accepted
            await asyncio.sleep(0.3)
            sending = asyncio.create_task(load.run())
            dealt = await trouble(pair)
            load.over.set()
            await sending
            wrong = await _settled(client, load)
    finally:
        pair.end()
    return dealt, wrong + audit(folder, load.sent), len(load.sent)


async def _settled(client: ExecutionClient, load: Load) -> list[str]:
    """Cancel what rests, then wait until everything is answered and terminal."""
    left: list[str] = []
    for _ in range(int(_QUIET_S / 0.5)):
        await asyncio.sleep(0.5)
        try:
            states = await client.list_orders(open_only=True)
            left = [s.order.client_order_id for s in states]
            if not left and set(load.sent) <= load.answered:
                return []
            await client.cancel(left, 1)
        except (Unavailable, Refused):
            continue
    missing = sorted(set(load.sent) - load.answered)
    return [f"{len(left)} orders still open and {len(missing)} unanswered after {_QUIET_S:g} s: {(left + missing)[:3]}"]


def audit(folder: Path, sent: Iterable[str]) -> list[str]:
    """Every promise from the venue's own lines against the store."""
    lines: list[dict[str, Any]] = [json.loads(line) for line in (folder / "venue" / FILE_NAME).read_text().splitlines()]
    taken = Counter(line["client_order_id"] for line in lines if line["kind"] in ("ORDER", "REPLACE", "DUPLICATE"))
    wrong = [f"order {name} reached the venue {n} times" for name, n in taken.items() if n > 1]
    filled = Counter({(f["client_order_id"], f["exec_id"]): f["lots"] for f in lines if f["kind"] == "FILL"})
    if len(filled) != sum(line["kind"] == "FILL" for line in lines):
        wrong.append("the venue repeats an exec id")
    wrong += verify(folder / "store").findings
    store = SqliteStore(folder / "store")
    try:
        reports = store.reports(1, 10**7)
        booked = Counter({(r.client_order_id, r.exec_id): r.last_lots for r in reports if r.last_lots})
        if booked != filled:
            wrong.append(f"fills differ: {len(filled - booked)} only at the venue, {len(booked - filled)} only stored")
        records = {r.order.client_order_id: r for r in store.get(sent)}
        wrong += [f"order {name} is not stored" for name in sent if name not in records]
        wrong += [f"order {n} is {r.ord_status.name}" for n, r in records.items() if not r.ord_status.terminal]
    finally:
        store.close()
    return wrong


async def _random_kills(pair: Pair) -> int:
    chance = random.Random(SEED)
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(0.05, 0.6))
        await asyncio.to_thread(pair.kill, chance.choice(("execution", "execution", "venue")))
    await asyncio.sleep(1.0)
    return KILLS


async def _named_points(pair: Pair) -> int:
    dealt = 0
    for point in POINTS:
        for count in COUNTS if "ask" not in point else (1, 2):
            await asyncio.to_thread(pair.kill, "execution", point, str(count))
            for _ in range(600):
                await asyncio.sleep(0.05)
                if pair.execution.process.poll() is not None:
                    dealt += 1
                    break
                if "ask" in point:  # a question follows from an order in doubt, and that from a venue that died
                    await asyncio.to_thread(pair.kill, "venue")
    await asyncio.to_thread(pair.kill, "execution")
    await asyncio.sleep(1.0)
    return dealt


async def _gone(pair: Pair) -> int:
    await asyncio.sleep(2.0)
    pair.venue.kill()
    await asyncio.sleep(GONE_S)
    pair.venue = Service("venue", pair.folder / "venue", address=pair.venue_at)
    await asyncio.sleep(2.0)
    return 1


def _row(ident: str, what: str, folder: Path, trouble: Callable[[Pair], Awaitable[int]], wanted: int) -> Row:
    try:
        dealt, wrong, orders = uvloop.run(stormed(folder, trouble))
    except (HedgerowError, OSError, AssertionError, TimeoutError) as error:
        return Row(ident, what, f"{type(error).__name__}: {error}", "", "0", False)
    first = f"; first: {wrong[0]}" if wrong else ""
    said = f"{what}: {dealt} dealt, {orders:,} orders; promises broken{first}"
    return Row(
        ident, said, len(wrong), "promises", f"0, and {wanted} dealt", not wrong and dealt == wanted, samples=dealt
    )


@bench("execution.kills.random", what="kill -9 of execution and venue at random moments under load", minutes=8)
def random_kills(context: Context) -> Iterable[Row]:
    """Two of three hit execution."""
    yield _row("execution.kills.random", "kill -9 at random moments", context.scratch / "kills", _random_kills, KILLS)


@bench("execution.kills.points", what="kill -9 of execution at every named point under load", minutes=3)
def named_points(context: Context) -> Iterable[Row]:
    """Around commit, send and question, early in a life and later."""
    wanted = len(POINTS) * len(COUNTS)
    yield _row("execution.kills.points", "kill -9 at each point", context.scratch / "points", _named_points, wanted)


@bench("execution.venue_gone", what="the venue's process gone for a minute under load", minutes=2)
def venue_gone(context: Context) -> Iterable[Row]:
    """Orders meanwhile are unknown, then asked about and refused; trading goes on by itself when it is back."""
    yield _row("execution.venue_gone", f"venue gone for {GONE_S:g} s", context.scratch / "gone", _gone, 1)
