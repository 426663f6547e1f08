"""The log of a FIX session: every message as it stood on the line, less the secrets of the logon, and what the engine did.

``messages.log`` and ``events.log``, appended to for ever, one line each: UTC, ``<`` came in or ``>`` went out, the message with
its SOH. A line is one write of the operating system, so threads need no lock and a kill leaves whole lines. A log that cannot be
written is told once and stops nothing: the store is the record, not this.
*Tested by* tests/unit/test_fix_redaction.py, tests/integration/test_fix_secrets.py.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

from common.ports import Clock
from execution.venues.fix.outgoing import utc
from execution.venues.fix.redaction import Redaction

MESSAGES: Final = "messages.log"
EVENTS: Final = "events.log"
_log = logging.getLogger(__name__)


class MessageLog:
    """Open from the first line on until ``close``; the files are their owner's alone (mode 600)."""

    def __init__(self, folder: Path, redaction: Redaction, clock: Clock) -> None:
        self._folder = folder
        self._redaction = redaction
        self._clock = clock
        self._open: dict[str, int] = {}
        self._failed = False

    def incoming(self, text: str) -> None:
        """A message of the venue's, whole or not."""
        self._write(MESSAGES, f"< {text}")

    def outgoing(self, text: str) -> None:
        """A message of ours."""
        self._write(MESSAGES, f"> {text}")

    def event(self, text: str) -> None:
        """What the engine says of its session."""
        self._write(EVENTS, text)

    def close(self) -> None:
        """Let go of the files; a later line opens them again."""
        while self._open:
            os.close(self._open.popitem()[1])

    def _write(self, name: str, text: str) -> None:
        # The message of a hostile venue may hold line ends, which would begin a line of its own making.
        line = self._redaction.line(text).replace("\r", "\\r").replace("\n", "\\n")
        try:
            if name not in self._open:
                self._folder.mkdir(parents=True, exist_ok=True)
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
                self._open[name] = os.open(self._folder / name, flags, 0o600)
            os.write(self._open[name], f"{utc(self._clock.wall_ns())} {line}\n".encode("utf-8", "surrogateescape"))
        except OSError as error:
            if not self._failed:
                _log.error("the FIX log %s cannot be written: %s", self._folder / name, error)
            self._failed = True
