"""Single mistakes in execution's core and checks, one a test, that every other test once let through."""

from __future__ import annotations

from itertools import pairwise

from common.messages import OrdStatus, Refusal, Side, TimeInForce, TradingState
from common.snapshot import MarketSnapshot
from common.tactics import DIRECT, Follow, Tactic, TacticKind
from execution.checks import breach
from execution.core import step
from execution.events import Ack, Cancel, Fence, Quotes, Resolve, SetTrading, Submit, VenueEvents, Work
from execution.exposure import Exposure
from execution.flow import Flow
from execution.orders import OrderRecord
from execution.state import ExecutionSetup, ExecutionState, Stored, start
from execution.venues.port import VenueEvent, VenueKind
from tests.combos_world import ComboHouse, follower, lead
from tests.execution_world import T0_NS, make_limits, make_order, make_universe, standing, tight
from tests.parents_world import House

MS = 1_000_000
PATIENT = Tactic(TacticKind.PASSIVE, urgency_percent=50, budget_ms=10_000, interval_ms=500)


def leading(**changes: object) -> ExecutionState:
    state = start(ExecutionSetup(make_universe(), make_limits(**changes), Stored()))
    step(state, Quotes(standing()))
    step(state, Fence(1, "m"))
    return state


def answer(state: ExecutionState, name: str, **content: object) -> Refusal:
    _, out = step(state, Submit(make_order(name, **content), 0))
    (ack,) = [i.ack for i in out if isinstance(i, Ack)]
    return ack.refusal


def test_cancels_count_as_messages() -> None:
    state = leading(max_messages_per_window=3)
    assert answer(state, "a", time_in_force=TimeInForce.DAY) is Refusal.NONE
    step(state, Cancel(("a",), 1, 0))
    assert answer(state, "b", lots=2) is Refusal.NONE
    assert answer(state, "c", lots=3) is Refusal.MESSAGE_RATE


def test_a_replacement_that_adds_no_lots_is_held_to_no_position_limit_and_opens_no_order() -> None:
    """The position is beyond a limit that was tightened since, and as many orders work as may."""
    universe, snapshot = make_universe(), MarketSnapshot(make_universe())
    snapshot.apply(standing())
    limits = make_limits(future=tight(max_position_lots=10), max_open_orders=1)
    exposure = Exposure({0: 50}, open_orders=1)
    original = make_order("a", lots=3, time_in_force=TimeInForce.DAY)
    closer = make_order("b", lots=3, limit_ticks=1001, orig_client_order_id="a", time_in_force=TimeInForce.DAY)
    assert breach(closer, limits, universe, snapshot, exposure, Flow(), original) is None
    found = breach(make_order("c", lots=3), limits, universe, snapshot, exposure, Flow())
    assert found is not None and found.refusal is Refusal.POSITION
    more = make_order("b", lots=4, limit_ticks=1001, orig_client_order_id="a", time_in_force=TimeInForce.DAY)
    found = breach(more, limits, universe, snapshot, exposure, Flow(), original)
    assert found is not None and found.refusal is Refusal.POSITION


def test_an_order_that_may_rest_does_not_meet_one_of_ours_that_may_not() -> None:
    """Our IOC is under way: it is at the venue a moment before the DAY order, or a moment after, and then they trade."""
    universe, snapshot = make_universe(), MarketSnapshot(make_universe())
    snapshot.apply(standing())
    exposure = Exposure()
    exposure.moved(None, OrderRecord(make_order("own", side=Side.SELL, limit_ticks=1000), OrdStatus.NEW, leaves_lots=1))
    rests = make_order("a", limit_ticks=1000, time_in_force=TimeInForce.DAY)
    found = breach(rests, make_limits(), universe, snapshot, exposure, Flow())
    assert found is not None and found.refusal is Refusal.SELF_CROSS


def test_under_reduce_only_what_works_on_the_same_side_counts() -> None:
    """Long five, a sale of four works: another two could turn the position round, one cannot."""
    state = leading()
    assert answer(state, "a", lots=5) is Refusal.NONE
    step(state, VenueEvents((VenueEvent(VenueKind.FILL, "a", T0_NS, "f1", 5, 1002),), 0))
    step(state, SetTrading(TradingState.REDUCE_ONLY, "ann", "news", 0, ""))
    sell = {"side": Side.SELL, "limit_ticks": 1001, "time_in_force": TimeInForce.DAY}
    assert answer(state, "b", lots=4, **sell) is Refusal.NONE
    assert answer(state, "c", lots=2, **sell) is Refusal.REDUCE_ONLY
    assert answer(state, "d", lots=1, **sell) is Refusal.NONE
    assert answer(state, "e", lots=1) is Refusal.REDUCE_ONLY


