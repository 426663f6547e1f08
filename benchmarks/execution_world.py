"""The execution service as a process for measuring, on one small market that stands still, and orders to load it with.

``python -m benchmarks.execution_world PART ADDRESS FOLDER [VENUE_ADDRESS] [POINT COUNT]``. Parts: ``null`` and ``paper``
(execution with that venue inside), ``venue`` (the paper venue as a process), ``execution`` (with that venue). Execution kills
itself at the COUNT-th passage of POINT. It prints its address when it takes requests.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import uvloop
from hedgerow.execution.v1 import execution_pb2_grpc

from common.bus.memory_bus import MemoryBus
from common.messages import Header, Order, QuoteBatch, Side, TimeInForce
from common.subjects import quotes as subject
from common.units import NS_PER_MS
from common.universe import Universe
from common.wire.codec import encode_quote_batch
from execution.config import ExecutionConfig, PaperConfig
from execution.events import Record
from execution.limits import ExecutionLimits
from execution.service import serve
from execution.sqlite_store import SqliteStore
from execution.venues.port import Venue, VenueEvent, VenueKind
from execution.venues.remote import RemoteVenue
from execution.venues.server import serve_venue
from lab.simulator.market import universe_of

SYMBOL: Final = "AAA"
T0_NS: Final = 1_600_000_000 * 10**9
BID, ASK, SIZE = 4000, 4002, 10**9
SPEED: Final = 50.0
#: Where execution can be killed: around a commit, and around what is said to the venue.
POINTS: Final = ("before commit", "after commit", "before send", "after send", "before ask", "after ask")


def universe() -> Universe:
    """A future and some options."""
    return universe_of((SYMBOL,))


def quotes() -> QuoteBatch:
    """Every instrument quoted, deep enough for any load."""
    n = len(universe())
    column = np.full(n, SIZE, np.int32)
    header = Header(f"feed.{SYMBOL}", 1, T0_NS)
    bid, ask = np.full(n, BID, np.int32), np.full(n, ASK, np.int32)
    return QuoteBatch(header, np.arange(n, dtype=np.uint32), bid, ask, column, column, snapshot=True)


def limits() -> ExecutionLimits:
    """Every rule is checked and none refuses; windows are short and market time moves with the orders, so they stay small."""
    kind = {
        "max_order_lots": 1000,
        "max_notional_usd": 1e12,
        "collar_ticks": 100,
        "collar_fraction": 0.0,
        "max_position_lots": 10**9,
    }
    return ExecutionLimits.model_validate(
        {
            "max_open_orders": 10**6,
            "max_orders_per_window": 10**6,
            "max_messages_per_window": 10**6,
            "rate_window_s": 1.0,
            "max_same_orders": 10**6,
            "same_order_window_s": 1.0,
            "max_drawdown_usd": 1e15,
            "max_source_age_s": 1e9,
            "max_order_age_s": 1e9,
            "future": kind,
            "option": kind,
        }
    )


def order(number: int, epoch: int = 1, force: TimeInForce = TimeInForce.IOC) -> Order:
    """The ``number``-th order of a load: 1 to 3 lots, sides in turn, a millisecond of market time after the one before."""
    side = Side.BUY if number % 2 else Side.SELL
    return Order(
        client_order_id=f"o{number:09}",
        epoch=epoch,
        instrument_id=universe_ids()[0],
        instrument=0,
        side=side,
        quantity_lots=1 + number % 3,
        limit_ticks=ASK if side is Side.BUY else BID,
        time_in_force=force,
        book_id="desk",
        cycle_id=f"c{number // 4}",
        inputs_hash="0" * 64,
        cause_id=f"gamma-0:{number // 4}",
        order_sequence=number,
        receive_time_ns=1,
        event_time_ns=T0_NS + number * NS_PER_MS,
        allocation=(("gamma-0", side.sign * (1 + number % 3)),),
        arrival_bid_ticks=BID,
        arrival_ask_ticks=ASK,
    )


_IDS: list[str] = []


def universe_ids() -> Sequence[str]:
    """Instrument ids, made once."""
    if not _IDS:
        _IDS.extend(universe().instrument_id)
    return _IDS


def stub_of(channel: Any) -> Any:
    """Execution's calls on a channel; the generated stubs have no types."""
    stub: Any = execution_pb2_grpc.ExecutionServiceStub
    return stub(channel)


