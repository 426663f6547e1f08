"""Each steering rule of the auditor: a clean record is clean, each planted violation is found."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from common.control_messages import Command, CommandTaken, Cycle, JournalEntry, TradesImported
from common.limits_scopes import Approval
from common.messages import AgentParameters, ExecutionReport, OrdStatus
from lab.audit_flows import flow_violations
from lab.audit_limits import limit_violations
from lab.audit_steering import imported_lots, steering_violations
from manager import events as ev
from tests.manager_world import Desk, all_agents, limits
from tests.steering_world import bring, by_hand, row, send


def steered() -> Desk:
    desk = Desk()
    all_agents(desk)
    name = desk.world.instrument_id
    bring(desk, "i1", row(2, "T1", name[5], -40), row(3, "T2", name[6], 7))
    bring(desk, "i2", row(2, "T1b", name[5], -41, corrects="T1"), row(3, "T2c", name[6], 7, cancels="T2"))
    by_hand(desk, "h1", "SELL", 2, 0)
    desk.fill(desk.orders[0])
    send(desk, "agents.set", "a1", path="gamma.interval_scale", value=2.0)
    send(desk, "agents.set", "a2", path="holding_days", value=3.0)
    send(desk, "agents.undo", "a3", version=1)
    send(desk, "pause", "p1", scope="underlying:SPX")
    for order in desk.decide():
        desk.fill(order)
    return desk


def found(desk: Desk, entries: list[JournalEntry]) -> list[str]:
    return list(steering_violations(desk.world, entries))


def changed(entries: list[JournalEntry], kind: type, nth: int, **fields: Any) -> list[JournalEntry]:
    at = [k for k, e in enumerate(entries) if isinstance(e.event, kind)][nth]
    out = list(entries)
    out[at] = replace(out[at], event=replace(out[at].event, **fields))
    return out


def without(entries: list[JournalEntry], kind: type, nth: int) -> list[JournalEntry]:
    at = [k for k, e in enumerate(entries) if isinstance(e.event, kind)][nth]
    return entries[:at] + entries[at + 1 :]


def test_a_clean_record_is_clean() -> None:
    desk = steered()
    assert found(desk, desk.journal) == []
    assert imported_lots(desk.book, desk.journal, len(desk.world)).sum() == -41


def test_imports_are_recounted() -> None:
    desk = steered()
    first, second = [e.event for e in desk.journal if isinstance(e.event, TradesImported)]
    doubled = changed(desk.journal, TradesImported, 0, trades=(*first.trades, first.trades[0]))
    assert any("taken twice" in said for said in found(desk, doubled))
    other = changed(desk.journal, TradesImported, 0, trades=(replace(first.trades[0], lots=-39), first.trades[1]))
    assert any("not what the file" in said for said in found(desk, other))
    assert any(
        "no accepted command" in said for said in found(desk, changed(desk.journal, TradesImported, 0, import_id="x"))
    )
    assert any("does not stand" in said for said in found(desk, without(desk.journal, TradesImported, 0)))
    assert second.trades


def test_an_approval_is_of_what_somebody_else_asked_for_once() -> None:
    desk = Desk(limits=limits(approval=Approval(widening="second_person")))

    def ask(who: str, action: str, command_id: str, **arguments: Any) -> None:
        desk.send(ev.CommandArrived(0, Command(command_id, action, who, "test", json.dumps(arguments))))

    ask("anna/ops", "limits.set", "wider12345", path="flow.orders", value=200_000)
    ask("anna/ben", "limits.approve", "own", id="wider123")
    ask("ben/ops", "limits.approve", "other", id="wider123")
    assert desk.state.fold.limits.flow.orders == 200_000 and found(desk, desk.journal) == []
    assert list(limit_violations(desk.world, desk.book, desk.journal, desk.limits)) == []
    taken = {e.event.command.command_id: k for k, e in enumerate(desk.journal) if isinstance(e.event, CommandTaken)}
    at = taken["other"]
    approved = desk.journal[at]
    assert isinstance(approved.event, CommandTaken)
    for who in ("anna/ops", "anna", "anna/ben"):
        own = replace(approved, event=replace(approved.event, command=replace(approved.event.command, who=who)))
        doctored = [*desk.journal[:at], own, *desk.journal[at + 1 :]]
        assert any(f"{who} approves wider123" in said for said in found(desk, doctored))
        beyond = list(limit_violations(desk.world, desk.book, doctored, desk.limits))
        assert any("must not be" in said and "second person" in said for said in beyond)
        assert list(flow_violations(desk.world, doctored, desk.limits)) == []
    twice = [*desk.journal, approved]
    assert any("approved before" in said for said in found(desk, twice))


def test_a_manual_cycle_is_what_was_asked_once() -> None:
    desk = steered()
    cycle = next(e.event for e in desk.journal if isinstance(e.event, Cycle))
    order = cycle.orders[0]
    for wrong, words in (
        ({"quantity_lots": 3}, "another was sent"),
        ({"cause_id": "command:h2"}, "no new accepted command"),
        ({"allocation": (("manual@rates", -2),)}, "another desk"),
    ):
        doctored = changed(desk.journal, Cycle, 0, orders=(replace(order, **wrong),))
        assert any(words in said for said in found(desk, doctored)), words
    assert any("has no cycle" in said for said in found(desk, without(desk.journal, Cycle, 0)))


@pytest.mark.parametrize(
    ("nth", "fields", "words"),
    [
        (0, {"version": 2}, "follows"),
        (0, {"after": 3.0}, "another change"),
        (2, {"before": 4.0}, "was not"),
        (1, {"values": {}}, "is not its changes"),
        (2, {"undoes": 2}, "another change"),
    ],
)
def test_parameters_are_recounted(nth: int, fields: dict[str, Any], words: str) -> None:
    desk = steered()
    said = found(desk, changed(desk.journal, AgentParameters, nth, **fields))
    assert any(w in line for w in words.split("|") for line in said), said


def test_an_order_of_a_stopped_part_that_lived_is_found_and_a_refused_one_is_not() -> None:
    desk = steered()
    stop = next(e for e in desk.journal if isinstance(e.event, CommandTaken) and e.event.command.action == "pause")
    rest = [e for e in desk.journal if e is not stop]
    early = [rest[0], stop, *rest[1:]]
    assert any("was decided while underlying:SPX was stopped" in said for said in found(desk, early))
    refused = [
        replace(e, event=replace(e.event, ord_status=OrdStatus.REJECTED)) if isinstance(e.event, ExecutionReport) else e
        for e in early
    ]
    assert found(desk, refused) == []
