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

from benchmarks.execution_world import POINTS
from benchmarks.harness import ROOT
from benchmarks.registry import Context, Row, bench

#: At least so many orders; they go on for as long as kills are dealt.
ORDERS: Final = 600
KILLS: Final = 200
LIMIT_S: Final = 900.0


def storm(folder: Path, ident: str, venue: str, seed: int, orders: int, kills: int) -> Row:
    """One storm as a row: 0 differences, or what went wrong. ``kills`` 0: at every named point of execution instead."""
    argv = [sys.executable, "-m", "tests.fix_storm", str(folder), str(seed), str(orders), str(kills), venue]
    began_s = time.perf_counter()
    done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, timeout=LIMIT_S)
    seconds = time.perf_counter() - began_s
    head = f"kill -9 of execution and {venue} in turn, at random moments under load"
    if not kills:
        head = f"kill -9 of execution at each named point under load, against {venue}"
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no word"])[-1]
        return Row(ident, f"{head}: {why[:300]}", "failed", "", "same book", False, samples=kills, seconds=seconds)
    told = json.loads(done.stdout.strip().splitlines()[-1])
    dealt, wanted = told["kills"], kills or 2 * len(POINTS)
    told_of = f"{told['trading_kills']} of them with orders reported since the last; {told['arrived']} arrived once"
    what = (
        f"{head}: {dealt} dealt, {told_of}, {told['fills']} fills, {told['from_count']} of them from the venue's count; "
        "orders whose lots or money differ"
    )
    bar = f"0, and {wanted} dealt"
    return Row(ident, what, 0, "orders", bar, dealt == wanted, samples=dealt, seconds=seconds)


@bench("fix.kills", what="FIX session against fixcore with kills of both sides: same book", minutes=8)
def kills(context: Context) -> Iterable[Row]:
    """The engine of every test run."""
    orders, count = int(context.options.get("orders", ORDERS)), int(context.options.get("kills", KILLS))
    yield storm(context.scratch / "fix-kills", "fix.kills", "fixcore", 1, orders, count)


@bench("fix.points", what="FIX session against fixcore, execution killed at every named point: same book", minutes=2)
def points(context: Context) -> Iterable[Row]:
    """Around commit, send and question, early in a life and later."""
    orders = int(context.options.get("orders", ORDERS // 4))
    yield storm(context.scratch / "fix-points", "fix.points", "fixcore", 1, orders, 0)


@bench("fix.jspurefix", what="FIX session against jspurefix with kills of both sides: same book", minutes=1)
def jspurefix(context: Context) -> Iterable[Row]:
    """A second engine, which loses what it could not write before it died."""
    yield storm(context.scratch / "fix-jspurefix", "fix.jspurefix", "jspurefix", 1, ORDERS // 4, 10)
