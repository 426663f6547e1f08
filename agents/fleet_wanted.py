"""How many agents of each kind people and load have asked for, kept where a fleet that starts again finds it.

The last value of ``subjects.SHARDS``, a JSON object {kind: number}; only the fleet writes it, and only once somebody has
asked: until then the settings hold, or what the assignment names if that is more.

*Tested by* tests/unit/test_fleet_wanted.py, tests/e2e/test_fleet_ray.py.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping

from agents.fleet_plan import shards_in
from common import subjects
from common.factors import KINDS
from common.ports import Bus

log = logging.getLogger(__name__)


async def keep(bus: Bus, wanted: Mapping[str, int]) -> None:
    """Keep what is wanted now. Raises ``Unavailable`` if NATS did not store it."""
    await bus.put(subjects.SHARDS, json.dumps(dict(wanted), sort_keys=True).encode())


async def recall(bus: Bus, settings: Mapping[str, int], owner: Mapping[str, str], most: int) -> dict[str, int]:
    """Agents wanted of each kind (at most ``most``) as a fleet begins, from its settings and the assignment that holds.

    Kept numbers win. Without them at least as many as the settings say: the assignment may lack a shard that is being
    covered, or restarted. What was kept and is no such object is logged and counts as not kept. Raises ``Unavailable``.
    """
    data = await bus.get(subjects.SHARDS)
    kept = {} if data is None else _read(data, most)
    named = shards_in(owner)
    return {k: kept.get(k, max(n, named.get(k, 0))) for k, n in {**named, **settings, **kept}.items()}


def _read(data: bytes, most: int) -> dict[str, int]:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if isinstance(found, dict) and all(k in KINDS and type(n) is int and 0 <= n <= most for k, n in found.items()):
        return found
    log.warning("what %s keeps is no number of agents by kind: %.80r; the settings hold", subjects.SHARDS, data)
    return {}
