"""The fault simulator's figures: seeds that are clean, planted mistakes that are caught, the long run.

No peer: there is no other simulator of this system. The planted mistakes stand in for one: they show that it can fail.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from benchmarks.registry import Context, Row, bench
from deploy.simulate import outcomes, seeds_to_catch
from lab.simulator.mistakes import PLANTED, WITHIN

_JOBS = min(os.cpu_count() or 1, 8)
_FEW, _MANY = 300, 10_000


def _clean(id_: str, what: str, count: int) -> Row:
    began, failed, orders, many, first = time.perf_counter(), 0, 0, 0, ""
    for found in outcomes(range(count), _JOBS):
        orders += found.orders
        many += found.faults >= 5
        if found.failure:
            failed += 1
            first = first or f"; first: seed {found.seed}: {found.failure}"
    seconds = time.perf_counter() - began
    said = f"{what}: {orders} orders, {many} seeds with five faults or more, {seconds / 60:.1f} min{first}"
    return Row(id_, said, failed, "failed seeds", "0", failed == 0, samples=count, seconds=seconds)


@bench("simulator.seeds", what="fault simulator: 300 seeds, every promise watched at every event", minutes=2.0)
def few(_: Context) -> Iterable[Row]:
    """The seeds that ``make test`` runs."""
    yield _clean("simulator.seeds", f"{_FEW} seeds on {_JOBS} processes", _FEW)


@bench("simulator.long", what="fault simulator: 10,000 seeds", minutes=60.0)
def long(_: Context) -> Iterable[Row]:
    """The long run."""
    yield _clean("simulator.long", f"{_MANY} seeds on {_JOBS} processes", _MANY)


@bench("simulator.mistakes", what="fault simulator: planted mistakes, seeds until each is caught", minutes=3.0)
def mistakes(_: Context) -> Iterable[Row]:
    """Every planted mistake."""
    with ProcessPoolExecutor(_JOBS, get_context("spawn")) as pool:
        taken = dict(zip(PLANTED, pool.map(seeds_to_catch, PLANTED, [WITHIN] * len(PLANTED)), strict=True))
    missed = [name for name, seeds in taken.items() if seeds is None]
    worst = max((seeds, name) for name, seeds in taken.items() if seeds is not None)
    said = f"{len(PLANTED)} planted mistakes, worst: {worst[1]}" + (f"; missed: {', '.join(missed)}" if missed else "")
    bar = f"all caught, each within {WITHIN} seeds"
    yield Row("simulator.mistakes", said, worst[0], "seeds", bar, not missed, samples=len(PLANTED))
