"""Whether a process still hears: it says words to itself over the bus and listens for them.

A connection can carry one way only: its line, a server or a client's reading may fail while what is sent still goes out. Whoever
beats over it lives for all who hear that, and acts on a world that stands still; the connection itself is found stale after three
unanswered pings, 15 s. So who beats only while its own words come back is found by its silence, like one that hangs.

Who has never heard a word of its own counts as hearing: it may have no right to them (a server with older rules).
*Tested by* tests/integration/test_hearing.py.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from common import subjects
from common.errors import Unavailable
from common.ports import Bus, Subscription

#: Words under way before it counts as deaf: one may be late.
UNDER_WAY: Final = 1
#: After so many words of which none ever came back it is told that it cannot be known here who is deaf.
UNHEARD: Final = 20
BOUND: Final = 64

log = logging.getLogger(__name__)


class Hearing:
    """The words that one process says to itself; ``incarnation`` tells them from those of another of its name."""

    def __init__(self, bus: Bus, name: str, incarnation: int) -> None:
        self.deaf = False
        self._bus, self._name = bus, name
        self._subject, self._mark = subjects.echo(name), f"{incarnation}.".encode()
        self._said = self._heard = 0
        self._back = asyncio.Event()
        self._subscription: Subscription | None = None

    async def wait(self, period_s: float) -> None:
        """Say the next word and return a period later; while none comes back, say one each period and wait for one instead."""
        await self._say()
        await asyncio.sleep(period_s)
        if self._heard == 0 and self._said == UNHEARD:
            log.warning("%s has never heard itself on %s: has it the right to?", self._name, self._subject)
        if not self._missing():
            return
        self.deaf = True
        log.warning("%s hears nothing of what it says on %s: it beats again when it does", self._name, self._subject)
        while self._missing():
            await self._say()
            self._back.clear()
            try:
                await asyncio.wait_for(self._back.wait(), period_s)
            except TimeoutError:
                continue
        self.deaf = False
        log.warning("%s hears again", self._name)

    async def stop(self) -> None:
        """Listen no more."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            await subscription.stop()

    def _missing(self) -> bool:
        return self._heard > 0 and self._said - self._heard > UNDER_WAY

    async def _say(self) -> None:
        self._said += 1
        try:
            if self._subscription is None:
                self._subscription = await self._bus.subscribe(self._subject, self._on_word, bound=BOUND)
            await self._bus.publish(self._subject, self._mark + str(self._said).encode())
        except Unavailable as error:
            log.warning("%s cannot hear itself: %s", self._name, error)

    def _on_word(self, _subject: str, data: bytes) -> None:
        word = data.removeprefix(self._mark)
        if data.startswith(self._mark) and word.isdigit():
            self._heard = max(self._heard, min(int(word), self._said))
            self._back.set()
