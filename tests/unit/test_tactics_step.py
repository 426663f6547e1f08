"""What a desk would write down for each tactic, step by step; prices 1000/1002, mid 1001, unless quoted otherwise."""

from __future__ import annotations

import pytest

from common.messages import OrdStatus, Side, TimeInForce
from common.tactics import TacticKind
from execution.tactics.plan import MAX_CHILDREN, MAX_REJECTS, CancelAsked, CancelChild, Filled, Finish, Place
from execution.tactics.step import next_due_ns
from tests.execution_world import T0_NS
from tests.tactics_world import MS, Desk, parent, quote

DAY, IOC = TimeInForce.DAY, TimeInForce.IOC


def test_passive_rests_at_the_near_side_and_follows_it_after_the_interval() -> None:
    desk = Desk(parent(TacticKind.PASSIVE))
    assert desk.market(0, quote()) == [Place(1, 10, 1000, DAY)]
    assert desk.market(100, quote(1001, 1003)) == []
    assert desk.market(400, quote(1001, 1003)) == [CancelChild(1)]
    assert desk.end(1) == [Place(2, 10, 1001, DAY)]


def test_what_filled_while_the_cancel_was_under_way_is_not_placed_again() -> None:
    desk = Desk(parent(TacticKind.PASSIVE))
    desk.market(0, quote())
    desk.market(500, quote(1001, 1003))
    assert desk.fill(1, 4) == []
    assert desk.end(1) == [Place(2, 6, 1001, DAY)]


@pytest.mark.parametrize(("urgency", "rests_ms"), [(0, 10_000), (40, 6_000), (75, 2_500)])
def test_passive_crosses_when_its_share_of_the_budget_is_over(urgency: int, rests_ms: int) -> None:
    desk = Desk(parent(TacticKind.PASSIVE, urgency_percent=urgency))
    desk.market(0, quote())
    desk.market(500, quote())
    assert next_due_ns(desk.plan) == T0_NS + rests_ms * MS
    assert desk.market(rests_ms - 501, quote()) == []
    assert desk.market(1, quote()) == [CancelChild(1)]
    assert desk.end(1) == [Place(2, 10, 1002, IOC)]


def test_full_urgency_takes_at_once_and_again_after_the_interval_until_the_budget_is_over() -> None:
    desk = Desk(parent(TacticKind.PASSIVE, urgency_percent=100))
    assert desk.market(0, quote()) == [Place(1, 10, 1002, IOC)]
    desk.fill(1, 3)
    assert desk.end(1) == []
    assert desk.market(500, quote(1001, 1003)) == [Place(2, 7, 1003, IOC)]
    desk.end(2)
    assert desk.market(500, quote(1003, 1004)) == [], "1004 is beyond the limit 1003"
    (finish,) = desk.market(9_000, quote())
    assert finish == Finish(OrdStatus.CANCELED, "the time budget is over")
    assert desk.filled_lots == 3


def test_a_runaway_mid_ends_the_resting() -> None:
    desk = Desk(parent(TacticKind.PASSIVE, runaway_ticks=2))
    desk.market(0, quote())
    assert desk.market(100, quote(1000, 1003)) == []
    assert desk.market(100, quote(1001, 1003)) == [], "the interval of a re-peg is not over, and 1 tick is no runaway"
    assert desk.market(100, quote(1002, 1004)) == [CancelChild(1)]
    assert desk.end(1) == [], "the far side 1004 is beyond the limit"
    assert desk.market(0, quote(1002, 1003)) == [], "3 half ticks are no runaway; resting waits for the interval"


def test_resting_ends_a_minute_before_the_session_and_the_parent_with_it() -> None:
    desk = Desk(parent(TacticKind.PASSIVE, budget_ms=600_000), end_ns=T0_NS + 120_000 * MS)
    desk.market(0, quote())
    assert desk.market(60_000, quote()) == [CancelChild(1)]
    assert desk.end(1) == [Place(2, 10, 1002, IOC)]
    desk.end(2)
    assert desk.market(60_000, quote()) == [Finish(OrdStatus.EXPIRED, "the session closed")]


def test_nothing_rests_in_a_market_nobody_sees() -> None:
    desk = Desk(parent(TacticKind.PASSIVE))
    desk.market(0, quote())
    assert desk.market(100, None) == [CancelChild(1)]
    assert desk.end(1) == []
    assert desk.market(400, quote()) == [Place(2, 10, 1000, DAY)]


def test_improvement_stays_short_of_the_far_side() -> None:
    assert Desk(parent(TacticKind.PASSIVE, improve_ticks=1)).market(0, quote(1000, 1004)) == [Place(1, 10, 1001, DAY)]
    assert Desk(parent(TacticKind.PASSIVE, improve_ticks=5)).market(0, quote()) == [Place(1, 10, 1001, DAY)]
    sell = parent(TacticKind.PASSIVE, side=Side.SELL, improve_ticks=5)
    assert Desk(sell).market(0, quote()) == [Place(1, 10, 1001, DAY)]


def test_a_day_parent_leaves_its_rest_at_its_limit() -> None:
    desk = Desk(parent(TacticKind.SLICED, lots=9, day=True))
    desk.market(0, quote())
    desk.fill(1, 2)
    assert desk.market(10_000, quote()) == [Place(2, 7, 1003, DAY)]
    assert desk.market(10_000, quote()) == []


