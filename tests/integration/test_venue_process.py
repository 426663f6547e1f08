"""The line between execution and a venue of its own: kept up, resumed by sequence, never sent blindly, one session at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvloop
from hedgerow.venue.v1 import venue_pb2 as pb

from common.bus.memory_bus import MemoryBus
from common.errors import Unavailable
from common.messages import Side, TimeInForce, TradingState
from common.subjects import quotes as subject
from common.tactics import Combo
from common.units import NS_PER_DAY, NS_PER_S
from common.wire.codec import encode_quote_batch
from common.wire.execution_codec import order_to_pb
from execution.config import PaperConfig
from execution.core import step
from execution.events import VenueEvents
from execution.inprocess import InProcessExecution
from execution.venues.port import LinkedVenue, VenueEvent, VenueKind
from execution.venues.record import framed, read_frame, response_of
from execution.venues.remote import RemoteVenue
from execution.venues.server import serve_venue
from execution.venues.venue_file import FILE_NAME
from tests.execution_world import SYMBOLS, T0_NS, make_limits, make_order, make_universe, standing

pytestmark = pytest.mark.live
NOW_NS = T0_NS + NS_PER_S
SPEED = 50.0


class World:
    """A venue that can be started again on the same port and file, and a client that remembers what it heard."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bus, self.address = folder, MemoryBus(), "127.0.0.1:0"
        self.heard: list[VenueEvent] = []
        self._stop = asyncio.Event()
        self._job: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._stop = asyncio.Event()
        bound: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._job = asyncio.create_task(
            serve_venue(
                self.address, self.folder, self.bus, make_universe(), PaperConfig(), (), SPEED, self._stop,
                ready=bound.set_result,
            )
        )  # fmt: skip
        self.address = await asyncio.wait_for(bound, 5.0)
        for symbol in SYMBOLS:
            await self.bus.publish(subject(symbol), encode_quote_batch(standing(symbol=symbol, size=1000)))

    async def stop(self) -> None:
        self._stop.set()
        assert self._job is not None
        await self._job

    async def until(self, name: str, kind: VenueKind) -> None:
        async with asyncio.timeout(10.0):
            while not any(e.client_order_id == name and e.kind is kind for e in self.heard):
                await asyncio.sleep(0.01)

    def count(self, name: str, kind: VenueKind) -> int:
        return sum(e.client_order_id == name and e.kind is kind for e in self.heard)


async def reached(client: RemoteVenue) -> None:
    async with asyncio.timeout(5.0):
        while "not reached" in client.name:
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running(folder: Path, **options: float) -> AsyncIterator[tuple[World, RemoteVenue]]:
    world = World(folder)
    await world.start()
    client = RemoteVenue(world.address, **options)
    assert isinstance(client, LinkedVenue)
    await client.open(world.heard.extend)
    try:
        await reached(client)
        yield world, client
    finally:
        await client.close()
        await world.stop()


