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
import json
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
from common.control_messages import Command
from common.messages import F64
from common.units import CENTS_PER_USD
from deploy.config import load
from deploy.finish import lab_settings
from deploy.setup import prepare
from lab.baselines import Settings, pool, run_mode
from lab.closed_loop import Mode
from lab.fills import external_cost_cents

BOOKS = 50
FIRST_SEED = 5_001
POSITIONS = {"demo": 200, "es-options": 120}
MODES: tuple[Mode, ...] = ("joint", "plain", "alone")
#: What is compared: the first, which should be no worse, with the second.
PAIRS: tuple[tuple[Mode, Mode], ...] = (("joint", "plain"), ("joint", "alone"), ("plain", "alone"))
#: Intervals of plain and alone are made narrower by these until their risk is joint's.
SCALES = (1.0, 0.5, 0.25)
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
    settings = _book_of(market, data_dir, scratch, seed)
    return [_cost_and_risk(settings, mode, f"book {seed}") for mode in MODES]


def curves(market: str, data_dir: str, scratch: str, seed: int) -> list[tuple[float, float]]:
    """(cost, risk) as ``one_book`` has it: of joint, then of plain and of alone at each of ``SCALES``."""
    settings = _book_of(market, data_dir, scratch, seed)
    out = [_cost_and_risk(settings, "joint", f"book {seed}")]
    for mode in MODES[1:]:
        for scale in SCALES:
            told = () if scale == 1.0 else tuple((0, c) for c in _scaled(scale))
            out.append(_cost_and_risk(replace(settings, commands=told), mode, f"book {seed}, intervals × {scale:g}"))
    return out


def _scaled(scale: float) -> list[Command]:
    """Every agent's intervals made narrower, as a person would do it at the start."""
    paths = (f"{kind}.interval_scale" for kind in ("gamma", "vega", "cross_asset"))
    texts = (json.dumps({"path": path, "value": scale}) for path in paths)
    return [Command(f"scale-{k}", "agents.set", "bench", "equal risk", text) for k, text in enumerate(texts)]


def _book_of(market: str, data_dir: str, scratch: str, seed: int) -> Settings:
    """The market with the book of one seed, ready to run."""
    wanted = {"market.name": market, "market.data": data_dir, **PLAYED[market]}
    path = Path(scratch) / f"{market}-{seed}.csv"
    source = prepare(load(None, wanted), "books").source
    make_books, (as_of, minutes) = _maker(), AS_OF[market]
    with contextlib.redirect_stdout(io.StringIO()):
        lines = make_books.book_lines(source, POSITIONS[market], seed, as_of, minutes)
    make_books.write_book(path, lines)
    prepared = prepare(load(None, {**wanted, "book": str(path)}), f"books-{seed}")
    settings = lab_settings(prepared, None)
    return replace(settings, open_market=partial(_opened, prepared))


def _cost_and_risk(settings: Settings, mode: Mode, what: str) -> tuple[float, float]:
    done = run_mode(settings, mode)
    if done.violations:
        raise RuntimeError(f"{what}, {mode}: {done.violations[0]}")
    universe = settings.open_market()[0].universe
    return external_cost_cents(done.fills, universe) / CENTS_PER_USD, done.residual.all_usd_per_sqrt_day


def cost_at(risk: F64, cost: F64, wanted: float) -> float:
    """Cost at a residual risk, linear between the points (k,) of a curve; NaN where it does not reach that risk."""
    order = np.argsort(risk)
    return float(np.interp(wanted, risk[order], cost[order], left=np.nan, right=np.nan))


def _opened(prepared: Any) -> Any:
    return prepared.source, prepared.book


def _all_books(context: Context, market: str, workers: ProcessPoolExecutor) -> F64:
    work = partial(one_book, market, str(context.data_dir), str(context.scratch))
    return np.array(list(workers.map(work, range(FIRST_SEED, FIRST_SEED + BOOKS))))


def _interval(difference: F64) -> tuple[float, float]:
    """Mean and the half-width of its 95 % interval."""
    return float(difference.mean()), float(T_95 * difference.std(ddof=1) / math.sqrt(len(difference)))


def _compared(name: str, found: F64, better: Mode, dearer: Mode, barred: bool) -> Iterable[Row]:
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


@bench(
    "books50.equal_risk.joint_plain",
    "books50.equal_risk.joint_alone",
    "books50.equal_risk.plain_alone",
    what="the same books on the E-mini day's cash session: external cost at equal residual risk",
    minutes=9,
)
def equal_risk(context: Context) -> Iterable[Row]:
    """Plain and alone with narrower intervals until they leave joint's risk; a book with which they cannot is left out."""
    work = partial(curves, "es-options", str(context.data_dir), str(context.scratch))
    with pool(2) as workers:
        found = np.array(list(workers.map(work, range(FIRST_SEED, FIRST_SEED + BOOKS))))
    yield from equal_risk_rows(found)


def equal_risk_rows(found: F64) -> Iterable[Row]:
    """Rows of (books, 1 + 2 len(SCALES), 2), cost and risk as ``curves`` gives them."""
    joint, k = found[:, 0], len(SCALES)
    plain, alone = (
        np.array([cost_at(book[at : at + k, 1], book[at : at + k, 0], book[0, 1]) for book in found])
        for at in (1, 1 + k)
    )
    for better, dearer, difference, base in (
        ("joint", "plain", joint[:, 0] - plain, plain),
        ("joint", "alone", joint[:, 0] - alone, alone),
        ("plain", "alone", plain - alone, alone),
    ):
        reached = np.isfinite(difference)
        mean, half = _interval(difference[reached])
        what = f"{better} less {dearer} at joint's residual risk, ± {half:,.0f} (95 %); {dearer}'s mean is "
        what += f"{base[reached].mean():,.0f}; {int(reached.sum())} of {len(found)} books reach it"
        yield Row(
            f"books50.equal_risk.{better}_{dearer}",
            what,
            round(mean, 1),
            "USD",
            "no dearer: the interval reaches 0 or lies below",
            mean - half <= 0.0,
            dearer,
            int(reached.sum()),
        )