class NullVenue:
    """Takes every order and ends it at once without a fill: what is left is execution's own work."""

    name, next_due_ns = "null", None

    def submit(self, order: Order, now_ns: int) -> list[VenueEvent]:
        """Cancelled on arrival."""
        return [VenueEvent(VenueKind.CANCELED, order.client_order_id, now_ns)]

    def cancel(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        """Always too late."""
        return [VenueEvent(VenueKind.CANCEL_REJECTED, client_order_id, now_ns)]

    def replace(self, original_id: str, order: Order, now_ns: int) -> list[VenueEvent]:  # noqa: ARG002
        """Always too late."""
        return [VenueEvent(VenueKind.REPLACE_REJECTED, order.client_order_id, now_ns)]

    def ask(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        """It keeps nothing."""
        return [VenueEvent(VenueKind.NOT_FOUND, client_order_id, now_ns)]

    def on_quotes(self, batch: QuoteBatch) -> list[VenueEvent]:  # noqa: ARG002
        """Nothing."""
        return []

    def on_time(self, now_ns: int) -> list[VenueEvent]:  # noqa: ARG002
        """Nothing."""
        return []


def die_at(point: str, count: int, venue: Any = RemoteVenue) -> None:
    """Make this process kill itself at the ``count``-th passage of a named point, by wrapping what passes it."""
    left = [count]

    def passed(name: str) -> None:
        if name == point:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    commit, submit, ask = SqliteStore.commit, venue.submit, venue.ask

    def committed(self: SqliteStore, records: Sequence[Record]) -> None:
        passed("before commit")
        commit(self, records)
        passed("after commit")

    def submitted(self: Any, order: Order, now_ns: int) -> list[VenueEvent]:
        passed("before send")
        out: list[VenueEvent] = submit(self, order, now_ns)
        passed("after send")
        return out

    def asked(self: Any, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        passed("before ask")
        out: list[VenueEvent] = ask(self, client_order_id, now_ns)
        passed("after ask")
        return out

    patches: tuple[tuple[Any, str, Callable[..., object]], ...] = (
        (SqliteStore, "commit", committed),
        (venue, "submit", submitted),
        (venue, "ask", asked),
    )
    for owner, name, function in patches:
        setattr(owner, name, function)


async def _quote(bus: MemoryBus) -> None:
    await asyncio.sleep(0.02)
    await bus.publish(subject(SYMBOL), encode_quote_batch(quotes()))


def _say(address: str) -> None:
    print(address, flush=True)


async def main(part: str, address: str, folder: Path, rest: Sequence[str]) -> None:
    """Run one part until it is killed."""
    bus, paper = MemoryBus(), PaperConfig(latency_ms=5.0, jitter_ms=1.0)
    quoting = asyncio.create_task(_quote(bus))
    if part == "venue":
        await serve_venue(address, folder, bus, universe(), paper, (), SPEED, asyncio.Event(), ready=_say)
        return
    venue: Venue | None = NullVenue() if part == "null" else None
    if part == "execution":
        venue = RemoteVenue(rest[0], answer_timeout_s=1.0)
        if len(rest) > 1:
            die_at(rest[1], int(rest[2]))
    config = ExecutionConfig(
        address=address, store=folder, limits=limits(), paper=paper, speed=SPEED, resolve_every_s=0.2, grace_s=0.0
    )
    await serve(config, bus, universe(), asyncio.Event(), ready=_say, venue=venue)
    await quoting


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), sys.argv[4:]))
