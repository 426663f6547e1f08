"""What the manager and the venue see of an order that is worked, act by act."""

from __future__ import annotations

from common.messages import OrdStatus, Refusal, Side, TimeInForce, TradingState
from common.tactics import DIRECT, Follow, Tactic, TacticKind
from execution.config import PaperConfig
from execution.events import Cancel, Resolve, SetTrading, Submit, Work
from execution.inprocess import InProcessExecution
from execution.venues.port import VenueEvent, VenueKind
from tests.execution_world import T0_NS, make_limits, make_order, make_universe, quotes, standing, tight
from tests.parents_world import House

MS = 1_000_000
PATIENT = Tactic(TacticKind.PASSIVE, urgency_percent=50, budget_ms=10_000, interval_ms=500)
SLICES = Tactic(TacticKind.SLICED, participation_percent=20, budget_ms=10_000, interval_ms=500)


def submit(house: House, name: str = "p", **content: object):
    usual = {"lots": 10, "limit_ticks": 1003, "tactic": PATIENT, "event_time_ns": house.now_ns}
    (ack,) = house.run([Submit(make_order(name, **(usual | content)), 1)])
    return ack


def test_a_passive_order_from_the_first_rest_to_the_last_fill() -> None:
    house = House()
    assert submit(house).ord_status is OrdStatus.NEW
    (child,) = house.venue.orders.values()
    assert (child.client_order_id, child.limit_ticks, child.time_in_force) == ("p.1", 1000, TimeInForce.DAY)
    house.hear(house.venue.happen("p.1", VenueKind.ACCEPTED), house.venue.happen("p.1", VenueKind.FILL, 4))
    house.run([Work(house.now_ns + 5_000 * MS, 1)])
    assert house.venue.cancels == {"p.1"}
    house.hear(house.venue.happen("p.1", VenueKind.CANCELED))
    assert house.venue.orders["p.2"].limit_ticks == 1002
    assert house.venue.orders["p.2"].quantity_lots == 6
    house.hear(house.venue.happen("p.2", VenueKind.FILL, 6))
    told = [
        (r.ord_status.name, r.last_lots, r.last_ticks, r.cum_lots, r.leaves_lots, r.child_order_id)
        for r in house.reports()
    ]
    assert told == [
        ("NEW", 0, 0, 0, 10, ""),
        ("PARTIALLY_FILLED", 4, 1000, 4, 6, "p.1"),
        ("FILLED", 6, 1002, 10, 0, "p.2"),
    ]
    assert {r.client_order_id for r in house.reports()} == {"p"}
    assert house.state.exposure.position_lots == {0: 10}
    assert house.state.exposure.open_orders == 0


def test_sent_again_it_is_known_and_nothing_more_is_sent() -> None:
    house = House()
    submit(house)
    ack = submit(house)
    assert (ack.duplicate, ack.ord_status) == (True, OrdStatus.NEW)
    assert submit(house, tactic=SLICES).refusal is Refusal.ID_REUSED
    assert list(house.venue.orders) == ["p.1"]


def test_after_a_death_the_child_is_asked_about_and_the_plan_goes_on_from_what_is_known() -> None:
    house = House()
    house.venue.down = True
    submit(house)
    assert house.state.orders["p.1"].ord_status is OrdStatus.UNKNOWN
    house.venue.down = False
    house.venue.happen("p.1", VenueKind.FILL, 3)
    house.restart()
    assert house.venue.arrived == {"p.1": 1}
    assert house.state.orders["p"].cum_lots == 3
    house.hear(house.venue.happen("p.1", VenueKind.CANCELED))
    house.run([Work(house.now_ns + 600 * MS, 1)])
    assert house.venue.orders["p.2"].quantity_lots == 7


def test_a_restart_without_quotes_moves_nothing() -> None:
    house = House()
    submit(house)
    house.quoted = lambda: None  # the feed is slower than the start
    house.restart()
    house.run([Work(house.now_ns + 600 * MS, 1)])
    assert not house.venue.cancels
    assert list(house.venue.orders) == ["p.1"]


def test_a_cancel_that_got_lost_is_repeated() -> None:
    house = House()
    submit(house)
    house.venue.down = True
    house.run([Cancel(("p",), 1, 1)])
    house.venue.down = False
    house.run([Resolve()])
    assert house.venue.cancels == {"p.1"}
    house.hear(house.venue.happen("p.1", VenueKind.CANCELED))
    assert house.reports()[-1].ord_status is OrdStatus.CANCELED
    assert house.reports()[-1].text == "cancelled as asked"


