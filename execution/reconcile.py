"""Reconciliation: what this store has of fills, orders and positions against what the venue states. Pure.

Fills are joined by the venue's exec id, each once; the positions are compared net of the fills that one side alone has, so one
lost fill is one difference and not two. A difference may be a message on its way: it is *in doubt* until it has been seen in
two looks that lie the tolerance apart (``execution/reconciler.py``), and a break from then on.
*Tested by* tests/unit/test_reconcile.py, tests/properties/test_reconcile_in_flight.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from common.messages import ExecutionReport, OrdStatus
from execution.orders import OrderRecord
from execution.venues.statement import NO_INSTRUMENT, StatedFill, StatedOrder, VenueStatement


class BreakKind(Enum):
    """What is not the same on both sides."""

    FILL_ONLY_THERE = "fill at the venue that is not booked here"
    FILL_ONLY_HERE = "fill booked here that the venue does not state"
    FILL_DOUBLED = "fill the venue states twice"
    FILL_DIFFERS = "fill with other content"
    ORDER_UNKNOWN = "order at the venue that was never sent from here"
    ORDER_OPEN_THERE = "order open at the venue that has ended here"
    ORDER_OPEN_HERE = "order open here that is not open at the venue"
    ORDER_DIFFERS = "open order with other content"
    POSITION = "position that no fill explains"
    ORDER_LOTS = "order with other filled lots"
    ORDER_MONEY = "order with other money for its fills"
    ORDER_ONLY_HERE = "order with fills here that the venue does not know"
    ORDER_OTHER = "order that is another one at the venue"


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not the same; ``subject`` is the exec id, order id or instrument it is about."""

    kind: BreakKind
    subject: str
    client_order_id: str
    ours: str
    theirs: str
    #: How far ours had gone when the venue was asked. If it has gone on since, what differs is another difference.
    stage: str = ""

    @property
    def key(self) -> tuple[BreakKind, str]:
        """Equal for the same difference in two looks, whatever its figures were."""
        return self.kind, f"{self.subject} {self.stage}" if self.stage else self.subject

    def text(self) -> str:
        """One line for people."""
        of = f" of order {self.client_order_id}" if self.client_order_id not in ("", self.subject) else ""
        return f"{self.kind.value}: {self.subject}{of}; here {self.ours}, at the venue {self.theirs}"


@dataclass(frozen=True, slots=True)
class Ours:
    """Our side at the moment of a statement.

    ``orders``: every open record, every one the statement or a fill that differs names, and what replaced those, if known;
    without the parents of worked orders, which no venue knows.
    ``position_lots``: signed lots traded over the life of the venue's account.
    ``when_asked``: the open orders as they stood when the statement was asked for, which may be long before it came.
    """

    orders: Mapping[str, OrderRecord]
    position_lots: Mapping[int, int]
    when_asked: Mapping[str, OrdStatus]


def fill_of(report: ExecutionReport) -> StatedFill:
    """A stored fill in the venue's terms: what a child filled is booked under its parent, and stated under the child."""
    return StatedFill(
        report.exec_id,
        report.child_order_id or report.client_order_id,
        report.instrument,
        report.side.sign * report.last_lots,
        report.last_ticks,
        report.fee_cents,
        report.event_time_ns,
    )


