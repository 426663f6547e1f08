"""Execution with a FIX session as a process that a test may kill, and what both sides hold at the end.

``python -m tests.fix_world ADDRESS FOLDER PORT [POINT COUNT]``: the product's own parts, on the market of ``fix_market``, with
quotes that stand. At the COUNT-th passage of POINT it kills itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path

import uvloop

from common.bus.memory_bus import MemoryBus
from common.subjects import quotes as subject
from common.wire.codec import encode_quote_batch
from execution.service import serve
from execution.sqlite_store import SqliteStore
from execution.venues.fix.config import FixConfig, credentials
from execution.venues.fix.venue import FixVenue
from tests.execution_world import ROOT, SYMBOLS, make_config, make_limits, standing
from tests.fix_market import Book, fix_universe


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fix_config(port: int, **changes: object) -> FixConfig:
    values = {"port": port, "sender_comp_id": "HEDGEROW", "target_comp_id": "VENUE", "answer_timeout_s": 2.0}
    return FixConfig.model_validate(values | changes)


def fix_venue(port: int, folder: Path, **changes: object) -> FixVenue:
    from execution.venues.fix.initiator import Initiator

    config = fix_config(port, **changes)
    return FixVenue(config, fix_universe(), Initiator(config, folder / "fix", *credentials(os.environ)))


async def quoted(bus: MemoryBus) -> None:
    for symbol in SYMBOLS:
        await bus.publish(subject(symbol), encode_quote_batch(standing(symbol=symbol, size=10**6)))


async def execution(address: str, folder: Path, port: int, stop: asyncio.Event, ready=None, **changes: object) -> None:
    bus = MemoryBus()
    quoting: list[asyncio.Task[None]] = []

    def told(bound: str) -> None:
        """It listens to the market from now on. Ready is who has quotes, too: an order before them would be refused."""
        quoting.append(asyncio.create_task(quoted(bus)))
        quoting[0].add_done_callback(lambda _: ready(bound) if ready is not None else None)

    limits = make_limits(max_open_orders=10**6, max_orders_per_window=10**6)
    config = make_config(folder, address=address, limits=limits, resolve_every_s=0.2, reconcile_tolerance_s=0.2)
    await serve(
        config, bus, fix_universe(), stop, venue=fix_venue(port, folder, **({"combos": True} | changes)), ready=told
    )
    await asyncio.gather(*quoting)


class Part:
    """One process; ended and frozen by its pid."""

    def __init__(self, *argv: str) -> None:
        self._argv = argv
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, *more: str) -> None:
        env = os.environ | {"OMP_NUM_THREADS": "1"}
        self.process = await asyncio.create_subprocess_exec(*self._argv, *more, cwd=ROOT, env=env)

    async def kill(self) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def again(self, *more: str) -> None:
        await self.kill()
        await self.start(*more)

    async def gone(self, seconds: float) -> bool:
        """True once it has ended by itself; waits so long for it."""
        assert self.process is not None
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), seconds)
        return self.process.returncode is not None


def assert_same_book(store: Path, book: Book) -> None:
    """Lots and money of every order agree to the tick, no id arrived twice, positions are the fills' sum."""
    assert max(book.arrivals.values(), default=1) == 1, book.arrivals.most_common(3)
    opened = SqliteStore(store)
    reports, stored = opened.reports(1, 10**6), opened.load()
    opened.close()
    ours: dict[str, tuple[int, int]] = {}
    for r in reports:
        if r.last_lots:
            name = r.child_order_id or r.client_order_id
            lots, notional = ours.get(name, (0, 0))
            ours[name] = lots + r.last_lots, notional + r.last_lots * r.last_ticks
    assert ours == book.totals()
    position: dict[int, int] = {}
    for r in reports:
        position[r.instrument] = position.get(r.instrument, 0) + r.side.sign * r.last_lots
    assert {k: v for k, v in position.items() if v} == {k: v for k, v in stored.position_lots.items() if v}
    assert [r.sequence for r in reports] == list(range(1, len(reports) + 1))


if __name__ == "__main__":
    if len(sys.argv) > 4:
        from benchmarks.execution_world import die_at  # not for a life that is to begin soon

        die_at(sys.argv[4], int(sys.argv[5]), FixVenue)
    uvloop.run(execution(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), asyncio.Event()))
