"""Mutated NATS payloads for the real manager, agents, fleet and reference feed on a bus in memory.

Parts beside the decoders (``benchmarks/fuzz_decoders.py``). *Killed*: every
subject, and signed commands with something changed; nothing that only a command may change has changed, and no order exists.
*Commands*: unsigned ones with odd arguments; each is answered. *Active*: market data, proposals and last values while trading
is active; the orders that come of it pass the audit of the journal, which does not use the manager's own fold.
*Tested by* tests/properties/test_fuzz_bus.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import DecodeError, Message
from hedgerow.control.v1 import control_pb2
from hedgerow.hedge.v1 import hedge_pb2
from hedgerow.market.v1 import market_pb2

from benchmarks.fuzz_bus_world import SYMBOLS, World, setting
from benchmarks.fuzz_verdict import ANSWER_S, SHOWN, Ears, Memory, Verdict, listening
from common import subjects
from common.bus.framing import pack
from common.bus.nats_bus import NatsBus
from common.clock import WallClock
from common.control_messages import Command
from common.errors import HedgerowError, Refused
from common.messages import TradingState
from common.ports import Bus
from common.security.access import RISK_MANAGER
from common.security.audit_commands import audited
from common.security.audit_file import AuditFile
from common.security.keys import Keys, Tls
from common.security.proof import sign_command
from common.wire import codec
from deploy import certs, nats_server
from lab.audit import Run, audit
from lab.fuzz import protobuf
from lab.fuzz.mutation import Case, Cases, Seed
from lab.simulator.market import MAX_LOTS

#: Cases for one world; the first ones of a world say nothing of those before.
WORLD_CASES: Final = 1024
#: Cases between two steps of the clean feed, and between two questions for the status.
STEP_CASES, PROBE_CASES = 16, 128
#: Commands on their way before one is waited for.
ASKED_MAX: Final = 16
_CLASSES: Final[dict[str, type[Message]]] = {
    "market.quotes": market_pb2.QuoteBatch,
    "proposal": hedge_pb2.Proposal,
    "heartbeat": hedge_pb2.Heartbeat,
    "positions": hedge_pb2.PositionUpdate,
    "budgets": hedge_pb2.BudgetUpdate,
    "assignment": hedge_pb2.AssignmentUpdate,
    "parameters": hedge_pb2.AgentParameters,
    "control": control_pb2.Command,
}
_LAST_VALUES: Final = (subjects.POSITIONS, subjects.BUDGETS, subjects.ASSIGNMENT, subjects.PARAMETERS)
_CONTROL: Final = subjects.control("")


def class_of(subject: str) -> type[Message] | None:
    """Message class of a subject."""
    rest = subject.removeprefix(f"{subjects.ROOT}.")
    return next((cls for head, cls in _CLASSES.items() if rest == head or rest.startswith(f"{head}.")), None)


def commands() -> list[Command]:
    """One of each action, with arguments that make sense."""
    made = setting()
    arguments: dict[str, Any] = {
        "pause": {}, "resume": {}, "kill": {"scope": f"underlying:{SYMBOLS[0]}"},
        "limits.set": {"path": "order.max_lots_future", "value": 3},
        "limits.approve": {"id": "x"},
        "agents.set": {"path": "trigger.time_s", "value": 30.0},
        "agents.undo": {"version": 1},
        "hedge": {"side": "BUY", "lots": 1, "instrument": made.universe.instrument_id[0], "limit": None, "desk": ""},
        "book.import": {"file": "f.csv", "dry_run": False,
            "trades": [[1, "T1", "clients", made.universe.instrument_id[0], 5, 3000.0, 1, "", ""]]},
        "assign": {"owner": {"gamma/AAA": "gamma-0", "vega/AAA/8-30d": "vega-0"}},
        "scale": {"kind": "gamma", "n": 2},
        "restart.agents": {"part": "gamma-9"},
    }  # fmt: skip
    return [Command(f"c-{a}", a, "risk_manager/fuzz", "fuzz", json.dumps(x)) for a, x in arguments.items()]


def command_seeds(tls: Tls | None) -> list[Seed]:
    """Commands as they travel, signed where there are keys."""
    out = []
    for command in commands():
        data = codec.encode_command(command)
        data = data if tls is None else sign_command(data, tls)
        out.append(Seed(subjects.control(command.action), data, control_pb2.Command))
    return out


async def recorded() -> list[Seed]:
    """Real messages of every data subject, heard while a world trades for some steps."""
    heard: dict[tuple[str, int], Seed] = {}

    def take(subject: str, data: bytes) -> None:
        cls = class_of(subject)
        if cls is not None and not subject.startswith(_CONTROL):
            at = sum(name == subject for name, _ in heard) % 4
            heard[subject, at] = Seed(subject, data, cls)

    async with World(TradingState.ACTIVE) as world:
        await world.bus.subscribe(f"{subjects.ROOT}.>", take, bound=4096)
        await world.command("agents.set", json.dumps({"path": "trigger.time_s", "value": 24.5}))
        for _ in range(12):
            await world.feed.step()
            await world.settle()
            await asyncio.sleep(0.03)
        values = [(s, await world.bus.get(s)) for s in _LAST_VALUES]
    out = list(heard.values())
    # Four subjects among dozens of heartbeats and proposals: said more often.
    return out + [Seed(s, data, class_of(s)) for s, data in values * 4 if data is not None]


@dataclass(frozen=True, slots=True)
class Material:
    """Seeds of every kind of payload, and whose signature a command must carry."""

    data: tuple[Seed, ...]
    signed: tuple[Seed, ...]
    unsigned: tuple[Seed, ...]
    stored: tuple[Seed, ...]
    keys: Keys

    @property
    def ca(self) -> bytes:
        """The authority every command's certificate must come from."""
        found = self.keys.ca
        assert found is not None, self.keys.folder
        return found


