"""A session that ends while the venue acts for it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
import uvloop

from common.wire.execution_codec import order_to_pb
from execution.config import PaperConfig
from execution.venues.lasting import LastingVenue
from execution.venues.paper import PaperVenue
from execution.venues.record import VenueRecord, framed, pb, read_frame
from execution.venues.server import VenueServer
from execution.venues.venue_file import VenueFile
from tests.execution_world import T0_NS, make_order, make_universe, standing

pytestmark = pytest.mark.live


async def _session_falls(folder: Path) -> tuple[Sequence[VenueRecord], list[object]]:
    """An order is on its way when the line falls; the venue's records 0.3 s later, and complaints."""
    heard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: heard.append(context))
    file = VenueFile(folder)
    venue = LastingVenue(
        PaperVenue(make_universe(), PaperConfig(latency_ms=50.0, jitter_ms=0.0), (), T0_NS), file.records
    )
    server = VenueServer(venue, file, 1.0, heard.append)
    address = await server.start("127.0.0.1:0")
    try:
        server.take_quotes(standing())
        host, _, port = address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(framed(pb.VenueRequest(open=pb.OpenSession())))
        await read_frame(reader)
        order = order_to_pb(make_order("an-order"))
        writer.write(framed(pb.VenueRequest(submit=pb.SubmitOrder(order=order, now_ns=T0_NS))))
        await writer.drain()
        while venue.next_due_ns is None:
            await asyncio.sleep(0)
        for theirs in server._connections:
            theirs.transport.abort()
        before = venue.last_sequence
        for _ in range(8):  # in every turn of the loop between the fall and the reader's hearing of it
            server._tell_records(venue.records[:1])
            await asyncio.sleep(0)
        server.take_quotes(standing(sequence=2, size=20, at_ns=T0_NS + 1))
        await asyncio.sleep(0.3)
        assert venue.last_sequence > before, "its clock goes on, and so does the order"
    finally:
        await server.stop()
        file.close()
    writer.close()
    return venue.records, heard


def test_a_line_that_falls_while_the_venue_tells_stops_nothing(tmp_path: Path) -> None:
    records, heard = uvloop.run(_session_falls(tmp_path))
    assert heard == [], heard
    assert len(records) >= 2, "it was acknowledged and filled all the same"
