"""The bare chain: feed → NATS → agents → NATS → manager → gRPC stream → execution, with no hedging logic at all.

Every part is a plain process on uvloop with the system's own bus. A message is a stamp (tick number, wall time at the feed,
whether the tick is to cause an order) and zeros up to the size given; nothing is decoded, decided or checked. On a tick that
causes an order each agent that hears it echoes a proposal, the manager sends the orders of the first one it gets, and
execution notes how long ago the tick was when the message comes off its stream. As in the full system the manager's journal
takes in every proposal and every cycle beside the path, under the leader's fence, synced by the server, and the standby
follows it; no order waits for it in either. What the full system does besides is left out here: the recording of ticks, fills,
positions, heartbeats and all arithmetic. The watcher only reads.

    python -m benchmarks.chain_roles ROLE SETTINGS_JSON

*Tested by* tests/unit/test_chain_bench.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import struct
import sys
from collections.abc import AsyncIterator, Coroutine
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import grpc
import uvloop

from common import subjects
from common.bus.nats_bus import NatsBus
from common.bus.nats_journal import NatsJournal
from common.clock import WallClock
from common.units import NS_PER_S

_STAMP = struct.Struct("<qq?")
_METHOD = "/bare.Chain/Orders"
_BOUND = 4096
_QUIET_S = 1.0


@dataclass(frozen=True, slots=True)
class ChainSettings:
    """One bare run. Sizes in bytes, ``rate`` in ticks a second; ``agents``: the symbols each one hears."""

    nats_url: str
    address: str
    out: str
    symbols: tuple[str, ...]
    agents: dict[str, tuple[str, ...]]
    ticks: int
    rate: float
    order_every: int
    batch_bytes: int
    proposal_bytes: int
    order_bytes: int
    #: Journal entries of a proposal and of a cycle with orders.
    taken_bytes: int
    cycle_bytes: int

    def as_json(self) -> str:
        """For the command line."""
        return json.dumps(asdict(self))


def message(tick: int, wall_ns: int, causes: bool, size: int) -> bytes:
    """A stamp and zeros, ``size`` bytes in all and never shorter than the stamp."""
    return _STAMP.pack(tick, wall_ns, causes).ljust(size, b"\0")


def stamp_of(data: bytes) -> tuple[int, int, bool]:
    """(tick, wall time at the feed, causes an order)."""
    tick, wall_ns, causes = _STAMP.unpack_from(data)
    return int(tick), int(wall_ns), bool(causes)


async def feed(s: ChainSettings, bus: NatsBus, _stop: asyncio.Event) -> None:
    """Publish ``ticks`` at ``rate``; which symbol changes after each order, as in `chain_market.SwingMarket`."""
    clock = WallClock()
    await asyncio.sleep(_QUIET_S)
    begun_ns = clock.wall_ns()
    for tick in range(s.ticks):
        await clock.sleep_until_ns(begun_ns + round(tick * NS_PER_S / s.rate))
        symbol = s.symbols[tick // s.order_every % len(s.symbols)]
        data = message(tick, clock.wall_ns(), tick % s.order_every == 0, s.batch_bytes)
        await bus.publish(subjects.quotes(symbol), data)
    await asyncio.sleep(_QUIET_S)


async def agent(name: str, s: ChainSettings, bus: NatsBus, stop: asyncio.Event) -> None:
    """Echo a proposal for each tick that causes an order."""
    queue: asyncio.Queue[bytes] = asyncio.Queue(_BOUND)

    def on_quotes(_subject: str, data: bytes) -> None:
        if stamp_of(data)[2]:
            queue.put_nowait(data)

    for symbol in s.agents[name]:
        await bus.subscribe(subjects.quotes(symbol), on_quotes, bound=_BOUND)
    await _until(stop, _echo(name, s, bus, queue))


async def _echo(name: str, s: ChainSettings, bus: NatsBus, queue: asyncio.Queue[bytes]) -> None:
    while True:
        tick, wall_ns, causes = stamp_of(await queue.get())
        await bus.publish(subjects.proposal(name), message(tick, wall_ns, causes, s.proposal_bytes))


async def manager(s: ChainSettings, bus: NatsBus, stop: asyncio.Event) -> None:
    """Send the orders of a tick at its first proposal."""
    queue: asyncio.Queue[bytes] = asyncio.Queue(_BOUND)
    sent: set[int] = set()  # proposals of two ticks may overtake each other
    journal = NatsJournal(bus)
    await journal.take_over("manager")

    def on_proposal(_subject: str, data: bytes) -> None:
        tick, wall_ns, causes = stamp_of(data)
        first = tick not in sent
        if first:
            sent.add(tick)
            queue.put_nowait(message(tick, wall_ns, causes, s.order_bytes))
        journal.append(message(tick, wall_ns, causes, s.taken_bytes))
        if first:
            journal.append(message(tick, wall_ns, causes, s.cycle_bytes))

    async def orders() -> AsyncIterator[bytes]:
        while True:
            yield await queue.get()

    async with grpc.aio.insecure_channel(s.address) as channel:
        call: Any = channel.stream_stream(_METHOD)(orders())
        await bus.subscribe(subjects.QUOTES_ALL, _ignore, bound=_BOUND)
        await bus.subscribe(subjects.PROPOSALS_ALL, on_proposal, bound=_BOUND)
        await _until(stop, _drain(call))
    await journal.flush()
    await journal.close()


async def execution(s: ChainSettings, bus: NatsBus, stop: asyncio.Event) -> None:
    """Take orders off the stream, note their age, answer; the ages go to ``out`` at the end."""
    ages_ns: list[int] = []
    clock = WallClock()

    async def take(requests: AsyncIterator[bytes], _context: object) -> AsyncIterator[bytes]:
        async for data in requests:
            _, wall_ns, _ = stamp_of(data)
            ages_ns.append(clock.wall_ns() - wall_ns)
            yield data[: _STAMP.size]

    handler = grpc.stream_stream_rpc_method_handler(take)
    server: Any = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bare.Chain", {"Orders": handler}),))
    server.add_insecure_port(s.address)
    await server.start()
    await bus.subscribe(subjects.QUOTES_ALL, _ignore, bound=_BOUND)
    await stop.wait()
    await server.stop(0.2)
    Path(s.out).write_text(json.dumps(ages_ns))


async def reader(_s: ChainSettings, bus: NatsBus, stop: asyncio.Event, *, proposals: bool) -> None:
    """A standby or a watcher: gets every batch, the watcher every proposal, the standby the journal; does nothing with it."""
    await bus.subscribe(subjects.QUOTES_ALL, _ignore, bound=_BOUND)
    if proposals:
        await bus.subscribe(subjects.PROPOSALS_ALL, _ignore, bound=_BOUND)
    else:
        await NatsJournal(bus).follow(1, lambda _: None)
    await stop.wait()


async def run(role: str, s: ChainSettings) -> None:
    """Be one part: the feed until its data end, everybody else until SIGTERM."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with await NatsBus.connect(s.nats_url, role) as bus:
        if role in s.agents:
            await agent(role, s, bus, stop)
        elif role == "feed":
            await feed(s, bus, stop)
        elif role == "manager":
            await manager(s, bus, stop)
        elif role == "execution":
            await execution(s, bus, stop)
        else:
            await reader(s, bus, stop, proposals=role == "watcher")


async def _until(stop: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Do the work until told to stop; a mistake in it is raised."""
    job, told = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait([job, told], return_when=asyncio.FIRST_COMPLETED)
    for task in (job, told):
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await job


async def _drain(call: Any) -> None:
    async for _ in call:
        pass


def _ignore(_subject: str, _data: bytes) -> None:
    pass


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1], ChainSettings(**json.loads(sys.argv[2]))))
