"""used + reserved <= limit of every scope at every event, recounted from the journal; it can fail (planted)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common.errors import HedgerowError
from common.limits import FlowBudget, FlowShare
from lab.audit_flows import flow_violations
from manager.flows import Flows
from tests.budgets_world import RISK
from tests.manager_world import Desk, all_agents, limits


def tight(seed: int) -> Desk:
    rng = np.random.default_rng(seed)
    shares = {
        "flow_by_agent": {"gamma-0": FlowShare(cost_usd=float(rng.uniform(100, 3e3)), orders=int(rng.integers(1, 9)))},
        "flow_by_kind": {"vega": FlowShare(cost_usd=float(rng.uniform(0, 5e3)))},
        "flow_by_underlying": {"NDX": FlowShare(notional_usd=float(rng.uniform(1e6, 1e8)))},
    }
    flow = FlowBudget(cost_usd=float(rng.uniform(5e3, 3e4)), notional_usd=1e9, orders=60)
    desk = Desk(limits=limits(flow=flow, risk=RISK, **shares))
    for _ in range(10):
        all_agents(desk, float(rng.uniform(-1.5, 1.5)))
        for order in desk.decide():
            desk.fill(order, int(rng.integers(0, order.quantity_lots + 1)))
        desk.feed(float(rng.uniform(1, 900)))
    return desk


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 1_000))
@example(3)  # an order of two kinds that fills in part: whose lots these were decides the kinds' levels
@example(35)
def test_no_scope_is_overdrawn_at_any_event(seed: int) -> None:
    desk = tight(seed)  # Desk.send checks the state after every event
    assert not list(flow_violations(desk.world, desk.journal, desk.limits))


def test_planted_a_skipped_reservation_is_caught_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the state's own check at once; and, where that is off, by the recount of the journal."""
    monkeypatch.setattr(Flows, "reserve", lambda self, scopes, day, per_lot, forced=False: None)
    with pytest.raises(HedgerowError, match=r"flow|reserved"):
        tight(1)
    monkeypatch.setattr("manager.state.ManagerState.check", lambda self: None)
    monkeypatch.setattr(Flows, "room", lambda self, scope, day: (10**15, 10**15, 10**6))
    broken = tight(1)
    assert broken.orders and list(flow_violations(broken.world, broken.journal, broken.limits))
