"""Desks recounted from the journal alone: every crossing is fair and adds to nothing, every desk's position adds up.

A desk's position is its opening book, its part of the fills, and what it crossed (promise 5). The parts of a fill are
dealt anew here, lot by lot to the agent furthest behind its share.
*Tested by* tests/unit/test_lab_audit_desks.py (each rule on a doctored run).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from common.control_messages import Crossing, Cycle, JournalEntry, LeaderStarted
from common.factors import desk_of
from common.messages import I64, ExecutionReport, Order
from common.universe import Book, Universe
from lab.audit_steering import imported_lots
from lab.settled import after_settlements


def desk_violations(
    universe: Universe, book: Book, entries: Sequence[JournalEntry], desk_lots: I64 | None
) -> Iterator[str]:
    """What is wrong, in words. ``desk_lots`` (desks, n): positions somebody claims; None leaves them unchecked."""
    cycles = [entry.event for entry in entries if isinstance(entry.event, Cycle)]
    entity = {desk.name: desk.legal_entity for desk in book.desks} if len(book.desks) > 1 else {}
    named = Counter(c.crossing_id for cycle in cycles for c in cycle.crossings)
    yield from (f"crossing {name} stands {count} times in the journal" for name, count in named.items() if count > 1)
    for cycle in cycles:
        for crossing in cycle.crossings:
            yield from crossing_violations(crossing, entity, cycle.cycle_id)
        if entity:
            yield from cycle_violations(cycle)
    for order in _orders(entries):
        for agent, _ in order.allocation:
            if (desk_of(agent) in entity) != bool(entity):
                yield f"order {order.client_order_id} is for {agent}, of no desk of this book"
    if desk_lots is not None:
        yield from _positions(universe, book, entries, cycles, desk_lots)


def crossing_violations(c: Crossing, entity: Mapping[str, str], cycle_id: str) -> Iterator[str]:
    """What is wrong with one crossing, in words. ``entity``: legal entity of each desk."""
    where = f"cycle {cycle_id}: crossing {c.crossing_id}"
    if c.buyer not in entity or c.seller not in entity or c.buyer == c.seller:
        yield f"{where} is between {c.buyer!r} and {c.seller!r}"
    elif entity[c.buyer] != entity[c.seller]:
        yield f"{where} is between {entity[c.buyer]} and {entity[c.seller]}, two legal entities"
    for desk, side in ((c.buyer, c.bought), (c.seller, c.sold)):
        total = sum(lots for _, lots in side)
        if total != c.lots or c.lots <= 0 or any(lots <= 0 for _, lots in side):
            yield f"{where}: {desk} has {total} lots for its agents, {c.lots} are crossed"
        strangers = [agent for agent, _ in side if desk_of(agent) != desk]
        if strangers:
            yield f"{where}: {', '.join(strangers)} of another desk than {desk}"
    if not c.bid_ticks < c.ask_ticks:
        yield f"{where} is priced off a quote of {c.bid_ticks} bid, {c.ask_ticks} asked"


def cycle_violations(cycle: Cycle) -> Iterator[str]:
    """Each desk's lots are its part of the orders and its crossings; over the desks only the orders are left."""
    column = {instrument: j for j, instrument in enumerate(cycle.menu.tolist())}
    expected = np.zeros(cycle.desk_lots.shape, np.int64)
    for order in cycle.orders:
        for agent, lots in order.allocation:
            if desk_of(agent) in cycle.desk:
                expected[cycle.desk.index(desk_of(agent)), column[order.instrument]] += lots
    for c in cycle.crossings:
        for desk, lots in ((c.buyer, c.lots), (c.seller, -c.lots)):
            if desk in cycle.desk:
                expected[cycle.desk.index(desk), column[c.instrument]] += lots
    for d, j in zip(*np.nonzero(expected != cycle.desk_lots), strict=True):
        wrong = f"{cycle.desk_lots[d, j]} lots decided, orders and crossings give {expected[d, j]}"
        yield f"cycle {cycle.cycle_id}: desk {cycle.desk[d]}, instrument {cycle.menu[j]}: {wrong}"
    for j in np.flatnonzero(cycle.desk_lots.sum(axis=0) != cycle.ordered_lots):
        yield f"cycle {cycle.cycle_id}: instrument {cycle.menu[j]}: the desks' lots are not what was ordered"


def _orders(entries: Sequence[JournalEntry]) -> Iterator[Order]:
    for entry in entries:
        if isinstance(entry.event, Cycle):
            yield from entry.event.orders
        elif isinstance(entry.event, LeaderStarted):
            yield from (state.order for state in entry.event.recovered)


def _positions(
    universe: Universe, book: Book, entries: Sequence[JournalEntry], cycles: Iterable[Cycle], claimed: I64
) -> Iterator[str]:
    row = {name: d for d, name in enumerate(book.desk_names)}
    expected = book.desk_lots(len(universe)) + imported_lots(book, entries, len(universe))
    for name, at, lots in _filled(entries):
        expected[row.get(name, 0), at] += lots
    for cycle in cycles:
        for c in cycle.crossings:
            expected[row.get(c.buyer, 0), c.instrument] += c.lots
            expected[row.get(c.seller, 0), c.instrument] -= c.lots
    reports = (e.event for e in entries if isinstance(e.event, ExecutionReport))
    expected = after_settlements(universe, expected, reports)
    for d, j in zip(*np.nonzero(expected != claimed), strict=True):
        wrong = f"{claimed[d, j]} lots stated, book, fills and crossings give {expected[d, j]}"
        yield f"desk {book.desk_names[d] or 'of the whole book'}: {universe.instrument_id[j]}: {wrong}"


def _filled(entries: Sequence[JournalEntry]) -> Iterator[tuple[str, int, int]]:
    """(desk, instrument, signed lots) of every lot group filled; the first desk's where nobody ordered it."""
    order_of = {order.client_order_id: order for order in _orders(entries)}
    got: dict[str, Counter[str]] = defaultdict(Counter)
    seen: set[str] = set()
    for entry in entries:
        r = entry.event
        if not isinstance(r, ExecutionReport) or not r.last_lots or r.exec_id in seen:
            continue
        seen.add(r.exec_id)
        order, mine = order_of.get(r.client_order_id), got[r.client_order_id]
        for _ in range(r.last_lots):
            agent = "" if order is None else furthest_behind(order, mine)
            mine[agent] += 1
            yield desk_of(agent), r.instrument, r.side.sign


def furthest_behind(order: Order, got: Counter[str]) -> str:
    """Agent that the next lot of an order is for: the one furthest behind its share, the first of equals."""
    filled = got.total() + 1
    behind = [
        (abs(share) * filled - got[a] * order.quantity_lots, a) for a, share in order.allocation if got[a] < abs(share)
    ]
    most = max((lag for lag, _ in behind), default=0)
    return next((a for lag, a in behind if lag == most), order.allocation[0][0] if order.allocation else "")
