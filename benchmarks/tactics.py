"""What patience and slicing cost or save against taking at once, on real E-mini quotes through the paper venue.

Every parent is worked three ways in an execution of its own on the same quotes (2020-01-05 23:00 to 2020-01-06 21:00 UTC, the
state at the end of each minute): DIRECT, PASSIVE or SLICED. Its cost is the implementation shortfall in USD a lot: what was
paid beyond the arrival mid, fees left out since they are the same; lots not filled at the horizon count as taken at the far
side then. Parents start every quarter of an hour on both sides, so that drift cancels; one start is one sample of the
interval. Two things the quotes cannot show, and both matter: the queue and trades inside a minute (a resting lot fills only
when a minute's end finds the other side at its price, which is late and at the worst moments), and what a large order does
to the price (the rest of a DIRECT order is assumed to find the far side unmoved).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from benchmarks import execution_world as world
from benchmarks.registry import Context, Row, bench
from common.market.es_files import QuoteRows, read_futures, read_options
from common.messages import F64, ExecutionReport, Header, Order, QuoteBatch, Side, TimeInForce
from common.tactics import DIRECT, Tactic, TacticKind
from common.units import NO_PRICE, NS_PER_MIN
from common.universe import FUTURE, OPTION
from execution.config import PaperConfig
from execution.inprocess import InProcessExecution
from execution.limits import ExecutionLimits

FROM_NS, TO_NS = 1_578_265_200_000_000_000, 1_578_344_400_000_000_000
START_EVERY_MIN, BUDGET_MIN, HORIZON_MIN = 15, 10, 12
OPTIONS = 5
#: A parent may chase this far beyond the far side at its decision.
CHASE_TICKS = 40
MULTIPLIER_USD = 50.0
PASSIVE = Tactic(TacticKind.PASSIVE, urgency_percent=20, budget_ms=BUDGET_MIN * 60_000, interval_ms=60_000)
SLICED = Tactic(TacticKind.SLICED, participation_percent=25, budget_ms=BUDGET_MIN * 60_000, interval_ms=59_000)


@dataclass(frozen=True)
class Path:
    """Usable quotes of one instrument: m minutes, columns (m, 5) of market time, bid, ask and their sizes."""

    columns: np.ndarray[tuple[int, int], np.dtype[np.int64]]
    instrument: int
    usd_per_tick: float


@dataclass(frozen=True)
class Case:
    """A tactic against DIRECT: ``share`` is the parent's lots over the far side's displayed lots."""

    tactic: Tactic
    share: float


CASES = {"passive": Case(PASSIVE, 0.2), "sliced": Case(SLICED, 2.0)}
_IDS = tuple(f"execution.tactics.{name}_{kind}" for name in CASES for kind in ("future", "options"))


@bench(*_IDS, what="implementation shortfall of each tactic against taking at once, real E-mini quotes", minutes=2)
def tactics(context: Context) -> Iterable[Row]:
    """Savings in USD a lot, positive where the tactic is cheaper, with their intervals."""
    paths = {
        "future": list(_paths(read_futures(context.data_dir), 1, FUTURE)),
        "options": list(_paths(read_options(context.data_dir), OPTIONS, OPTION)),
    }
    for name, case in CASES.items():
        for kind, of_kind in paths.items():
            yield _row(f"execution.tactics.{name}_{kind}", kind, case, of_kind)


def _row(name: str, kind: str, case: Case, paths: list[Path]) -> Row:
    starts = range(FROM_NS, TO_NS - HORIZON_MIN * NS_PER_MIN, START_EVERY_MIN * NS_PER_MIN)
    direct, worked, filled = [], [], []
    for at_ns in starts:
        samples = [
            [_cost(path, begin, side, case.share, tactic) for tactic in (DIRECT, case.tactic)]
            for path in paths
            for side in Side
            if (begin := _first(path, at_ns)) is not None
        ]
        if samples:
            costs = np.array(samples)
            direct.append(costs[:, 0, 0].mean())
            worked.append(costs[:, 1, 0].mean())
            filled.append((costs[:, :, 1].mean(axis=0), len(samples)))
    saved: F64 = np.array(direct) - np.array(worked)
    half = 1.96 * saved.std(ddof=1) / len(saved) ** 0.5
    share = np.mean([f for f, _ in filled], axis=0)
    parents = sum(n for _, n in filled)
    what = (
        f"saved by {case.tactic.kind.name} on the {kind}, 95 % {saved.mean() - half:.2f} to {saved.mean() + half:.2f}; "
        f"shortfall {np.mean(worked):.2f} against {np.mean(direct):.2f}, filled {share[1]:.0%} against {share[0]:.0%}"
    )
    return Row(name, what, round(float(saved.mean()), 3), "USD a lot", "", True, "DIRECT", parents)


def _paths(rows: QuoteRows, most: int, kind: int) -> Iterator[Path]:
    """The most quoted instruments of the window, on the row of that kind in the bench's universe."""
    usable = (rows.bid_ticks > NO_PRICE) & (rows.ask_ticks > rows.bid_ticks)
    usable &= (rows.bid_size_lots > 0) & (rows.ask_size_lots > 0) & (rows.ts_ns >= FROM_NS) & (rows.ts_ns < TO_NS)
    count = np.bincount(rows.contract[usable], minlength=len(rows.instruments))
    at = int(np.flatnonzero(world.universe().kind == kind)[0])
    for contract in np.argsort(-count, kind="stable")[:most]:
        keep = np.flatnonzero(usable & (rows.contract == contract))
        keep = keep[np.argsort(rows.ts_ns[keep], kind="stable")]
        columns = (rows.ts_ns + NS_PER_MIN, rows.bid_ticks, rows.ask_ticks, rows.bid_size_lots, rows.ask_size_lots)
        table = np.stack([c[keep].astype(np.int64) for c in columns], axis=1)
        yield Path(table, at, rows.instruments[contract].tick_size * MULTIPLIER_USD)


