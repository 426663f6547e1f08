"""When new orders may leave after a logon, as a pure state machine.

Session recovery is not order recovery. After every logon, and whenever a gap opens later, orders are held until a
TestRequest sent after the gap was seen has been answered: the engine delivers in sequence, so the answer shows that every
message before it, a replayed one too, has been heard. Then every order that is not terminal is asked about, and new orders
may leave.
*Tested by* tests/unit/test_fix_gate.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class GateState(Enum):
    """What the line is good for."""

    DOWN = "down"
    #: Logged on; a gap may be open.
    PROBING = "catching up"
    OPEN = "open"


@dataclass(frozen=True, slots=True)
class LoggedOn:
    """The engine has exchanged logons."""


@dataclass(frozen=True, slots=True)
class LoggedOut:
    """The line or the session ended."""


@dataclass(frozen=True, slots=True)
class GapOpened:
    """Our engine asked for messages it has missed, or the venue for some of ours, which it is not sent again."""


@dataclass(frozen=True, slots=True)
class HeartbeatHeard:
    """A Heartbeat in sequence; ``test_request`` names the TestRequest it answers, "" for none."""

    test_request: str


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The last probe has waited long enough: where the venue had a gap of its own, filling it took the probe with it."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Send a TestRequest of this name."""

    name: str


@dataclass(frozen=True, slots=True)
class Opened:
    """Ask about every order that is not terminal; new orders may leave after that."""


@dataclass(frozen=True, slots=True)
class Lost:
    """Whatever was sent and not answered is in doubt."""


@dataclass(slots=True)
class Gate:
    """Owned by the venue's shell. ``run`` makes probes of two lives of the process different."""

    run: int
    state: GateState = GateState.DOWN
    probes: int = 0


GateEvent = LoggedOn | LoggedOut | GapOpened | HeartbeatHeard | Unanswered
GateInstruction = Probe | Opened | Lost


def step(gate: Gate, event: GateEvent) -> tuple[Gate, list[GateInstruction]]:
    """Apply one event; ``gate`` is changed in place and returned."""
    match event:
        case LoggedOn():
            return gate, _probe(gate)
        case LoggedOut():
            down = gate.state is GateState.DOWN
            gate.state = GateState.DOWN
            return gate, [] if down else [Lost()]
        case GapOpened():
            # Before the logon is done the gap is the logon's own; the probe that follows covers it.
            return gate, [] if gate.state is GateState.DOWN else _probe(gate)
        case Unanswered():
            return gate, _probe(gate) if gate.state is GateState.PROBING else []
        case HeartbeatHeard(name):
            if gate.state is GateState.PROBING and name == _name(gate):
                gate.state = GateState.OPEN
                return gate, [Opened()]
            return gate, []


def _probe(gate: Gate) -> list[GateInstruction]:
    gate.state = GateState.PROBING
    gate.probes += 1
    return [Probe(_name(gate))]


def _name(gate: Gate) -> str:
    return f"{gate.run}-{gate.probes}"
