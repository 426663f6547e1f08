"""The pure core of every agent: state and event in, state and proposals out. No clock, no randomness, no I/O.

News (quotes, positions, budgets, assignment) only updates the state; `Decide` looks at the triggers and proposes or
not. "Now" is the largest market time among the quotes applied. The state has one owner and is changed in place.
*Tested by* tests/unit/test_agents_step.py, tests/properties/test_agents_replay.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from agents import recorder
from agents.config import AgentsConfig, with_values
from agents.cross_asset.covariance import GridCovariance
from agents.decision import Decision, Terms
from agents.kinds import Selection, decide_kind, select
from agents.menu import build_menu
from agents.pricing import Picture, Pricing, take_picture
from agents.recorder import Recorder
from agents.sharding import all_keys
from agents.status import seen_of, status_of
from agents.triggers import LastProposal, cheap_trigger, last_of, said_all, standing, threshold_trigger
from common import factors
from common.messages import (
    AgentParameters,
    AssignmentUpdate,
    BudgetUpdate,
    Header,
    PositionUpdate,
    Proposal,
    QuoteBatch,
)
from common.snapshot import MarketSnapshot
from common.subjects import feed_source
from common.triggers import PARAMETERS, ROLL
from common.units import NS_PER_MS, NS_PER_S
from common.universe import Book, Universe

#: Market time after which an agent takes quotes in and looks at its Greeks again where sizes alone have changed since.
LOOK_AGAIN_NS = 100 * NS_PER_MS


@dataclass(frozen=True)
class AgentSetup:
    """All that is fixed for the life of an agent process. ``incarnation`` numbers its starts."""

    universe: Universe
    book: Book
    kind: str
    shard: int
    config: AgentsConfig
    incarnation: int

    @property
    def name(self) -> str:
        """Name of the agent, "gamma-0"."""
        return factors.agent_name(self.kind, self.shard)


@dataclass(frozen=True, slots=True)
class Decide:
    """The shell's queue is empty: look at the triggers."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Forget everything but the setup. Only `replay` sends it, where a record begins anew after it was full."""

    number: int


AgentEvent = QuoteBatch | PositionUpdate | BudgetUpdate | AssignmentUpdate | AgentParameters | Decide | Reset


