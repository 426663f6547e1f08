"""The promises, checked on a finished run: journal, execution's store, book, limits. Empty list: all kept.

Each rule is one function from a ``Run`` to sentences that say what is wrong and where; none of them uses the manager's
own fold, so that a bug there cannot hide itself. *Tested by* tests/unit/test_lab_audit.py (each rule on a doctored
run).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from common.calendars.day import Spans
from common.control_messages import CancelAsked, CommandTaken, Cycle, FeedSilence, JournalEntry, LeaderStarted
from common.limits import Limits
from common.messages import I64, ExecutionReport, Order, OrderState, OrdStatus
from common.universe import Book, Universe
from lab.audit_combos import held_together, over_their_limits
from lab.audit_desks import desk_violations
from lab.audit_flows import flow_violations
from lab.audit_limits import limit_violations
from lab.audit_steering import imported_lots, scope_of, steering_violations
from lab.audit_strikes import strike_violations
from lab.fills import fills_of
from lab.settled import after_settlements

MAX_SHOWN_PER_RULE = 20
MILLION = 1_000_000


@dataclass(frozen=True)
class Run:
    """What the auditor sees of a finished run.

    ``entries``: the journal in order. ``store_orders`` and ``store_reports``: execution's own durable record; None in a
    run without a store (then the journal stands alone). ``positions_lots`` (n,): the final position somebody claims,
    e.g. from ``status``; None leaves it unchecked. ``limits`` as at the start; None checks no flow budget. ``desk_lots``
    (desks, n): the same of each desk.
    """

    universe: Universe
    book: Book
    entries: Sequence[JournalEntry]
    store_orders: Sequence[OrderState] | None = None
    store_reports: Sequence[ExecutionReport] | None = None
    positions_lots: I64 | None = None
    limits: Limits | None = None
    desk_lots: I64 | None = None
    #: Open and close of each session, UTC ns, as the run had them: where budgets of a day end. None: days of UTC.
    sessions_ns: Spans = ()


def audit(run: Run) -> list[str]:
    """Every violation in words, in the order of the rules; at most ``MAX_SHOWN_PER_RULE`` a rule."""
    found: list[str] = []
    for rule in RULES:
        said = list(rule(run))
        found += said[:MAX_SHOWN_PER_RULE]
        if len(said) > MAX_SHOWN_PER_RULE:
            found.append(f"{rule.__name__}: and {len(said) - MAX_SHOWN_PER_RULE} more")
    return found


def orders_of(entries: Sequence[JournalEntry]) -> list[tuple[JournalEntry, Order]]:
    """Orders in the order they were decided or recovered, with the entry that brought each."""
    out: list[tuple[JournalEntry, Order]] = []
    for entry in entries:
        if isinstance(entry.event, Cycle):
            out += [(entry, order) for order in entry.event.orders]
        elif isinstance(entry.event, LeaderStarted):
            out += [(entry, state.order) for state in entry.event.recovered]
    return out


def _reports(run: Run) -> list[ExecutionReport]:
    return [e.event for e in run.entries if isinstance(e.event, ExecutionReport)]


def journal_is_gapless(run: Run) -> Iterator[str]:
    """Entries are numbered 1, 2, 3, ... and market time never runs backwards under one leader."""
    for expected, entry in enumerate(run.entries, start=1):
        if entry.sequence != expected:
            yield f"journal: entry {expected} carries sequence {entry.sequence}"
            return


def epochs_are_monotone(run: Run) -> Iterator[str]:
    """An older leader never writes after a newer one, and a new epoch opens with LeaderStarted (promise 3)."""
    epoch = 0
    for entry in run.entries:
        if entry.epoch < epoch:
            yield f"epoch: entry {entry.sequence} has epoch {entry.epoch} after {epoch}"
        if entry.epoch > epoch and not isinstance(entry.event, LeaderStarted):
            yield f"epoch: entry {entry.sequence} begins epoch {entry.epoch} without LeaderStarted"
        epoch = max(epoch, entry.epoch)
        for order in entry.event.orders if isinstance(entry.event, Cycle) else ():
            if order.epoch != entry.epoch:
                yield f"epoch: order {order.client_order_id} has epoch {order.epoch}, its entry {entry.epoch}"


def no_order_twice(run: Run) -> Iterator[str]:
    """One client_order_id, one order, everywhere (promise 1)."""
    decided = Counter(o.client_order_id for e, o in orders_of(run.entries) if isinstance(e.event, Cycle))
    for name, count in decided.items():
        if count > 1:
            yield f"order {name} was decided {count} times"
    if run.store_orders is None:
        return
    stored = Counter(s.order.client_order_id for s in run.store_orders)
    for name, count in stored.items():
        if count > 1:
            yield f"order {name} stands {count} times in the store"
    content = {o.client_order_id: _content(o) for _, o in orders_of(run.entries)}
    for state in run.store_orders:
        known = content.get(state.order.client_order_id)
        if known is None:
            yield f"order {state.order.client_order_id} is at execution and not in the journal"
        elif known != _content(state.order):
            yield f"order {state.order.client_order_id} differs between journal and execution"


def _content(order: Order) -> tuple[object, ...]:
    # Wall time is stamped on the way; everything else must be equal.
    return (
        order.epoch,
        order.instrument,
        order.side,
        order.quantity_lots,
        order.limit_ticks,
        order.time_in_force,
        order.cycle_id,
        order.allocation,
        order.cost_shares,
    )


def every_order_is_terminal(run: Run) -> Iterator[str]:
    """Every order ends in a terminal state, and nothing happens to it afterwards (promise 2)."""
    last: dict[str, OrdStatus] = {}
    for r in _reports(run):
        before = last.get(r.client_order_id)
        if before is not None and before.terminal:
            yield f"order {r.client_order_id}: report {r.sequence} ({r.ord_status.name}) after {before.name}"
        last[r.client_order_id] = r.ord_status
    never = _never_arrived(run.entries)
    stored = {s.order.client_order_id for s in run.store_orders or ()}
    for name in dict.fromkeys(order.client_order_id for _, order in orders_of(run.entries)):
        status = last.get(name)
        if name in never and (status is not None or name in stored):
            yield f"order {name} was counted as never arrived and is at execution"
        elif status is None and name not in never:
            yield f"order {name} has no report"
        elif status is not None and not status.terminal:
            yield f"order {name} ended {status.name}"


def _never_arrived(entries: Sequence[JournalEntry]) -> set[str]:
    """Orders that a reconciliation found decided and unknown to execution, which therefore ended as cancelled."""
    decided: set[str] = set()
    out: set[str] = set()
    for entry in entries:
        if isinstance(entry.event, Cycle):
            decided |= {order.client_order_id for order in entry.event.orders}
        elif isinstance(entry.event, LeaderStarted):
            ended = {s.order.client_order_id for s in entry.event.recovered if s.ord_status is OrdStatus.CANCELED}
            out |= ended & decided
    return out


def reports_are_gapless(run: Run) -> Iterator[str]:
    """Reports arrive as 1, 2, 3, ..., each once, each about a known order; equal to execution's own (promise 2)."""
    known = {o.client_order_id for _, o in orders_of(run.entries)}
    reports = _reports(run)
    expected = None
    for r in reports:
        if expected is not None and r.sequence != expected:
            yield f"report {r.sequence} follows {expected - 1}"
        expected = r.sequence + 1
        if r.client_order_id not in known and r.ord_status is not OrdStatus.SETTLED:
            yield f"report {r.sequence} is about the unknown order {r.client_order_id}"
    twice = [x for x, count in Counter(r.exec_id for r in reports).items() if count > 1]
    for exec_id in twice:
        yield f"report {exec_id} was taken twice"
    if run.store_reports is not None:
        yield from _against_store(reports, run.store_reports)


