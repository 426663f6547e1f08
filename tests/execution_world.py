"""A small market for the tests of execution: two underlyings, a future and three options each, and the means to trade it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from common.bus.memory_bus import MemoryBus
from common.execution_client import ExecutionClient
from common.messages import Header, Order, OrderAck, QuoteBatch, Side, TimeInForce
from common.security.keys import Tls
from common.units import NO_PRICE, NS_PER_DAY, NS_PER_S
from common.universe import FUTURE, OPTION, Underlying, Universe
from execution.config import ExecutionConfig, PaperConfig
from execution.limits import ExecutionLimits, KindLimits, load_execution_limits
from execution.service import serve
from execution.venues.port import Venue

T0_NS = 1_600_000_000 * NS_PER_S
ROOT = Path(__file__).resolve().parents[1]
SYMBOLS = ("AAA", "BBB")
INSTRUMENTS = 8
FEE_CENTS = 125


def make_universe() -> Universe:
    """Rows 0 and 4 are futures; row 3 is not listed; row 7 expires one day after ``T0_NS``."""
    kind = np.array([FUTURE, OPTION, OPTION, OPTION] * 2, np.uint8)
    expiry = np.full(INSTRUMENTS, T0_NS + 30 * NS_PER_DAY, np.int64)
    expiry[7] = T0_NS + NS_PER_DAY
    listed = np.ones(INSTRUMENTS, np.uint8)
    listed[3] = 0
    return Universe(
        instrument_id=tuple(f"{s}.{k}" for s in SYMBOLS for k in ("F", "C1", "P1", "C2")),
        kind=kind,
        underlying=np.repeat(np.arange(2, dtype=np.uint16), 4),
        expiry_ns=expiry,
        strike=np.full(INSTRUMENTS, 100.0),
        right=np.array([0, 1, -1, 1] * 2, np.int8),
        style=np.zeros(INSTRUMENTS, np.uint8),
        multiplier_usd=np.full(INSTRUMENTS, 50.0),
        tick_size=np.full(INSTRUMENTS, 0.25),
        fee_cents=np.full(INSTRUMENTS, FEE_CENTS, np.int64),
        listed=listed,
        underlyings=tuple(Underlying(s, 4 * i, 0.0, 0.0) for i, s in enumerate(SYMBOLS)),
        covariance_daily=np.eye(2) * 1e-4,
    )


def make_limits(**changes: object) -> ExecutionLimits:
    """The example file's limits, with some of the top-level numbers changed."""
    limits = load_execution_limits(ROOT / "examples" / "execution_limits.toml")
    return limits.model_copy(update=changes)


def tight(**changes: object) -> KindLimits:
    return make_limits().future.model_copy(update=changes)


def quotes(
    sequence: int,
    *rows: tuple[int, int | None, int | None, int, int],
    symbol: str = "AAA",
    at_ns: int | None = None,
    snapshot: bool = False,
) -> QuoteBatch:
    """A batch of (instrument, bid, ask, bid size, ask size); None is an absent side."""
    bid = [NO_PRICE if r[1] is None else r[1] for r in rows]
    ask = [NO_PRICE if r[2] is None else r[2] for r in rows]
    return QuoteBatch(
        Header(f"feed.{symbol}", sequence, T0_NS + sequence * NS_PER_S if at_ns is None else at_ns),
        np.array([r[0] for r in rows], np.uint32),
        np.array(bid, np.int32),
        np.array(ask, np.int32),
        np.array([r[3] for r in rows], np.int32),
        np.array([r[4] for r in rows], np.int32),
        snapshot=snapshot,
    )


def standing(sequence: int = 1, symbol: str = "AAA", size: int = 10, at_ns: int | None = None) -> QuoteBatch:
    """All four instruments of an underlying at 1000/1002."""
    first = 4 * SYMBOLS.index(symbol)
    rows = [(first + k, 1000, 1002, size, size) for k in range(4)]
    return quotes(sequence, *rows, symbol=symbol, at_ns=at_ns)


_ORDER = Order(
    client_order_id="",
    epoch=1,
    instrument_id="",
    instrument=0,
    side=Side.BUY,
    quantity_lots=1,
    limit_ticks=1002,
    time_in_force=TimeInForce.IOC,
    book_id="desk",
    cycle_id="c1",
    inputs_hash="00",
    cause_id="gamma-0:1",
    order_sequence=1,
    receive_time_ns=0,
    event_time_ns=T0_NS + NS_PER_S,
    allocation=(),
    arrival_bid_ticks=1000,
    arrival_ask_ticks=1002,
)


def make_order(name: str, instrument: int = 0, side: Side = Side.BUY, lots: int = 1, **changes: object) -> Order:
    """A marketable IOC order against ``standing`` unless told otherwise."""
    order = replace(
        _ORDER,
        client_order_id=name,
        instrument=instrument,
        instrument_id=make_universe().instrument_id[instrument],
        side=side,
        quantity_lots=lots,
        limit_ticks=1002 if side is Side.BUY else 1000,
    )
    return replace(order, **changes)


def make_config(folder: Path, **changes: object) -> ExecutionConfig:
    """Fast timers, paper latency 50 ms of market time at speed 10."""
    values: dict[str, object] = {
        "store": folder,
        "limits": make_limits(),
        "paper": PaperConfig(),
        "speed": 10.0,
        "grace_s": 0.0,
        "snapshot_timeout_s": 0.05,
    }
    return ExecutionConfig.model_validate(values | changes)


async def until(condition, seconds: float = 5.0) -> None:
    """Wait until ``condition()``; fail after some seconds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def free_address() -> str:
    """A loopback host:port that nobody uses right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


class Desk:
    """A running service with a client that keeps every answer."""

    def __init__(self, bus: MemoryBus, address: str, stop: asyncio.Event, tls: Tls | None = None) -> None:
        self.bus = bus
        self.address = address
        self.stop = stop
        self.acks: list[OrderAck] = []
        self.client = ExecutionClient(address, self.acks.append, deadline_s=3.0, patience_s=1.0, tls=tls)

    def answers(self, name: str) -> list[OrderAck]:
        return [ack for ack in self.acks if ack.client_order_id == name]

    async def answer(self, name: str, count: int = 1) -> OrderAck:
        await until(lambda: len(self.answers(name)) >= count)
        return self.answers(name)[count - 1]


@contextlib.asynccontextmanager
async def running(
    config: ExecutionConfig,
    venue: Venue | None = None,
    fence: int = 1,
    tls: Tls | None = None,
    connect_s: float = 10.0,
) -> AsyncIterator[Desk]:
    """A real server on loopback, quoted, fenced by ``leader``; ``tls`` is the manager's, for a server that asks for it."""
    from common.subjects import quotes as subject
    from common.wire.codec import encode_quote_batch

    bus, stop = MemoryBus(), asyncio.Event()
    bound: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(config, bus, make_universe(), stop, ready=bound.set_result, venue=venue))
    await asyncio.wait({serving, bound}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    desk = Desk(bus, bound.result(), stop, tls)
    try:
        await desk.client.connect(connect_s)
        for symbol in SYMBOLS:
            await bus.publish(subject(symbol), encode_quote_batch(standing(symbol=symbol, size=1000)))
        if fence:
            assert (await desk.client.fence(fence, "leader")).accepted
        yield desk
    finally:
        await desk.client.close()
        stop.set()
        await serving