@dataclass(slots=True)
class Join:
    """Fills of both sides that have not found each other yet, and those that found each other and disagree.

    ``began``: fills booked under report sequences up to this one are not booked here one by one.
    """

    began: int = 0
    here: dict[str, StatedFill] = field(default_factory=dict)
    there: dict[str, StatedFill] = field(default_factory=dict)
    wrong: dict[tuple[BreakKind, str], Difference] = field(default_factory=dict)
    #: Signed lots by instrument and by order by which the venue is ahead through what stands in ``wrong``.
    ahead: dict[int, int] = field(default_factory=dict)
    ahead_of_order: dict[str, int] = field(default_factory=dict)
    compared: int = 0
    #: Fills up to this market time are not looked for at the venue, which did not state them; 0 where it states all.
    cut_ns: int = 0
    begun: bool = False
    #: Since the last look there were fills at the venue that it no longer stated.
    gap: bool = False
    #: Booked at that very time: whether the venue states them is open.
    at_cut: set[str] = field(default_factory=set)

    def book(self, fill: StatedFill) -> None:
        """Take one of our fills, in the order of the reports; before any page in which the venue may state it."""
        theirs = self.there.pop(fill.exec_id, None)
        if theirs is None:
            self.here[fill.exec_id] = fill
        else:
            self._matched(fill, theirs)

    @property
    def named(self) -> set[str]:
        """Orders with a fill that differs."""
        unmatched = (*self.there.values(), *self.here.values())
        return {f.client_order_id for f in unmatched} | set(self.ahead_of_order)

    def strangers(self, stated: VenueStatement) -> list[str]:
        """Exec ids that the statement names and this join does not hold: to be looked up in the store."""
        return [f.exec_id for f in stated.fills if f.exec_id not in self.here]

    def take(self, stated: VenueStatement, stored: Mapping[str, tuple[int, StatedFill]], after: int) -> None:
        """Join a page of theirs, asked for after fill number ``after``, with what was booked.

        ``stored``: report sequence and content of what the store has of ``strangers``.
        """
        matched: set[str] = set()
        for fill in stated.fills:
            name = fill.exec_id
            taken_in = name in stored and stored[name][0] > self.began and name not in self.at_cut
            if name in matched or name in self.there or taken_in:
                self._doubled(fill)
            elif name in self.here:
                matched.add(name)
                self._matched(self.here.pop(name), fill)
            elif name in stored:
                matched.add(name)
                self._matched(stored[name][1], fill)
            else:
                self.there[name] = fill
        self.gap |= stated.first > after + 1
        if stated.first > after + 1 or not self.begun:
            # What the venue does not go back to cannot be missed there; the positions still count it.
            self.cut_ns = max(self.cut_ns, stated.from_time_ns)
        if self.cut_ns:
            self.at_cut |= {name for name, f in self.here.items() if f.event_time_ns == self.cut_ns}
            self.here = {name: f for name, f in self.here.items() if f.event_time_ns > self.cut_ns}
        self.begun = True
        self.compared += len(stated.fills)

    def _matched(self, ours: StatedFill, theirs: StatedFill) -> None:
        if _content(ours) == _content(theirs):
            return
        difference = Difference(
            BreakKind.FILL_DIFFERS, ours.exec_id, ours.client_order_id, fill_text(ours), fill_text(theirs)
        )
        self.wrong[difference.key] = difference
        self._ahead(theirs, 1)
        self._ahead(ours, -1)

    def _doubled(self, fill: StatedFill) -> None:
        difference = Difference(BreakKind.FILL_DOUBLED, fill.exec_id, fill.client_order_id, "once", "twice")
        self.wrong[difference.key] = difference
        self._ahead(fill, 1)

    def _ahead(self, fill: StatedFill, sign: int) -> None:
        moved = sign * fill.signed_lots
        self.ahead[fill.instrument] = self.ahead.get(fill.instrument, 0) + moved
        name = fill.client_order_id
        self.ahead_of_order[name] = self.ahead_of_order.get(name, 0) + sign * abs(fill.signed_lots)


def differences(join: Join, ours: Ours, stated: VenueStatement, instrument_id: Sequence[str]) -> list[Difference]:
    """Everything that is not the same now; ``stated`` is the last page. Fills first, then orders, then positions."""
    out = list(join.wrong.values())
    for fill in join.there.values():
        known = fill.client_order_id in ours.orders
        mine = "none" if known else "none, nor that order"
        out.append(Difference(BreakKind.FILL_ONLY_THERE, fill.exec_id, fill.client_order_id, mine, fill_text(fill)))
    out += [
        Difference(BreakKind.FILL_ONLY_HERE, f.exec_id, f.client_order_id, fill_text(f), "none")
        for f in join.here.values()
    ]
    out += _orders(join, ours, stated)
    out += _positions(join, ours, stated, instrument_id)
    return out


