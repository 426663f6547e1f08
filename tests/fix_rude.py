"""A FIX venue without manners, on a bare socket: it sends what a test tells it to, and forgets what it is told to.

Messages are built by simplefix, so that lengths and checksums are right unless a test makes them wrong. Its book
(``fix_market``) is the truth. An order is filled by the next of ``acts``; with none left it is accepted and filled in full.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import simplefix

from tests.fix_market import Book, price_ticks, report, unknown

Fields = list[tuple[int, str]]
Act = Callable[["RudeVenue", str], Awaitable[None]]


class RudeVenue:
    def __init__(self, book: Book) -> None:
        self.book = book
        self.acts: list[Act] = []
        self.next_out = 1
        self.next_in = 1
        #: Sent by number, for resends; what is not here is lost and its number is filled over.
        self.kept: dict[int, bytes] = {}
        self.heard: list[dict[int, str]] = []
        self.logons = 0
        #: Added to the number of the next logon, and to nothing else.
        self.logon_offset = 0
        #: Seconds every answer to a question waits.
        self.late_s = 0.0
        #: No answer to questions.
        self.mute = False
        #: Hang up at the next order as if it had never come, and ask for it again after the logon.
        self.forgets = False
        self.port = 0
        self._writer: asyncio.StreamWriter | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> RudeVenue:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- what a test may do --------------------------------------------------------------------------------------------

    def frame(self, kind: str, fields: Fields, number: int, **header: str) -> bytes:
        message = simplefix.FixMessage()
        for tag, value in ((8, "FIX.4.4"), (35, kind), (49, "VENUE"), (56, "HEDGEROW"), (34, str(number))):
            message.append_pair(tag, value, header=True)
        for tag, value in header.items():
            message.append_pair(int(tag.removeprefix("t")), value, header=True)
        message.append_pair(52, now(), header=True)
        for tag, value in fields:
            message.append_pair(tag, value)
        return bytes(message.encode())

    def send(self, kind: str, fields: Fields, *, lost: bool = False) -> bytes:
        """Number, keep and write; ``lost`` uses a number and forgets the message."""
        number = self.next_out
        self.next_out += 1
        raw = self.frame(kind, fields, number)
        if not lost:
            if kind not in "012345A":
                self.kept[number] = raw
            self.write(raw)
        return raw

    def write(self, raw: bytes) -> None:
        if self._writer is not None:
            self._writer.write(raw)

    async def cut(self) -> None:
        """Break the connection at once."""
        if self._writer is not None:
            writer, self._writer = self._writer, None
            with contextlib.suppress(OSError):
                await writer.drain()
            writer.close()

    def trade(self, name: str, lots: int, ticks: int, *, lost: bool = False) -> bytes:
        exec_id = self.book.fill(name, lots, ticks)
        return self.send("8", report(self.book, name, "F", exec_id, t32=lots, t31=ticks * 0.25), lost=lost)

    def accept(self, name: str) -> bytes:
        return self.send("8", report(self.book, name, "0", f"N{name}"))

    def end(self, name: str, status: str = "4") -> bytes:
        self.book.write(act="end", name=name, status=status)
        return self.send("8", report(self.book, name, status, f"X{name}"))

    # -- the session, such as it is ------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        parser = simplefix.FixParser()
        self._writer = writer
        try:
            while data := await reader.read(65536):
                parser.append_buffer(data)
                while (message := parser.get_message()) is not None:
                    await self._take({int(t): v.decode() for t, v in message.pairs})
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _take(self, got: dict[int, str]) -> None:
        number, kind = int(got[34]), got[35]
        self.heard.append(got)
        if kind == "A":
            self.logons += 1
            number_out = max(self.next_out + self.logon_offset, 1)
            self.write(self.frame("A", [(98, "0"), (108, got[108])], number_out))
            self.next_out += self.logon_offset == 0
            self.logon_offset = 0
        if kind == "4":
            self.next_in = max(self.next_in, int(got[36]))
            return
        if kind == "D" and self.forgets:
            self.forgets = False
            await self.cut()
            return
        if number > self.next_in:
            self.send("2", [(7, str(self.next_in)), (16, "0")])
            return
        if number < self.next_in:
            return
        self.next_in = number + 1
        await self._answer(kind, got)

    async def _answer(self, kind: str, got: dict[int, str]) -> None:
        match kind:
            case "1":
                self.send("0", [(112, got[112])])
            case "2":
                self._resend(int(got[7]))
            case "5":
                self.send("5", [])
            case "D":
                await self._order(got)
            case "AF":
                working = [n for n, held in self.book.orders.items() if held.working]
                for k, name in enumerate(working, start=1):
                    last = "Y" if k == len(working) else "N"
                    self.send("8", report(self.book, name, "I", "0", t584=got[584], t912=last))
            case "H" if not self.mute:
                if self.late_s:
                    await asyncio.sleep(self.late_s)
                name = got[11]
                known = name in self.book.orders
                fields = report(self.book, name, "I", "0") if known else unknown(name, got[54], got[55])
                self.send("8", fields)
            case "F":
                name = got[41]
                if name in self.book.orders and self.book.orders[name].working:
                    self.end(name)
                else:
                    self.send("9", [(37, "NONE"), (11, got[11]), (41, name), (39, "8"), (434, "1"), (102, "1")])

    async def _order(self, got: dict[int, str]) -> None:
        name, lots = got[11], int(got[38])
        act = {"name": name, "symbol": got[55], "side": got[54], "lots": lots, "ticks": price_ticks(got[44])}
        self.book.write(act="order", **act)
        if self.acts:
            await self.acts.pop(0)(self, name)
        else:
            self.accept(name)
            self.trade(name, lots, price_ticks(got[44]))

    def _resend(self, first: int) -> None:
        """Everything kept from ``first`` on, marked; runs of what is not kept are filled over."""
        number, end = first, self.next_out
        while number < end:
            if number in self.kept:
                body = [(int(t), v.decode()) for t, v in parsed(self.kept[number]) if t not in HEADER]
                self.write(self.frame("8", body, number, t43="Y", t122=now()))
                number += 1
                continue
            after = next((k for k in range(number, end) if k in self.kept), end)
            self.write(self.frame("4", [(123, "Y"), (36, str(after))], number, t43="Y", t122=now()))
            number = after


HEADER = (b"8", b"9", b"35", b"49", b"56", b"34", b"52", b"43", b"122", b"10")


def parsed(raw: bytes) -> list[tuple[bytes, bytes]]:
    return [(tag, value) for tag, _, value in (part.partition(b"=") for part in raw.split(b"\x01")) if tag]


def now() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H:%M:%S.%f}"[:-3]
