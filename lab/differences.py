"""Two journal entries or messages compared, wall times left out, and where they differ said in words.

*Tested by* tests/golden/test_replay_identical.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from common.control_messages import Cycle, JournalEntry
from common.messages import AssignmentUpdate, BudgetUpdate
from common.wire.codec import encode_journal_entry


def name_of(entry: JournalEntry) -> str:
    """What an entry is, for a sentence."""
    event = entry.event
    return f"cycle {event.cycle_id}" if isinstance(event, Cycle) else type(event).__name__


def _timeless(entry: JournalEntry) -> JournalEntry:
    """Without the wall times, which are for people."""
    event = entry.event
    if isinstance(event, Cycle):
        event = replace(event, solve_ns=0)
    elif isinstance(event, BudgetUpdate | AssignmentUpdate):
        event = replace(event, header=replace(event.header, receive_time_ns=0))
    return replace(entry, wall_ns=0, event=event, market=replace(entry.market, receive_time_ns=0))


def difference(recorded: JournalEntry, mine: JournalEntry) -> str:
    """How a replayed entry differs from the recorded one; empty where it does not."""
    a, b = _timeless(recorded), _timeless(mine)
    if encode_journal_entry(a) == encode_journal_entry(b):
        return ""
    return f"entry {recorded.sequence}, {name_of(recorded)}: {first_difference(a, b)}"


def first_difference(recorded: Any, mine: Any) -> str:
    """First field at which two messages differ, with both values."""
    return next(_differences("", recorded, mine), "the encodings differ")


def _differences(path: str, a: Any, b: Any) -> Iterator[str]:
    """Paths at which two messages differ, with both values."""
    if type(a) is not type(b):
        yield f"{path or 'kind'}: recorded {type(a).__name__}, replayed {type(b).__name__}"
    elif isinstance(a, np.ndarray):
        if a.shape != b.shape:
            yield f"{path}: recorded {a.shape}, replayed {b.shape}"
        elif a.tobytes() != b.tobytes():
            where = int(np.flatnonzero(a.ravel() != b.ravel())[:1].sum())
            yield f"{path}[{where}]: recorded {a.ravel()[where]!r}, replayed {b.ravel()[where]!r}"
    elif hasattr(a, "__dataclass_fields__"):
        for name in a.__dataclass_fields__:
            yield from _differences(f"{path}.{name}".lstrip("."), getattr(a, name), getattr(b, name))
    elif isinstance(a, tuple) and len(a) == len(b):
        for k, (x, y) in enumerate(zip(a, b, strict=True)):
            yield from _differences(f"{path}[{k}]", x, y)
    elif a != b:
        yield f"{path}: recorded {a!r}, replayed {b!r}"
