"""The record of what an agent consumed, in order, since its last proposal.

*Tested by* tests/properties/test_agents_replay.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from common.messages import InputRun

#: Bound of the record. A longer silence (an agent stopped for hours) starts the agent's knowledge anew, see `step`.
MAX_RUNS: Final = 10_000

DECIDE: Final = "decide"
POSITIONS: Final = "positions"
BUDGETS: Final = "budgets"
ASSIGNMENT: Final = "assignment"
PARAMETERS: Final = "parameters"
RESET: Final = "reset"
SNAPSHOT_PREFIX: Final = "snapshot."


@dataclass(slots=True)
class Recorder:
    """Runs of consecutive sequences. Owner: one `AgentState`."""

    _done: list[InputRun] = field(default_factory=list)
    _stream: str = ""
    _first: int = 0
    _count: int = 0

    def note(self, stream: str, sequence: int) -> None:
        """One input of ``stream`` was consumed."""
        if stream == self._stream and sequence == self._first + self._count:
            self._count += 1
            return
        self._close()
        self._stream, self._first, self._count = stream, sequence, 1

    def _close(self) -> None:
        if self._count:
            self._done.append(InputRun(self._stream, self._first, self._count))
        self._count = 0

    @property
    def full(self) -> bool:
        """True when nothing more may be noted before the record is taken."""
        return len(self._done) + 1 >= MAX_RUNS

    def take(self) -> tuple[InputRun, ...]:
        """Everything noted since the last call."""
        self._close()
        out = tuple(self._done)
        self._done = []
        return out


def expand(runs: Iterable[InputRun]) -> Iterator[tuple[str, int]]:
    """Each single input of the runs, in order: (stream, sequence or version)."""
    for run in runs:
        for i in range(run.count):
            yield run.stream, run.first + i
