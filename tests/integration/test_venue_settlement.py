"""A settlement across the line to a venue of its own: heard once after a break and after a restart, and booked once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from common.messages import OrdStatus
from common.subjects import quotes as subject
from common.units import NS_PER_DAY, NS_PER_S
from common.wire.codec import encode_quote_batch
from execution.core import step
from execution.events import Report, VenueEvents
from execution.state import ExecutionSetup, Stored, start
from execution.venues.port import VenueKind
from execution.venues.record import RecordKind
from execution.venues.remote import RemoteVenue
from execution.venues.venue_file import read_lines
from tests.execution_world import T0_NS, make_limits, make_universe, standing
from tests.integration.test_venue_process import World, reached

pytestmark = pytest.mark.live
EXPIRY_NS = T0_NS + NS_PER_DAY
NAME = f"S-BBB-{EXPIRY_NS}"


async def quoted(world: World, sequence: int, at_ns: int) -> None:
    batch = standing(sequence, symbol="BBB", at_ns=at_ns)
    await world.bus.publish(subject("BBB"), encode_quote_batch(replace(batch, snapshot=True)))


def test_a_settlement_is_heard_once_by_each_execution_whatever_breaks_and_booked_once(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        await world.start()
        client = RemoteVenue(world.address)
        await client.open(world.heard.extend)
        await reached(client)
        await quoted(world, 5, EXPIRY_NS + NS_PER_S)
        await world.until(NAME, VenueKind.SETTLED)
        await world.stop()
        await world.start()  # the same file, fresh quotes of a day before: nothing settles again
        await quoted(world, 6, EXPIRY_NS + 60 * NS_PER_S)
        await reached(client)
        await client.close()
        late = RemoteVenue(world.address)  # a new execution may have been dead at the time: it is told once more
        await late.open(world.heard.extend)
        await reached(late)
        await late.close()
        await world.stop()
        told, again = [e for e in world.heard if e.kind is VenueKind.SETTLED]
        assert again == told
        assert (told.instrument, told.ticks, told.exec_id) == (7, 1001, NAME)
        lines = read_lines(tmp_path / "venue.jsonl", (tmp_path / "venue.jsonl").read_text())
        assert [(r.kind, r.exec_id) for r in lines] == [(RecordKind.SETTLED, NAME)]
        state = start(ExecutionSetup(make_universe(), make_limits(), Stored()))
        _, out = step(state, VenueEvents((told, again), 0))
        reports = [i.report for i in out if isinstance(i, Report)]
        assert [(r.sequence, r.ord_status, r.exec_id) for r in reports] == [(1, OrdStatus.SETTLED, NAME)]

    uvloop.run(main())
