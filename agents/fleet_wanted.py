"""How many agents of each kind people and load have asked for, kept where a fleet that starts again finds it.

The last value of ``subjects.SHARDS``, a JSON object {kind: number} of the kinds that anybody has asked for; only the fleet
writes it. Of the others the settings hold, or what the assignment names if that is more.

*Tested by* tests/unit/test_fleet_wanted.py, tests/unit/test_fleet_loop.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Mapping

from agents.config import MAX_SHARDS
from agents.fleet_plan import shards_in
from common import subjects
from common.errors import Unavailable
from common.factors import KINDS, agent_name
from common.ports import Bus

#: Between two looks whether what the load asked for is kept.
KEEP_EVERY_S = 0.5

log = logging.getLogger(__name__)


class Wanted:
    """``asked``: numbers by kind, of kinds that somebody has asked for."""

    def __init__(self, bus: Bus, most: int) -> None:
        self.asked: dict[str, int] = {}
        self._bus, self._most = bus, most
        self._kept: dict[str, int] = {}
        self._one = asyncio.Lock()

    async def recall(self, settings: Mapping[str, int], owner: Mapping[str, str]) -> dict[str, int]:
        """Agents wanted of each kind as a fleet begins, from its settings and the assignment that holds.

        Where nobody has asked at least as many as the settings say: the assignment may lack a shard that is being covered,
        or restarted. A kept number that makes no sense is logged and counts as not kept. Raises ``Unavailable``.
        """
        data = await self._bus.get(subjects.SHARDS)
        self.asked = {} if data is None else _read(data, self._most)
        self._kept = dict(self.asked)
        named = shards_in(owner)
        unasked = {k: max(n, named.get(k, 0)) for k, n in {**named, **settings}.items()}
        return {**unasked, **self.asked}

    async def ask(self, kind: str, n: int) -> None:
        """Keep that a person wants ``n`` of a kind. Raises ``Unavailable`` where NATS does not say that it has."""
        async with self._one:
            await self._keep({**self.asked, kind: n})
            self.asked[kind] = n

    async def follow(self) -> None:
        """Keep what the load asks for (it sets ``asked``), for as long as this runs; NATS may be away for a while."""
        while True:
            async with self._one:
                if self.asked != self._kept:
                    with contextlib.suppress(Unavailable):
                        await self._keep(dict(self.asked))
            await asyncio.sleep(KEEP_EVERY_S)

    async def _keep(self, asked: dict[str, int]) -> None:
        await self._bus.put(subjects.SHARDS, json.dumps(asked, sort_keys=True).encode())
        self._kept = asked


def beyond(wanted: Mapping[str, int]) -> set[str]:
    """Agents that are not wanted and may still run, left by a fleet before this one (`Known.strangers`)."""
    return {agent_name(kind, shard) for kind in KINDS for shard in range(wanted.get(kind, 0), MAX_SHARDS)}


def _read(data: bytes, most: int) -> dict[str, int]:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    good, bad = {}, found is None or not isinstance(found, dict)
    for kind, n in found.items() if isinstance(found, dict) else ():
        if kind in KINDS and type(n) is int and 1 <= n <= most:
            good[kind] = n
        else:
            bad = True
    if bad:
        log.warning(
            "%s keeps %.80r, not numbers of agents by kind; of what is none the settings hold", subjects.SHARDS, data
        )
    return good
