"""Cancel and replace races on the pure core, after the order state change matrices of FIX 4.4, volume 4, Appendix D.

Quantities are the published ones. A row plays what the two sides say and states (quantity, filled, working) of every id at the
end; after each step lots are conserved, what works is counted once and reports have no gap.
"""

from __future__ import annotations

import pytest

from common.messages import Order, OrderAck, OrdStatus, Refusal, TimeInForce, TradingState
from execution.core import step
from execution.events import (
    Ack,
    AskVenue,
    Cancel,
    CancelAtVenue,
    Fence,
    Persist,
    Quotes,
    Recovered,
    Report,
    Send,
    SetTrading,
    Submit,
    VenueEvents,
)
from execution.hand import act, decide
from execution.state import ExecutionSetup, ExecutionState, start
from execution.store import MemoryStore
from execution.venues.port import VenueEvent, VenueKind
from tests.execution_world import T0_NS, make_limits, make_order, make_universe, standing, tight

S, K, R = OrdStatus, VenueKind, Refusal
WIDE = tight(max_order_lots=20_000, max_notional_usd=1e12, max_position_lots=10**6)
SIZES = {"X": 10_000}


def begin() -> ExecutionState:
    state = start(ExecutionSetup(make_universe(), make_limits(future=WIDE), MemoryStore().load()))
    step(state, Quotes(standing()))
    step(state, Fence(1, "m"))
    return state


def order(name: str, lots: int, original: str = "", **changes: object) -> Order:
    changes = {"time_in_force": TimeInForce.DAY, "orig_client_order_id": original, "limit_ticks": 1001} | changes
    return make_order(name, lots=lots, **changes)


class Play:
    """The two sides of a matrix. ``fills`` counts the lots of every fill told, whatever the core makes of it."""

    def __init__(self) -> None:
        self.state = begin()
        self.fills = 0
        self.out: list = []
        self.sequence = 0

    def do(self, event) -> list:
        _, self.out = step(self.state, event)
        for written in (i.record for i in self.out if isinstance(i, Persist)):
            if hasattr(written, "exec_id"):
                self.sequence += 1
                assert written.sequence == self.sequence
        self.conserved()
        return self.out

    def play(self, *said) -> None:
        verb, name, *rest = said
        if verb == "order":
            self.do(Submit(order(name, rest[0]), 0))
        elif verb == "replace":
            self.do(Submit(order(name, rest[1], rest[0]), 0))
        elif verb == "cancel":
            self.do(Cancel((name,), 1, 0))
        elif verb == "trade":
            self.fills += rest[0]
            event = VenueEvent(K.FILL, name, T0_NS, f"E{self.fills}", rest[0], 1002)
            self.do(VenueEvents((event,), 0))
        else:
            self.do(VenueEvents((VenueEvent(K[verb], name, T0_NS),), 0))

    def conserved(self) -> None:
        records = self.state.orders.values()
        assert self.state.exposure.position_lots.get(0, 0) == self.fills == sum(r.own_lots for r in records)
        works = self.state.exposure.working_buy_lots.get(0, 0)
        assert works == sum(r.leaves_lots for r in records if r.open)
        for r in records:
            if r.open and not r.replacement_asked:
                assert r.cum_lots + r.leaves_lots == r.order.quantity_lots
        assert self.state.exposure.open_orders == len(self.state.open) == sum(r.open for r in records)

    @property
    def ack(self) -> OrderAck:
        return next(i.ack for i in self.out if isinstance(i, Ack))

    def sent(self, kind: type) -> list[str]:
        return [i.order.client_order_id if kind is Send else i.client_order_id for i in self.out if isinstance(i, kind)]


