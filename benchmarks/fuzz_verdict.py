"""What fuzzing looks for, in one place: crashes, hangs, orders, changes, memory. Each finding names the case that shows it.

*Tested by* tests/properties/test_fuzz_execution.py, tests/properties/test_fuzz_bus.py, tests/properties/test_fuzz_fix.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

#: Wall seconds in which a part that is asked has to answer, whatever it was sent before.
ANSWER_S: Final = 5.0
#: Growth of resident memory, from the end of the warm-up to the end of a part.
GROWTH_MIB: Final = 96.0
SHOWN: Final = 20


@dataclass
class Verdict:
    """One part of a run. ``findings`` are sentences with the case's name; ``counts`` says what became of the messages."""

    part: str
    messages: int = 0
    crashes: list[str] = field(default_factory=list)
    hangs: list[str] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)
    growth_mib: float = 0.0
    counts: Counter[str] = field(default_factory=Counter)

    @property
    def findings(self) -> list[str]:
        """All of it, in words."""
        kinds = (("crash", self.crashes), ("hang", self.hangs), ("order", self.orders), ("change", self.changes))
        out = [f"{self.part}: {kind}: {text}" for kind, found in kinds for text in found]
        if self.growth_mib > GROWTH_MIB:
            out.append(f"{self.part}: memory: {self.growth_mib:.0f} MiB more at the end, limit {GROWTH_MIB:g}")
        return out

    def __str__(self) -> str:
        told = ", ".join(f"{n} {what}" for what, n in sorted(self.counts.items()))
        return f"{self.part}: {self.messages} messages ({told}), memory {self.growth_mib:+.0f} MiB"


def show(verdicts: list[Verdict]) -> list[str]:
    """Every finding; parts and findings also on standard error."""
    findings = [text for v in verdicts for text in v.findings]
    print(*verdicts, *findings[:SHOWN], sep="\n", file=sys.stderr)
    return findings


class Memory:
    """Resident memory of a process from the end of the warm-up on."""

    def __init__(self, pid: int | None = None) -> None:
        self._process = psutil.Process(pid)
        self._own = pid is None
        self._base: int | None = None

    def warm(self) -> None:
        """The warm-up is over; only the first call counts."""
        if self._base is None:
            self._base = self._read()

    def growth_mib(self) -> float:
        """MiB since then; 0.0 where nobody said when."""
        return 0.0 if self._base is None else (self._read() - self._base) / 2**20

    def _read(self) -> int:
        if self._own:
            gc.collect()
        return int(self._process.memory_info().rss)


class _Tracebacks(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info is not None and record.exc_info[0] is not None:
            self.found.append(f"{record.name} logged {record.exc_info[1]!r}: {record.getMessage()}"[:300])


@dataclass
class Ears:
    """What nobody caught: tracebacks in logs, and what the event loop was told of."""

    _tracebacks: _Tracebacks
    _loop: list[str]

    def take(self) -> list[str]:
        """What was heard since the last call."""
        out = [*self._tracebacks.found, *self._loop]
        self._tracebacks.found.clear()
        self._loop.clear()
        return out


@contextlib.contextmanager
def listening() -> Iterator[Ears]:
    """Hear tracebacks of every logger, and of the running loop. Other output of the loggers is kept quiet meanwhile."""
    handler, told, loop = _Tracebacks(), [], asyncio.get_running_loop()
    root, before = logging.getLogger(), loop.get_exception_handler()
    kept, quiet = root.handlers[:], logging.NullHandler()

    def on_error(_loop: Any, context: dict[str, Any]) -> None:
        told.append(f"the loop heard {context.get('exception')!r}: {context.get('message', '')}"[:300])

    root.handlers[:] = [handler, quiet]
    loop.set_exception_handler(on_error)
    try:
        yield Ears(handler, told)
    finally:
        root.handlers[:] = kept
        loop.set_exception_handler(before)


def tracebacks(path: Path) -> int:
    """How many tracebacks a process has written."""
    return path.read_bytes().count(b"Traceback (most recent call last)") if path.exists() else 0
