"""Child processes of a run: started, watched, restarted, ended in order, measured; none outlives the launcher.

Two ropes tie a child to its launcher. Linux sends it SIGTERM when the launcher dies (``die_with_parent``, for any
program). And a Python child calls ``watch_parent``: a thread waits for the end of a pipe whose other end only the
launcher holds (grandchildren, which do not inherit the pipe, look for the launcher's pid and start time), asks the
program to stop and ends it hard ``HARD_EXIT_S`` later.
Processes are ended by pid, checked against their start time; never by name.
*Tested by* tests/unit/test_processes.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

log = logging.getLogger("hedgerow.processes")

#: "fd:inode" of the pipe's reading end, and "pid:start time" of the launcher.
LIVENESS_ENV: Final = "HEDGEROW_LIVENESS_FD"
LAUNCHER_ENV: Final = "HEDGEROW_LAUNCHER"
HARD_EXIT_S: Final = 5.0
#: Exit code of a child that was ended hard because its launcher was gone.
ORPHAN_EXIT: Final = 70

_POLL_S: Final = 0.05
_LOOK_FOR_LAUNCHER_S: Final = 0.25
_PR_SET_PDEATHSIG: Final = 1
#: Code of a child that could not even be started.
CANNOT_START: Final = -1000
_FIRST_BACKOFF_S: Final = 0.1
_LONGEST_BACKOFF_S: Final = 5.0
#: A child that ran this long has recovered: the next backoff is the first again.
_HEALTHY_S: Final = 10.0
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Ask the kernel for SIGTERM when the parent dies. For ``preexec_fn``; elsewhere than on Linux it does nothing."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))


def watch_parent(stop: Callable[[], None], *, hard_exit_s: float = HARD_EXIT_S) -> bool:
    """Call ``stop`` (from another thread) when the launcher is gone, and end this process ``hard_exit_s`` later.

    Returns False, and watches nothing, in a process that no launcher started.
    """
    launcher = os.environ.get(LAUNCHER_ENV)
    if not launcher:
        return False
    pipe = _inherited_pipe()

    def wait_and_end() -> None:
        if pipe is not None:
            while os.read(pipe, 1):
                pass
        else:
            while _is_alive(launcher):
                time.sleep(_LOOK_FOR_LAUNCHER_S)
        threading.Timer(hard_exit_s, os._exit, (ORPHAN_EXIT,)).start()
        stop()

    threading.Thread(target=wait_and_end, name="watch-parent", daemon=True).start()
    return True


def _inherited_pipe() -> int | None:
    """The liveness pipe, if this process holds it: a grandchild has the variable, but maybe another file there."""
    fd, _, inode = os.environ.get(LIVENESS_ENV, "").partition(":")
    if not fd or not inode:
        return None
    try:
        return int(fd) if os.fstat(int(fd)).st_ino == int(inode) else None
    except OSError:
        return None


def _identity(pid: int) -> str:
    return f"{pid}:{psutil.Process(pid).create_time():.2f}"


def _is_alive(identity: str) -> bool:
    try:
        process = psutil.Process(int(identity.partition(":")[0]))
        return _identity(process.pid) == identity and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """How to run one child. Smaller ``stop_order`` ends first; ``grace_s`` from SIGTERM to SIGKILL.

    A child that ended rests ``rest_s`` beyond its backoff as long as one of ``stand_ins`` runs, who takes over its work: its
    start would take the cores from them just then.
    """

    name: str
    argv: Sequence[str]
    restart: bool = True
    stop_order: int = 0
    grace_s: float = 10.0
    rest_s: float = 0.0
    stand_ins: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)


class Child:
    """One child over all its restarts."""

    def __init__(self, spec: ChildSpec) -> None:
        self.spec = spec
        self.process: subprocess.Popen[bytes] | None = None
        self.restarts = 0
        self.given_up = False
        #: Somebody asked for its end, to have it started again: that is no failure.
        self.asked = False
        self.started_s = 0.0
        self.backoff_s = _FIRST_BACKOFF_S
        self.due_s: float | None = None
        self.recent: deque[float] = deque()

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self.process.pid if self.process is not None and self.process.poll() is None else None


@dataclass(frozen=True, slots=True)
class Ended:
    """A child has ended. ``code`` as of ``Popen.returncode``, or ``CANNOT_START``; ``fate`` "restarts", "done" or "given up"."""

    name: str
    code: int
    fate: str


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """Memory of the launcher and everything below it, proportional set size (shared pages counted once), bytes."""

    total_bytes: int
    processes: int
    by_child: Mapping[str, int]


class Supervisor:
    """Owner of the children of one launcher.

    ``folder`` gets ``NAME.log`` for each child. A child that ends although nobody asked is started again after 0.1 s,
    doubling to 5 s while it keeps failing, at most ``restarts_per_minute`` times in any minute; after that it is given
    up and ``on_ended`` says so. Construct it, and call everything, in the launcher's main thread: the death signal
    follows the thread that starts a child.
    """

    def __init__(
        self, folder: Path, *, restarts_per_minute: int = 10, on_ended: Callable[[Ended], None] = lambda _: None
    ) -> None:
        self._folder = folder
        self._restarts_per_minute = restarts_per_minute
        self._on_ended = on_ended
        self._read_end, self._write_end = os.pipe()
        self._stopping = False
        self.children: dict[str, Child] = {}

    def start(self, spec: ChildSpec) -> Child:
        """Start a child. Raises ``ValueError`` if one of that name is there, ``OSError`` if it cannot be executed."""
        if spec.name in self.children:
            raise ValueError(f"there is a child {spec.name} already")
        child = self.children[spec.name] = Child(spec)
        self._spawn(child)
        return child

    def _spawn(self, child: Child) -> None:
        child.due_s = None
        child.started_s = time.monotonic()
        env = {
            **os.environ,
            **child.spec.env,
            LIVENESS_ENV: f"{self._read_end}:{os.fstat(self._read_end).st_ino}",
            LAUNCHER_ENV: _identity(os.getpid()),
        }
        with (self._folder / f"{child.spec.name}.log").open("ab") as output:
            child.process = subprocess.Popen(
                list(child.spec.argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=env,
                pass_fds=(self._read_end,),
                start_new_session=True,  # Ctrl-C is for the launcher, which ends the children in order
                preexec_fn=die_with_parent,
            )

    def poll(self) -> None:
        """Look at every child once: note who has ended, start again who is due."""
        now_s = time.monotonic()
        for child in self.children.values():
            if child.process is not None and child.process.poll() is not None:
                self._ended(child, now_s)
            if child.due_s is not None and now_s >= child.due_s + self._rest_s(child) and not self._stopping:
                child.restarts += 1
                try:
                    self._spawn(child)
                except OSError as error:  # no process, no memory, no file to be had now: like an end, tried again later
                    log.warning("%s could not be started: %s", child.spec.name, error)
                    self._decide_fate(child, now_s, CANNOT_START)

    def _rest_s(self, child: Child) -> float:
        others = (self.children.get(name) for name in child.spec.stand_ins)
        return child.spec.rest_s if any(other is not None and other.pid is not None for other in others) else 0.0

    def _ended(self, child: Child, now_s: float) -> None:
        assert child.process is not None
        code = child.process.returncode
        child.process = None
        self._decide_fate(child, now_s, code)

    def _decide_fate(self, child: Child, now_s: float, code: int) -> None:
        asked, child.asked = child.asked, False
        if self._stopping or not child.spec.restart:
            fate = "done"
        elif asked or self._may_restart(child, now_s):
            fate = "restarts"
            if asked or now_s - child.started_s >= _HEALTHY_S:
                child.backoff_s = _FIRST_BACKOFF_S
            child.due_s = now_s + child.backoff_s
            child.backoff_s = min(2 * child.backoff_s, _LONGEST_BACKOFF_S)
        else:
            fate = "given up"
            child.given_up = True
        log.warning("%s ended with %d: %s", child.spec.name, code, fate)
        self._on_ended(Ended(child.spec.name, code, fate))

    def _may_restart(self, child: Child, now_s: float) -> bool:
        while child.recent and now_s - child.recent[0] > 60.0:
            child.recent.popleft()
        if len(child.recent) >= self._restarts_per_minute:
            return False
        child.recent.append(now_s)
        return True

    async def watch(self) -> None:
        """Look after the children until cancelled."""
        while True:
            self.poll()
            await asyncio.sleep(_POLL_S)

    async def stop(self) -> None:
        """End every child in ``stop_order``: SIGTERM, then SIGKILL after its grace; leftovers below it likewise."""
        self._stopping = True
        for order in sorted({child.spec.stop_order for child in self.children.values()}):
            group = [c for c in self.children.values() if c.spec.stop_order == order]
            await asyncio.gather(*(self._stop_child(child) for child in group))
        self.poll()

    async def _stop_child(self, child: Child) -> None:
        child.due_s = None
        process = child.process  # held here: whoever polls meanwhile takes note of the end and lets go of it
        if process is None:
            return
        below = _descendants(process.pid)
        process.terminate()
        if not await _until(lambda: process.poll() is not None, child.spec.grace_s):
            log.warning("%s did not end within %g s: killed", child.spec.name, child.spec.grace_s)
            below += [p for p in _descendants(process.pid) if p not in below]
            process.kill()
            process.wait()
        for sent, wait_s in ((signal.SIGTERM, 1.0), (signal.SIGKILL, 1.0)):
            left = [p for p in below if _runs(p)]
            for other in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    other.send_signal(sent)  # psutil checks the start time first
            if await _until(lambda: not any(map(_runs, below)), wait_s):
                return

    def report_memory(self) -> MemoryReport:
        """Memory of the whole tree now. Processes that end meanwhile are left out."""
        own = _pss_bytes(psutil.Process())
        by_child: dict[str, int] = {}
        total, count = own, 1
        for child in self.children.values():
            if child.pid is None:
                continue
            sizes = [_pss_bytes(p) for p in _tree(child.pid)]
            by_child[child.spec.name] = sum(sizes)
            total += sum(sizes)
            count += len(sizes)
        return MemoryReport(total, count, {"launcher": own, **by_child})

    def close(self) -> None:
        """Let go of the pipe: children that still run end themselves."""
        for fd in (self._read_end, self._write_end):
            with contextlib.suppress(OSError):
                os.close(fd)


async def _until(condition: Callable[[], bool], timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(_POLL_S)
    return True


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _tree(pid: int) -> list[psutil.Process]:
    try:
        return [psutil.Process(pid), *_descendants(pid)]
    except psutil.NoSuchProcess:
        return []


def _descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _pss_bytes(process: psutil.Process) -> int:
    try:
        full = process.memory_full_info()
        return int(getattr(full, "pss", full.rss))
    except psutil.Error:
        return 0