#: Scenario of Appendix D: what is said, and (status, quantity, filled, working) of each id at the end.
MATRICES = {
    "A.1.a filled order": (
        "order X 10000, ACCEPTED X, trade X 2000, trade X 1000, trade X 7000",
        {"X": (S.FILLED, 10_000, 10_000, 0)},
    ),
    "B.1.a cancel of a zero-filled order": (
        "order X 10000, ACCEPTED X, cancel X, CANCELED X",
        {"X": (S.CANCELED, 10_000, 0, 0)},
    ),
    "B.1.b cancel of a part-filled order, executions occur whilst the cancel request is active": (
        "order X 10000, ACCEPTED X, trade X 2000, cancel X, trade X 5000, CANCELED X",
        {"X": (S.CANCELED, 10_000, 7000, 0)},
    ),
    "B.1.c cancel of an order that becomes filled before the cancel can be accepted": (
        "order X 10000, ACCEPTED X, trade X 2000, cancel X, trade X 8000, CANCEL_REJECTED X",
        {"X": (S.FILLED, 10_000, 10_000, 0)},
    ),
    "B.1.d cancel of an order that has not yet been acknowledged": (
        "order X 10000, cancel X, ACCEPTED X, CANCELED X",
        {"X": (S.CANCELED, 10_000, 0, 0)},
    ),
    "B.1.e cancel of an order that has been filled": (
        "order X 10000, ACCEPTED X, trade X 10000, cancel X",
        {"X": (S.FILLED, 10_000, 10_000, 0)},
    ),
    "C.1.a zero-filled order, replace to increase the quantity": (
        "order X 10000, ACCEPTED X, replace Y X 11000, REPLACED Y, trade Y 1000, trade Y 2000",
        {"X": (S.REPLACED, 10_000, 0, 0), "Y": (S.PARTIALLY_FILLED, 11_000, 3000, 8000)},
    ),
    "C.1.b part-filled order, replace to increase, execution occurs whilst the order is pending replace": (
        "order X 10000, ACCEPTED X, trade X 1000, replace Y X 12000, trade X 100, REPLACED Y, trade Y 10900",
        {"X": (S.REPLACED, 10_000, 1100, 0), "Y": (S.FILLED, 12_000, 12_000, 0)},
    ),
    "C.1.b rejected": (
        "order X 10000, ACCEPTED X, trade X 1000, replace Y X 12000, trade X 100, REPLACE_REJECTED Y",
        {"X": (S.PARTIALLY_FILLED, 10_000, 1100, 8900), "Y": (S.REJECTED, 12_000, 0, 0)},
    ),
    "C.1.c filled order, replace to increase the quantity, the request and the last fill pass each other": (
        "order X 10000, ACCEPTED X, replace Y X 12000, trade X 10000, REPLACED Y, trade Y 2000",
        {"X": (S.FILLED, 10_000, 10_000, 0), "Y": (S.FILLED, 12_000, 12_000, 0)},
    ),
    "C.2.a replace, not for quantity, is rejected as a fill has occurred": (
        "order X 10000, ACCEPTED X, trade X 1000, replace Y X 10000, trade X 9000, REPLACE_REJECTED Y",
        {"X": (S.FILLED, 10_000, 10_000, 0), "Y": (S.REJECTED, 10_000, 0, 0)},
    ),
    "C.2.b replace whilst execution is being reported, requested quantity exceeds the filled: replaced then filled": (
        "order X 10000, ACCEPTED X, trade X 1000, replace Y X 8000, trade X 500, trade X 100, REPLACED Y, trade Y 6400",
        {"X": (S.REPLACED, 10_000, 1600, 0), "Y": (S.FILLED, 8000, 8000, 0)},
    ),
    "C.2.c replace whilst execution is being reported, requested quantity equals the filled": (
        "order X 10000, ACCEPTED X, replace Y X 7000, trade X 7000, REPLACED Y",
        {"X": (S.REPLACED, 10_000, 7000, 0), "Y": (S.FILLED, 7000, 7000, 0)},
    ),
    "C.2.d replace whilst execution is being reported, requested quantity is below the filled": (
        "order X 10000, ACCEPTED X, replace Y X 7000, trade X 8000, REPLACED Y",
        {"X": (S.REPLACED, 10_000, 8000, 0), "Y": (S.FILLED, 7000, 8000, 0)},
    ),
    "C.3.a one replace is accepted, another one is accepted": (
        "order X 10000, ACCEPTED X, trade X 1000, replace Y X 8000, trade X 500, REPLACED Y, trade Y 2000, "
        "replace Z Y 6000, REPLACED Z, trade Z 2500",
        {
            "X": (S.REPLACED, 10_000, 1500, 0),
            "Y": (S.REPLACED, 8000, 3500, 0),
            "Z": (S.FILLED, 6000, 6000, 0),
        },
    ),
    "C.3.b, C.3.c one replace is rejected, then another is accepted": (
        "order X 10000, ACCEPTED X, trade X 1000, replace Y X 8000, REPLACE_REJECTED Y, trade X 500, "
        "replace Z X 6000, REPLACED Z, trade Z 4500",
        {
            "X": (S.REPLACED, 10_000, 1500, 0),
            "Y": (S.REJECTED, 8000, 0, 0),
            "Z": (S.FILLED, 6000, 6000, 0),
        },
    ),
    "C.4.c one replace followed at once by another, the second rejected as the order is pending replace": (
        "order X 10000, ACCEPTED X, trade X 1000, replace Y X 8000, replace Z Y 7000, REPLACED Y, trade Y 2000",
        {
            "X": (S.REPLACED, 10_000, 1000, 0),
            "Y": (S.PARTIALLY_FILLED, 8000, 3000, 5000),
            "Z": (S.REJECTED, 7000, 0, 0),
        },
    ),
    "cancel of a replaced order goes to what replaced it": (
        "order X 10000, ACCEPTED X, trade X 1000, replace Y X 8000, cancel X, REPLACED Y, CANCEL_REJECTED X, CANCELED Y",
        {"X": (S.REPLACED, 10_000, 1000, 0), "Y": (S.CANCELED, 8000, 1000, 0)},
    ),
    "the order is cancelled whilst it is pending replace": (
        "order X 10000, ACCEPTED X, trade X 1000, replace Y X 8000, CANCELED X, REPLACE_REJECTED Y",
        {"X": (S.CANCELED, 10_000, 1000, 0), "Y": (S.REJECTED, 8000, 0, 0)},
    ),
    "replace of an order that has not yet been acknowledged": (
        "order X 10000, replace Y X 9000, ACCEPTED X, REPLACED Y",
        {"X": (S.REPLACED, 10_000, 0, 0), "Y": (S.NEW, 9000, 0, 9000)},
    ),
    "a fill under the new id comes before the replace is confirmed": (
        "order X 10000, ACCEPTED X, trade X 1000, replace Y X 8000, trade Y 3000, REPLACED Y",
        {"X": (S.REPLACED, 10_000, 1000, 0), "Y": (S.PARTIALLY_FILLED, 8000, 4000, 4000)},
    ),
    "a fill under the old id comes after the replace is confirmed": (
        "order X 10000, ACCEPTED X, replace Y X 8000, REPLACED Y, trade X 3000, trade Y 5000",
        {"X": (S.REPLACED, 10_000, 3000, 0), "Y": (S.FILLED, 8000, 8000, 0)},
    ),
    "a fill under the first id comes after two replaces": (
        "order X 10000, ACCEPTED X, replace Y X 8000, REPLACED Y, replace Z Y 6000, REPLACED Z, trade X 6000",
        {
            "X": (S.REPLACED, 10_000, 6000, 0),
            "Y": (S.REPLACED, 8000, 6000, 0),
            "Z": (S.FILLED, 6000, 6000, 0),
        },
    ),
}


