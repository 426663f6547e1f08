"""Cancel on disconnect in the core: who counts as there, what is cancelled, what the record says of it."""

from __future__ import annotations

import pytest

from common.messages import ExecutionReport, OrdStatus, TimeInForce, TradingState
from execution.alone import Alone
from execution.core import step
from execution.events import (
    Cancel,
    CancelAtVenue,
    Fence,
    LeftAlone,
    NewOrder,
    Persist,
    Quotes,
    Report,
    Submit,
    VenueEvents,
)
from execution.orders import OrderRecord
from execution.state import ExecutionSetup, ExecutionState, Stored, start
from execution.venues.port import VenueEvent, VenueKind
from tests.execution_world import T0_NS, make_limits, make_order, make_universe, standing

WHY = "no manager for 10 s"


def working(*names: str) -> ExecutionState:
    """Resting orders of a leader."""
    state = start(ExecutionSetup(make_universe(), make_limits(), Stored()))
    step(state, Quotes(standing()))
    step(state, Fence(1, "m"))
    for name in names:
        step(state, Submit(make_order(name, lots=3, limit_ticks=990, time_in_force=TimeInForce.DAY), 0))
        step(state, said(VenueKind.ACCEPTED, name))
    return state


def said(kind: VenueKind, name: str, text: str = "") -> VenueEvents:
    return VenueEvents((VenueEvent(kind, name, T0_NS, text=text),), 0)


def cancels(instructions: list) -> list[str]:
    return [i.client_order_id for i in instructions if isinstance(i, CancelAtVenue)]


def reports(instructions: list) -> list[ExecutionReport]:
    return [i.report for i in instructions if isinstance(i, Report)]


def test_it_counts_from_the_first_look_that_finds_nobody_and_anew_after_somebody_was_there() -> None:
    alone = Alone(10.0)
    looks = [(0, 1), (5, 0), (14, 0), (15, 0), (16, 0), (17, 1), (18, 0), (27, 0), (28, 0)]
    assert [alone.look(float(now_s), streams) for now_s, streams in looks] == [
        *(False, False, False, True, True),
        *(False, False, False, True),
    ]
    assert alone.why == WHY


def test_zero_is_never() -> None:
    alone = Alone(0.0)
    assert not any(alone.look(now_s, 0) for now_s in (0.0, 1e9))


def test_what_works_is_cancelled_with_the_reason_and_trading_goes_on() -> None:
    state = working("a", "b")
    _, out = step(state, LeftAlone(WHY, 0))
    assert cancels(out) == ["a", "b"]
    stored = [i.record for i in out if isinstance(i, Persist)]
    assert all(isinstance(r, OrderRecord) and r.cancel_asked and r.text == WHY for r in stored) and len(stored) == 2
    assert state.trading.state is TradingState.ACTIVE
    (ended,) = reports(step(state, said(VenueKind.CANCELED, "a", "cancelled as asked"))[1])
    assert (ended.ord_status, ended.text) == (OrdStatus.CANCELED, f"{WHY}; cancelled as asked")
    (ended,) = reports(step(state, said(VenueKind.CANCELED, "b"))[1])
    assert ended.text == WHY
    _, out = step(state, Submit(make_order("c"), 0))
    assert any(isinstance(i, Persist) and isinstance(i.record, NewOrder) and i.record.record.open for i in out)


def test_it_asks_again_until_the_venue_has_heard_and_stores_the_wish_once() -> None:
    state = working("a")
    step(state, LeftAlone(WHY, 0))
    _, out = step(state, LeftAlone(WHY, 0))
    assert [type(i) for i in out] == [CancelAtVenue]
    step(state, said(VenueKind.CANCELED, "a"))
    assert step(state, LeftAlone(WHY, 0))[1] == []


def test_a_cancel_that_somebody_asked_for_keeps_its_own_words() -> None:
    state = working("a")
    (record,) = [state.orders[n] for n in state.open]
    assert record.text == ""
    step(state, Cancel(("a",), 1, 0))
    step(state, LeftAlone(WHY, 0))
    (ended,) = reports(step(state, said(VenueKind.CANCELED, "a", "cancelled as asked"))[1])
    assert ended.text == "cancelled as asked"


@pytest.mark.parametrize("status", [OrdStatus.UNKNOWN, OrdStatus.PENDING_NEW])
def test_an_order_nobody_knows_of_is_cancelled_once_the_venue_says_something(status: OrdStatus) -> None:
    record = OrderRecord(make_order("a", lots=3), status, leaves_lots=3)
    state = start(ExecutionSetup(make_universe(), make_limits(), Stored(open_records=(record,))))
    _, out = step(state, LeftAlone(WHY, 0))
    assert cancels(out) == (["a"] if status is OrdStatus.PENDING_NEW else [])
    if status is OrdStatus.UNKNOWN:
        assert cancels(step(state, said(VenueKind.ACCEPTED, "a"))[1]) == ["a"]
