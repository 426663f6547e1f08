"""European kernels and implied volatility against what a desk could install: speed, the machine's wall, accuracy, cold start.

All speeds are one core, the same 100,000 options, in turns in one run (benchmarks/peers.py); ratios are medians over the
rounds, times are given as min and median. Slow peers price the first options only and are scaled by option.
*Tested by* tests/unit/test_european_peers.py, tests/golden/test_european_quantlib.py.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping

import numpy as np

from benchmarks import peers, reference
from benchmarks.harness import ROOT
from benchmarks.registry import Context, Row, bench
from common.kernels import layout
from common.kernels.european import european, european_blocks
from common.kernels.implied_vol import implied_vol, implied_vol_spot
from common.kernels.jit import F64, kernel, strict_kernel

OPTIONS = 100_000
ROUNDS = 15
#: Options that a slow peer prices in a round.
SLOW = {
    "QuantLib": 1_000,
    "vollib": 300,
    "iv.vollib": 300,
    "nautilus": 10_000,
    "iv.nautilus": 10_000,
    "iv.fast-vollib": 5_000,
}
#: The wall of field notes B1, measured on another machine.
NOTED_WALL_NS = 14.0


@kernel
def _move(blocks: F64, out: F64) -> None:
    # Moves the bytes of `european_blocks` and computes nothing.
    for b in range(blocks.shape[0]):
        for g in range(8):
            source = min(g, 6)
            for i in range(256):
                out[b, g, i] = blocks[b, source, i]


@strict_kernel
def _in_first_level_cache(block: F64, out: F64, times: int) -> None:
    # The arithmetic of `european_blocks` on one block, again and again.
    for _ in range(times):
        european_blocks(block, out)


def _shown(times: Mapping[str, list[float]], name: str) -> str:
    return f"{name} {min(times[name]):.1f} min {statistics.median(times[name]):.1f} ns"


@bench(
    "kernels.european.vs_numpy",
    "kernels.european.vs_nautilus",
    "kernels.european.vs_quantlib",
    "kernels.european.vs_c",
    "kernels.european.wall",
    "kernels.european.columns",
    "kernels.european.peers",
    what="eight Greeks of 100,000 European options, one core, ns per option and ratio to each peer in the same run",
    minutes=2,
)
def european_speed(context: Context) -> Iterable[Row]:
    """Blocked kernel against numpy, nautilus, QuantLib, C and the rest; its distance from what the machine allows."""
    c = peers.contracts(OPTIONS)
    blocks = c.blocks()
    out, scratch = np.zeros((len(blocks), 8, 256)), np.zeros((len(blocks), 8, 256))
    columns, one, one_out = np.empty((8, OPTIONS)), blocks[:1].copy(), np.zeros((1, 8, 256))
    names = ("spot", "strike", "tau", "vol", "rate", "carry", "right")
    with peers.one_core(), peers.Workers(context.scratch, dict(zip(names, c.columns(), strict=True))) as workers:
        runs = {
            "ours": peers.timed(lambda: european_blocks(blocks, out), OPTIONS),
            "columns": peers.timed(lambda: european(*c.columns(), columns), OPTIONS),
            "move": peers.timed(lambda: _move(blocks, scratch), OPTIONS),
            "cache": peers.timed(lambda: _in_first_level_cache(one, one_out, len(blocks)), OPTIONS),
            "numpy": peers.timed(lambda: peers.numpy_greeks(c), OPTIONS),
        }
        runs |= _c_runs(context, blocks, scratch) | _quantlib_run(c)
        for name in workers.versions:
            if not name.startswith("iv."):
                runs[name] = workers.run(name, SLOW.get(name, 20_000))
        times = peers.round_robin(runs, ROUNDS)
        versions = dict(workers.versions)
    yield from _against(times, versions)
    yield _wall(times)
    yield Row(
        "kernels.european.columns",
        f"plain column arrays instead of blocks; {_shown(times, 'columns')}, blocks {_shown(times, 'ours')}",
        round(statistics.median(times["columns"]), 2),
        "ns/option",
        "",
        True,
        samples=ROUNDS,
    )
    rest = [n for n in times if n not in ("ours", "columns", "move", "cache")]
    yield Row(
        "kernels.european.peers",
        "; ".join(
            f"{versions.get(n, n)}: {_shown(times, n)}, {peers.ratio(times, n, 'ours'):.1f} x ours" for n in rest
        ),
        round(statistics.median(times["ours"]), 2),
        "ns/option",
        "",
        True,
        peer=", ".join(versions.get(n, n) for n in rest),
        samples=ROUNDS,
    )


def _c_runs(context: Context, blocks: F64, scratch: F64) -> dict[str, peers.Run]:
    runs = {}
    for name, flags in (("C", ()), ("C 512 bit", ("-mprefer-vector-width=512",))):
        built = peers.build_c(context.scratch, *flags)
        if built is not None:
            runs[name] = peers.timed(lambda call=built: call(blocks, scratch), OPTIONS)  # type: ignore[misc]
    return runs


def _quantlib_run(c: peers.Contracts) -> dict[str, peers.Run]:
    try:
        return {"QuantLib": peers.timed(peers.quantlib_greeks(c, SLOW["QuantLib"]), SLOW["QuantLib"])}
    except ImportError:
        return {}


def _against(times: Mapping[str, list[float]], versions: Mapping[str, str]) -> Iterable[Row]:
    wide = f"; told to use 512 bits: {_shown(times, 'C 512 bit')}" if "C 512 bit" in times else ""
    for name, peer, least, note in (
        ("vs_numpy", "numpy", 4.0, "numpy + scipy.special.ndtr"),
        ("vs_nautilus", "nautilus", 10.0, "price and 4 Greeks, one call an option"),
        ("vs_quantlib", "QuantLib", 400.0, "BlackCalculator, price and 5 Greeks"),
        ("vs_c", "C", 1.5, f"gcc -Ofast -march=native, libmvec, same blocks{wide}"),
    ):
        row, bar = f"kernels.european.{name}", f"{least:g} or more"
        if peer not in times:
            yield Row(row, f"{peer} could not be had here", "no peer", "", bar, False, peer)
            continue
        value = peers.ratio(times, peer, "ours")
        what = f"{_shown(times, peer)}, {_shown(times, 'ours')} a Greek set; {note}"
        yield Row(
            row, what, round(value, 2), "x", bar, value >= least, versions.get(peer, peer), samples=len(times[peer])
        )


def _wall(times: Mapping[str, list[float]]) -> Row:
    # Neither the arithmetic on a block in the cache nor moving the bytes can be had for less; they may overlap.
    walls = [max(a, b) for a, b in zip(times["move"], times["cache"], strict=True)]
    value = statistics.median(o / w for o, w in zip(times["ours"], walls, strict=True))
    return Row(
        "kernels.european.wall",
        f"time over the longer of moving 15 numbers an option ({_shown(times, 'move')}) and the same arithmetic on one block "
        f"in the first-level cache ({_shown(times, 'cache')}); {_shown(times, 'ours')}; field notes' wall {NOTED_WALL_NS:g} ns",
        round(value, 2),
        "x",
        "at most 1.5, and at most 1.5 x 14 ns",
        value <= 1.5 and statistics.median(times["ours"]) <= 1.5 * NOTED_WALL_NS,
        samples=ROUNDS,
    )


@bench("european.accuracy", what="every Greek of 100,000 random European options against QuantLib", minutes=1)
def european_accuracy(context: Context) -> Iterable[Row]:
    """Largest error of each Greek in units of its natural size (benchmarks/reference.py)."""
    del context
    c = peers.contracts(OPTIONS)
    out = np.empty((layout.GREEKS, OPTIONS))
    european(*c.columns(), out)
    try:
        errors = np.abs((out - reference.quantlib_nine(c)) / reference.scales(c)).max(axis=1)
    except ImportError:
        yield Row("european.accuracy", "QuantLib is not installed", "no peer", "", "at most 1e-10", False, "QuantLib")
        return
    each = ", ".join(f"{name} {e:.0e}" for name, e in zip(layout.GREEK_NAMES, errors, strict=True))
    worst = float(errors.max())
    what = f"largest error over natural size: {each} (vanna, volga, charm: differences of QuantLib's, good to 1e-12)"
    yield Row(
        "european.accuracy", what, worst, "of scale", "at most 1e-10", worst <= 1e-10, "QuantLib", samples=OPTIONS
    )


@bench(
    "iv.vs_peer",
    "iv.error",
    what="implied volatility of 51,200 out-of-the-money quotes, one core: ratio to the fastest peer; worst error",
    minutes=2,
)
def implied_volatility(context: Context) -> Iterable[Row]:
    """Speed against every installable peer, and the error over quotes and over a huge random domain."""
    n = 51_200
    q = peers.quotes(n)
    c = peers.contracts(64)
    names = ("spot", "strike", "tau", "vol", "rate", "carry", "right")
    own = np.empty(n)
    args = (q["f_price"], q["forward"], q["f_strike"], q["f_tau"], q["f_rate"], q["f_right"])
    spot_args = (*args[:5], q["f_rate"], q["f_right"])
    columns = q | dict(zip(names, c.columns(), strict=True))
    with peers.one_core(), peers.Workers(context.scratch, columns) as workers:
        runs = {
            "ours": peers.timed(lambda: implied_vol(*args, own), n),
            "on a spot": peers.timed(lambda: implied_vol_spot(*spot_args, np.empty(n)), n),
        }
        found = [name for name in workers.versions if name.startswith("iv.")]
        for name in found:
            runs[name] = workers.run(name, SLOW.get(name, n))
        times = peers.round_robin(runs, ROUNDS)
        wrong = {name: np.abs(workers.result(name, 300) - q["f_vol"][:300]).max() for name in found}
        versions = dict(workers.versions)
    each = "; ".join(f"{versions[x]}: {_shown(times, x)}, error to {wrong[x]:.0e}" for x in found)
    what = f"{_shown(times, 'ours')}, {_shown(times, 'on a spot')}; {each or 'no peer could be had here'}"
    right = [x for x in found if wrong[x] < 1e-4]
    if right:
        best = min(right, key=lambda x: statistics.median(times[x]))
        value = peers.ratio(times, best, "ours")
        yield Row("iv.vs_peer", what, round(value, 2), "x", "7 or more", value >= 7.0, versions[best], samples=ROUNDS)
    else:
        yield Row("iv.vs_peer", what, "no peer", "", "7 or more", False)
    yield _iv_error(own, q)


def _iv_error(own: F64, q: Mapping[str, F64]) -> Row:
    on_quotes = float(np.abs(own - q["f_vol"]).max())
    n, rng = 1_000_000, np.random.default_rng(11)
    tau, vol = np.exp(rng.uniform(np.log(1e-6), np.log(10), n)), np.exp(rng.uniform(np.log(0.005), np.log(5), n))
    s, carry, rate = vol * np.sqrt(tau), rng.uniform(-0.05, 0.1, n), rng.uniform(-0.1, 0.2, n)
    spot = np.exp(rng.uniform(-5, 10, n))
    strike = spot * np.exp(rng.uniform(-1, 1, n) * rng.choice([0.01, 1, 3, 8, 30], n) * s)
    right = rng.choice([-1.0, 1.0], n)
    greeks, found = np.empty((layout.GREEKS, n)), np.empty(n)
    european(spot, strike, tau, vol, rate, carry, right, greeks)
    implied_vol_spot(greeks[layout.PRICE], spot, strike, tau, rate, carry, right, found)
    # Dust: four roundings of the price itself, or of the forward in it, move the volatility by more than 1e-10.
    rounding = 4 * 2.3e-16 * np.maximum(greeks[layout.PRICE], np.abs(greeks[layout.DELTA]) * spot)
    solid = (greeks[layout.VEGA] * 1e-10 > rounding) & (greeks[layout.PRICE] > 1e-280)
    missing = int(np.isnan(found[solid]).sum())
    worst = float(np.nanmax(np.abs(found - vol)[solid]))
    what = (
        f"{on_quotes:.1e} on the quotes; {worst:.1e} and {missing} unanswered over {solid.sum():,} random options (30 s to 10 "
        f"years, 0.5 to 500 %, to 30 deviations, both sides) whose vega is not dust: four roundings of price or forward move "
        f"the volatility by less than 1e-10"
    )
    value = max(on_quotes, worst)
    return Row("iv.error", what, value, "of vol", "at most 1e-10", value <= 1e-10 and missing == 0, samples=n)


@bench(
    "kernels.cold_start", what="a fresh process imports and calls every pricing kernel once, from the cache", minutes=1
)
def cold_start(context: Context) -> Iterable[Row]:
    """Seconds from starting the interpreter to the last kernel's first answer; the cache has been filled before."""
    del context
    argv = [sys.executable, "-m", "benchmarks.cold"]
    walls, imports, calls = [], [], []
    for attempt in range(8):
        started = time.perf_counter()
        done = subprocess.run(
            argv, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
        )
        if done.returncode != 0:
            what = f"a kernel does not compile or load: {done.stderr.strip().splitlines()[-1:]}"
            yield Row("kernels.cold_start", what, "no figure", "s", "at most 1", False)
            return
        wall = time.perf_counter() - started
        if attempt:
            said = json.loads(done.stdout)
            walls.append(wall)
            imports.append(said["import_s"])
            calls.append(said["calls_s"])
    each = [i + c for i, c in zip(imports, calls, strict=True)]
    ready = min(each)
    what = (
        f"fastest of {len(each)} processes (others only take time away): import {min(imports):.2f} s, first calls of every "
        f"model, implied volatility and blocks {min(calls):.2f} s; median {statistics.median(each):.2f} s; with the "
        f"interpreter's own start {min(walls):.2f} s"
    )
    yield Row("kernels.cold_start", what, round(ready, 3), "s", "at most 1", ready <= 1.0, samples=len(walls))
