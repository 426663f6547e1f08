"""A feed that hangs whole: time stands, so nothing grows old by itself; nothing is traded until its quotes are back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.fuzz_bus_world import RUN_ID, setting
from benchmarks.fuzz_bus_world import Desk as Execution
from common import factors, subjects
from common.bus.memory_bus import MemoryBus, MemoryJournal, MemoryKey, MemoryLease, MemoryLog
from common.clock import ManualClock, WallClock
from common.control_messages import CancelAsked, FeedSilence
from common.messages import Header, Heartbeat, OrdStatus, QuoteBatch, TradingState
from common.ports import Subscription
from common.wire import codec
from console.projections import view_of
from console.story import story
from lab.simulator.market import path_of
from manager import events as ev
from manager import service
from manager.feed_watch import LOOK_S, FeedWatch
from manager.fold import apply
from manager.hash import state_hash
from manager.service import ManagerService, Ports
from manager.state import ManagerSetup, start
from manager.status import status
from manager.step import step
from tests.manager_world import Desk, delta_desk
from tests.steering_world import by_hand

DELTA = factors.delta("SPX")
SILENT, HEARD = ev.FeedNoted(5.0, 7), ev.FeedNoted(0.0, 9)


def silences(desk: Desk) -> list[float]:
    return [e.event.silent_s for e in desk.journal if isinstance(e.event, FeedSilence)]


# -- the core ----------------------------------------------------------------------------------------------------------


def test_nothing_is_decided_while_it_is_silent_and_what_was_due_is_decided_afterwards() -> None:
    desk = delta_desk()
    desk.send(SILENT)
    desk.propose("gamma-0", {DELTA: 3e6}, 3e5, menu=[0])
    assert desk.decide() == []
    desk.send(HEARD)
    assert len(desk.decide()) == 1 and silences(desk) == [5.0, 0.0]


def test_what_works_is_cancelled_once_and_for_that_reason() -> None:
    desk = delta_desk()
    desk.propose("gamma-0", {DELTA: 3e6}, 3e5, menu=[0])
    (order,) = desk.decide()
    desk.send(ev.ReportArrived(0, desk.report(order, OrdStatus.NEW)))
    desk.decide()
    assert not any(isinstance(i, ev.Cancel) for i in desk.out), "it is young"
    desk.send(SILENT)
    desk.decide()
    desk.decide()
    assert [i.client_order_id for i in desk.out if isinstance(i, ev.Cancel)] == [(order.client_order_id,)]
    (asked,) = [e.event for e in desk.journal if isinstance(e.event, CancelAsked)]
    assert asked == CancelAsked((order.client_order_id,), "feed silent")
    told = story(order.client_order_id, desk.journal, desk.world).text()
    assert "feed silent" in told


def test_a_hedge_by_hand_is_refused_and_the_same_person_may_ask_again_later() -> None:
    desk = Desk(owner={})
    desk.send(ev.FeedNoted(6.5, 0))
    refused = by_hand(desk, "h1", "BUY", 5, 0)
    assert not refused.accepted and "reference: nothing heard of the feed for 6.5 s" in refused.text
    assert desk.orders == []
    desk.send(HEARD)
    assert by_hand(desk, "h2", "BUY", 5, 0).accepted


def test_it_stands_in_the_record_once_each_way_and_the_next_leader_knows_it() -> None:
    desk = delta_desk()
    for event in (HEARD, SILENT, ev.FeedNoted(6.0, 8)):
        desk.send(event)
    assert silences(desk) == [5.0]
    heir = start(desk.setup)
    for entry in desk.journal:
        apply(heir, entry)
    assert heir.fold.feed_silent_s == 5.0 and state_hash(heir) == state_hash(desk.state)
    desk.take_over(2)
    desk.propose("gamma-0", {DELTA: 3e6}, 3e5, menu=[0])
    assert desk.decide() == []
    desk.send(HEARD)
    assert len(desk.decide()) == 1


def test_who_does_not_lead_notes_nothing() -> None:
    desk = delta_desk()
    standby = start(desk.setup)
    assert step(standby, SILENT)[1] == [] and standby.fold.feed_silent_s == 0.0


def test_people_see_it() -> None:
    desk = delta_desk()
    desk.send(SILENT)
    view = view_of(status(desk.state, 0))
    assert view.state == "FEED SILENT" and "nothing heard of the feed for 5 s" in view.why
    desk.state.fold.trading = TradingState.PAUSED
    view = view_of(status(desk.state, 0))
    assert view.state == "PAUSED" and "nothing heard of the feed" in view.why
    desk.send(HEARD)
    assert "feed" not in view_of(status(desk.state, 0)).why


# -- the count ---------------------------------------------------------------------------------------------------------


def looks(watch: FeedWatch, n: int, *, silent: bool = False, begun: bool = True) -> list[float | None]:
    return [watch.look(silent=silent, begun=begun, limit_s=1.0) for _ in range(n)]


def test_it_is_silent_after_as_many_looks_without_a_word() -> None:
    watch, n = FeedWatch(), round(1.0 / LOOK_S)
    assert looks(watch, n - 1) == [None] * (n - 1)
    assert looks(watch, 1) == [1.0]
    assert looks(watch, 3, silent=True) == [None] * 3, "it is known"


@pytest.mark.parametrize("word", ["beat", "quotes"])
def test_any_word_begins_the_count_anew(word: str) -> None:
    watch, n = FeedWatch(), round(1.0 / LOOK_S)
    looks(watch, n - 1)
    getattr(watch, word)()
    assert not any(looks(watch, n - 1))


def test_only_quotes_end_it() -> None:
    watch = FeedWatch()
    looks(watch, 9)
    watch.beat()
    assert watch.beats() and not watch.beats()
    assert looks(watch, 2, silent=True) == [None, None]
    watch.quotes()
    assert looks(watch, 2, silent=True) == [0.0, None]


def test_quotes_of_before_are_no_sign_that_it_is_back() -> None:
    watch = FeedWatch()
    watch.quotes()
    looks(watch, 9)
    assert looks(watch, 1, silent=True) == [None]


def test_a_feed_that_never_was_is_not_silent() -> None:
    watch = FeedWatch()
    assert not any(looks(watch, 50, begun=False))
    watch.beat()
    assert any(looks(watch, 50, begun=False)), "it was there and is not any more"


# -- the shell ---------------------------------------------------------------------------------------------------------


class Market:
    """A feed in the test's hand: batches, beats, answers."""

    def __init__(self, bus: MemoryBus, setup: ManagerSetup) -> None:
        self._bus, self._path = bus, path_of(setup.universe, random.Random(1), 10**6)
        self._last: dict[str, QuoteBatch] = {}
        self.asked = 0
        self._serving: Subscription | None = None

    async def quote(self) -> None:
        for batch in next(self._path):
            symbol = batch.header.source.removeprefix("feed.")
            self._last[symbol] = batch
            await self._bus.publish(subjects.quotes(symbol), codec.encode_quote_batch(batch))

    async def beat(self) -> None:
        beat = codec.encode_heartbeat(Heartbeat(Header("feed", 1, 0), 0, "feeding"))
        await self._bus.publish(subjects.MARKET_HEARTBEAT, beat)

    async def serve(self) -> None:
        async def answer(subject: str, _: bytes) -> bytes:
            self.asked += 1
            return codec.encode_quote_batch(replace(self._last[subject.rpartition(".")[2]], snapshot=True))

        self._serving = await self._bus.serve(subjects.snapshot("*"), answer)


