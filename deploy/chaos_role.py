"""A part of a run that kills itself at a chosen point when told to: the launcher of ``hedgerow chaos`` starts parts by it.

``python -m deploy.chaos_role role execution ...`` is ``python -m deploy.cli role execution ...`` with a trap behind each write to
the disc. A trap is a file ``trap-ROLE-POINT`` in the run folder; whoever passes the point takes the file away, notes when, and
ends by SIGKILL. The parts themselves know nothing of it.
*Tested by* tests/e2e/test_chaos.py.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from deploy.cli import main as cli


class Traps:
    """The traps of one part."""

    def __init__(self, folder: Path, role: str) -> None:
        self._folder = folder
        self._role = role

    def passed(self, point: str) -> None:
        """End here, if a trap is set for this point."""
        trap = trap_file(self._folder, self._role, point)
        if not trap.exists():
            return
        trap.with_suffix(".sprung").write_text(str(time.monotonic()))
        trap.unlink()
        os.kill(os.getpid(), signal.SIGKILL)


def trap_file(folder: Path, role: str, point: str) -> Path:
    """Where a trap is set."""
    return folder / f"trap-{role}-{point}"


def _execution(traps: Traps) -> None:
    from common.messages import Order, OrdStatus
    from execution.events import NewOrder, Record
    from execution.sqlite_store import SqliteStore
    from execution.venues.port import VenueEvent
    from execution.venues.remote import RemoteVenue

    commit, submit = SqliteStore.commit, RemoteVenue.submit

    def committed(self: SqliteStore, records: Sequence[Record]) -> None:
        commit(self, records)
        if any(isinstance(r, NewOrder) and r.record.ord_status is OrdStatus.PENDING_NEW for r in records):
            traps.passed("after-commit")

    def sent(self: RemoteVenue, order: Order, now_ns: int) -> list[VenueEvent]:
        told = submit(self, order, now_ns)
        traps.passed("after-send")
        return told

    setattr(SqliteStore, "commit", committed)  # noqa: B010
    setattr(RemoteVenue, "submit", sent)  # noqa: B010


def _venue(traps: Traps) -> None:
    from execution.venues.record import RecordKind, VenueRecord
    from execution.venues.venue_file import VenueFile

    append = VenueFile.append

    def appended(self: VenueFile, records: Sequence[VenueRecord]) -> None:
        append(self, records)
        for kind, point in ((RecordKind.ORDER, "after-order"), (RecordKind.FILL, "after-fill")):
            if any(r.kind is kind for r in records):
                traps.passed(point)

    setattr(VenueFile, "append", appended)  # noqa: B010


def main() -> None:
    """Set the traps of the role named on the command line, then be that role."""
    role = sys.argv[2] if len(sys.argv) > 2 else ""
    traps = Traps(Path(os.environ.get("HEDGEROW_RUN_DIR", ".")), role)
    if role == "execution":
        _execution(traps)
    elif role == "venue":
        _venue(traps)
    cli()


if __name__ == "__main__":
    main()
