"""A real FIX session with a venue that sends mutated bytes: the engine behind our gateway, a bare socket at the other end.

Messages that are still framed get the sequence number and the time that are due, so that the session hears them; the rest goes
out as it is. When the session falls the engine comes back by itself and the venue goes on where it was.
Run by `hedgerow bench fuzz.fix` only: the engine itself may fall (docs/fuzzing.md), which says nothing about a change of ours.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.execution_world import limits
from benchmarks.fuzz_fix import _ORDERS_OUT, fix_cases, fix_universe
from benchmarks.fuzz_verdict import ANSWER_S, SHOWN, Memory, Verdict, listening
from common.clock import WallClock
from execution.config import ExecutionConfig
from execution.engine import Engine
from execution.records import StoredRecords
from execution.state import ExecutionSetup, start
from execution.store import MemoryStore
from execution.venues.fix.config import FixConfig
from execution.venues.fix.initiator import Initiator
from execution.venues.fix.venue import FixVenue
from lab.fuzz.fix_text import SOH, framed, split

#: Messages sent before the session is asked whether it still stands.
GROUP: Final = 50
#: The session must stand again within this: the engine dials once a second.
BACK_S: Final = 30.0


class MadVenue:
    """An acceptor of one session: it keeps the session's own rules, so far as it is not told to send something else."""

    def __init__(self) -> None:
        self.port = 0
        self.heard: Counter[str] = Counter()
        self.logons = 0
        self._next = 1
        self._writer: asyncio.StreamWriter | None = None

    async def __aenter__(self) -> MadVenue:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        if self._writer is not None:
            self._writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer, rest = writer, b""
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                rest += data
                *whole, rest = rest.split(SOH + b"10=")
                for k, text in enumerate(whole):
                    self._take(dict(split(text if not k else text[4:])))
        writer.close()

    def _take(self, got: dict[bytes, bytes]) -> None:
        kind = got.get(b"35", b"")
        self.heard[kind.decode()] += 1
        if kind == b"A":
            self.logons += 1
            self._say(b"A", [(b"98", b"0"), (b"108", got.get(b"108", b"10"))])
        elif kind == b"1":
            self._say(b"0", [(b"112", got.get(b"112", b""))])
        elif kind == b"2":  # nothing is kept: the gap is filled over
            begin, now = int(got.get(b"7", b"1")), self._next
            self._write(b"4", [(b"43", b"Y"), (b"123", b"Y"), (b"36", str(now).encode())], begin)
        elif kind == b"5":
            self._say(b"5", [])

    def _say(self, kind: bytes, fields: list[tuple[bytes, bytes]]) -> None:
        self._write(kind, fields, self._next)
        self._next += 1

    def _write(self, kind: bytes, fields: list[tuple[bytes, bytes]], number: int) -> None:
        stamp = datetime.fromtimestamp(WallClock().wall_ns() / 1e9, UTC).strftime("%Y%m%d-%H:%M:%S").encode()
        head = [(b"35", kind), (b"49", b"VENUE"), (b"56", b"HEDGEROW"), (b"34", str(number).encode()), (b"52", stamp)]
        self.send(framed([*head, *fields]))

    def send(self, data: bytes) -> None:
        """Bytes as they are."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(data)

    def mutated(self, data: bytes) -> None:
        """A mutated message, with the number and time that are due where it is framed right."""
        fields = split(data)
        if framed(fields) != data:
            self.send(data)
            return
        kind = next((value for tag, value in fields if tag == b"35"), b"8")
        inner = [
            (tag, value) for tag, value in fields if tag not in (b"8", b"9", b"10", b"35", b"49", b"56", b"34", b"52")
        ]
        self._say(kind, inner)

    async def drained(self) -> None:
        """What was sent is out, or the line is gone."""
        if self._writer is not None:
            with contextlib.suppress(OSError):
                await self._writer.drain()


async def session(folder: Path, seed: int, first: int, count: int) -> Verdict:
    """``count`` mutated messages over one session."""
    verdict, cases, memory = Verdict("fix, live"), fix_cases(seed), Memory()
    market, store = fix_universe(), MemoryStore()
    with listening() as ears:
        async with MadVenue() as mad:
            state = start(ExecutionSetup(market, limits(), store.load()))
            wanted = FixConfig(
                port=mad.port, sender_comp_id="HEDGEROW", target_comp_id="VENUE", reconnect_s=1, restart_s=5.0
            )
            venue = FixVenue(wanted, market, Initiator(wanted, folder))
            config = ExecutionConfig(store=folder, limits=limits(), resolve_every_s=3600.0)
            engine = Engine(config, state, store, venue, WallClock(), lambda _: None)
            running = asyncio.create_task(engine.run())
            venue.use(StoredRecords(state, store))
            await venue.open(engine.hear)
            try:
                for at in range(first, first + count, GROUP):
                    where = f"{seed}:{at} to {min(at + GROUP, first + count) - 1}"
                    if not await _stands(venue):
                        verdict.hangs.append(f"{where}: the session does not come back within {BACK_S:g} s")
                        break
                    for number in range(at, min(at + GROUP, first + count)):
                        mad.mutated(cases.case(number).data)
                        verdict.messages += 1
                    await mad.drained()
                    await asyncio.sleep(0.05)
                    verdict.crashes += [f"{where}: {text}" for text in ears.take()]
                    if running.done():
                        verdict.crashes.append(f"{where}: the engine ended: {running.exception()!r}"[:300])
                        break
                    if len(verdict.findings) > SHOWN:
                        break
                    if at - first >= 0.4 * count:
                        memory.warm()
                verdict.orders += [f"{n} messages {kind} left" for kind in _ORDERS_OUT if (n := mad.heard[kind])]
                verdict.counts["logons"] = mad.logons
                if state.fills_stored:
                    verdict.changes.append(f"{state.fills_stored} fills are booked and no order was ever sent")
            finally:
                await asyncio.wait_for(venue.close(), ANSWER_S * 2)
                engine.stop()
                await asyncio.gather(running, return_exceptions=True)
    verdict.growth_mib = memory.growth_mib()
    return verdict


async def _stands(venue: FixVenue) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(BACK_S):
            while not venue.link.connected:
                await asyncio.sleep(0.02)
    return venue.link.connected
