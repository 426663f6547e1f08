"""Mistakes planted into the code under test, to show that the simulator would have seen them.

Each is a patch that a context manager puts in and takes out again; none stands in the code itself. ``PLANTED`` names them
all; docs/simulator.md says within how many seeds each is caught. *Tested by* tests/simulation/test_simulator_mistakes.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from agents import status as agents_status
from common.bus import nats_journal
from common.execution_client import ExecutionClient
from common.messages import Order, OrdStatus
from execution import checks, core, engine, trading, venue_news
from execution.events import Ack, CancelAtVenue, Send
from execution.hand import act, decide
from lab.simulator import planted_agents as agents
from lab.simulator import planted_alone as alone
from lab.simulator import planted_combos as combos
from lab.simulator import planted_desks as desks
from lab.simulator import planted_silence as silence
from lab.simulator import planted_statement as statement
from manager import book_import, fold, step, telling, waiting
from manager.events import Submit
from manager.flows import Flows
from manager.healing import Healing
from manager.orders import OrderLife
from manager.state import ManagerState

#: Each mistake is caught by at most so many seeds, from 0 on.
WITHIN = 100


@dataclass(frozen=True, slots=True)
class Mistake:
    """One planted mistake: what is wrong, which promise it breaks, and the patches that plant it."""

    name: str
    what: str
    promise: int
    patches: Callable[[], list[Any]]


@contextmanager
def planted(name: str) -> Iterator[Mistake]:
    """Run with a mistake. Raises ``KeyError`` for a name that ``PLANTED`` does not have."""
    mistake = PLANTED[name]
    with ExitStack() as stack:
        for patch in mistake.patches():
            stack.enter_context(patch)
        yield mistake


# -- execution ---------------------------------------------------------------------------------------------------------


def _dedupe_off() -> list[Any]:
    real = core._submit

    def submit(state: Any, event: Any) -> list[Any]:
        out = real(state, event)
        again = [i for i in out if isinstance(i, Ack) and i.ack.duplicate]
        return [Send(event.order), *out] if again else out

    return [mock.patch.object(core, "_submit", submit)]


def _fence_off() -> list[Any]:
    return [
        mock.patch.object(core, "_not_leading", lambda _state, _epoch: None),
        mock.patch.object(engine.Engine, "_cut_streams", lambda *_: None),
    ]


def _stale_accepted() -> list[Any]:
    return [mock.patch.object(checks, "_reference", lambda *_: None)]


def _limits_unchecked() -> list[Any]:
    return [
        mock.patch.object(checks, "_size", lambda *_: None),
        mock.patch.object(checks, "_position", lambda *_: None),
    ]


def _pause_ignored() -> list[Any]:
    return [mock.patch.object(trading, "stopped", lambda *_: None)]


def _kill_spares() -> list[Any]:
    real = core._set_trading
    return [mock.patch.object(core, "_set_trading", lambda state, event: real(state, event)[:1])]


def _kill_forgets() -> list[Any]:
    """The wish to cancel is stored, the venue is not told."""
    real = venue_news.ask_cancel

    def ask(state: Any, record: Any) -> list[Any]:
        return [i for i in real(state, record) if not isinstance(i, CancelAtVenue)]

    return [mock.patch.object(venue_news, "ask_cancel", ask)]


def _resend_unknown() -> list[Any]:
    real = core._recovered

    def recovered(state: Any, wall_ns: int) -> list[Any]:
        pending = [r.order for r in state.orders.values() if r.ord_status is OrdStatus.PENDING_NEW]
        return [*real(state, wall_ns), *(Send(order) for order in pending)]

    return [mock.patch.object(core, "_recovered", recovered)]


def _never_asks() -> list[Any]:
    """What was being sent at a crash is left as it stands."""
    return [mock.patch.object(core, "_recovered", lambda *_: [])]


def _sends_first() -> list[Any]:
    async def carry(self: Any, items: list[Any]) -> None:
        group = decide(self.state, self.store, [item.event for item in items])
        outcome = act(group, self.venue, self.state.now_ns)
        await self._commit(group)
        self._news += outcome.venue
        self._answer(items, outcome)
        if outcome.reports:
            self.hub.publish(outcome.reports)

    return [mock.patch.object(engine.Engine, "_carry", carry)]


def _fill_twice() -> list[Any]:
    """A fill told again counts again; under a name of its own, or the store would refuse it."""
    real = venue_news._filled

    def filled(state: Any, record: Any, event: Any, wall_ns: int) -> list[Any]:
        if event.exec_id in record.fills:
            event = replace(event, exec_id=f"{event.exec_id}/{len(record.fills)}")
        return real(state, record, event, wall_ns)

    return [mock.patch.object(venue_news, "_filled", filled)]


def _fill_dropped() -> list[Any]:
    """A fill of an order that had ended is not booked."""
    real = venue_news._filled

    def filled(state: Any, record: Any, event: Any, wall_ns: int) -> list[Any]:
        return real(state, record, event, wall_ns) if record.open else []

    return [mock.patch.object(venue_news, "_filled", filled)]


# -- manager -----------------------------------------------------------------------------------------------------------


def _journal_fence_off() -> list[Any]:
    real = nats_journal.NatsJournal._send_one

    def send(self: Any, sent: Any) -> None:
        conditions = mock.patch.multiple(nats_journal, _EXPECTED_SEQUENCE="-", _EXPECTED_SUBJECT_SEQUENCE="--")
        with conditions:
            real(self, sent)

    return [mock.patch.object(nats_journal.NatsJournal, "_send_one", send)]


def _reservation_skipped() -> list[Any]:
    return [mock.patch.object(Flows, "reserve", lambda *_, **__: None)]


def _gap_ignored() -> list[Any]:
    """A new leader reads on from the newest report, whatever the journal's tail lacks."""

    async def reports(self: Any, from_sequence: int) -> Any:
        status = await self.status()
        async for report in _real_reports(self, max(from_sequence, int(status["last_report_sequence"]) + 1)):
            yield report

    def taken(state: Any, report: Any, wall_ns: int) -> list[Any]:
        state.fold.report_sequence = max(state.fold.report_sequence, report.sequence - 1)
        return _real_report(state, report, wall_ns)

    return [
        mock.patch.object(ExecutionClient, "reports", reports),
        mock.patch.object(step, "_report", taken),
        mock.patch.object(ManagerState, "reconciled", property(lambda _: True)),
    ]


