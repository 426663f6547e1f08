"""Where in a TOML file a key stands, so that a mistake can be shown with its line.

*Tested by* tests/unit/test_toml_lines.py, tests/unit/test_limits.py.
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

Loc = tuple[str, ...]


def lines_of(text: str) -> dict[Loc, int]:
    """1-based line of each table header and key, found by letting the TOML parser read each key alone."""
    lines: dict[Loc, int] = {}
    table: Loc = ()
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if line.startswith("["):
            table = _key_path(line)
            lines.setdefault(table, number)
        elif "=" in line and not line.startswith("#"):
            lines.setdefault((*table, *_key_path(line.partition("=")[0] + "= 0")), number)
    return lines


def line_of(lines: dict[Loc, int], loc: Loc) -> int:
    """Line of a key, or of the nearest table around it; 0 (the whole file) where there is none."""
    for size in range(len(loc), 0, -1):
        if loc[:size] in lines:
            return lines[loc[:size]]
    return 0


def line_of_error(error: tomllib.TOMLDecodeError) -> int:
    """The line that the parser complains of; 0 where it names none."""
    at = re.search(r"at line (\d+)", str(error))
    return int(at[1]) if at else 0


def _key_path(fragment: str) -> Loc:
    try:
        at: Any = tomllib.loads(fragment)
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while isinstance(at, dict) and at:
        key, at = next(iter(at.items()))
        path.append(key)
    return tuple(path)
