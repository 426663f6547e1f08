"""``hedgerow simulate``: seeds of the fault simulator, on as many processes as asked, and the story of one of them.

*Tested by* tests/simulation/test_simulator_command.py.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext

from common.errors import UsageError
from deploy.progress import Progress
from lab.simulator.mistakes import PLANTED, planted
from lab.simulator.run import Outcome, simulate

#: Seeds a worker takes at a time, and lines of a story shown around a violation.
_CHUNK = 4
_LINES = 80


def outcome(seed: int, plant: str = "", story: bool = False) -> Outcome:
    """One seed, with a planted mistake if named. Without ``story`` a run that held comes back without its lines."""
    with planted(plant) if plant else nullcontext():
        found = simulate(seed)
    return found if story or found.failure else found.without_story()


def outcomes(seeds: Iterable[int], jobs: int, plant: str = "") -> Iterator[Outcome]:
    """Outcomes in order of the seeds, from ``jobs`` processes."""
    if jobs == 1:
        for seed in seeds:
            yield outcome(seed, plant)
        return
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    first, *others = seeds
    yield outcome(first, plant)  # here, so that kernels are compiled once and not by every process
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(outcome, others, [plant] * len(others), chunksize=_CHUNK)


def seeds_to_catch(name: str, at_most: int, first: int = 0) -> int | None:
    """How many of the seeds below ``at_most`` it takes to catch a planted mistake, from ``first`` on and round, or None."""
    for count in range(at_most):
        if outcome((first + count) % at_most, name).failure:
            return count + 1
    return None


#: Run where nobody names any; the most one command takes.
_SEEDS, _SEEDS_MAX = "0..99", 1_000_000


def run_simulate(seeds: str, seed: int | None, story: bool, plant: str, jobs: int) -> int:
    """Print what was found; 0 if every promise held in every seed, else 1. Raises ``UsageError`` for bad arguments."""
    if plant and plant not in PLANTED:
        raise UsageError(f"--plant: no mistake {plant!r}; known: {', '.join(PLANTED)}")
    if seed is None and story:
        raise UsageError("--story tells one run; name it with --seed")
    if seed is not None and seeds:
        raise UsageError("--seed and --seeds: name one run or a range of them")
    if seed is not None:
        found = outcome(seed, plant, story=True)
        print(found.text(len(found.story) if story else _LINES if found.failure else 0))
        return int(bool(found.failure))
    first, last = _range(seeds or _SEEDS)
    failed, orders, fills, faults, takeovers = 0, 0, 0, 0, 0
    with Progress(sys.stderr) as progress:
        for found in outcomes(range(first, last + 1), jobs, plant):
            orders, fills, faults = orders + found.orders, fills + found.fills, faults + found.faults
            takeovers += found.takeovers
            if found.failure:
                failed += 1
                print(found.text(_LINES if failed == 1 else 0), flush=True)
            progress(f"seeds {first} to {last}", (found.seed - first + 1) / (last - first + 1))
    print(
        f"{last - first + 1} seeds, {failed} failed; {orders} orders, {fills} fills, {faults} faults, {takeovers} takeovers"
    )
    return int(failed > 0)


def _range(text: str) -> tuple[int, int]:
    first, dots, last = text.partition("..")
    try:
        low, high = int(first), int(last if dots else first)
    except ValueError:
        raise UsageError(f"--seeds: {text!r} is not A..B") from None
    if not 0 <= low <= high:
        raise UsageError(f"--seeds: {text!r} is not a range A..B with 0 <= A <= B")
    if high - low >= _SEEDS_MAX:
        raise UsageError(f"--seeds: {text!r} are more than {_SEEDS_MAX:,}; run them in parts")
    return low, high
