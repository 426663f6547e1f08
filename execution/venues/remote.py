"""Execution's side of a venue that is a process of its own: one line that is kept up, and never a blind second sending.

While the line is down ``submit`` raises and nothing leaves; cancels and questions are kept (at most one an open order) and go
out first when it stands again. When it breaks, or an answer is later than ``answer_timeout_s``, every order sent and not heard
of becomes UNCERTAIN. The next session hears all records after the last one heard and then asks about exactly those orders;
the venue takes nothing more from an older session, so its answer is final.
*Tested by* tests/integration/test_venue_process.py, tests/integration/test_venue_kill.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Final

from hedgerow.venue.v1 import venue_pb2 as pb

from common import tasks
from common.clock import WallClock
from common.errors import Refused, Unavailable
from common.messages import Order, QuoteBatch
from common.wire.execution_codec import order_to_pb
from execution.venues.port import VenueEvent, VenueKind, VenueLink
from execution.venues.record import RecordKind, VenueRecord, framed, from_pb, read_frame, response_of
from execution.venues.statement import VenueStatement
from execution.venues.statement_codec import statement_from_pb

#: Bytes sent and not taken by the venue, beyond which nothing more is sent.
UNSENT_MAX: Final = 4 * 2**20
RETRY_S: Final = 0.05
LOOK_S: Final = 0.1
_ENDS = (
    VenueKind.CANCELED,
    VenueKind.REJECTED,
    VenueKind.EXPIRED,
    VenueKind.NOT_FOUND,
    VenueKind.CANCEL_REJECTED,
    VenueKind.REPLACE_REJECTED,
)

_log = logging.getLogger(__name__)
Hear = Callable[[Sequence[VenueEvent]], None]


class RemoteVenue:
    """``port.LinkedVenue`` at host:port. Its own quotes and clock move the venue, so ours are not passed on."""

    def __init__(self, address: str, *, answer_timeout_s: float = 3.0) -> None:
        self.address = address
        self._answer_timeout_s = answer_timeout_s
        self._hear: Hear = lambda _: None
        self._job: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._clock = WallClock()
        self._since_ns = 0
        self._combos: bool | None = None
        self._heard: int | None = None
        self._now_ns = 0
        #: Orders sent and not heard of, and questions not answered: name to wall second of the sending, 0 if not sent.
        self._unanswered: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._cancels: dict[str, int] = {}
        #: Statements asked for, each under its number.
        self._statements: dict[int, asyncio.Future[VenueStatement]] = {}
        self._number = 0

    @property
    def name(self) -> str:
        """For status and messages."""
        return f"paper-process at {self.address}{'' if self._writer else ', not reached'}"

    @property
    def next_due_ns(self) -> int | None:
        """Nothing is due here: the venue has its own clock."""
        return None

    async def open(self, hear: Hear) -> None:
        """See ``LinkedVenue``."""
        self._hear = hear
        self._job = asyncio.create_task(self._keep())

    async def close(self) -> None:
        """See ``LinkedVenue``."""
        if self._job is not None:
            await tasks.end([self._job])

    # -- the port ------------------------------------------------------------------------------------------------------

    def submit(self, order: Order, now_ns: int) -> list[VenueEvent]:
        """Send once. Raises ``Unavailable``, having sent nothing, while the line is down or full."""
        self._send_once(
            [order], now_ns, pb.VenueRequest(submit=pb.SubmitOrder(order=order_to_pb(order), now_ns=now_ns))
        )
        return []

    @property
    def combos(self) -> bool | None:
        """As it said when a session was opened; None before the first."""
        return self._combos

    def submit_combo(self, legs: Sequence[Order], now_ns: int) -> list[VenueEvent]:
        """Send the legs once, as one. Raises as ``submit``."""
        asked = pb.VenueRequest(combo=pb.SubmitCombo(legs=map(order_to_pb, legs), now_ns=now_ns))
        self._send_once(legs, now_ns, asked)
        return []

    def replace(self, original_id: str, order: Order, now_ns: int) -> list[VenueEvent]:  # noqa: ARG002
        """Send once, as ``submit``; the order itself names what it replaces."""
        self._send_once(
            [order], now_ns, pb.VenueRequest(replace=pb.ReplaceOrder(order=order_to_pb(order), now_ns=now_ns))
        )
        return []

    def cancel(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        """Ask for a cancel, now or as soon as the line stands."""
        self._now_ns = max(self._now_ns, now_ns)
        self._cancels[client_order_id] = now_ns
        self._send_cancel(client_order_id, now_ns)
        return []

    def ask(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        """Ask what became of an order, now or as soon as the line stands; a question on its way is not repeated."""
        self._now_ns = max(self._now_ns, now_ns)
        if not self._asked.get(client_order_id):
            self._ask([client_order_id])
        return []

    def on_quotes(self, batch: QuoteBatch) -> list[VenueEvent]:
        """The venue has its own subscription."""
        self._now_ns = max(self._now_ns, batch.header.event_time_ns)
        return []

    def on_time(self, now_ns: int) -> list[VenueEvent]:
        """The venue has its own clock."""
        self._now_ns = max(self._now_ns, now_ns)
        return []

    @property
    def link(self) -> VenueLink:
        """See ``LinkedVenue``."""
        if self._writer is None:
            return VenueLink(False, self._since_ns, f"a connection to {self.address}")
        asked = len(self._asked)
        return VenueLink(True, self._since_ns, f"what became of {asked} orders" if asked else "")

    async def statement(self, after: int, limit: int) -> VenueStatement:
        """See ``StatingVenue``. Raises ``Unavailable`` while the line is down or an answer is later than the timeout."""
        if self._writer is None:
            raise Unavailable(f"the venue at {self.address} cannot be reached")
        self._number += 1
        number, answer = self._number, asyncio.get_running_loop().create_future()
        self._statements[number] = answer
        self._send(pb.VenueRequest(statement=pb.AskStatement(number=number, after=after, limit=limit)))
        try:
            return await asyncio.wait_for(answer, self._answer_timeout_s)
        except TimeoutError:
            text = f"the venue at {self.address} makes no statement within {self._answer_timeout_s:g} s"
            raise Unavailable(text) from None
        finally:
            del self._statements[number]

    # -- sending -------------------------------------------------------------------------------------------------------

    def _send_once(self, orders: Sequence[Order], now_ns: int, request: pb.VenueRequest) -> None:
        self._now_ns = max(self._now_ns, now_ns)
        # A line that was just cut is closing before its session has ended; to write on it would be an error of ours.
        if self._writer is None or self._writer.transport.is_closing():
            raise Unavailable(f"the venue at {self.address} cannot be reached")
        if self._writer.transport.get_write_buffer_size() > UNSENT_MAX:
            raise Unavailable(f"the venue at {self.address} does not read")
        sent_s = asyncio.get_running_loop().time()
        self._unanswered |= {order.client_order_id: sent_s for order in orders}
        self._send(request)

    def _send(self, request: pb.VenueRequest) -> None:
        if self._writer is not None and not self._writer.transport.is_closing():
            self._writer.write(framed(request))

    def _send_cancel(self, name: str, now_ns: int) -> None:
        self._send(pb.VenueRequest(cancel=pb.CancelOrder(client_order_id=name, now_ns=now_ns)))

    def _ask(self, names: list[str]) -> None:
        sent_s = asyncio.get_running_loop().time() if self._writer is not None else 0.0
        self._asked |= dict.fromkeys(names, sent_s)
        if names:
            self._send(pb.VenueRequest(ask=pb.AskOrders(client_order_id=names)))

    # -- the line ------------------------------------------------------------------------------------------------------

    async def _keep(self) -> None:
        said = ""
        try:
            while True:
                try:
                    await self._session()
                except (OSError, EOFError, Refused, TimeoutError) as error:
                    why = str(error) or type(error).__name__
                    if self._writer is not None or why != said:
                        _log.warning("the line to the venue at %s is down: %s", self.address, why)
                    said = why
                self._lost()
                await asyncio.sleep(RETRY_S)
        finally:
            self._lost()

    async def _session(self) -> None:
        host, _, port = self.address.rpartition(":")
        reader, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), self._answer_timeout_s)
        try:
            resume = self._heard is not None
            opening = pb.OpenSession(resume=resume, after_sequence=self._heard or 0)
            writer.write(framed(pb.VenueRequest(open=opening)))
            opened = response_of(await asyncio.wait_for(read_frame(reader), self._answer_timeout_s))
            if opened.WhichOneof("response") != "opened":
                raise Refused(f"the venue refuses the session: {opened.refused.text}")
            if self._heard is None:
                self._heard = opened.opened.last_sequence
                self._news([from_pb(m) for m in opened.opened.settled])
            self._writer, self._since_ns = writer, self._clock.wall_ns()
            self._combos = opened.opened.combos
            _log.info("the line to the venue at %s stands, %d orders in doubt", self.address, len(self._asked))
            self._ask(list(self._asked))
            for name, now_ns in self._cancels.items():
                self._send_cancel(name, now_ns)
            watching = asyncio.create_task(self._watch(writer))
            try:
                while True:
                    self._take(response_of(await read_frame(reader)))
            finally:
                watching.cancel()
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _watch(self, writer: asyncio.StreamWriter) -> None:
        """Cut a line whose answers do not come: a venue that hangs looks like this, and so does a lost connection."""
        while True:
            await asyncio.sleep(LOOK_S)
            oldest_s = min((s for s in (*self._unanswered.values(), *self._asked.values()) if s), default=None)
            if oldest_s is not None and asyncio.get_running_loop().time() - oldest_s > self._answer_timeout_s:
                _log.warning("the venue at %s has not answered for %g s", self.address, self._answer_timeout_s)
                writer.transport.abort()
                return

    def _lost(self) -> None:
        """Whatever was sent and not heard of is in doubt from here on."""
        if self._writer is not None:
            self._writer, self._since_ns = None, self._clock.wall_ns()
        for answer in self._statements.values():
            if not answer.done():
                answer.set_exception(Unavailable(f"the line to the venue at {self.address} broke"))
        names = list(self._unanswered)
        self._unanswered.clear()
        self._asked = dict.fromkeys([*self._asked, *names], 0.0)
        if names:
            text = "the line to the venue broke while it was sent; the venue is asked"
            self._hear([VenueEvent(VenueKind.UNCERTAIN, name, self._now_ns, text=text) for name in names])

    # -- hearing -------------------------------------------------------------------------------------------------------

    def _take(self, response: pb.VenueResponse) -> None:
        which = response.WhichOneof("response")
        if which == "records":
            records = [from_pb(m) for m in response.records.records]
            self._news([r for r in records if r.sequence > (self._heard or 0)])
            self._heard = max(self._heard or 0, records[-1].sequence if records else 0)
        elif which == "told":
            name = response.told.client_order_id
            self._asked.pop(name, None)
            self._unanswered.pop(name, None)
            if response.told.known:
                self._news([from_pb(m) for m in response.told.records])
            else:
                self._cancels.pop(name, None)
                text = "the venue has no such order"
                self._hear([VenueEvent(VenueKind.NOT_FOUND, name, self._now_ns, text=text)])
        elif which == "statement":
            answer = self._statements.get(response.statement.number)
            if answer is not None and not answer.done():
                answer.set_result(statement_from_pb(response.statement))
        elif which == "refused":
            raise Refused(response.refused.text)

    def _news(self, records: Sequence[VenueRecord]) -> None:
        told: list[VenueEvent] = []
        for record in records:
            name = record.client_order_id
            self._now_ns = max(self._now_ns, record.event_time_ns)
            if record.kind in (RecordKind.ORDER, RecordKind.REPLACE, RecordKind.DUPLICATE):
                self._unanswered.pop(name, None)
            if (event := record.event) is not None:
                told.append(event)
                if event.kind in _ENDS:
                    self._cancels.pop(name, None)
        if told:
            self._hear(told)
