"""A trader's own order: the same checks and record; refused with rule, value and limit; a second same id does nothing."""

from __future__ import annotations

from typing import Any

import pytest

from common import factors
from common.limits import FactorLimit, FlowBudget, OrderCaps
from common.messages import OrderState, OrdStatus, Side
from console.story import story
from manager import events as ev
from manager.fold import apply
from manager.hash import state_hash
from manager.status import status
from manager.step import start
from tests.manager_world import TICK, Desk, all_agents, assign, limits
from tests.steering_world import by_hand, send

SPX = factors.delta("SPX")


def alone(**settings: Any) -> Desk:
    """A desk without agents: what a hand-made order does to no factor is for anybody to say."""
    return Desk(owner={}, **settings)


def test_it_is_recorded_reserved_sent_and_filled_like_any_other() -> None:
    desk = alone()
    ack = by_hand(desk, "h1", "SELL", 5, 0)
    (order,) = desk.orders
    assert ack.accepted and order.client_order_id in ack.text
    assert (order.side, order.quantity_lots, order.instrument) == (Side.SELL, 5, 0)
    assert order.limit_ticks == desk.state.market.bid_ticks[0] and order.cause_id == "command:h1"
    cycle = desk.state.fold.last_cycle
    assert cycle is not None and cycle.method == "manual" and cycle.orders == (order,)
    assert desk.state.fold.flows.meters
    desk.fill(order)
    assert desk.state.fold.ledger.traded[0] == -5
    assert desk.state.fold.ledger.by_agent["manual"] == {0: -5}
    told = story("last", desk.journal, desk.world).text()
    assert "by hand" in told and "ann" in told and "manual" in told


def test_the_same_id_again_does_nothing() -> None:
    desk = alone()
    first = by_hand(desk, "h1", "BUY", 5, 0)
    entries = len(desk.journal)
    assert by_hand(desk, "h1", "BUY", 5, 0) == first
    assert len(desk.orders) == 1 and len(desk.journal) == entries


def test_the_same_id_with_other_content_is_refused_and_does_nothing() -> None:
    desk = alone()
    first = by_hand(desk, "h1", "BUY", 5, 0)
    entries = len(desk.journal)
    heir = alone()
    heir.state = start(heir.setup)
    for entry in desk.journal:
        apply(heir.state, entry)
    heir.take_over(2)
    for asked in (desk, heir):
        for ack in (by_hand(asked, "h1", "SELL", 5, 0), by_hand(asked, "h1", "BUY", 6, 0), send(asked, "pause", "h1")):
            assert ack is not None and not ack.accepted
            assert "'h1' was done before with other content" in ack.text and first.text not in ack.text
        assert by_hand(asked, "h1", "BUY", 5, 0) == first
    assert len(desk.orders) == 1 and len(desk.journal) == entries and heir.orders == []


def test_the_same_id_again_does_nothing_where_a_takeover_lost_the_record_of_it() -> None:
    """The order had left when its leader died with the entries; who asked for it was not answered and asks again."""
    old, new = alone(), alone()
    by_hand(old, "h1", "SELL", 5, 0)
    (order,) = old.orders
    new.take_over(2, [OrderState(order, OrdStatus.NEW, 0, 5)], [])
    ack = by_hand(new, "h1", "SELL", 5, 0)
    assert ack.accepted and order.client_order_id in ack.text
    assert new.orders == [] and list(new.state.fold.orders.open) == [order.client_order_id]
    by_hand(new, "h2", "SELL", 1, 0)
    assert len(new.orders) == 1, "another command is another order"


def test_it_does_not_take_the_cause_of_the_agents_next_cycle() -> None:
    desk = Desk()
    all_agents(desk)
    fresh = desk.state.fold.fresh
    by_hand(desk, "h1", "BUY", 1, 0)
    assert desk.state.fold.fresh is fresh is not None
    assert {o.cause_id for o in desk.decide()} == {fresh.header.id}


def test_a_limit_price_is_taken_and_must_be_a_tick() -> None:
    desk = alone()
    price = float(desk.state.market.bid_ticks[0]) * TICK
    assert by_hand(desk, "h1", "BUY", 1, 0, limit=price).accepted
    assert desk.orders[0].limit_ticks == desk.state.market.bid_ticks[0]
    assert not by_hand(desk, "h2", "BUY", 1, 0, limit=price + TICK / 3).accepted


@pytest.mark.parametrize(("side", "sign"), [("BUY", 1), ("SELL", -1)])
@pytest.mark.parametrize(("ticks", "above_mid_usd"), [(-9, 0.0), (-2, 0.0), (0, 0.0), (2, 5.0), (6, 15.0)])
def test_a_limit_costs_what_it_pays_above_mid_and_one_below_it_nothing(
    side: str, sign: int, ticks: int, above_mid_usd: float
) -> None:
    """Five futures of 50 USD a point and ticks of 0.05, quoted two ticks to either side of mid; a dollar of fee each."""
    costs = round(5 * (above_mid_usd + 1.0), 2)
    mid = 0.5 * float(alone().state.market.bid_ticks[0] + alone().state.market.ask_ticks[0])
    price = (mid + sign * ticks) * TICK
    for budget in (costs, costs - 0.01):
        desk = alone(limits=limits(flow=FlowBudget(cost_usd=budget, notional_usd=1e12, orders=10)))
        ack = by_hand(desk, "h1", side, 5, 0, limit=price)
        assert ack.accepted == (budget == costs), ack.text
        if not ack.accepted:
            continue
        said = status(desk.state, 0)
        firm = {row["budget"]: row for row in said["flows"] if row["scope"] == "firm"}["cost_usd"]
        assert (firm["reserved"], said["costs"]["modelled_usd"], said["costs"]["wished_usd"]) == (costs, costs, 0.0)
        assert (
            said["cycle"]["cost_usd"] == costs
            and said["cycle"]["wished_cost_usd"] is said["cycle"]["saved_usd"] is None
        )
        told = story("last", desk.journal, desk.world).text()
        assert "Expected cost" in told and "one by one" not in told
        desk.fill(desk.orders[0])  # at its limit
        after = {row["budget"]: row for row in status(desk.state, 0)["flows"] if row["scope"] == "firm"}["cost_usd"]
        assert (after["reserved"], after["used"]) == (0, costs)
        desk.state.check()