def _first(path: Path, at_ns: int) -> int | None:
    """The first usable quote in the quarter of an hour from ``at_ns`` that leaves the horizon room, or None."""
    begin = int(np.searchsorted(path.columns[:, 0], at_ns))
    late_ns = at_ns + START_EVERY_MIN * NS_PER_MIN
    found = begin < len(path.columns) - 1 and path.columns[begin, 0] < late_ns
    return begin if found else None


def _cost(path: Path, begin: int, side: Side, share: float, tactic: Tactic) -> tuple[float, float]:
    """Shortfall in USD a lot and the share of the parent that filled."""
    start_ns, bid, ask, bid_lots, ask_lots = (int(v) for v in path.columns[begin])
    far = ask if side is Side.BUY else bid
    lots = max(round(share * (ask_lots if side is Side.BUY else bid_lots)), 1)
    execution = InProcessExecution(world.universe(), wide_limits(), PaperConfig())
    execution.fence(1, "bench")
    execution.on_quotes(_batch(path, begin, 1))
    execution.submit([_parent(path, side, lots, far + side.sign * CHASE_TICKS, start_ns, bid, ask, tactic)], start_ns)
    paid, filled, last = 0, 0, begin
    for k in range(begin + 1, len(path.columns)):
        if path.columns[k, 0] > start_ns + HORIZON_MIN * NS_PER_MIN:
            break
        reports: list[ExecutionReport] = []
        while (due_ns := execution.next_due_ns) is not None and due_ns < path.columns[k, 0]:
            reports += execution.on_time(due_ns)
        reports += execution.on_quotes(_batch(path, k, k - begin + 1))
        paid += sum(r.last_lots * r.last_ticks for r in reports)
        filled += sum(r.last_lots for r in reports)
        last = k
    end = int(path.columns[last, 2 if side is Side.BUY else 1])
    ticks = side.sign * ((paid + (lots - filled) * end) / lots - 0.5 * (bid + ask))
    return ticks * path.usd_per_tick, filled / lots


def wide_limits() -> ExecutionLimits:
    """Limits that refuse no parent here."""
    limits = world.limits()
    kind = {"max_order_lots": 10**6, "collar_ticks": 10**6}
    return limits.model_copy(
        update={"future": limits.future.model_copy(update=kind), "option": limits.option.model_copy(update=kind)}
    )


def _batch(path: Path, k: int, sequence: int) -> QuoteBatch:
    at_ns, *rest = (int(v) for v in path.columns[k])
    head = Header(f"feed.{world.SYMBOL}", sequence, at_ns)
    bid, ask, bid_lots, ask_lots = (np.array([v], np.int32) for v in rest)
    return QuoteBatch(head, np.array([path.instrument], np.uint32), bid, ask, bid_lots, ask_lots)


def _parent(
    path: Path, side: Side, lots: int, limit_ticks: int, at_ns: int, bid: int, ask: int, tactic: Tactic
) -> Order:
    return replace(
        world.order(1),
        client_order_id="parent",
        instrument=path.instrument,
        instrument_id=world.universe().instrument_id[path.instrument],
        side=side,
        quantity_lots=lots,
        limit_ticks=limit_ticks,
        time_in_force=TimeInForce.IOC,
        event_time_ns=at_ns,
        receive_time_ns=0,
        allocation=(),
        arrival_bid_ticks=bid,
        arrival_ask_ticks=ask,
        tactic=tactic,
    )
