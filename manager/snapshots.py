"""Snapshots beside the path: the leader stores one every ``every`` journal entries; whoever starts begins at the newest.

The leader forks; the child, which has the state of that instant and nothing else to do, encodes it into a file without a
name and ends. So the path pays for the fork (its time is kept in ``fork_ms``) and for sending pieces between entries, and
a state that changes meanwhile cannot tear a snapshot. One at a time; when the next is due while one is under way it waits
for its turn. A child that does not end in time is killed and that snapshot left out: the journal loses nothing by it.
*Tested by* tests/integration/test_journal_snapshots.py.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import tempfile
import time
from collections import Counter
from typing import IO, Final

from common.errors import Refused, Unavailable
from common.ports import FoldSnapshot, Journal
from common.tasks import end
from manager.config import SNAPSHOT_EVERY
from manager.snapshot import encode, restore
from manager.state import Fold, ManagerSetup, ManagerState

log = logging.getLogger("hedgerow.manager")

#: How long a child may take, and how often the leader looks whether it is done.
CHILD_S: Final = 60
_LOOK_S: Final = 0.02
_NICE: Final = 5


class Snapshots:
    """Reading and writing for one manager. ``counts``: stored, failed, refused; ``number``: entries of the newest."""

    def __init__(self, journal: Journal, every: int = SNAPSHOT_EVERY) -> None:
        self._journal = journal
        self._every = every
        self._task: asyncio.Task[None] | None = None
        self.number = 0
        self.bytes = 0
        self.fork_ms = 0.0
        self.counts: Counter[str] = Counter()

    async def load(self, setup: ManagerSetup) -> ManagerState | None:
        """The state of the newest whole snapshot, None where none fits. Raises ``errors.Unavailable``."""
        found = await self._journal.snapshot()
        if found is None:
            return None
        try:
            state = restore(found.data, setup)
        except Refused as error:
            self.counts["refused"] += 1
            log.warning("the snapshot of entry %d is left aside: %s", found.number, error)
            return None
        self.number, self.bytes = found.number, len(found.data)
        return state

    def after(self, state: ManagerState) -> None:
        """The leader has appended all it has decided: begin a snapshot if one is due and none is under way."""
        appended, tail_from = self._journal.position
        number = state.fold.sequence
        if number - self.number < self._every or self._task is not None or appended != number:
            return
        file = tempfile.TemporaryFile()  # noqa: SIM115 - it outlives this call
        began = time.perf_counter()
        pid = os.fork()
        if pid == 0:
            _child(state.fold, state.setup.run_id, file)
        self.fork_ms = (time.perf_counter() - began) * 1e3
        self._task = asyncio.create_task(self._store(pid, file, number, tail_from))

    async def close(self) -> None:
        """Give up what is under way."""
        if self._task is not None:
            await end([self._task])

    def status(self) -> dict[str, object]:
        """For people: how far the newest snapshot reaches, its size, what a fork took."""
        return {"number": self.number, "bytes": self.bytes, "fork_ms": round(self.fork_ms, 2), **self.counts}

    async def _store(self, pid: int, file: IO[bytes], number: int, tail_from: int) -> None:
        try:
            with file:
                await _ended(pid)
                file.seek(0)
                data = await asyncio.to_thread(file.read)
            await self._journal.store_snapshot(FoldSnapshot(number, tail_from, data))
            self.number, self.bytes = number, len(data)
            self.counts["stored"] += 1
        except (Refused, Unavailable, OSError) as error:
            self.counts["failed"] += 1
            self.number = max(self.number, number)  # the next one is due a whole stretch later
            log.warning("no snapshot of entry %d: %s", number, error)
        finally:
            self._task = None


def _child(fold: Fold, run_id: str, file: IO[bytes]) -> None:
    """What the child does; it never returns, runs nothing of its parent's and touches nothing but the file."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        signal.alarm(CHILD_S)
        gc.disable()
        os.nice(_NICE)
        file.write(encode(fold, run_id))
        file.flush()
        code = 0
    finally:
        os._exit(code)


async def _ended(pid: int) -> None:
    """Wait for a child. Raises ``errors.Unavailable`` if it failed; one that takes too long or is given up is killed."""
    status = None
    try:
        async with asyncio.timeout(CHILD_S):
            while status is None:
                await asyncio.sleep(_LOOK_S)
                gone, found = os.waitpid(pid, os.WNOHANG)
                status = found if gone else None
    except TimeoutError:
        raise Unavailable(f"its process did not end within {CHILD_S} s") from None
    finally:
        if status is None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    if status:
        raise Unavailable(f"its process ended with status {os.waitstatus_to_exitcode(status)}")