class AgentState:
    """What one agent knows. Made by `start`, changed by `step` only; shells read the properties."""

    def __init__(self, setup: AgentSetup) -> None:
        self.setup = setup
        self.snapshot = MarketSnapshot(setup.universe)
        self.pricing = Pricing(setup.universe, self.snapshot)
        self.selection = Selection()
        self.covariance: GridCovariance | None = None
        self.position_version = -1
        self.assignment_version = -1
        self.budgets: BudgetUpdate | None = None
        self.terms: Terms | None = None
        self.assignment: AssignmentUpdate | None = None
        #: The settings with the parameters that people changed live; ``retuned`` until the next proposal says so.
        self.config = setup.config
        self.parameters: AgentParameters | None = None
        self.retuned = False
        #: A front has changed and nothing has been said of it yet.
        self.rolled = False
        self.positions: PositionUpdate | None = None
        self.lots = setup.book.net_lots(len(setup.universe))
        #: The same by desk, (desks, n); of what is held, (desks, h).
        self.desk_lots = setup.book.desk_lots(len(setup.universe))
        self.held = np.empty(0, np.int64)
        self.held_lots = np.empty((len(self.desk_lots), 0))
        self.recorder = Recorder()
        self.sequence = 0
        self.decides = 0
        self.resets = 0
        self.last: LastProposal | None = None
        #: Factors whose Greeks the last look had no volatility for; ``mute`` where that was all of them.
        self.unpriced: tuple[str, ...] = ()
        self.mute = False
        self.changed = True
        #: Market time of the last look at all Greeks, and of the last batch of each underlying that was priced.
        self.looked_ns = 0
        self.priced_ns: dict[int, int] = {}

    @property
    def status(self) -> str:
        """What the heartbeat says of it; see `status_of`."""
        return status_of(self)

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys owned, sorted."""
        return self.selection.keys

    @property
    def symbols(self) -> tuple[str, ...]:
        """Underlyings whose quotes it needs; batches of others are ignored."""
        return self.selection.symbols

    @property
    def unusable_quotes(self) -> int:
        """Crossed, one-sided or empty quotes seen so far."""
        return self.snapshot.unusable

    @property
    def gaps(self) -> int:
        """Gaps in the sequences of its sources so far."""
        return sum(source.gaps for source in self.snapshot.sources.values())


def start(setup: AgentSetup) -> AgentState:
    """An agent that knows its universe, book and settings and nothing else."""
    return AgentState(setup)


def step(state: AgentState, event: AgentEvent) -> tuple[AgentState, list[Proposal]]:
    """Take one event in; at most one proposal comes out, of `Decide` only.

    Old news (a sequence, version or epoch already seen) and quotes of other underlyings change nothing and are not
    recorded. Never raises on well-formed messages.
    """
    if isinstance(event, QuoteBatch):
        _on_quotes(state, event)
    elif isinstance(event, Decide):
        return state, _on_decide(state)
    elif isinstance(event, PositionUpdate):
        _on_positions(state, event)
    elif isinstance(event, BudgetUpdate):
        _on_budgets(state, event)
    elif isinstance(event, AssignmentUpdate):
        _on_assignment(state, event)
    elif isinstance(event, AgentParameters):
        _on_parameters(state, event)
    else:
        _forget(state, event.number)
    if state.recorder.full:
        _begin_anew(state)
    return state, []


def _on_quotes(state: AgentState, batch: QuoteBatch) -> None:
    u = state.selection.underlying_of.get(batch.header.source, -1)
    if u < 0:
        return
    reprices = state.snapshot.reprices(batch)
    if not state.snapshot.apply(batch):
        return
    prefix = recorder.SNAPSHOT_PREFIX if batch.snapshot else ""
    state.recorder.note(prefix + batch.header.source, batch.header.sequence)
    # Sizes alone move no Greek and no interval; time does, slowly.
    at_ns = batch.header.event_time_ns
    state.changed |= reprices or state.snapshot.now_ns - state.looked_ns >= LOOK_AGAIN_NS
    if state.pricing.roll(state.snapshot.now_ns):
        state.rolled = True
        state.priced_ns.clear()
    price, base_ns = state.pricing.base_price(u), int(state.pricing.vols.base_expiry_ns[u])
    if reprices or at_ns - state.priced_ns.get(u, 0) >= LOOK_AGAIN_NS:
        state.pricing.absorb(u, batch.instrument.astype(np.int64), at_ns)
        state.priced_ns[u] = at_ns
    if state.covariance is not None:
        if base_ns and state.pricing.chain.future[u] >= 0 and state.pricing.vols.base_expiry_ns[u] != base_ns:
            state.covariance.rescale(u, state.pricing.base_price(u) / price)
        state.covariance.observe(u, at_ns, state.pricing.base_price(u))


def _on_positions(state: AgentState, update: PositionUpdate) -> None:
    if update.version <= state.position_version:
        return
    state.recorder.note(recorder.POSITIONS, update.version)
    state.position_version, state.positions = update.version, update
    book, n, at = state.setup.book, len(state.setup.universe), update.instrument.astype(np.intp)
    lots, by_desk = book.net_lots(n), book.desk_lots(n)
    np.add.at(lots, at, update.traded_lots)
    of_desk = dict(zip(update.desk, update.desk_lots, strict=True)) or {"": update.traded_lots}
    for mine, name in zip(by_desk, book.desk_names, strict=True):
        mine[at] += of_desk[name]
    state.lots, state.desk_lots = lots, by_desk
    _select_held(state)


def _on_budgets(state: AgentState, update: BudgetUpdate) -> None:
    if state.budgets is not None and update.budget_epoch <= state.budgets.budget_epoch:
        return
    state.recorder.note(recorder.BUDGETS, update.budget_epoch)
    state.budgets = update
    limits = dict(zip(update.factor, (float(x) for x in update.soft_limit), strict=True))
    state.terms = Terms(update.risk_aversion_per_usd, limits, state.config)
    state.changed = True


def _on_parameters(state: AgentState, update: AgentParameters) -> None:
    if state.parameters is not None and update.version <= state.parameters.version:
        return
    state.recorder.note(recorder.PARAMETERS, update.version)
    state.parameters, state.config = update, with_values(state.setup.config, update.values)
    if state.terms is not None:
        state.terms = replace(state.terms, config=state.config)
    state.changed = state.retuned = True


def _on_assignment(state: AgentState, update: AssignmentUpdate) -> None:
    if update.version <= state.assignment_version:
        return
    state.recorder.note(recorder.ASSIGNMENT, update.version)
    state.assignment_version, state.assignment = update.version, update
    keys = update.keys_of(state.setup.name)
    if keys == state.selection.keys:
        # The manager refuses what was said under the version before and had not arrived: it is said again.
        state.last, state.changed = None, True
        return
    watched, heard = state.selection.underlyings, state.snapshot.sources
    state.selection = select(state.setup.universe, state.setup.kind, keys)
    state.last = None
    for u in set(state.selection.underlyings) - set(watched):
        if (source := heard.get(feed_source(state.setup.universe.symbols[u]))) is not None:
            source.gapped = True  # it was not listened to meanwhile: what stands is known from a snapshot
    if state.setup.kind == factors.CROSS_ASSET and (state.covariance is None or watched != state.selection.underlyings):
        config = state.setup.config.cross_asset
        prior = state.setup.universe.covariance_daily
        state.covariance = GridCovariance(prior, state.selection.underlyings, config.grid_s, config.half_life_days)
    _select_held(state)


def _select_held(state: AgentState) -> None:
    watched = np.zeros(len(state.setup.universe.underlyings), np.bool_)
    watched[list(state.selection.underlyings)] = True
    own = watched[state.setup.universe.underlying]  # ten times as fast as np.isin, after every fill
    state.held = np.flatnonzero(own & (state.desk_lots != 0).any(axis=0)).astype(np.int64)
    state.held_lots = state.desk_lots[:, state.held].astype(np.float64)
    state.changed = True


def _forget(state: AgentState, number: int) -> None:
    fresh = AgentState(state.setup)
    fresh.sequence, fresh.resets = state.sequence, number
    fresh.recorder.note(recorder.RESET, number)
    vars(state).update(vars(fresh))


def _begin_anew(state: AgentState) -> None:
    # The record is full (hours of silence). Forget, then take in again what stands: the last positions, budgets and
    # assignment, and as snapshots the quotes of sources without a gap. The new record starts here, so a replay can
    # follow.
    said = (state.positions, state.parameters, state.budgets, state.assignment)
    kept: list[AgentEvent] = [x for x in said if x is not None]
    for symbol in state.symbols:
        source = state.snapshot.sources.get(feed_source(symbol))
        if source is not None and not source.gapped:
            kept.append(state.snapshot.as_batch(symbol))
    _forget(state, state.resets + 1)
    for event in kept:
        step(state, event)


def _on_decide(state: AgentState) -> list[Proposal]:
    state.decides += 1
    state.recorder.note(recorder.DECIDE, state.decides)
    if state.recorder.full:
        _begin_anew(state)
        state.decides += 1  # the record that begins here has this look in it too
        state.recorder.note(recorder.DECIDE, state.decides)
    if not state.changed:
        return []
    terms, seen = state.terms, seen_of(state)
    state.unpriced, state.mute = (), False
    if terms is None or not seen:
        return []
    if state.last is not None and state.last.underlyings != seen:
        state.last = None  # it speaks for others than it did
    now_ns = state.snapshot.now_ns
    base = state.pricing.vols.base_price[list(seen)]
    if state.last is not None and said_all(state.last, now_ns, base):
        return []
    state.changed = False
    trigger = cheap_trigger(state.last, state.config.trigger, now_ns, state.position_version, base)
    if state.retuned and state.last is not None:
        trigger = PARAMETERS
    if state.rolled and state.last is not None:
        trigger = ROLL
    picture, state.looked_ns = look(state, seen), now_ns
    symbols = state.setup.universe.symbols
    of_desk = dict(zip(state.setup.book.desk_names, state.held_lots, strict=True))
    stands = standing(state.last, state.config.trigger, trigger, base)
    terms = replace(terms, standing=stands)
    found = decide_kind(state.setup.kind, picture, symbols, state.selection, terms, state.covariance, of_desk)
    decision, state.unpriced = found.sayable({"", *(symbols[u] for u in seen)})
    state.mute = not decision.factor
    if state.mute:
        return []
    if not trigger and state.last is not None:
        trigger = threshold_trigger(state.last, state.config.trigger, decision)
    if not trigger:
        return []
    width_price = state.last.width_price if stands and state.last is not None else base
    state.last = last_of(decision, now_ns, state.position_version, seen, base, width_price)
    return [_propose(state, picture, decision, trigger)]


def look(state: AgentState, underlyings: tuple[int, ...]) -> Picture:
    """Greeks of the own book and the menu of these underlyings as of the last quotes; smiles are fitted where quotes changed."""
    config, now_ns = state.config, state.snapshot.now_ns
    for u in underlyings:
        state.pricing.refit(u, now_ns)
    futures_only = state.setup.kind == factors.GAMMA and config.gamma.delta_only
    menu = build_menu(state.pricing, underlyings, now_ns, config.menu, futures_only=futures_only)
    if state.setup.universe.rolls:
        menu = np.concatenate([menu, state.pricing.leaving(state.held)])
    return take_picture(
        state.pricing, state.held, state.held_lots.sum(axis=0), underlyings, menu, now_ns, config.reference_tenor_days
    )


def _propose(state: AgentState, picture: Picture, decision: Decision, trigger: str) -> Proposal:
    state.sequence += 1
    state.retuned = state.rolled = False
    setup, market = state.setup, state.snapshot.last_header
    assert state.budgets is not None
    return Proposal(
        header=Header(setup.name, state.sequence, picture.now_ns, market.receive_time_ns, market.id),
        kind=setup.kind,
        shard=setup.shard,
        book_id=setup.book.book_id,
        incarnation=setup.incarnation,
        assignment_version=state.assignment_version,
        position_version=state.position_version,
        budget_epoch=state.budgets.budget_epoch,
        inputs=state.recorder.take(),
        factor=decision.factor,
        exposure=decision.exposure,
        lower=-decision.half_width,
        upper=decision.half_width,
        weighs_cost=np.ones(len(decision.factor), np.uint8),
        menu=picture.menu.astype(np.uint32),
        sensitivity=decision.sensitivity,
        alone_lots=decision.alone_lots,
        trigger=trigger,
        expires_ns=picture.now_ns + int(state.config.proposal_life_s * NS_PER_S),
        reported=decision.reported,
        reported_value=decision.reported_value,
        desk=decision.desk,
        desk_alone_lots=decision.desk_alone_lots,
    )


def warm(setup: AgentSetup) -> None:
    """Load (or compile) every kernel an agent of any kind can call, so that its first decision is quick."""
    universe = setup.universe
    keys = all_keys(universe, setup.book, 0)
    for kind in factors.KINDS:
        state = start(replace(setup, kind=kind))
        state.terms = Terms(1.0, {}, setup.config)
        state.selection = select(universe, kind, tuple(k for k in keys if k.startswith(f"{kind}/")))
        for u in range(len(universe.underlyings)):
            state.pricing.absorb(u, np.empty(0, np.int64), 0)
        state.covariance = GridCovariance(universe.covariance_daily, (0,), 1.0, 1.0)
        for second in range(4):
            state.covariance.observe(0, (10 + second) * NS_PER_S, 100.0)
        picture = look(state, state.selection.underlyings)
        nothing = dict.fromkeys(setup.book.desk_names, np.empty(0))
        decide_kind(kind, picture, universe.symbols, state.selection, state.terms, state.covariance, nothing)
