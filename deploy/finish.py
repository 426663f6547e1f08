"""After a live run: what it left is read back, the same path is run in process for comparison, and the report is written.

In: run folder (market.bin, journal.bin, store, status.json). Out: ``report/`` and a few lines on the screen.
*Tested by* tests/e2e/test_live.py.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from common.control_messages import JournalEntry
from common.market.recorded import RecordedMarket
from common.messages import I64, ExecutionReport, OrderState
from common.ports import MarketSource
from common.universe import Book, Universe
from deploy.recorder import read_record
from deploy.run_folder import RunFolder
from deploy.setup import Prepared
from execution.config import ExecutionConfig
from execution.sqlite_store import SqliteStore
from lab.baselines import Settings
from lab.report import Live, write_report
from manager.config import ManagerConfig

_ALL = 2**31 - 1


def read_journal(path: Path) -> tuple[JournalEntry, ...]:
    """Every entry of an exported journal: the segments beside it, then itself. Raises ``InputError`` if one is broken."""
    return read_record(path.parent)


def recording(path: Path) -> tuple[MarketSource, Book]:
    """A recording and the book it holds (a function by name, so that worker processes can be told of it)."""
    recorded = RecordedMarket(path)
    return recorded, recorded.book


def lab_settings(prepared: Prepared, market: Path | None) -> Settings:
    """Settings of the in-process runs; ``market`` is the recording to run on, None opens the source anew."""
    settings = prepared.settings
    config = settings.manager
    if config.netting == "none":  # the comparison shows what hedging would have done
        config = ManagerConfig.model_validate({**config.model_dump(), "netting": "joint"})
    execution = ExecutionConfig(
        store=Path("unused"),
        limits=prepared.execution_limits,
        paper=settings.paper,
        speed=prepared.speed,
        sessions_ns=prepared.source.session_bounds_ns,
    )
    source = partial(recording, market) if market is not None else partial(_source, prepared)
    return Settings(source, settings.agents, config, prepared.limits, execution)


def _source(prepared: Prepared) -> tuple[MarketSource, Book]:
    return prepared.source, prepared.book


def report_run(prepared: Prepared, folder: RunFolder, summary: dict[str, Any], console: Console) -> dict[str, Any]:
    """Write the report of a finished run and print its result. Returns what ``report.json`` holds."""
    console.print("running the same path in process: joint, plain netting, agents alone, delta only", highlight=False)
    orders, reports = stored(folder / "store")
    status, universe = summary["status"], prepared.source.universe
    live = Live(
        entries=read_journal(folder / "journal.bin"),
        store_orders=orders,
        store_reports=reports,
        positions_lots=positions_of(status, universe, prepared.book) if status else None,
        desk_lots=desk_lots_of(status, universe, prepared.book),
        memory_bytes=summary["memory"],
        tick_to_order_p50_ns=status.get("execution", {}).get("tick_to_order_p50_ns") or None,
        tick_to_order_p99_ns=status.get("execution", {}).get("tick_to_order_p99_ns") or None,
        facts={
            "speed": prepared.speed,
            "restarts": summary["restarts"],
            "loops": {a["agent"]: a.get("loop", "") for a in status.get("agents", ())},
            "netting": prepared.settings.manager.netting,
        },
    )
    lab = lab_settings(prepared, folder / "market.bin")
    found = write_report(
        lab,
        folder / "report",
        prepared.run_id,
        live,
        progress=lambda text: console.print(f"  {text}", highlight=False),
    )
    for line in result_lines(found):
        console.print(line, highlight=False)
    console.print(f"report: {folder / 'report' / 'report.html'}", highlight=False, soft_wrap=True)
    return found


def stored(folder: Path) -> tuple[tuple[OrderState, ...], tuple[ExecutionReport, ...]]:
    """Every order and report of execution's store. Raises ``Conflict`` while the service runs."""
    store = SqliteStore(folder)
    try:
        orders = store.orders(open_only=False, after_row=0, limit=_ALL)
        return tuple(state for _, state in orders), tuple(store.reports(1, _ALL))
    finally:
        store.close()


def positions_of(status: dict[str, Any], universe: Universe, book: Book) -> I64:
    """(n,) lots that a status states: opening book plus what it says was traded, imported and settled."""
    return _moved(book.net_lots(len(universe)), status["positions"], universe)


def desk_lots_of(status: dict[str, Any], universe: Universe, book: Book) -> I64 | None:
    """(desks, n): the same of each desk; None where the status tells none."""
    if not status.get("desks"):
        return None
    lots = book.desk_lots(len(universe))
    for mine, desk in zip(lots, status["desks"], strict=True):
        _moved(mine, desk, universe)
    return lots


def _moved(lots: I64, told: dict[str, Any], universe: Universe) -> I64:
    for sort in ("traded", "imported", "settled"):
        for name, moved in told[sort].items():
            lots[universe.index[name]] += moved
    return lots


def result_lines(found: dict[str, Any]) -> list[str]:
    """The result in a few lines for people."""
    runs, effect = found["runs"], found["hedge_effect"]
    lines = [f"{found['orders']} orders, {found['fills']} fills, {found['promise_violations']} promises broken"]
    lines += [
        f"  {name:<10} cost {run['external_cost_usd']:>12,.0f} USD   30-min P&L std {run['std_30min_usd'] or 0:>10,.0f} USD"
        for name, run in runs.items()
    ]
    lines += [
        f"  desk {desk['desk']}: {desk['market_lots']:,} lots in the market for {desk['external_cost_usd']:,.0f} USD, "
        f"{desk['crossed_lots']:,} crossed, which saved {desk['crossing_saved_usd']:,.0f} USD"
        for desk in found["desks"]
    ]
    ratio = effect.get("unhedged_over_hedged_30min")
    if ratio:
        lines.append(f"unhedged P&L varies {ratio:.1f} times as much as hedged (30 minutes)")
    p50, p99 = found["tick_to_order_ms"]["p50"], found["tick_to_order_ms"]["p99"]
    if p50 is not None:
        lines.append(
            f"tick to order p50 {p50:.1f} ms, p99 {p99:.1f} ms at {found['live']['speed']:.0f} times market time"
        )
    return lines