@pytest.mark.parametrize("scenario", MATRICES)
def test_appendix_d(scenario: str) -> None:
    play = Play()
    script, expected = MATRICES[scenario]
    for line in script.split(", "):
        verb, name, *rest = line.split()
        play.play(verb, name, *(int(r) if r.isdigit() else r for r in rest))
    found = {
        name: (r.ord_status, r.order.quantity_lots, r.cum_lots, r.leaves_lots) for name, r in play.state.orders.items()
    }
    assert found == expected
    assert play.state.trading.state is TradingState.ACTIVE


def played(*lines: str) -> Play:
    play = Play()
    for line in lines:
        verb, name, *rest = line.split()
        play.play(verb, name, *(int(r) if r.isdigit() else r for r in rest))
    return play


@pytest.mark.parametrize(
    ("before", "request_", "refusal"),
    [
        ((), order("Y", 5, "X"), R.UNKNOWN_ORDER),
        (("order X 10", "trade X 10"), order("Y", 12, "X"), R.TOO_LATE),
        (("order X 10", "ACCEPTED X"), order("Y", 12, "X", instrument=1, instrument_id="AAA.C1"), R.UNKNOWN_ORDER),
        (("order X 10", "ACCEPTED X", "cancel X"), order("Y", 12, "X"), R.PENDING_CHANGE),
        (("order X 10", "ACCEPTED X", "replace Y X 9"), order("Z", 12, "X"), R.PENDING_CHANGE),
        (("order X 10", "UNCERTAIN X"), order("Y", 12, "X"), R.PENDING_CHANGE),
        (("order X 10", "ACCEPTED X"), order("Y", 12, "Y"), R.MALFORMED),
        (("order X 10", "ACCEPTED X"), order("Y", 0, "X"), R.SIZE),
        (("order X 10", "ACCEPTED X"), order("Y", 12, "X", limit_ticks=2000), R.COLLAR),
    ],
)
def test_what_cannot_replace_is_refused_and_leaves_the_original_alone(
    before: tuple[str, ...], request_: Order, refusal: Refusal
) -> None:
    play = played(*before)
    known = dict(play.state.orders)
    play.do(Submit(request_, 0))
    assert play.ack.refusal is refusal
    assert play.sent(Send) == []
    assert {name: play.state.orders[name] for name in known} == known


def test_a_refused_replacement_stays_refused_and_the_same_again_is_a_duplicate() -> None:
    play = played("order X 10", "ACCEPTED X", "replace Y X 12")
    assert play.sent(Send) == ["Y"]
    play.play("replace", "Y", "X", 12)
    assert (play.ack.duplicate, play.ack.ord_status, play.sent(Send)) == (True, S.PENDING_NEW, [])
    play.play("replace", "Y", "X", 13)
    assert play.ack.refusal is R.ID_REUSED


