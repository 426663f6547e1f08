"""The comparisons of a report: the same path run again per mode, each in its own process with one thread.

*Tested by* tests/simulation/test_closed_loop_report.py.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from agents.config import AgentsConfig
from common.control_messages import Command, Cycle, JournalEntry
from common.limits import Limits
from common.messages import ExecutionReport, OrderState, OrdStatus
from common.ports import MarketSource
from common.universe import Book, Universe
from execution.config import ExecutionConfig
from lab.audit import Run, audit
from lab.client_trades import NO_TRADES, ClientTrades, client_trades_of
from lab.closed_loop import Mode, configs_of, run
from lab.desks import desk_figures
from lab.exposures import ExposurePaths, ResidualRisk, paths_of, residual_risk
from lab.fills import Fills, fills_of, reports_of
from lab.settled import settlements_of
from manager.config import ManagerConfig
from manager.hash import order_hash

OpenMarket = Callable[[], tuple[MarketSource, Book]]
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Settings:
    """What every run of a report shares. ``open_market`` must be picklable (``functools.partial`` of a function).

    ``commands``: what people told at which market time, oldest first (``closed_loop.run``).
    """

    open_market: OpenMarket
    agents: AgentsConfig
    manager: ManagerConfig
    limits: Limits
    execution: ExecutionConfig
    commands: tuple[tuple[int, Command], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What a run comes down to; ``name`` is its mode, or "live". ``seconds`` of wall time, 0 for a live run."""

    name: str
    fills: Fills
    paths: ExposurePaths
    residual: ResidualRisk
    orders: int
    refused: int
    cycles: int
    methods: dict[str, int]
    wished_cost_cents: int
    order_hash: str
    violations: tuple[str, ...]
    quotes: int = 0
    seconds: float = 0.0
    desks: tuple[dict[str, Any], ...] = ()
    trades: ClientTrades = NO_TRADES
    #: The reports that tell what settled.
    settled: tuple[ExecutionReport, ...] = ()


def outcome_of(
    name: str,
    universe: Universe,
    book: Book,
    entries: tuple[JournalEntry, ...],
    sessions: tuple[tuple[int, int], ...],
    limits: Limits,
    states: tuple[OrderState, ...] | None = None,
) -> Outcome:
    """Boil a journal down; promises are checked on the way."""
    cycles = [e.event for e in entries if isinstance(e.event, Cycle)]
    orders = [o for c in cycles for o in c.orders]
    reports = reports_of(entries)
    paths = paths_of(entries, universe, sessions)
    return Outcome(
        name=name,
        fills=fills_of(reports),
        paths=paths,
        residual=residual_risk(paths, entries, universe),
        orders=len(orders),
        refused=sum(r.ord_status is OrdStatus.REJECTED for r in reports),
        cycles=len(cycles),
        methods=dict(Counter(c.method.partition(":")[0] for c in cycles)),
        wished_cost_cents=sum(c.wished_cost_cents for c in cycles),
        order_hash=order_hash(orders),
        violations=tuple(audit(Run(universe, book, entries, states, limits=limits, sessions_ns=sessions))),
        desks=tuple(desk_figures(entries, universe, book)),
        trades=client_trades_of(entries),
        settled=tuple(settlements_of(reports)),
    )


def run_mode(settings: Settings, mode: Mode) -> Outcome:
    """One closed-loop run of the path, boiled down."""
    began = time.perf_counter()
    source, book = settings.open_market()
    agents, manager = configs_of(mode, settings.agents, settings.manager)
    name = f"lab-{mode}"
    ran = run(
        source, book, agents, manager, settings.limits, settings.execution, run_id=name, commands=settings.commands
    )
    bounds = source.session_bounds_ns
    out = outcome_of(mode, source.universe, book, ran.entries, bounds, settings.limits, ran.order_states)
    seconds = time.perf_counter() - began
    return Outcome(**{**vars(out), "quotes": ran.quotes, "seconds": seconds})


@contextmanager
def pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Worker processes, started fresh, with one thread each."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(_ONE_THREAD)
    try:
        with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as executor:
            yield executor
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def gather(runs: Iterable[Future[Outcome]], progress: Callable[[str], None]) -> dict[str, Outcome]:
    """Outcomes by mode as they come in, each announced."""
    done: dict[str, Outcome] = {}
    for future in as_completed(list(runs)):
        out = future.result()
        done[out.name] = out
        progress(f"{out.name}: {out.orders} orders, {len(out.fills)} fills, {out.seconds:.1f} s")
    return done
