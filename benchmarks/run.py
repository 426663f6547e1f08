"""``hedgerow bench``: list, or measure one id, a prefix of ids, or all. One JSON object a row; exit 0 only if all hold.

``--out DIR`` also writes the rows as a table, a picture and JSON lines (benchmarks/table.py).

*Tested by* tests/unit/test_benchmarks.py.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from benchmarks import (
    american,
    book_risk,
    chain,
    chaos,
    closed_loops,
    combos,
    execution,
    execution_kills,
    fix,
    fuzz,
    kernels,
    live_runs,
    many_books,
    netting,
    repository,
    risk,
    security,
    simulator,
    surfaces,
    table,
    tactics,
    takeover,
    throughput,
    trading_day,
)
from benchmarks.registry import Context, Entry, entries, measure
from common.errors import UsageError
from common.market.config import default_data_dir

#: Importing these registers their benches.
ROOMS = (
    throughput,
    closed_loops,
    netting,
    many_books,
    live_runs,
    chaos,
    chain,
    takeover,
    execution,
    execution_kills,
    tactics,
    combos,
    fix,
    fuzz,
    repository,
    kernels,
    book_risk,
    american,
    risk,
    surfaces,
    simulator,
    security,
    trading_day,
)


def run_bench(wanted: str, as_json: bool, data_dir: Path | None, out: Path | None = None) -> int:
    """Print what was asked, and write it into ``out``; 0 if every measured row holds, else 1.

    Raises ``UsageError`` for an id nobody claims.
    """
    if wanted == "list":
        for entry in entries():
            for name in entry.ids:
                print(json.dumps({"id": name, "what": entry.what}) if as_json else f"{name:<34} {entry.what}")
        return 0
    chosen = chosen_for(wanted)
    rows = []
    with tempfile.TemporaryDirectory(prefix="hedgerow-bench-") as scratch:
        context = Context(Path(scratch), data_dir or default_data_dir())
        for entry in chosen:
            print(f"measuring {', '.join(entry.ids)} (about {entry.minutes:g} min)", file=sys.stderr)
            for row in measure(entry, context):
                rows.append(row)
                print(json.dumps(row) if as_json or not os.isatty(1) else _line(row), flush=True)
    if out is not None:
        written, picture = table.write(rows, out)
        print(f"wrote {written} and {picture}", file=sys.stderr)
    return 0 if all(row["holds"] for row in rows) else 1


def chosen_for(wanted: str) -> list[Entry]:
    """Benches with an id that is ``wanted`` or starts with it; all for "all"."""
    chosen = [e for e in entries() if wanted == "all" or any(i == wanted or i.startswith(f"{wanted}.") for i in e.ids)]
    if not chosen:
        raise UsageError(f"no bench {wanted!r}: see `hedgerow bench list`")
    return chosen


def _line(row: dict[str, object]) -> str:
    verdict = "holds" if row["holds"] else "MISSED"
    bar = f"  bar {row['bar']}" if row["bar"] else ""
    return f"{row['id']:<34} {row['value']} {row['unit']}{bar}  {verdict}"