def test_only_the_lots_added_count_against_the_position_limit() -> None:
    state = start(
        ExecutionSetup(make_universe(), make_limits(future=tight(max_position_lots=10)), MemoryStore().load())
    )
    step(state, Quotes(standing()))
    step(state, Fence(1, "m"))
    step(state, Submit(order("X", 8), 0))
    _, out = step(state, Submit(order("Y", 11, "X"), 0))
    assert next(i.ack for i in out if isinstance(i, Ack)).refusal is R.POSITION
    _, out = step(state, Submit(order("Z", 10, "X"), 0))
    assert next(i.ack for i in out if isinstance(i, Ack)).refusal is R.NONE
    assert state.exposure.working_buy_lots[0] == 10


def test_a_cancel_asked_of_either_follows_the_order() -> None:
    play = played("order X 10", "ACCEPTED X", "replace Y X 12", "cancel X")
    assert play.sent(CancelAtVenue) == ["X"]
    play.play("REPLACED", "Y")
    assert play.sent(CancelAtVenue) == ["Y"]
    play = played("order X 10", "ACCEPTED X", "replace Y X 12", "cancel Y")
    assert play.sent(CancelAtVenue) == ["Y"]
    play.play("REPLACE_REJECTED", "Y")
    assert play.sent(CancelAtVenue) == ["X"]


def test_a_kill_reaches_both_sides_of_a_pending_replace() -> None:
    play = played("order X 10", "ACCEPTED X", "replace Y X 12")
    play.do(SetTrading(TradingState.KILLED, "bob", "drill", 0))
    assert play.sent(CancelAtVenue) == ["X", "Y"]


def test_after_a_crash_the_venue_is_asked_about_both_and_the_replacement_is_never_sent_again() -> None:
    play = played("order X 10", "ACCEPTED X", "trade X 3", "replace Y X 12")
    play.do(Recovered(0))
    assert play.sent(AskVenue) == ["X", "Y"]
    assert play.sent(Send) == []
    play.play("NOT_FOUND", "Y")
    assert play.state.orders["Y"].ord_status is S.REJECTED
    play.play("replace", "Z", "X", 12)
    assert play.ack.refusal is R.NONE
    play.do(Recovered(0))
    play.play("REPLACED", "Z")
    assert (play.state.orders["Z"].cum_lots, play.state.orders["Z"].leaves_lots) == (3, 9)


def test_a_fill_told_under_both_ids_is_booked_once() -> None:
    play = played("order X 10", "ACCEPTED X", "trade X 3", "replace Y X 12", "REPLACED Y")
    for name in ("X", "Y"):
        again = VenueEvent(K.FILL, name, T0_NS, "E3", 3, 1002)
        assert play.do(VenueEvents((again,), 0)) == []


def test_more_than_the_replacement_asked_for_is_booked_and_pauses() -> None:
    play = played("order X 10", "ACCEPTED X", "replace Y X 5", "REPLACED Y", "trade X 7")
    assert play.state.orders["Y"].ord_status is S.FILLED
    assert play.state.trading.state is TradingState.PAUSED
    assert "7 lots of Y, which asked for 5" in play.state.trading.why


def test_a_late_fill_finds_its_orders_in_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("execution.state.FINISHED_KEPT", 1)
    state, store = begin(), MemoryStore()
    quiet = type("Quiet", (), {"submit": lambda *_: [], "replace": lambda *_: []})()

    def carry(event) -> list:
        group = decide(state, store, [event])
        store.commit(group.records)
        return act(group, quiet, T0_NS).reports

    def told(kind: VenueKind, name: str, lots: int = 0) -> list:
        return carry(VenueEvents((VenueEvent(kind, name, T0_NS, f"{name}{lots}", lots, 1002),), 0))

    carry(Submit(order("X", 10), 0))
    told(K.ACCEPTED, "X")
    carry(Submit(order("Y", 12, "X"), 0))
    told(K.REPLACED, "Y")
    for k in range(5):
        carry(Submit(make_order(f"o{k}", lots=10**6), 0))
    assert "X" not in state.orders
    reports = told(K.FILL, "X", 4)
    assert [(r.client_order_id, r.last_lots, r.cum_lots, r.leaves_lots) for r in reports] == [
        ("X", 4, 4, 0),
        ("Y", 0, 4, 8),
    ]
    told(K.FILL, "Y", 8)
    assert store.get(["Y"])[0].ord_status is S.FILLED
    assert [r for r in told(K.FILL, "X", 4) if isinstance(r, Report)] == []
    assert state.fills_stored == 2
