"""Control: a command holds before it is acknowledged, and is carried out once."""

from __future__ import annotations

import json

import pytest

from common import factors
from common.control_messages import Command
from common.messages import AssignmentUpdate, BudgetUpdate, OrdStatus, Refusal, TradingState
from manager import events as ev
from tests.manager_world import OWNER, Desk, assign, delta_desk

DELTA = factors.delta("SPX")


def command(action: str, command_id: str = "c1", **arguments: object) -> ev.CommandArrived:
    return ev.CommandArrived(0, Command(command_id, action, "ann", "test", json.dumps(arguments)))


def acks(out: list[ev.Instruction]) -> list[tuple[bool, str]]:
    return [(i.acknowledgement.accepted, i.acknowledgement.text) for i in out if isinstance(i, ev.Acknowledge)]


@pytest.mark.parametrize(("action", "state"), [("pause", TradingState.PAUSED), ("kill", TradingState.KILLED)])
def test_execution_is_asked_first_and_the_acknowledgement_waits(action: str, state: TradingState) -> None:
    desk = delta_desk()
    desk.propose("gamma-0", {DELTA: 3e6}, 3e5, menu=[0])
    (asked,) = desk.send(command(action))
    assert isinstance(asked, ev.SetTradingState) and asked.state is state
    assert desk.send(command(action)) == []
    assert desk.decide() == [], "no order while a pause waits"
    assert desk.state.fold.trading is TradingState.ACTIVE
    out = desk.send(ev.TradingStateSet("c1", True, "execution holds it"))
    assert len(acks(out)) == 1 and acks(out)[0][0]
    assert desk.state.fold.trading is state
    assert desk.decide() == []
    assert acks(desk.send(command(action))) == acks(out), "the same command again: the same acknowledgement"
    assert sum(isinstance(i, ev.SetTradingState) for i in desk.out) == 1
    desk.send(command("resume", "c2"))
    desk.send(ev.TradingStateSet("c2", True, ""))
    assert len(desk.decide()) == 1


def test_pause_that_execution_did_not_take_is_not_acknowledged_as_done() -> None:
    desk = delta_desk()
    desk.send(command("pause"))
    out = desk.send(ev.TradingStateSet("c1", False, "unreachable"))
    assert acks(out) == [(False, "not paused: unreachable")]
    assert desk.state.fold.trading is TradingState.ACTIVE
    assert desk.send(ev.TradingStateSet("c1", True, "late")) == []


def test_execution_killed_behind_our_back_stops_the_orders() -> None:
    desk = delta_desk()
    desk.propose("gamma-0", {DELTA: 3e6}, 3e5, menu=[0])
    (order,) = desk.decide()
    desk.send(ev.ReportArrived(0, desk.report(order, OrdStatus.REJECTED, refusal=Refusal.KILLED)))
    assert desk.state.fold.trading is TradingState.KILLED
    desk.feed(60.0)
    desk.propose("gamma-0", {DELTA: 3e6}, 3e5, menu=[0])
    assert desk.decide() == []


def test_limits_set_makes_a_version_a_budget_epoch_and_holds_at_once() -> None:
    desk = delta_desk()
    epoch = desk.state.fold.budgets.budget_epoch
    out = desk.send(command("limits.set", path="factor.delta:SPX.soft_usd", value=1e5))
    assert acks(out)[0][0] and isinstance(out[-1], ev.Acknowledge)
    (update,) = [i.update for i in out if isinstance(i, ev.Publish)]
    assert isinstance(update, BudgetUpdate) and update.budget_epoch == epoch + 1
    assert update.soft_limit[update.factor.index(DELTA)] == 1e5
    assert desk.state.fold.limits.version == 2
    desk.propose("gamma-0", {DELTA: 2.9e6}, 2.5e6, menu=[0])
    (order,) = desk.decide()
    assert order.signed_lots * 135_000 == pytest.approx(1e5 - 2.9e6, abs=135_000), "to the soft limit, not the interval"
    assert len([1 for _ in desk.send(command("limits.set", path="factor.delta:SPX.soft_usd", value=1e5))]) == 1


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("limits.set", {"path": "factor.delta:SPX.soft_usd", "value": 1e12}),
        ("limits.set", {"path": "factor.delta:ABC.soft_usd", "value": 1.0}),
        ("limits.set", {"path": "nothing", "value": 1.0}),
        ("limits.set", {"path": "flow.cost_usd"}),
        ("limits.set", {"path": "flow.cost_usd", "value": None}),
        ("assign", {"owner": {"gamma/ABC": "gamma-0"}}),
        ("assign", {"owner": {"gamma/SPX": "vega-0"}}),
        ("assign", {"owner": ["gamma/SPX"]}),
        ("fly", {}),
    ],
)
def test_refused_commands_say_why_and_change_nothing(action: str, arguments: dict[str, object]) -> None:
    desk = delta_desk()
    before = (desk.state.fold.limits, desk.state.fold.assignment)
    out = desk.send(command(action, **arguments))
    assert acks(out)[0][0] is False and acks(out)[0][1]
    assert (desk.state.fold.limits, desk.state.fold.assignment) == before
    assert acks(desk.send(command(action, **arguments))) == acks(out)


def test_a_key_named_twice_is_refused() -> None:
    desk = delta_desk()
    text = '{"owner": {"gamma/SPX": "gamma-0", "gamma/SPX": "gamma-1"}}'
    out = desk.send(ev.CommandArrived(0, Command("c9", "assign", "fleet", "", text)))
    assert acks(out)[0] == (False, "assign: a key is named twice; a key has one owner")


def test_assignment_rises_is_published_and_drops_only_who_moved() -> None:
    desk = Desk()
    desk.propose("gamma-0", {DELTA: 1e5}, 3e5, menu=[0])
    desk.propose("gamma-1", {factors.delta("NDX"): 1e5}, 3e5, menu=[1])
    out = desk.send(ev.CommandArrived(0, assign({**OWNER, "gamma/NDX": "gamma-0"}, "assign-2")))
    (update,) = [i.update for i in out if isinstance(i, ev.Publish)]
    assert isinstance(update, AssignmentUpdate) and update.version == 2
    assert set(desk.state.fold.proposals) == set(), "both changed their keys"
    desk.propose("vega-0", {factors.vega("SPX", "8-30d"): 0.0}, 1e4)
    desk.send(ev.CommandArrived(0, assign(OWNER, "assign-3")))
    assert set(desk.state.fold.proposals) == {"vega-0"}
