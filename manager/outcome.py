"""What a command leads to, before it is recorded: what to say, what else goes into the journal, what else is done.

*Tested by* tests/unit/test_manager_manual.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from common.control_messages import JournalEvent
from manager.events import Instruction


def _nothing() -> list[Instruction]:
    return []


@dataclass(frozen=True, slots=True)
class Outcome:
    """``events`` follow the command in the journal; ``first`` is done before them, ``then`` is asked once they hold."""

    text: str
    events: tuple[JournalEvent, ...] = ()
    first: tuple[Instruction, ...] = ()
    then: Callable[[], list[Instruction]] = _nothing
