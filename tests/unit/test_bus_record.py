"""Reading again what may not have been heard."""

from __future__ import annotations

import asyncio
import logging

from common import subjects
from common.bus import record
from common.bus.delivery import Stored


class Server(record.RecordPlane):
    """Values by subject; nothing is ever told, so that what is known was read. A subject in ``broken`` cannot be."""

    def __init__(self):
        super().__init__()
        self.values, self.broken = {}, set()

    async def store(self, subject, data, **_):
        sequence = self.values[subject].sequence + 1 if subject in self.values else 1
        self.values[subject] = Stored(sequence, data)
        return sequence

    async def last(self, _stream, subject, **_):
        if subject in self.broken:
            raise KeyError("nobody foresaw this")
        return self.values.get(subject)

    async def fetch(self, *_):
        return []

    async def _subscribe(self, *_):
        return object()

    async def _unsubscribe(self, _inner):
        pass


def test_a_subject_that_cannot_be_read_leaves_no_other_unread_and_is_read_again(monkeypatch, caplog):
    monkeypatch.setattr(record, "RECHECK_S", 0.01)

    async def scenario():
        server, budgets, positions = Server(), [], []
        await server.watch(subjects.BUDGETS, lambda _, data: budgets.append(data))
        await server.watch(subjects.POSITIONS, lambda _, data: positions.append(data))
        server.broken.add(subjects.BUDGETS)
        await server.put(subjects.BUDGETS, b"1")
        for value in (b"1", b"2"):  # the second one is seen by a look after the one that failed
            await server.put(subjects.POSITIONS, value)
            async with asyncio.timeout(5.0):
                while positions[-1:] != [value]:
                    await asyncio.sleep(0.01)
        assert budgets == []
        server.broken.clear()
        async with asyncio.timeout(5.0):
            while budgets != [b"1"]:
                await asyncio.sleep(0.01)
        server._stop_rechecking()

    with caplog.at_level(logging.ERROR, "hedgerow.bus"):
        asyncio.run(scenario())
    assert f"the recheck of {subjects.BUDGETS} failed" in caplog.text
