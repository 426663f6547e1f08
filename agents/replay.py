"""An agent led again through what it recorded: the same inputs give the same proposals, byte for byte.

*Tested by* tests/properties/test_agents_replay.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from agents import recorder
from agents.step import AgentEvent, AgentState, Decide, Reset, step
from common.messages import InputRun, Proposal


def replay(
    state: AgentState, runs: Iterable[InputRun], lookup: Callable[[str, int], AgentEvent]
) -> tuple[AgentState, list[Proposal]]:
    """Feed recorded inputs to an agent again; ``lookup(stream, sequence)`` finds each quote batch and update.

    Streams are those of `InputRun`; "decide" and "reset" need no lookup. The result equals the recorded proposals byte
    for byte if ``state`` came from `start` with the same setup and the runs of all earlier proposals went before.
    """
    proposals: list[Proposal] = []
    for stream, sequence in recorder.expand(runs):
        event: AgentEvent
        if stream == recorder.DECIDE:
            event = Decide()
        elif stream == recorder.RESET:
            event = Reset(sequence)
        else:
            event = lookup(stream, sequence)
        state, more = step(state, event)
        proposals += more
    return state, proposals
