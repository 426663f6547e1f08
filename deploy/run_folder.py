"""The folder of one run: where everything it leaves behind lies, and who may use it.

    runs/20260131T093000Z/
      run.json        addresses, pids, what runs (for the control commands)
      reference.json  the resolved settings and limits at the start (for replay)
      lock            held by the launcher while the run lasts
      market.bin      what the feed published (the source of data records it)
      proposals.bin   what the launcher heard the agents propose
      journal.bin     the manager's record, exported at the end
      store/          execution's database
      nats/           the embedded server's settings, streams and log
      numba/          compiled kernels, kept over restarts of actors
      *.log           one per process
      report/         report.json, report.html, pictures

``runs/latest`` points to the newest. *Tested by* tests/unit/test_run_folder.py.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from common.errors import Conflict, InputError, Problem

RUNS = Path("runs")


class RunFolder:
    """A run's folder, locked while this object is open."""

    def __init__(self, path: Path, lock: IO[str]) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def open(cls, path: Path | None, wall_ns: int) -> RunFolder:
        """Make (or take over an abandoned) folder and lock it.

        Raises ``Conflict`` naming the pid that holds it, ``InputError`` if it cannot be written.
        """
        stamp = datetime.fromtimestamp(wall_ns / 1e9, UTC).strftime("%Y%m%dT%H%M%SZ")
        folder = (path or RUNS / f"{stamp}-{os.getpid()}").resolve()
        try:
            for name in ("store", "report"):
                (folder / name).mkdir(parents=True, exist_ok=True)
            lock = (folder / "lock").open("a+")
        except OSError as error:
            raise InputError(
                str(folder), [Problem(0, str(error.strerror))], "give a folder that can be written"
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise Conflict(
                f"{folder} is in use by another `hedgerow live` (pid {holder}): stop it, or give another --run-dir"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        run = cls(folder, lock)
        run._point_latest(path)
        return run

    def _point_latest(self, given: Path | None) -> None:
        runs = RUNS.resolve() if given is None else self.path.parent
        link, fresh = runs / "latest", runs / f".latest-{os.getpid()}"
        with contextlib.suppress(OSError):
            fresh.symlink_to(self.path.name)
            fresh.replace(link)
        if given is not None and runs != RUNS.resolve():
            RUNS.mkdir(exist_ok=True)
            with contextlib.suppress(OSError):
                fresh = RUNS / f".latest-{os.getpid()}"
                fresh.symlink_to(self.path)
                fresh.replace(RUNS / "latest")

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    def write_info(self, info: dict[str, Any]) -> None:
        """Publish ``run.json``: whole or not at all."""
        fresh = self.path / ".run.json"
        fresh.write_text(json.dumps(info, indent=2) + "\n")
        fresh.replace(self.path / "run.json")

    def close(self) -> None:
        """Let go of the lock."""
        self._lock.close()
