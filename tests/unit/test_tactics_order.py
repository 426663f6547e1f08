"""Which orders may be worked, and what their children are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.messages import OrdType, TimeInForce
from common.tactics import DIRECT, Follow, Tactic, TacticKind
from execution.checks import MAX_ID_LENGTH
from execution.tactics.order import child_id, child_order, lead_mismatch, malformed, parent_of, worked
from execution.tactics.plan import MAX_CHILDREN, Place
from tests.execution_world import T0_NS, make_order
from tests.tactics_world import parent


def test_an_ordinary_order_is_not_worked_and_not_refused() -> None:
    order = make_order("o1")
    assert not worked(order)
    assert malformed(order, MAX_ID_LENGTH) == ""


def test_every_kind_with_its_usual_terms_is_fine() -> None:
    for kind in (TacticKind.PASSIVE, TacticKind.SLICED):
        assert worked(parent(kind))
        assert malformed(parent(kind), MAX_ID_LENGTH) == ""
    follower = parent(TacticKind.DIRECT, numerator=1, denominator=3)
    assert worked(follower)
    assert malformed(follower, MAX_ID_LENGTH) == ""


@pytest.mark.parametrize(
    ("tactic", "says"),
    [
        (Tactic(TacticKind.DIRECT, budget_ms=1), "budget_ms 1 of DIRECT, limit 0 to 0"),
        (Tactic(TacticKind.PASSIVE, urgency_percent=101, budget_ms=1, interval_ms=1), "urgency_percent 101"),
        (Tactic(TacticKind.PASSIVE, budget_ms=0, interval_ms=1), "budget_ms 0"),
        (Tactic(TacticKind.PASSIVE, budget_ms=1, interval_ms=0), "interval_ms 0"),
        (Tactic(TacticKind.PASSIVE, participation_percent=5, budget_ms=1, interval_ms=1), "participation_percent 5"),
        (Tactic(TacticKind.PASSIVE, runaway_ticks=-1, budget_ms=1, interval_ms=1), "runaway_ticks -1"),
        (Tactic(TacticKind.SLICED, participation_percent=0, budget_ms=1, interval_ms=1), "participation_percent 0"),
        (Tactic(TacticKind.SLICED, participation_percent=101, budget_ms=1, interval_ms=1), "participation_percent 101"),
        (Tactic(TacticKind.SLICED, 5, 10, budget_ms=1, interval_ms=1), "urgency_percent 5 of SLICED, limit 0 to 0"),
    ],
)
def test_terms_out_of_bounds_name_rule_value_and_limit(tactic: Tactic, says: str) -> None:
    assert says in malformed(make_order("o1", tactic=tactic), MAX_ID_LENGTH)


@pytest.mark.parametrize(
    ("follow", "says"),
    [
        (Follow("lead", 0, 1), "ratio 0/1"),
        (Follow("lead", 1, -2), "ratio 1/-2"),
        (Follow("", 1, 1), "limit another order's id"),
        (Follow("o1", 1, 1), "limit another order's id"),
    ],
)
def test_a_follower_names_another_order_and_a_positive_ratio(follow: Follow, says: str) -> None:
    assert says in malformed(make_order("o1", follows=follow), MAX_ID_LENGTH)


def test_a_worked_order_is_a_new_limit_order() -> None:
    market = replace(parent(TacticKind.SLICED), ord_type=OrdType.MARKET)
    assert "market order" in malformed(market, MAX_ID_LENGTH)
    assert "replacement" in malformed(replace(parent(TacticKind.SLICED), orig_client_order_id="x"), MAX_ID_LENGTH)


def test_a_lead_must_be_known_and_the_lots_must_be_its_own_by_the_ratio() -> None:
    follower = make_order("o1", lots=3, follows=Follow("lead", 3, 7))
    assert follower.follows is not None
    assert lead_mismatch(follower, follower.follows, make_order("lead", lots=7)) == ""
    assert "limit exactly 2" in lead_mismatch(follower, follower.follows, make_order("lead", lots=5))
    assert "no order 'lead'" in lead_mismatch(follower, follower.follows, None)


def test_ids_of_children_belong_to_execution_and_fit_the_venue() -> None:
    assert parent_of(child_id("abc.x", 12)) == ("abc.x", 12)
    assert parent_of("abc.x") is None
    assert parent_of("abc.0") is None
    assert "form of a child's" in malformed(make_order("abc.12"), MAX_ID_LENGTH)
    longest = "x" * (MAX_ID_LENGTH - 5)
    order = replace(parent(TacticKind.SLICED), client_order_id=longest)
    assert malformed(order, MAX_ID_LENGTH) == ""
    assert len(child_id(longest, MAX_CHILDREN)) == MAX_ID_LENGTH
    assert "limit 31" in malformed(replace(order, client_order_id=longest + "x"), MAX_ID_LENGTH)


def test_a_child_is_its_parent_but_for_what_the_plan_decides() -> None:
    order = replace(parent(TacticKind.SLICED), allocation=(("gamma-0", 10),))
    child = child_order(order, Place(7, 3, 1001, TimeInForce.DAY), T0_NS + 9)
    assert child.client_order_id == "p.7"
    assert (child.quantity_lots, child.limit_ticks, child.event_time_ns) == (3, 1001, T0_NS + 9)
    assert (child.tactic, child.follows, child.allocation) == (DIRECT, None, ())
    assert (child.instrument, child.side, child.book_id, child.cycle_id) == (0, order.side, "desk", "c1")
    assert not worked(child)
