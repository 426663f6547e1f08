"""What the fleet does while all is well, so that the next death takes as little as possible.

Agents are moved until they are spread over the nodes, then each gets a loaded successor on another node than its own. One thing
at a time, and not in the seconds after something happened: each start takes over a second of processor time from those who hedge.
*Tested by* tests/unit/test_fleet_loop.py, tests/e2e/test_fleet_move.py.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
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

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Keeper:
    """What it takes; ``successors``: whether agents have any."""

    known: Known
    rules: Rules
    clock: Clock
    host: AgentHost
    restarter: Restarter
    successors: bool

    async def run(self, changing: asyncio.Lock) -> None:
        """For ever. ``changing`` is held by whoever changes the fleet, and nothing happens here while somebody else does."""
        while True:
            await asyncio.sleep(EVERY_S)
            while not changing.locked() and await self._one(changing):
                pass

    async def _one(self, changing: asyncio.Lock) -> bool:
        """Do what helps most; False where nothing does, or not now."""
        where = settled_places(self.known, self.rules, self.clock.wall_ns(), int(CALM_S * NS_PER_S))
        if not where:
            return False
        nodes = await asyncio.to_thread(self.host.nodes)
        async with changing:
            wall_ns, waiting = self.clock.wall_ns(), self.known.successors
            places = {name: waiting[name].node for name in where if stands_by(self.known, name, self.rules, wall_ns)}
            if wishes := moves(where, nodes, places):
                await self._move(wishes)
                return False  # they settle first
            wish = lacking(where, places, nodes) if self.successors else None
            return wish is not None and await self._load(*wish)

    async def _move(self, wishes: tuple[tuple[str, str], ...]) -> None:
        lacks = await asyncio.gather(*(self.restarter.restart(*wish) for wish in wishes))
        for (name, _), why in zip(wishes, lacks, strict=True):
            if why:
                log.warning("%s was not moved: %s", name, why)

    async def _load(self, name: str, node: str) -> bool:
        self.known.successors.pop(name, None)
        try:
            await asyncio.to_thread(self.host.load, name, node)
        except Unavailable as error:
            log.warning("%s", error)
            return False
        deadline_ns = self.clock.wall_ns() + self.rules.takeover_ns
        while name not in self.known.successors and self.clock.wall_ns() < deadline_ns:
            await asyncio.sleep(0.05)
        if name not in self.known.successors:
            log.warning("%s has no successor: the one on node %s was not heard", name, node)
            return False
        log.info("%s has a successor on node %s", name, self.known.successors[name].node)
        return True
