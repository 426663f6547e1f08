"""The one door into the journal: an entry is numbered, applied to the leader's own state, and handed to the shell.

*Tested by* tests/properties/test_manager_fold.py.
"""

from __future__ import annotations

from common.control_messages import JournalEntry, JournalEvent
from manager.events import Record
from manager.fold import apply
from manager.state import ManagerState


def record(state: ManagerState, event: JournalEvent, wall_ns: int, epoch: int | None = None) -> Record:
    """Append one event. ``epoch`` only where it changes: a takeover."""
    fold = state.fold
    entry = JournalEntry(
        fold.sequence + 1,
        fold.epoch if epoch is None else epoch,
        state.now_ns,
        wall_ns,
        event,
        state.market.last_header,
    )
    apply(state, entry)
    return Record(entry)
