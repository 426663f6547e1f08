"""Snapshots on a real server: a second manager that begins at one holds the same state; torn and deposed ones do not count."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import uvloop

from common import subjects
from common.bus import snapshots as pieces
from common.bus.nats_bus import NatsBus
from common.bus.nats_journal import NatsJournal
from common.errors import Refused, Unavailable
from common.ports import FoldSnapshot
from common.wire.codec import decode_journal_entry, encode_journal_entry
from manager.fold import apply
from manager.hash import state_hash
from manager.snapshot import encode
from manager.snapshots import Snapshots
from manager.state import ManagerState
from manager.step import start
from tests.manager_world import Desk
from tests.properties.test_manager_fold import busy_desk

pytestmark = pytest.mark.live
Scenario = Callable[[Callable[[str], Awaitable[NatsBus]]], Awaitable[None]]


@pytest.fixture
def on_nats(nats_server) -> Callable[[Scenario], None]:
    """Runs a scenario with a way to connect, on cleared streams."""

    async def main(scenario: Scenario) -> None:
        async with AsyncExitStack() as stack:

            async def connect(name: str) -> NatsBus:
                return await stack.enter_async_context(await NatsBus.connect(nats_server.url, name))

            bus = await connect("setup")
            await bus.create_streams()
            await bus.clear()
            await asyncio.wait_for(scenario(connect), 60)

    return lambda scenario: uvloop.run(main(scenario))


def append(journal: NatsJournal, desk: Desk, first: int, last: int) -> None:
    """Entries ``first`` to ``last`` of the desk's journal."""
    for entry in desk.journal[first - 1 : last]:
        journal.append(encode_journal_entry(entry))


def folded(desk: Desk, last: int) -> ManagerState:
    state = start(desk.setup)
    for entry in desk.journal[:last]:
        apply(state, entry)
    return state


async def taken_over(bus: NatsBus, desk: Desk) -> tuple[ManagerState, Snapshots, NatsJournal, int]:
    """What a new leader does before it may act; the last number is how many entries it had to read."""
    journal = NatsJournal(bus)
    snapshots = Snapshots(journal)
    state = await snapshots.load(desk.setup) or start(desk.setup)
    begun = state.journal_sequence

    def take(data: bytes) -> None:
        entry = decode_journal_entry(data)
        if entry.sequence > state.journal_sequence:
            apply(state, entry)

    tail = await journal.follow(begun + 1, take)
    await tail.stop()
    await journal.take_over("new")
    async for data in journal.read(state.journal_sequence + 1):
        take(data)
    return state, snapshots, journal, state.journal_sequence - begun


def test_snapshot_purge_and_takeover_give_the_state_of_the_whole_journal(on_nats) -> None:
    desk = busy_desk(1)
    n, cut, kept = len(desk.journal), 150, 20

    async def scenario(connect) -> None:
        bus = await connect("leader")
        leader = NatsJournal(bus)
        await leader.take_over("leader")
        append(leader, desk, 1, kept)
        await leader.flush()
        end_of_purged = await bus.last(subjects.STREAM_JOURNAL, subjects.JOURNAL_ENTRY)
        append(leader, desk, kept + 1, cut)
        writer = Snapshots(leader, every=100)
        writer.after(folded(desk, cut))
        append(leader, desk, cut + 1, n)  # while the child encodes, and its pieces fly
        while not writer.counts["stored"]:
            assert not writer.counts["failed"]
            await asyncio.sleep(0.01)
        await leader.flush()
        await bus.purge(subjects.STREAM_JOURNAL, subjects.JOURNAL_ENTRY, end_of_purged.sequence + 1)

        state, snapshots, journal, read = await taken_over(await connect("new"), desk)
        assert (snapshots.number, read) == (cut, n - cut)
        assert state_hash(state) == state_hash(desk.state)
        with pytest.raises(Refused):
            leader.append(b"late")
            await leader.flush()
        with pytest.raises(Unavailable, match=f"entries 1 to {kept} are no longer on the server"):
            [data async for data in NatsJournal(await connect("reader")).read(1)]
        stale = NatsJournal(await connect("stale"))
        with pytest.raises(Unavailable, match="no longer on the server"):
            await stale.follow(5, lambda _: None)
        assert "entries 5 to" in stale.behind
        await journal.close()
        await leader.close()

    on_nats(scenario)


