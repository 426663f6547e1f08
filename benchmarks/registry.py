"""Every figure the project claims has an id here; measuring one yields one JSON object a row.

A bench is a function ``(Context) -> Iterable[Row]`` registered under one or more ids. It measures now and never reads a
stored result. ``holds`` is the bar's verdict; a row without a bar is a statement (``bar`` empty, ``holds`` true); a missing
peer makes ``holds`` false and says so. *Tested by* tests/unit/test_benchmarks.py.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure. ``value`` in ``unit``; ``bar`` in words; ``peer`` names what it was compared with."""

    id: str
    what: str
    value: float | str
    unit: str
    bar: str
    holds: bool
    peer: str = ""
    samples: int = 1
    seconds: float = 0.0
    noise: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """Where a bench may write, and where market data lies."""

    scratch: Path
    data_dir: Path
    options: dict[str, str] = field(default_factory=dict)


Bench = Callable[[Context], Iterable[Row]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A registered bench: the ids of its rows, what it shows, how long it takes about."""

    ids: tuple[str, ...]
    what: str
    minutes: float
    run: Bench


_ENTRIES: list[Entry] = []


def bench(*ids: str, what: str, minutes: float) -> Callable[[Bench], Bench]:
    """Register a function as the bench of ``ids``; an id is claimed once."""

    def register(function: Bench) -> Bench:
        taken = {i for e in _ENTRIES for i in e.ids} & set(ids)
        if taken:
            raise ValueError(f"bench ids claimed twice: {sorted(taken)}")
        _ENTRIES.append(Entry(ids, what, minutes, function))
        return function

    return register


def entries() -> tuple[Entry, ...]:
    """Every registered bench, in order of registration."""
    return tuple(_ENTRIES)


def measure(entry: Entry, context: Context) -> list[dict[str, object]]:
    """Run one bench; rows as JSON-able dicts with the seconds it took and how noisy the machine was meanwhile."""
    before, started = calibration_spread(), time.perf_counter()
    rows = list(entry.run(context))
    seconds = time.perf_counter() - started
    noise = f"calibration loop max/min {max(before, calibration_spread()):.2f}, load {os.getloadavg()[0]:.1f}"
    missing = set(entry.ids) - {r.id for r in rows}
    rows += [Row(i, entry.what, "no row", "", "", False) for i in sorted(missing)]
    return [{**asdict(r), "seconds": round(r.seconds or seconds, 2), "noise": r.noise or noise} for r in rows]


def calibration_spread(rounds: int = 15) -> float:
    """Slowest over fastest of a fixed loop: 1.0 on a quiet machine; what neighbours take shows here."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        sum(i * i for i in range(20_000))
        times.append(time.perf_counter() - start)
    return max(times) / min(times)
