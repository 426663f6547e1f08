"""Kills of execution and of a FIX venue under load, against two engines of other making: the same book on both sides.

The counterparties stand with the tests (tests/fix_storm.py), so these need a checkout. ``jspurefix`` needs node and the
package: ``npm install jspurefix`` in a folder named by NODE_PATH. *Tested by* tests/integration/test_fix_fixcore.py.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from benchmarks.harness import ROOT
from benchmarks.registry import Context, Row, bench

ORDERS: Final = 600
KILLS: Final = 40
LIMIT_S: Final = 600.0


def storm(folder: Path, venue: str, seed: int, orders: int, kills: int) -> Row:
    """One storm as a row: 0 differences, or what went wrong."""
    argv = [sys.executable, "-m", "tests.fix_storm", str(folder), str(seed), str(orders), str(kills), venue]
    began_s = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=LIMIT_S)
    seconds = time.perf_counter() - began_s
    name = "fix.kills" if venue == "fixcore" else f"fix.{venue}"
    head = f"{kills} kills of execution and venue in turn under {orders} orders against {venue}: "
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no word"])[-1]
        return Row(name, head + why[:300], "failed", "", "same book", False, samples=kills, seconds=seconds)
    told = json.loads(done.stdout.strip().splitlines()[-1])
    what = f"{head}{told['arrived']} arrived once, {told['fills']} fills, {told['from_count']} of them from the venue's count"
    return Row(
        name, f"{what}; orders whose lots or money differ", 0, "orders", "0", True, samples=kills, seconds=seconds
    )


@bench("fix.kills", what="FIX session against fixcore with kills of both sides: same book", minutes=2)
def kills(context: Context) -> Iterable[Row]:
    """The engine of every test run."""
    orders, count = int(context.options.get("orders", ORDERS)), int(context.options.get("kills", KILLS))
    yield storm(context.scratch / "fix-kills", "fixcore", 1, orders, count)


@bench("fix.jspurefix", what="FIX session against jspurefix with kills of both sides: same book", minutes=1)
def jspurefix(context: Context) -> Iterable[Row]:
    """A second engine, which loses what it could not write before it died."""
    yield storm(context.scratch / "fix-jspurefix", "jspurefix", 1, ORDERS // 4, KILLS // 4)
