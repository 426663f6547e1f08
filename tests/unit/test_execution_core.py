"""Cases of the core that a venue should never cause, and what is done about them."""

from __future__ import annotations

import pytest

from common.messages import ExecutionReport, OrdStatus, TradingState
from common.units import NS_PER_S
from execution import state as execution_state
from execution.core import step
from execution.events import (
    AskVenue,
    Cancel,
    CancelAtVenue,
    Fence,
    NewOrder,
    Persist,
    Quotes,
    Recovered,
    Report,
    Resolve,
    Send,
    SetTrading,
    Submit,
    TradingSet,
    VenueEvents,
)
from execution.hand import decide
from execution.orders import OrderRecord
from execution.state import ExecutionSetup, ExecutionState, Stored, start
from execution.store import MemoryStore
from execution.venues.port import VenueEvent, VenueKind
from tests.execution_world import T0_NS, make_limits, make_order, make_universe, standing


def leading(stored: Stored | None = None) -> ExecutionState:
    state = start(ExecutionSetup(make_universe(), make_limits(), stored or Stored()))
    step(state, Quotes(standing()))
    step(state, Fence(1, "m"))
    return state


def news(kind: VenueKind, name: str = "a", lots: int = 0, exec_id: str = "") -> VenueEvents:
    return VenueEvents((VenueEvent(kind, name, T0_NS, exec_id, lots, 1002 if lots else 0),), 0)


def reports(instructions: list) -> list[ExecutionReport]:
    return [i.report for i in instructions if isinstance(i, Report)]


def test_the_record_comes_before_the_act() -> None:
    _, out = step(leading(), Submit(make_order("a"), 0))
    assert [type(i).__name__ for i in out] == ["Persist", "Send", "Ack"]
    assert isinstance(out[0], Persist)
    assert isinstance(out[0].record, NewOrder)
    assert out[0].record.record.ord_status is OrdStatus.PENDING_NEW


@pytest.mark.parametrize(
    ("first", "lots", "cum", "words"),
    [
        (VenueKind.CANCELED, 2, 2, "after it was CANCELED"),
        (VenueKind.ACCEPTED, 5, 5, "filled 5 lots of a, which asked for 3"),
    ],
)
def test_a_fill_beyond_the_end_or_the_quantity_is_booked_once_and_pauses(
    first: VenueKind, lots: int, cum: int, words: str
) -> None:
    state = leading()
    step(state, Submit(make_order("a", lots=3), 0))
    step(state, news(first))
    before = state.orders["a"].ord_status
    _, out = step(state, news(VenueKind.FILL, lots=lots, exec_id="x"))
    assert state.exposure.position_lots[0] == cum
    assert state.orders["a"].ord_status is (before if before.terminal else OrdStatus.FILLED)
    assert (reports(out)[0].last_lots, reports(out)[0].leaves_lots) == (lots, 0)
    assert state.trading.state is TradingState.PAUSED
    assert words in state.trading.why
    assert step(state, news(VenueKind.FILL, lots=lots, exec_id="x"))[1] == []


def test_news_of_an_order_nobody_sent_pauses_but_never_lifts_a_kill() -> None:
    state = leading()
    _, out = step(state, news(VenueKind.FILL, "ghost", 1, "x"))
    assert [type(i) for i in out] == [Persist]
    assert state.trading.state is TradingState.PAUSED
    step(state, SetTrading(TradingState.KILLED, "bob", "drill", 0))
    step(state, news(VenueKind.FILL, "ghost", 1, "x"))
    assert state.trading == TradingSet(TradingState.KILLED, "bob", "drill")


