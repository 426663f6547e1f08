"""The promises, audited from the venue's own file alone: what it took and filled, against store, journal and stated positions.

The file is read here with nothing of the venue's own code, so that a mistake there cannot hide itself. A sentence each for what
is wrong; an empty list means that all held.
*Tested by* tests/unit/test_lab_audit_venue.py (each rule on a doctored file), tests/e2e/test_chaos.py.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from common.control_messages import JournalEntry
from common.errors import InputError, Problem
from common.lifecycle import outcomes, settled, settlement_at
from common.limits import Limits
from common.messages import I64, ExecutionReport, Order, OrderState, OrdStatus
from common.tactics import TacticKind
from common.universe import FUTURE, Book, Universe
from execution.limits import ExecutionLimits
from lab.audit import MAX_SHOWN_PER_RULE, orders_of
from lab.audit_combos import ROUNDING, tick_cents
from lab.audit_steering import imported_lots

_ENDS = {"CANCELED": OrdStatus.CANCELED, "REJECTED": OrdStatus.REJECTED, "EXPIRED": OrdStatus.EXPIRED}
_SIGN = {1: 1, 2: -1}


@dataclass
class VenueBook:
    """The file, sorted: lines by what they are. ``order`` has the first line of each id."""

    order: dict[str, dict[str, Any]] = field(default_factory=dict)
    repeated: list[dict[str, Any]] = field(default_factory=list)
    fills: list[dict[str, Any]] = field(default_factory=list)
    settled: list[dict[str, Any]] = field(default_factory=list)
    ends: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    lines: int = 0

    def filled(self) -> Counter[str]:
        """Lots filled per order."""
        out: Counter[str] = Counter()
        for fill in self.fills:
            out[fill["client_order_id"]] += fill["lots"]
        return out

    def status(self, name: str) -> OrdStatus | None:
        """How an order ended at the venue; None while it works."""
        if self.ends[name]:
            return _ENDS[self.ends[name][-1]]
        return OrdStatus.FILLED if self.filled()[name] == self.order[name]["lots"] else None


@dataclass(frozen=True)
class Evidence:
    """What is compared. ``positions_lots`` (n,): what ``status`` states at the end, None leaves it unchecked."""

    venue: VenueBook
    universe: Universe
    book: Book
    store_orders: Sequence[OrderState]
    store_reports: Sequence[ExecutionReport]
    entries: Sequence[JournalEntry]
    positions_lots: I64 | None
    execution_limits: ExecutionLimits
    limits: Limits | None = None


def read_venue_book(path: Path) -> VenueBook:
    """Read the file; what a kill tore off at its end is left out, with it a line whose next is missing.

    Raises ``InputError`` with the line that is broken.
    """
    book = VenueBook()
    text = path.read_text(encoding="utf-8")
    lines = text[: text.rfind("\n") + 1].splitlines()
    while lines and '"with_next": true' in lines[-1]:
        lines.pop()
    for number, line in enumerate(lines, start=1):
        try:
            said = json.loads(line)
            kind, name, sequence = said["kind"], said["client_order_id"], said["sequence"]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise InputError(str(path), [Problem(number, f"no line of a venue: {error}")], "restore the file") from None
        book.lines = number
        if sequence != number:
            raise InputError(str(path), [Problem(number, f"carries sequence {sequence}")], "restore the file")
        if kind == "DUPLICATE" or (kind == "ORDER" and name in book.order):
            book.repeated.append(said)
        elif kind == "ORDER":
            book.order[name] = said
        elif kind == "FILL":
            book.fills.append(said)
        elif kind == "SETTLED":
            book.settled.append(said)
        elif kind in _ENDS:
            book.ends[name].append(kind)
    return book


def audit_venue(evidence: Evidence) -> list[str]:
    """Every violation in words, at most ``MAX_SHOWN_PER_RULE`` a rule."""
    found: list[str] = []
    for rule in RULES:
        said = list(rule(evidence))
        found += said[:MAX_SHOWN_PER_RULE]
        if len(said) > MAX_SHOWN_PER_RULE:
            found.append(f"{rule.__name__}: and {len(said) - MAX_SHOWN_PER_RULE} more")
    return found


def no_order_reached_it_twice(e: Evidence) -> Iterator[str]:
    """One id, one submission (promise 1)."""
    for said in e.venue.repeated:
        yield f"order {said['client_order_id']} reached the venue again (line {said['sequence']})"


def orders_are_those_decided(e: Evidence) -> Iterator[str]:
    """What reached the venue is what the journal decided and the store holds: unchanged, or a child of it that keeps to it
    (promises 1, 2)."""
    stored = {s.order.client_order_id: s.order for s in e.store_orders}
    decided = {o.client_order_id: o for _, o in orders_of(e.entries)}
    for name, said in e.venue.order.items():
        for where, all_known in (("execution's store", stored), ("the journal", decided)):
            known = all_known.get(asked(name, all_known))
            if known is None:
                yield f"order {name} is at the venue and not in {where}"
            elif not _keeps_to(said, known, child=known.client_order_id != name):
                yield f"order {name} differs between the venue and {where}"


def asked(name: str, known: Mapping[str, object]) -> str:
    """The id that was asked for: an order's own, or its parent's where it is the child ``parent.number``."""
    parent, dot, number = name.rpartition(".")
    return parent if name not in known and dot and number.isdigit() else name


def _keeps_to(said: Mapping[str, Any], order: Order, *, child: bool) -> bool:
    if (said["instrument"], said["side"]) != (order.instrument, int(order.side)):
        return False
    if not child:
        return (said["lots"], said["ticks"]) == (order.quantity_lots, order.limit_ticks)
    beyond = (said["ticks"] - order.limit_ticks) * order.side.sign
    return bool(said["lots"] <= order.quantity_lots and beyond <= 0)


def every_order_ended(e: Evidence) -> Iterator[str]:
    """Terminal everywhere, and alike: none is lost, none works on unseen (promise 2)."""
    filled = e.venue.filled()
    states = {s.order.client_order_id: s for s in e.store_orders}
    for name, said in e.venue.order.items():
        ends, lots = e.venue.ends[name], filled[name]
        if len(ends) + (lots == said["lots"]) != 1:
            yield f"order {name} ended {len(ends)} times at the venue with {lots} of {said['lots']} lots filled"
        elif name in states and states[name].ord_status is not e.venue.status(name):
            there, here = e.venue.status(name), states[name].ord_status
            yield f"order {name} ended {here.name} in the store, {there.name if there else 'never'} at the venue"
    for name, state in states.items():
        if not state.ord_status.terminal:
            yield f"order {name} is still {state.ord_status.name} in the store"
        elif _worked(state.order):
            filled_lots = sum(lots for child, lots in filled.items() if asked(child, states) == name)
            if filled_lots != state.cum_lots:
                yield f"order {name}: its children filled {filled_lots} lots, the store says {state.cum_lots}"
        elif name not in e.venue.order and state.ord_status is not OrdStatus.REJECTED:
            yield f"order {name} ended {state.ord_status.name} in the store and never reached the venue"


def _worked(order: Order) -> bool:
    """True if it reaches the venue as children only."""
    return order.tactic.kind is not TacticKind.DIRECT or order.follows is not None


def every_fill_is_booked_once(e: Evidence) -> Iterator[str]:
    """Each fill of the venue stands once in the store and once in the journal, nothing else does (promise 2)."""
    states = {s.order.client_order_id: s for s in e.store_orders}
    said = Counter(
        _fill(asked(f["client_order_id"], states), f["exec_id"], f["lots"], f["ticks"], f["fee_cents"])
        for f in e.venue.fills
    )
    journal = [entry.event for entry in e.entries if isinstance(entry.event, ExecutionReport)]
    for exec_id, count in Counter(f["exec_id"] for f in e.venue.fills).items():
        if count > 1:
            yield f"fill {exec_id} stands {count} times in the venue's file"
    for where, reports in (("the store", e.store_reports), ("the journal", journal)):
        booked = Counter(
            _fill(r.client_order_id, r.exec_id, r.last_lots, r.last_ticks, r.fee_cents) for r in reports if r.last_lots
        )
        for fill in (said - booked).elements():
            yield f"fill {fill[1]} of order {fill[0]} ({fill[2]} lots at {fill[3]}) is missing in {where}"
        for fill in (booked - said).elements():
            yield f"fill {fill[1]} of order {fill[0]} ({fill[2]} lots at {fill[3]}) in {where} is none of the venue's"


def _fill(name: str, exec_id: str, lots: int, ticks: int, fee_cents: int) -> tuple[str, str, int, int, int]:
    return name, exec_id, lots, ticks, fee_cents


def fills_keep_to_their_order(e: Evidence) -> Iterator[str]:
    """No fill without an order, beyond its quantity or its limit; of children all together, beyond their parent's.

    The limit of a combo's leg counts only together with those of the others.
    """
    states = {s.order.client_order_id: s for s in e.store_orders}
    together: Counter[str] = Counter()
    for name, lots in e.venue.filled().items():
        together[asked(name, states)] += lots
    for name, lots in together.items():
        if name in states and name not in e.venue.order and lots > states[name].order.quantity_lots:
            yield f"order {name}: its children filled {lots} lots of {states[name].order.quantity_lots}"
    for name, lots in e.venue.filled().items():
        if name not in e.venue.order:
            yield f"order {name} was filled and never taken"
        elif lots > e.venue.order[name]["lots"]:
            yield f"order {name}: {lots} lots filled of {e.venue.order[name]['lots']}"
    for f in e.venue.fills:
        order = e.venue.order.get(f["client_order_id"])
        if order is None or "combo_id" in order:
            continue
        if (f["ticks"] - order["ticks"]) * _SIGN[order["side"]] > 0:
            yield f"fill {f['exec_id']} at {f['ticks']} ticks, beyond the limit {order['ticks']}"


def combos_keep_their_ratio_and_their_net(e: Evidence) -> Iterator[str]:
    """A combo has the legs that were decided, fills them in its ratio, and costs no more than its limits come to."""
    legs: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for said in e.venue.order.values():
        if "combo_id" in said:
            legs[said["combo_id"]].append(said)
    filled, states = e.venue.filled(), {s.order.client_order_id: s for s in e.store_orders}
    paid: Counter[str] = Counter()
    for f in e.venue.fills:
        paid[f["client_order_id"]] += f["lots"] * f["ticks"]
    for combo_id, mine in legs.items():
        lead = states.get(asked(combo_id, states))
        if lead is not None and lead.order.tactic.legs != len(mine):
            yield f"combo {combo_id} has {len(mine)} legs at the venue, {lead.order.tactic.legs} were decided"
        units = {filled[leg["client_order_id"]] / leg["ratio"] for leg in mine}
        if len(units) > 1 or any(x % 1 for x in units):
            lots = ", ".join(f"{filled[leg['client_order_id']]} of {leg['client_order_id']}" for leg in mine)
            yield f"combo {combo_id} filled out of its ratio: {lots}"
        cents = {leg["client_order_id"]: _SIGN[leg["side"]] * tick_cents(e.universe, leg["instrument"]) for leg in mine}
        limit = sum(cents[leg["client_order_id"]] * leg["ratio"] * leg["ticks"] for leg in mine)
        cost = sum(cents[name] * paid[name] for name in cents)
        if mine[0]["net_limit_cents"] > limit + ROUNDING:
            yield f"combo {combo_id} may cost {mine[0]['net_limit_cents']} cents a unit, its limits come to {limit:.2f}"
        if cost > max(units) * mine[0]["net_limit_cents"] + ROUNDING:
            yield f"combo {combo_id} cost {cost:.2f} cents for {max(units):g} units at {mine[0]['net_limit_cents']} at most"


def positions_are_book_and_fills(e: Evidence) -> Iterator[str]:
    """The stated positions are the opening book plus the venue's fills (promise 5)."""
    if e.positions_lots is None:
        return
    n = len(e.universe)
    expected = e.book.net_lots(n) + imported_lots(e.book, e.entries, n).sum(axis=0)
    for f in e.venue.fills:
        order = e.venue.order.get(f["client_order_id"])
        if order is not None:
            expected[order["instrument"]] += _SIGN[order["side"]] * f["lots"]
    for said in e.venue.settled:
        _settle(e.universe, expected, said)
    for i in np.flatnonzero(expected != e.positions_lots):
        name = e.universe.instrument_id[i]
        yield f"position of {name}: {e.positions_lots[i]} lots stated, book and the venue's fills give {expected[i]}"


