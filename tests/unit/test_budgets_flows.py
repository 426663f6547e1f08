"""The emergency cost budget: only what cures a broken hard limit may draw on it, and only where the rest is spent."""

from __future__ import annotations

import pytest

from common import factors
from common.limits import FactorLimit, FlowBudget, FlowShare
from manager.flows import EMERGENCY, amounts, scopes_of
from manager.fold import apply
from manager.hash import state_hash
from manager.step import start
from tests.manager_world import Desk, delta_desk, limits


def broke(emergency_usd: float, cost_usd: float = 0.0, exposure: float = 4e6) -> Desk:
    hard = {"delta:*": FactorLimit(soft_usd=1e6, hard_usd=2e6)}
    flow = FlowBudget(cost_usd=cost_usd, notional_usd=1e12, orders=100, emergency_cost_usd=emergency_usd)
    desk = delta_desk(limits=limits(factor=hard, flow=flow))
    desk.propose("gamma-0", {factors.delta("SPX"): exposure}, 1e5, menu=[0])
    return desk


def test_a_broken_limit_is_cured_from_the_emergency_budget_when_the_rest_is_spent() -> None:
    desk = broke(1e5)
    (order,) = desk.decide()
    day, flows = desk.state.days.of(desk.now_ns), desk.state.fold.flows
    assert order.signed_lots < 0
    assert flows.meters[EMERGENCY, day].reserved[0] > 0 and flows.meters["firm", day].reserved[0] == 0
    assert flows.meters["firm", day].reserved[1] > 0 and flows.meters["firm", day].reserved[2] == 1
    desk.fill(order)
    assert flows.meters[EMERGENCY, day].used[0] > 0 and flows.meters["firm", day].used[0] == 0
    standby = start(desk.setup)
    for entry in desk.journal:
        apply(standby, entry)
    assert state_hash(standby) == state_hash(desk.state)


def test_without_a_broken_limit_nobody_draws_on_it() -> None:
    assert broke(1e5, exposure=1.9e6).decide() == []


def test_it_is_spent_only_up_to_its_limit() -> None:
    assert broke(0.0).decide() == []
    small = broke(10.0).decide()
    assert small == [] or small[0].quantity_lots < broke(1e5).decide()[0].quantity_lots


def test_the_ordinary_budget_pays_first() -> None:
    desk = broke(1e5, cost_usd=1e6)
    (order,) = desk.decide()
    day, flows = desk.state.days.of(desk.now_ns), desk.state.fold.flows
    assert (EMERGENCY, day) not in flows.meters and flows.meters["firm", day].reserved[0] > 0
    desk.fill(order, 0)
    assert flows.meters["firm", day].reserved == [0, 0, 0]


def test_desks_and_agents_have_budgets_of_their_own() -> None:
    for share in (
        {"flow_by_agent": {"gamma-0": FlowShare(orders=0)}},
        {"flow_by_kind": {"gamma": FlowShare(cost_usd=0.0)}},
    ):
        desk = delta_desk(limits=limits(**share))
        desk.propose("gamma-0", {factors.delta("SPX"): 4e6}, 1e5, menu=[0])
        assert desk.decide() == [] and desk.state.seen["orders left out: flow budget"] == 1


@pytest.mark.parametrize("urgent", [False, True])
def test_every_scope_sets_aside_its_part_and_cost_is_paid_once(urgent: bool) -> None:
    scopes = scopes_of("SPX", {"gamma-0@rates": 3, "vega-0@index": 1}, emergency=urgent)
    found = amounts(scopes, (7, 11))
    assert found["desk:rates"][1] == 33 and found["agent:vega-0"][1] == 11 and found["firm"][1] == 44
    paid = {scope for scope, amount in found.items() if amount[0]}
    assert paid == ({EMERGENCY} if urgent else set(found))
    assert found.get(EMERGENCY, (28, 0, 0)) == (28, 0, 0)