def test_after_a_restart_orders_being_sent_are_unknown_and_asked_about_never_sent() -> None:
    pending = OrderRecord(make_order("a", lots=3), OrdStatus.PENDING_NEW, leaves_lots=3)
    working = OrderRecord(make_order("b", lots=3), OrdStatus.NEW, leaves_lots=3, cancel_asked=True)
    state = leading(Stored(open_records=(pending, working), last_sequence=7))
    _, out = step(state, Recovered(0))
    assert [i.client_order_id for i in out if isinstance(i, AskVenue)] == ["a", "b"]
    assert [i.client_order_id for i in out if isinstance(i, CancelAtVenue)] == ["b"]
    assert not [i for i in out if isinstance(i, Send)]
    (report,) = reports(out)
    assert (report.sequence, report.client_order_id, report.ord_status) == (8, "a", OrdStatus.UNKNOWN)
    _, out = step(state, news(VenueKind.NOT_FOUND, "a"))
    assert state.orders["a"].ord_status is OrdStatus.REJECTED
    _, out = step(state, news(VenueKind.NOT_FOUND, "b"))
    assert state.orders["b"].ord_status is OrdStatus.EXPIRED


def test_a_question_that_the_venue_does_not_answer_is_asked_again() -> None:
    """A line that is down when execution starts hears nothing: an order that ended meanwhile would be open for ever."""
    working = OrderRecord(make_order("b", lots=3), OrdStatus.NEW, leaves_lots=3)
    state = leading(Stored(open_records=(working,), last_sequence=7))
    assert step(state, Recovered(0))[1] == [AskVenue("b")]
    assert step(state, Resolve())[1] == [AskVenue("b")]
    step(state, news(VenueKind.ACCEPTED, "b"))
    assert step(state, Resolve())[1] == []
    assert step(state, news(VenueKind.CANCEL_REJECTED, "b"))[1] == [AskVenue("b")]
    assert step(state, Resolve())[1] == [AskVenue("b")]
    step(state, news(VenueKind.CANCELED, "b"))
    assert step(state, Resolve())[1] == [] and state.orders["b"].ord_status is OrdStatus.CANCELED


def test_the_cancel_of_an_unknown_order_follows_what_the_venue_says() -> None:
    state = leading(Stored(open_records=(OrderRecord(make_order("a"), OrdStatus.PENDING_NEW, leaves_lots=1),)))
    step(state, Recovered(0))
    _, out = step(state, Cancel(("a",), 1, 0))
    assert not [i for i in out if isinstance(i, CancelAtVenue)]
    _, out = step(state, news(VenueKind.ACCEPTED))
    assert [i for i in out if isinstance(i, CancelAtVenue)] == [CancelAtVenue("a")]


def test_a_cancel_that_the_venue_refuses_makes_it_tell_what_became_of_the_order() -> None:
    state = leading()
    step(state, Submit(make_order("a"), 0))
    step(state, news(VenueKind.ACCEPTED))
    assert step(state, news(VenueKind.CANCEL_REJECTED))[1] == [AskVenue("a")]
    step(state, news(VenueKind.FILL, lots=1, exec_id="x"))
    assert step(state, news(VenueKind.CANCEL_REJECTED))[1] == []


def test_finished_orders_leave_memory_and_come_back_from_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution_state, "FINISHED_KEPT", 3)
    state, store = leading(), MemoryStore()
    orders = [make_order(f"o{k}", lots=10**6) for k in range(10)]  # refused for size, so finished at once
    for order in orders:
        store.commit(decide(state, store, [Submit(order, 0)]).records)
    assert len(state.orders) == 3
    group = decide(state, store, [Submit(orders[0], 0)])
    assert group.records == []
    (ack,) = (act.ack for act in group.acts[0])
    assert (ack.duplicate, ack.ord_status, ack.text) == (True, OrdStatus.REJECTED, "size: 1000000 lots, limit 1 to 500")
    assert len(state.orders) == 3
    assert state.exposure.open_orders == 0


def test_arrival_latency_is_wall_time_at_arrival_minus_the_ticks_entry() -> None:
    _, out = step(leading(), Submit(make_order("a", receive_time_ns=NS_PER_S), NS_PER_S + 700_000))
    assert out[-1].ack.tick_to_order_ns == 700_000
