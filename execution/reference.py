"""Execution's own subscription to the market: reference prices for the checks, quotes for the paper venue.

Malformed batches are counted and dropped whole. A gap, and a late start, are healed by asking the feed for every standing
quote, again and again until the gap is closed; while it is open the checks refuse.
*Tested by* tests/integration/test_execution_service.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from common import subjects
from common.errors import Refused, Unavailable
from common.messages import QuoteBatch
from common.ports import Bus, Subscription
from common.snapshot import MarketSnapshot
from common.tasks import end
from common.universe import Universe
from common.wire.codec import decode_quote_batch

_log = logging.getLogger(__name__)
_RETRY_S = 0.2


class ReferenceFeed:
    """``take(batch)`` gets every good batch; ``gapped(source)`` says whether a source still has a gap."""

    def __init__(
        self,
        bus: Bus,
        universe: Universe,
        take: Callable[[QuoteBatch], None],
        gapped: Callable[[str], bool],
        *,
        bound: int,
        timeout_s: float,
    ) -> None:
        self._bus = bus
        self._known = MarketSnapshot(universe)
        self._symbol_of = {subjects.feed_source(symbol): symbol for symbol in universe.symbols}
        self._take = take
        self._gapped = gapped
        self._bound = bound
        self._timeout_s = timeout_s
        self._subscription: Subscription | None = None
        self._healing: dict[str, asyncio.Task[None]] = {}
        self.malformed = 0

    async def start(self) -> None:
        """Subscribe, then ask once for what stands already; a feed that is not up yet will start from its first."""
        self._subscription = await self._bus.subscribe(subjects.QUOTES_ALL, self._on_quotes, bound=self._bound)
        for source in self._symbol_of:
            self.heal(source)

    async def stop(self) -> None:
        """End the subscription and whatever is being asked."""
        if self._subscription is not None:
            await self._subscription.stop()
        await end(self._healing.values())

    def heal(self, source: str) -> None:
        """Ask for a snapshot of a source, unless that is being done."""
        if source in self._symbol_of and source not in self._healing:
            task = asyncio.create_task(self._ask_until_whole(source))
            self._healing[source] = task
            task.add_done_callback(lambda _: self._healing.pop(source, None))

    async def _ask_until_whole(self, source: str) -> None:
        while True:
            try:
                subject = subjects.snapshot(self._symbol_of[source])
                self._accept(await self._bus.request(subject, b"", timeout_s=self._timeout_s))
            except (Unavailable, Refused) as error:  # nobody there, or too many ask at once
                _log.info("no snapshot of %s: %s", source, error)
            await asyncio.sleep(_RETRY_S)
            if not self._gapped(source):
                return

    def _on_quotes(self, _subject: str, data: bytes) -> None:
        self._accept(data)

    def _accept(self, data: bytes) -> None:
        try:
            batch = self._known.check(decode_quote_batch(data))
        except Refused as error:
            self.malformed += 1
            if self.malformed == 1:
                _log.warning("a batch of quotes was dropped, more are only counted: %s", error)
            return
        self._take(batch)
