"""What the launcher sees while a run lasts: status, marks, memory; and the live view on it. Read-only.

P&L on the screen: book, client trades and traded lots at the standing mids, plus the cash of the fills and of the client trades
in the record, minus fees, against the first moment at which every quoted position had a mid. Positions without quotes are left
out of it (the report marks them on a surface). *Tested by* tests/unit/test_deploy_watch.py, tests/e2e/test_live.py.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from rich.console import Console

from common import subjects
from common.bus.nats_bus import NatsBus
from common.bus.nats_journal import NatsJournal
from common.control_messages import TradesImported
from common.errors import Refused, Unavailable
from common.messages import ExecutionReport
from common.snapshot import MarketSnapshot
from common.units import CENTS_PER_USD
from common.wire import codec
from common.wire.delimited import frame
from console.projections import View, view_of
from console.view import show
from deploy import control
from deploy.processes import Supervisor
from deploy.recorder import recorded
from deploy.setup import Prepared
from manager.imports import Imports

QUOTE_BOUND = 1024
PROPOSAL_BOUND = 4096
#: Quote batches taken in at once, at most: some 20 ms.
AT_ONCE = 256
#: The kernel goes through the pages of every process for it, on the cores that everybody else works on.
MEMORY_EVERY_S = 10.0


class PnlMeter:
    """Running P&L in USD of what is quoted; ``hedged`` with the fills, ``unhedged`` the opening book and what clients traded."""

    def __init__(self, prepared: Prepared) -> None:
        self._universe = prepared.source.universe
        self._snapshot = MarketSnapshot(self._universe)
        listed = self._universe.listed.astype(bool)
        self._book = np.where(listed, prepared.book.net_lots(len(self._universe)), 0)
        self._traded = np.zeros(len(self._universe), np.int64)
        self._cash_usd = 0.0
        self._imports = Imports()
        self._book_cash_usd = 0.0
        self._opening_usd: float | None = None
        self._mid = np.full(len(self._universe), np.nan)
        self._arrived: list[bytes] = []

    def on_quotes(self, _subject: str, data: bytes) -> None:
        """Keep a batch for the next reading: one by one, between the work of others, each costs several times as much."""
        self._arrived.append(data)
        if len(self._arrived) >= AT_ONCE:
            self._take_in()

    def _take_in(self) -> None:
        arrived, self._arrived = self._arrived, []
        for data in arrived:
            with contextlib.suppress(Refused):  # the manager counts it and says why
                self._snapshot.apply(self._snapshot.check(codec.decode_quote_batch(data)))

    def on_journal(self, data: bytes) -> None:
        """Take a journal entry in; only fills and client trades matter."""
        event = codec.decode_event_of(data, (TradesImported, ExecutionReport))
        if isinstance(event, TradesImported):
            for trade in event.trades:
                for _, at, lots, price in self._imports.take(trade):
                    self._book[at] += lots
                    self._book_cash_usd -= lots * price * float(self._universe.multiplier_usd[at])
        if isinstance(event, ExecutionReport) and event.last_lots:
            at, signed = event.instrument, event.side.sign * event.last_lots
            price = event.last_ticks * float(self._universe.tick_size[at])
            self._traded[at] += signed
            self._cash_usd -= (
                signed * price * float(self._universe.multiplier_usd[at]) + event.fee_cents / CENTS_PER_USD
            )

    def read(self) -> tuple[float | None, float | None]:
        """(hedged, unhedged) since the first full set of mids; None before."""
        self._take_in()
        mid = self._snapshot.mid()
        self._mid = np.where(np.isfinite(mid), mid, self._mid)  # a side may be gone for a while: the last mid stands
        held = (self._book != 0) | (self._traded != 0)
        value = np.where(held, self._mid, 0.0) * self._universe.multiplier_usd
        if not np.isfinite(value).all():
            return None, None
        book_usd = float(self._book @ value) + self._book_cash_usd
        if self._opening_usd is None:
            self._opening_usd = book_usd
        unhedged = book_usd - self._opening_usd
        return unhedged + float(self._traded @ value) + self._cash_usd, unhedged


class Watcher:
    """Fetches status, meters P&L and memory, draws."""

    def __init__(self, prepared: Prepared, proposals: Path) -> None:
        self._prepared = prepared
        self._pnl = PnlMeter(prepared)
        self._proposals_path = proposals
        self.memory: dict[str, int] = {}
        self.peak_bytes = 0

    async def show(self, bus: NatsBus, supervisor: Supervisor, stop: asyncio.Event, console: Console) -> None:
        """Draw until ``stop`` is set or the feed says that the data have ended."""
        quotes = await bus.subscribe(subjects.QUOTES_ALL, self._pnl.on_quotes, bound=QUOTE_BOUND)
        known = 0
        for data in recorded(self._proposals_path.parent):  # a launcher that takes a run up again
            self._pnl.on_journal(data)
            known += 1
        tail = await NatsJournal(bus).follow(known + 1, self._pnl.on_journal)
        end = await bus.watch(subjects.MARKET_END, lambda _subject, _data: stop.set())
        measuring = asyncio.create_task(self._measure(supervisor))
        with self._proposals_path.open("wb") as kept:
            # Also what agents say while nobody leads, which no journal holds: the replay follows them through a takeover.
            heard = await bus.subscribe(
                subjects.PROPOSALS_ALL, lambda _subject, data: _keep(kept, data), bound=PROPOSAL_BOUND
            )
            try:
                await show(lambda: self._fetch(bus), stop, console)
            finally:
                measuring.cancel()
                for subscription in (quotes, tail, end, heard):
                    await subscription.stop()

    async def _fetch(self, bus: NatsBus) -> View | None:
        try:
            status = await control.status(bus)
        except (Unavailable, Refused):
            return None
        hedged, unhedged = self._pnl.read()
        more: dict[str, Any] = {
            "speed": self._prepared.speed,
            "memory_bytes": self.memory,
            "pnl_usd": hedged,
            "unhedged_pnl_usd": unhedged,
            "notes": self._prepared.source.statements,
        }
        return view_of(status, more)

    async def _measure(self, supervisor: Supervisor) -> None:
        while True:
            report = await asyncio.to_thread(supervisor.report_memory)
            self.memory = dict(report.by_child)
            self.peak_bytes = max(self.peak_bytes, report.total_bytes)
            await asyncio.sleep(MEMORY_EVERY_S)


def _keep(file: BinaryIO, data: bytes) -> None:
    file.write(frame(data))
