"""Fuzzing as rows: mutated gRPC messages, NATS payloads and FIX bytes, a million together (docs/fuzzing.md).

``python -m benchmarks.fuzz PART SEED:NUMBER`` gives one case again, in the world it was given to, and says what it did; ``list``
names the parts. *Tested by* tests/properties/test_fuzz_execution.py, tests/properties/test_fuzz_bus.py.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import fuzz_bus, fuzz_decoders, fuzz_execution
from benchmarks.fuzz_verdict import Verdict, show
from benchmarks.registry import Context, Row, bench

SEED: Final = 20
#: Parts that run at the same time, each in a process of its own.
AT_ONCE: Final = 2

Run = Callable[[Path, int, int, int], Verdict]


@dataclass(frozen=True, slots=True)
class Part:
    """``run(folder, seed, first, count)``; how many cases the bench gives it, and the cases of one world."""

    run: Run
    cases: int
    world: int


def _trading(folder: Path, seed: int, first: int, count: int) -> Verdict:
    return asyncio.run(fuzz_execution.trading(folder, fuzz_execution.order_cases(seed), first, count))


def _control(folder: Path, seed: int, first: int, count: int) -> Verdict:
    return asyncio.run(fuzz_execution.control(folder, fuzz_execution.control_cases(seed), first, count))


def _calls(folder: Path, seed: int, first: int, count: int) -> Verdict:
    from benchmarks import fuzz_live  # grpc's threads are not for the parts beside it

    return asyncio.run(fuzz_live.calls(folder, seed, first, count))


def _line(folder: Path, seed: int, first: int, count: int) -> Verdict:
    from benchmarks import fuzz_live

    return asyncio.run(fuzz_live.venue_line(folder, seed, first, count))


def _decoders(folder: Path, seed: int, first: int, count: int) -> Verdict:
    made = asyncio.run(fuzz_bus.material(folder / "keys"))
    return fuzz_decoders.decoders(made, fuzz_decoders.decoder_cases(made, seed), first, count)


def _bus(name: str) -> Run:
    return _Bus(name)


@dataclass(frozen=True, slots=True)
class _Bus:
    name: str

    def __call__(self, folder: Path, seed: int, first: int, count: int) -> Verdict:
        async def run() -> Verdict:
            made = await fuzz_bus.material(folder / "keys")
            found: Verdict = await getattr(fuzz_bus, self.name)(made, folder / "audit", seed, first, count)
            return found

        return asyncio.run(run())


def _gateway(folder: Path, seed: int, first: int, count: int) -> Verdict:
    from benchmarks import fuzz_fix

    return asyncio.run(fuzz_fix.reports(folder, fuzz_fix.fix_cases(seed), first, count))


def _session(folder: Path, seed: int, first: int, count: int) -> Verdict:
    from benchmarks import fuzz_fix_live  # imports the engine of the extra `fix`

    return asyncio.run(fuzz_fix_live.session(folder, seed, first, count))


PARTS: Final[dict[str, Part]] = {
    "grpc.orders": Part(_trading, 45_000, fuzz_execution.WORLD_CASES),
    "grpc.control": Part(_control, 100_000, 1 << 30),
    "grpc.live": Part(_calls, 20_000, 1 << 30),
    "grpc.venue": Part(_line, 10_000, 1 << 30),
    "nats.decoders": Part(_decoders, 280_000, 1),
    "nats.killed": Part(_bus("killed"), 110_000, fuzz_bus.WORLD_CASES),
    "nats.commands": Part(_bus("odd_commands"), 10_000, fuzz_bus.WORLD_CASES),
    "nats.active": Part(_bus("active"), 15_000, fuzz_bus.WORLD_CASES),
    "nats.live": Part(_bus("live"), fuzz_bus.WORLD_CASES, fuzz_bus.WORLD_CASES),
    "fix.gateway": Part(_gateway, 450_000, 1024),
    "fix.live": Part(_session, 5_000, 1 << 30),
}


def run_part(name: str, folder: Path, seed: int, first: int, count: int) -> Verdict:
    """One part in this process. What it raises itself is a finding as well."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return PARTS[name].run(folder, seed, first, count)
    except Exception as error:
        told = "".join(traceback.format_exception(error))
        return Verdict(name, crashes=[f"{seed}:{first} to {first + count - 1}: the part itself ended: {told[-1500:]}"])


def row(kind: str, context: Context) -> Row:
    """Every part of a kind, two at a time, as one row."""
    names = [name for name in PARTS if name.startswith(f"{kind}.")]
    share = float(context.options.get("share", "1"))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        verdicts = list(pool.map(lambda name: _alone(name, context.scratch / name, share), names))
    findings = show(verdicts)
    return told(kind, verdicts, findings)


def _alone(name: str, folder: Path, share: float) -> Verdict:
    """A part in a process of its own; one that a signal ended is a crash, and no other part's."""
    count = max(int(PARTS[name].cases * share), 1)
    try:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            return pool.submit(run_part, name, folder, SEED, 0, count).result()
    except BrokenProcessPool as error:
        return Verdict(name, crashes=[f"{SEED}:0 to {count - 1}: its process was ended: {error}"])


def told(kind: str, verdicts: Sequence[Verdict], findings: Sequence[str]) -> Row:
    """Verdicts as a row."""
    total = sum(v.messages for v in verdicts)
    counts = ", ".join(
        f"{what} {sum(len(getattr(v, what)) for v in verdicts)}" for what in ("crashes", "hangs", "orders", "changes")
    )
    grown = max(v.growth_mib for v in verdicts)
    what = f"{total:,} mutated {kind} messages: {counts}, memory at most {grown:+.0f} MiB in a part"
    bar = "no crash, no hang, no order, nothing changed, bounded memory"
    return Row(f"fuzz.{kind}", what, len(findings), "findings", bar, not findings, samples=total)


@bench("fuzz.grpc", what="mutated gRPC messages against execution and the venue's line", minutes=3)
def grpc_messages(context: Context) -> Iterable[Row]:
    """In process at mass, and against processes."""
    yield row("grpc", context)


@bench("fuzz.nats", what="mutated NATS payloads against manager, agents, fleet, execution's reference feed", minutes=4)
def nats_payloads(context: Context) -> Iterable[Row]:
    """On a bus in memory at mass, and over a real server."""
    yield row("nats", context)


@bench("fuzz.fix", what="mutated FIX messages against the gateway, and over a session", minutes=2)
def fix_bytes(context: Context) -> Iterable[Row]:
    """Through the engine's parser at mass, and over a real session."""
    yield row("fix", context)


def main(arguments: Sequence[str]) -> int:
    """Give one case again: exit 0 if it shows nothing, 1 with what it shows."""
    if len(arguments) != 2 or arguments[0] not in PARTS:
        print(f"usage: python -m benchmarks.fuzz PART SEED:NUMBER; parts: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    name = arguments[0]
    seed, number = map(int, arguments[1].split(":"))
    first = number - number % PARTS[name].world
    with tempfile.TemporaryDirectory(prefix="hedgerow-fuzz-") as folder:
        return 1 if show([run_part(name, Path(folder), seed, first, number - first + 1)]) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
