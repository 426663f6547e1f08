"""A feed that hangs whole: time stands, so nothing grows old by itself; nothing is traded until its quotes are back."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace

import pytest

from benchmarks.fuzz_bus_world import RUN_ID, setting
from benchmarks.fuzz_bus_world import Desk as Execution
from common import factors, subjects
from common.bus.memory_bus import MemoryBus, MemoryJournal, MemoryKey, MemoryLease, MemoryLog
from common.clock import ManualClock, WallClock
from common.control_messages import CancelAsked, FeedSilence
from common.messages import Header, Heartbeat, OrdStatus, QuoteBatch, TradingState
from common.wire import codec
from console.projections import view_of
from console.story import story
from lab.simulator.market import path_of
from manager import events as ev
from manager.feed_watch import LOOK_S, FeedWatch, Silence
from manager.fold import apply
from manager.hash import state_hash
from manager.service import ManagerService, Ports
from manager.state import ManagerSetup, start
from manager.status import status
from manager.step import step
from tests.manager_world import Desk, delta_desk
from tests.steering_world import by_hand

DELTA = factors.delta("SPX")
#: Wall seconds in which what is to happen happens, on any machine.
SOON_S = 20.0
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
    assert not refused.accepted and "reference: nothing heard of the feed for more than 6.5 s" in refused.text
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
    assert view.state == "FEED SILENT" and "nothing heard of the feed for more than 5 s" in view.why
    desk.state.fold.trading = TradingState.PAUSED
    view = view_of(status(desk.state, 0))
    assert view.state == "PAUSED" and "nothing heard of the feed" in view.why
    desk.send(HEARD)
    assert "feed" not in view_of(status(desk.state, 0)).why


# -- the count ---------------------------------------------------------------------------------------------------------

AAA = ("feed.AAA",)
BOTH = ("feed.AAA", "feed.BBB")


def looks(count: Silence, n: int, *, noted: bool = False, standing: Sequence[str] = AAA) -> list[float | None]:
    return [count.look(LOOK_S, 1.0, noted=noted, standing=standing) for _ in range(n)]


def test_it_is_silent_after_so_long_without_a_word() -> None:
    count, n = Silence(), round(1.0 / LOOK_S)
    assert looks(count, n - 1) == [None] * (n - 1)
    assert looks(count, 1) == [1.0]
    assert looks(count, 3, noted=True) == [None] * 3, "it is known"


def test_a_look_counts_for_what_has_passed_and_for_a_second_at_most() -> None:
    """Frozen for a minute, a manager had no time to hear; one that looks rarely has."""
    frozen, slow = Silence(), Silence()
    assert frozen.look(60.0, 2.0, noted=False, standing=AAA) is None
    assert [slow.look(0.7, 2.0, noted=False, standing=AAA) is None for _ in range(3)] == [True, True, False]


@pytest.mark.parametrize("word", [lambda count: count.beat(), lambda count: count.quotes("feed.AAA")])
def test_any_word_begins_the_count_anew(word: Callable[[Silence], None]) -> None:
    count, n = Silence(), round(1.0 / LOOK_S)
    looks(count, n - 1)
    word(count)
    assert count.heard
    assert not any(looks(count, n)) and not count.heard
    assert any(looks(count, 1))


def test_only_quotes_of_every_source_end_it() -> None:
    count = Silence()
    looks(count, 9, standing=BOTH)
    count.beat()
    assert looks(count, 1, noted=True, standing=BOTH) == [None]
    count.quotes("feed.AAA")
    assert looks(count, 2, noted=True, standing=BOTH) == [None, None] and count.missing(BOTH) == ["feed.BBB"]
    count.quotes("feed.BBB")
    assert looks(count, 1, noted=True, standing=BOTH) == [0.0]


def test_what_was_said_before_it_fell_silent_once_more_is_no_sign_that_it_is_back() -> None:
    count = Silence()
    count.quotes("feed.AAA")
    looks(count, 9, standing=BOTH)
    assert looks(count, 1, noted=True, standing=AAA) == [None]
    count.quotes("feed.AAA")
    looks(count, 9, noted=True, standing=BOTH)
    count.quotes("feed.BBB")
    assert looks(count, 1, noted=True, standing=BOTH) == [None] and count.missing(BOTH) == ["feed.AAA"]


def test_where_no_quotes_stand_a_silence_does_not_end() -> None:
    count = Silence()
    count.beat()
    assert looks(count, 3, noted=True, standing=()) == [None] * 3


# -- the shell ---------------------------------------------------------------------------------------------------------


class Shell:
    """A leader that waits for 0.4 s, with everything around it in memory and a feed in the test's hand."""

    def __init__(self) -> None:
        s = setting()
        config = s.manager.model_copy(update={"feed_silent_s": 0.4})  # no person may set less than 1.5 s
        self.setup = ManagerSetup(s.universe, s.book, config, s.limits, RUN_ID)
        self.bus, lease = MemoryBus(), MemoryLease(MemoryKey(), WallClock())
        ports = Ports(self.bus, MemoryJournal(MemoryLog()), lease, Execution(TradingState.ACTIVE), ManualClock(1))
        self.made = ManagerService(self.setup, ports, "manager-a")
        self._path = path_of(s.universe, random.Random(1), 10**6)
        self._last: dict[str, QuoteBatch] = {}
        self.asked: list[str] = []

    @property
    def silent(self) -> bool:
        return self.made.state.fold.feed_silent_s > 0.0

    async def quote(self, *symbols: str) -> None:
        for batch in next(self._path):
            symbol = batch.header.source.removeprefix("feed.")
            if symbol in symbols:
                self._last[symbol] = batch
                await self.bus.publish(subjects.quotes(symbol), codec.encode_quote_batch(batch))

    async def beat(self) -> None:
        beat = codec.encode_heartbeat(Heartbeat(Header("feed", 1, 0), 0, "feeding"))
        await self.bus.publish(subjects.MARKET_HEARTBEAT, beat)

    async def answer_for(self, *symbols: str) -> None:
        async def answer(subject: str, _: bytes) -> bytes:
            symbol = subject.rpartition(".")[2]
            self.asked.append(symbol)
            if symbol not in symbols:
                await asyncio.sleep(60.0)  # it hangs again
            return codec.encode_quote_batch(replace(self._last[symbol], snapshot=True))

        await self.bus.serve(subjects.snapshot("*"), answer)