def _against_store(journal: list[ExecutionReport], store: Sequence[ExecutionReport]) -> Iterator[str]:
    mine = {r.exec_id: r for r in journal}
    theirs = {r.exec_id: r for r in store}
    for exec_id, r in theirs.items():
        if exec_id not in mine:
            yield f"report {r.sequence} ({exec_id}) of execution is not in the journal"
        elif mine[exec_id] != r:
            other = [f.name for f in fields(r) if getattr(mine[exec_id], f.name) != getattr(r, f.name)]
            yield f"report {r.sequence} ({exec_id}) differs between journal and execution: {', '.join(other)}"
    for exec_id in mine.keys() - theirs.keys():
        yield f"report {exec_id} of the journal is unknown to execution"


def fills_fit_orders(run: Run) -> Iterator[str]:
    """Fills of an order add up to its cum, never beyond its quantity, at its limit or better (promise 2, 5).

    Orders that go as a combo are held to their limits together.
    """
    orders = {o.client_order_id: o for _, o in orders_of(run.entries)}
    cum: dict[str, int] = defaultdict(int)
    for r in _reports(run):
        order = orders.get(r.client_order_id)
        if order is None:
            continue
        cum[r.client_order_id] += r.last_lots
        if cum[r.client_order_id] != r.cum_lots:
            yield f"report {r.sequence}: fills of {r.client_order_id} sum to {cum[r.client_order_id]}, not {r.cum_lots}"
        if r.cum_lots > order.quantity_lots:
            yield f"order {r.client_order_id}: {r.cum_lots} lots filled of {order.quantity_lots}"
        if r.last_lots and not held_together(order) and (r.last_ticks - order.limit_ticks) * order.side.sign > 0:
            yield f"order {r.client_order_id}: filled at {r.last_ticks} ticks beyond its limit {order.limit_ticks}"
    yield from over_their_limits(run.universe, orders, _reports(run))


def positions_add_up(run: Run) -> Iterator[str]:
    """Positions = opening book + Σ fills + Σ imported client trades + Σ settlements (promise 5)."""
    if run.positions_lots is None:
        return
    n = len(run.universe)
    reports = run.store_reports if run.store_reports is not None else _reports(run)
    held = run.book.net_lots(n) + fills_of(reports).net_lots(n) + imported_lots(run.book, run.entries, n).sum(axis=0)
    expected = after_settlements(run.universe, held, reports)
    for i in np.flatnonzero(expected != run.positions_lots):
        name = run.universe.instrument_id[i]
        yield f"position of {name}: {run.positions_lots[i]} lots stated, book and fills give {expected[i]}"


