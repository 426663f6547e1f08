"""Quotes a second of the whole system in process: every agent, manager and execution, hedging on, one core.

Peer in the same run: the market source alone, without any core (what reading the quotes costs by itself). nautilus_trader's
engine does 67,000 to 80,000 quotes a second with a strategy that does nothing; it is not installed here, so the bar is a number.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable

from benchmarks.harness import ROOT, hedgerow
from benchmarks.registry import Context, Row, bench

RUNS = 3


@bench(
    "replay.quotes_per_s", what="`hedgerow replay`, 200-option book, batches of at most 200 quotes, one core", minutes=3
)
def quotes_per_second(context: Context) -> Iterable[Row]:
    """Median of three runs of the command on the default market, pinned to one core where the system allows it."""
    book = context.scratch / "book-200.csv"
    script = str(ROOT / "examples" / "make_books.py")
    subprocess.run(
        [sys.executable, script, "--positions", "200", "--out", str(book)],
        check=True,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    argv = [*hedgerow("replay", "demo", "--book", str(book), "--batch", "200", "--json")]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    shown = []
    for _ in range(RUNS):
        done = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, env=env, check=True, preexec_fn=_one_core)
        shown.append(json.loads(done.stdout))
    rates = sorted(s["quotes_per_s"] for s in shown)
    orders = shown[0]["orders"]
    same = len({s["order_hash"] for s in shown}) == 1
    yield Row(
        "replay.quotes_per_s",
        f"in process, {orders} orders, {rates[0]:,} to {rates[-1]:,} quotes/s in {RUNS} runs, same order hash: {same}",
        rates[RUNS // 2],
        "quotes/s",
        "30,000 or more; goal 80,000",
        rates[RUNS // 2] >= 30_000 and same and orders > 0,
        samples=RUNS,
    )


def _one_core() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
