"""A recorded run, replayed: the same inputs in the same order give the same proposals, cycles and orders (promise 9).

*The manager* gets what the journal says it got (proposals, reports, commands, takeovers) with the market as far as it had
seen it; whatever it writes is compared with what was written. Cycles, cancels and budgets mark its decisions. Orders that a
takeover recovered from execution are inputs, not decisions. *Each agent* gets the inputs its proposals name, in order:
recorded batches, snapshots (the fold of the batches before them), and the updates the replayed manager publishes; each
proposal is compared byte for byte. Wall times take no part.
*Tested by* tests/golden/test_replay_identical.py.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from agents import recorder
from agents.config import AgentsConfig
from agents.replay import replay as replay_agent
from agents.step import AgentEvent, AgentSetup, start
from common.control_messages import (
    BudgetRound,
    CancelAsked,
    CommandTaken,
    Cycle,
    DayStruck,
    FeedSilence,
    JournalEntry,
    LeaderStarted,
    ProposalTaken,
    TradesImported,
)
from common.limits import Limits
from common.messages import (
    AgentParameters,
    AssignmentUpdate,
    BudgetUpdate,
    ExecutionReport,
    OrderState,
    PositionUpdate,
    Proposal,
    QuoteBatch,
)
from common.parameters import values_of
from common.ports import MarketSource
from common.snapshot import MarketSnapshot
from common.universe import Book, Universe
from common.wire.codec import encode_proposal
from lab.audit import orders_of
from lab.differences import difference, first_difference, name_of
from manager import events as ev
from manager import step as manager
from manager.config import ManagerConfig
from manager.fold import MANUAL, TRADING_ACTIONS, apply
from manager.hash import order_hash, state_hash
from manager.steering import HEDGE

_Update = PositionUpdate | BudgetUpdate | AssignmentUpdate | AgentParameters


@dataclass(frozen=True)
class ReplayResult:
    """``difference`` is empty when all was identical. ``unfollowed``: agents some of whose proposals nobody recorded."""

    difference: str
    recorded_hash: str
    replayed_hash: str
    orders: int
    cycles: int
    proposals: int
    proposals_compared: int
    unfollowed: tuple[str, ...]
    #: Fingerprint of the replayed manager's state at the end, and of the fold of the recorded entries ("" if one is missing).
    state_hash: str
    recorded_state_hash: str

    @property
    def identical(self) -> bool:
        """Nothing differed, the order lists have one fingerprint, and so have the states."""
        same = self.recorded_hash == self.replayed_hash and self.recorded_state_hash == self.state_hash
        return not self.difference and same


def replay_run(
    market: MarketSource,
    book: Book,
    entries: Sequence[JournalEntry],
    agents_config: AgentsConfig,
    manager_config: ManagerConfig,
    limits: Limits,
    run_id: str,
    *,
    heard: Iterable[Proposal] = (),
) -> ReplayResult:
    """Replay a recorded run. ``heard``: proposals that were published, also while nobody led, if somebody kept them."""
    tuned = values_of(agents_config.model_dump())
    hours = market.session_bounds_ns
    setup = manager.ManagerSetup(market.universe, book, manager_config, limits, run_id, tuned, hours)
    tape = _Tape(market)
    leader = _ManagerReplay(setup, tape)
    found = leader.run(entries)
    spoken = _by_agent(entries, heard)
    lookup = _Lookup(market.universe, tape, leader.published)
    compared, unfollowed = 0, []
    for name, proposals in sorted(spoken.items()):
        count, lost, wrong = _agent(name, proposals, market.universe, book, agents_config, lookup)
        compared += count
        unfollowed += [lost] if lost else []
        found = found or wrong
    return ReplayResult(
        difference=found,
        recorded_hash=order_hash(_orders(entries)),
        replayed_hash=order_hash(_orders(leader.written)),
        orders=len(_orders(entries)),
        cycles=sum(isinstance(e.event, Cycle) for e in entries),
        proposals=sum(map(len, spoken.values())),
        proposals_compared=compared,
        unfollowed=tuple(unfollowed),
        state_hash=state_hash(leader.state),
        recorded_state_hash=_folded(setup, entries),
    )


def _folded(setup: manager.ManagerSetup, entries: Sequence[JournalEntry]) -> str:
    state = manager.start(setup)
    if any(entry.sequence != number for number, entry in enumerate(entries, 1)):
        return ""  # a record with a hole has no fold; `difference` names what it holds instead
    for entry in entries:
        apply(state, entry)
    return state_hash(state)


def _orders(entries: Sequence[JournalEntry]) -> list[Any]:
    unique = {o.client_order_id: o for _, o in orders_of(entries)}
    return list(unique.values())


class _Tape:
    """The recorded batches, by source and sequence and in the order they were published."""

    def __init__(self, market: MarketSource) -> None:
        self.universe = market.universe
        self.batches = list(market.batches())
        self.at = {(b.header.source, b.header.sequence): b for b in self.batches}


class _ManagerReplay:
    """Feeds the recorded inputs; ``written`` is what the replayed manager wrote, ``published`` what it told the agents."""

    def __init__(self, setup: manager.ManagerSetup, tape: _Tape) -> None:
        self._setup = setup
        self.state = manager.start(setup)
        self.tape = tape
        self.written: list[JournalEntry] = []
        self.published: dict[tuple[str, int], _Update] = {}
        self._played = 0
        self._seen: dict[str, int] = defaultdict(int)

    def run(self, entries: Sequence[JournalEntry]) -> str:
        """The first difference in words, or nothing."""
        takeovers = [i for i in range(1, len(entries)) if entries[i].epoch != entries[i - 1].epoch]
        while len(self.written) < len(entries):
            at = len(self.written)
            recorded = entries[at]
            if at in takeovers:
                self._take_up(entries[:at])
            self._market_up_to(recorded, entries[at + 1] if at + 1 < len(entries) else recorded)
            if len(self.written) == at:
                self._forget_the_close(entries[at : at + 2])
                for event in self._events(recorded, entries[at + 1 :]):
                    self._do(event)
            # What a leader wrote last may not have been stored before it was deposed.
            if lost := next((i for i in takeovers if at < i < len(self.written)), 0):
                del self.written[lost:]
            if len(self.written) == at:
                return f"entry {recorded.sequence}: {name_of(recorded)} was recorded, the replay wrote nothing"
            for mine, theirs in zip(self.written[at:], entries[at:], strict=False):
                if wrong := difference(theirs, mine):
                    return wrong
        extra = self.written[len(entries) :]
        return f"after the last entry the replay wrote {name_of(extra[0])}" if extra else ""

    def _forget_the_close(self, entries: Sequence[JournalEntry]) -> None:
        """Before a strike, which cancels may precede in its step: the leader may not have seen what the replay kept."""
        cancels = isinstance(entries[0].event, CancelAsked)
        struck = entries[-1].event if cancels else entries[0].event
        if isinstance(struck, DayStruck) and self.state.closing is not None:
            self.state.closing.forget(struck.late)

    def _take_up(self, known: Sequence[JournalEntry]) -> None:
        """Go on as the next leader: it knows the record and the market, nothing of what its predecessor had in mind."""
        before = self.state
        self.state = manager.start(self._setup)
        for entry in known:
            apply(self.state, entry)
        self.state.market, self.state.clock_ns = before.market, before.clock_ns
        self.state.closing = before.closing  # a standby has seen the close as its predecessor did

    def _market_up_to(self, entry: JournalEntry, following: JournalEntry) -> None:
        wanted = {entry.market.source: entry.market.sequence} if entry.market.source else {}
        if _is_hedge(entry) and isinstance(following.event, Cycle) and following.event.method == MANUAL:
            entry = following  # the command's own cycle; a refused one has none, and the next may be ticks away
        if isinstance(entry.event, CommandTaken) and isinstance(following.event, TradesImported):
            entry = following
        if isinstance(entry.event, Cycle | BudgetRound | LeaderStarted | DayStruck | TradesImported):
            wanted |= dict(entry.event.market_seen)
        while any(self._seen[source] < sequence for source, sequence in wanted.items()):
            if self._played == len(self.tape.batches):
                return
            batch = self.tape.batches[self._played]
            self._played += 1
            self._seen[batch.header.source] = batch.header.sequence
            self._do(ev.MarketNews(batch))

    def _events(self, entry: JournalEntry, following: Sequence[JournalEntry]) -> list[ev.Event]:
        wall_ns, event = entry.wall_ns, entry.event
        match event:
            case ProposalTaken(proposal, _):
                return [ev.ProposalArrived(wall_ns, proposal)]
            case ExecutionReport():
                return [ev.ReportArrived(wall_ns, event)]
            case CommandTaken(command, ack):
                out: list[ev.Event] = [ev.CommandArrived(wall_ns, command)]
                if command.action in TRADING_ACTIONS:
                    said = ack.text.partition("; " if ack.accepted else ": ")[2]
                    out.append(ev.TradingStateSet(command.command_id, ack.accepted, said, wall_ns))
                return out
            case LeaderStarted():
                return [self._takeover(entry, event, following)]
            case FeedSilence(silent_s):
                return [ev.FeedNoted(silent_s, wall_ns)]
            case CancelAsked() | DayStruck():
                if not _decided_with(entry, following):
                    # The leader had looked before and had nothing to do, which leaves no entry.
                    self.state.dirty = False
                return [ev.Decide(entry.now_ns, wall_ns)]
            case _:
                return [ev.Decide(entry.now_ns, wall_ns)]

    def _takeover(self, entry: JournalEntry, event: LeaderStarted, following: Sequence[JournalEntry]) -> ev.TookOver:
        """What execution answered: the recovered orders, and every open one that it did not miss."""
        orders = self.state.fold.orders
        lost = [s for s in event.recovered if s.order.order_sequence > orders.decided]
        never = {s.order.client_order_id for s in event.recovered} - {s.order.client_order_id for s in lost}
        known = [
            OrderState(life.order, life.status, life.cum_lots, life.leaves_lots)
            for name, life in orders.open.items()
            if name not in never
        ]
        reports: list[ExecutionReport] = []
        for e in following:
            if not isinstance(e.event, ExecutionReport):
                break
            reports.append(e.event)
        last = event.last_report_sequence
        wall_ns = entry.wall_ns
        return ev.TookOver(entry.now_ns, wall_ns, entry.epoch, event.holder, [*lost, *known], reports, last)

    def _do(self, event: ev.Event) -> None:
        for instruction in manager.step(self.state, event)[1]:
            if isinstance(instruction, ev.Record):
                self.written.append(instruction.entry)
            elif isinstance(instruction, ev.Publish):
                update = instruction.update
                self.published[_stream_of(update)] = update


def _is_hedge(entry: JournalEntry) -> bool:
    event = entry.event
    return isinstance(event, CommandTaken) and event.command.action == HEDGE and event.acknowledgement.accepted


def _decided_with(entry: JournalEntry, following: Sequence[JournalEntry]) -> bool:
    """Whether the step that wrote an entry also held a round or decided: what one step writes has one wall time."""
    same = takewhile(lambda e: e.wall_ns == entry.wall_ns, following)
    return any(isinstance(e.event, Cycle | BudgetRound) for e in same)


def _stream_of(update: _Update) -> tuple[str, int]:
    if isinstance(update, PositionUpdate):
        return recorder.POSITIONS, update.version
    if isinstance(update, BudgetUpdate):
        return recorder.BUDGETS, update.budget_epoch
    if isinstance(update, AgentParameters):
        return recorder.PARAMETERS, update.version
    return recorder.ASSIGNMENT, update.version


class _Lookup:
    """Finds what an agent consumed. Raises ``KeyError`` in words where it was not recorded."""

    def __init__(self, universe: Universe, tape: _Tape, published: dict[tuple[str, int], _Update]) -> None:
        self._universe = universe
        self._tape = tape
        self._published = published
        self._folds: dict[str, tuple[MarketSnapshot, int]] = {}

    def __call__(self, stream: str, sequence: int) -> AgentEvent:
        if stream.startswith(recorder.SNAPSHOT_PREFIX):
            return self._snapshot(stream.removeprefix(recorder.SNAPSHOT_PREFIX), sequence)
        found = self._tape.at.get((stream, sequence)) or self._published.get((stream, sequence))
        if found is None:
            raise KeyError(f"{stream} {sequence} is not in the record")
        return found

    def _snapshot(self, source: str, sequence: int) -> QuoteBatch:
        """The feed's answer: every standing quote after batch ``sequence`` of that source."""
        fold, done = self._folds.get(source, (MarketSnapshot(self._universe), 0))
        if done > sequence:
            fold, done = MarketSnapshot(self._universe), 0
        for at in range(done + 1, sequence + 1):
            if (source, at) not in self._tape.at:
                raise KeyError(f"{source} {at} is not in the record")
            fold.apply(self._tape.at[source, at])
        self._folds[source] = (fold, sequence)
        return fold.as_batch(source.partition(".")[2])