async def material(folder: Path) -> Material:
    """Made once: keys in ``folder``, messages of a world that trades."""
    wanted = [
        certs.Wanted(RISK_MANAGER, RISK_MANAGER, certified=True),
        certs.Wanted("manager", "manager", certified=True),
    ]
    certs.make(folder, [*wanted, certs.Wanted(certs.SYS, certs.SYS, certified=False)], embedded=True)
    tls = Keys(folder / RISK_MANAGER).tls()
    assert tls is not None
    made = setting()
    async with World(TradingState.ACTIVE) as world:
        for _ in range(10):
            await world.feed.step()
            await world.settle()
        entries = {type(codec.decode_journal_entry(e).event): e for e in world.log.entries}
    stored = [Seed("journal", e, control_pb2.JournalEntry) for e in entries.values()]
    stored += [
        Seed("universe", codec.encode_universe(made.universe), market_pb2.Universe),
        Seed("book", codec.encode_book(made.book), market_pb2.Book),
        Seed("framing", pack(7, list(entries.values()))),
    ]
    data = tuple(await recorded())
    return Material(
        data, tuple(command_seeds(tls)), tuple(command_seeds(None)), tuple(stored), Keys(folder / "manager")
    )


# -- worlds ------------------------------------------------------------------------------------------------------------


