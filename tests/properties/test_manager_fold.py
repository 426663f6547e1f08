"""The journal is the state: a fold from any point on gives what the leader has."""

from __future__ import annotations

import numpy as np
import pytest

from common.errors import HedgerowError
from common.limits import FlowBudget
from manager import events as ev
from manager.fold import apply
from manager.hash import state_hash
from manager.step import start
from tests.manager_world import Desk, all_agents, limits
from tests.unit.test_manager_control import command


def busy_desk(seed: int) -> Desk:
    rng = np.random.default_rng(seed)
    desk = Desk(limits=limits(flow=FlowBudget(cost_usd=5e4, notional_usd=1e9, orders=500)))
    for k in range(12):
        all_agents(desk, float(rng.uniform(-1, 1)))
        for order in desk.decide():
            desk.fill(order, int(rng.integers(0, order.quantity_lots + 1)))
        desk.feed(float(rng.uniform(0, 30)))
        if k == 4:
            desk.send(command("limits.set", "l1", path="factor.gamma:*.soft_usd", value=1e6))
            desk.send(command("pause", "p1"))
            desk.send(ev.TradingStateSet("p1", True, ""))
        if k == 6:
            desk.send(command("resume", "p2"))
            desk.send(ev.TradingStateSet("p2", True, ""))
        if k == 8:
            desk.take_over(2)
    return desk


@pytest.mark.parametrize("seed", range(5))
def test_fold_of_the_journal_equals_the_live_state_at_every_entry(seed: int) -> None:
    desk = busy_desk(seed)
    assert desk.orders and desk.state.fold.ledger.fills
    standby = start(desk.setup)
    for entry in desk.journal:
        standby = apply(standby, entry)
        standby.check()
    assert state_hash(standby) == state_hash(desk.state)


def test_the_hash_sees_a_difference_anywhere() -> None:
    desk = busy_desk(1)
    standby = start(desk.setup)
    for entry in desk.journal[:-1]:
        apply(standby, entry)
    assert state_hash(standby) != state_hash(desk.state)
    apply(standby, desk.journal[-1])
    standby.fold.ledger.traded[7] += 1
    assert state_hash(standby) != state_hash(desk.state)


def test_a_missing_or_doubled_entry_is_an_error() -> None:
    desk = busy_desk(2)
    standby = start(desk.setup)
    apply(standby, desk.journal[0])
    for wrong in (desk.journal[0], desk.journal[2]):
        with pytest.raises(HedgerowError, match="missing or doubled"):
            apply(standby, wrong)


def test_a_standby_that_folded_continues_as_the_leader_would_have() -> None:
    """Same news after the same takeover: the same orders from the leader and from a standby that only read the journal."""
    leader, other = busy_desk(3), busy_desk(3)
    folded = start(other.setup)
    for entry in other.journal:
        apply(folded, entry)
    folded.market, folded.volatility = other.state.market, other.state.volatility
    other.state = folded
    found = []
    for desk in (leader, other):
        desk.take_over(7)
        all_agents(desk, 0.8)
        found.append([(o.client_order_id, o.signed_lots, o.allocation, o.inputs_hash) for o in desk.decide()])
    assert found[0] and found[0] == found[1]
