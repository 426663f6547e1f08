"""Tick to order at execution: the full system next to a bare chain with the same processes, fan-out and message sizes.

The full system is ``hedgerow live`` on a market whose jumps are worth an order each (`chain_market`); its record gives
the sizes and the fan-out of the bare chain (`chain_roles`), which runs right after it on the same machine. Both are
timed alike: from the stamp the feed gives a tick to the moment execution takes an order off its stream. Of the full system
there are two figures: over every order that answers a tick, also those of a later decision about it (what follows from fills
answers none, `manager/ticket.py`), and over ticks, each by its first order; the bare chain has one order a tick. Half a second
behind is overload, not latency: the row says how many orders there were and from how many ticks.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.chain_market import SwingMarket, write_recording
from benchmarks.chain_roles import ChainSettings
from benchmarks.harness import ROOT, LiveRun
from benchmarks.registry import Context, Row, bench
from common.bus.nats_bus import NatsBus
from common.control_messages import Cycle, ProposalTaken
from common.market.recorded import RecordedMarket
from common.messages import I64
from common.triggers import OF_THE_MARKET
from common.wire import codec
from common.wire.delimited import read_messages
from common.wire.execution_codec import order_to_pb
from deploy import nats_server

RATE, GOAL_RATE = 200.0, 1000.0
#: A jump moves four agents and a dozen orders, partly filled; after about 100 ms all is calm. Sooner, a jump would be timed
#: behind what follows from the one before.
JUMP_EVERY_S = 0.16
TICKS_CAUSING = 1000
#: Jumps that fall while an order still works, or into the same decision as their neighbour, cause none of their own.
_JUMPS, _BARE_JUMPS = 1200, 450
_BAR = 1.5
_RUN_S = 500.0
_START_S, _STOP_S = 2.0, 10.0
_WARM = 50
#: Patience would put orders off until size is shown again: they would not be decided at the jump that is timed.
_CONFIG = """
limits = "{folder}/limits.toml"
execution_limits = "{folder}/execution_limits.toml"

[paper]
latency_ms = 1.0
jitter_ms = 0.2

[manager]
patience_s = 0.0

