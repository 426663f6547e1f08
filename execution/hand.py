"""The order of acts that every shell keeps: decide a group, commit its records, only then act.

``InProcessExecution`` calls the three one after the other; ``Engine`` awaits the commit in between. Nothing here waits.
*Tested by* tests/properties/test_execution_core.py, tests/unit/test_execution_inprocess.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from common.errors import Unavailable
from common.messages import ExecutionReport, Order, OrderAck
from execution.core import names, step
from execution.events import (
    Ack,
    AskVenue,
    CancelAllAtVenue,
    CancelAtVenue,
    Event,
    Instruction,
    Loaded,
    Persist,
    Record,
    Report,
    Send,
    SendCombo,
)
from execution.state import ExecutionState
from execution.store import Store
from execution.venues.port import Ability, CancelsAll, Venue, VenueEvent, VenueKind


@dataclass(slots=True)
class Group:
    """What a group of events leads to: records to commit first, then per event what to do."""

    records: list[Record] = field(default_factory=list)
    acts: list[list[Instruction]] = field(default_factory=list)


@dataclass(slots=True)
class Outcome:
    """What acting led to: answers and cancels per event of the group, reports in sequence, and what the venue said."""

    acks: list[list[OrderAck]] = field(default_factory=list)
    cancels: list[int] = field(default_factory=list)
    reports: list[ExecutionReport] = field(default_factory=list)
    venue: list[VenueEvent] = field(default_factory=list)


def decide(state: ExecutionState, store: Store, events: Sequence[Event]) -> Group:
    """Step every event. Orders out of memory are fetched from the store before the event that names them."""
    group = Group()
    for event in events:
        missing = [name for name in names(event) if name not in state.orders]
        while missing and (found := store.get(missing)):
            step(state, Loaded(tuple(found)))
            # What was replaced speaks of its replacement, too.
            missing = [r.replaced_by for r in found if r.replaced_by and r.replaced_by not in state.orders]
        _, instructions = step(state, event)
        acts: list[Instruction] = []
        for instruction in instructions:
            if isinstance(instruction, Persist):
                group.records.append(instruction.record)
            else:
                acts.append(instruction)
        group.acts.append(acts)
    return group


def act(group: Group, venue: Venue, now_ns: int) -> Outcome:
    """Carry out what a committed group decided, at market time ``now_ns``."""
    outcome = Outcome()
    for acts in group.acts:
        acks: list[OrderAck] = []
        cancels = 0
        for instruction in acts:
            match instruction:
                case Ack(ack):
                    acks.append(ack)
                case Report(report):
                    outcome.reports.append(report)
                case _:
                    cancels += isinstance(instruction, CancelAtVenue)
                    outcome.venue += _at_venue(instruction, venue, now_ns)
        outcome.acks.append(acks)
        outcome.cancels.append(cancels)
    return outcome


def _at_venue(instruction: Instruction, venue: Venue, now_ns: int) -> list[VenueEvent]:
    """An unreachable venue makes an order uncertain; cancels and questions are repeated by whoever asks again."""
    match instruction:
        case Send(order):
            at_ns = max(now_ns, order.event_time_ns)
            try:
                if order.orig_client_order_id:
                    return venue.replace(order.orig_client_order_id, order, at_ns)
                return venue.submit(order, at_ns)
            except Unavailable as error:
                return [VenueEvent(VenueKind.UNCERTAIN, order.client_order_id, now_ns, text=str(error))]
        case SendCombo(legs):
            return _combo_sent(venue, legs, now_ns)
        case CancelAtVenue(name):
            try:
                return venue.cancel(name, now_ns)
            except Unavailable:
                return []
        case CancelAllAtVenue():
            if isinstance(venue, CancelsAll):
                venue.cancel_all(now_ns)
        case AskVenue(name):
            try:
                return venue.ask(name, now_ns)
            except Unavailable:
                return []
    return []


def _combo_sent(venue: Venue, legs: tuple[Order, ...], now_ns: int) -> list[VenueEvent]:
    """One order; where it did not get out for certain, every leg of it is uncertain."""
    try:
        return Ability(venue).submit_combo(legs, max(now_ns, *(leg.event_time_ns for leg in legs)))
    except Unavailable as error:
        return [VenueEvent(VenueKind.UNCERTAIN, leg.client_order_id, now_ns, text=str(error)) for leg in legs]