def allocations_add_up(run: Run) -> Iterator[str]:
    """Σ allocations = the signed quantity, Σ cost shares = the bill, a cycle's orders = what it decided (promise 5)."""
    for _, order in orders_of(run.entries):
        total = sum(lots for _, lots in order.allocation)
        if total != order.signed_lots:
            yield f"order {order.client_order_id}: allocations sum to {total}, not {order.signed_lots}"
        parts = sum(share.parts for share in order.cost_shares)
        if parts != MILLION:
            yield f"order {order.client_order_id}: cost shares sum to {parts} parts of a million"
    for entry in run.entries:
        if isinstance(entry.event, Cycle):
            yield from _cycle_adds_up(entry.event)


def _cycle_adds_up(cycle: Cycle) -> Iterator[str]:
    decided: dict[int, int] = defaultdict(int)
    for instrument, lots in zip(cycle.menu.tolist(), cycle.ordered_lots.tolist(), strict=True):
        decided[instrument] += lots
    sent: dict[int, int] = defaultdict(int)
    for order in cycle.orders:
        sent[order.instrument] += order.signed_lots
    for instrument in sorted(decided.keys() | sent.keys()):
        if decided[instrument] != sent[instrument]:
            wrong = f"decided {decided[instrument]}, sent {sent[instrument]}"
            yield f"cycle {cycle.cycle_id}: instrument {instrument} {wrong}"


def desks_add_up(run: Run) -> Iterator[str]:
    """Crossings are at mid between desks of one entity and add to nothing; each desk's position adds up (promise 5)."""
    yield from desk_violations(run.universe, run.book, run.entries, run.desk_lots)


def flow_budgets_hold(run: Run) -> Iterator[str]:
    """used + reserved <= limit whenever an order is decided, recounted from the journal (promise 4)."""
    if run.limits is not None:
        yield from flow_violations(run.universe, run.entries, run.limits, run.sessions_ns)


def limits_hold(run: Run) -> Iterator[str]:
    """No order was decided that could go beyond a hard limit, a limited sum or a cap of any scope (promise 4)."""
    if run.limits is not None:
        yield from limit_violations(run.universe, run.book, run.entries, run.limits)


def pause_means_pause(run: Run) -> Iterator[str]:
    """Between an acknowledged pause or kill and the resume no order is accepted (promise 7)."""
    stopped: JournalEntry | None = None
    stop_orders: set[str] = set()
    for entry in run.entries:
        event = entry.event
        if isinstance(event, CommandTaken) and event.acknowledgement.accepted and not scope_of(event.command):
            if event.command.action in ("pause", "kill"):
                stopped = entry
            elif event.command.action == "resume":
                stopped = None
        elif isinstance(event, Cycle) and stopped is not None:
            stop_orders |= {o.client_order_id for o in event.orders}
        elif isinstance(event, ExecutionReport) and event.client_order_id in stop_orders and _lived(event):
            yield f"order {event.client_order_id} was decided under a pause and became {event.ord_status.name}"


def silence_is_kept(run: Run) -> Iterator[str]:
    """While the record holds that nothing is heard of the feed, nothing is ordered and nothing crosses (promise 6)."""
    silent = False
    for entry in run.entries:
        event = entry.event
        if isinstance(event, FeedSilence):
            silent = event.silent_s > 0.0
        elif silent and isinstance(event, Cycle) and (event.orders or event.crossings):
            yield f"cycle {event.cycle_id} was decided while nothing was heard of the feed"


def _lived(report: ExecutionReport) -> bool:
    return report.ord_status is not OrdStatus.REJECTED


def cancels_are_known(run: Run) -> Iterator[str]:
    """A cancel names an order that exists."""
    known = {o.client_order_id for _, o in orders_of(run.entries)}
    for entry in run.entries:
        if isinstance(entry.event, CancelAsked):
            for name in entry.event.client_order_id:
                if name not in known:
                    yield f"entry {entry.sequence} cancels the unknown order {name}"


def steering_holds(run: Run) -> Iterator[str]:
    """Stops of a part, manual hedges, imported trades and live parameters are what people asked for (promises 5, 7)."""
    yield from steering_violations(run.universe, run.entries)


def strikes_add_up(run: Run) -> Iterator[str]:
    """Each struck day's level is what positions, cash and fees come to at its own marks (promise 5)."""
    yield from strike_violations(run.universe, run.book, run.entries, run.sessions_ns)


RULES: tuple[Callable[[Run], Iterator[str]], ...] = (
    journal_is_gapless,
    epochs_are_monotone,
    no_order_twice,
    every_order_is_terminal,
    reports_are_gapless,
    fills_fit_orders,
    positions_add_up,
    allocations_add_up,
    desks_add_up,
    flow_budgets_hold,
    limits_hold,
    pause_means_pause,
    silence_is_kept,
    cancels_are_known,
    strikes_add_up,
    steering_holds,
)
