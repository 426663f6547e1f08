"""The folder of one run: where everything it leaves behind lies, and who may use it.

    runs/20260131T093000Z/
      run.json        addresses, pids, what runs (for the control commands)
      reference.json  the resolved settings and limits at the start (for replay)
      lock            held by the launcher while the run lasts
      market.bin      what the feed published (the source of data records it)
      proposals.bin   what the launcher heard the agents propose
      journal.bin     the manager's record, exported at the end
      journal-NNNN.bin  older parts of it, exported while the run lasted
      state.json      the leader's own fingerprint of its last state
      store/          execution's database
      nats/           the embedded server's settings, streams and log
      keys/           keys of this run, one folder a role, readable by its user alone
      audit/          signed lines of what people did, one file a process
      *.log           one per process
      report/         report.json, report.html, pictures

``runs/latest`` points to the newest that has started. What is refused before it starts leaves no folder behind.
*Tested by* tests/unit/test_run_folder.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from common.errors import Conflict, InputError, Problem

RUNS = Path("runs")
LOCK, INFO, REFERENCE, JOURNAL = "lock", "run.json", "reference.json", "journal.bin"
SUBFOLDERS = ("store", "report")


class RunFolder:
    """A run's folder, locked while this object is open."""

    def __init__(self, path: Path, lock: IO[str], *, made: bool) -> None:
        self.path = path
        self._lock = lock
        self._made = made

    @classmethod
    def open(cls, path: Path | None, wall_ns: int) -> RunFolder:
        """Make a folder and lock it, or take over that of a run whose launcher was killed.

        Raises ``Conflict`` naming the pid that holds it, or if it holds a finished run; ``InputError`` if it cannot be
        written.
        """
        stamp = datetime.fromtimestamp(wall_ns / 1e9, UTC).strftime("%Y%m%dT%H%M%SZ")
        folder = (path or RUNS / f"{stamp}-{os.getpid()}").resolve()
        made = not folder.exists()
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            lock = (folder / LOCK).open("a+")
        with contextlib.ExitStack() as undo:
            undo.callback(lock.close)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.seek(0)
                holder = lock.read().strip() or "unknown"
                raise Conflict(
                    f"{folder} is in use by another `hedgerow live` (pid {holder}): stop it, or give another --run-dir"
                ) from None
            if (folder / JOURNAL).exists():
                raise Conflict(
                    f"{folder} holds a finished run, which is never written over: give another --run-dir "
                    "(`hedgerow replay` and `story` read this one)"
                )
            with _writing(folder):
                for name in SUBFOLDERS:
                    (folder / name).mkdir(exist_ok=True)
                lock.truncate(0)
                lock.write(str(os.getpid()))
                lock.flush()
            undo.pop_all()
        return cls(folder, lock, made=made)

    def claim(self, reference: dict[str, Any]) -> None:
        """Keep the resolved settings of the run in ``reference.json``.

        Raises ``Conflict`` if the folder was left by a run with other settings: its orders and quotes are not these.
        """
        path, text = self.path / REFERENCE, json.dumps(reference, indent=2) + "\n"
        if path.exists() and path.read_text() != text:
            raise Conflict(
                f"{self.path} was left by a run with other settings, book or limits (reference.json): start with those "
                "to take it up again, or give another --run-dir"
            )
        path.write_text(text)

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def write_info(self, info: dict[str, Any]) -> None:
        """Publish ``run.json``, whole or not at all, and point ``runs/latest`` here: from now on it can be controlled."""
        fresh = self.path / ".run.json"
        fresh.write_text(json.dumps(info, indent=2) + "\n")
        fresh.replace(self.path / INFO)
        link, fresh = RUNS / "latest", RUNS / f".latest-{os.getpid()}"
        with contextlib.suppress(OSError):  # a convenience: --run-dir names the run as well
            RUNS.mkdir(exist_ok=True)
            fresh.symlink_to(os.path.relpath(self.path, RUNS.resolve()))
            fresh.replace(link)

    def close(self) -> None:
        """Let go of the lock. A folder made for a run that never started is taken away again."""
        if self._made and self._is_bare():
            for name in (LOCK, REFERENCE):
                (self.path / name).unlink(missing_ok=True)
            for name in SUBFOLDERS:
                (self.path / name).rmdir()
            self.path.rmdir()
        self._lock.close()

    def _is_bare(self) -> bool:
        names = {entry.name for entry in self.path.iterdir()}
        return names <= {LOCK, REFERENCE, *SUBFOLDERS} and not any(any((self.path / n).iterdir()) for n in SUBFOLDERS)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = Problem(0, f"{error.strerror}: {error.filename}")
        raise InputError(str(folder), [reason], "give --run-dir a folder that can be written") from None