[live]
speed = 1.0
"""
#: Budgets that do not run out: what is measured is the way, not the day's allowance.
_WIDER = {
    "limits.toml": {
        "cost_usd = 1_000_000\n": "cost_usd = 1_000_000_000\n",
        "cost_usd = 250_000": "cost_usd = 1_000_000_000",
    }
    | {
        "notional_usd = 20_000_000_000\n": "notional_usd = 20_000_000_000_000\n",
        "orders = 50_000": "orders = 5_000_000",
    },
    "execution_limits.toml": {
        "max_orders_per_window = 1000\n": "max_orders_per_window = 1000000\n",
        "max_messages_per_window = 2000": "max_messages_per_window = 1000000",
        "max_same_orders = 100": "max_same_orders = 1000000",
        "max_drawdown_usd = 5_000_000.0": "max_drawdown_usd = 1e15",
        "max_position_lots = 5000": "max_position_lots = 1000000",
        "max_position_lots = 10000": "max_position_lots = 1000000",
    },
}


@dataclass(frozen=True, slots=True)
class FullRun:
    """What a full run leaves: its latencies, in ns, and the shape of its messages.

    ``p50_ns``, ``p99_ns``: over orders; ``first50_ns``, ``first99_ns``: over ticks, each by its first order.
    ``hops_ns``: medians from the tick to a proposal at the manager, to a decision's begin, to an order at execution; of all
    that answer a tick, so that a decision with many orders counts once in the second and often in the third.
    """

    p50_ns: float
    p99_ns: float
    first50_ns: float
    first99_ns: float
    orders: int
    ticks: int
    hops_ns: tuple[float, float, float]
    batch_bytes: int
    proposal_bytes: int
    order_bytes: int
    taken_bytes: int
    cycle_bytes: int
    agents: dict[str, tuple[str, ...]]


@bench(
    "chain.ratio_200",
    "chain.bare_p50",
    "chain.bare_p99",
    "chain.full_p50",
    "chain.full_p99",
    "chain.first_ratio_200",
    "chain.first_p50",
    "chain.first_p99",
    "chain.hops",
    what="tick to order at execution at 200 ticks/s: the full system next to a bare chain of the same shape",
    minutes=7,
)
def at_200(context: Context) -> Iterable[Row]:
    """The full run and two bare ones after it; the bare figures are of both together."""
    full, bare = _side_by_side(context, RATE)
    b50, b99 = (float(np.percentile(bare, q)) / 1e6 for q in (50, 99))
    f50, f99 = full.p50_ns / 1e6, full.p99_ns / 1e6
    enough = full.ticks >= TICKS_CAUSING
    what = f"p50 of tick to order, full over bare, at {RATE:.0f} ticks/s; {full.orders} orders that answer {full.ticks} ticks"
    bar = f"{_BAR} or less, {TICKS_CAUSING:,} ticks that cause an order or more"
    yield Row("chain.ratio_200", what, round(f50 / b50, 2), "", bar, f50 <= _BAR * b50 and enough, samples=full.orders)
    shape = f"{full.batch_bytes} B batches, {full.proposal_bytes} B proposals, {full.order_bytes} B orders"
    for name, value, count in (("p50", b50, len(bare)), ("p99", b99, len(bare))):
        yield Row(f"chain.bare_{name}", f"bare chain, {name}; {shape}", round(value, 2), "ms", "", True, samples=count)
    for name, value in (("p50", f50), ("p99", f99)):
        what = f"full system, every order, {name}"
        yield Row(f"chain.full_{name}", what, round(value, 2), "ms", "", True, samples=full.orders)
    first50, first99 = full.first50_ns / 1e6, full.first99_ns / 1e6
    what = f"p50 of tick to the first order that answers it, full over bare, at {RATE:.0f} ticks/s"
    met = first50 <= _BAR * b50 and enough
    yield Row("chain.first_ratio_200", what, round(first50 / b50, 2), "", bar, met, samples=full.ticks)
    for name, value in (("p50", first50), ("p99", first99)):
        what = f"full system, first order of a tick, {name}"
        yield Row(f"chain.first_{name}", what, round(value, 2), "ms", "", True, samples=full.ticks)
    hops = [f"{ns / 1e6:.2f}" for ns in full.hops_ns]
    what = "medians from the tick: to a proposal at the manager, a decision's begin, an order at execution"
    yield Row("chain.hops", what, ", ".join(hops), "ms", "", True, samples=full.orders)


@bench("chain.ratio_1000", what="the same at 1,000 ticks/s: a goal", minutes=8)
def at_1000(context: Context) -> Iterable[Row]:
    """A statement: how far the goal is."""
    full, bare = _side_by_side(context, GOAL_RATE)
    b50 = float(np.percentile(bare, 50))
    what = (
        f"p50 of tick to order, full ({full.p50_ns / 1e6:.2f} ms, {full.orders} orders of {full.ticks} ticks, first orders"
        f" {full.first50_ns / 1e6:.2f} ms) over bare ({b50 / 1e6:.2f} ms) at {GOAL_RATE:.0f} ticks/s on {os.cpu_count()} cores;"
        f" goal {_BAR} or less"
    )
    yield Row("chain.ratio_1000", what, round(full.p50_ns / b50, 2), "", "", True, samples=full.orders)


def _side_by_side(context: Context, rate: float) -> tuple[FullRun, I64]:
    every = round(JUMP_EVERY_S * rate)
    markets = [SwingMarket(ticks=jumps * every, rate=rate, jump_every=every) for jumps in (_JUMPS, _BARE_JUMPS)]
    full = full_run(context.scratch / f"full-{rate:.0f}", markets[0])
    bare = [bare_run(context.scratch / f"bare-{rate:.0f}-{i}", markets[1], full) for i in range(2)]
    return full, np.concatenate(bare)


def write_inputs(folder: Path) -> None:
    """The examples' limits with budgets that do not run out, and the settings, into ``folder``."""
    for name, changes in _WIDER.items():
        text = (ROOT / "examples" / name).read_text()
        for old, new in changes.items():
            text = text.replace(old, new)
        (folder / name).write_text(text)
    (folder / "config.toml").write_text(_CONFIG.format(folder=folder))


def full_run(folder: Path, market: SwingMarket) -> FullRun:
    """``hedgerow live`` on the market, from its recording; raises ``AssertionError`` with its output if it fails."""
    folder.mkdir(parents=True)
    write_inputs(folder)
    recording = write_recording(folder / "swing.bin", market)
    flags = ("--config", str(folder / "config.toml"), "--market", str(recording), "--no-report")
    with LiveRun(folder / "run", *flags) as run:
        code = run.wait(_RUN_S)
    assert code == 0, run.output()
    return read_run(folder / "run")


