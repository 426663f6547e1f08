"""Ends what an embedded Ray leaves behind when the fleet process dies without a word.

Ray's own daemons get SIGKILL from the kernel when the fleet dies, but its agents below the raylet wait about a minute
for a control store that is gone. This program, started by the fleet, remembers the fleet's descendants; when its
standard input ends (the fleet has ended, however), it ends exactly those that still run, by pid and start time, and
removes the temporary folder. It has its own session, so that a Ctrl-C for the group does not end it first.

    python -m agents.reaper FLEET_PID TEMPORARY_FOLDER

*Tested by* tests/unit/test_fleet_reaper.py, tests/e2e/test_fleet_ray.py.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import sys

import psutil

LOOK_EVERY_S = 0.5
GRACE_S = 0.5


def main(fleet_pid: int, folder: str) -> None:
    """Wait for the end of standard input, looking for new descendants; then clear up."""
    seen: dict[tuple[int, float], psutil.Process] = {}
    while not _input_ended(LOOK_EVERY_S):
        look(fleet_pid, seen)
    look(fleet_pid, seen)
    end(list(seen.values()))
    shutil.rmtree(folder, ignore_errors=True)


def look(fleet_pid: int, seen: dict[tuple[int, float], psutil.Process]) -> None:
    """Remember the descendants of the fleet, and of everything remembered that still runs; forget what has ended."""
    for key in [k for k, p in seen.items() if not p.is_running()]:
        del seen[key]
    below: set[int] = set()
    # Each question reads the whole process table: what the first one found below the fleet is not asked about again.
    for root in (fleet_pid, *(p.pid for p in list(seen.values()))):
        if root in below:
            continue
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(root).children(recursive=True):
                below.add(process.pid)
                if process.pid != os.getpid():
                    seen[process.pid, process.create_time()] = process


def end(processes: list[psutil.Process]) -> None:
    """SIGTERM, then SIGKILL for who is left; psutil compares the start time before it signals."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, left = psutil.wait_procs(processes, timeout=GRACE_S)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _input_ended(timeout_s: float) -> bool:
    ready, _, _ = select.select([sys.stdin], [], [], timeout_s)
    return bool(ready) and os.read(sys.stdin.fileno(), 1) == b""


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
