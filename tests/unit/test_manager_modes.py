"""The baselines and the fallback beside joint netting."""

from __future__ import annotations

import pytest

from common import factors
from common.limits import FlowBudget, FlowShare, OrderCaps
from manager.config import ManagerConfig
from tests.manager_world import Desk, limits

SPX, NDX = factors.delta("SPX"), factors.delta("NDX")


def two_wishes(desk: Desk, first: float, second: float) -> None:
    """Two agents with wishes on the same future."""
    desk.propose("gamma-0", {SPX: -first * 135_000.0}, 1e4, menu=[0, 1], alone={0: first})
    desk.propose("cross_asset-0", {factors.COMMON: -second * 135_000.0}, 1e4, menu=[0, 1], alone={0: second})


def desk_of(mode: str, **kwargs: object) -> Desk:
    return Desk(config=ManagerConfig(netting=mode), **kwargs)


def test_opposite_wishes_cancel_in_plain_and_cost_twice_alone() -> None:
    plain, alone = desk_of("plain"), desk_of("alone")
    for desk in (plain, alone):
        two_wishes(desk, 12.0, -7.0)
    (order,) = plain.decide()
    assert order.signed_lots == 5 and order.allocation == (("gamma-0", 5),)
    assert sorted(o.signed_lots for o in alone.decide()) == [-7, 12]
    assert {a for o in alone.orders for a, _ in o.allocation} == {"gamma-0", "cross_asset-0"}
    assert len({o.client_order_id for o in alone.orders}) == 2
    cycle = plain.state.fold.last_cycle
    assert cycle is not None and cycle.method == "plain"
    assert cycle.wished_cost_cents * 5 == cycle.cost_cents * 19


def test_none_never_trades() -> None:
    desk = desk_of("none")
    two_wishes(desk, 12.0, 9.0)
    assert desk.decide() == []


@pytest.mark.parametrize("mode", ["plain", "alone"])
def test_a_wish_is_used_once_and_waits_for_a_newer_proposal(mode: str) -> None:
    desk = desk_of(mode)
    two_wishes(desk, 4.0, 6.0)
    orders = desk.decide()
    assert sum(o.signed_lots for o in orders) == 10
    assert desk.decide() == []
    stale = desk.proposal("gamma-0", {SPX: 0.0}, 1e4, menu=[0, 1], alone={0: 4.0})
    from manager import events as ev

    desk.send(ev.ProposalArrived(0, stale))
    assert desk.decide() == [], "its own order still works"
    for order in orders:
        desk.fill(order)
    desk.propose("gamma-0", {SPX: 0.0}, 1e4, menu=[0, 1], alone={0: 4.0}, position_version=0)
    assert desk.decide() == [], "made before its own fill"
    desk.propose("gamma-0", {SPX: 0.0}, 1e4, menu=[0, 1], alone={0: 2.0})
    assert [o.signed_lots for o in desk.decide()] == [2]


@pytest.mark.parametrize("mode", ["plain", "alone"])
def test_the_wish_of_an_agent_started_anew_is_new_though_its_number_is_not(mode: str) -> None:
    desk = desk_of(mode)
    desk.propose("gamma-0", {SPX: 0.0}, 1e4, menu=[0, 1], alone={0: 4.0})
    (order,) = desk.decide()
    desk.fill(order)
    desk.sequence["gamma-0"] = 0
    desk.propose("gamma-0", {SPX: 0.0}, 1e4, menu=[0, 1], alone={0: 2.0}, incarnation=2)
    assert desk.state.fold.proposals["gamma-0"].header.id == "gamma-0:1"
    assert [o.signed_lots for o in desk.decide()] == [2]
    assert desk.decide() == [], "it is used once, too"


def test_joint_netting_of_opposite_wishes_trades_at_most_the_net() -> None:
    """One agent is long, the other short the same thing: nothing of what cancels reaches the market."""
    desk = desk_of("joint")
    desk.propose("gamma-0", {SPX: -12 * 135_000.0}, 1e4, menu=[0], alone={0: 12.0})
    desk.propose("cross_asset-0", {factors.COMMON: 7 * 135_000.0}, 1e4, menu=[0], alone={0: -7.0})
    orders = desk.decide()
    cycle = desk.state.fold.last_cycle
    assert cycle is not None and orders
    assert cycle.cost_cents < cycle.wished_cost_cents
    assert sum(o.signed_lots for o in orders if o.instrument == 0) <= 12


def test_wishes_are_scaled_into_caps_and_budgets() -> None:
    capped = desk_of(
        "plain", limits=limits(order=OrderCaps(max_lots_future=9, max_lots_option=9, max_notional_usd=1e9))
    )
    two_wishes(capped, 12.0, 9.0)
    assert [o.signed_lots for o in capped.decide()] == [9]
    poor = desk_of("plain", limits=limits(flow=FlowBudget(cost_usd=31.0, notional_usd=1e9, orders=10)))
    two_wishes(poor, 12.0, 9.0)
    assert [o.signed_lots for o in poor.decide()] == [5], "6 USD a lot"


def test_kind_budget_leaves_its_order_out() -> None:
    share = {"cross_asset": FlowShare(cost_usd=20.0)}
    desk = desk_of("alone", limits=limits(flow_by_kind=share))
    two_wishes(desk, 12.0, 9.0)
    assert [o.signed_lots for o in desk.decide()] == [12]
    assert desk.state.seen["orders left out: flow budget"] == 1


def test_a_solver_that_gives_up_falls_back_to_plain_netting_and_says_so() -> None:
    desk = Desk(config=ManagerConfig(iteration_limit=1), owner={"gamma/SPX": "gamma-0"})
    desk.propose("gamma-0", {SPX: 3e6, factors.gamma("SPX"): -1e6}, 1e5, alone={0: -22.0, 4: 10.0})
    orders = desk.decide()
    cycle = desk.state.fold.last_cycle
    assert cycle is not None and cycle.method.startswith("fallback: daqp exit flag")
    assert {o.instrument: o.signed_lots for o in orders} == {0: -22, 4: 10}
    assert desk.state.fold.last_solved is None


def test_order_count_budget_lets_the_worthiest_go_first() -> None:
    desk = Desk(limits=limits(flow=FlowBudget(cost_usd=1e7, notional_usd=1e12, orders=1)))
    desk.propose("gamma-0", {SPX: 3e6}, 1e5, menu=[0])
    desk.propose("gamma-1", {NDX: 5e6}, 1e5, menu=[1])
    orders = desk.decide()
    assert [o.instrument for o in orders] == [1]