def read_run(folder: Path) -> FullRun:
    """Latencies and message sizes of a finished run, from its record."""
    execution = json.loads((folder / "status.json").read_text())["execution"]
    cycles: list[Cycle] = []
    to_manager, to_decision, taken, decided_bytes = [], [], [], []
    owner: dict[str, set[str]] = {}
    for data in read_messages(folder / "journal.bin"):
        entry = codec.decode_journal_entry(data)
        if isinstance(entry.event, ProposalTaken):
            proposal = entry.event.proposal
            taken.append(len(data))
            if proposal.trigger in OF_THE_MARKET:
                to_manager.append(entry.wall_ns - proposal.header.receive_time_ns)
            heard = {i.stream.removeprefix("feed.") for i in proposal.inputs if i.stream.startswith("feed.")}
            owner.setdefault(proposal.header.source, set()).update(heard)
        elif isinstance(entry.event, Cycle) and entry.event.orders:
            cycles.append(entry.event)
            decided_bytes.append(len(data))
            if entered_ns := entry.event.orders[0].receive_time_ns:
                to_decision.append(entry.wall_ns - entered_ns)
    entered = [o.receive_time_ns for c in cycles for o in c.orders if o.receive_time_ns]
    orders = [sum(order_to_pb(o).ByteSize() for o in c.orders) for c in cycles]
    batches = [len(codec.encode_quote_batch(b)) for b in RecordedMarket(folder).batches()]
    proposals = [len(data) for data in read_messages(folder / "proposals.bin", cut_ok=True)]
    p50_ns, arrived, decided = float(execution["tick_to_order_p50_ns"]), np.median(to_manager), np.median(to_decision)
    return FullRun(
        p50_ns=p50_ns,
        p99_ns=float(execution["tick_to_order_p99_ns"]),
        first50_ns=float(execution["tick_to_first_order_p50_ns"]),
        first99_ns=float(execution["tick_to_first_order_p99_ns"]),
        orders=len(entered),
        ticks=len(set(entered)),
        hops_ns=(float(arrived), float(decided), p50_ns),
        batch_bytes=int(np.median(batches)),
        proposal_bytes=int(np.median(proposals)),
        order_bytes=int(np.median(orders)),
        taken_bytes=int(np.median(taken)),
        cycle_bytes=int(np.median(decided_bytes)),
        agents={name: tuple(sorted(symbols)) for name, symbols in sorted(owner.items())},
    )


def bare_run(folder: Path, market: SwingMarket, full: FullRun) -> I64:
    """Ages of the orders of one bare run at execution, ns, the first ``_WARM`` left out."""
    folder.mkdir(parents=True)
    server = nats_server.start(folder / "nats")
    try:
        settings = ChainSettings(
            nats_url=server.url,
            address=f"127.0.0.1:{_free_port()}",
            out=str(folder / "ages.json"),
            symbols=market.base.symbols,
            agents=full.agents,
            ticks=market.ticks,
            rate=market.rate,
            order_every=market.jump_every,
            batch_bytes=full.batch_bytes,
            proposal_bytes=full.proposal_bytes,
            order_bytes=full.order_bytes,
            taken_bytes=full.taken_bytes,
            cycle_bytes=full.cycle_bytes,
        )
        asyncio.run(_make_streams(server.url))
        with _part("execution", settings), _part("standby", settings), _part("watcher", settings):
            time.sleep(_START_S)
            with _parts(["manager", *full.agents], settings):
                time.sleep(_START_S)
                with _part("feed", settings) as feed:
                    feed.wait(_RUN_S)
        ages = np.array(json.loads(Path(settings.out).read_text()), np.int64)
    finally:
        server.stop()
    assert len(ages) == -(-market.ticks // market.jump_every), f"{len(ages)} orders: the bare chain lost some"
    return ages[_WARM:]


async def _make_streams(url: str) -> None:
    async with await NatsBus.connect(url, "bench") as bus:
        await bus.create_streams()


@contextmanager
def _part(role: str, settings: ChainSettings) -> Iterator[subprocess.Popen[bytes]]:
    argv = [sys.executable, "-m", "benchmarks.chain_roles", role, settings.as_json()]
    process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _parts(roles: list[str], settings: ChainSettings) -> Iterator[None]:
    if not roles:
        yield
        return
    with _part(roles[0], settings), _parts(roles[1:], settings):
        yield


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
