"""A running service and its venue disagree: found at the start, halted with a statement, lifted by name and not halted again."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from common.bus.memory_bus import MemoryBus
from common.messages import OrdStatus, TimeInForce, TradingState
from common.subjects import quotes as subject
from common.tactics import Tactic, TacticKind
from common.units import NS_PER_DAY, NS_PER_S
from common.wire.codec import encode_quote_batch
from execution.config import ExecutionConfig, PaperConfig
from execution.venues.paper import PaperVenue
from execution.venues.record import RecordKind, VenueRecord, to_line
from execution.venues.remote import RemoteVenue
from execution.venues.server import serve_venue
from tests.execution_world import (
    SYMBOLS,
    T0_NS,
    Desk,
    make_config,
    make_limits,
    make_order,
    make_universe,
    running,
    standing,
    until,
)

pytestmark = pytest.mark.live


class VenueProcess:
    """The venue of a folder on a port of its own, until the block ends."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._stop = folder, asyncio.Event()

    async def __aenter__(self) -> str:
        bus = self.bus = MemoryBus()
        bound: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._job = asyncio.create_task(
            serve_venue(
                "127.0.0.1:0", self._folder, bus, make_universe(), PaperConfig(), (), 50.0, self._stop,
                ready=bound.set_result,
            )
        )  # fmt: skip
        address = await asyncio.wait_for(bound, 5.0)
        for symbol in SYMBOLS:
            await bus.publish(subject(symbol), encode_quote_batch(standing(symbol=symbol, size=1000)))
        return address

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await self._job


def config(folder: Path, **changes: object) -> ExecutionConfig:
    limits = make_limits(max_orders_per_window=1000)
    return make_config(folder / "store", limits=limits, reconcile_every_s=0.3, reconcile_tolerance_s=0.2, **changes)


async def state_of(desk: Desk) -> dict[str, object]:
    return await desk.client.status()


async def halted(desk: Desk) -> dict[str, object]:
    async with asyncio.timeout(10.0):
        while (await state_of(desk))["state"] == "ACTIVE":
            await asyncio.sleep(0.05)
    return await state_of(desk)


def test_an_extra_fill_in_the_venues_file_is_found_at_the_start_and_halts_until_lifted(tmp_path: Path) -> None:
    async def main() -> None:
        async with (
            VenueProcess(tmp_path / "venue") as address,
            running(config(tmp_path), RemoteVenue(address)) as desk,
        ):
            await desk.client.submit([make_order("a", lots=3), make_order("b", 1, lots=2)])
            await asyncio.wait_for(desk.client.reports_between(1, 4), 10.0)
            clean = await desk.client.reconcile(full=True)
            assert (clean["breaks"], clean["in_doubt"], clean["fills"], clean["positions"]) == ([], [], 2, 2)
            assert (clean["why_not"], clean["state"]) == ("", "ACTIVE")
            rest = make_order("r", 2, lots=5, limit_ticks=990, time_in_force=TimeInForce.DAY)
            more = make_order("s", 2, lots=6, limit_ticks=991, time_in_force=TimeInForce.DAY, orig_client_order_id="r")
            await desk.client.submit([rest])
            await asyncio.wait_for(desk.client.reports_between(5, 5), 10.0)
            await desk.client.submit([more])
            await asyncio.wait_for(desk.client.reports_between(6, 7), 10.0)
            clean = await desk.client.reconcile(full=True)
            assert (clean["breaks"], clean["in_doubt"], clean["orders"]) == ([], [], 1)
        plant(tmp_path / "venue" / "venue.jsonl")
        async with (
            VenueProcess(tmp_path / "venue") as address,
            running(config(tmp_path), RemoteVenue(address), fence=2) as desk,
        ):
            status = await halted(desk)
            assert (status["state"], status["who"]) == ("PAUSED", "execution")
            for said in ("1 breaks", "planted of order a", "here none", "bought 1 lots", "at 1002 ticks"):
                assert said in str(status["why"]), status["why"]
            answer = await desk.client.reconcile(full=True)
            assert [b["kind"] for b in answer["breaks"]] == ["FILL_ONLY_THERE"]
            since = answer["breaks"][0]["since_wall_ns"]
            assert 0 < since <= answer["wall_ns"]
            await desk.client.set_trading_state(TradingState.ACTIVE, "ann", "the broker confirmed the fill by phone")
            await asyncio.sleep(1.0)  # two turns of the timer
            assert (await state_of(desk))["who"] == "ann"
            assert len((await desk.client.reconcile())["breaks"]) == 1
            assert (await state_of(desk))["state"] == "ACTIVE"

    uvloop.run(main())


