"""Why does this order exist: from the quote that woke an agent to the position after the fill, in plain sentences.

Read-only: everything comes from journal entries, the universe and, where it is at hand, the recorded market.
*Tested by* tests/unit/test_console_story.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

import numpy as np

from common.client_trades import effects
from common.control_messages import (
    CancelAsked,
    CommandTaken,
    Cycle,
    ImportedTrade,
    JournalEntry,
    LeaderStarted,
    ProposalTaken,
    TradesImported,
)
from common.errors import Refused
from common.factors import unit_of
from common.messages import ExecutionReport, Order, Proposal, QuoteBatch, Refusal, Side
from common.units import CENTS_PER_USD, NO_PRICE, NS_PER_S
from common.universe import Book, Universe

QuoteLookup = Callable[[str, int], QuoteBatch | None]
SHOWN_WISHES = 12
LAST = "last"
#: How the cause of an order begins that a person asked for.
BY_COMMAND = "command:"
#: The same of an order that rolls a future: what it leaves and what it enters follow.
BY_ROLL = "roll:"


@dataclass(frozen=True)
class Chapter:
    """One step of the chain: a title, sentences for people, the same facts as JSON-ready values."""

    title: str
    lines: tuple[str, ...]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Story:
    """The chain of one order, from cause to effect."""

    client_order_id: str
    chapters: tuple[Chapter, ...]

    def text(self) -> str:
        """The story as prose lines."""
        out = [f"Order {self.client_order_id}", ""]
        for chapter in self.chapters:
            out += [chapter.title, *(f"  {line}" for line in chapter.lines), ""]
        return "\n".join(out).rstrip() + "\n"

    def as_json(self) -> dict[str, Any]:
        """The story as a JSON-ready value."""
        return {
            "client_order_id": self.client_order_id,
            "chapters": [{"title": c.title, "lines": list(c.lines), **c.facts} for c in self.chapters],
        }


@dataclass(frozen=True)
class _Found:
    order: Order
    entry: JournalEntry
    cycle: Cycle | None
    taken: tuple[ProposalTaken, ...]
    reports: tuple[ExecutionReport, ...]
    #: Why the manager asked for its cancel, and when (market time).
    cancels: tuple[tuple[int, str], ...]


def story(
    client_order_id: str,
    entries: Iterable[JournalEntry],
    universe: Universe,
    *,
    book: Book | None = None,
    quotes: QuoteLookup | None = None,
) -> Story:
    """The story of one order. ``quotes(source, sequence)`` gives a recorded batch or None.

    A unique prefix of the id is enough; "last" is the newest order. Raises ``Refused`` if there is no such order.
    """
    entries = list(entries)
    found = _find(client_order_id, entries)
    caused = [t.proposal for t in found.taken if t.proposal.header.id == found.order.cause_id]
    chapters = [_quote(found, caused, universe, quotes)]
    chapters += [_proposal(p, found, universe) for p in _in_order(found, caused)]
    if found.order.cause_id.startswith(BY_COMMAND):
        chapters.append(_person(found.order, entries))
    if found.order.cause_id.startswith(BY_ROLL):
        chapters.append(_roll(found.order, universe))
    if found.cycle is not None:
        chapters.append(_cycle(found.cycle, found.entry, universe))
    chapters += [_order(found, universe), _execution(found, universe), _position(found, entries, universe, book)]
    return Story(found.order.client_order_id, tuple(chapters))


def _find(name: str, entries: Sequence[JournalEntry]) -> _Found:
    matches: dict[str, tuple[JournalEntry, Order, Cycle | None]] = {}
    for entry, order, cycle in _orders(entries):
        if name == LAST:
            matches = {order.client_order_id: (entry, order, cycle)}
        elif order.client_order_id.startswith(name):
            matches.setdefault(order.client_order_id, (entry, order, cycle))
    if name in matches:
        matches = {name: matches[name]}
    if len(matches) != 1:
        raise Refused(f"no order {name!r} in the journal" if not matches else f"{name!r} fits {len(matches)} orders")
    ((order_id, (entry, order, cycle)),) = matches.items()
    wanted = set(cycle.proposal_id) if cycle else {order.cause_id}
    reports = [e.event for e in entries if isinstance(e.event, ExecutionReport)]
    unique = {r.exec_id: r for r in reports if r.client_order_id == order_id}
    asked = [(e.now_ns, e.event) for e in entries if isinstance(e.event, CancelAsked)]
    cancels = tuple((at_ns, c.reason) for at_ns, c in asked if order_id in c.client_order_id)
    return _Found(order, entry, cycle, _in_force(wanted, entry, entries), tuple(unique.values()), cancels)


def _in_force(wanted: set[str], until: JournalEntry, entries: Sequence[JournalEntry]) -> tuple[ProposalTaken, ...]:
    """The newest accepted proposal of each id at an entry: an agent that was started anew begins its numbers anew."""
    newest: dict[str, ProposalTaken] = {}
    for entry in takewhile(lambda e: e is not until, entries):
        if isinstance(entry.event, ProposalTaken) and not entry.event.refusal:
            newest[entry.event.proposal.header.id] = entry.event
    return tuple(taken for name, taken in newest.items() if name in wanted)


def _orders(entries: Sequence[JournalEntry]) -> Iterator[tuple[JournalEntry, Order, Cycle | None]]:
    for entry in entries:
        if isinstance(entry.event, Cycle):
            yield from ((entry, order, entry.event) for order in entry.event.orders)
        elif isinstance(entry.event, LeaderStarted):
            yield from ((entry, state.order, None) for state in entry.event.recovered)


def _in_order(found: _Found, caused: list[Proposal]) -> list[Proposal]:
    """The proposal that caused the cycle first, then those of the agents the order serves."""
    served = {agent for agent, _ in found.order.allocation}
    others = [t.proposal for t in found.taken if t.proposal.agent in served and t.proposal not in caused]
    return caused + others


def clock(ns: int) -> str:
    """Market time as people read it, UTC, to the millisecond."""
    return datetime.fromtimestamp(ns / NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"


def money(usd: float) -> str:
    """USD with thousands separators and no cents above 100."""
    text = f"{usd:,.0f}" if abs(usd) >= 100 else f"{usd:,.2f}"
    return "0.00" if text == "-0.00" else text


def _points(ticks: int, row: int, universe: Universe) -> str:
    return "none" if ticks == NO_PRICE else f"{ticks * universe.tick_size[row]:,.2f}"


def _quote(found: _Found, caused: list[Proposal], universe: Universe, quotes: QuoteLookup | None) -> Chapter:
    order = found.order
    head_id = caused[0].header.cause_id if caused else ""
    source, _, sequence = head_id.rpartition(":")
    facts: dict[str, Any] = {"market": head_id, "event_time_ns": found.entry.market.event_time_ns}
    lines = []
    batch = quotes(source, int(sequence)) if quotes and sequence.isdigit() else None
    if batch is not None:
        lines.append(
            f"Quote message {head_id} of {clock(batch.header.event_time_ns)} changed {len(batch.instrument)} quotes"
            + (" (a snapshot)." if batch.snapshot else ".")
        )
        facts["quotes"] = len(batch.instrument)
    elif head_id:
        lines.append(f"Message {head_id} woke the agent.")
    elif found.cycle is not None and not order.cause_id.startswith((BY_COMMAND, BY_ROLL)):
        lines.append(f"Nobody had spoken anew: the manager looked again at {order.cause_id}.")
    seen = found.entry.market
    if seen.source:
        lines.append(f"When the manager decided it had last seen {seen.id}, market time {clock(seen.event_time_ns)}.")
    bid, ask = (_points(t, order.instrument, universe) for t in (order.arrival_bid_ticks, order.arrival_ask_ticks))
    lines.append(f"{order.instrument_id} stood at {bid} bid, {ask} asked.")
    facts |= {"arrival_bid_ticks": order.arrival_bid_ticks, "arrival_ask_ticks": order.arrival_ask_ticks}
    return Chapter("1. The market", tuple(lines), facts)


def _proposal(p: Proposal, found: _Found, universe: Universe) -> Chapter:
    cause = p.header.id == found.order.cause_id
    lines = [
        f"{p.agent} (start {p.incarnation}) spoke at {clock(p.header.event_time_ns)}; trigger: {p.trigger}.",
        f"Computed from positions version {p.position_version}, budgets {p.budget_epoch}, assignment "
        f"{p.assignment_version}; new since its last word: {_inputs(p)}.",
    ]
    rows = []
    for name, e, low, high in zip(p.factor, p.exposure, p.lower, p.upper, strict=True):
        place = "inside" if low <= e <= high else ("above" if e > high else "below")
        lines.append(f"{name}: {money(e)}, wanted in [{money(low)}, {money(high)}] {unit_of(name)}: {place}.")
        rows.append({"factor": name, "exposure": float(e), "lower": float(low), "upper": float(high), "place": place})
    wishes = [(int(i), float(x)) for i, x in zip(p.menu, p.alone_lots, strict=True) if round(x, 3) != 0]
    named = ", ".join(f"{x:+.2f} {universe.instrument_id[i]}" for i, x in wishes[:SHOWN_WISHES])
    lines.append(f"Alone it would trade {named or 'nothing'}.")
    facts = {"proposal": p.header.id, "trigger": p.trigger, "factors": rows, "caused": cause}
    return Chapter(f"2. The proposal {p.header.id}{' (the cause)' if cause else ''}", tuple(lines), facts)


def _person(order: Order, entries: Sequence[JournalEntry]) -> Chapter:
    """Who asked for a manual order, and why."""
    name = order.cause_id.removeprefix(BY_COMMAND)
    taken = [e.event for e in entries if isinstance(e.event, CommandTaken) and e.event.command.command_id == name]
    if not taken:
        return Chapter("2. The trader", (f"A person's command {name}; the record has lost it.",), {"command_id": name})
    command = taken[0].command
    lines = (
        f"{command.who} asked for it by hand: {command.why}.",
        f"Command {name}: {command.arguments_json}.",
        "It went through the limits, budgets and checks that every order goes through; no agent wished for it.",
    )
    facts = {"command_id": name, "who": command.who, "why": command.why, "manual": True}
    return Chapter("2. The trader", lines, facts)


def _roll(order: Order, universe: Universe) -> Chapter:
    """Why a future is left, and that nobody wished for it."""
    leaves, _, enters = order.cause_id.removeprefix(BY_ROLL).partition(">")
    rolls = (at_ns for u in universe.underlyings for at_ns, row in u.rolls if universe.instrument_id[row] == enters)
    at_ns = next(rolls, 0)
    lines = (
        f"By plan {enters} is the front from {clock(at_ns)} on: what is held of {leaves} is held in it instead.",
        "It went through the limits, budgets and checks that every order goes through; no agent wished for it.",
    )
    return Chapter("2. The roll", lines, {"leaves": leaves, "enters": enters, "at_ns": at_ns, "roll": True})


def _inputs(p: Proposal) -> str:
    newest: dict[str, int] = {}
    for run in p.inputs:
        newest[run.stream] = run.first + run.count - 1
    named = ", ".join(f"{stream} up to {last}" for stream, last in sorted(newest.items()) if stream != "decide")
    return named or "nothing"


def _cycle(c: Cycle, entry: JournalEntry, universe: Universe) -> Chapter:
    lines = [
        f"Cycle {c.cycle_id} of leader epoch {entry.epoch} at {clock(entry.now_ns)}: method {c.method}, "
        f"{len(c.proposal_id)} proposals in force, {c.iterations} iterations."
    ]
    outside = np.flatnonzero((c.exposure_before < c.lower) | (c.exposure_before > c.upper))
    for f in outside:
        lines.append(
            f"{c.factor[f]} stood at {money(c.exposure_before[f])} outside [{money(c.lower[f])}, {money(c.upper[f])}]; "
            f"after the orders {money(c.exposure_after[f])}; price of risk {c.price_of_risk[f]:.3g} USD a unit."
        )
    for j in np.flatnonzero((c.ordered_lots != 0) | (np.abs(c.wished_lots) > 0.005)):
        lines.append(
            f"{universe.instrument_id[c.menu[j]]}: wished {c.wished_lots[j]:+.2f}, solved {c.solution_lots[j]:+.2f}, "
            f"ordered {c.ordered_lots[j]:+d} lots."
        )
    for x in c.crossings:
        mid = 0.5 * (x.bid_ticks + x.ask_ticks) * universe.tick_size[x.instrument]
        lines.append(
            f"{x.lots} lots of {universe.instrument_id[x.instrument]} crossed at the mid {mid:,.3f}, without cost: desk "
            f"{x.seller} sold ({_parts(x.sold)}), desk {x.buyer} bought ({_parts(x.bought)})."
        )
    wished, cost = c.wished_cost_cents / CENTS_PER_USD, c.cost_cents / CENTS_PER_USD
    alone = f"; the wishes one by one would have cost {money(wished)} USD" if c.proposal_id else ""
    lines.append(f"Expected cost {money(cost)} USD{alone}.")
    facts = {
        "cycle_id": c.cycle_id,
        "method": c.method,
        "market_seen": dict(c.market_seen),
        "menu": [universe.instrument_id[i] for i in c.menu],
        "wished_lots": c.wished_lots.tolist(),
        "solution_lots": c.solution_lots.tolist(),
        "ordered_lots": c.ordered_lots.tolist(),
        "price_of_risk": dict(zip(c.factor, c.price_of_risk.tolist(), strict=True)),
        "crossings": [
            {"crossing_id": x.crossing_id, "instrument": universe.instrument_id[x.instrument], "lots": x.lots}
            | {"seller": x.seller, "buyer": x.buyer, "bid_ticks": x.bid_ticks, "ask_ticks": x.ask_ticks}
            for x in c.crossings
        ],
        "cost_cents": c.cost_cents,
        "wished_cost_cents": c.wished_cost_cents,
    }
    return Chapter("3. The decision", tuple(lines), facts)


def _parts(side: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{lots} for {agent}" for agent, lots in side)


def _order(found: _Found, universe: Universe) -> Chapter:
    o = found.order
    verb = "Buy" if o.side is Side.BUY else "Sell"
    shares = ", ".join(f"{lots:+d} for {agent}" for agent, lots in o.allocation)
    lines = [
        f"{verb} {o.quantity_lots} lots of {o.instrument_id} at {_points(o.limit_ticks, o.instrument, universe)} "
        f"or better, {o.time_in_force.name}; order {o.order_sequence} of the run.",
        f"Allocation: {shares or 'none'}.",
        f"Paid by: {_payers(o)}.",
        f"Inputs of the decision: SHA-256 {o.inputs_hash[:16]}…",
    ]
    if found.cycle is None:
        lines.append("The journal had lost this order; the next leader recovered it from execution.")
    facts = {
        "instrument": o.instrument_id,
        "side": o.side.name,
        "quantity_lots": o.quantity_lots,
        "limit_ticks": o.limit_ticks,
        "allocation": dict(o.allocation),
        "cost_shares": [s._asdict() for s in o.cost_shares],
        "inputs_hash": o.inputs_hash,
        "epoch": o.epoch,
    }
    return Chapter("4. The order", tuple(lines), facts)


def _payers(o: Order) -> str:
    return ", ".join(f"{s.factor} of {s.agent} {s.parts / 10_000:.1f} %" for s in o.cost_shares) or "nobody named"


def _execution(found: _Found, universe: Universe) -> Chapter:
    lines = []
    for r in found.reports:
        text = f"Report {r.sequence} at {clock(r.event_time_ns)}: {r.ord_status.name}"
        if r.last_lots:
            text += f", {r.last_lots} lots at {_points(r.last_ticks, r.instrument, universe)}"
            text += f", fee {r.fee_cents / CENTS_PER_USD:.2f} USD, {r.leaves_lots} left"
        if r.refusal is not Refusal.NONE:
            text += f", refused by rule {r.refusal.name}"
        lines.append(text + (f" ({r.text})." if r.text else "."))
    lines = lines or ["Execution has reported nothing about it yet."]
    lines += [f"The manager asked for its cancel at {clock(at_ns)}: {why}." for at_ns, why in found.cancels]
    facts = {
        "reports": [
            {"sequence": r.sequence, "status": r.ord_status.name, "last_lots": r.last_lots, "last_ticks": r.last_ticks}
            for r in found.reports
        ]
    }
    return Chapter("5. Execution", tuple(lines), facts)


def _position(found: _Found, entries: Sequence[JournalEntry], universe: Universe, book: Book | None) -> Chapter:
    row = found.order.instrument
    traded, clients = _changes(entries, row, max((r.sequence for r in found.reports if r.last_lots), default=0))
    opening = int(book.net_lots(len(universe))[row]) if book is not None else 0
    filled = sum(r.last_lots for r in found.reports)
    if not filled:
        line = "Nothing was filled; the position did not change."
    else:
        start = f"{opening:+d} in the opening book, " if book is not None else ""
        line = f"{filled} of {found.order.quantity_lots} lots filled. {found.order.instrument_id} stands at "
        told = f", {clients:+d} told by clients since" if clients else ""
        line += f"{opening + clients + traded:+d} lots: {start}{traded:+d} traded{told}."
    facts = {"filled_lots": filled, "traded_lots": traded, "client_lots": clients, "opening_lots": opening}
    return Chapter("6. The position", (line,), facts)


def _changes(entries: Sequence[JournalEntry], row: int, last: int) -> tuple[int, int]:
    """Signed lots of a contract up to report ``last``: filled, and brought by clients' trades told meanwhile."""
    traded, clients = 0, 0
    seen: set[str] = set()
    known: dict[str, ImportedTrade] = {}
    for entry in entries:
        event = entry.event
        if isinstance(event, TradesImported):
            for trade in event.trades:
                clients += sum(e.lots for e in effects(trade, known) if e.instrument == row)
                known[trade.trade_id] = trade
        if isinstance(event, ExecutionReport):
            if event.instrument == row and event.exec_id not in seen:
                seen.add(event.exec_id)
                traded += event.side.sign * event.last_lots
            if event.sequence >= last:
                break
    return traded, clients
