"""Restarts agents one at a time while hedging goes on, where they are or on another node.

An agent's keys go to the other shards of its kind before its process ends, and come back once the new one is ready: at
every moment each key has one living owner. A kind with one shard gets a second one for that long. Agents keep nothing
that matters (`agents.shell`), so that the process itself may be ended hard.
*Tested by* tests/unit/test_fleet_restart.py, tests/e2e/test_fleet_ray.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from agents.fleet_plan import Known, Move, Replace, Rules, is_fresh, unsettled
from common.errors import Unavailable
from common.factors import KINDS, kind_of
from common.ports import Clock

#: For one agent: drained, started again, settled.
AGENT_TIMEOUT_S = 45.0
_LOOK_S = 0.02
ALL = "agents"
#: What is no agent and may be restarted, in words; see `deploy.restart`.
OF_THE_LAUNCHER = "and of the launcher manager, leader, execution, feed"


def agents_of(known: Known, part: str) -> tuple[str, ...]:
    """Agents that a part names: one agent, a kind, or all of them; empty if there is none of that name."""
    everybody = tuple(name for kind in KINDS for name in known.agents(kind))
    if part == ALL:
        return everybody
    return tuple(name for name in everybody if part in (name, kind_of(name)))


@dataclass(frozen=True, slots=True)
class Restarter:
    """What it takes: what the fleet knows, its rules and clock, and the hand that carries a step out."""

    known: Known
    rules: Rules
    clock: Clock
    do: Callable[[Replace | Move], Awaitable[None]]

    async def restart(self, name: str, node: str = "") -> str:
        """Restart one agent, on ``node`` if one is named; returns what it lacks, empty once its kind is settled again.

        Whatever happens, the kind is left with as many shards as before and with nobody drained.
        """
        kind, known = kind_of(name), self.known
        shards = known.desired[kind]
        deadline_ns = self.clock.wall_ns() + int(AGENT_TIMEOUT_S * 1e9)
        try:
            if shards == 1 and self.rules.max_shards > 1:
                known.desired[kind] = 2
                if why := await self._until(lambda: unsettled(known, kind, self.rules, self._now()), deadline_ns):
                    return why
            known.draining.add(name)
            if why := await self._until(lambda: self._drained(kind, name), deadline_ns):
                return why
            old = known.beats[name].incarnation if name in known.beats else 0
            try:
                await self.do(Move(name, node) if node else Replace(name, f"restart of {name}"))
            except Unavailable as error:  # it lives on, and gets its keys back at once
                return str(error)
            if why := await self._until(lambda: self._back(name, old), deadline_ns):
                return why
        finally:
            known.draining.discard(name)
            known.desired[kind] = shards
        return await self._until(lambda: unsettled(known, kind, self.rules, self._now()), deadline_ns)

    def _drained(self, kind: str, name: str) -> str:
        known = self.known
        others = [a for a in known.agents(kind) if a != name]
        if not any(is_fresh(known, a, self.rules, self._now()) for a in others):
            return "" if not others else f"nobody can take the keys of {name}"
        if name in known.owner.values():
            return f"the keys of {name} have not moved yet"
        slow = [a for a in others if a in known.owner.values() and known.beats[a].assignment_version < known.version]
        return f"{slow[0]} has not adopted assignment {known.version} yet" if slow else ""

    def _back(self, name: str, old: int) -> str:
        beat = self.known.beats.get(name)
        there = beat is not None and beat.incarnation > old and beat.ready
        return "" if there else f"{name} is not back yet"

    def _now(self) -> int:
        return self.clock.wall_ns()

    async def _until(self, lacks: Callable[[], str], deadline_ns: int) -> str:
        """Wait until nothing is lacking; what still is at the deadline."""
        while why := lacks():
            if self.clock.wall_ns() >= deadline_ns:
                return why
            await asyncio.sleep(_LOOK_S)
        return ""
