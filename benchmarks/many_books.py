"""Joint, plain netting and agents alone over many books: does the joint solve win because of one book or in expectation?

Fifty books of seeds nothing was tuned on, each hedged three times on the same path: one session of the default input, and New
York's cash session of the real E-mini day (the whole day would take a core a quarter of an hour). A book is client flow
drawn by ``examples/make_books.py``: contracts by how far they lie from the money, log-normal sizes, signs turned until gamma and
vega of each underlying open at one target, and futures that take its delta to nil. So books differ in what they hold and not in
their net risk. Paired differences, with 95 % intervals of the mean (Student's t over books).
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import math
import sys
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import ROOT
from benchmarks.registry import Context, Row, bench
from common.units import CENTS_PER_USD
from deploy.config import load
from deploy.finish import lab_settings
from deploy.setup import prepare
from lab.baselines import pool, run_mode
from lab.closed_loop import Mode
from lab.fills import external_cost_cents

BOOKS = 50
FIRST_SEED = 5_001
POSITIONS = {"demo": 200, "es-options": 120}
MODES: tuple[Mode, ...] = ("joint", "plain", "alone")
#: What is compared: the first, which should be no worse, with the second.
PAIRS: tuple[tuple[Mode, Mode], ...] = (("joint", "plain"), ("joint", "alone"), ("plain", "alone"))
#: Two-sided 95 % point of Student's t with 49 degrees of freedom.
T_95 = 2.0096
#: The part of each market that is played.
PLAYED = {
    "demo": {"market.demo.end": "2018-01-29"},
    "es-options": {"market.es_options.start": "2020-01-06T14:30:00Z", "market.es_options.end": "2020-01-06T21:00:00Z"},
}
AS_OF = {"demo": ("2018-01-26T16:00:00-05:00", 0), "es-options": ("2020-01-03T16:00:00-05:00", 15)}


def _maker() -> Any:
    spec = importlib.util.spec_from_file_location("make_books", ROOT / "examples" / "make_books.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


def one_book(market: str, data_dir: str, scratch: str, seed: int) -> list[tuple[float, float]]:
    """(external cost in USD, residual risk in USD per √day) of each mode for the book of one seed."""
    wanted = {"market.name": market, "market.data": data_dir, **PLAYED[market]}
    path = Path(scratch) / f"{market}-{seed}.csv"
    source = prepare(load(None, wanted), "books").source
    make_books, (as_of, minutes) = _maker(), AS_OF[market]
    with contextlib.redirect_stdout(io.StringIO()):
        lines = make_books.book_lines(source, POSITIONS[market], seed, as_of, minutes)
    make_books.write_book(path, lines)
    prepared = prepare(load(None, {**wanted, "book": str(path)}), f"books-{seed}")
    settings = lab_settings(prepared, None)
    settings = replace(settings, open_market=partial(_opened, prepared))
    out = []
    for mode in MODES:
        done = run_mode(settings, mode)
        if done.violations:
            raise RuntimeError(f"book {seed}, {mode}: {done.violations[0]}")
        cost = external_cost_cents(done.fills, prepared.source.universe) / CENTS_PER_USD
        out.append((cost, done.residual.all_usd_per_sqrt_day))
    return out


def _opened(prepared: Any) -> Any:
    return prepared.source, prepared.book


def _all_books(context: Context, market: str, workers: ProcessPoolExecutor) -> np.ndarray[Any, np.dtype[np.float64]]:
    work = partial(one_book, market, str(context.data_dir), str(context.scratch))
    return np.array(list(workers.map(work, range(FIRST_SEED, FIRST_SEED + BOOKS))))


def _interval(difference: np.ndarray[Any, np.dtype[np.float64]]) -> tuple[float, float]:
    """Mean and the half-width of its 95 % interval."""
    return float(difference.mean()), float(T_95 * difference.std(ddof=1) / math.sqrt(len(difference)))


def _compared(
    name: str, found: np.ndarray[Any, np.dtype[np.float64]], better: Mode, dearer: Mode, barred: bool
) -> Iterable[Row]:
    """Rows of one mode against another: cost and residual risk, the paired difference and its interval."""
    one, other = MODES.index(better), MODES.index(dearer)
    verdicts = []
    for k, (what, unit) in enumerate((("cost", "USD"), ("risk", "USD per √day"))):
        mean, half = _interval(found[:, one, k] - found[:, other, k])
        base = float(found[:, other, k].mean())
        verdicts.append((what, unit, mean, half, base))
    # Better on both, or better on one and not worse (its interval reaches 0) on the other.
    signs = [(mean + half < 0.0, mean - half <= 0.0) for _, _, mean, half, _ in verdicts]
    holds = any(better_ for better_, _ in signs) and all(not_worse for _, not_worse in signs)
    for what, unit, mean, half, base in verdicts:
        yield Row(
            f"{name}.{what}.{better}_{dearer}",
            f"{better} less {dearer}: mean over {len(found)} books, ± {half:,.0f} (95 %); {dearer}'s mean is {base:,.0f}",
            round(mean, 1),
            unit,
            "better on one of cost and risk, not worse on the other" if barred else "",
            holds or not barred,
            dearer,
            len(found),
        )


def _rows(context: Context, market: str, name: str) -> Iterable[Row]:
    with pool(2) as workers:
        found = _all_books(context, market, workers)
    for better, dearer in PAIRS:
        yield from _compared(name, found, better, dearer, better == "joint")


def _ids(name: str) -> tuple[str, ...]:
    return tuple(f"{name}.{what}.{better}_{dearer}" for better, dearer in PAIRS for what in ("cost", "risk"))


@bench(
    *_ids("books50.demo"),
    what="joint, plain, alone over 50 books on the first session of the default input",
    minutes=6,
)
def demo_books(context: Context) -> Iterable[Row]:
    """The modelled market."""
    yield from _rows(context, "demo", "books50.demo")


@bench(
    *_ids("books50.es"),
    what="the same on New York's cash session of the real E-mini day",
    minutes=3,
)
def es_books(context: Context) -> Iterable[Row]:
    """Real quotes."""
    yield from _rows(context, "es-options", "books50.es")
