"""A book of options under ticks: what one underlying's tick costs, and what a full valuation of 1,000,000 positions costs.

Workload: calls and puts, half Black-Scholes-Merton on the spot, half Black-76 on forwards, eight expiries from 3 days to
2.5 years (every bucket), strikes 10 % around the spot. A tick brings price, delta, gamma and vega of each position and the
totals of every bucket and of the firm up to date. Every timed book is compared at the end, bit for bit, with a full
valuation. Peer, put under the scratch folder with pip if it is not installed: tickrisk 0.1.0, which revalues the book on
each tick.
"""

from __future__ import annotations

import datetime
import gc
import importlib
import importlib.util
import statistics
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.registry import Context, Row, bench
from common.kernels import layout
from common.kernels.book import tick
from common.messages import F64
from common.risk.book import Positions, RiskBook, Taylor, Terms
from common.units import NS_PER_DAY

NOW_NS: Final = 1_700_000_000 * 1_000_000_000
DAYS: Final = (3, 20, 45, 75, 120, 300, 600, 900)
SPOT: Final = 5000.0
TICKS: Final = 4_000
ROUNDS: Final = 5
PER_UNDERLYING: Final = 2_000
#: Bars of the issue, µs.
BARS_US: Final = {1_000: 12.0, 10_000: 100.0}


def workload(underlyings: int, each: int, taylor: Taylor | None = None) -> RiskBook:
    """The book described above: ``each`` contracts on each of ``underlyings``."""
    rng = np.random.default_rng(20260130)
    n = underlyings * each
    underlying = np.repeat(np.arange(underlyings), each)
    positions = Positions(
        np.arange(n),
        underlying,
        rng.choice([layout.EUROPEAN, layout.BLACK76], n).astype(np.uint8),
        NOW_NS + rng.choice(DAYS, n) * NS_PER_DAY,
        np.round(SPOT * np.exp(rng.normal(0.0, 0.1, n)), 1),
        rng.choice([-1, 1], n).astype(np.int8),
        rng.uniform(0.1, 0.4, n),
        np.full(n, 100.0),
        rng.integers(-50, 51, n),
    )
    days = np.tile(np.array(DAYS), underlyings)
    u = np.repeat(np.arange(underlyings), len(DAYS))
    rate, dividend = np.full(len(u), 0.04), np.full(len(u), 0.01)
    terms = Terms(u, NOW_NS + days * NS_PER_DAY, rate, dividend, np.exp(0.03 * days / 365.0))
    return RiskBook(positions, terms, np.full(underlyings, SPOT), np.ones(underlyings), NOW_NS, taylor=taylor)


def prices(n: int) -> list[float]:
    """A walk of ``n`` ticks of 1 bp."""
    steps = np.random.default_rng(7).normal(0.0, 1e-4, n)
    return [float(p) for p in SPOT * np.exp(np.cumsum(steps))]


def timed(step: Callable[[float], object], n: int = TICKS) -> F64:
    """Microseconds (n,) of ``step(price)``, warm."""
    path = prices(n)
    for price in path[:200]:
        step(price)
    out = np.empty(n)
    for i, price in enumerate(path):
        start = time.perf_counter_ns()
        step(price)
        out[i] = time.perf_counter_ns() - start
    return out / 1e3


def kernel_step(book: RiskBook) -> Callable[[float], object]:
    """The compiled tick of underlying 0 on the book's own arrays."""
    shard = book.shard(0)
    f = shard.fast
    arrays = (f.prepared, f.weight, f.greeks, f.sums, f.hole, f.first, shard.general_totals, shard.tree)

    def step(price: float) -> None:
        tick(f.blocks, price, *arrays, shard.leaf)

    return step


@bench(
    "tick.1000",
    "tick.1000.python",
    "tick.1000.all",
    "tick.10000",
    "tick.10000.python",
    "tick.10000.all",
    "tick.10000.taylor",
    "tick.peer",
    what="one underlying ticks: price, delta, gamma, vega of each position, totals per bucket and of the firm",
    minutes=1,
)
def ticks(context: Context) -> Iterable[Row]:
    """p50 of 4,000 ticks, warm; `.python` through `RiskBook.tick`, `.all` with all nine Greeks of the totals read."""
    for n, bar in BARS_US.items():
        book = workload(1, n)
        kernel = timed(kernel_step(book))
        python = timed(lambda price, b=book: b.tick(0, price))  # type: ignore[misc]
        all_nine = timed(lambda price, b=book: (b.tick(0, price), b.totals(0)), 400)  # type: ignore[misc]
        ticked = book.firm()
        book.recompute()
        same = ticked.tobytes() == book.firm().tobytes()
        told = f"least {kernel.min():.1f} µs, p99 {np.quantile(kernel, 0.99):.1f}; equal to a full valuation bit for bit: {same}"
        yield _row(f"tick.{n}", f"the compiled kernel, call included; {told}", kernel, f"{bar:g} µs or less", bar, same)
        yield _row(
            f"tick.{n}.python",
            f"through RiskBook.tick; least {python.min():.1f} µs",
            python,
            f"{bar:g} µs or less",
            bar,
            same,
        )
        yield _row(
            f"tick.{n}.all", f"tick, then all nine Greeks of the totals; least {all_nine.min():.1f} µs", all_nine
        )
    yield _taylor_row()
    thousand = workload(1, 1_000)
    yield _peer_row(float(np.median(timed(lambda price: thousand.tick(0, price)))), context.scratch)


