"""A FIX 4.4 venue as a ``LinkedVenue``: orders out when the gate is open, what the venue says in, never a blind second sending.

After every logon, and after a gap that opens later, new orders are refused until everything missed has been heard
(``session_gate``); then the cancels that wait go out, and every order that is not terminal is asked about (OrderStatusRequest).
An order sent and not answered when the line breaks, or within ``answer_timeout_s``, is UNCERTAIN; only the venue's own
word that it has no such order ends it. The engine is a ``Link``; nothing here imports it.
*Tested by* tests/unit/test_fix_venue.py, tests/integration/test_fix_fixcore.py, tests/integration/test_fix_rude.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from common.clock import WallClock
from common.errors import Unavailable
from common.messages import Order, QuoteBatch
from common.ports import Clock
from common.units import NS_PER_DAY, NS_PER_S
from common.universe import Universe
from execution.venues.fix import outgoing, session_gate
from execution.venues.fix.config import FixConfig
from execution.venues.fix.incoming import disputed, order_named
from execution.venues.fix.inquiry import Inquiry
from execution.venues.fix.ledger import Ledger
from execution.venues.fix.message import FixMessage, MsgType, Tag
from execution.venues.fix.naming import Contracts
from execution.venues.fix.news import News, Said, Tell
from execution.venues.fix.session_gate import Gate, GateEvent, GateState
from execution.venues.port import OwnRecords, VenueEvent, VenueKind, VenueLink
from execution.venues.statement import VenueTotals

LOOK_S: Final = 0.1
#: A probe not answered by then is sent anew.
PROBE_S: Final = 0.5
#: Between two groups of questions of a reconciliation; how long one waits for open orders nobody sent, after the last answer.
INQUIRY_S: Final = 0.02
MASS_S: Final = 1.0
_ENDS = (
    VenueKind.CANCELED,
    VenueKind.REJECTED,
    VenueKind.EXPIRED,
    VenueKind.NOT_FOUND,
    VenueKind.CANCEL_REJECTED,
    VenueKind.REPLACED,
)
_GATE_EVENTS: Final[dict[Said, GateEvent]] = {
    Said.LOGGED_ON: session_gate.LoggedOn(),
    Said.LOGGED_OUT: session_gate.LoggedOut(),
    Said.GAP: session_gate.GapOpened(),
}
_WAITS_FOR: Final = {
    GateState.DOWN: "a logon",
    GateState.PROBING: "everything missed to be heard",
}
_NS_PER_MS: Final = 1_000_000
_log = logging.getLogger(__name__)
Hear = Callable[[Sequence[VenueEvent]], None]


class Link(Protocol):
    """An engine that keeps one session."""

    def start(self, tell: Tell) -> None:
        """Begin to connect, for ever; ``tell`` on the running loop."""
        ...

    def send(self, message: FixMessage) -> bool:
        """Number, store and send; False if it did not go out."""
        ...

    async def restart(self) -> None:
        """End and begin anew with the same session."""
        ...

    async def stop(self) -> None:
        """Log out and end."""
        ...


class FixVenue:
    """``LinkedVenue``, ``AsksRecords``, ``CancelsAll``, ``CountingVenue`` over FIX. Raises ``InputError`` as ``Contracts``."""

    def __init__(self, config: FixConfig, universe: Universe, link: Link, clock: Clock | None = None) -> None:
        self._config = config
        self._link = link
        self._clock = clock or WallClock()
        self._contracts = Contracts(universe)
        self._ledger: Ledger | None = None
        self._hear: Hear = lambda _: None
        started_ns = self._clock.wall_ns()
        self._gate = Gate(started_ns // _NS_PER_MS)
        #: Never repeated, also not by the next life of this process.
        self._number = started_ns // _NS_PER_MS
        self._watching: asyncio.Task[None] | None = None
        self._now_ns = 0
        self._probed_s = 0.0
        self._changed_ns = 0
        #: Orders sent and not heard of; questions not answered: name to wall second of the sending, 0 if not sent.
        self._unanswered: dict[str, float] = {}
        self._asked: dict[str, float] = {}
        self._cancels: dict[str, None] = {}
        #: The pass of questions that is under way.
        self._inquiry: Inquiry | None = None

    @property
    def name(self) -> str:
        """For status and messages."""
        at = f"{self._config.target_comp_id} at {self._config.host}:{self._config.port}"
        return f"fix {at}{'' if self._gate.state is GateState.OPEN else ', ' + self._gate.state.value}"

    @property
    def link(self) -> VenueLink:
        """How the session is now."""
        state = self._gate.state
        return VenueLink(
            state is GateState.OPEN, self._changed_ns, "" if state is GateState.OPEN else _WAITS_FOR[state]
        )

    @property
    def next_due_ns(self) -> int | None:
        """Nothing is due here: the venue has its own clock."""
        return None

    def use(self, records: OwnRecords) -> None:
        """See ``AsksRecords``. What was asked before, on recovery, is from here on under the ids the venue knows."""
        self._ledger = Ledger(self._contracts, records)
        self._asked = {self._known_as(name): sent_s for name, sent_s in self._asked.items()}
        self._cancels = dict.fromkeys(map(self._known_as, self._cancels))

    async def open(self, hear: Hear) -> None:
        """See ``LinkedVenue``. Raises ``RuntimeError`` without ``use``."""
        if self._ledger is None:
            raise RuntimeError("a FIX venue is told of our records before it is opened")
        self._hear = hear
        self._link.start(self.take)
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """See ``LinkedVenue``."""
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)
        await self._link.stop()

    # -- the port ------------------------------------------------------------------------------------------------------

    def submit(self, order: Order, now_ns: int) -> list[VenueEvent]:
        """Send once. Raises ``Unavailable`` while the gate is not open: nothing has left and nothing will."""
        message = outgoing.new_order(order, self._contracts, self._config.account, self._wall_ns)
        self._send_orders([order], now_ns, message)
        return []

    @property
    def combos(self) -> bool:
        """As agreed with the venue."""
        return self._config.combos

    def submit_combo(self, legs: Sequence[Order], now_ns: int) -> list[VenueEvent]:
        """Send the legs as one NewOrderMultileg (AB); raises as ``submit``."""
        message = outgoing.multileg(legs, self._contracts, self._config.account, self._wall_ns)
        self._send_orders(legs, now_ns, message)
        return []

    def replace(self, original_id: str, order: Order, now_ns: int) -> list[VenueEvent]:
        """Ask that ``order`` takes the place of ``original_id``; raises as ``submit``."""
        account, wall_ns = self._config.account, self._wall_ns
        message = outgoing.replacement(order, original_id, self._contracts, account, wall_ns)
        self._send_orders([order], now_ns, message)
        return []

    def _send_orders(self, orders: Sequence[Order], now_ns: int, message: FixMessage) -> None:
        self._now_ns = max(self._now_ns, now_ns)
        if self._gate.state is not GateState.OPEN:
            raise Unavailable(f"the FIX session with {self._config.target_comp_id} is {self._gate.state.value}")
        for order in orders:
            self._at.ordered(order)
        if not self._link.send(message):
            raise Unavailable(f"the FIX session with {self._config.target_comp_id} took no order")
        self._unanswered[message.text(Tag.ClOrdID)] = self._second

    def cancel(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        """Ask for a cancel, now or as soon as the gate opens."""
        self._now_ns = max(self._now_ns, now_ns)
        name = self._known_as(client_order_id)
        asked = name != client_order_id and name in self._cancels
        self._cancels[name] = None
        if self._gate.state is GateState.OPEN and not asked:
            self._send_cancel(name)
        return []

    def cancel_all(self, now_ns: int) -> None:
        """OrderMassCancelRequest (q), if anybody is logged on."""
        self._now_ns = max(self._now_ns, now_ns)
        if self._gate.state is not GateState.DOWN:
            self._link.send(outgoing.mass_cancel(self._next(), self._wall_ns))

    def ask(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        """Ask what became of an order, now or as soon as the gate opens; a question on its way is not repeated."""
        self._now_ns = max(self._now_ns, now_ns)
        name = self._known_as(client_order_id)
        if self._gate.state is not GateState.OPEN:
            self._asked[name] = 0.0
        elif self._second - self._asked.get(name, 0.0) > self._config.answer_timeout_s:
            self._send_question(name)
        return []

    def on_quotes(self, batch: QuoteBatch) -> list[VenueEvent]:
        """The venue has its own market."""
        self._now_ns = max(self._now_ns, batch.header.event_time_ns)
        return []

    def on_time(self, now_ns: int) -> list[VenueEvent]:
        """The venue has its own clock."""
        self._now_ns = max(self._now_ns, now_ns)
        return []

    # -- the reconciliation --------------------------------------------------------------------------------------------

    def day_start_ns(self, now_ns: int) -> int:
        """See ``CountingVenue``: the last ``session_start`` before that time."""
        hours, minutes, seconds = map(int, self._config.session_start.split(":"))
        start_ns = (hours * 3600 + minutes * 60 + seconds) * NS_PER_S
        return now_ns - (now_ns - start_ns) % NS_PER_DAY

    async def totals(self, names: Sequence[str]) -> VenueTotals:
        """See ``CountingVenue``: one OrderStatusRequest an order, and one for all that the venue has open."""
        mass = outgoing.mass_status(self._next()) if self._config.mass_status else None
        mass_id = "" if mass is None else mass.text(Tag.MassStatusReqID)
        inquiry = Inquiry(self._at, self._contracts, names, mass_id, self._config.average_decimals)
        self._inquiry = inquiry
        try:
            if mass is not None:
                self._ask_for(mass)
            began_s = self._second
            asked = 0
            while not inquiry.done:
                allowed = int((self._second - began_s + INQUIRY_S) * self._config.status_per_s) - asked
                orders = inquiry.due(allowed, self._second)
                asked += len(orders)
                for order in orders:
                    self._ask_for(outgoing.status(order, self._contracts))
                await asyncio.sleep(INQUIRY_S)
                self._still_answers(inquiry)
            until_s = self._second + MASS_S
            while not inquiry.told_all and self._second < until_s:
                await asyncio.sleep(INQUIRY_S)
            return inquiry.totals()
        finally:
            self._inquiry = None

    def _ask_for(self, message: FixMessage) -> None:
        if self._gate.state is not GateState.OPEN or not self._link.send(message):
            raise Unavailable(f"the FIX session with {self._config.target_comp_id} is {self._gate.state.value}")

    def _still_answers(self, inquiry: Inquiry) -> None:
        """Raises ``Unavailable`` where the session has gone, or a question is refused or waits too long."""
        venue, wait_s = self._config.target_comp_id, self._config.answer_timeout_s
        if self._gate.state is not GateState.OPEN:
            raise Unavailable(f"the FIX session with {venue} is {self._gate.state.value}")
        if inquiry.refused:
            raise Unavailable(f"{venue} makes no statement: it refuses OrderStatusRequest: {inquiry.refused}")
        if late := inquiry.overdue(self._second - wait_s):
            said = f"it has not answered OrderStatusRequest of order {late} within {wait_s:g} s"
            raise Unavailable(f"{venue} makes no statement: {said}; {inquiry.answered} of {inquiry.count} are answered")

    # -- what the engine tells -----------------------------------------------------------------------------------------

    def take(self, news: News) -> None:
        """One thing the engine tells, in its order."""
        message = news.message
        if message is None:
            self._gated(_GATE_EVENTS[news.said])
        elif news.said is Said.SENT:
            self._at.sent(message)
        elif message.msg_type == MsgType.HEARTBEAT:
            self._gated(session_gate.HeartbeatHeard(message.text(Tag.TestReqID)))
        else:
            self._heard(message)

    def _gated(self, event: GateEvent) -> None:
        before = self._gate.state
        _, instructions = session_gate.step(self._gate, event)
        if self._gate.state is not before:
            self._changed_ns = self._wall_ns
            _log.info("the FIX session with %s is %s", self._config.target_comp_id, self._gate.state.value)
        for instruction in instructions:
            match instruction:
                case session_gate.Probe(name):
                    self._probed_s = self._second
                    self._link.send(outgoing.test_request(name))
                case session_gate.Opened():
                    self._opened()
                case session_gate.Lost():
                    self._lost()

    def _opened(self) -> None:
        """Everything said so far is heard: now the questions, then the cancels that wait."""
        if self._config.mass_status:
            self._link.send(outgoing.mass_status(self._next()))
        for name in dict.fromkeys((*self._asked, *map(self._known_as, self._at.working()))):
            self._send_question(name)
        for name in self._cancels:
            self._send_cancel(name)

    def _lost(self) -> None:
        names = list(self._unanswered)
        self._unanswered.clear()
        self._asked = dict.fromkeys([*self._asked, *names], 0.0)
        self._doubt(names, "the FIX session broke while it was sent; the venue is asked")

    def _doubt(self, names: Sequence[str], text: str) -> None:
        if names:
            legs = [leg for name in names for leg in self._at.told_of(name)]
            self._hear([VenueEvent(VenueKind.UNCERTAIN, leg, self._now_ns, text=text) for leg in legs])

    def _heard(self, message: FixMessage) -> None:
        if self._inquiry is not None and self._inquiry.take(message):
            return
        try:
            events = self._at.take(message, self._now_ns)
        except ValueError as error:
            events = [disputed(order_named(message), self._now_ns, f"the venue says what cannot be read: {error}")]
        name = order_named(message)
        self._unanswered.pop(name, None)
        if message.msg_type == MsgType.EXECUTION_REPORT:
            self._asked.pop(name, None)
        elif not events and message.text(Tag.MassCancelResponse) in ("", "0"):
            # 0: the mass cancel is refused. The cancels of each order have followed it anyway.
            _log.warning("the venue says %s", "|".join(f"{tag}={value}" for tag, value in message.fields))
        for event in events:
            known_as = self._known_as(event.client_order_id)
            self._unanswered.pop(known_as, None)
            if event.kind in _ENDS:
                self._cancels.pop(known_as, None)
            if event.kind is VenueKind.DISPUTED:
                _log.warning("dispute with the venue: %s", event.text)
        if events:
            self._hear(events)

    # -- sending -------------------------------------------------------------------------------------------------------

    def _known_as(self, name: str) -> str:
        """The id at the venue: of a leg its combo's."""
        return name if self._ledger is None else self._ledger.at_venue(name)

    def _send_question(self, name: str) -> None:
        order = self._at.order(name)
        if order is None:
            self._asked.pop(name, None)
            return
        self._asked[name] = self._second if self._link.send(outgoing.status(order, self._contracts)) else 0.0

    def _send_cancel(self, name: str) -> None:
        order = self._at.order(name)
        if order is not None:
            self._link.send(outgoing.cancel(order, self._next(), self._contracts, self._wall_ns))

    async def _watch(self) -> None:
        """What waits too long: an order is uncertain then, a probe is repeated, an engine that is not logged on is begun anew."""
        stood_s = self._second
        while True:
            await asyncio.sleep(LOOK_S)
            if self._second - self._probed_s > PROBE_S:
                self._gated(session_gate.Unanswered())
            if self._gate.state is not GateState.DOWN:
                stood_s = self._second
            elif self._second - stood_s > self._config.restart_s:
                try:
                    await self._link.restart()
                except Exception:  # no file, no memory: without this watch nothing sent would ever be late
                    _log.exception(
                        "the FIX engine does not begin anew; it is tried again in %g s", self._config.restart_s
                    )
                stood_s = self._second
            late_s = self._second - self._config.answer_timeout_s
            names = [name for name, sent_s in self._unanswered.items() if sent_s < late_s]
            for name in names:
                del self._unanswered[name]
            self._doubt(names, f"not answered within {self._config.answer_timeout_s:g} s; the venue is asked")

    @property
    def _at(self) -> Ledger:
        assert self._ledger is not None
        return self._ledger

    @property
    def _second(self) -> float:
        return asyncio.get_running_loop().time()

    @property
    def _wall_ns(self) -> int:
        return self._clock.wall_ns()

    def _next(self) -> int:
        self._number += 1
        return self._number
