"""The venue's shell over an engine that only notes what it is told to send."""

from __future__ import annotations

import asyncio

import pytest

from common.errors import Unavailable
from common.messages import OrdStatus
from execution.venues.fix import venue as venue_module
from execution.venues.fix.message import FixMessage, Tag
from execution.venues.fix.news import News, Said
from execution.venues.fix.venue import FixVenue
from execution.venues.port import AsksRecords, CancelsAll, LinkedVenue, VenueEvent, VenueKind
from tests.fix_market import fix_order, fix_universe
from tests.fix_world import fix_config
from tests.unit.test_fix_ledger import Records, said


class Engine:
    def __init__(self) -> None:
        self.sent: list[FixMessage] = []
        self.works = True
        self.restarts = 0
        self.breaks = False

    def start(self, tell) -> None:
        self.tell = tell

    def send(self, message: FixMessage) -> bool:
        self.sent.append(message)
        return self.works

    async def restart(self) -> None:
        self.restarts += 1
        if self.breaks:
            raise OSError("no space left on device")

    async def stop(self) -> None:
        self.sent.append(FixMessage("stopped", ()))

    def kinds(self) -> list[str]:
        out = [m.msg_type for m in self.sent]
        self.sent.clear()
        return out


class World:
    def __init__(self, **changes: object) -> None:
        self.engine, self.records, self.heard = Engine(), Records(), list[VenueEvent]()
        self.venue = FixVenue(fix_config(1, **changes), fix_universe(), self.engine)
        self.venue.use(self.records)

    async def __aenter__(self) -> World:
        await self.venue.open(self.heard.extend)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.venue.close()

    def tell(self, what: Said, message: FixMessage | None = None) -> None:
        self.engine.tell(News(what, message))

    def open_gate(self) -> None:
        self.tell(Said.LOGGED_ON)
        self.answer_probe()

    def answer_probe(self) -> None:
        probe = next(m for m in reversed(self.engine.sent) if m.msg_type == "1")
        self.tell(Said.HEARD, said("0", TestReqID=probe.text(Tag.TestReqID)))


def test_it_is_what_the_service_takes_it_for() -> None:
    venue = World().venue
    assert isinstance(venue, LinkedVenue) and isinstance(venue, AsksRecords) and isinstance(venue, CancelsAll)


def test_orders_wait_for_the_gate_and_questions_and_cancels_go_first() -> None:
    async def play() -> None:
        async with World() as world:
            world.records.put(fix_order("old"), OrdStatus.NEW)
            world.records.put(fix_order("doubt"), OrdStatus.UNKNOWN)
            world.venue.cancel("old", 1)
            world.venue.ask("doubt", 1)
            assert (world.venue.link.connected, world.venue.link.since_ns) == (False, 0)
            with pytest.raises(Unavailable, match="down"):
                world.venue.submit(fix_order("new"), 1)
            world.tell(Said.LOGGED_ON)
            with pytest.raises(Unavailable, match="catching up"):
                world.venue.submit(fix_order("new"), 1)
            assert "catching up" in world.venue.name and "missed" in world.venue.link.waits_for
            world.answer_probe()
            assert world.venue.link.connected and world.venue.link.since_ns > 0
            assert world.engine.kinds() == ["1", "AF", "H", "H", "F"]
            world.venue.submit(fix_order("new"), 1)
            world.venue.ask("doubt", 1)  # on its way already
            assert world.engine.kinds() == ["D"] and "," not in world.venue.name

    asyncio.run(play())


def test_a_break_makes_what_was_sent_uncertain_and_only_that() -> None:
    async def play() -> None:
        async with World() as world:
            world.open_gate()
            for name in ("sent", "heard"):
                world.records.put(fix_order(name), OrdStatus.PENDING_NEW)
                world.venue.submit(fix_order(name), 1)
            world.tell(Said.HEARD, said("8", ClOrdID="heard", ExecType="A", ExecID="0"))
            world.tell(Said.LOGGED_OUT)
            assert [(e.kind, e.client_order_id) for e in world.heard] == [(VenueKind.UNCERTAIN, "sent")]
            world.engine.kinds()
            world.open_gate()
            asked = [m.text(Tag.ClOrdID) for m in world.engine.sent if m.msg_type == "H"]
            assert asked == ["sent"]

    asyncio.run(play())


def test_an_engine_that_does_not_begin_anew_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(venue_module, "LOOK_S", 0.005)

    async def play() -> None:
        async with World(answer_timeout_s=0.03, restart_s=0.02) as world:
            world.engine.breaks = True
            await asyncio.sleep(0.2)
            assert world.engine.restarts >= 2
            world.engine.breaks = False
            world.open_gate()
            world.venue.submit(fix_order("slow"), 1)
            await asyncio.sleep(0.08)
            assert [e.kind for e in world.heard] == [VenueKind.UNCERTAIN]

    asyncio.run(play())
    assert "no space left" in caplog.text


def test_what_waits_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(venue_module, "LOOK_S", 0.005)
    monkeypatch.setattr(venue_module, "PROBE_S", 0.02)

    async def play() -> None:
        async with World(answer_timeout_s=0.03, restart_s=0.05) as world:
            await asyncio.sleep(0.1)
            assert world.engine.restarts >= 1
            world.tell(Said.LOGGED_ON)
            await asyncio.sleep(0.08)
            probes = world.engine.kinds()
            assert len(probes) >= 2 and set(probes) == {"1"}
            world.tell(Said.LOGGED_OUT)
            world.open_gate()
            world.venue.submit(fix_order("slow"), 1)
            await asyncio.sleep(0.08)
            assert [(e.kind, e.client_order_id) for e in world.heard] == [(VenueKind.UNCERTAIN, "slow")]

    asyncio.run(play())


def test_an_engine_that_takes_nothing_leaves_nothing_behind() -> None:
    async def play() -> None:
        async with World() as world:
            world.open_gate()
            world.engine.works = False
            with pytest.raises(Unavailable, match="took no order"):
                world.venue.submit(fix_order("new"), 1)
            world.tell(Said.LOGGED_OUT)
            assert world.heard == []

    asyncio.run(play())


def test_a_kill_asks_for_everything_if_anybody_listens() -> None:
    async def play() -> None:
        async with World() as world:
            world.venue.cancel_all(1)
            assert world.engine.kinds() == []
            world.tell(Said.LOGGED_ON)
            world.venue.cancel_all(1)
            world.venue.cancel_all(1)
            ids = [m.text(Tag.ClOrdID) for m in world.engine.sent if m.msg_type == "q"]
            assert len(ids) == len(set(ids)) == 2

    asyncio.run(play())


def test_it_is_not_opened_before_it_knows_our_records() -> None:
    venue = FixVenue(fix_config(1), fix_universe(), Engine())
    with pytest.raises(RuntimeError, match="before it is opened"):
        asyncio.run(venue.open(lambda _: None))