def _orders(join: Join, ours: Ours, stated: VenueStatement) -> Iterator[Difference]:
    ahead = dict(join.ahead_of_order)
    for fills, sign in ((join.there, 1), (join.here, -1)):
        for fill in fills.values():
            ahead[fill.client_order_id] = ahead.get(fill.client_order_id, 0) + sign * abs(fill.signed_lots)
    _carry_on(ahead, ours)
    for order in stated.orders:
        name = order.client_order_id
        record = ours.orders.get(name)
        theirs = order_text(order)
        if record is None:
            yield Difference(BreakKind.ORDER_UNKNOWN, name, name, "none", theirs)
        elif not record.open:
            mine = f"{record.ord_status.name} with {record.cum_lots} lots filled"
            yield Difference(BreakKind.ORDER_OPEN_THERE, name, name, mine, theirs)
        else:
            mine_order = _stated(record)
            unexplained = order.cum_lots - record.cum_lots - ahead.get(name, 0)
            if unexplained or _terms(order) != _terms(mine_order):
                yield Difference(BreakKind.ORDER_DIFFERS, name, name, order_text(mine_order), theirs)
    open_there = {order.client_order_id for order in stated.orders}
    for name, record in ours.orders.items():
        if record.open and name not in open_there:
            # An order heard of as accepted after the venue was asked need not have been there yet.
            stage = ours.when_asked[name].name if name in ours.when_asked else ""
            mine = order_text(_stated(record), record.ord_status)
            yield Difference(BreakKind.ORDER_OPEN_HERE, name, name, mine, "none", stage)


def _carry_on(ahead: dict[str, int], ours: Ours) -> None:
    """What was filled under an id counts for every one that has replaced it."""
    for name, lots in list(ahead.items()):
        record = ours.orders.get(name)
        while record is not None and (record := ours.orders.get(record.replaced_by)) is not None:
            if record.replacement_asked:
                break
            heir = record.order.client_order_id
            ahead[heir] = ahead.get(heir, 0) + lots


def _positions(join: Join, ours: Ours, stated: VenueStatement, instrument_id: Sequence[str]) -> Iterator[Difference]:
    ahead = dict(join.ahead)
    for fills, sign in ((join.there, 1), (join.here, -1)):
        for fill in fills.values():
            ahead[fill.instrument] = ahead.get(fill.instrument, 0) + sign * fill.signed_lots
    for at in sorted({*ours.position_lots, *stated.position_lots}):
        mine, theirs = ours.position_lots.get(at, 0), stated.position_lots.get(at, 0)
        if theirs - mine != ahead.get(at, 0):
            name = instrument_id[at] if 0 <= at < len(instrument_id) else f"instrument {at}"
            yield Difference(BreakKind.POSITION, name, "", f"{mine:+} lots", f"{theirs:+} lots")


def _content(fill: StatedFill) -> tuple[object, ...]:
    return fill.client_order_id, fill.instrument, fill.signed_lots, fill.ticks, fill.fee_cents


def _stated(record: OrderRecord) -> StatedOrder:
    order = record.order
    return StatedOrder(order.client_order_id, order.instrument, order.signed_lots, record.worst_ticks, record.cum_lots)


def _terms(order: StatedOrder) -> tuple[int, int, int]:
    return order.instrument, order.signed_lots, order.limit_ticks


def fill_text(fill: StatedFill) -> str:
    """A fill in words: side, lots, price, fee."""
    if fill.instrument == NO_INSTRUMENT:
        return f"{abs(fill.signed_lots)} lots at {fill.ticks} ticks of no known instrument"
    side = "bought" if fill.signed_lots > 0 else "sold"
    lots, price = abs(fill.signed_lots), f"{fill.ticks} ticks, fee {fill.fee_cents} cents"
    return f"{side} {lots} lots of instrument {fill.instrument} at {price}"


def order_text(order: StatedOrder, status: OrdStatus | None = None) -> str:
    """An open order in words."""
    side = "buy" if order.signed_lots > 0 else "sell"
    state = "open" if status is None else status.name
    return f"{state}: {side} {abs(order.signed_lots)} lots at {order.limit_ticks} ticks, {order.cum_lots} filled"
