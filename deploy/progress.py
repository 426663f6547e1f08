"""How far long work has got, told to a person on standard error.

*Tested by* tests/unit/test_risk_cli_report.py, tests/simulation/test_simulator_command.py.
"""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TextIO

#: Wall time after which a step is long enough to be told about.
TOLD_AFTER_S = 1.0
_REPEAT_S = 0.5


class Progress:
    """A line on standard error for each step that takes more than a second; redrawn in place on a terminal.

    A thread of its own tells it, since one call may compile or compute for long. Use as a context manager.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="progress", daemon=True)
        self._step, self._share, self._began, self._told = "", 0.0, 0.0, ""

    def __call__(self, step: str, share: float) -> None:
        """``step`` is at ``share`` of its way."""
        with self._lock:
            if step != self._step:
                self._close()
                self._step, self._began = step, time.monotonic()
            self._share = share

    def __enter__(self) -> Progress:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        with self._lock:
            self._close()

    def _tell(self) -> None:
        while not self._ended.wait(_REPEAT_S):
            with self._lock:
                text = f"{self._step}: {100.0 * self._share:.0f} %"
                if (
                    self._step
                    and self._share < 1.0
                    and time.monotonic() - self._began >= TOLD_AFTER_S
                    and text != self._told
                ):
                    shown, end = (f"\r{text:<40}", "") if self._terminal else (text, "\n")
                    print(shown, end=end, file=self._stream, flush=True)
                    self._told = text

    def _close(self) -> None:
        if self._told and self._terminal:
            print(file=self._stream, flush=True)
        self._told = ""