def test_a_hard_limit_refuses_it_with_value_and_limit_and_lets_the_way_back_through() -> None:
    tight = limits(factor={"delta:*": FactorLimit(soft_usd=1e6, hard_usd=1.5e6)})
    desk = Desk(limits=tight, owner={"gamma/SPX": "gamma-0"})
    desk.propose("gamma-0", {SPX: 1.3e6}, 1e6, menu=[0])
    refused = by_hand(desk, "h1", "BUY", 2, 0)
    assert not refused.accepted and "delta:SPX 1570000" in refused.text and "limit 1500000" in refused.text
    assert desk.orders == []
    assert by_hand(desk, "h2", "SELL", 2, 0).accepted
    desk.propose("gamma-0", {SPX: 2e6}, 1e6, menu=[0])
    assert not by_hand(desk, "h3", "BUY", 1, 0).accepted, "a broken limit may not be made worse"


def test_the_unknown_is_refused() -> None:
    desk = Desk(owner={"gamma/SPX": "gamma-0"})
    desk.propose("gamma-0", {SPX: 0.0}, 1e6, menu=[0])
    refused = by_hand(desk, "h1", "BUY", 1, 5)
    assert not refused.accepted and "is not known now" in refused.text


def test_a_hard_limit_of_keys_that_move_still_refuses_it() -> None:
    tight = limits(factor={"delta:*": FactorLimit(soft_usd=1e6, hard_usd=1.5e6)})
    desk = Desk(limits=tight, owner={"gamma/SPX": "gamma-0"})
    desk.propose("gamma-0", {SPX: 1.3e6}, 1e6, menu=[0])
    assert "limit 1500000" in by_hand(desk, "h1", "BUY", 400, 0).text
    desk.send(ev.CommandArrived(0, assign({"gamma/SPX": "gamma-1"}, "cover")))
    refused = by_hand(desk, "h2", "BUY", 400, 0)
    assert "delta:SPX is not known now" in refused.text and desk.orders == []


@pytest.mark.parametrize(
    ("changes", "lots", "rule"),
    [
        ({"order": OrderCaps(max_lots_future=4, max_lots_option=4, max_notional_usd=1e9)}, 5, "size: 5 lots, limit 4"),
        ({"order": OrderCaps(max_lots_future=50, max_lots_option=4, max_notional_usd=2e5)}, 5, "notional: "),
        ({"flow": FlowBudget(cost_usd=10.0, notional_usd=1e12, orders=10)}, 50, "flow budget of firm: "),
        ({"flow": FlowBudget(cost_usd=1e6, notional_usd=1e5, orders=10)}, 5, "notional cents"),
    ],
)
def test_caps_and_budgets_refuse_it(changes: dict[str, object], lots: int, rule: str) -> None:
    desk = alone(limits=limits(**changes))
    refused = by_hand(desk, "h1", "BUY", lots, 0)
    assert not refused.accepted and rule in refused.text and "limit" in refused.text and desk.orders == []


def test_it_does_not_trade_against_our_own_orders() -> None:
    desk = alone()
    by_hand(desk, "h1", "BUY", 3, 0)
    refused = by_hand(desk, "h2", "SELL", 1, 0)
    assert not refused.accepted and "3 lots work on the other side" in refused.text


def test_pause_and_stops_hold_for_it_too() -> None:
    desk = alone()
    send(desk, "pause", "p1", scope="underlying:SPX")
    assert "underlying:SPX PAUSED by ann" in by_hand(desk, "h1", "BUY", 1, 0).text
    assert by_hand(desk, "h2", "BUY", 1, 1).accepted
    send(desk, "kill", "p2")
    assert "KILLED" in by_hand(desk, "h3", "BUY", 1, 1).text and len(desk.orders) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"side": "LONG"},
        {"side": ["BUY"]},
        {"lots": 0},
        {"lots": 1.5},
        {"lots": True},
        {"instrument": "X"},
        {"limit": "1"},
        {"limit": 1e308},
        {"desk": "rates"},
    ],
)
def test_what_makes_no_order_is_refused(wrong: dict[str, object]) -> None:
    desk = alone()
    good = {"side": "BUY", "lots": 1, "instrument": desk.world.instrument_id[0], "limit": None, "desk": ""}
    ack = send(desk, "hedge", "h1", **{**good, **wrong})
    assert ack is not None and not ack.accepted and desk.orders == []


def test_stale_quotes_refuse_it_and_the_journal_gives_the_state_back() -> None:
    desk = alone()
    by_hand(desk, "h0", "BUY", 1, 0)
    desk.fill(desk.orders[0])
    from common.units import NS_PER_S
    from manager import events as ev
    from tests.manager_world import quotes

    late = desk.now_ns + 10_000 * NS_PER_S
    desk.send(ev.MarketNews(quotes(desk.world, "NDX", desk.sequence["NDX"] + 1, late)))
    assert "stale" in by_hand(desk, "h1", "BUY", 1, 0).text
    other = start(desk.setup)
    for entry in desk.journal:
        apply(other, entry)
    assert state_hash(other) == state_hash(desk.state)