_real_reports = ExecutionClient.reports
_real_report = step._report


def _tail_forgotten() -> list[Any]:
    """A new leader does not take in the orders that the journal's tail had lost."""
    return [mock.patch.object(step, "_recovered", lambda *_: ())]


def _fold_fill_twice() -> list[Any]:
    """The fold books a fill twice where it came in two pieces."""
    real = fold._fill

    def fill(state: Any, life: Any, report: Any) -> None:
        real(state, life, report)
        if life is not None and 0 < life.cum_lots < life.order.quantity_lots:
            state.ledger.traded[report.instrument] += report.side.sign * report.last_lots

    return [mock.patch.object(fold, "_fill", fill)]


def _allocation_not_whole() -> list[Any]:
    """Half a fill in pieces is given to nobody."""
    real = OrderLife.take_fill

    def take(self: Any, lots: int) -> dict[str, int]:
        split = real(self, lots)
        return {agent: int(n / 2) for agent, n in split.items()} if lots < self.order.quantity_lots else split

    return [mock.patch.object(OrderLife, "take_fill", take)]


def _old_orders_resent() -> list[Any]:
    """A new leader sends the open orders of the old one again, under ids of its own."""
    real = step._took_over

    def took_over(state: Any, event: Any) -> list[Any]:
        stale = [life.order for life in state.fold.orders.open.values()]
        out = real(state, event)
        again = tuple(_renamed(order, event.epoch) for order in stale)
        return [*out, Submit(again)] if again else out

    return [mock.patch.object(step, "_took_over", took_over)]


