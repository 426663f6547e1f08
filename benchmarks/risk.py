"""Scenarios: how long the full revaluation of a book on a grid takes. A statement, without a bar.

Peer in the same run: the same valuations of numpy and scipy's normal distribution where scipy is installed, one state at a time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable

import numpy as np

from benchmarks.registry import Context, Row, bench
from common.kernels import layout
from common.messages import F64
from common.risk.columns import Columns
from common.risk.holdings import Holdings
from common.risk.scenarios import Rules, spot_vol_grid

POSITIONS = 20_000
SPOT = np.linspace(-0.15, 0.15, 7)
VOL = np.linspace(-0.3, 0.3, 7)
ROUNDS = 5
SEED = 7
UNDERLYINGS = 4


@bench(
    "risk.grid", what="spot x vol grid, 20,000 European positions x 49 states, every price anew, one core", minutes=1
)
def grid(_context: Context) -> Iterable[Row]:
    """Median seconds of a grid; the peer's price column is checked against ours before anything is timed."""
    book = _book()
    ours = spot_vol_grid(book, SPOT, VOL, Rules())
    peer = _peer(book)
    times: dict[str, list[float]] = {"ours": [], "peer": []}
    off = "not installed"
    if peer is not None:
        scale = float(np.abs(ours.total_usd).max())
        off = f"largest difference {float(np.abs(peer() - ours.total_usd).max()) / scale:.0e} of the largest P&L"
    for _ in range(ROUNDS):
        times["ours"].append(_seconds(lambda: spot_vol_grid(book, SPOT, VOL, Rules())))
        if peer is not None:
            times["peer"].append(_seconds(peer))
    seconds = statistics.median(times["ours"])
    valuations = POSITIONS * len(SPOT) * len(VOL)
    against = "" if peer is None else f"; numpy + scipy {statistics.median(times['peer']):.3f} s, {off}"
    yield Row(
        "risk.grid",
        f"{valuations:,} valuations, {1e9 * seconds / valuations:.0f} ns each, "
        f"best of {ROUNDS} {min(times['ours']):.3f} s{against}",
        round(seconds, 4),
        "s",
        "",
        True,
        peer="numpy + scipy, prices only" if peer is not None else f"numpy + scipy: {off}",
        samples=ROUNDS,
    )


def _book() -> Holdings:
    rng = np.random.default_rng(SEED)
    n, at = POSITIONS, rng.integers(0, UNDERLYINGS, POSITIONS)
    base = np.array([100.0, 250.0, 3000.0, 6900.0])[at]
    columns = Columns(
        np.full(n, layout.EUROPEAN, np.uint8),
        base,
        base * rng.uniform(0.7, 1.3, n),
        rng.uniform(7.0, 730.0, n) / 365.0,
        rng.uniform(0.1, 0.5, n),
        np.full(n, 0.03),
        np.full(n, 0.01),
        rng.choice([-1.0, 1.0], n),
    )
    lots = rng.integers(-50, 51, n).astype(np.float64)
    return Holdings(columns, 100.0 * lots, at.astype(np.int64), ("A", "B", "C", "D"))


def _peer(book: Holdings) -> Callable[[], F64] | None:
    try:
        from scipy.special import ndtr
    except ImportError:
        return None
    c = book.columns

    def price(base: F64, vol: F64) -> F64:
        s = vol * np.sqrt(c.tau_years)
        d1 = np.log(base / c.strike) + (c.rate_per_year - c.yield_per_year) * c.tau_years
        d1 = d1 / s + 0.5 * s
        spot = base * np.exp(-c.yield_per_year * c.tau_years) * ndtr(c.right * d1)
        strike = c.strike * np.exp(-c.rate_per_year * c.tau_years) * ndtr(c.right * (d1 - s))
        return np.asarray(c.right * (spot - strike))

    def run() -> F64:
        before = price(c.base, c.vol)
        pnl = [[book.usd_per_point @ (price(c.base * (1 + x), c.vol * (1 + y)) - before) for y in VOL] for x in SPOT]
        return np.array(pnl)

    return run


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