def _row(name: str, what: str, us: F64, bar: str = "", limit: float = float("inf"), same: bool = True) -> Row:
    p50 = float(np.median(us))
    return Row(name, what, round(p50, 2), "µs p50", bar, p50 <= limit and same, samples=len(us))


def _taylor_row() -> Row:
    allowed = Taylor(0.003, 1e5, 1e8, 1e9, 1e7)
    book, exact = workload(1, 10_000, allowed), workload(1, 10_000)
    us = timed(lambda price: book.tick(0, price))
    exact.tick(0, prices(TICKS)[-1])
    error = np.abs(book.tick_totals(0).sum(axis=0) - exact.tick_totals(0).sum(axis=0))
    bounds = book.error(0)
    holds = bool((error <= bounds + 1e-6).all())
    what = (
        f"delta-gamma if proved within {allowed.value_usd:g} USD of value and {allowed.delta_usd:g} of delta, else in full (mean"
        f" {us.mean():.1f} µs); last tick off by {error[0]:.3g} and {error[1]:.3g}, bounds {bounds[0]:.3g} and {bounds[1]:.3g}"
    )
    return Row(
        "tick.10000.taylor", what, round(float(np.median(us)), 2), "µs p50", "inside its bounds", holds, samples=TICKS
    )


def _peer_row(ours_us: float, scratch: Path) -> Row:
    name = "tickrisk 0.1.0"
    what = "tickrisk: RiskEngine.tick, 1,000 European options, first-order Greeks"
    # Nothing but numpy stands behind it, so that it can be put beside this process.
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(scratch), "tickrisk==0.1.0"]
    if importlib.util.find_spec("tickrisk") is None and subprocess.run(pip, capture_output=True).returncode != 0:
        return Row("tick.peer", f"{what}: cannot be had, so not measured", "none", "× ours", "", True, name)
    sys.path.append(str(scratch))
    try:
        importlib.invalidate_caches()
        engine = _tickrisk_engine()
        times = []
        for price in prices(5):
            start = time.perf_counter()
            engine.tick("spot:S", price)
            times.append(time.perf_counter() - start)
    finally:
        sys.path.remove(str(scratch))
    peer_us = statistics.median(times) * 1e6
    return Row("tick.peer", f"{what}: {peer_us / 1e3:.0f} ms", round(peer_us / ours_us), "× ours", "", True, name, 5)


def _tickrisk_engine() -> Any:
    tickrisk: Any = importlib.import_module("tickrisk")

    today = datetime.date(2026, 1, 30)
    market = tickrisk.MarketSnapshot(as_of=today, spots={"S": SPOT}, vols={"S": 0.2}, rates={"USD": 0.04}, fx={})
    rng = np.random.default_rng(1)
    held = [
        tickrisk.Position(
            f"p{i}",
            tickrisk.EuropeanOption(
                "S",
                float(np.round(SPOT * np.exp(rng.normal(0.0, 0.1)), 1)),
                today + datetime.timedelta(days=int(rng.choice(DAYS))),
                str(rng.choice(["call", "put"])),
                "USD",
                multiplier=100,
            ),
            int(rng.integers(1, 50)),
        )
        for i in range(1_000)
    ]
    return tickrisk.RiskEngine(tickrisk.Portfolio.of("USD", held), market)


@bench("book.million", "book.bytes", what="1,000,000 positions valued in full, and the bytes they take", minutes=2)
def million(_: Context) -> Iterable[Row]:
    """Prepare, price and sum every position, all nine Greeks of the totals; 100,000 and 1,000,000 in turns."""
    # First, so that what numba keeps for itself is not counted.
    small = workload(100_000 // PER_UNDERLYING, PER_UNDERLYING)
    _full(small)
    tracemalloc.start()
    large = workload(1_000_000 // PER_UNDERLYING, PER_UNDERLYING)
    gc.collect()
    traced = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    _full(large)
    seconds = [(_full(small), _full(large)) for _ in range(ROUNDS)]
    ratio = statistics.median(b / (10.0 * a) for a, b in seconds)
    best = min(b for _, b in seconds)
    start = time.perf_counter()
    large.recompute()
    core = time.perf_counter() - start
    typical = statistics.median(b for _, b in seconds)
    what = (
        f"{len(large):,} positions, {len(large) // PER_UNDERLYING} underlyings, nine Greeks of every total:"
        f" median {typical:.3f} s, least {best:.3f} s; {core:.3f} s without theta, rho, vanna, volga, charm"
    )
    yield Row("book.million", what, round(ratio, 3), "× ten times 100,000", "1.3 or less", ratio <= 1.3, samples=ROUNDS)
    a_position = max(traced, large.nbytes) / len(large)
    yield Row(
        "book.bytes",
        f"arrays {large.nbytes / len(large):.1f}, everything allocated {traced / len(large):.1f} (tracemalloc)",
        round(a_position, 1),
        "bytes a position",
        "200 or less",
        a_position <= 200.0,
    )


def _full(book: RiskBook) -> float:
    start = time.perf_counter()
    book.recompute()
    book.firm()
    return time.perf_counter() - start
