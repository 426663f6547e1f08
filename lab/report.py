"""The report of a run: ``report.json``, pictures and a page, with the baselines run on the same path meanwhile.

*Tested by* tests/simulation/test_closed_loop_report.py.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from common.calendars.day import schedule_of_bounds
from common.control_messages import JournalEntry
from common.messages import I64, ExecutionReport, OrderState
from common.ports import MarketSource
from common.units import NS_PER_MS
from common.universe import Book
from lab import pictures
from lab.audit import Run, audit, orders_of
from lab.baselines import Outcome, Settings, gather, outcome_of, pool, run_mode
from lab.client_trades import client_trades_of, imports_asked
from lab.closed_loop import Mode
from lab.cost_fit import Prior
from lab.figures import figures, tick_to_decision_ms
from lab.fills import fills_of, reports_of
from lab.marks import Marks, marks_of
from lab.page import page
from lab.pnl import PnlPath, pnl_path
from lab.settled import settlement_rows
from lab.strikes import rows_of, strikes_of
from lab.tca_groups import grouped, total
from lab.tca_pictures import tca_picture
from lab.tca_report import tca_of

#: Longest first, so that two workers end together.
BASELINES: tuple[Mode, ...] = ("alone", "plain", "joint", "delta_only")
UNHEDGED = "unhedged"


@dataclass(frozen=True)
class Live:
    """What a live run left: its journal, execution's store, the final positions stated by the manager, measurements.

    ``memory_bytes`` per process at its peak; latencies in ns of wall time, None where no order was sent. ``facts`` goes into
    ``report.json`` under ``live`` as it is.
    """

    entries: tuple[JournalEntry, ...]
    store_orders: tuple[OrderState, ...] | None = None
    store_reports: tuple[ExecutionReport, ...] | None = None
    positions_lots: I64 | None = None
    memory_bytes: Mapping[str, int] = field(default_factory=dict)
    tick_to_order_p50_ns: int | None = None
    tick_to_order_p99_ns: int | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    desk_lots: I64 | None = None


def write_report(
    settings: Settings,
    folder: Path,
    run_id: str,
    live: Live | None = None,
    *,
    modes: Sequence[Mode] = BASELINES,
    workers: int = 2,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Write the report into ``folder`` (made if missing) and return what ``report.json`` holds.

    Without a live run the joint closed loop is reported on, so ``modes`` must hold "joint" then. ``workers`` 0 runs all in
    this process. Client trades imported in the live run are told to every run of the comparison at the same market time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    source, book = settings.open_market()
    entries = live.entries if live is not None else ()
    settings = replace(settings, commands=imports_asked(entries))
    traded = client_trades_of(entries).instrument.tolist()
    held = sorted({*np.flatnonzero(book.net_lots(len(source.universe))).tolist(), *traded})
    outcomes, marks = _run_all(settings, source, held, modes, workers, progress)
    hedged = outcomes["joint"] if live is None else _live_outcome(settings, source, book, live)
    pnl = _pnl(source, book, marks, {**outcomes, hedged.name: hedged}, hedged)
    extra = _extra(run_id, source, book, marks, live)
    drawn: dict[str, bytes] = {}
    if live is not None:
        extra["tca"], drawn["tca"] = _tca(settings, run_id, source, live)
    aversion = settings.limits.risk_aversion_per_usd
    hours = schedule_of_bounds(source.session_bounds_ns)
    extra["strikes"] = {name: rows_of(strikes_of(hours, path.times_ns, path.total)) for name, path in pnl.items()}
    found = figures(hedged, outcomes, pnl, source.universe, aversion, source.statements, extra)
    drawn |= _pictures(hedged, outcomes, pnl, source, live)
    for name, png in drawn.items():
        (folder / f"{name}.png").write_bytes(png)
    (folder / "report.json").write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / "report.html").write_text(page(found, drawn), encoding="utf-8")
    return found


def _run_all(
    settings: Settings,
    source: MarketSource,
    held: Sequence[int],
    modes: Sequence[Mode],
    workers: int,
    progress: Callable[[str], None],
) -> tuple[dict[str, Outcome], Marks]:
    """Every baseline, and the marks of what is ``held`` meanwhile."""
    if not workers:
        outcomes: dict[str, Outcome] = {}
        for mode in modes:
            outcomes |= gather([_done(run_mode(settings, mode))], progress)
        return outcomes, marks_of(source, held)
    with pool(workers) as executor:
        runs = [executor.submit(run_mode, settings, mode) for mode in modes]
        marks = marks_of(source, held)
        return gather(runs, progress), marks


def _done(outcome: Outcome) -> Future[Outcome]:
    future: Future[Outcome] = Future()
    future.set_result(outcome)
    return future


def _live_outcome(settings: Settings, source: MarketSource, book: Book, live: Live) -> Outcome:
    bounds, universe = source.session_bounds_ns, source.universe
    out = outcome_of("live", universe, book, live.entries, bounds, settings.limits, live.store_orders)
    run = Run(
        universe,
        book,
        live.entries,
        live.store_orders,
        live.store_reports,
        live.positions_lots,
        settings.limits,
        live.desk_lots,
        bounds,
    )
    return replace(out, violations=tuple(audit(run)))


def _tca(settings: Settings, run_id: str, source: MarketSource, live: Live) -> tuple[dict[str, Any], bytes]:
    """Transaction costs of the live run and their picture by agent."""
    orders = [order for _, order in orders_of(live.entries)]
    prior = Prior(1.0, settings.manager.impact_share, settings.manager.root_impact_share)
    told, worked, costs, _ = tca_of(orders, reports_of(live.entries), source.batches(), source.universe, run_id, prior)
    groups = grouped(worked, costs, source.universe, "agent")
    return told, tca_picture(groups, total(worked, costs))


def _pnl(
    source: MarketSource, book: Book, marks: Marks, outcomes: Mapping[str, Outcome], hedged: Outcome
) -> dict[str, PnlPath]:
    u, pnl = source.universe, {}
    for name, out in outcomes.items():
        rows = settlement_rows(u, book, out.fills, out.settled, out.trades)
        pnl[name] = pnl_path(name, u, book, out.fills, marks, rows, out.trades)
    # The same market settles alike whoever trades in it.
    settled = next((out.settled for out in outcomes.values()), ())
    rows = settlement_rows(u, book, fills_of(()), settled, hedged.trades)
    pnl[UNHEDGED] = pnl_path(UNHEDGED, u, book, fills_of(()), marks, rows, hedged.trades)
    return pnl


def _extra(run_id: str, source: MarketSource, book: Book, marks: Marks, live: Live | None) -> dict[str, Any]:
    memory = dict(live.memory_bytes) if live is not None else {}
    p50, p99 = (None, None) if live is None else (live.tick_to_order_p50_ns, live.tick_to_order_p99_ns)
    return {
        "run_id": run_id,
        "tca": None,
        "live": dict(live.facts) if live is not None else None,
        "tick_to_order_ms": {
            "p50": None if p50 is None else p50 / NS_PER_MS,
            "p99": None if p99 is None else p99 / NS_PER_MS,
        },
        "memory_bytes": {**memory, "total": sum(memory.values())} if memory else None,
        "positions": len(book.instrument),
        "contracts_held": len(np.flatnonzero(book.net_lots(len(source.universe)))),
        "instruments": len(source.universe),
        "underlyings": list(source.universe.symbols),
        "sessions": len(source.session_bounds_ns),
        "first_mark_ns": int(marks.times_ns[0]),
        "last_mark_ns": int(marks.times_ns[-1]),
        "covariance_source": source.universe.covariance_source,
    }


def _pictures(
    hedged: Outcome,
    outcomes: Mapping[str, Outcome],
    pnl: Mapping[str, PnlPath],
    source: MarketSource,
    live: Live | None,
) -> dict[str, bytes]:
    drawn = {"pnl": pictures.pnl_picture(pnl, hedged.name)}
    if any(m in outcomes for m in ("joint", "plain", "alone")):
        drawn["cost"] = pictures.cost_picture(outcomes, source.universe)
    if hedged.paths.factor:
        drawn["exposures"] = pictures.exposure_picture(hedged.paths)
    waits = tick_to_decision_ms(live.entries) if live is not None else np.empty(0)
    if len(waits):
        drawn["latency"] = pictures.latency_picture(waits)
    return drawn
