"""A venue and an execution as two processes that a test may kill, on one small market.

``python -m tests.venue_world venue|execution ADDRESS FOLDER [VENUE_ADDRESS]``: parts of the product, with quotes that stand.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvloop

from common.bus.memory_bus import MemoryBus
from common.subjects import quotes as subject
from common.wire.codec import encode_quote_batch
from execution.config import PaperConfig
from execution.service import serve
from execution.venues.remote import RemoteVenue
from execution.venues.server import serve_venue
from tests.execution_world import SYMBOLS, make_config, make_limits, make_universe, standing

SPEED = 50.0


async def quoted(bus: MemoryBus) -> None:
    """The same batch again and again: who subscribes late hears it too, and who has it ignores it."""
    for _ in range(200):
        for symbol in SYMBOLS:
            await bus.publish(subject(symbol), encode_quote_batch(standing(symbol=symbol, size=10**6)))
        await asyncio.sleep(0.05)


async def main(part: str, address: str, folder: Path, venue: str) -> None:
    bus = MemoryBus()
    quoting = asyncio.create_task(quoted(bus))
    if part == "venue":
        await serve_venue(address, folder, bus, make_universe(), PaperConfig(), (), SPEED, asyncio.Event())
    else:
        limits = make_limits(max_open_orders=10**6, max_orders_per_window=10**6)
        config = make_config(folder, address=address, limits=limits, resolve_every_s=0.2)
        await serve(config, bus, make_universe(), asyncio.Event(), venue=RemoteVenue(venue, answer_timeout_s=1.0))
    await quoting


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else ""))
