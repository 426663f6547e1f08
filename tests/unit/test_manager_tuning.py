"""Agents' parameters live: versions, bounds, contradictions, and taking a change back."""

from __future__ import annotations

import pytest

from common.messages import AgentParameters
from manager import events as ev
from manager.fold import apply
from manager.hash import state_hash
from manager.snapshot import decode, encode
from manager.status import status
from manager.step import start
from manager.tuning import current
from tests.manager_world import Desk
from tests.steering_world import send


def told(desk: Desk) -> list[AgentParameters]:
    return [i.update for i in desk.out if isinstance(i, ev.Publish) and isinstance(i.update, AgentParameters)]


def put(desk: Desk, k: str, path: object, value: object) -> tuple[bool, str]:
    ack = send(desk, "agents.set", k, path=path, value=value)
    assert ack is not None
    return ack.accepted, ack.text


def undo(desk: Desk, k: str, version: object) -> tuple[bool, str]:
    ack = send(desk, "agents.undo", k, version=version)
    assert ack is not None
    return ack.accepted, ack.text


def test_a_change_is_a_version_told_to_the_agents_and_can_be_taken_back() -> None:
    desk = Desk()
    assert put(desk, "a", "gamma.interval_scale", 1.5)[0] and put(desk, "b", "holding_days", 3)[0]
    assert [u.version for u in told(desk)] == [1, 2]
    assert told(desk)[-1].values == {"gamma.interval_scale": 1.5, "holding_days": 3.0}
    ok, text = undo(desk, "c", 1)
    assert ok and "takes back version 1" in text
    assert told(desk)[-1].values == {"holding_days": 3.0} and told(desk)[-1].undoes == 1
    assert current(desk.state)["gamma.interval_scale"] == 1.0
    ok, text = undo(desk, "d", 1)
    assert not ok and "version 3 has changed gamma.interval_scale since" in text
    assert undo(desk, "e", 3)[0] and current(desk.state)["gamma.interval_scale"] == 1.5
    assert status(desk.state, 0)["parameters"]["version"] == 4


def test_what_was_taken_back_is_not_in_the_way_of_what_was_changed_before() -> None:
    desk = Desk()

    def now() -> float:
        return current(desk.state)["gamma.interval_scale"]

    assert put(desk, "a", "gamma.interval_scale", 1.5)[0] and put(desk, "b", "gamma.interval_scale", 2)[0]
    ok, text = undo(desk, "c", 1)
    assert not ok and "version 2 has changed gamma.interval_scale since; take that one back first" in text
    assert undo(desk, "d", 2)[0] and now() == 1.5  # version 3
    ok, text = undo(desk, "e", 2)
    assert not ok and "version 3" in text and "has taken version 2 back already" in text and "first" not in text
    assert undo(desk, "f", 1)[0] and now() == 1.0  # version 4
    assert "version 4" in undo(desk, "g", 1)[1]
    # Version 3 gives 2.0 back only once version 4, which changed 1.5 to 1.0 since, is taken back too.
    ok, text = undo(desk, "h", 3)
    assert not ok and "version 4 has changed gamma.interval_scale since; take that one back first" in text
    assert undo(desk, "i", 4)[0] and now() == 1.5  # version 5
    assert undo(desk, "j", 3)[0] and now() == 2.0  # version 6
    assert "version 2 has changed" in undo(desk, "k", 1)[1], "version 2 stands again"
    assert undo(desk, "l", 2)[0] and now() == 1.5 and undo(desk, "m", 1)[0] and now() == 1.0


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("gamma.delta_only", 1.0, "known: gamma.interval_scale"),
        ("gamma.interval_scale", 0.0, "greater than 0"),
        ("gamma.interval_scale", 1e9, "less than or equal"),
        ("gamma.interval_scale", "1", "a value (number)"),
        ("gamma.interval_scale", True, "a value (number)"),
        ("gamma.interval_scale", 1.0, "already"),
        ("trigger.time_s", 1000.0, "contradicts proposal_life_s"),
        ("proposal_life_s", 100.0, "contradicts"),
    ],
)
def test_what_is_not_allowed_is_refused(path: str, value: object, why: str) -> None:
    desk = Desk()
    ok, text = put(desk, "a", path, value)
    assert not ok and why in text and not told(desk) and not desk.state.fold.parameters


def test_a_version_that_is_not_there_cannot_be_taken_back() -> None:
    desk = Desk()
    for k, version in enumerate((0, 1, -1, "1", True)):
        assert not undo(desk, f"u{k}", version)[0]


def test_journal_snapshot_and_a_new_leader_keep_what_holds() -> None:
    desk = Desk()
    put(desk, "a", "vega.tenor_damping", 0.7)
    other = start(desk.setup)
    for entry in desk.journal:
        apply(other, entry)
    assert state_hash(other) == state_hash(desk.state)
    other.fold = decode(encode(desk.state.fold, desk.run_id), desk.setup)
    assert state_hash(other) == state_hash(desk.state) and current(other) == current(desk.state)
    before = len(told(desk))
    desk.take_over(2)
    assert told(desk)[before:] == desk.state.fold.parameters[-1:]
