"""Every error Hedgerow raises on purpose, and the exit code of each.

    HedgerowError                    1
    ├── Refused                      1   a well-formed request was refused, with its reason
    ├── UsageError                   2   the command line or a setting makes no sense
    ├── Unavailable                  3   NATS, Ray, execution or data cannot be reached
    ├── InputError                   4   a file is malformed: file, line, reason, remedy
    └── Conflict                     5   the store or run folder is in use by another run

Exit code 0 means done; 130 means stopped by Ctrl-C after a clean stop.
*Tested by* tests/unit/test_cli.py, tests/unit/test_readme.py.
"""

from __future__ import annotations

from dataclasses import dataclass


class HedgerowError(Exception):
    """Root of the tree; ``exit_code`` is what the command line returns."""

    exit_code = 1


class Refused(HedgerowError):
    """A well-formed request that a rule forbids."""


class UsageError(HedgerowError):
    """A flag, setting or combination of them that makes no sense."""

    exit_code = 2


class Unavailable(HedgerowError):
    """Something outside this process cannot be reached."""

    exit_code = 3


class Conflict(HedgerowError):
    """A store that another process holds."""

    exit_code = 5


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a file. ``line`` is 1-based and counts the header line; 0 means the whole file."""

    line: int
    reason: str


class InputError(HedgerowError):
    """A file that is refused whole.

    ``path`` as the user gave it; ``problems`` in file order, at most ``SHOWN`` of them printed; ``remedy`` says what to do.
    """

    exit_code = 4
    SHOWN = 10

    def __init__(self, path: str, problems: list[Problem], remedy: str) -> None:
        self.path = path
        self.problems = problems
        self.remedy = remedy
        super().__init__(self._text())

    def _text(self) -> str:
        lines = [
            f"{self.path}:{p.line}: {p.reason}" if p.line else f"{self.path}: {p.reason}"
            for p in self.problems[: self.SHOWN]
        ]
        more = len(self.problems) - self.SHOWN
        if more > 0:
            lines.append(f"{self.path}: and {more} more")
        lines.append(f"nothing was loaded; {self.remedy}")
        return "\n".join(lines)
