"""What the fleet does while all is well, so that the next death takes as little as possible.

Agents are moved until they are spread over the nodes, then each gets a loaded successor on another node than its own. One thing
at a time, and not in the seconds after something happened: each start takes over a second of processor time from those who hedge.
*Tested by* tests/unit/test_fleet_loop.py, tests/e2e/test_fleet_move.py.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Final

from agents.fleet_plan import Known, Rules, stands_by
from agents.fleet_restart import Restarter
from agents.fleet_spread import lacking, moves, settled_places
from agents.places import AgentHost
from common.errors import Unavailable
from common.ports import Clock
from common.units import NS_PER_S

#: How often it looks; agents must have been settled as long.
EVERY_S: Final = 1.0
CALM_S: Final = 1.0
#: After a successor that could not be loaded: no slot free, or a node that is about to be found dead.
REST_S: Final = 30.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Keeper:
    """What it takes; ``successors``: whether agents have any. ``resting_ns``: when, wall time, one is tried again."""

    known: Known
    rules: Rules
    clock: Clock
    host: AgentHost
    restarter: Restarter
    successors: bool
    resting_ns: dict[str, int] = field(default_factory=dict)

    async def run(self, changing: asyncio.Lock) -> None:
        """For ever. ``changing`` is held by whoever changes the fleet, and nothing happens here while somebody else does."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                while not changing.locked() and await self._one(changing):
                    pass
            except Exception:  # of Ray, whatever it is: without this task each successor that is used would be the last
                log.exception("agents are not spread, and have no new successors, for now")

    async def _one(self, changing: asyncio.Lock) -> bool:
        """Do what helps most; False where nothing does, or not now."""
        if not self._settled():
            return False
        nodes = await asyncio.to_thread(self.host.nodes)
        async with changing:
            where, wall_ns = self._settled(), self.clock.wall_ns()  # as it is now that nobody else changes it
            waiting = self.known.successors
            places = {name: waiting[name].node for name in where if stands_by(self.known, name, self.rules, wall_ns)}
            if wishes := moves(where, nodes, places):
                await self._move(wishes)
                return False  # they settle first
            resting = [name for name, until_ns in self.resting_ns.items() if wall_ns < until_ns]
            wish = lacking(where, places, nodes, resting) if self.successors else None
            if wish is None:
                return False
            if not await self._load(*wish):
                self.resting_ns[wish[0]] = self.clock.wall_ns() + int(REST_S * NS_PER_S)
            return True

    def _settled(self) -> dict[str, str]:
        return settled_places(self.known, self.rules, self.clock.wall_ns(), int(CALM_S * NS_PER_S))

    async def _move(self, wishes: tuple[tuple[str, str], ...]) -> None:
        lacks = await asyncio.gather(*(self.restarter.restart(*wish) for wish in wishes))
        for (name, _), why in zip(wishes, lacks, strict=True):
            if why:
                log.warning("%s was not moved: %s", name, why)

    async def _load(self, name: str, node: str) -> bool:
        self.known.spend(name)
        try:
            await asyncio.to_thread(self.host.load, name, node)
        except Unavailable as error:
            log.warning("%s", error)
            return False
        deadline_ns = self.clock.wall_ns() + self.rules.takeover_ns
        while name not in self.known.successors and self.clock.wall_ns() < deadline_ns:
            await asyncio.sleep(0.05)
        there = self.known.successors.get(name)
        if there is None or there.node != node:
            log.warning("%s has no successor on node %s: it was not heard, or there was no room", name, node)
            return False
        log.info("%s has a successor on node %s", name, node)
        return True
