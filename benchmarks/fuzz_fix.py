"""Mutated messages of a FIX venue: through the engine's own parser into the real gateway, engine and SQLite store.

The line is a stub that answers probes, so the gate opens; some orders are sent, and what then comes in is mutated reports,
rejects and session messages. Nothing that comes in may make an order leave; what is booked is what the store can prove.
*Tested by* tests/properties/test_fuzz_fix.py.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from benchmarks.execution_world import T0_NS, limits, order, quotes, universe
from benchmarks.fuzz_verdict import SHOWN, Ears, Memory, Verdict, listening
from common.clock import WallClock
from common.messages import Order, OrderAck, TimeInForce
from common.universe import Universe
from common.wire.execution_codec import report_to_pb
from execution.config import ExecutionConfig
from execution.engine import Engine
from execution.events import Fence, Submit
from execution.records import StoredRecords
from execution.sqlite_store import SqliteStore
from execution.sqlite_verify import verify
from execution.state import ExecutionSetup, start
from execution.venues.fix.config import FixConfig
from execution.venues.fix.message import FixMessage, MsgType, Tag, parse
from execution.venues.fix.news import News, Said, Tell
from execution.venues.fix.venue import FixVenue
from lab.fuzz import fix_text
from lab.fuzz.mutation import MARK, Case, Cases, Seed

#: Orders at the venue when the mutated messages begin, and messages until all is made anew.
ORDERS: Final = 6
WORLD_CASES: Final = 1024
#: Messages between two looks at what the engine made of them.
GROUP: Final = 64
_ORDERS_OUT: Final = (MsgType.NEW_ORDER, MsgType.REPLACE, MsgType.MULTILEG)
_SYMBOL: Final = "ESH0"


def fix_universe() -> Universe:
    """The small market under names a FIX venue knows: a future, and options of two expiries."""
    strikes = [(day, strike, right) for day in ("03-20", "06-19") for strike in (3000, 3050, 3100) for right in "CP"]
    ids = [f"{_SYMBOL} 2020-03-20 F @XCME", *(f"{_SYMBOL} 2020-{d} {k} {r} @XCME" for d, k, r in strikes)]
    return replace(universe(), instrument_id=tuple(ids))


def name_of(number: int) -> str:
    """Id of one of the orders at the venue."""
    return f"fz{number}"


def report(exec_type: str, status: str, name: str, *more: tuple[int, str]) -> Seed:
    """An execution report as a venue sends it."""
    plain = [
        (37, "V1"),
        (11, name),
        (17, MARK.decode()),
        (150, exec_type),
        (39, status),
        (55, _SYMBOL),
        (54, "2"),
        (38, "3"),
    ]
    return message("8", list(({**dict(plain), 14: "0", 151: "3", 6: "0"} | dict(more)).items()))


def message(kind: str, fields: Sequence[tuple[int, str]]) -> Seed:
    """A message as a venue sends it."""
    head = [(8, "FIX.4.4"), (35, kind), (49, "VENUE"), (56, "HEDGEROW"), (34, "7"), (52, "20260102-14:30:00")]
    return Seed(kind, fix_text.framed([(str(t).encode(), v.encode()) for t, v in (*head, *fields)]))


def seeds() -> list[Seed]:
    """Everything a venue says, of each order."""
    out = [message("0", [(112, "HEDGEROW-1")]), message("r", [(37, "N"), (11, "x"), (530, "7"), (531, "7")])]
    out += [
        message("1", [(112, "probe")]),
        message("2", [(7, "1"), (16, "0")]),
        message("3", [(45, "3"), (372, "D"), (58, "no")]),
    ]
    for k in range(ORDERS):
        name = name_of(k)
        fill = ((32, "1"), (31, "1000.25"), (14, "1"), (6, "1000.25"), (12, "1.25"), (13, "3"))
        out += [report("0", "0", name), report("F", "1", name, *fill), report("I", "1", name, (14, "1"), (6, "1000.5"))]
        out += [report("4", "4", name), report("C", "C", name), report("8", "8", name, (103, "99"), (58, "caf\xe9"))]
        out += [
            report("5", "0", f"r{k}", (41, name)),
            report("G", "1", name, (19, "E1")),
            report("D", "0", name, (38, "2")),
        ]
        out.append(message("9", [(37, "V1"), (11, f"{name}c1"), (41, name), (39, "0"), (434, "1"), (102, "0")]))
        out.append(message("j", [(45, "2"), (372, "D"), (379, name), (380, "0")]))
    return out


class Line:
    """A FIX session that stands; ``orders`` counts those that left over it."""

    def __init__(self) -> None:
        self.tell: Tell = lambda _: None
        self.orders = 0
        self._number = 0

    def start(self, tell: Tell) -> None:
        """See ``Link``."""
        self.tell = tell

    def send(self, message: FixMessage) -> bool:
        """See ``Link``; a probe is answered at once."""
        self._number += 1
        self.orders += message.msg_type in _ORDERS_OUT
        sent = FixMessage(message.msg_type, ((int(Tag.MsgSeqNum), str(self._number)), *message.fields))
        self.tell(News(Said.SENT, sent))
        if message.msg_type == MsgType.TEST_REQUEST:
            beat = FixMessage(MsgType.HEARTBEAT, ((int(Tag.TestReqID), message.text(Tag.TestReqID)),))
            asyncio.get_running_loop().call_soon(self.tell, News(Said.HEARD, beat))
        return True

    async def restart(self) -> None:
        """See ``Link``."""

    async def stop(self) -> None:
        """See ``Link``."""


class Sink:
    """Whoever sent the orders."""

    def deliver(self, acks: list[OrderAck]) -> None:
        """See ``engine.Sink``."""

    def cut(self, reason: Exception) -> None:
        """See ``engine.Sink``."""


class World:
    """Engine, store and gateway with some orders at the venue."""

    def __init__(self, folder: Path) -> None:
        self.folder, market = folder, fix_universe()
        config = ExecutionConfig(store=folder, limits=limits(), resolve_every_s=3600.0)
        self.store = SqliteStore(folder)
        self.state = start(ExecutionSetup(market, config.limits, self.store.load()))
        self.line = Line()
        self.venue = FixVenue(
            FixConfig(port=1, sender_comp_id="HEDGEROW", target_comp_id="VENUE"), market, self.line, WallClock()
        )
        self.engine = Engine(config, self.state, self.store, self.venue, WallClock(), lambda _: None)

    async def __aenter__(self) -> World:
        self.running = asyncio.create_task(self.engine.run())
        self.venue.use(StoredRecords(self.state, self.store))
        await self.venue.open(self.engine.hear)
        self.line.tell(News(Said.LOGGED_ON))
        self.engine.take_quotes(quotes())
        await self.engine.ask(Fence(1, "fuzz"))
        sink = Sink()
        self.engine.open_stream(sink)
        for k in range(ORDERS):
            await self.engine.offer(Submit(_order(k, self.state.universe), 0), sink)
        await self.engine.ask(Fence(2, "fuzz"))
        assert self.line.orders == ORDERS, f"{self.line.orders} orders left; {self.venue.name}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.venue.close()
        self.engine.stop()
        await asyncio.gather(self.running, return_exceptions=True)
        self.store.close()

    async def settle(self) -> None:
        """The engine has stored what it heard so far."""
        await self.engine.ask(Fence(1, "late"))

    def wrong(self) -> list[str]:
        """What is wrong with the store, or cannot be told to a reader."""
        out = list(verify(self.folder).findings)
        try:
            for told in self.store.reports(1, 10**6):
                report_to_pb(told).SerializeToString()
        except Exception as error:
            out.append(f"a report cannot be told: {error!r}")
        return out


def _order(number: int, market: Universe) -> Order:
    made = order(2, 1, TimeInForce.DAY)
    return replace(
        made, client_order_id=name_of(number), instrument_id=market.instrument_id[0], limit_ticks=4100 + number,
        event_time_ns=T0_NS, order_sequence=number,
    )  # fmt: skip


def read(data: bytes, engine: Any) -> FixMessage | None:
    """As the session hands a message over; None where the engine's parser does not take it for one.

    Text that is no UTF-8 comes from the engine with its odd bytes marked (surrogate escapes), and so it does here.
    """
    try:
        parsed = engine.Message(data.decode("latin-1"), data.isascii())
    except (engine.FIXException, RuntimeError, ValueError):
        return None
    text = parsed.toString()
    return parse(text.encode("latin-1", "replace").decode("utf-8", "surrogateescape"))


async def reports(folder: Path, cases: Cases, first: int, count: int) -> Verdict:
    """``count`` messages, a new world every ``WORLD_CASES``."""
    import quickfix  # the extra `fix`; this bench needs it, listing the benches does not

    verdict, memory = Verdict("fix, gateway"), Memory()
    with listening() as ears:
        for begin in range(first, first + count, WORLD_CASES):
            async with World(folder / str(begin)) as world:
                for at in range(begin, min(begin + WORLD_CASES, first + count), GROUP):
                    group = [cases.case(n) for n in range(at, min(at + GROUP, begin + WORLD_CASES, first + count))]
                    await _hear(world, group, verdict, ears, quickfix)
                    if world.running.done():
                        break
                where = f"{cases.seed}:{begin} to {begin + WORLD_CASES - 1}"
                verdict.counts["fills booked"] += world.state.fills_stored
                verdict.changes += [f"{where}: {text}"[:300] for text in world.wrong()]
            shutil.rmtree(folder / str(begin))
            if len(verdict.findings) > SHOWN:
                break
            if begin - first >= 0.4 * count:
                memory.warm()
        verdict.growth_mib = memory.growth_mib()
    return verdict


async def _hear(world: World, group: Sequence[Case], verdict: Verdict, ears: Ears, engine: Any) -> None:
    for case in group:
        verdict.messages += 1
        heard = read(case.data, engine)
        if heard is None:
            verdict.counts["refused by the engine's parser"] += 1
            continue
        verdict.counts["taken"] += 1
        try:
            world.venue.take(News(Said.HEARD, heard))
        except Exception as error:
            verdict.crashes.append(f"{case.name}: {error!r}"[:300])
    where = f"{group[0].name} to {group[-1].name}"
    try:
        async with asyncio.timeout(20.0):
            await world.settle()
    except TimeoutError:
        verdict.hangs.append(f"{where}: the engine does not answer")
    except Exception as error:
        verdict.crashes.append(f"{where}: {error!r}; {_ended(world)}"[:400])
    if world.line.orders != ORDERS:
        verdict.orders.append(f"{where}: {world.line.orders - ORDERS} orders left")
    verdict.crashes += [f"{where}: {text}" for text in ears.take()]


def _ended(world: World) -> str:
    return repr(world.running.exception()) if world.running.done() else "the engine runs"


def fix_cases(seed: int) -> Cases:
    """What a venue says, wrong."""
    return Cases(seed, seeds(), fix_text.remade, 0.2)
