"""Pause, resume and kill of an underlying or an agent: nothing of that part leaves, everything else goes on."""

from __future__ import annotations

import pytest

from common import factors
from common.messages import OrdStatus, Refusal, TradingState
from manager import events as ev
from manager.fold import apply
from manager.hash import state_hash
from manager.status import status
from manager.step import start
from tests.manager_world import Desk, all_agents, assign
from tests.steering_world import send

SPX, NDX = "SPX", "NDX"


def served(desk: Desk) -> set[str]:
    return {agent for o in desk.orders for agent, _ in o.allocation}


def symbols(desk: Desk) -> set[str]:
    return {desk.world.symbols[int(desk.world.underlying[o.instrument])] for o in desk.orders}


def test_without_a_stop_everything_trades() -> None:
    desk = Desk()
    all_agents(desk)
    assert desk.decide() and symbols(desk) == {SPX, NDX} and {"gamma-1", "vega-0"} <= served(desk)


@pytest.mark.parametrize("action", ["pause", "kill"])
@pytest.mark.parametrize("mode", ["joint", "plain", "alone"])
def test_an_underlying_that_is_stopped_has_no_orders_until_it_is_resumed(action: str, mode: str) -> None:
    from manager.config import ManagerConfig

    desk = Desk(config=ManagerConfig(netting=mode))
    all_agents(desk)
    ack = send(desk, action, "c1", scope="underlying:SPX")
    assert ack is not None and ack.accepted and "underlying:SPX" in ack.text
    (asked,) = [i for i in desk.out if isinstance(i, ev.SetTradingState)]
    assert asked.scope == "underlying:SPX"
    assert desk.decide() and symbols(desk) == {NDX}
    assert desk.state.fold.trading is TradingState.ACTIVE
    send(desk, "resume", "c2")
    assert "underlying:SPX" in desk.state.fold.holds, "a resume of the firm lifts no other stop"
    desk.orders.clear()
    send(desk, "resume", "c3", scope="underlying:SPX")
    desk.feed(60)
    all_agents(desk)
    assert desk.decide() and SPX in symbols(desk)


@pytest.mark.parametrize("mode", ["joint", "plain", "alone"])
def test_an_agent_that_is_paused_is_served_by_no_order(mode: str) -> None:
    from manager.config import ManagerConfig

    desk = Desk(config=ManagerConfig(netting=mode))
    all_agents(desk)
    ack = send(desk, "pause", "c1", scope="agent:gamma-1")
    assert ack is not None and ack.accepted
    assert not any(isinstance(i, ev.SetTradingState) for i in desk.out), "execution knows no agents"
    assert desk.decide() and "gamma-1" not in served(desk) and served(desk)
    again = Desk(config=ManagerConfig(netting=mode))
    all_agents(again)
    send(again, "pause", "c1", scope="agent:gamma-1")
    send(again, "resume", "c2", scope="agent:gamma-1")
    assert again.decide() and "gamma-1" in served(again)


def test_others_may_not_push_a_stopped_agent_beyond_its_hard_limit_nor_trade_to_cure_it() -> None:
    desk = Desk(owner={"gamma/SPX": "gamma-0"})
    desk.propose("gamma-0", {factors.delta(SPX): 9e8}, 1e5, menu=[0])
    send(desk, "pause", "c1", scope="agent:gamma-0")
    assert desk.decide() == [], "its broken hard limit is nobody else's order"


def test_a_killed_agent_has_its_working_orders_cancelled_and_a_new_leader_asks_again() -> None:
    desk = Desk()
    all_agents(desk)
    mine = {o.client_order_id for o in desk.decide() if "gamma-1" in dict(o.allocation)}
    assert mine
    before = len(desk.out)
    ack = send(desk, "kill", "c1", scope="agent:gamma-1")
    cancelled = [set(i.client_order_id) for i in desk.out[before:] if isinstance(i, ev.Cancel)]
    assert cancelled == [mine] and ack is not None and f"{len(mine)} cancels" in ack.text
    from common.messages import OrderState

    lives = [OrderState(x.order, x.status, x.cum_lots, x.leaves_lots) for x in desk.state.fold.orders.open.values()]
    before = len(desk.out)
    desk.take_over(2, lives)
    assert {n for i in desk.out[before:] if isinstance(i, ev.Cancel) for n in i.client_order_id} == mine


def test_the_firm_stands_above_every_part() -> None:
    desk = Desk()
    all_agents(desk)
    send(desk, "kill", "c1")
    send(desk, "resume", "c2", scope="underlying:SPX")
    assert desk.decide() == [] and desk.state.fold.trading is TradingState.KILLED


def test_a_stop_that_execution_did_not_take_does_not_hold() -> None:
    desk = Desk()
    ack = send(desk, "pause", "c1", ok=False, scope="underlying:SPX")
    assert ack is not None and not ack.accepted and ack.text.startswith("not underlying:SPX paused")
    assert not desk.state.fold.holds


@pytest.mark.parametrize("scope", ["underlying:DAX", "desk:rates", "agent:gamma-9", "book:x", "SPX", 7])
def test_a_part_that_is_not_there_is_refused(scope: object) -> None:
    desk = Desk()
    ack = send(desk, "pause", "c1", scope=scope)
    assert ack is not None and not ack.accepted and not desk.state.fold.holds


def test_an_agent_whose_keys_are_covered_is_paused_before_it_is_back() -> None:
    desk = Desk(owner={"gamma/SPX": "gamma-0"})
    desk.propose("gamma-0", {factors.delta(SPX): 9e6}, 1e5, menu=[0])
    desk.send(ev.CommandArrived(0, assign({"gamma/SPX": "gamma-1"}, "cover")))
    ack = send(desk, "pause", "c1", scope="agent:gamma-0")
    assert ack is not None and ack.accepted
    desk.propose("gamma-1", {factors.delta(SPX): 9e6}, 1e5, menu=[0])
    assert desk.decide() and served(desk) == {"gamma-1"}, "a stop belongs to the agent, not to its keys"
    desk.send(ev.CommandArrived(0, assign({"gamma/SPX": "gamma-0"}, "back")))
    desk.orders.clear()
    desk.feed(60)
    desk.propose("gamma-0", {factors.delta(SPX): 9e6}, 1e5, menu=[0])
    assert desk.decide() == []


def test_execution_stopped_an_underlying_behind_our_back() -> None:
    desk = Desk()
    all_agents(desk)
    order = next(o for o in desk.decide() if desk.world.underlying[o.instrument] == 0)
    text = "trading: underlying:SPX KILLED by ann (x), limit ACTIVE"
    desk.send(ev.ReportArrived(0, desk.report(order, OrdStatus.REJECTED, refusal=Refusal.SCOPE_KILLED, text=text)))
    assert desk.state.fold.holds["underlying:SPX"].state is TradingState.KILLED
    assert desk.state.fold.trading is TradingState.ACTIVE


def test_status_says_it_and_the_journal_gives_it_back() -> None:
    desk = Desk()
    send(desk, "pause", "c1", scope="underlying:SPX")
    send(desk, "kill", "c2", scope="agent:gamma-0")
    said = {s["scope"]: s["state"] for s in status(desk.state, 0)["trading"]["stopped"]}
    assert said == {"underlying:SPX": "PAUSED", "agent:gamma-0": "KILLED"}
    other = start(desk.setup)
    for entry in desk.journal:
        apply(other, entry)
    assert state_hash(other) == state_hash(desk.state)
