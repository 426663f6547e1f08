"""An exchange on the fixcore engine: an independent FIX implementation as the counterparty.

``python -m tests.fix_exchange PORT FOLDER``. IOC orders fill in two parts at once, DAY orders rest until cancelled; order
ids ending in ``x`` fill their first lot only. A combo fills in two parts, leg by leg, with a report of the whole behind its
legs; one whose lead's id ends in ``x`` fills its first unit only, in ``w`` works until it is cancelled. Its book is a file of
its own, its session fixcore's file store. Every message it gets is checked against the engine's dictionary.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

from fixcore.application import Application
from fixcore.message.message import Message
from fixcore.session.session_settings import SessionSettings
from fixcore.transport.acceptor import SocketAcceptor

from tests.fix_market import Book, price_ticks, report, unknown, whole

SETTINGS = """
[DEFAULT]
ConnectionType=acceptor
SocketAcceptHost=127.0.0.1
SocketAcceptPort={port}
FileStorePath={folder}/session
FileLogPath={folder}/log
HeartBtInt=10
CheckLatency=Y
UseDataDictionary=Y
DataDictionary=FIX44.xml
[SESSION]
BeginString=FIX.4.4
SenderCompID=VENUE
TargetCompID=HEDGEROW
"""


class Exchange(Application):
    def __init__(self, book: Book) -> None:
        self.book = book
        self.out: asyncio.Queue[tuple[str, list[tuple[int, str]]]] = asyncio.Queue()
        self.asked = 0

    def from_app(self, message, session_id) -> None:
        kind = message.header.get(35)
        name = message.get(11)
        match kind:
            case "D":
                self._order(message, name)
            case "AB":
                self._combo(message, name)
            case "F":
                self._cancel(name, message.get(41))
            case "H":
                self._status(name, message)
            case "AF":
                for known, held in list(self.book.orders.items()):
                    if held.working:
                        self._say("8", report(self.book, known, "I", "0", t584=message.get(584)))
            case "q":
                for known in [n for n, held in self.book.orders.items() if held.working]:
                    self._end(known, "4")
                self._say("r", [(37, "NONE"), (11, name), (530, "7"), (531, "7")])

    def _order(self, message, name: str) -> None:
        known = name in self.book.orders
        lots, ticks = int(message.get(38)), price_ticks(message.get(44))
        self.book.write(act="order", name=name, symbol=message.get(55), side=message.get(54), lots=lots, ticks=ticks)
        if known:
            self._say("8", [*report(self.book, name, "8", f"D{name}"), (103, "6")])
            return
        self._say("8", report(self.book, name, "0", f"N{name}"))
        if message.get(59) != "3":
            return
        parts = [1] if name.endswith("x") else [1, lots - 1] if lots > 1 else [1]
        for k, part in enumerate(parts):
            at = ticks - k
            exec_id = self.book.fill(name, part, at)
            self._say("8", report(self.book, name, "F", exec_id, t32=part, t31=at * 0.25))
        if self.book.orders[name].working:
            self._end(name, "4")

    def _combo(self, message, name: str) -> None:
        units, net = int(message.get(38)), price_ticks(message.get(44))
        said = [dict(group.items()) for group in message.get_groups(555)]
        legs = [(leg[654], leg[600], leg[624], int(leg[623])) for leg in said]
        if name in self.book.combos:
            self._say("8", [*whole(self.book, name, "8", f"D{name}"), (103, "6")])
        self.book.write(act="combo", name=name, units=units, legs=legs)
        if self.book.arrivals[name] > 1:
            return
        self._say("8", whole(self.book, name, "0", f"N{name}"))
        lead = name.rpartition(".")[0]
        if lead.endswith("w"):
            return
        for part in [1] if lead.endswith("x") else [1, units - 1] if units > 1 else [1]:
            for leg, exec_id, lots, ticks in self.book.fill_combo(name, part, net):
                fields = whole(self.book, name, "F", exec_id, t654=leg, t32=lots, t31=ticks * 0.25)
                said = dict(self.book.tags(leg))
                self._say("8", [(tag, said.get(tag, value)) for tag, value in fields if tag != 442] + [(442, "2")])
            self._say("8", whole(self.book, name, "F", f"W{self.book.fills}", t32=part, t31=net * 0.25))
        if self.book.working(name):
            self._end(name, "4")

    def _cancel(self, cancel_id: str, name: str) -> None:
        held = self.book.orders.get(name)
        if self.book.working(name):
            self._end(name, "4", cancel_id)
            return
        fields = [(37, "NONE"), (11, cancel_id), (41, name), (39, held.status if held else "8")]
        self._say("9", [*fields, (434, "1"), (102, "0" if held else "1"), (58, "too late")])

    def _end(self, name: str, status: str, cancel_id: str = "") -> None:
        self.book.write(act="end", name=name, status=status)
        fields = self._report(name, status, f"X{name}")
        if cancel_id:
            fields = [(tag, cancel_id if tag == 11 else value) for tag, value in fields] + [(41, name)]
        self._say("8", fields)

    def _status(self, name: str, message) -> None:
        if name in self.book.orders:
            self._say("8", self._report(name, "I", "0"))
        else:
            self._say("8", unknown(name, message.get(54), message.get(55)))

    def _report(self, name: str, exec_type: str, exec_id: str) -> list[tuple[int, str]]:
        make = whole if name in self.book.combos else report
        return make(self.book, name, exec_type, exec_id)

    def _say(self, kind: str, fields: list[tuple[int, str]]) -> None:
        self.out.put_nowait((kind, fields))


async def main(port: int, folder: Path) -> None:
    exchange = Exchange(Book(folder / "book.jsonl"))
    settings = SessionSettings.from_string(SETTINGS.format(port=port, folder=folder))
    acceptor = SocketAcceptor(settings, exchange)
    session = next(iter(acceptor.sessions.values()))
    async with acceptor:
        while True:
            kind, fields = await exchange.out.get()
            message = Message()
            message.header.set(35, kind)
            for tag, value in fields:
                message.set_field(tag, value)
            # Said while nobody is logged on, a report is lost: the engine neither numbers nor keeps it.
            with contextlib.suppress(OSError, RuntimeError):
                await session.send_app(message)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), Path(sys.argv[2])))
