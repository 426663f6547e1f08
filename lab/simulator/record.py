"""The journal as it is stored, entry by entry: one hand, nothing twice, nothing beyond a budget, everything adds up.

*Tested by* tests/simulation/test_simulator_mistakes.py.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from common.bus.framing import unpack
from common.control_messages import (
    CommandTaken,
    Crossing,
    Cycle,
    FeedSilence,
    ImportedTrade,
    JournalEntry,
    LeaderStarted,
    ProposalTaken,
    TradesImported,
)
from common.factors import at_desk, desk_of, without_desk
from common.messages import AssignmentUpdate, ExecutionReport, Order, OrdStatus
from common.subjects import feed_source
from common.wire import codec
from lab.audit_desks import crossing_violations, cycle_violations
from lab.simulator.approvals import LimitsCount
from lab.simulator.count import FlowCount, Parts
from manager.orders import command_of

if TYPE_CHECKING:
    from lab.simulator.run import Simulation


class JournalWatch:
    """Follows the stream. ``orders`` with their last known status; ``fills`` by exec id."""

    def __init__(self, run: Simulation) -> None:
        self._run = run
        self._world = run.world
        self.token = 0
        self.number = 0
        self.epoch_now = 0
        self.orders: dict[str, Order] = {}
        self.status: dict[str, OrdStatus] = {}
        self.fills: dict[str, ExecutionReport] = {}
        self.report_sequence = 0
        self.cycles = 0
        setting = run.plan.setting
        self.parts = Parts()
        self.limits = LimitsCount(setting.limits)
        self.flows = FlowCount(setting.universe, setting.limits, self.parts)
        self.desks = setting.book.desk_names
        self._entity = {d.name: d.legal_entity for d in setting.book.desks}
        self._account = {account: d.name for d in setting.book.desks for account in d.accounts}
        self.crossings: dict[str, Crossing] = {}
        self._reconcile_to = 0
        #: Scopes that the journal holds as stopped: "" is everything.
        self._stopped: set[str] = set()
        self._accepted: set[str] = set()
        #: Whether it holds that nothing is heard of the feed.
        self.silent = False
        #: (instrument, signed lots by desk) of each fill, crossing and imported trade, in the order of the entries.
        self.moves: list[tuple[int, Counter[str]]] = []
        #: World time of the last of them.
        self.moved_ns = 0
        self.trades: dict[str, ImportedTrade] = {}

    def acknowledged(self, command_id: str) -> None:
        """Somebody was told that a command holds: then it stands in the record, whoever leads next."""
        if command_id not in self._accepted:
            self._fail(f"promise 2: command {command_id} was acknowledged and is not in the journal")

    def _fail(self, what: str) -> None:
        self._world.fail(what)

    def epoch(self, sequence: int, holder: str) -> None:
        """Somebody fenced the journal."""
        self._world.say("journal", f"is fenced by {holder} with epoch {sequence}")
        self.token = sequence

    def entries(self, data: bytes) -> None:
        """A stored message."""
        first, found = unpack(data)
        if first != self.number + 1:
            self._fail(f"promise 2: the journal goes from entry {self.number} to {first}")
        for one in found:
            self.number += 1
            self._entry(codec.decode_journal_entry(one))

    def _entry(self, entry: JournalEntry) -> None:
        if entry.sequence != self.number:
            self._fail(f"promise 2: journal entry {self.number} calls itself {entry.sequence}")
        if entry.epoch != self.token:
            self._fail(f"promise 3: entry {entry.sequence} of epoch {entry.epoch} is stored under epoch {self.token}")
        event = entry.event
        if entry.epoch != self.epoch_now and not isinstance(event, LeaderStarted):
            self._fail(f"promise 3: epoch {entry.epoch} begins with {type(event).__name__}")
        self.epoch_now = entry.epoch
        match event:
            case LeaderStarted():
                self._leader(event, entry.epoch)
            case Cycle():
                self._cycle(event, entry)
            case ExecutionReport():
                self._report(event)
            case CommandTaken():
                self._command(event, entry.wall_ns)
            case TradesImported():
                self._imported(event)
            case FeedSilence(silent_s):
                self._world.say(
                    "journal", f"{entry.sequence}: feed {f'silent for {silent_s:g} s' if silent_s else 'heard'}"
                )
                self.silent = silent_s > 0.0
            case AssignmentUpdate(_, version, _):
                self._world.say("journal", f"{entry.sequence}: assignment {version}")
            case ProposalTaken(proposal, refusal) if refusal:
                self._world.say("journal", f"{entry.sequence}: {proposal.header.id} refused: {refusal}")
        if broken := self.flows.take(event):
            self._fail(f"promise 4: {broken}")

    def _leader(self, event: LeaderStarted, epoch: int) -> None:
        lost = ", ".join(f"{s.order.client_order_id[:6]} {s.ord_status.name}" for s in event.recovered)
        self._world.say(
            "journal", f"{event.holder} leads under {epoch}; reports to {event.last_report_sequence}; {lost}"
        )
        self._reconcile_to = event.last_report_sequence
        for state in event.recovered:
            name = state.order.client_order_id
            self._accepted.add(command_of(state.order))
            if name in self.orders and state.ord_status.terminal:
                self.status[name] = state.ord_status
            elif name not in self.orders:
                self.orders[name], self.status[name] = state.order, OrdStatus.PENDING_NEW

    def _cycle(self, cycle: Cycle, entry: JournalEntry) -> None:
        self.cycles += 1
        if (cycle.orders or cycle.crossings) and self.report_sequence < self._reconcile_to:
            self._fail(f"promise 3: cycle {cycle.cycle_id} trades before reports to {self._reconcile_to} are in")
        if (cycle.orders or cycle.crossings) and self.silent:
            self._fail(f"promise 6: cycle {cycle.cycle_id} trades while the journal holds that the feed is silent")
        for order in cycle.orders:
            name = order.client_order_id
            if held := self._stopped & self._scopes(order.instrument, [a for a, lots in order.allocation if lots]):
                self._fail(f"promise 7: order {name} is decided while the journal holds {min(held) or 'all'} stopped")
            self._world.say("journal", f"{entry.sequence}: cycle {cycle.cycle_id} orders {name[:6]}")
            if name in self.orders:
                self._fail(f"promise 1: order {name} is decided twice")
            if sum(lots for _, lots in order.allocation) != order.signed_lots:
                self._fail(f"promise 5: the allocation of order {name} does not add up to {order.signed_lots}")
            self.orders[name], self.status[name] = order, OrdStatus.PENDING_NEW
        if len(self.desks) > 1:
            for wrong in cycle_violations(cycle):
                self._fail(f"promise 5: {wrong}")
        for crossing in cycle.crossings:
            self._crossing(crossing, cycle)

    def _scopes(self, instrument: int, agents: Iterable[str]) -> set[str]:
        universe = self._run.plan.setting.universe
        out = {"", f"underlying:{universe.symbols[int(universe.underlying[instrument])]}"}
        for agent in agents:
            out |= {f"agent:{without_desk(agent)}", f"desk:{desk_of(agent)}"}
        return out

    def _crossing(self, c: Crossing, cycle: Cycle) -> None:
        """Between desks of one entity, once, at a mid that was quoted, of nobody who is stopped; it adds up to nothing."""
        name = c.crossing_id
        self._world.say("journal", f"cycle {cycle.cycle_id} crosses {c.lots} of instrument {c.instrument} to {c.buyer}")
        for wrong in crossing_violations(c, self._entity, cycle.cycle_id):
            self._fail(f"promise 5: {wrong}")
        if name in self.crossings:
            self._fail(f"promise 1: crossing {name} is decided twice")
        agents = [agent for agent, _ in (*c.bought, *c.sold)]
        stopped = {at_desk("", desk) for desk in (c.buyer, c.seller)}
        if held := self._stopped & self._scopes(c.instrument, [*agents, *stopped]):
            self._fail(f"promise 7: crossing {name} is decided while the journal holds {min(held) or 'all'} stopped")
        if (c.bid_ticks, c.ask_ticks) != self._quoted(c.instrument, cycle):
            self._fail(f"promise 6: crossing {name} is at {c.bid_ticks}/{c.ask_ticks}, which nobody quoted then")
        self.crossings[name] = c
        self._move(c.instrument, Counter({c.buyer: c.lots, c.seller: -c.lots}))

    def _move(self, instrument: int, lots: Counter[str]) -> None:
        self.moves.append((instrument, lots))
        self.moved_ns = self._world.now_ns

    def _quoted(self, instrument: int, cycle: Cycle) -> tuple[int, int]:
        """Bid and ask that the feed recorded in the last batch the decision had seen; every batch quotes every contract."""
        universe = self._run.plan.setting.universe
        source = feed_source(universe.symbols[int(universe.underlying[instrument])])
        batch = self._run.feed.recorded[source][dict(cycle.market_seen)[source] - 1]
        at = batch.instrument.tolist().index(instrument)
        return int(batch.bid_ticks[at]), int(batch.ask_ticks[at])

    def _imported(self, event: TradesImported) -> None:
        """Each trade once, whatever file and whichever leader brings it."""
        for trade in event.trades:
            if trade.trade_id in self.trades:
                self._fail(f"promise 5: trade {trade.trade_id} is imported twice")
            self.trades[trade.trade_id] = trade
            for instrument, lots in self.effects(trade):
                self._move(instrument, lots)
            self._world.say("journal", f"imports {trade.trade_id}: {trade.lots} of instrument {trade.instrument}")

    def effects(self, trade: ImportedTrade) -> Iterator[tuple[int, Counter[str]]]:
        """What a client's trade does: instrument and signed lots by desk, first what it takes back."""
        if former := self.trades.get(trade.corrects or trade.cancels):
            yield former.instrument, Counter({self._account.get(former.account, ""): -former.lots})
        if not trade.cancels:
            yield trade.instrument, Counter({self._account.get(trade.account, ""): trade.lots})

    def _report(self, report: ExecutionReport) -> None:
        name = report.client_order_id
        if report.sequence != self.report_sequence + 1:
            self._fail(f"promise 2: the journal goes from report {self.report_sequence} to {report.sequence}")
        self.report_sequence = report.sequence
        if name not in self.orders:
            self._fail(f"promise 2: report {report.sequence} is about order {name}, which nobody decided")
        if report.last_lots:
            venue = self._run.exchange.fills.get(report.exec_id)
            if venue is None or venue.lots != report.last_lots or report.exec_id in self.fills:
                self._fail(f"promise 2: the journal books fill {report.exec_id} twice or not as the venue did")
            self.fills[report.exec_id] = report
            if name in self.orders:
                self._move(report.instrument, self.parts.take(self.orders[name], report))
        if not (name in self.status and self.status[name].terminal):
            self.status[name] = report.ord_status

    def _command(self, taken: CommandTaken, wall_ns: int) -> None:
        if wrong := self.limits.take(taken, wall_ns):
            self._fail(f"promise 4: {wrong}")
        self.flows.limits = self.limits.in_force
        if not taken.acknowledgement.accepted:
            return
        self._accepted.add(taken.command.command_id)
        if taken.command.action in ("pause", "kill", "resume"):
            scope = str(json.loads(taken.command.arguments_json).get("scope", ""))
            (self._stopped.discard if taken.command.action == "resume" else self._stopped.add)(scope)
