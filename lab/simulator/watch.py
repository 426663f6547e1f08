"""The promises, watched at every event: what leaves execution, what is committed, what is stored, what is published.

The measure is the venue's own list and counters kept here, never the state of the code under test alone (``state.check()``
of a leader comes on top). Numbers in the messages are DESIGN's promises.
*Tested by* tests/simulation/test_simulator_mistakes.py: each planted mistake is caught.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Sequence
from typing import TYPE_CHECKING, Any

from common import subjects
from common.errors import HedgerowError
from common.limits import Limits
from common.messages import ExecutionReport, Order, OrdStatus, PositionUpdate, QuoteBatch, Side, TradingState
from common.subjects import feed_source
from common.units import NO_PRICE
from common.universe import FUTURE
from common.wire import codec
from execution.events import EpochRaised, NewOrder, Record, TradingSet
from execution.orders import OrderRecord
from lab.simulator.record import JournalWatch
from lab.simulator.watch_combos import ComboWatch
from lab.simulator.watch_statement import StatementWatch
from manager.orders import command_of

if TYPE_CHECKING:
    from lab.simulator.run import Simulation
    from manager.service import ManagerService


class _Heard:
    """What execution has heard of one source in its present life, followed independently of its own snapshot."""

    def __init__(self) -> None:
        self.sequence = 0
        self.gapped = False
        self.event_time_ns = 0

    def take(self, batch: QuoteBatch) -> None:
        at = batch.header.sequence
        if batch.snapshot:
            if at < self.sequence:
                return
            self.gapped = False
        elif at <= self.sequence:
            return
        elif at > self.sequence + 1:
            self.gapped = True
        self.sequence = at
        self.event_time_ns = max(self.event_time_ns, batch.header.event_time_ns)


class Watch:
    """Hooks on every boundary of a run."""

    def __init__(self, run: Simulation) -> None:
        self._run = run
        self._world = run.world
        self._setting = run.plan.setting
        self.journal = JournalWatch(run)
        self.sent: dict[str, Order] = {}
        self.stored: dict[str, OrderRecord] = {}
        self.reports: list[ExecutionReport] = []
        self.booked: set[str] = set()
        self._epoch = 0
        self.statements = StatementWatch(run)
        #: What execution has stored as stopped, by scope.
        self.stopped: dict[str, TradingState] = {}
        self._compared: Limits | None = None
        #: Order by the command that asked for it.
        self._commanded: dict[str, str] = {}
        self._heard: dict[str, _Heard] = defaultdict(_Heard)
        self._fresh: dict[str, str] = {}
        self._consumed: dict[tuple[str, int, str], tuple[int, bool]] = {}
        run.nats.on_stored.append(self._on_stored)
        run.nats.on_published.append(self._on_published)
        run.exchange.on_send.append(self._on_send)
        run.execution.store.on_commit.append(self._on_commit)
        self.combos = ComboWatch(run, self.stored, self.stopped)
        run.execution.on_quotes.append(lambda batch: self._heard[batch.header.source].take(batch))
        run.execution.on_life.append(self._heard.clear)
        run.execution.process.on_thread.append(self._on_thread)

    def _fail(self, what: str) -> None:
        self._world.fail(what)

    # -- what leaves execution -------------------------------------------------------------------------------------

    def _on_send(self, order: Order) -> None:
        name = order.client_order_id
        self._world.say("execution", f"sends {_short(order)} under epoch {order.epoch}")
        if name in self.sent:
            self._fail(f"promise 1: order {name} reaches the venue a second time")
        self.sent[name] = order
        stored = self.stored.get(name)
        if stored is None:
            self._fail(f"promise 2: order {name} leaves before it is stored")
        elif stored.ord_status is OrdStatus.REJECTED:
            self._fail(f"promise 4: order {name} leaves though it was refused")
        parent = self.parent(name)
        # A child is execution's own: what it is made for was taken under the epoch that both carry.
        if order.epoch != self._epoch and not parent:
            self._fail(f"promise 3: order {name} of epoch {order.epoch} leaves under epoch {self._epoch}")
        if (held := self._held(order, self.stopped)) is not None:
            self._fail(f"promise 7: order {name} leaves while execution holds {held} {self.stopped[held].name}")
        if self._held(order, self._run.people.stopped) is not None:
            self._fail(f"promise 7: order {name} leaves after a pause or kill was acknowledged")
        if (command := command_of(order)) and self._commanded.setdefault(command, parent or name) != (parent or name):
            self._fail(f"promise 1: order {name} is the second one for command {command}")
        of = self.stored[parent].order if parent else order
        if sum(lots for _, lots in of.allocation) != of.signed_lots:
            self._fail(f"promise 5: the allocation of order {name} does not add up to {order.signed_lots}")

    def parent(self, name: str) -> str:
        """Id of the order that a child works for, as stored; empty where it is none."""
        record = self.stored.get(name)
        return "" if record is None else record.parent

    # -- what execution decides and commits ------------------------------------------------------------------------

    def _on_thread(self, args: tuple[Any, ...]) -> None:
        """A commit is asked for in the turn of the decision: what execution knew then is what it decided on."""
        for record in args[0] if args and isinstance(args[0], list) else ():
            if isinstance(record, NewOrder) and record.record.open:
                order = record.record.order
                self._fresh[order.client_order_id] = self._stale(order)

    def _stale(self, order: Order) -> str:
        """Why the order's reference is old news; empty if it is not."""
        universe, limits = self._setting.universe, self._setting.execution_limits
        heard = self._heard.get(feed_source(universe.symbols[int(universe.underlying[order.instrument])]))
        if heard is None or not heard.event_time_ns:
            return "no quotes were heard"
        if heard.gapped:
            return f"there is a gap before quotes {heard.sequence}"
        now_ns = max(order.event_time_ns, *(h.event_time_ns for h in self._heard.values()))
        if now_ns - heard.event_time_ns > limits.max_source_age_ns:
            return f"the source is {(now_ns - heard.event_time_ns) / 1e9:.1f} s old"
        if now_ns - order.event_time_ns > limits.max_order_age_ns:
            return f"the order is {(now_ns - order.event_time_ns) / 1e9:.1f} s old"
        return ""

    def _on_commit(self, records: Sequence[Record]) -> None:
        for record in records:
            match record:
                case NewOrder(made):
                    self._new_order(made)
                case OrderRecord():
                    self.stored[record.order.client_order_id] = record
                case ExecutionReport():
                    self._report(record)
                case EpochRaised(epoch, holder):
                    self._world.say("execution", f"is fenced by {holder} with epoch {epoch}")
                    if epoch <= self._epoch or epoch > self.journal.token:
                        self._fail(f"promise 3: execution's epoch goes from {self._epoch} to {epoch}")
                    self._epoch = epoch
                case TradingSet(state, who, why, scope):
                    self._world.say("execution", f"is {state.name} {scope} by {who}: {why}".replace("  ", " "))
                    self.stopped.pop(scope, None)
                    if state is not TradingState.ACTIVE:
                        self.stopped[scope] = state

    def _new_order(self, record: OrderRecord) -> None:
        order, name = record.order, record.order.client_order_id
        self._world.say("execution", f"stores {_short(order)} {record.ord_status.name} {record.text}")
        if name in self.stored:
            self._fail(f"promise 1: order {name} is stored twice")
        if record.parent:
            self.combos.child(record)
        if record.open:
            self._within_limits(record)
            if stale := self._fresh.pop(name, ""):
                self._fail(f"promise 6: order {name} is accepted on old news: {stale}")
            if order.epoch != self._epoch and not record.parent:
                self._fail(f"promise 3: order {name} of epoch {order.epoch} is taken under epoch {self._epoch}")
            if (held := self._held(order, self.stopped)) is not None:
                self._fail(f"promise 7: order {name} is taken while execution holds {held} {self.stopped[held].name}")
        self.stored[name] = record

    def _within_limits(self, made: OrderRecord) -> None:
        """Execution's own limits, recounted from what the venue filled and what is open (promise 4).

        A child's lots are its parent's, which holds them from the start.
        """
        order, universe, limits = made.order, self._setting.universe, self._setting.execution_limits
        kind = limits.future if universe.kind[order.instrument] == FUTURE else limits.option
        if order.quantity_lots > kind.max_order_lots:
            self._fail(
                f"promise 4: order {order.client_order_id} of {order.quantity_lots} lots, limit {kind.max_order_lots}"
            )
        position, same_side = 0, 0 if made.parent else order.quantity_lots
        for record in self.stored.values():
            if record.order.instrument != order.instrument or record.parent:
                continue
            filled = self.combos.filled(record)
            position += record.order.side.sign * filled
            if record.open and record.order.side is order.side:
                same_side += record.order.quantity_lots - filled
        worst = position + order.side.sign * same_side
        if order.side.sign * worst > kind.max_position_lots:
            self._fail(
                f"promise 4: order {order.client_order_id} could bring {worst} lots, limit {kind.max_position_lots}"
            )

    def _report(self, report: ExecutionReport) -> None:
        if report.sequence != len(self.reports) + 1:
            self._fail(f"promise 2: report {report.sequence} is stored after {len(self.reports)}")
        self.reports.append(report)
        if not report.last_lots:
            return
        venue = self._run.exchange.fills.get(report.exec_id)
        if venue is None or (venue.lots, venue.ticks) != (report.last_lots, report.last_ticks):
            self._fail(f"promise 2: execution books fill {report.exec_id}, which the venue does not have so")
        elif not self._whose(report, venue.client_order_id) or report.exec_id in self.booked:
            self._fail(f"promise 2: execution books fill {report.exec_id} twice or for another order")
        self.booked.add(report.exec_id)

    def _whose(self, report: ExecutionReport, name: str) -> bool:
        """Whether a fill of this order at the venue is told as its own, or as its parent's with the child named."""
        parent = self.parent(name)
        return (report.client_order_id, report.child_order_id) == ((parent, name) if parent else (name, ""))

    def _held(self, order: Order, stopped: Container[str]) -> str | None:
        """Scope by which an order is stopped: everything ("") or its underlying. None: by nothing."""
        universe = self._setting.universe
        own = f"underlying:{universe.symbols[int(universe.underlying[order.instrument])]}"
        return next((scope for scope in ("", own) if scope in stopped), None)

    def killed(self, scope: str) -> None:
        """A kill was acknowledged: the venue has been asked to cancel what execution knows to work there (promise 7).

        Agents are the manager's to stop: ``JournalWatch``.
        """
        for name, ticket in self._run.exchange.tickets.items():
            known = self.stored.get(name)
            works = known is not None and known.open and known.ord_status is not OrdStatus.UNKNOWN
            if self._held(ticket.order, (scope,)) is None:
                continue
            if works and not ticket.done and not ticket.cancels and not self._run.exchange.down:
                self._fail(f"promise 7: a kill was acknowledged and nobody cancels order {name}")

    # -- what is stored and published at NATS ----------------------------------------------------------------------

    def _on_stored(self, _stream: str, subject: str, data: bytes, sequence: int) -> None:
        if subject == subjects.JOURNAL_EPOCH:
            self.journal.epoch(sequence, data.decode())
        elif subject == subjects.JOURNAL_ENTRY:
            self.journal.entries(data)
            for leader in self._run.managers.leaders():
                try:
                    leader.state.check()
                except HedgerowError as error:
                    self._fail(f"promise 5: {leader.holder}: {error}")
                self._limits_in_force(leader)
        elif subject == subjects.POSITIONS:
            self._positions(codec.decode_position_update(data))

    def _limits_in_force(self, leader: ManagerService) -> None:
        """A leader whose state the journal holds to the last entry decides by the limits that people made (promise 4).

        A deposed one may hold as many entries, the last of which the journal never took.
        """
        fold = leader.state.fold
        if leader.epoch != self.journal.token or fold.sequence != self.journal.number or fold.limits is self._compared:
            return
        self._compared = fold.limits
        if wrong := self.journal.limits.differs(fold.limits):
            self._fail(f"promise 4: {leader.holder}: {wrong}")

    def _positions(self, update: PositionUpdate) -> None:
        """A position version is the sum of that many fills, crossings, imports in the journal's order, by desk (promise 5)."""
        want: Counter[tuple[str, int]] = Counter()
        moves = self.journal.moves
        for instrument, lots_of in moves[: update.version]:
            for desk, lots in lots_of.items():
                want[desk, instrument] += lots
        lots_by_desk = dict(zip(update.desk, update.desk_lots, strict=True)) or {"": update.traded_lots}
        rows = [
            (d, int(i), int(n)) for d, of in lots_by_desk.items() for i, n in zip(update.instrument, of, strict=True)
        ]
        said, want = {(d, i): n for d, i, n in rows if n}, Counter({key: n for key, n in want.items() if n})
        if update.version > len(moves) or said != want:
            self._fail(f"promise 5: positions version {update.version} say {said}, the journal gives {dict(want)}")
        total = Counter[int]()
        for _, instrument, n in rows:
            total[instrument] += n
        if any(total[int(i)] != n for i, n in zip(update.instrument, update.traded_lots, strict=True)):
            self._fail(f"promise 5: positions version {update.version}: the desks do not add up to the firm")

    def _on_published(self, subject: str, data: bytes, who: str) -> None:
        if subject != subjects.proposal(who):
            return
        proposal = codec.decode_proposal(data)
        self._world.say(who, f"proposes {proposal.header.sequence}: {proposal.trigger}")
        for run in proposal.inputs:
            healed = run.stream.startswith("snapshot.")
            source = run.stream.removeprefix("snapshot.")
            if not source.startswith("feed."):
                continue
            key = (who, proposal.incarnation, source)
            last, whole = self._consumed.get(key, (0, True))
            whole = healed or (whole and run.first == last + 1)
            self._consumed[key] = (run.first + run.count - 1, whole)
        mine = {feed_source(name.partition(":")[2].partition("/")[0].partition("@")[0]) for name in proposal.factor}
        seen = [(source, self._consumed.get((who, proposal.incarnation, source), (0, True))[1]) for source in mine]
        gapped = [source for source, whole in seen if not whole]
        if gapped:
            self._fail(f"promise 6: {who} proposes on a gap in {gapped[0]}")


def _short(order: Order) -> str:
    side = "buy" if order.side is Side.BUY else "sell"
    limit = "no limit" if order.limit_ticks == NO_PRICE else str(order.limit_ticks)
    return f"{order.client_order_id[:6]} {side} {order.quantity_lots} {order.instrument_id} at {limit}"
