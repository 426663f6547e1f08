"""Looks at a venue that is asked order by order: which orders to ask about, and what its answers are compared with.

Asked about is every order of the venue's day that reached it, and every open one: on demand all of them, on the timer those with
anything new since the last look. An order that ended on both sides and was the same then cannot change without a report.
*Tested by* tests/integration/test_fix_reconcile.py.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Final

from common.messages import OrdStatus, Refusal
from execution.engine import Engine
from execution.orders import OrderRecord
from execution.reconcile import BreakKind, Difference
from execution.reconcile_totals import Booked, order_difference
from execution.tactics.order import worked
from execution.venues.statement import CountingVenue, OrderTotal

#: Orders asked about in one look at most, the latest of the day.
ASKED: Final = 4_000
_READ: Final = 1_000
#: Orders compared between two groups of the engine.
_AT_ONCE: Final = 100
CANNOT_SHOW: Final = "single fills by their ids, and positions that come from elsewhere"


@dataclass(frozen=True, slots=True)
class Look:
    """What one look found; ``positions``: contracts in which the orders asked about have traded, net."""

    found: tuple[Difference, ...]
    orders: int
    positions: int
    not_compared: str


@dataclass(slots=True)
class _Answers:
    found: list[Difference] = field(default_factory=list)
    lots: dict[int, int] = field(default_factory=dict)


class Counts:
    """One a reconciler."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        #: Reports up to this one have been looked at by the timer; orders that differed then are asked about again.
        self._report = 0
        self._differing: set[str] = set()
        self.begun = False

    async def look(self, venue: CountingVenue, *, full: bool) -> Look:
        """Raises ``Unavailable`` as ``CountingVenue.totals``; nothing is noted then."""
        up_to = self._engine.state.sequence
        names, cut = await self._named(venue, 0 if full else self._report, up_to)
        look = await self._ask(venue, [*names, *(self._differing - set(names))], cut)
        if not full:
            self._report, self.begun = up_to, True
        self._differing |= _orders(look.found)
        return look

    async def again(self, venue: CountingVenue, found: tuple[Difference, ...]) -> Look:
        """A second look at what differed."""
        look = await self._ask(venue, sorted(_orders(found)), cut=False)
        self._differing = _orders(look.found)
        return look

    async def _named(self, venue: CountingVenue, after: int, up_to: int) -> tuple[list[str], bool]:
        """Open orders, and those with a report of the day after number ``after``, the latest first; whether some are left out."""
        engine = self._engine
        names = dict.fromkeys(engine.state.open)
        last = up_to
        begin_ns = venue.day_start_ns(engine.state.now_ns)
        while last > after:
            first = max(last - _READ, after) + 1
            page = engine.store.reports(first, last - first + 1)
            of_day = [r for r in page if r.event_time_ns >= begin_ns and r.ord_status is not OrdStatus.SETTLED]
            names |= dict.fromkeys(r.child_order_id or r.client_order_id for r in reversed(of_day))
            if len(names) > ASKED:
                return list(islice(names, ASKED)), True
            if page and not of_day:
                break
            last = first - 1
            await asyncio.sleep(0)
        return list(names), False

    async def _ask(self, venue: CountingVenue, names: list[str], cut: bool) -> Look:
        sent: list[str] = []
        for at in range(0, len(names), _AT_ONCE):
            await self._engine.at_rest(partial(self._sent, names[at : at + _AT_ONCE], sent))
        stated = await venue.totals(sent)
        answers = _Answers()
        for at in range(0, len(stated.orders), _AT_ONCE):
            await self._engine.at_rest(partial(self._compare, stated.orders[at : at + _AT_ONCE], answers))
        unknown = BreakKind.ORDER_UNKNOWN
        strangers = [Difference(unknown, name, name, "none", text) for name, text in stated.strangers.items()]
        left_out = f"; orders of the day before the last {ASKED:,}" if cut else ""
        positions = sum(1 for lots in answers.lots.values() if lots)
        return Look((*answers.found, *strangers), len(stated.orders), positions, CANNOT_SHOW + left_out)

    def _sent(self, names: list[str], out: list[str]) -> None:
        """Those of ``names`` that the venue has been sent and that are not on their way to it."""
        out += [r.order.client_order_id for r in self._engine.store.get(names) if _was_sent(r)]

    def _compare(self, stated: tuple[OrderTotal, ...], answers: _Answers) -> None:
        store = self._engine.store
        records = {r.order.client_order_id: r for r in store.get([total.client_order_id for total in stated])}
        for total in stated:
            record = records[total.client_order_id]
            ours = Booked(record, *self._booked(record))
            at = record.order.instrument
            answers.lots[at] = answers.lots.get(at, 0) + record.order.side.sign * total.cum_lots
            difference = order_difference(ours, total)
            if difference is not None:
                answers.found.append(difference)

    def _booked(self, record: OrderRecord) -> tuple[int, int]:
        """Lots and lots × ticks of an order and of those it has taken the place of."""
        fills = self._engine.store.fills(record.order.client_order_id)
        lots = sum(r.last_lots for r in fills)
        notional = sum(r.last_lots * r.last_ticks for r in fills)
        if record.inherited_lots:
            for original in self._engine.store.get([record.order.orig_client_order_id]):
                before = self._booked(original)
                lots, notional = lots + before[0], notional + before[1]
        return lots, notional


def _was_sent(record: OrderRecord) -> bool:
    """A worked order is there as its children; what a check refused never left; what was replaced counts for its replacement."""
    gone = record.ord_status in (OrdStatus.PENDING_NEW, OrdStatus.REPLACED)
    return not gone and record.refusal is Refusal.NONE and not worked(record.order)


def _orders(found: tuple[Difference, ...]) -> set[str]:
    return {d.client_order_id for d in found if d.kind is not BreakKind.ORDER_UNKNOWN}
