"""Starts a real ``hedgerow live`` in a folder of its own, steers it from outside and reads what it leaves behind.

Used by the live benches and the end-to-end tests; it knows a run only by its command line and its run folder.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from common.errors import HedgerowError
from deploy import control

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent


class LiveRun:
    """A running ``hedgerow live``; on leaving the block it is told to stop, and ended if it does not."""

    def __init__(self, folder: Path, *flags: str, env: dict[str, str] | None = None) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._log = (folder / "launcher.out").open("wb")
        self.process = subprocess.Popen(
            [*hedgerow("live"), "--run-dir", str(folder), *flags],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
        )

    def __enter__(self) -> LiveRun:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._log.close()

    def output(self) -> str:
        """Everything the launcher has printed so far."""
        return (self.folder / "launcher.out").read_text(errors="replace")

    def ask(self, *words: str) -> Any:
        """A control command with ``--json``; raises ``AssertionError`` with its output if it fails."""
        done = self.call(*words, "--json")
        assert done.returncode == 0, f"{words}: {done.returncode}: {done.stderr}{done.stdout}"
        return json.loads(done.stdout)

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A control command from a second terminal."""
        argv = [*hedgerow(*words), "--run-dir", str(self.folder)]
        return subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=90)

    def status(self) -> dict[str, Any] | None:
        """Status, or None while there is no run yet or nobody leads. Asked over NATS, without a process of its own."""
        try:
            return control.ask(control.nats_url(self.folder, None), control.status)
        except HedgerowError:
            return None

    def until(self, what: str, look: Callable[[dict[str, Any]], T | None], timeout_s: float) -> tuple[T, float]:
        """Poll status until ``look`` returns something; (that, seconds it took). Raises with the output after ``timeout_s``."""
        started = time.monotonic()
        while time.monotonic() - started < timeout_s:
            status = self.status()
            found = look(status) if status is not None else None
            if found is not None:
                return found, time.monotonic() - started
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        raise AssertionError(f"no {what} within {timeout_s} s\n{self.output()[-3000:]}")

    def wait(self, timeout_s: float) -> int:
        """Wait for the launcher's own end; its exit code."""
        return self.process.wait(timeout_s)

    def report(self) -> dict[str, Any]:
        """``report.json`` of the finished run."""
        return dict(json.loads((self.folder / "report" / "report.json").read_text()))

    def pids(self) -> dict[str, int]:
        """Pids of the children at the start."""
        return dict(json.loads((self.folder / "run.json").read_text())["pids"])


def hedgerow(*words: str) -> Sequence[str]:
    """The command line of ``hedgerow`` with this interpreter."""
    return [sys.executable, "-m", "deploy.cli", *words]
