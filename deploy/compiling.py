"""Says on standard error that kernels are being compiled: the first run on a machine takes half a minute longer.

*Tested by* tests/unit/test_deploy_compiling.py.
"""

from __future__ import annotations

import sys
import time
from typing import TextIO

#: Wall seconds between two lines.
REPEAT_S = 2.0


class Announcement:
    """A line when the first kernel is compiled and every ``REPEAT_S`` after; nothing where all comes from the cache.

    ``stream`` None: whatever standard error is at that moment.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream
        self._last_s = -REPEAT_S
        self.kernels = 0

    def __call__(self, name: str) -> None:
        """A kernel called ``name`` is being compiled now."""
        self.kernels += 1
        now_s = time.monotonic()
        if now_s - self._last_s >= REPEAT_S:
            self._last_s = now_s
            print(
                f"compiling kernels, once on this machine: {name} ({self.kernels})",
                file=self._stream or sys.stderr,
                flush=True,
            )


def announce_compiling(stream: TextIO | None = None) -> Announcement:
    """From now on tell people what takes so long; standard error unless told otherwise."""
    from common.kernels.jit import announce

    told = Announcement(stream)
    announce(told)
    return told