def test_a_kill_cancels_a_child_whose_cancel_got_lost_at_once() -> None:
    """Its plan had asked for the end already, and asks once."""
    house = House()
    submit(house)
    house.venue.down = True
    house.run([Cancel(("p",), 1, 1)])
    house.venue.down = False
    house.run([SetTrading(TradingState.KILLED, "ann", "drill", 1)])
    assert house.venue.cancels == {"p.1"}


def test_a_child_is_no_order_of_the_managers() -> None:
    house = House()
    submit(house)
    (ack,) = house.run([Cancel(("p.1",), 1, 1)])
    assert ack.refusal is Refusal.MALFORMED
    assert not house.venue.cancels
    assert submit(house, "p.7", tactic=DIRECT).refusal is Refusal.MALFORMED


def test_neither_a_parent_nor_a_child_is_replaced() -> None:
    """The venue knows no parent, and a child's lots are its parent's to move."""
    house = House()
    submit(house)
    for name, words in (("p", "worked by execution"), ("p.1", "no order 'p.1'")):
        ack = submit(house, f"new-{name[-1]}", tactic=DIRECT, orig_client_order_id=name)
        assert ack.refusal is Refusal.UNKNOWN_ORDER
        assert words in ack.text
    assert list(house.venue.orders) == ["p.1"]


def test_a_kill_takes_parents_and_children_out_and_a_pause_lets_them_rest() -> None:
    house = House()
    submit(house)
    house.run([SetTrading(TradingState.PAUSED, "alice", "lunch", 1)])
    house.quote(1001, 1003)
    house.run([Work(house.now_ns + 1_000 * MS, 1)])
    assert not house.venue.cancels
    house.run([SetTrading(TradingState.KILLED, "alice", "enough", 1)])
    assert house.venue.cancels == {"p.1"}
    house.hear(house.venue.happen("p.1", VenueKind.CANCELED))
    assert house.state.orders["p"].ord_status is OrdStatus.CANCELED


def test_the_parent_holds_the_position_limit_and_each_child_is_checked() -> None:
    world = House()
    world.state.limits = make_limits(future=tight(max_position_lots=12))
    assert submit(world, lots=10).ord_status is OrdStatus.NEW
    assert "p.1" in world.venue.orders, "the child's lots are the parent's, not 10 more"
    assert submit(world, "q", lots=3, limit_ticks=1001).refusal is Refusal.POSITION
    world.state.limits = make_limits(future=tight(max_order_lots=5))
    assert submit(world, "r", lots=6).refusal is Refusal.SIZE


def test_a_child_held_back_by_a_check_is_not_stored_and_the_parent_says_why_it_ended() -> None:
    house = House()
    house.state.limits = make_limits(max_orders_per_window=1)
    submit(house)
    assert not house.venue.orders
    assert not house.store.get(["p.1"])
    house.run([Work(house.now_ns + 10_000 * MS, 1)])
    last = house.reports()[-1]
    assert last.ord_status is OrdStatus.CANCELED
    assert "rate: 1 orders already" in last.text


def test_the_delta_leg_follows_what_the_option_leg_filled() -> None:
    house = House()
    submit(house, "option", instrument=1, lots=7, limit_ticks=1002, tactic=DIRECT)
    follow = Follow("option", 3, 7)
    ack = submit(house, "delta", side=Side.SELL, lots=3, limit_ticks=1000, tactic=DIRECT, follows=follow)
    assert ack.ord_status is OrdStatus.NEW
    assert list(house.venue.orders) == ["option"]
    house.hear(house.venue.happen("option", VenueKind.FILL, 4))
    assert house.venue.orders["delta.1"].quantity_lots == 2, "3/7 of 4 is 1.7"
    house.restart()
    house.hear(house.venue.happen("option", VenueKind.FILL, 3))
    assert house.venue.orders["delta.2"].quantity_lots == 1
    house.hear(house.venue.happen("delta.1", VenueKind.FILL, 2), house.venue.happen("delta.2", VenueKind.FILL, 1))
    assert house.state.orders["delta"].ord_status is OrdStatus.FILLED
    assert house.state.exposure.position_lots == {1: 7, 0: -3}


