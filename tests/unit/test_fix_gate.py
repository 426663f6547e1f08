from __future__ import annotations

import pytest

from execution.venues.fix.session_gate import (
    GapOpened,
    Gate,
    GateState,
    HeartbeatHeard,
    LoggedOn,
    LoggedOut,
    Lost,
    Opened,
    Probe,
    Unanswered,
    step,
)


def played(*events) -> tuple[GateState, list]:
    gate, out = Gate(7), []
    for event in events:
        _, instructions = step(gate, event)
        out += instructions
    return gate.state, out


ON, OFF, GAP, LATE = LoggedOn(), LoggedOut(), GapOpened(), Unanswered()


@pytest.mark.parametrize(
    ("events", "state", "out"),
    [
        ((), GateState.DOWN, []),
        ((ON,), GateState.PROBING, [Probe("7-1")]),
        ((ON, HeartbeatHeard("7-1")), GateState.OPEN, [Probe("7-1"), Opened()]),
        # A heartbeat by the clock, or an answer to somebody else, proves nothing.
        ((ON, HeartbeatHeard(""), HeartbeatHeard("7-2")), GateState.PROBING, [Probe("7-1")]),
        # A gap seen while probing: the answer to the first probe may have been sent before the gap was known.
        (
            (ON, GAP, HeartbeatHeard("7-1"), HeartbeatHeard("7-2")),
            GateState.OPEN,
            [Probe("7-1"), Probe("7-2"), Opened()],
        ),
        # A gap of the logon itself is told before the logon.
        ((GAP, ON), GateState.PROBING, [Probe("7-1")]),
        # A gap in the middle of a session closes the gate again.
        ((ON, HeartbeatHeard("7-1"), GAP), GateState.PROBING, [Probe("7-1"), Opened(), Probe("7-2")]),
        ((ON, LATE, HeartbeatHeard("7-2")), GateState.OPEN, [Probe("7-1"), Probe("7-2"), Opened()]),
        ((LATE,), GateState.DOWN, []),
        ((ON, HeartbeatHeard("7-1"), LATE), GateState.OPEN, [Probe("7-1"), Opened()]),
        ((ON, OFF, OFF), GateState.DOWN, [Probe("7-1"), Lost()]),
        ((OFF,), GateState.DOWN, []),
        # The answer of an earlier session does not open a later one.
        ((ON, OFF, ON, HeartbeatHeard("7-1")), GateState.PROBING, [Probe("7-1"), Lost(), Probe("7-2")]),
    ],
)
def test_orders_wait_until_everything_missed_is_heard(events, state, out) -> None:
    assert played(*events) == (state, out)