def test_a_combo_is_told_leg_by_leg_and_asked_about_under_either_leg(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as (world, client):
            assert client.combos is True
            combo = Combo((("a.1", 2), ("b.1", 1)), (2 * 1002 - 1000) * 1250)
            legs = [make_order("a.1", 1, lots=4, combo=combo), make_order("b.1", 0, Side.SELL, lots=2, combo=combo)]
            assert client.submit_combo(legs, NOW_NS) == []
            for name, lots in (("a.1", 4), ("b.1", 2)):
                await world.until(name, VenueKind.FILL)
                assert [e.lots for e in world.heard if e.client_order_id == name] == [0, lots]
            before = len(world.heard)
            client.ask("b.1", NOW_NS)
            async with asyncio.timeout(5.0):
                while len(world.heard) < before + 2:
                    await asyncio.sleep(0.01)
            assert world.heard[before:] == [e for e in world.heard[:before] if e.client_order_id == "b.1"]
            # A line that breaks leaves every leg of what was not heard of in doubt, and the venue is asked about each.
            other = Combo((("c.1", 1), ("d.1", 1)), 0)
            client.submit_combo(
                [make_order("c.1", 1, combo=other), make_order("d.1", 0, Side.SELL, combo=other)], NOW_NS
            )
            await world.stop()
            async with asyncio.timeout(5.0):
                while "not reached" not in client.name:
                    await asyncio.sleep(0.01)
            heard = {(e.client_order_id, e.kind) for e in world.heard}
            in_doubt = {name for name, kind in heard if kind is VenueKind.UNCERTAIN}
            assert in_doubt in (set(), {"c.1", "d.1"})
            await world.start()
            for name in ("c.1", "d.1"):
                async with asyncio.timeout(5.0):
                    ends = (VenueKind.CANCELED, VenueKind.NOT_FOUND)
                    while not any(e.client_order_id == name and e.kind in ends for e in world.heard):
                        client.ask(name, NOW_NS)
                        await asyncio.sleep(0.05)

    uvloop.run(main())


def test_an_order_is_accepted_filled_and_told_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as (world, client):
            assert client.submit(make_order("a", lots=4), NOW_NS) == []
            await world.until("a", VenueKind.FILL)
            assert [e.kind for e in world.heard] == [VenueKind.ACCEPTED, VenueKind.FILL]
            client.ask("a", NOW_NS)
            client.ask("nobody", NOW_NS)
            await world.until("nobody", VenueKind.NOT_FOUND)
            fills = [e for e in world.heard if e.kind is VenueKind.FILL]
            assert len(fills) == 2 and fills[0] == fills[1]  # told again with the same id

    uvloop.run(main())


def test_a_line_that_was_just_cut_takes_no_order_and_keeps_what_may_be_repeated(tmp_path: Path) -> None:
    """Between the cut and the end of the session the connection is closing: to write on it would raise."""

    async def main() -> None:
        async with running(tmp_path) as (world, client):
            resting = make_order("a", limit_ticks=990, time_in_force=TimeInForce.DAY)
            client.submit(resting, NOW_NS)
            await world.until("a", VenueKind.ACCEPTED)
            assert client._writer is not None
            client._writer.transport.abort()
            with pytest.raises(Unavailable, match="cannot be reached"):
                client.submit(make_order("b"), NOW_NS)
            with pytest.raises(Unavailable, match="cannot be reached"):
                client.replace("a", make_order("c", orig_client_order_id="a"), NOW_NS)
            client.cancel("a", NOW_NS)
            client.ask("a", NOW_NS)
            await world.until("a", VenueKind.CANCELED)
            assert client.link.connected

    uvloop.run(main())


def test_what_happened_while_the_line_was_down_is_heard_after_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as (world, client):
            client.submit(make_order("rest", limit_ticks=990, time_in_force=TimeInForce.DAY), NOW_NS)
            await world.until("rest", VenueKind.ACCEPTED)
            await world.stop()
            async with asyncio.timeout(5.0):
                while "not reached" not in client.name:
                    await asyncio.sleep(0.01)
            with pytest.raises(Unavailable, match="cannot be reached"):
                client.submit(make_order("never"), NOW_NS)
            client.cancel("rest", NOW_NS)
            client.ask("never", NOW_NS)
            await world.start()
            await world.until("rest", VenueKind.CANCELED)
            await world.until("never", VenueKind.NOT_FOUND)
            assert world.count("rest", VenueKind.ACCEPTED) == 1
            lines = (tmp_path / "venue.jsonl").read_text()
            assert "never" not in lines

    uvloop.run(main())


def test_a_venue_that_hangs_makes_orders_uncertain_and_is_asked(tmp_path: Path) -> None:
    """A listener that takes the session and the order and then says nothing; the real venue comes back in its place."""

    async def main() -> None:
        sent: list[str] = []

        async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await read_frame(reader)
                writer.write(framed(pb.VenueResponse(opened=pb.SessionOpened(last_sequence=0))))
                while True:
                    sent.append(pb.VenueRequest.FromString(await read_frame(reader)).WhichOneof("request") or "")
            writer.close()

        world = World(tmp_path)
        hanging = await asyncio.start_server(hang, "127.0.0.1", 0)
        world.address = f"127.0.0.1:{hanging.sockets[0].getsockname()[1]}"
        client = RemoteVenue(world.address, answer_timeout_s=0.3)
        await client.open(world.heard.extend)
        await reached(client)
        client.submit(make_order("a"), NOW_NS)
        await world.until("a", VenueKind.UNCERTAIN)
        hanging.close()
        await hanging.wait_closed()
        await world.start()
        await world.until("a", VenueKind.NOT_FOUND)
        assert sent.count("submit") == 1  # never sent again by itself
        assert "ORDER" not in (tmp_path / "venue.jsonl").read_text()
        await client.close()
        await world.stop()

    uvloop.run(main())


def test_a_new_session_ends_the_older_one_and_nothing_of_it_is_taken(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as (world, client):
            await client.close()
            host, _, port = world.address.rpartition(":")
            old_reader, old = await asyncio.open_connection(host, int(port))
            old.write(framed(pb.VenueRequest(open=pb.OpenSession())))
            assert response_of(await read_frame(old_reader)).WhichOneof("response") == "opened"
            new_reader, new = await asyncio.open_connection(host, int(port))
            new.write(framed(pb.VenueRequest(open=pb.OpenSession())))
            assert response_of(await read_frame(new_reader)).WhichOneof("response") == "opened"
            late = pb.SubmitOrder(order=order_to_pb(make_order("late")), now_ns=NOW_NS)
            with contextlib.suppress(ConnectionError):
                old.write(framed(pb.VenueRequest(submit=late)))
            new.write(framed(pb.VenueRequest(ask=pb.AskOrders(client_order_id=["late"]))))
            answer = response_of(await read_frame(new_reader))
            assert answer.WhichOneof("response") == "told" and not answer.told.known
            await asyncio.sleep(0.1)
            assert "late" not in (tmp_path / "venue.jsonl").read_text()
            for writer in (old, new):
                writer.close()

    uvloop.run(main())


def test_a_second_order_under_an_id_is_refused_recorded_and_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as (world, client):
            client.submit(make_order("a"), NOW_NS)
            await world.until("a", VenueKind.FILL)
            client.submit(make_order("a"), NOW_NS)
            await world.until("a", VenueKind.DUPLICATE)
            assert world.count("a", VenueKind.FILL) == 1
            assert (tmp_path / "venue.jsonl").read_text().count("DUPLICATE") == 1

    uvloop.run(main())


def test_a_venue_with_another_file_is_not_talked_to(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(tmp_path) as (world, client):
            client.submit(make_order("a"), NOW_NS)
            await world.until("a", VenueKind.FILL)
            await world.stop()
            (tmp_path / "venue.jsonl").unlink()
            await world.start()
            await asyncio.sleep(0.3)
            assert "not reached" in client.name

    uvloop.run(main())


def test_an_execution_that_hears_of_a_second_submission_stops_trading() -> None:
    execution = InProcessExecution(make_universe(), make_limits())
    execution.fence(1, "leader")
    execution.on_quotes(standing())
    execution.submit([make_order("a")], NOW_NS)
    step(execution.state, VenueEvents((VenueEvent(VenueKind.DUPLICATE, "a", NOW_NS),), 0))
    assert execution.state.trading.state is TradingState.PAUSED
    assert "a second time" in execution.state.trading.why


def test_what_settled_while_nobody_listened_is_heard_of_once_at_the_next_opening(tmp_path: Path) -> None:
    async def main() -> None:
        world = World(tmp_path)
        await world.start()
        for symbol in SYMBOLS:
            batch = standing(sequence=2, symbol=symbol, size=1000, at_ns=T0_NS + 2 * NS_PER_DAY)
            await world.bus.publish(subject(symbol), encode_quote_batch(batch))
        client = RemoteVenue(world.address)
        async with asyncio.timeout(10.0):
            while '"kind": "SETTLED"' not in (tmp_path / FILE_NAME).read_text():
                await asyncio.sleep(0.02)
        await client.open(world.heard.extend)
        try:
            await reached(client)
            settled = [e for e in world.heard if e.kind is VenueKind.SETTLED]
            assert [e.instrument for e in settled] == [7]
            await world.stop()
            async with asyncio.timeout(5.0):
                while "not reached" not in client.name:
                    await asyncio.sleep(0.01)
            await world.start()
            await reached(client)
            assert [e for e in world.heard if e.kind is VenueKind.SETTLED] == settled, "it resumes: nothing again"
        finally:
            await client.close()
            await world.stop()

    uvloop.run(main())