def scene(act: Callable[[Shell], Coroutine[None, None, None]]) -> None:
    async def played() -> None:
        shell, stop = Shell(), asyncio.Event()
        running = asyncio.create_task(shell.made.run(stop))
        await until(lambda: shell.made.leading)
        await act(shell)
        stop.set()
        assert await asyncio.wait_for(running, SOON_S) == "stopped"

    asyncio.run(played())


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON_S):
        while not holds():
            await asyncio.sleep(0.01)


def test_a_feed_that_beats_again_is_asked_for_everything_that_stands() -> None:
    async def act(shell: Shell) -> None:
        await shell.beat()
        await asyncio.sleep(1.0)
        assert not shell.silent, "the market has not begun"
        await shell.quote("AAA", "BBB")
        await until(lambda: shell.silent)
        await asyncio.sleep(1.0)
        assert shell.silent and not shell.asked, "nobody to ask"
        await shell.answer_for("AAA", "BBB")
        await shell.beat()
        await until(lambda: not shell.silent)
        assert set(shell.asked) == {"AAA", "BBB"}

    scene(act)


def test_one_source_does_not_end_it_for_another_which_is_asked() -> None:
    async def act(shell: Shell) -> None:
        await shell.quote("AAA", "BBB")
        await until(lambda: shell.silent)
        await shell.answer_for("AAA")
        for _ in range(10):
            await shell.quote("AAA")
            await asyncio.sleep(0.1)
        assert shell.silent and "BBB" in shell.asked
        for _ in range(10):
            await shell.quote("AAA", "BBB")
            await asyncio.sleep(0.1)
        assert not shell.silent

    scene(act)


def test_a_feed_that_answers_for_one_source_and_hangs_again_is_still_silent() -> None:
    async def act(shell: Shell) -> None:
        await shell.quote("AAA", "BBB")
        await until(lambda: shell.silent)
        await shell.answer_for("AAA")
        await shell.beat()
        await until(lambda: bool(shell.asked))
        await asyncio.sleep(1.5)
        assert shell.silent

    scene(act)


def test_a_manager_that_cannot_look_any_more_does_not_lead_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no more looks")

    async def played() -> None:
        shell = Shell()
        running = asyncio.create_task(shell.made.run(asyncio.Event()))
        await until(lambda: shell.made.leading)
        monkeypatch.setattr(FeedWatch, "look", fail)
        with pytest.raises(RuntimeError, match="no more looks"):
            await asyncio.wait_for(running, SOON_S)

    asyncio.run(played())
