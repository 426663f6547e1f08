"""The journal on a real server stays short, and its folder whole: segments, purges, restarts, nothing lost or doubled."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import uvloop

from common import subjects
from common.bus import snapshots
from common.bus.framing import first_number
from common.bus.nats_bus import NatsBus
from common.bus.nats_journal import NatsJournal
from common.errors import Unavailable
from common.ports import FoldSnapshot
from common.wire.delimited import read_messages
from deploy.config import RecordConfig
from deploy.recorder import Recorder, recorded, segments

pytestmark = pytest.mark.live
CONFIG = RecordConfig(snapshot_every=50, keep_entries=100, segment_entries=40)


async def on_server(journal: NatsJournal) -> list[int]:
    """Numbers of the entries the server still holds."""
    found = await journal._bus.fetch(subjects.STREAM_JOURNAL, subjects.JOURNAL_ENTRY, 1)
    if not found:
        return []
    return [int(data) async for data in journal.read(first_number(found[0].data))]


async def append(journal: NatsJournal, first: int, last: int) -> None:
    """Entries that say their own number, some alone in a message and some together."""
    for number in range(first, last + 1):
        journal.append(b"%d" % number)
        if number % 7 == 0:
            await journal.flush()
    await journal.flush()


def run(nats_server, scenario) -> None:
    async def main() -> None:
        async with await NatsBus.connect(nats_server.url, "recorder") as bus:
            await bus.create_streams()
            await bus.clear()
            journal = NatsJournal(bus)
            await journal.take_over("leader")
            await asyncio.wait_for(scenario(bus, journal), 30)
            await journal.close()

    uvloop.run(main())


def test_segments_are_cut_behind_snapshots_and_the_folder_holds_every_entry_once(nats_server, tmp_path: Path) -> None:
    async def scenario(bus: NatsBus, journal: NatsJournal) -> None:
        recorder = Recorder(bus, tmp_path, CONFIG)
        await append(journal, 1, 300)
        assert await recorder.export() == 0  # without a snapshot nothing leaves the server
        await journal.store_snapshot(FoldSnapshot(139, 1, b"state"))
        assert await recorder.export() == 0  # 139 - 100 kept is less than a segment
        await journal.store_snapshot(FoldSnapshot(250, 1, b"state"))
        assert await recorder.export() in (3, 4)  # cut between messages, never beyond 40 entries
        left = await on_server(journal)
        assert left[0] == recorder.exported + 1 <= 250 - 100 + 1 and left[-1] == 300
        assert [int(data) for data in recorded(tmp_path)] == list(range(1, recorder.exported + 1))
        with pytest.raises(Unavailable, match="no longer on the server"):
            [data async for data in NatsJournal(bus).read(1)]
        # A launcher that was killed and came back goes on where the folder ends.
        again = Recorder(bus, tmp_path, CONFIG)
        assert again.exported == recorder.exported
        await append(journal, 301, 420)
        await journal.store_snapshot(FoldSnapshot(400, 1, b"state"))
        assert await again.export() >= 2
        assert await again.finish() == 420
        assert [int(data) for data in recorded(tmp_path)] == list(range(1, 421))
        assert all(sum(1 for _ in read_messages(path)) <= 40 for path in segments(tmp_path))
        assert not list(tmp_path.glob("*.part"))

    run(nats_server, scenario)


def test_a_segment_that_cannot_be_written_purges_nothing(nats_server, tmp_path: Path, monkeypatch) -> None:
    async def scenario(bus: NatsBus, journal: NatsJournal) -> None:
        await append(journal, 1, 300)
        await journal.store_snapshot(FoldSnapshot(300, 1, b"state"))
        recorder = Recorder(bus, tmp_path, CONFIG)

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            await recorder.export()
        monkeypatch.undo()
        assert (await on_server(journal))[0] == 1 and recorder.exported == 0
        assert await recorder.export() >= 4
        assert await recorder.finish() == 300
        assert [int(data) for data in recorded(tmp_path)] == list(range(1, 301))

    run(nats_server, scenario)


def test_a_snapshot_whose_bytes_are_wrong_lets_nothing_be_purged(nats_server, tmp_path: Path) -> None:
    async def scenario(bus: NatsBus, journal: NatsJournal) -> None:
        await append(journal, 1, 300)
        await journal.close()
        message = snapshots.split(FoldSnapshot(300, 1, b"state"))[0]
        await bus.store(subjects.JOURNAL_SNAPSHOTS[0], message[:-1] + b"?")
        assert await Recorder(bus, tmp_path, CONFIG).export() == 0
        assert (await on_server(NatsJournal(bus)))[0] == 1

    run(nats_server, scenario)
