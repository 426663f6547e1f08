"""What a run is made of, opened once, checked whole, and told to everybody as reference data.

In: the resolved settings. Out: ``Prepared`` and, over the bus, universe, book and configuration. Anything malformed is
refused here, before a single process has started. *Tested by* tests/unit/test_deploy_setup.py, tests/e2e.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from common import subjects
from common.bus.nats_bus import NatsBus
from common.errors import InputError, Problem
from common.limits import Limits, load_limits
from common.market.open import open_market
from common.ports import Bus, MarketSource
from common.units import NS_PER_S
from common.universe import Book
from common.wire import codec
from deploy.config import RunConfig
from execution.limits import ExecutionLimits, load_execution_limits


@dataclass(frozen=True)
class Prepared:
    """A run, ready to start. ``speed`` is market seconds per wall second."""

    run_id: str
    settings: RunConfig
    source: MarketSource
    book: Book
    limits: Limits
    execution_limits: ExecutionLimits
    speed: float

    def reference(self) -> dict[str, Any]:
        """The configuration every process reads, JSON-able."""
        return {
            "run_id": self.run_id,
            "settings": self.settings.model_dump(mode="json"),
            "agents": self.settings.agents.model_dump(mode="json"),
            "limits": self.limits.model_dump(mode="json"),
            "execution_limits": self.execution_limits.model_dump(mode="json"),
            "speed": self.speed,
            "statements": list(self.source.statements),
            "sessions": [list(bounds) for bounds in self.source.session_bounds_ns],
        }


def prepare(settings: RunConfig, run_id: str) -> Prepared:
    """Open and check everything a run reads. Raises ``InputError`` with file, line and reason."""
    limits = load_limits(settings.limits)
    execution_limits = load_execution_limits(settings.execution_limits)
    source, book = open_market(settings.market, settings.book)
    unknown = limits.unknown_underlyings(source.universe.symbols)
    if unknown:
        known = ", ".join(source.universe.symbols)
        reason = f"limits name underlyings the market does not have: {', '.join(unknown)} (it has {known})"
        raise InputError(str(settings.limits), [Problem(0, reason)], "mend the pattern or choose another --limits FILE")
    return Prepared(run_id, settings, source, book, limits, execution_limits, _speed(settings, source))


def _speed(settings: RunConfig, source: MarketSource) -> float:
    if settings.live.speed is not None:
        return settings.live.speed
    open_ns = sum(close - start for start, close in source.session_bounds_ns)
    return max(open_ns / NS_PER_S / settings.live.wall_seconds, 1.0)


async def publish(bus: Bus, prepared: Prepared) -> None:
    """Put universe, book and configuration where every process finds them; the configuration last, as the sign."""
    await bus.put(subjects.UNIVERSE, codec.encode_universe(prepared.source.universe))
    await bus.put(subjects.BOOK, codec.encode_book(prepared.book))
    await bus.put(subjects.CONFIG, json.dumps(prepared.reference()).encode())


async def create_and_publish(url: str, prepared: Prepared, *, replicas: int = 1) -> None:
    """Make the streams on the NATS at ``url`` and publish. Raises ``Unavailable`` with the address."""
    bus = await NatsBus.connect(url, "setup")
    try:
        await bus.create_streams(replicas=replicas)
        await publish(bus, prepared)
    finally:
        await bus.close()