def settlements_are_booked_once(e: Evidence) -> Iterator[str]:
    """What the venue settled stands once in its file, once in the store and once in the journal, at one price (promise 5)."""
    said = Counter((x["exec_id"], x["instrument"], x["ticks"]) for x in e.venue.settled)
    journal = [entry.event for entry in e.entries if isinstance(entry.event, ExecutionReport)]
    for name, count in Counter(x["exec_id"] for x in e.venue.settled).items():
        if count > 1:
            yield f"settlement {name} stands {count} times in the venue's file"
    for where, reports in (("the store", e.store_reports), ("the journal", journal)):
        booked = Counter((r.exec_id, r.instrument, r.last_ticks) for r in reports if r.ord_status is OrdStatus.SETTLED)
        for name, _, ticks in ((said - booked) + (booked - said)).elements():
            yield f"settlement {name} at {ticks} ticks is not the same in the venue's file and {where}"


def _settle(universe: Universe, lots: I64, said: dict[str, Any]) -> None:
    for outcome in outcomes(universe, settlement_at(universe, said["instrument"]), said["ticks"]):
        change, _ = settled(lots, outcome)
        lots += change


def limits_held_at_the_venue(e: Evidence) -> Iterator[str]:
    """Size, notional and traded position as the venue saw them, order by order and fill by fill (promise 4)."""
    for name, said in e.venue.order.items():
        at, lots = said["instrument"], said["lots"]
        future = bool(e.universe.kind[at] == FUTURE)
        usd = lots * abs(said["ticks"]) * float(e.universe.tick_size[at]) * float(e.universe.multiplier_usd[at])
        for whose, most_lots, most_usd in _caps(e, future):
            if lots > most_lots:
                yield f"order {name}: {lots} lots, {whose} limit {most_lots}"
            if usd > most_usd:
                yield f"order {name}: {usd:.2f} USD, {whose} limit {most_usd:.2f} USD"
    traded: dict[int, int] = defaultdict(int)
    for f in e.venue.fills:
        order = e.venue.order.get(f["client_order_id"])
        if order is None:
            continue
        at = order["instrument"]
        traded[at] += _SIGN[order["side"]] * f["lots"]
        kind = e.execution_limits.future if e.universe.kind[at] == FUTURE else e.execution_limits.option
        if abs(traded[at]) > kind.max_position_lots:
            name = e.universe.instrument_id[at]
            yield f"{name}: {traded[at]} lots traded after fill {f['exec_id']}, limit {kind.max_position_lots}"


def _caps(e: Evidence, future: bool) -> Iterator[tuple[str, int, float]]:
    kind = e.execution_limits.future if future else e.execution_limits.option
    yield "execution's", kind.max_order_lots, kind.max_notional_usd
    if e.limits is not None:
        order = e.limits.order
        yield "the manager's", order.max_lots_future if future else order.max_lots_option, order.max_notional_usd


RULES: tuple[Callable[[Evidence], Iterator[str]], ...] = (
    no_order_reached_it_twice,
    orders_are_those_decided,
    every_order_ended,
    every_fill_is_booked_once,
    fills_keep_to_their_order,
    combos_keep_their_ratio_and_their_net,
    settlements_are_booked_once,
    positions_are_book_and_fills,
    limits_held_at_the_venue,
)
