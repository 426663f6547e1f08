"""The paper venue as a process of its own: sessions on TCP, its own file, its own quotes, its own market clock.

Every act is on the disc before anybody hears of it. One session at a time: opening one ends every older one, and what those
still hold is never taken, so "I do not have it" is final. Bounds: a session that does not read is cut at ``UNREAD_MAX`` bytes
and resumes by sequence; a session's requests are read one by one, the rest waits in its socket.
*Tested by* tests/integration/test_venue_process.py, tests/integration/test_venue_sessions.py, tests/e2e/test_chaos.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from hedgerow.venue.v1 import venue_pb2 as pb

from common.errors import Conflict, HedgerowError, Refused
from common.messages import QuoteBatch
from common.ports import Bus
from common.units import NS_PER_S
from common.universe import Universe
from common.wire.execution_codec import order_from_pb
from execution.config import PaperConfig
from execution.reference import ReferenceFeed
from execution.venues.lasting import LastingVenue
from execution.venues.paper import PaperVenue
from execution.venues.record import RecordKind, VenueRecord, framed, read_frame, request_of, to_pb
from execution.venues.statement import PAGE as STATED
from execution.venues.statement_codec import statement_to_pb
from execution.venues.venue_file import VenueFile

#: Bytes told to a session and not read by it.
UNREAD_MAX: Final = 16 * 2**20
QUOTES_BOUND: Final = 4096
SNAPSHOT_TIMEOUT_S: Final = 1.0
#: Records in one message when a session hears again what it missed.
PAGE: Final = 1000

_log = logging.getLogger(__name__)


class VenueServer:
    """Owns the venue while it runs. ``speed`` market seconds a wall second; ``failed`` gets what ends the process;
    ``on_gap(source)`` is called while a source of quotes has a gap.
    """

    def __init__(
        self,
        venue: LastingVenue,
        file: VenueFile,
        speed: float,
        failed: Callable[[HedgerowError], None],
        on_gap: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._venue = venue
        self._file = file
        self._speed = speed
        self._failed = failed
        self._on_gap = on_gap
        self._session: asyncio.StreamWriter | None = None
        self._connections: set[asyncio.StreamWriter] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._server: asyncio.Server | None = None

    async def start(self, address: str) -> str:
        """Listen; returns host:port as bound. Raises ``Conflict`` if the address is in use."""
        host, _, port = address.rpartition(":")
        try:
            self._server = await asyncio.start_server(self._serve, host, int(port))
        except OSError as error:
            raise Conflict(f"the venue cannot listen on {address}: {error}") from error
        self._arm()
        return f"{host}:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        """End every session."""
        if self._timer is not None:
            self._timer.cancel()
        if self._server is not None:
            self._server.close()
        for writer in list(self._connections):
            writer.close()

    # -- the market ----------------------------------------------------------------------------------------------------

    def take_quotes(self, batch: QuoteBatch) -> None:
        """New quotes, and what they cause."""
        self._carry(lambda: self._venue.on_quotes(batch))
        if self._venue.gapped(batch.header.source):
            self._on_gap(batch.header.source)

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_ns = self._venue.next_due_ns
        if due_ns is not None:
            wait_s = max(due_ns - self._venue.now_ns, 0) / NS_PER_S / self._speed
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._fire, due_ns)

    def _fire(self, due_ns: int) -> None:
        self._carry(lambda: self._venue.on_time(due_ns))

    def _carry(self, act: Callable[[], list[VenueRecord]]) -> None:
        """Act, write, then tell; whatever cannot be written ends the venue before anybody hears of it."""
        records = act()
        try:
            if records:
                self._file.append(records)
        except HedgerowError as error:
            self._session = None
            self._failed(error)
            return
        self._tell_records(records)
        self._arm()

    # -- sessions ------------------------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while True:
                request = request_of(await read_frame(reader))
                self._answer(request, writer)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError) as error:
            _log.info("a connection ended: %s", error)
        except Refused as error:
            _log.warning("a connection is ended: %s", error)
            writer.write(framed(pb.VenueResponse(refused=pb.RequestRefused(text=str(error)))))
        finally:
            self._connections.discard(writer)
            if self._session is writer:
                self._session = None
            writer.close()

    def _answer(self, request: pb.VenueRequest, writer: asyncio.StreamWriter) -> None:
        which = request.WhichOneof("request")
        if which == "open":
            self._open(request.open, writer)
        elif which == "status":
            status = pb.VenueStatus(last_sequence=self._venue.last_sequence, session=self._session is not None)
            writer.write(framed(pb.VenueResponse(status=status)))
        elif which == "statement":
            asked = request.statement
            stated = self._venue.statement(asked.after, min(asked.limit, STATED))
            writer.write(framed(pb.VenueResponse(statement=statement_to_pb(asked.number, stated))))
        elif writer is not self._session:
            raise Refused("this session has ended, a newer one was opened, or none was")
        elif which == "submit":
            order, now_ns = order_from_pb(request.submit.order), request.submit.now_ns
            self._carry(lambda: self._venue.submit(order, now_ns))
        elif which == "combo":
            legs, at_ns = [order_from_pb(leg) for leg in request.combo.legs], request.combo.now_ns
            self._carry(lambda: self._venue.submit_combo(legs, at_ns))
        elif which == "replace":
            order, now_ns = order_from_pb(request.replace.order), request.replace.now_ns
            self._carry(lambda: self._venue.replace(order, now_ns))
        elif which == "cancel":
            name, at_ns = request.cancel.client_order_id, request.cancel.now_ns
            self._carry(lambda: self._venue.cancel(name, at_ns))
        elif which == "ask":
            for name in request.ask.client_order_id:
                self._tell(self._told(name))
        else:
            raise Refused("a request without content")

    def _open(self, request: pb.OpenSession, writer: asyncio.StreamWriter) -> None:
        last = self._venue.last_sequence
        if request.resume and request.after_sequence > last:
            raise Refused(f"record {request.after_sequence} was heard, this file ends at {last}: it is not the same")
        older, self._session = self._session, writer
        if older is not None and older is not writer:
            older.close()
        opened = pb.SessionOpened(last_sequence=last, combos=self._venue.combos)
        if not request.resume:
            # One that begins anew asks about its orders; of what settled while nobody listened it would never hear.
            opened.settled.extend(to_pb(r) for r in self._venue.records if r.kind is RecordKind.SETTLED)
        self._tell(pb.VenueResponse(opened=opened))
        for page in _pages(self._venue.records[request.after_sequence :] if request.resume else ()):
            self._tell_records(page)

    def _told(self, name: str) -> pb.VenueResponse:
        records = self._venue.ask(name)
        told = pb.OrderTold(client_order_id=name, known=records is not None, records=map(to_pb, records or ()))
        return pb.VenueResponse(told=told)

    def _tell_records(self, records: Sequence[VenueRecord]) -> None:
        if records:
            self._tell(pb.VenueResponse(records=pb.VenueRecords(records=map(to_pb, records))))

    def _tell(self, response: pb.VenueResponse) -> None:
        writer = self._session
        if writer is None or writer.is_closing():
            # A transport that has ended raises on a write; its reader hears of the end a little later.
            self._session = None
            return
        if writer.transport.get_write_buffer_size() > UNREAD_MAX:
            _log.warning("the session does not read; it is cut and resumes by sequence")
            self._session = None
            writer.transport.abort()
            return
        writer.write(framed(response))


def _pages(records: Sequence[VenueRecord]) -> Iterator[Sequence[VenueRecord]]:
    for at in range(0, len(records), PAGE):
        yield records[at : at + PAGE]


async def serve_venue(
    address: str,
    folder: Path,
    bus: Bus,
    universe: Universe,
    config: PaperConfig,
    sessions_ns: tuple[tuple[int, int], ...],
    speed: float,
    stop: asyncio.Event,
    *,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Be the venue until ``stop``. ``ready`` gets the bound host:port.

    Raises ``Conflict`` if the file or the address is in use, ``InputError`` if the file is damaged, ``Unavailable`` when it
    cannot be written any more.
    """
    file = VenueFile(folder)
    failures: list[HedgerowError] = []

    def failed(error: HedgerowError) -> None:
        failures.append(error)
        stop.set()

    try:
        since_ns = max((r.event_time_ns for r in file.records), default=0)
        venue = LastingVenue(PaperVenue(universe, config, sessions_ns, since_ns), file.records)
        server = VenueServer(venue, file, speed, failed, lambda source: feed.heal(source))
        feed = ReferenceFeed(
            bus, universe, server.take_quotes, venue.gapped, bound=QUOTES_BOUND, timeout_s=SNAPSHOT_TIMEOUT_S
        )
        bound = await server.start(address)
        await feed.start()
        _log.info("the venue listens on %s, %d records in %s", bound, venue.last_sequence, file.path)
        if ready is not None:
            ready(bound)
        await stop.wait()
        await feed.stop()
        await server.stop()
    finally:
        file.close()
    if failures:
        raise failures[0]
