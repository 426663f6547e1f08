"""When execution looks at its venue next, where the market's time stands still and comes back; and what goes first."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.execution_world import NullVenue
from common.clock import WallClock
from common.messages import QuoteBatch, TradingState
from common.units import NS_PER_MS, NS_PER_S
from execution.engine import Engine
from execution.events import SetTrading, VenueEvents
from execution.state import ExecutionSetup, start
from execution.store import MemoryStore
from execution.venues.port import VenueEvent, VenueKind
from tests.execution_world import make_config, make_limits, make_universe, standing

SPEED = 10.0


class Waiting(NullVenue):
    """Something is due a millisecond after the latest market time it was told."""

    told_ns = 0

    @property
    def next_due_ns(self) -> int | None:
        """See ``execution.venues.port.Venue``."""
        return self.told_ns + NS_PER_MS

    def on_quotes(self, batch: QuoteBatch) -> list[Any]:
        """See ``execution.venues.port.Venue``."""
        self.told_ns = max(self.told_ns, batch.header.event_time_ns)
        return []

    def on_time(self, now_ns: int) -> list[Any]:
        """See ``execution.venues.port.Venue``."""
        self.told_ns = max(self.told_ns, now_ns)
        return []


def wait_s(engine: Engine) -> float:
    """How long it would wait now before it looks at the venue."""
    with mock.patch.object(asyncio.get_running_loop(), "call_later") as later:
        engine._arm()
    return float(later.call_args.args[0])


def test_a_market_that_comes_back_behind_its_silence_delays_nothing_at_the_venue(tmp_path: Path) -> None:
    """The silence was taken for 30 s of market time; the feed had stood still, and goes on where it was."""

    async def run() -> None:
        venue, opens_ns = Waiting(), standing().header.event_time_ns
        config = make_config(tmp_path, speed=SPEED)
        state = start(ExecutionSetup(make_universe(), make_limits(), MemoryStore().load()))
        engine = Engine(config, state, MemoryStore(), venue, WallClock(), lambda _: None)
        engine.take_quotes(standing())
        engine._take_market()
        assert wait_s(engine) <= 0.001 / SPEED
        engine._fire(opens_ns + 30 * NS_PER_S)
        engine._take_market()
        assert venue.told_ns == opens_ns + 30 * NS_PER_S
        engine.take_quotes(standing(2, at_ns=opens_ns + NS_PER_S))
        engine._take_market()
        assert wait_s(engine) <= 0.001 / SPEED, "not 29 s of market time"

    asyncio.run(run())


def test_a_pause_goes_before_the_news_and_the_look_that_would_place_more(tmp_path: Path) -> None:
    async def run() -> None:
        state = start(ExecutionSetup(make_universe(), make_limits(), MemoryStore().load()))
        engine = Engine(make_config(tmp_path), state, MemoryStore(), Waiting(), WallClock(), lambda _: None)
        engine.hear([VenueEvent(VenueKind.CANCELED, "p.1", 1)])
        asking = asyncio.ensure_future(engine.ask(SetTrading(TradingState.PAUSED, "risk", "lunch", 1)))
        await asyncio.sleep(0)
        kinds = [type(item.event) for item in engine._next_group()]
        assert kinds.index(SetTrading) == 0 and VenueEvents in kinds[1:]
        asking.cancel()

    asyncio.run(run())
