"""The peers that kernels are measured against, and how: the same contracts, one core, round-robin in one run.

numpy + scipy and QuantLib run in this process (extra ``test``), C is built here with the system's ``cc`` or ``gcc``, and the
packages of the extra ``peers`` run in a process of their own (benchmarks/peer_worker.py), since nautilus_trader holds
pandas below what the rest uses. Their environment is made under the bench's scratch folder with pip, unless
``HEDGEROW_PEERS`` names the Python of one that is kept. A peer that cannot be had is absent, and the bar on it missed.
*Tested by* tests/unit/test_european_peers.py.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from common.kernels import layout
from common.kernels.black76 import black76
from common.kernels.european import BLOCK, FIELDS
from common.messages import F64

HERE = Path(__file__).resolve().parent
#: A run of a peer: seconds per option, measured around the call alone.
Run = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Contracts:
    """Columns (n,) of European options on a spot, as `european` takes them."""

    spot: F64
    strike: F64
    tau: F64
    vol: F64
    rate: F64
    carry: F64
    right: F64

    def columns(self) -> tuple[F64, F64, F64, F64, F64, F64, F64]:
        """The columns in the order of the kernel's arguments."""
        return self.spot, self.strike, self.tau, self.vol, self.rate, self.carry, self.right

    def blocks(self) -> F64:
        """The same in blocks (b, FIELDS, BLOCK), the last one filled up with its own first options."""
        n = len(self.spot)
        rows = np.arange(-(-n // BLOCK) * BLOCK) % n
        stacked = np.stack([c[rows] for c in self.columns()])
        return np.ascontiguousarray(stacked.reshape(FIELDS, -1, BLOCK).transpose(1, 0, 2))


def contracts(n: int, seed: int = 20260130) -> Contracts:
    """Random options: a day to ten years, vol 5 to 100 %, within five deviations of the money, rates -2 to 10 %."""
    rng = np.random.default_rng(seed)
    spot = np.exp(rng.uniform(np.log(1.0), np.log(10_000.0), n))
    tau = np.exp(rng.uniform(np.log(1 / 365), np.log(10.0), n))
    vol, rate, carry = rng.uniform(0.05, 1.0, n), rng.uniform(-0.02, 0.10, n), rng.uniform(0.0, 0.06, n)
    strike = spot * np.exp((rate - carry) * tau + rng.uniform(-5, 5, n) * vol * np.sqrt(tau))
    return Contracts(spot, strike, tau, vol, rate, carry, rng.choice([-1.0, 1.0], n))


def quotes(n: int, seed: int = 7) -> dict[str, F64]:
    """Out-of-the-money Black-76 prices as field notes B3 have them: 4 days to 2 years, 5 to 100 %, three deviations."""
    rng = np.random.default_rng(seed)
    forward, tau, vol = rng.uniform(50, 5000, n), rng.uniform(0.01, 2.0, n), rng.uniform(0.05, 1.0, n)
    strike = forward * np.exp(rng.uniform(-3, 3, n) * vol * np.sqrt(tau))
    rate, right = rng.uniform(-0.01, 0.06, n), np.where(strike > forward, 1.0, -1.0)
    out = np.empty((layout.GREEKS, n))
    black76(forward, strike, tau, vol, rate, right, out)
    price = out[layout.PRICE].copy()
    return {"forward": forward, "f_strike": strike, "f_tau": tau, "f_vol": vol, "f_rate": rate, "f_right": right} | {
        "f_price": price,
        "f_vega": out[layout.VEGA].copy(),
    }


def timed(call: Callable[[], object], options: int) -> Run:
    """Seconds per option of a call in this process: the best of seven after one that finds its data in the caches."""

    def run() -> float:
        call()
        best = float("inf")
        for _ in range(7):
            started = time.perf_counter()
            call()
            best = min(best, time.perf_counter() - started)
        return best / options

    return run


def round_robin(runs: Mapping[str, Run], rounds: int) -> dict[str, list[float]]:
    """Nanoseconds per option of each run, in turns, after one turn to warm up."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(rounds + 1):
        for name, run in runs.items():
            taken = run() * 1e9
            if turn:
                times[name].append(taken)
    return times


def ratio(times: Mapping[str, list[float]], peer: str, own: str) -> float:
    """Median over the rounds of what the peer took over what ``own`` took in the same round."""
    return statistics.median(a / b for a, b in zip(times[peer], times[own], strict=True))


def numpy_greeks(c: Contracts) -> F64:
    """Eight Greeks (8, n) with numpy and scipy.special.ndtr, textbook formulas."""
    from scipy.special import ndtr

    root_tau = np.sqrt(c.tau)
    s = c.vol * root_tau
    d1 = (np.log(c.spot / c.strike) + (c.rate - c.carry) * c.tau) / s + 0.5 * s
    d2 = d1 - s
    grown, discount = np.exp(-c.carry * c.tau), np.exp(-c.rate * c.tau)
    n1, n2 = ndtr(c.right * d1), ndtr(c.right * d2)
    weight = grown * np.exp(-0.5 * d1 * d1) * 0.3989422804014327
    asset, cash, vega = c.spot * grown * n1, c.strike * discount * n2, c.spot * weight * root_tau
    return np.stack(
        [
            c.right * (asset - cash),
            c.right * grown * n1,
            weight / (c.spot * s),
            vega,
            c.right * (c.carry * asset - c.rate * cash) - 0.5 * vega * c.vol / c.tau,
            c.right * c.tau * cash,
            -weight * d2 / c.vol,
            vega * d1 * d2 / c.vol,
        ]
    )


def quantlib_greeks(c: Contracts, n: int) -> Callable[[], list[tuple[float, ...]]]:
    """A call of QuantLib's BlackCalculator, its fastest way from Python, for six Greeks of the first n options."""
    import QuantLib as ql  # noqa: N813

    s = c.vol * np.sqrt(c.tau)
    forward, discount = c.spot * np.exp((c.rate - c.carry) * c.tau), np.exp(-c.rate * c.tau)
    kinds = {1.0: ql.Option.Call, -1.0: ql.Option.Put}
    columns = (c.right, c.strike, forward, s, discount, c.spot, c.tau)
    rows = list(zip(*(col[:n].tolist() for col in columns), strict=True))

    def one(w: float, k: float, f: float, dev: float, df: float, spot: float, tau: float) -> tuple[float, ...]:
        b = ql.BlackCalculator(ql.PlainVanillaPayoff(kinds[w], k), f, dev, df)
        return b.value(), b.delta(spot), b.gamma(spot), b.vega(tau), b.theta(spot, tau), b.rho(tau)

    return lambda: [one(*row) for row in rows]


def build_c(folder: Path, *flags: str) -> Callable[[F64, F64], None] | None:
    """The C kernel of peers_c.c on blocks, built with -Ofast -march=native; None without a compiler or libmvec."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    library, unit = (folder / f"peers_c{''.join(flags)}{suffix}" for suffix in (".so", ".o"))
    compile_it = [compiler, "-Ofast", "-march=native", *flags, "-fPIC", "-c", "-o", str(unit), str(HERE / "peers_c.c")]
    # Linked without -Ofast: with it gcc adds start-up code that turns off subnormal numbers in the whole process.
    for argv in (compile_it, [compiler, "-shared", "-o", str(library), str(unit), "-lmvec", "-lm"]):
        if subprocess.run(argv, capture_output=True).returncode != 0:
            return None
    function = ctypes.CDLL(str(library)).greeks_blocks
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]
    function.restype = None
    return lambda blocks, out: function(blocks.ctypes.data, out.ctypes.data, len(blocks))


class Workers:
    """The peers of the extra ``peers``, in a process of their own; ``versions`` {name: package and version} of those at hand."""

    def __init__(self, scratch: Path, columns: Mapping[str, F64]) -> None:
        self.versions: dict[str, str] = {}
        self._scratch = scratch
        self._process: subprocess.Popen[str] | None = None
        python = _peers_python(scratch)
        if python is None:
            return
        data = scratch / "peers.npz"
        np.savez(data, allow_pickle=False, **columns)
        self._process = subprocess.Popen(
            [python, "-W", "ignore", str(HERE / "peer_worker.py"), str(data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | _ONE_THREAD,
        )
        self.versions = self._answer()["peers"]

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None) -> None:
        if self._process is not None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            self._process.wait(60)

    def run(self, name: str, options: int) -> Run:
        """A run of one peer over the first ``options`` contracts."""
        return lambda: float(self._ask(f"{name} {options}")["seconds"]) / options

    def result(self, name: str, options: int) -> F64:
        """What the peer answers: (n, 2) price and delta, or (n,) volatilities."""
        file = self._scratch / "result.npy"
        self._ask(f"{name} {options} {file}")
        return np.asarray(np.load(file), np.float64)

    def _ask(self, line: str) -> dict[str, Any]:
        assert self._process is not None and self._process.stdin is not None
        print(line, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process is not None and self._process.stdout is not None
        line = self._process.stdout.readline()
        return dict(json.loads(line)) if line else {"peers": {}}


_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
}


def peer_requirements() -> list[str]:
    """The extra ``peers`` of pyproject.toml."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [str(line) for line in project["optional-dependencies"]["peers"]]


def _peers_python(scratch: Path) -> str | None:
    kept = os.environ.get("HEDGEROW_PEERS")
    if kept:
        return kept if Path(kept).exists() else None
    home = scratch / "peers"
    python = home / "bin" / "python"
    print(f"installing {', '.join(re.split('[<>=~]', r)[0] for r in peer_requirements())}", file=sys.stderr)
    for argv in (
        [sys.executable, "-m", "venv", str(home)],
        [str(python), "-m", "pip", "install", *peer_requirements()],
    ):
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode != 0:
            print(done.stderr.strip()[-500:], file=sys.stderr)
            return None
    return str(python)


@contextmanager
def one_core() -> Any:
    """Pin this process, and what it starts, to one core where the system allows it."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