class Fuzzer:
    """Gives mutated payloads to a world and looks at it."""

    def __init__(
        self, part: str, made: Material, cases: Cases, state: TradingState, folder: Path, bus: Bus | None = None
    ) -> None:
        self._bus = bus
        self.verdict = Verdict(part)
        self._made, self._cases, self._state, self._folder = made, cases, state, folder
        self._asked: dict[asyncio.Task[None], str] = {}
        self._keyed = state is TradingState.KILLED
        self._real = {_content(s.data) for s in made.signed}

    async def run(self, first: int, count: int) -> Verdict:
        """``count`` cases, a new world every ``WORLD_CASES``."""
        memory = Memory()
        with listening() as ears:
            for begin in range(first, first + count, WORLD_CASES):
                await self._world(range(begin, min(begin + WORLD_CASES, first + count)), ears)
                if begin - first >= 0.4 * count:
                    memory.warm()
                if len(self.verdict.findings) > SHOWN:
                    break
        self.verdict.growth_mib = memory.growth_mib()
        return self.verdict

    async def _world(self, numbers: Sequence[int], ears: Ears) -> None:
        keys = self._made.keys if self._keyed else None
        lines = AuditFile.open(self._folder / str(numbers[0]), "manager", keys, WallClock())
        keeps = self._state is TradingState.ACTIVE
        async with World(
            self._state, lambda r: audited(r, lines, keys, WallClock()), keeps=keeps, bus=self._bus
        ) as world:
            held = world.steered()
            ears.take()
            for number in numbers:
                case = self._cases.case(number)
                self.verdict.messages += 1
                await self._give(world, case, number)
                if number % STEP_CASES == 0:
                    await world.feed.step()
                await world.settle()
                if self._keyed and world.steered() != held:
                    self.verdict.changes.append(
                        f"{case.name}: {case.seed.where}: {held} became {world.steered()}"[:400]
                    )
                    held = world.steered()
                self.verdict.crashes += [f"{case.name}: {case.seed.where}: {text}" for text in ears.take()]
                if died := world.died():
                    self.verdict.crashes.append(f"{case.name}: {case.seed.where}: {died}")
                    return
                if number % PROBE_CASES == 0:
                    await self._probe(world, case.name)
            await self._all_asked(0)
            await self._probe(world, f"end of {self._cases.seed}:{numbers[-1]}")
            self._judge(world, f"{self._cases.seed}:{numbers[0]} to {numbers[-1]}")

    async def _give(self, world: World, case: Case, number: int) -> None:
        subject, data = case.seed.where, case.data
        if subject.startswith(_CONTROL):
            if self._keyed and (not _signed(data) or _content(data) in self._real):
                self.verdict.counts["commands that are real or bear no signature, left out"] += 1
                return
            task = asyncio.create_task(self._ask(world, subject, data, case.name))
            self._asked[task] = case.name
            task.add_done_callback(lambda t: self._asked.pop(t, None))
            await self._all_asked(ASKED_MAX)
            return
        if number % 2:
            data = brought_up(world, case.seed, data)
        if subject in _LAST_VALUES:
            await world.bus.put(subject, data)
        else:
            await world.bus.publish(subject, data)

    async def _ask(self, world: World, subject: str, data: bytes, name: str) -> None:
        try:
            answer = codec.decode_acknowledgement(await world.bus.request(subject, data, timeout_s=ANSWER_S * 2))
            self.verdict.counts["command accepted" if answer.accepted else "command refused"] += 1
        except Refused as error:
            self.verdict.counts["command refused"] += 1
            if "internal error" in str(error):
                self.verdict.crashes.append(f"{name}: {subject}: {error}"[:300])
        except HedgerowError as error:
            self.verdict.hangs.append(f"{name}: {subject}: {error}"[:300])

    async def _all_asked(self, at_most: int) -> None:
        while len(self._asked) > at_most:
            await asyncio.wait(self._asked, return_when=asyncio.FIRST_COMPLETED)

    async def _probe(self, world: World, name: str) -> None:
        if why := await world.answers(ANSWER_S):
            self.verdict.hangs.append(f"{name}: no status: {why}")

    def _judge(self, world: World, name: str) -> None:
        try:
            world.manager.state.check()
        except HedgerowError as error:
            self.verdict.changes.append(f"{name}: {error}")
        self.verdict.counts["orders of the manager"] += len(world.desk.orders)
        if self._state is TradingState.KILLED:
            self.verdict.orders += [f"{name}: {order.client_order_id} was sent" for order in world.desk.orders]
            return
        for order in world.desk.orders:
            if not 1 <= order.quantity_lots <= MAX_LOTS or order.epoch != world.manager.epoch:
                self.verdict.orders.append(f"{name}: {order}"[:300])
        entries = [codec.decode_journal_entry(e) for e in world.log.entries]
        found = audit(Run(world.made.universe, world.made.book, entries, limits=world.made.limits))
        self.verdict.orders += [f"{name}: {text}"[:300] for text in found]