def test_a_manager_hears_that_its_feed_hangs_and_asks_it_for_what_stands_when_it_beats_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "LOOK_S", 0.02)  # looks more often; each counts for as much

    async def until(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not holds():
                await asyncio.sleep(0.01)

    async def scenario() -> None:
        s = setting()
        setup = ManagerSetup(s.universe, s.book, s.manager, s.limits, RUN_ID)
        bus, log, stop = MemoryBus(), MemoryLog(), asyncio.Event()
        desk = Execution(TradingState.ACTIVE)
        lease = MemoryLease(MemoryKey(), WallClock())
        made = ManagerService(setup, Ports(bus, MemoryJournal(log), lease, desk, ManualClock(1)), "manager-a")
        running = asyncio.create_task(made.run(stop))
        market = Market(bus, setup)
        await until(lambda: made.leading)
        await asyncio.sleep(0.5)
        assert made.state.fold.feed_silent_s == 0.0, "it has not begun"
        await market.quote()
        await until(lambda: made.state.fold.feed_silent_s >= s.manager.feed_silent_s)
        await market.beat()
        await asyncio.sleep(0.1)
        assert made.state.fold.feed_silent_s > 0.0, "it lives and has said nothing of prices"
        await market.serve()
        await market.beat()
        await until(lambda: made.state.fold.feed_silent_s == 0.0)
        assert market.asked >= len(setup.universe.symbols)
        assert made.state.fold.counts["feed silences"] >= 1
        stop.set()
        await asyncio.wait_for(running, 20)

    asyncio.run(scenario())
