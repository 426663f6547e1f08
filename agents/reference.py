"""What an agent reads before it can begin: universe, book and configuration, waited for.

*Tested by* tests/integration/test_agents_shell.py.
"""

from __future__ import annotations

import asyncio
import json
import logging

from agents.config import AgentsConfig
from agents.step import AgentSetup
from common import subjects
from common.errors import Unavailable
from common.factors import agent_name
from common.ports import Bus
from common.wire import codec

RETRY_S = 0.1

log = logging.getLogger(__name__)


async def fetch_setup(bus: Bus, kind: str, shard: int, incarnation: int, stop: asyncio.Event) -> AgentSetup | None:
    """Reference data, waited for as long as it takes; None if ``stop`` is set first.

    Raises ``errors.Refused`` for data that do not decode, ``pydantic.ValidationError`` for a configuration that makes no sense.
    """
    while not stop.is_set():
        try:
            parts = [await bus.get(s) for s in (subjects.UNIVERSE, subjects.BOOK, subjects.CONFIG)]
        except Unavailable as error:
            log.warning("%s waits for the reference data: %s", agent_name(kind, shard), error)
            parts = [None]
        if all(part is not None for part in parts):
            universe, book, config = (part for part in parts if part is not None)
            return AgentSetup(
                universe=codec.decode_universe(universe),
                book=codec.decode_book(book),
                kind=kind,
                shard=shard,
                config=AgentsConfig.model_validate(json.loads(config)["agents"]),
                incarnation=incarnation,
            )
        await asyncio.sleep(RETRY_S)
    return None