def _content(data: bytes) -> bytes:
    try:
        return bytes(control_pb2.Command.FromString(data).SerializeToString(deterministic=True))
    except DecodeError:
        return b""


def _signed(data: bytes) -> bool:
    try:
        command = control_pb2.Command.FromString(data)
    except DecodeError:
        return True
    return bool(command.certificate or command.signature)


def brought_up(world: World, seed: Seed, data: bytes) -> bytes:
    """The same mutated message with the sequence, version and times that would be heard now, where it still decodes."""
    assert seed.message is not None
    message: Any = seed.message()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return data
    fold = world.manager.state.fold
    message.header.event_time_ns = world.feed.standing.now_ns
    name = seed.message.DESCRIPTOR.name
    if name == "QuoteBatch":
        heard = world.feed.standing.sources.get(message.header.source)
        message.header.sequence = 1 if heard is None else heard.sequence + (not message.snapshot)
    elif name == "Proposal":
        message.header.sequence = fold.newest.get(message.header.source, (0, 0))[1] + 1
        message.position_version = fold.ledger.version
        message.assignment_version = fold.assignment.version if fold.assignment else 0
        message.budget_epoch = fold.budgets.budget_epoch if fold.budgets else 0
        message.expires_ns = world.feed.standing.now_ns + 10**11
    elif name in ("PositionUpdate", "AssignmentUpdate", "AgentParameters"):
        message.version = min(message.version, 2**40) + 10**6
    elif name == "BudgetUpdate":
        message.budget_epoch = min(message.budget_epoch, 2**40) + 10**6
    return bytes(message.SerializeToString())


async def killed(made: Material, folder: Path, seed: int, first: int, count: int) -> Verdict:
    """Every subject while trading is killed; commands are signed ones with something changed."""
    cases = Cases(seed, [*made.data, *made.signed], protobuf.remade)
    return await Fuzzer("nats, killed", made, cases, TradingState.KILLED, folder).run(first, count)


async def odd_commands(made: Material, folder: Path, seed: int, first: int, count: int) -> Verdict:
    """Commands that anybody may have sent who may send commands."""
    # A wish for more shards is answered when they run, and here nobody starts them.
    cases = Cases(seed, [s for s in made.unsigned if s.where != subjects.control("scale")], protobuf.remade)
    return await Fuzzer("nats, commands", made, cases, TradingState.ACTIVE, folder).run(first, count)


async def active(made: Material, folder: Path, seed: int, first: int, count: int) -> Verdict:
    """What agents, feed and manager say, while trading is active."""
    # Parameters that no command set are told of by nobody, as the audit rightly says.
    cases = Cases(seed, [s for s in made.data if s.where != subjects.PARAMETERS], protobuf.remade)
    return await Fuzzer("nats, active", made, cases, TradingState.ACTIVE, folder).run(first, count)


async def live(made: Material, folder: Path, seed: int, first: int, count: int) -> Verdict:
    """As ``killed``, over a real nats-server; one world, so at most ``WORLD_CASES`` cases."""
    server = nats_server.start(folder / "nats")
    try:
        bus = await NatsBus.connect(server.url, "fuzz")
        try:
            await bus.create_streams()
            cases = Cases(seed, [*made.data, *made.signed], protobuf.remade)
            fuzzer = Fuzzer("nats, live", made, cases, TradingState.KILLED, folder / "audit", bus)
            verdict = await fuzzer.run(first, min(count, WORLD_CASES))
            verdict.counts["dropped with a reason"] = bus.refused
            return verdict
        finally:
            await bus.close()
    finally:
        server.stop()