def test_a_leg_that_follows_nothing_known_or_by_the_wrong_ratio_is_refused_for_good() -> None:
    house = House()
    assert submit(house, tactic=DIRECT, follows=Follow("nobody", 1, 1)).refusal is Refusal.UNKNOWN_ORDER
    submit(house, "lead", instrument=1, lots=4, limit_ticks=1002, tactic=DIRECT)
    refused = submit(house, "q", lots=3, tactic=DIRECT, follows=Follow("lead", 1, 2))
    assert "limit exactly 2 (1/2 of 4)" in refused.text
    assert house.state.orders["q"].ord_status is OrdStatus.REJECTED


def test_there_are_at_most_as_many_parents_as_open_orders() -> None:
    house = House()
    submit(house, "lead", instrument=1, lots=4, limit_ticks=1002, tactic=DIRECT)
    house.state.limits = make_limits(max_open_orders=2)
    for k in range(2):
        assert submit(house, f"leg{k}", lots=4, tactic=DIRECT, follows=Follow("lead", 1, 1)).ord_status is OrdStatus.NEW
    refused = submit(house, "leg2", lots=4, tactic=DIRECT, follows=Follow("lead", 1, 1))
    assert (refused.refusal, refused.text) == (Refusal.OPEN_ORDERS, "open orders: 2 already at work, limit 2")


def test_a_leg_ends_when_its_lead_does() -> None:
    house = House()
    submit(house, "lead", instrument=1, lots=4, limit_ticks=1002, tactic=DIRECT)
    submit(house, "leg", lots=4, tactic=DIRECT, follows=Follow("lead", 1, 1))
    house.hear(house.venue.happen("lead", VenueKind.CANCELED))
    assert house.state.orders["leg"].ord_status is OrdStatus.CANCELED
    assert not house.state.followers


def test_a_fill_after_the_end_is_booked_to_the_parent_once_and_pauses() -> None:
    house = House()
    submit(house)
    house.run([Cancel(("p",), 1, 1)])
    house.hear(house.venue.happen("p.1", VenueKind.CANCELED))
    late = house.venue.happen("p.1", VenueKind.FILL, 2)
    house.hear(late)
    house.hear(late)
    assert house.state.orders["p"].cum_lots == 2
    assert house.state.orders["p"].ord_status is OrdStatus.CANCELED
    assert house.state.trading.state is TradingState.PAUSED
    assert [r.last_lots for r in house.reports("p")] == [0, 0, 2]


def test_slices_at_the_paper_venue_take_a_share_of_each_quote() -> None:
    """20 % of 10 lots shown is 2; five quotes a second apart fill 10 lots at the far side."""
    execution = InProcessExecution(make_universe(), make_limits(), PaperConfig(latency_ms=10.0, jitter_ms=0.0))
    execution.fence(1, "m1")
    for symbol in ("AAA", "BBB"):
        execution.on_quotes(standing(symbol=symbol))
    order = make_order("p", lots=10, tactic=SLICES, event_time_ns=T0_NS + 1_000 * MS)
    execution.submit([order], T0_NS + 1_000 * MS)
    fills: list[tuple[int, int]] = []
    for k in range(2, 9):
        while (due := execution.next_due_ns) is not None and due < T0_NS + k * 1_000 * MS:
            fills += [(r.last_lots, r.last_ticks) for r in execution.on_time(due) if r.last_lots]
        fills += [
            (r.last_lots, r.last_ticks)
            for r in execution.on_quotes(quotes(k, (0, 1000, 1002, 10, 10 + k)))
            if r.last_lots
        ]
    assert sum(lots for lots, _ in fills) == 10
    assert {ticks for _, ticks in fills} == {1002}
    assert max(lots for lots, _ in fills) <= 3
    assert execution.orders()[0].ord_status is OrdStatus.FILLED


def test_a_childs_fill_told_after_its_contract_has_settled_settles_with_its_parent() -> None:
    """The call at 100 points settles at 1001 ticks, 250.25 points: 601 ticks a lot; also as a restart finds it."""
    house = House()
    submit(house, instrument=7)
    house.hear(house.venue.happen("p.1", VenueKind.ACCEPTED), house.venue.happen("p.1", VenueKind.FILL, 4))
    assert house.state.exposure.position_lots == {7: 4}
    house.hear(VenueEvent(VenueKind.SETTLED, "S-BBB", house.now_ns, "S-BBB", ticks=1001, instrument=7))
    assert not any(house.state.exposure.position_lots.values())
    house.hear(house.venue.happen("p.1", VenueKind.FILL, 2))
    assert house.state.orders["p"].cum_lots == 6
    for _ in range(2):
        assert not any(house.state.exposure.position_lots.values())
        assert house.state.exposure.cash == {7: (6 * (601 - 1000), 0)}
        house.restart()
