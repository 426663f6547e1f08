"""``hedgerow story``: read the record of a run, live or finished, and tell why an order exists.

*Tested by* tests/unit/test_console_story.py, tests/e2e/test_live.py.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from common import subjects
from common.bus.nats_bus import NatsBus
from common.bus.nats_journal import NatsJournal
from common.control_messages import Cycle, JournalEntry
from common.errors import Refused, Unavailable
from common.universe import Book, Universe
from common.wire import codec
from console.story import Story, story
from deploy import control
from deploy.recorder import read_record, read_some


def tell(order: str, run_dir: Path | None, nats: str | None) -> Story:
    """The story of an order ("last": the newest). Raises ``Refused`` if it is not in the record."""
    entries, universe, book = record_of(run_dir, nats)
    if order == "last":
        orders = [o for e in entries if isinstance(e.event, Cycle) for o in e.event.orders]
        if not orders:
            raise Refused("no order in the record yet")
        order = orders[-1].client_order_id
    return story(order, entries, universe, book=book)


def record_of(run_dir: Path | None, nats: str | None = None) -> tuple[list[JournalEntry], Universe, Book]:
    """The record of a run, live or finished, with its universe and opening book. Raises ``Unavailable`` without a run."""
    folder = run_dir or control.RUNS / "latest"
    if nats is None and (folder / "journal.bin").exists():
        return _finished(folder)
    known = list(read_record(folder)) if nats is None else []
    return asyncio.run(_running(control.nats_url(run_dir, nats), known))


def _finished(folder: Path) -> tuple[list[JournalEntry], Universe, Book]:
    from common.market.recorded import RecordedMarket

    recorded = RecordedMarket(folder / "market.bin")
    return list(read_some(folder)), recorded.universe, recorded.book


async def _running(url: control.Door, known: list[JournalEntry]) -> tuple[list[JournalEntry], Universe, Book]:
    bus = await NatsBus.connect(url, "story", seed=url.seed)
    try:
        universe, book = await bus.get(subjects.UNIVERSE), await bus.get(subjects.BOOK)
        if universe is None or book is None:
            raise Unavailable(f"NATS at {url} holds no run: start one with `hedgerow live`")
        first = len(known) + 1
        entries = [codec.decode_journal_entry(data) async for data in NatsJournal(bus).read(first)]
        return known + entries, codec.decode_universe(universe), codec.decode_book(book)
    finally:
        await bus.close()
