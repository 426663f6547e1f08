"""What netting saves by theory and on many books, and how long a decision takes.

Theory: M symmetric independent desks on one underlying, zero width, linear cost: Σ of Gaussians grows as √M, so netting
saves 1 - 1/√M of what the desks would pay alone.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np

from agents.config import AgentsConfig
from benchmarks.registry import Context, Row, bench
from deploy.config import EXAMPLES, load
from deploy.finish import lab_settings
from deploy.setup import prepare
from lab.closed_loop import ClosedLoop, instants
from manager import books_patience, patience, step
from manager.books_lots import round_books
from manager.books_qp import BooksProblem, solve_books
from manager.books_solve import solve_few
from manager.events import Decide
from manager.netting import Problem
from manager.warm import warm

DRAWS = 2_000
#: A wish of the typical desk, lots; the bar asks for 100 or more.
LOTS = 300.0
SEED = 20_261
#: Instants of the default input that are timed, after as many to warm up.
INSTANTS, WARM, INSTANTS_OF_DESKS = 2_500, 100, 1_000
DESKS = EXAMPLES / "desks"
AGENTS = {"gamma": 2, "vega": 3, "cross_asset": 1}


@bench("netting.theory_4", "netting.theory_16", what="saving of netting M symmetric desks against theory", minutes=1)
def theory(_context: Context) -> Iterable[Row]:
    """Whole lots through the QP of several books; the external cost of one lot is 1."""
    for desks in (4, 16):
        saved = 1.0 - _external_over_alone(desks)
        expected = 1.0 - desks**-0.5
        yield Row(
            f"netting.theory_{desks}",
            f"saving against agents alone, {desks} desks, wishes of {LOTS:.0f} lots (theory {expected:.3f})",
            round(saved, 4),
            "of the cost alone",
            "within 5 % of 1 - 1/√M",
            abs(saved / expected - 1.0) <= 0.05,
            "agents alone",
            DRAWS,
        )


def _external_over_alone(desks: int) -> float:
    rng = np.random.default_rng(SEED)
    external = alone = 0
    none, zero = np.zeros((0, 2)), np.zeros(desks)
    for _ in range(DRAWS):
        wish = np.rint(rng.normal(0.0, LOTS, desks))
        shared = Problem(
            exposure=-wish,
            lower=zero,
            upper=zero,
            kink=np.full(desks, 50.0),
            risk=1e-3 * np.eye(desks),
            sensitivity=np.ones((desks, 1)),
            cost=np.ones(1),
            impact=np.full(1, 1e-9),
            buy_cap=np.full(1, 1e6),
            sell_cap=np.full(1, 1e6),
            rows=none,
            room=np.zeros(0),
            spread=1.0,
        )
        of = BooksProblem(shared, np.arange(desks), desks, np.full(1, 1e-4), none, np.zeros(0), np.zeros(0, np.int64))
        lots = round_books(of, solve_books(of, 10_000).lots, 0.0)
        external += abs(int(lots.sum()))
        alone += int(np.abs(wish).sum())
    return external / alone


@bench(
    "qp.solve_p50",
    "qp.solve_p99",
    "manager.step_p99",
    what="one decision on the default input: 6 agents, menus of 40 to 50 instruments, warm",
    minutes=2,
)
def decision_time(context: Context) -> Iterable[Row]:
    """CPU time of the thread, since neighbours share the cores: the solver, and every manager step that decided something."""
    solves, steps = _timed(context)
    for name, share, bar in (("p50", 50, 0.2), ("p99", 99, 2.0)):
        value = float(np.percentile(solves, share)) if solves else float("nan")
        what = f"interval QP, 40 to 50 instruments, {sum(AGENTS.values())} agents, warm, {name}"
        yield Row(
            f"qp.solve_{name}", what, round(value, 3), "ms", f"{bar:g} or less", value <= bar, samples=len(solves)
        )
    value = float(np.percentile(steps, 99)) if steps else float("nan")
    what = f"manager step that decided (p50 {np.percentile(steps, 50):.2f} ms), p99"
    yield Row("manager.step_p99", what, round(value, 3), "ms", "5 or less", value <= 5.0, samples=len(steps))


@bench(
    "desks.step_p50",
    "desks.step_p99",
    "desks.solve_ratio",
    what="one decision of three desks (examples/desks), and its solve against all instruments and rows in one piece",
    minutes=3,
)
def desks_time(context: Context) -> Iterable[Row]:
    """CPU time of the thread. The peer of a solve is the same programme whole, by the same solver."""
    loop, market = _warmed(context, {"book": str(DESKS / "book.csv"), "desks": str(DESKS / "desks.toml")})
    steps: list[float] = []
    problems: list[BooksProblem] = []
    with _timing(step, "step", steps, _decided), _seeing(books_patience, "solve_few", problems):
        for now_ns, together in islice(market, INSTANTS_OF_DESKS):
            loop.feed(now_ns, together)
    for name, share in (("p50", 50), ("p99", 99)):
        value = float(np.percentile(steps, share)) if steps else float("nan")
        what = f"manager step that decided for three desks, {name}"
        yield Row(f"desks.step_{name}", what, round(value, 2), "ms", "", True, samples=len(steps))
    few, whole = np.array([_both(p) for p in problems[:: max(len(problems) // 100, 1)]]).T
    what = (
        f"solve in one piece ({np.median(whole):.1f} ms) over the solve with few (p50 {np.median(few):.1f} ms), medians"
    )
    ratio = round(float(np.median(whole / few)), 1)
    yield Row("desks.solve_ratio", what, ratio, "times", "", True, samples=len(few))


def _both(p: BooksProblem) -> tuple[float, float]:
    times = []
    for solve in (solve_few, solve_books):
        started = time.thread_time()
        solve(p, 100_000)
        times.append((time.thread_time() - started) * 1e3)
    return times[0], times[1]


def _timed(context: Context) -> tuple[list[float], list[float]]:
    loop, market = _warmed(context, {})
    solves: list[float] = []
    steps: list[float] = []
    with _timing(patience, "solve", solves, _full_menu), _timing(step, "step", steps, _decided):
        for now_ns, together in islice(market, INSTANTS):
            loop.feed(now_ns, together)
    return solves, steps


def _warmed(context: Context, more: dict[str, str]) -> tuple[ClosedLoop, Iterator[Any]]:
    """A loop that has run for a while on the demo's market, and the instants that follow.

    As in a manager's process (``deploy/roles.py``) kernels are loaded before, and what stands by then is collected no more.
    """
    settings = load(None, {"market.name": "demo", "market.data": str(context.data_dir), **more})
    prepared = prepare(settings, "bench-qp")
    warm(prepared.source.universe)
    agents = AgentsConfig.model_validate({**settings.agents.model_dump(), "shards": AGENTS})
    venue = lab_settings(prepared, None).execution
    loop = ClosedLoop(prepared.source, prepared.book, agents, settings.manager, prepared.limits, venue, "bench-qp")
    market = instants(prepared.source.batches())
    for now_ns, together in islice(market, WARM):
        loop.feed(now_ns, together)
    gc.freeze()
    return loop, market


def _full_menu(arguments: tuple[Any, ...], _: Any) -> bool:
    """A menu of 40 to 50 instruments, alone or with what may be had of each later."""
    columns = len(arguments[0].cost)
    return 40 <= columns <= 50 or 80 <= columns <= 100


def _decided(arguments: tuple[Any, ...], out: Any) -> bool:
    return isinstance(arguments[1], Decide) and bool(out[1])


@contextmanager
def _timing(room: Any, name: str, into: list[float], counts: Callable[[Any, Any], bool]) -> Iterator[None]:
    """Times a function of a module while the block lasts, in milliseconds of CPU."""
    real = getattr(room, name)

    def timed(*args: Any) -> Any:
        started = time.thread_time()
        out = real(*args)
        if counts(args, out):
            into.append((time.thread_time() - started) * 1e3)
        return out

    setattr(room, name, timed)
    try:
        yield
    finally:
        setattr(room, name, real)


@contextmanager
def _seeing(room: Any, name: str, into: list[Any]) -> Iterator[None]:
    """Keeps the first argument of every call of a function of a module while the block lasts."""
    real = getattr(room, name)

    def seen(first: Any, *args: Any) -> Any:
        into.append(first)
        return real(first, *args)

    setattr(room, name, seen)
    try:
        yield
    finally:
        setattr(room, name, real)