def _renamed(order: Order, epoch: int) -> Order:
    return replace(order, client_order_id=order.client_order_id[:-1] + "x", epoch=epoch)


def _word_before_record() -> list[Any]:
    """A leader acknowledges and publishes before the journal has what it says."""

    async def at_once(_: Any) -> None:
        return None

    return [mock.patch.object(nats_journal.NatsJournal, "flush", at_once)]


def _spoken_over_gap() -> list[Any]:
    real = agents_status.blind_of

    def blind(state: Any) -> dict[int, str]:
        return {u: why for u, why in real(state).items() if "gap" not in why}

    return [mock.patch.object(agents_status, "blind_of", blind)]


def _gap_unhealed() -> list[Any]:
    """A manager that has missed a batch never asks for what stands."""
    return [mock.patch.object(Healing, "mind", lambda *_: None)]


def _asked_again() -> list[Any]:
    """A new leader does not see that a recovered order was a person's: asked again, it orders again."""
    return [mock.patch.object(fold, "command_of", lambda _: "")]


def _imported_again() -> list[Any]:
    """Trades are not known by their ids."""
    real = book_import._take

    def take(state: Any, reading: Any, row: Any) -> None:
        reading.known.clear()
        real(state, reading, row)

    return [mock.patch.object(book_import, "_take", take)]


def _part_goes_on() -> list[Any]:
    """The manager acknowledges the stop of a part and goes on with it."""
    real = fold._stop

    def stop(state: Any, action: str, scope: str, who: str, why: str) -> None:
        if not scope:
            real(state, action, scope, who, why)

    return [mock.patch.object(fold, "_stop", stop)]


def _too_large_for_good() -> list[Any]:
    """An order too large for execution ends all orders in its instrument."""
    real = fold._end

    def end(state: Any, life: Any, report: Any) -> None:
        real(state, life, report)
        for at, (_, until_ns) in state.fold.too_large.items():
            state.fold.too_large[at] = (0, until_ns)

    return [mock.patch.object(fold, "_end", end)]


def _told_at_once() -> list[Any]:
    """Positions are told before the journal has them."""

    async def store(self: Any, update: Any) -> None:
        subject, said = waiting.encoded(update)
        self._said[subject] = said
        await self._bus.put(subject, said)

    return [mock.patch.object(telling.Telling, "_store", store)]


