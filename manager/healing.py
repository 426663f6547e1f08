"""What the manager's shell asks the feed: every standing quote at the start, again after a gap until it is closed, and of a feed
that was silent and is heard again (``manager/feed_watch.py``).

A source with a gap is not traded on (``common/snapshot.py``), by a manager that stands by no less than by one that leads.
*Tested by* tests/simulation/test_simulator_seeds.py, tests/simulation/test_simulator_mistakes.py ("gap unhealed").
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from common import subjects
from common.errors import Refused, Unavailable
from common.ports import Bus
from common.snapshot import MarketSnapshot
from common.tasks import end
from common.wire import codec
from manager import events as ev

SNAPSHOT_TIMEOUT_S = 0.5
#: Pause before a snapshot is asked for again while a source still has a gap.
SNAPSHOT_RETRY_S = 0.2


class Healing:
    """The snapshots one manager asks for; each goes to ``push`` as if the feed had sent it."""

    def __init__(self, bus: Bus, market: MarketSnapshot, push: Callable[[ev.MarketNews], None]) -> None:
        self._bus = bus
        self._market = market
        self._push = push
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def catch_up(self) -> None:
        """Ask for the standing quotes; a feed that is not up yet will send them all as its first batches."""
        for symbol in self._market.universe.symbols:
            await self._ask(symbol)

    def refresh(self, sources: Iterable[str]) -> None:
        """Have each of these sources asked for what stands, unless that is being done."""
        for source in sources:
            if source not in self._asking:
                self._asking[source] = asyncio.create_task(self._ask_until_whole(source))

    def mind(self, event: ev.Event) -> None:
        """After an event was taken in: have the gap of its source healed, unless that is being done."""
        if not isinstance(event, ev.MarketNews):
            return
        source = event.batch.header.source
        if self._market.sources[source].gapped and source not in self._asking:
            self._asking[source] = asyncio.create_task(self._ask_until_whole(source))

    async def stop(self) -> None:
        """End whatever is being asked."""
        await end(self._asking.values())

    async def _ask_until_whole(self, source: str) -> None:
        try:
            while True:
                await self._ask(source.removeprefix(subjects.feed_source("")))
                await asyncio.sleep(SNAPSHOT_RETRY_S)
                if not self._market.sources[source].gapped:
                    break
        finally:  # however it ends, the next gap is asked about
            del self._asking[source]

    async def _ask(self, symbol: str) -> None:
        try:
            data = await self._bus.request(subjects.snapshot(symbol), b"", timeout_s=SNAPSHOT_TIMEOUT_S)
            batch = self._market.check(codec.decode_quote_batch(data))
        except (Unavailable, Refused):  # nobody there, too many ask at once, or an answer that makes no sense
            return
        if batch.header.sequence:  # else nothing has been published yet, and nothing was seen
            self._push(ev.MarketNews(batch))