def submit(house: House, name: str = "p", **content: object) -> None:
    usual = {"lots": 10, "limit_ticks": 1003, "tactic": PATIENT, "event_time_ns": house.now_ns}
    house.run([Submit(make_order(name, **(usual | content)), 1)])


def test_of_a_child_whose_arrival_is_unknown_the_venue_is_asked_before_it_is_cancelled() -> None:
    house = House()
    house.venue.down = True
    submit(house)
    house.run([Cancel(("p",), 1, 1)])
    house.venue.down = False
    assert house.state.orders["p.1"].ord_status is OrdStatus.UNKNOWN and house.state.orders["p.1"].cancel_asked
    _, out = step(house.state, Resolve())
    assert [type(i).__name__ for i in out] == ["AskVenue"]


def test_each_child_counts_as_an_order_and_a_message() -> None:
    """The parent one, its child one; the next child after the first was cancelled a third."""
    house = House()
    submit(house)
    assert len(house.venue.orders) == 1
    assert (len(house.state.flow.orders_ns), len(house.state.flow.messages_ns)) == (2, 2)
    house.run([Work(house.now_ns + 5_000 * MS, 1)])
    house.hear(house.venue.happen("p.1", VenueKind.CANCELED))
    assert len(house.venue.orders) == 2 and len(house.state.flow.orders_ns) == 3


def test_a_fall_of_what_was_traded_stops_what_is_at_work_without_a_new_order() -> None:
    """Bought at 1000, the market falls to 900: 4 lots lose 4 × 100 ticks of USD 12.50."""
    house = House()
    house.state.limits = make_limits(max_drawdown_usd=4 * 99 * 12.5)
    submit(house)
    house.hear(house.venue.happen("p.1", VenueKind.FILL, 4))
    house.quote(899, 901)
    house.run([Work(house.now_ns + 5_000 * MS, 1)])
    assert house.state.trading.state is TradingState.REDUCE_ONLY and "drawdown" in house.state.trading.why


def test_a_leg_finds_its_lead_however_often_that_was_replaced() -> None:
    state = leading()
    day = {"time_in_force": TimeInForce.DAY}
    names = ("a", "b", "c")
    assert answer(state, "a", lots=6, instrument=1, **day) is Refusal.NONE
    for old, new in pairwise(names):
        assert (
            answer(state, new, lots=6, instrument=1, orig_client_order_id=old, limit_ticks=1001, **day) is Refusal.NONE
        )
        step(state, VenueEvents((VenueEvent(VenueKind.REPLACED, new, T0_NS),), 0))
    step(state, VenueEvents((VenueEvent(VenueKind.FILL, "c", T0_NS, "f1", 2, 1001),), 0))
    leg = {"side": Side.SELL, "lots": 6, "limit_ticks": 1000, "tactic": DIRECT, "follows": Follow("a", 1, 1)}
    assert answer(state, "leg", **leg) is Refusal.NONE
    assert state.orders["leg"].open and state.orders["leg.1"].order.quantity_lots == 2


def test_fills_of_no_whole_unit_pause_trading_though_every_leg_lacks_as_much() -> None:
    """Of 5 : 2 one lot of each is no unit, and neither is five and two less one of each."""
    house = ComboHouse()
    house.submit(lead(), follower())
    house.hear(
        house.venue.happen("l.1", VenueKind.FILL, 1),
        house.venue.happen("f.1", VenueKind.FILL, 1),
        house.venue.happen("l.1", VenueKind.CANCELED),
        house.venue.happen("f.1", VenueKind.CANCELED),
    )
    assert house.state.trading.state is TradingState.PAUSED and "out of its ratio 5:2" in house.state.trading.why


def test_each_leg_counts_as_an_order() -> None:
    """Two parents, two legs."""
    house = ComboHouse()
    house.submit(lead(), follower())
    assert len(house.venue.orders) == 2
    assert (len(house.state.flow.orders_ns), len(house.state.flow.messages_ns)) == (4, 4)