def _by_agent(entries: Sequence[JournalEntry], heard: Iterable[Proposal]) -> dict[str, list[Proposal]]:
    """Proposals of each start of each agent ("gamma-0 #1"), in sequence, each once; the journal's own word comes first."""
    taken = [e.event.proposal for e in entries if isinstance(e.event, ProposalTaken)]
    found: dict[str, dict[int, Proposal]] = defaultdict(dict)
    for p in (*heard, *taken):
        found[f"{p.agent} #{p.incarnation}"][p.header.sequence] = p
    return {name: [said[k] for k in sorted(said)] for name, said in found.items()}


def _agent(
    name: str, proposals: list[Proposal], universe: Universe, book: Book, config: AgentsConfig, lookup: _Lookup
) -> tuple[int, str, str]:
    """(proposals compared, what could not be followed, first difference), the latter two in words or empty."""
    first = proposals[0]
    state = start(AgentSetup(universe, book, first.kind, first.shard, config, first.incarnation))
    for count, recorded in enumerate(proposals):
        if recorded.header.sequence != count + 1:
            return count, f"{name} from its proposal {count + 1} on: nobody recorded that one", ""
        try:
            state, said = replay_agent(state, recorded.inputs, lookup)
        except KeyError as error:
            return count, "", f"{name}, proposal {count + 1}: {error.args[0]}"
        if len(said) != 1:
            return count, "", f"{name}, proposal {count + 1}: the replay made {len(said)} proposals of its inputs"
        mine = replace(said[0], header=replace(said[0].header, receive_time_ns=recorded.header.receive_time_ns))
        if encode_proposal(mine) != encode_proposal(recorded):
            return count, "", f"{name}, proposal {count + 1}: {first_difference(recorded, mine)}"
    return len(proposals), "", ""