def test_a_torn_snapshot_is_ignored_and_overwritten_by_the_next(on_nats) -> None:
    desk = busy_desk(2)
    n = len(desk.journal)

    def snapshot(number: int) -> FoldSnapshot:
        return FoldSnapshot(number, 1, encode(folded(desk, number).fold, "run"))

    async def scenario(connect) -> None:
        bus = await connect("leader")
        first = NatsJournal(bus)
        await first.take_over("first")
        append(first, desk, 1, n)
        await first.store_snapshot(snapshot(40))
        # Planted: a leader that dies between two pieces, and one whose last piece is not what the digest says.
        torn = pieces.split(FoldSnapshot(90, 1, bytes(3 * pieces.PIECE_BYTES)))
        slots = await pieces.newest_number(bus)
        empty = min(slots, key=slots.__getitem__)
        for message in torn[:-1]:
            await bus.store(empty, message)
        assert (await pieces.newest(bus)).number == 40
        await bus.store(empty, torn[-1][:-1] + b"x")
        assert (await pieces.newest(bus)).number == 40
        state, loaded, second, _ = await taken_over(await connect("second"), desk)
        assert loaded.number == 40 and state_hash(state) == state_hash(desk.state)
        for number in (100, 120, 130):
            await second.store_snapshot(snapshot(number))
            assert (await NatsJournal(bus).snapshot()).number == number
        stored = [await pieces._messages(bus, slot) for slot in subjects.JOURNAL_SNAPSHOTS]
        assert sorted(map(len, stored)) == [1, 1]  # two slots, each emptied by the next
        await second.close()
        await first.close()

    on_nats(scenario)


def test_a_deposed_leaders_snapshot_is_refused_even_in_the_middle(on_nats, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(connect) -> None:
        third, bus = NatsJournal(await connect("third")), await connect("new")
        old, new = NatsJournal(await connect("old")), NatsJournal(bus)
        await old.take_over("old")
        await old.store_snapshot(FoldSnapshot(7, 1, b"old"))
        await new.take_over("new")
        with pytest.raises(Refused, match="deposed by new"):
            await old.store_snapshot(FoldSnapshot(9, 1, b"late"))
        assert (await new.snapshot()).number == 7
        # Deposed while its pieces fly: what it stored is torn, and the other slot still holds the whole one.
        big = FoldSnapshot(20, 1, bytes(200 * pieces.PIECE_BYTES))
        store, sent = bus.store, []

        async def interrupted(subject: str, data: bytes, **more: object) -> int:
            sent.append(subject)
            if len(sent) == 30:
                await third.take_over("third")
            return await store(subject, data, **more)

        monkeypatch.setattr(bus, "store", interrupted)
        with pytest.raises(Refused, match="deposed by third"):
            await new.store_snapshot(big)
        assert 0 < len(await pieces._messages(bus, subjects.JOURNAL_SNAPSHOTS[1])) < 200
        assert (await third.snapshot()).data == b"old"
        for journal in (old, new, third):
            await journal.close()

    on_nats(scenario)


def test_a_snapshot_of_another_run_is_left_aside(on_nats) -> None:
    desk = busy_desk(3)

    async def scenario(connect) -> None:
        journal = NatsJournal(await connect("leader"))
        await journal.take_over("leader")
        await journal.store_snapshot(FoldSnapshot(9, 1, encode(folded(desk, 9).fold, "another run")))
        snapshots = Snapshots(journal)
        assert await snapshots.load(desk.setup) is None
        assert snapshots.counts["refused"] == 1
        await journal.close()

    on_nats(scenario)


def test_a_child_that_fails_costs_that_snapshot_and_nothing_else(on_nats, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = busy_desk(4)

    async def scenario(connect) -> None:
        journal = NatsJournal(await connect("leader"))
        await journal.take_over("leader")
        append(journal, desk, 1, 60)
        snapshots = Snapshots(journal, every=10)
        monkeypatch.setattr("manager.snapshots.encode", lambda *_: (_ for _ in ()).throw(MemoryError))
        snapshots.after(folded(desk, 60))
        while not snapshots.counts["failed"]:
            await asyncio.sleep(0.01)
        monkeypatch.undo()
        append(journal, desk, 61, 65)
        snapshots.after(folded(desk, 65))
        assert snapshots.status()["number"] == 60  # not due again before ten more
        append(journal, desk, 66, 70)
        snapshots.after(folded(desk, 70))
        while not snapshots.counts["stored"]:
            await asyncio.sleep(0.01)
        assert (await journal.snapshot()).number == 70
        await snapshots.close()
        await journal.close()

    on_nats(scenario)