def test_slices_take_their_share_of_what_is_shown_once_an_interval() -> None:
    desk = Desk(parent(TacticKind.SLICED))
    assert desk.market(0, quote(ask_lots=24)) == [Place(1, 4, 1002, IOC)]
    desk.fill(1, 4)
    assert desk.market(499, quote(ask_lots=24)) == []
    assert desk.market(1, quote(ask_lots=4)) == [], "a fifth of 4 lots is no lot"
    assert desk.market(0, quote(ask_lots=500)) == [Place(2, 6, 1002, IOC)], "never more than is left"
    assert desk.fill(2, 6) == [Finish(OrdStatus.FILLED, "")]


def test_a_follower_sends_what_the_lead_filled_rounded_over_all_its_fills() -> None:
    """Ratio 3/7 of 7 lots: 1 → 0.43, 2 → 0.86, 4 → 1.71, 7 → 3; the sum is exact where rounding each fill is not."""
    desk = Desk(parent(TacticKind.DIRECT, lots=3, numerator=3, denominator=7))
    desk.market(0, quote())
    assert desk.lead(1) == []
    assert desk.lead(2) == [Place(1, 1, 1003, IOC)]
    assert desk.lead(4) == [Place(2, 1, 1003, IOC)], "while the first is still out"
    desk.fill(1, 1)
    desk.fill(2, 1)
    assert desk.lead(7, ended=True) == [Place(3, 1, 1003, IOC)]
    assert desk.fill(3, 1) == [Finish(OrdStatus.FILLED, "")]


def test_a_follower_ends_with_its_lead_and_gives_the_rest_back() -> None:
    desk = Desk(parent(TacticKind.DIRECT, lots=4, numerator=1, denominator=2))
    desk.market(0, quote())
    desk.lead(4)
    desk.fill(1, 2)
    (finish,) = desk.lead(4, ended=True)
    assert isinstance(finish, Finish) and finish.ord_status is OrdStatus.CANCELED
    assert desk.filled_lots == 2


def test_a_followers_time_begins_with_each_release() -> None:
    desk = Desk(parent(TacticKind.PASSIVE, lots=4, urgency_percent=50, numerator=1, denominator=1))
    desk.market(60_000, quote())
    assert desk.lead(2) == [Place(1, 2, 1000, DAY)], "its budget of 10 s has not begun before"
    assert desk.market(5_000, quote()) == [CancelChild(1)]


def test_a_paused_desk_places_nothing_and_leaves_what_works() -> None:
    desk = Desk(parent(TacticKind.PASSIVE))
    desk.market(0, quote())
    assert desk.market(1_000, quote(1001, 1003), may_place=False) == []
    assert desk.market(9_000, quote(), may_place=False) == [CancelChild(1)], "its time is over all the same"
    assert isinstance(desk.end(1)[0], Finish)


def test_a_cancel_takes_everything_out_and_then_ends() -> None:
    desk = Desk(parent(TacticKind.PASSIVE, urgency_percent=100))
    desk.market(0, quote())
    assert desk.tell(CancelAsked("cancelled as asked")) == [CancelChild(1)]
    desk.fill(1, 4)
    assert desk.end(1) == [Finish(OrdStatus.CANCELED, "cancelled as asked")]
    assert desk.market(1_000, quote()) == []


def test_a_venue_that_refuses_again_and_again_is_left_alone() -> None:
    desk = Desk(parent(TacticKind.PASSIVE))
    desk.market(0, quote())
    for number in range(1, MAX_REJECTS):
        assert desk.end(number, OrdStatus.REJECTED) == [], "not again within the interval"
        assert desk.market(500, quote()) == [Place(number + 1, 10, 1000, DAY)]
    (finish,) = desk.end(MAX_REJECTS, OrdStatus.REJECTED)
    assert isinstance(finish, Finish) and "rejects: 3" in finish.text


def test_what_a_check_holds_back_is_tried_again_after_the_interval_and_named_at_the_end() -> None:
    desk = Desk(parent(TacticKind.PASSIVE, urgency_percent=100), refuse=True)
    desk.market(0, quote())
    assert not desk.tickets
    assert desk.market(499, quote()) == []
    assert desk.market(1, quote()) == [Place(2, 10, 1002, IOC)]
    (finish,) = [a for a in desk.market(10_000, quote()) if isinstance(a, Finish)]
    assert finish.text == "the time budget is over; last held back: collar"


def test_a_fill_nobody_asked_for_takes_back_what_is_out() -> None:
    desk = Desk(parent(TacticKind.PASSIVE))
    desk.market(0, quote())
    desk.fill(1, 4)
    desk.market(500, quote(1001, 1003))
    desk.end(1)
    assert desk.tell(Filled(1, 2)) == [CancelChild(2)], "8 lots would be too many: 6 are filled, 6 are out"


def test_the_number_of_children_has_an_end() -> None:
    desk = Desk(parent(TacticKind.PASSIVE, urgency_percent=100, budget_ms=86_400_000))
    for number in range(1, MAX_CHILDREN + 1):
        desk.market(500, quote())
        desk.end(number)
    assert desk.finish is not None
    assert desk.finish.text == f"children: all {MAX_CHILDREN} are used up"