def plant(path: Path) -> None:
    """One more line in the venue's file: a fill of order a that nobody here heard of."""
    last = json.loads(path.read_text().splitlines()[-1])
    record = VenueRecord(
        last["sequence"] + 1, RecordKind.FILL, "a", last["event_time_ns"], "planted", 1, 1002, 125, 1000, 1002
    )
    with path.open("a") as file:
        file.write(to_line(record))


def test_the_venue_inside_agrees_while_orders_flow_and_after_a_restart(tmp_path: Path) -> None:
    async def main() -> None:
        for epoch in (1, 2):
            async with running(config(tmp_path), fence=epoch) as desk:
                for k in range(30):
                    await desk.client.submit([make_order(f"{epoch}-{k}", k % 3, epoch=epoch)])
                    await asyncio.sleep(0.01)
                await until(lambda desk=desk: len(desk.acks) == 30)
                assert {a.text for a in desk.acks} == {""}
                await asyncio.wait_for(desk.client.reports_between(1, epoch * 60), 20.0)
                answer = await desk.client.reconcile(full=True)
                assert (answer["breaks"], answer["in_doubt"], answer["fills"]) == ([], [], 30)
                assert (await state_of(desk))["state"] == "ACTIVE"

    uvloop.run(main())


@pytest.mark.parametrize("where", ["inside", "a process"])
def test_what_has_settled_is_no_break_nor_after_a_restart(tmp_path: Path, where: str) -> None:
    """Both sides compare what was traded: the expired option's lots are gone here and still in the venue's count."""
    expired = encode_quote_batch(
        replace(standing(5, "BBB", 1000, at_ns=T0_NS + NS_PER_DAY + NS_PER_S), snapshot=True),
    )

    async def life(desk: Desk, bus: MemoryBus, epoch: int) -> None:
        if epoch == 1:
            await desk.client.submit([make_order("dies", 7, lots=3), make_order("lives", 5, lots=2)])
            await asyncio.wait_for(desk.client.reports_between(1, 4), 10.0)
            for quoted in {id(b): b for b in (desk.bus, bus)}.values():
                await quoted.publish(subject("BBB"), expired)
            told = await asyncio.wait_for(desk.client.reports_between(5, 5), 10.0)
            assert [r.ord_status for r in told] == [OrdStatus.SETTLED]
        answer = await desk.client.reconcile(full=True)
        assert (answer["why_not"], answer["breaks"], answer["in_doubt"]) == ("", [], [])
        assert (await state_of(desk))["state"] == "ACTIVE"

    async def main() -> None:
        for epoch in (1, 2):
            if where == "inside":
                async with running(config(tmp_path), fence=epoch) as desk:
                    await life(desk, desk.bus, epoch)
                continue
            venue = VenueProcess(tmp_path / "venue")
            async with venue as address, running(config(tmp_path), RemoteVenue(address), fence=epoch) as desk:
                await life(desk, venue.bus, epoch)

    uvloop.run(main())


def test_of_a_worked_order_the_children_are_compared_and_the_parent_is_not(tmp_path: Path) -> None:
    rests = Tactic(TacticKind.PASSIVE, budget_ms=80_000_000, interval_ms=1000)
    slices = Tactic(TacticKind.SLICED, participation_percent=100, budget_ms=600_000, interval_ms=1000)

    async def main() -> None:
        async with running(config(tmp_path)) as desk:
            await desk.client.submit([make_order("rests", 0, lots=4, limit_ticks=990, tactic=rests)])
            await desk.client.submit([make_order("slices", 1, lots=4, tactic=slices)])
            async with asyncio.timeout(20.0):
                while (answer := await desk.client.reconcile(full=True))["fills"] != 1 or answer["orders"] != 1:
                    await asyncio.sleep(0.05)
            assert (answer["breaks"], answer["in_doubt"], answer["positions"]) == ([], [], 1)
            reports = await desk.client.reports_between(1, 3)
            assert [r.child_order_id for r in reports if r.last_lots] == ["slices.1"]
            assert (await state_of(desk))["state"] == "ACTIVE"

    uvloop.run(main())


def test_a_venue_without_a_statement_is_said_to_be_so_and_halts_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(config(tmp_path), PaperVenue(make_universe(), PaperConfig())) as desk:
            answer = await desk.client.reconcile()
            assert answer["why_not"] == "the venue paper makes no statement"
            assert (answer["breaks"], answer["state"]) == ([], "ACTIVE")

    uvloop.run(main())


def test_a_venue_that_cannot_be_reached_is_said_to_be_so_and_halts_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with running(config(tmp_path), RemoteVenue("127.0.0.1:1")) as desk:
            answer = await desk.client.reconcile()
            assert "cannot be reached" in str(answer["why_not"])
            assert (answer["breaks"], answer["state"]) == ([], "ACTIVE")

    uvloop.run(main())
