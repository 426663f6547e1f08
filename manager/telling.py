"""What the leader tells the agents: only what the record holds, the newest value of each subject, and nothing held up by it.

Agents keep the highest number they have heard, so what is told stands in the record first: a number that a leader told and
took with it to the grave would stand in its successor's way. Positions change with every fill, so they are told beside
the path, the newest for all of those before it.
*Tested by* tests/unit/test_manager_telling.py, tests/simulation/test_simulator_mistakes.py ("told at once").
"""

from __future__ import annotations

import asyncio
import contextlib

from common.errors import Unavailable
from common.messages import AgentParameters, AssignmentUpdate, BudgetUpdate, PositionUpdate
from common.ports import Bus, Journal
from manager.waiting import encoded

#: How often a leader looks whether its last values still stand.
LOOK_EVERY_S = 0.5


class Telling:
    """One leader's word to the agents. ``tell_positions`` and ``keep_word`` run while it leads."""

    def __init__(self, bus: Bus, journal: Journal) -> None:
        self._bus = bus
        self._journal = journal
        self._said: dict[str, bytes] = {}
        self._positions: PositionUpdate | None = None
        self._news = asyncio.Event()

    async def say(self, update: PositionUpdate | BudgetUpdate | AssignmentUpdate | AgentParameters) -> None:
        """Store a value for the agents; positions a little later. Raises ``Refused`` where another leads."""
        if isinstance(update, PositionUpdate):
            self._positions = update
            self._news.set()
            return
        await self._store(update)

    async def tell_positions(self) -> None:
        """Store the newest positions whenever there are new ones, for ever."""
        while True:
            await self._news.wait()
            self._news.clear()
            await self.last_positions()

    async def last_positions(self) -> None:
        """Store positions that still wait."""
        if (update := self._positions) is not None:
            self._positions = None
            await self._store(update)

    async def _store(self, update: PositionUpdate | BudgetUpdate | AssignmentUpdate | AgentParameters) -> None:
        await self._journal.flush()
        subject, said = encoded(update)
        self._said[subject] = said
        await self._bus.put(subject, said)

    async def keep_word(self) -> None:
        """A deposed leader's last value may be stored after ours, and would be what a new agent reads: say ours again."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            for subject, said in list(self._said.items()):
                with contextlib.suppress(Unavailable):
                    if await self._bus.get(subject) != said and self._said[subject] is said:
                        await self._bus.put(subject, said)
