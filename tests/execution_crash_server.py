"""A server process that can be killed at a named point, with a venue whose memory is a file that outlives it.

``python -m tests.execution_crash_server ADDRESS FOLDER POINT COUNT``: at the COUNT-th passage of POINT it kills itself.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import uvloop

from common.bus.memory_bus import MemoryBus
from common.messages import Order, QuoteBatch
from common.subjects import quotes as subject
from common.wire.codec import encode_quote_batch
from execution.service import serve
from execution.sqlite_store import SqliteStore
from execution.venues.port import VenueEvent, VenueKind
from tests.execution_world import SYMBOLS, T0_NS, make_config, make_limits, make_universe, standing

POINTS = ("before commit", "after commit", "before send", "after send", "none")
LEDGER = "venue.txt"


class FileVenue:
    """Fills at once. One line an order, written before it answers; whoever asks is told the same again."""

    name, next_due_ns = "file", None

    def __init__(self, path: Path, passed: Callable[[str], None]) -> None:
        self._file = path.open("a+")
        self._passed = passed
        self._file.seek(0)
        self._lots = {name: int(lots) for name, lots in (line.split() for line in self._file)}

    def _events(self, name: str) -> list[VenueEvent]:
        lots = self._lots[name]
        fill = VenueEvent(VenueKind.FILL, name, T0_NS, f"F-{name}", lots, 1002, 0, 1000, 1002)
        return [VenueEvent(VenueKind.ACCEPTED, name, T0_NS, f"A-{name}"), fill]

    def submit(self, order: Order, now_ns: int) -> list[VenueEvent]:
        self._passed("before send")
        self._file.write(f"{order.client_order_id} {order.quantity_lots}\n")
        self._file.flush()
        self._passed("after send")
        self._lots[order.client_order_id] = order.quantity_lots
        return self._events(order.client_order_id)

    def cancel(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        return [VenueEvent(VenueKind.CANCEL_REJECTED, client_order_id, T0_NS)]

    def replace(self, original_id: str, order: Order, now_ns: int) -> list[VenueEvent]:
        return [VenueEvent(VenueKind.REPLACE_REJECTED, order.client_order_id, T0_NS)]

    def ask(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        if client_order_id in self._lots:
            return self._events(client_order_id)
        return [VenueEvent(VenueKind.NOT_FOUND, client_order_id, T0_NS, text="no such order")]

    def on_quotes(self, batch: QuoteBatch) -> list[VenueEvent]:
        return []

    def on_time(self, now_ns: int) -> list[VenueEvent]:
        return []


def killer(point: str, count: int) -> Callable[[str], None]:
    left = [count]

    def passed(name: str) -> None:
        if name == point:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return passed


async def main(address: str, folder: Path, point: str, count: int) -> None:
    passed = killer(point, count)
    commit = SqliteStore.commit

    def watched(self: SqliteStore, records) -> None:
        passed("before commit")
        commit(self, records)
        passed("after commit")

    SqliteStore.commit = watched
    limits = make_limits(max_open_orders=10**6, max_orders_per_window=10**6)
    config = make_config(folder, address=address, limits=limits)
    bus = MemoryBus()
    serving = asyncio.create_task(
        serve(config, bus, make_universe(), asyncio.Event(), venue=FileVenue(folder / LEDGER, passed))
    )
    while not serving.done():  # again and again, since a batch before the subscription stands is lost
        for symbol in SYMBOLS:
            await bus.publish(subject(symbol), encode_quote_batch(replace(standing(symbol=symbol), snapshot=True)))
        await asyncio.wait({serving}, timeout=0.05)
    await serving


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