_ALL = (
    Mistake("dedupe off", "execution sends an id again that it knows", 1, _dedupe_off),
    Mistake("resend after unknown", "execution sends again what it was sending at a crash", 1, _resend_unknown),
    Mistake("hedge asked twice", "a leader orders again what a person asked for before a takeover", 1, _asked_again),
    Mistake("send before commit", "orders leave before they are stored", 2, _sends_first),
    Mistake("never asks", "execution asks nothing after a crash", 2, _never_asks),
    Mistake("fill applied twice", "execution books a fill again that is told again", 2, _fill_twice),
    Mistake("fill dropped", "execution ignores a fill after the end of its order", 2, _fill_dropped),
    Mistake("report gap ignored", "a leader goes on after a gap in the reports", 2, _gap_ignored),
    Mistake("tail forgotten", "a leader ignores orders that the journal's tail lost", 2, _tail_forgotten),
    Mistake("word before record", "a leader acknowledges what the journal does not have yet", 2, _word_before_record),
    Mistake("execution fence off", "execution hears every epoch", 3, _fence_off),
    Mistake("journal fence off", "the journal takes every leader's entries", 3, _journal_fence_off),
    Mistake("old orders resent", "a leader sends the old leader's open orders anew", 3, _old_orders_resent),
    Mistake("reservation skipped", "orders set nothing aside of the flow budget", 4, _reservation_skipped),
    Mistake("limits unchecked", "execution checks neither size nor position", 4, _limits_unchecked),
    Mistake("fold books twice", "the manager counts a part fill twice", 5, _fold_fill_twice),
    Mistake(
        "allocation not whole", "the manager loses half a part fill on its way to the agents", 5, _allocation_not_whole
    ),
    Mistake("import counted twice", "a file of clients' trades counts again when it comes again", 5, _imported_again),
    Mistake("told at once", "agents are told positions that the journal does not have yet", 5, _told_at_once),
    Mistake("another desk's limit", "a desk is held to the budget of another", 4, desks.another_desks_limit),
    Mistake("approved by oneself", "who asks for a wider limit approves it", 4, desks.approved_by_oneself),
    Mistake("wide at once", "a wider limit holds before a second person", 4, desks.wide_at_once),
    Mistake("approved over a change", "a wider limit is approved over a newer one", 4, desks.approved_over_a_change),
    Mistake("approval without end", "a wider limit waits longer than the limits say", 4, desks.approval_without_end),
    Mistake("crossing on one side", "only the buying desk books a crossing", 5, desks.one_sided),
    Mistake("entities forgotten", "desks of two legal entities cross", 5, desks.entities_forgotten),
    Mistake("first desk gets all", "a part fill goes to one desk of several", 5, desks.first_desk_gets_all),
    Mistake("crossing at the ask", "a crossing is priced off one side of the quote", 6, desks.priced_at_the_ask),
    Mistake("desk goes on", "desks are decided with one that is stopped", 7, desks.desk_goes_on),
    Mistake("halt left out", "a break with the venue halts nothing", 5, statement.halt_left_out),
    Mistake("looks at once", "what is on its way counts as a break", 5, statement.looks_at_once),
    Mistake("cut forgotten", "fills before the statement's begin are missed in it", 5, statement.cut_forgotten),
    Mistake("positions not compared", "the venue's positions are not looked at", 5, statement.positions_not_compared),
    Mistake("fills not compared", "a fill stated at another price is taken", 5, statement.fills_not_compared),
    Mistake(
        "combo sent again", "execution sends again the combo it was sending at a crash", 1, combos.combo_sent_again
    ),
    Mistake("legs one by one", "the legs of a combo leave as orders of their own", 2, combos.legs_one_by_one),
    Mistake("leg left out", "a combo leaves with one of its legs", 2, combos.leg_left_out),
    Mistake("leg stored late", "a leg leaves with its combo before it is stored", 2, combos.leg_stored_late),
    Mistake("uneven goes on", "fills out of a combo's ratio halt nothing", 5, combos.uneven_goes_on),
    Mistake("stale quote accepted", "execution checks no reference", 6, _stale_accepted),
    Mistake("silence unnoticed", "a manager does not see that the feed has hung", 6, silence.unnoticed),
    Mistake("silence traded", "a manager goes on while the feed is silent", 6, silence.traded),
    Mistake("hedged in silence", "a person's hedge goes out while the feed is silent", 6, silence.hedged),
    Mistake("spoken over a gap", "an agent speaks for an underlying whose quotes it missed", 6, _spoken_over_gap),
    Mistake("pause ignored", "execution takes orders while paused", 7, _pause_ignored),
    Mistake("kill spares", "a kill cancels nothing", 7, _kill_spares),
    Mistake("kill forgets", "a kill notes cancels and tells the venue none", 7, _kill_forgets),
    Mistake("part goes on", "the manager ignores the stop of an underlying or an agent", 7, _part_goes_on),
    Mistake("left alone", "execution cancels nothing when nobody leads", 8, alone.goes_on),
    Mistake("never alone", "execution does not see that nobody leads", 8, alone.counts_never),
    Mistake("gap unhealed", "a manager that missed a batch stays blind", 8, _gap_unhealed),
    Mistake("silence for ever", "a feed that is heard again stays silent", 8, silence.for_ever),
    Mistake("widths stand for ever", "less gamma never narrows an interval", 8, agents.widths_stand_for_ever),
    Mistake("prices forgotten", "no move of a price sets an interval free", 8, agents.prices_forgotten),
    Mistake("gives up the large", "nothing smaller is asked for where one order was too large", 8, _too_large_for_good),
)
PLANTED = {mistake.name: mistake for mistake in _ALL}
