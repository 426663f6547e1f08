"""A NATS server and its client without NATS: subjects, request-reply, streams with conditions, and what goes wrong.

``SimBus`` is a ``RecordPlane``, so values, tails, journal (``NatsJournal``) and lease (``NatsLease``) are the real ones. What
is stored is durable. Core messages (quotes, proposals, heartbeats, what streams tell) may be lost, doubled, delayed and
overtaken; stored messages and answers may only be lost to a broken connection, which the asker hears as a timeout.
*Tested by* tests/simulation/test_simulator_world.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace
from typing import Any

from common import subjects
from common.bus import memory_bus
from common.bus.delivery import Stored, WrongSequence, answer_of, call
from common.bus.record import RETRY_S, STORE_TIMEOUT_S, TRY_TIMEOUT_S, RecordPlane
from common.bus.streams import LEASE_TTL_S
from common.errors import Refused, Unavailable
from common.ports import Handler, Responder
from common.units import NS_PER_MS, NS_PER_S
from lab.simulator.links import Link
from lab.simulator.world import Process, World

_EXPECTED_SEQUENCE = "Nats-Expected-Last-Sequence"
_EXPECTED_SUBJECT_SEQUENCE = "Nats-Expected-Last-Subject-Sequence"
_OF_SUBJECT = "Nats-Expected-Last-Subject-Sequence-Subject"
#: The rule of NATS, remembered: few patterns meet few subjects, again and again.
matches = cache(memory_bus.matches)
_QUOTES = subjects.quotes("")
#: How much later a message may come that another one overtakes.
_OVERTAKEN_NS = 40 * NS_PER_MS


@dataclass(slots=True)
class Noise:
    """Shares of core messages that are lost, doubled and overtaken."""

    lost: float = 0.0
    doubled: float = 0.0
    overtaken: float = 0.0


@dataclass(slots=True)
class _Kept:
    sequence: int
    subject: str
    data: bytes
    at_ns: int


@dataclass(slots=True)
class Stream:
    """Stored messages; ``max_age_ns`` 0 keeps them for ever, ``one`` only the newest of each subject."""

    one: bool
    max_age_ns: int = 0
    last: int = 0
    kept: list[_Kept] = field(default_factory=list)

    def newest(self, subject: str, now_ns: int) -> _Kept | None:
        """Newest message of a subject that has not expired."""
        for kept in reversed(self.kept):
            if kept.subject == subject:
                return None if self.max_age_ns and now_ns - kept.at_ns >= self.max_age_ns else kept
        return None

    def store(self, subject: str, data: bytes, headers: dict[str, str], now_ns: int) -> int | None:
        """The sequence it got, or None where a condition does not hold."""
        if _EXPECTED_SEQUENCE in headers and int(headers[_EXPECTED_SEQUENCE]) != self.last:
            return None
        if _EXPECTED_SUBJECT_SEQUENCE in headers:
            of = self.newest(headers.get(_OF_SUBJECT, subject), now_ns)
            if int(headers[_EXPECTED_SUBJECT_SEQUENCE]) != (of.sequence if of else 0):
                return None
        self.last += 1
        if self.one:
            self.kept = [k for k in self.kept if k.subject != subject]
        self.kept.append(_Kept(self.last, subject, data, now_ns))
        return self.last


class NatsServer:
    """The server. ``on_stored(stream, subject, data, sequence)`` and ``on_published(subject, data)`` watch it."""

    def __init__(self, world: World, noise: Noise) -> None:
        self.world = world
        self.noise = noise
        self.subscriptions: list[_Subscription] = []
        self.responders: list[_Subscription] = []
        self.streams = {name: Stream(True) for name in subjects.LAST_VALUE_STREAMS}
        self.streams[subjects.STREAM_JOURNAL] = Stream(False)
        self.streams[subjects.STREAM_LEASE] = Stream(True, round(LEASE_TTL_S * NS_PER_S))
        self.on_stored: list[Callable[[str, str, bytes, int], None]] = []
        self.on_published: list[Callable[[str, bytes, str], None]] = []
        self.links: dict[str, Link] = {}
        #: Processes that hear no quotes until a wall time.
        self.deaf: dict[str, int] = {}
        #: Where the answer to each request goes.
        self.replies: dict[str, Callable[[Any], None]] = {}

    def link(self, name: str) -> Link:
        """The connection of a process."""
        return self.links.setdefault(name, Link(self.world, name))

    def stream_for(self, subject: str) -> str:
        """Stream that stores a subject."""
        if subject in (subjects.JOURNAL_ENTRY, subjects.JOURNAL_EPOCH):
            return subjects.STREAM_JOURNAL
        return subjects.STREAM_LEASE if subject.startswith("$KV.") else subjects.stream_of(subject)

    def store(self, subject: str, data: bytes, headers: dict[str, str]) -> int | None:
        """Store a message and tell it on, as republishing streams do."""
        name = self.stream_for(subject)
        sequence = self.streams[name].store(subject, data, headers, self.world.now_ns)
        if sequence is not None:
            for told in self.on_stored:
                told(name, subject, data, sequence)
            if name != subjects.STREAM_LEASE:
                self.route(subjects.stored(subject), data, str(sequence))
        return sequence

    def route(self, subject: str, data: bytes, sequence: str = "") -> None:
        """Core NATS: to everybody who listens, as far as it gets."""
        noise, world = self.noise, self.world
        for subscription in list(self.subscriptions):
            if not matches(subscription.pattern, subject):
                continue
            if subject.startswith(_QUOTES) and world.now_ns < self.deaf.get(subscription.process.name, 0):
                continue
            copies = 0 if world.chance(noise.lost) else 2 if world.chance(noise.doubled) else 1
            for _ in range(copies):
                late = world.chance(noise.overtaken)
                subscription.carry(subject, data, sequence, world.between(0, _OVERTAKEN_NS) if late else 0, not late)

    def forget(self, process: Process) -> None:
        """A process died: its subscriptions go with it."""
        self.subscriptions[:] = [s for s in self.subscriptions if s.process is not process]
        self.responders[:] = [s for s in self.responders if s.process is not process]


@dataclass(eq=False)
class _Subscription:
    """What a client has asked the server for; ``take(subject, data, sequence or reply)`` runs in the process."""

    process: Process
    link: Link
    pattern: str
    take: Callable[[str, bytes, str], None]
    life: int

    def carry(self, subject: str, data: bytes, word: str, extra_ns: int, ordered: bool) -> None:
        self.link.send(False, lambda: self._arrive(subject, data, word), ordered=ordered, extra_ns=extra_ns)

    def _arrive(self, subject: str, data: bytes, word: str) -> None:
        if self.process.alive and self.process.starts == self.life and self.process.loop is not None:
            self.process.loop.call_soon(self.take, subject, data, word)


class SimBus(RecordPlane):
    """``common.bus.nats_bus.NatsBus`` of one process, for one of its lives."""

    def __init__(self, server: NatsServer, process: Process) -> None:
        super().__init__()
        self.where = "the simulated NATS"
        self._server = server
        self._process = process
        self._life = process.starts
        self._link = server.link(process.name)
        self.dropped = 0

    # -- the record plane's four operations ------------------------------------------------------------------------

    async def store(
        self, subject: str, data: bytes, *, headers: dict[str, str] | None = None, timeout_s: float = TRY_TIMEOUT_S
    ) -> int:
        """See ``RecordPlane``."""
        label = "store " + subject.rpartition(".")[2]
        sequence = await self._ask(label, lambda: self._server.store(subject, data, headers or {}), timeout_s, subject)
        if sequence is None:
            raise WrongSequence(f"{subject}: somebody else has written")
        return int(sequence)

    async def last(self, stream: str, subject: str, *, direct: bool = False) -> Stored | None:  # noqa: ARG002
        """See ``RecordPlane``. There are no replicas, so ``direct`` means nothing."""

        def look() -> Stored | None:
            kept = self._server.streams[stream].newest(subject, self._server.world.now_ns)
            return None if kept is None else Stored(kept.sequence, kept.data)

        found: Stored | None = await self._ask("ask last", look, TRY_TIMEOUT_S, subject)
        return found

    async def fetch(self, stream: str, subject: str, first: int) -> list[Stored]:
        """See ``RecordPlane``."""

        def look() -> list[Stored]:
            kept = self._server.streams[stream].kept
            return [Stored(k.sequence, k.data) for k in kept if k.sequence >= first and k.subject == subject]

        found: list[Stored] = await self._ask("ask stream", look, TRY_TIMEOUT_S, subject)
        return found

    async def _subscribe(self, subject: str, callback: Callable[[Any], Awaitable[None]]) -> Any:
        def take(_: str, data: bytes, word: str) -> None:
            message = SimpleNamespace(data=data, headers={"Nats-Sequence": word})
            read: Any = callback(message)  # the bus hands in coroutine functions; the base names any awaitable
            asyncio.get_running_loop().create_task(read)

        return await self._register(subject, take, self._server.subscriptions)

    async def _unsubscribe(self, inner: Any) -> None:
        for kept in (self._server.subscriptions, self._server.responders):
            if inner in kept:
                kept.remove(inner)

    # -- the rest of the port --------------------------------------------------------------------------------------

    async def close(self) -> None:
        """See ``ports.Bus``; the connection ends with its process."""

    async def publish(self, subject: str, data: bytes) -> None:
        """See ``ports.Bus``: sent and forgotten."""

        def leave() -> None:
            for told in self._server.on_published:
                told(subject, data, self._process.name)
            self._link.send(True, lambda: self._server.route(subject, data))

        self._process.act("publish " + subject.partition(".")[2], leave)

    async def subscribe(self, subject: str, handler: Handler, *, bound: int) -> SimSubscription:  # noqa: ARG002
        """See ``ports.Bus``; a simulated reader never falls ``bound`` behind."""
        inner = await self._register(subject, lambda s, d, _: call(self, handler, s, d), self._server.subscriptions)
        return SimSubscription(self, inner)

    async def serve(self, subject: str, responder: Responder) -> SimSubscription:
        """See ``ports.Bus``. Everybody who serves a subject hears a request; the first answer counts."""
        bus, server = self, self._server

        async def respond(asked: str, data: bytes, reply: str) -> None:
            refused, answer = await answer_of(responder, asked, data)
            back = server.replies.get(reply)
            if back is not None:
                bus._process.act("answer " + asked, lambda: bus._reply(back, (refused, answer)))

        def take(asked: str, data: bytes, reply: str) -> None:
            asyncio.get_running_loop().create_task(respond(asked, data, reply))

        return SimSubscription(self, await self._register(subject, take, server.responders))

    def _reply(self, back: Callable[[Any], None], answer: Any) -> None:
        self._link.send(True, lambda: back(answer))

    async def request(self, subject: str, data: bytes, *, timeout_s: float) -> bytes:
        """See ``ports.Bus``: while nobody listens it asks again until the time is up."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while True:
            answer = await self._request_once(subject, data, max(deadline - loop.time(), RETRY_S))
            if answer is not None:
                refused, said = answer
                if refused:
                    raise Refused(said.decode())
                return said
            if loop.time() + RETRY_S >= deadline:
                raise Unavailable(f"{subject}: nobody listens")
            await self._process.sleep(RETRY_S)

    async def served(self, subject: str, *, settled_s: float) -> bool:  # noqa: ARG002
        """As the real one; a simulated server forgets nobody while it is away."""
        try:
            return await self._request_once(subject, b"", RETRY_S) is not None
        except Unavailable:
            return True

    async def _request_once(self, subject: str, data: bytes, timeout_s: float) -> tuple[bool, bytes] | None:
        """None where nobody listens."""
        server, future = self._server, asyncio.get_running_loop().create_future()
        name = f"{self._process.name}/{len(server.replies)}"
        server.replies[name] = lambda answer: void(self._link.send(False, lambda: self._hear(future, answer)))

        def ask() -> None:
            heard = [s for s in server.responders if matches(s.pattern, subject)]
            for responder in heard:
                responder.carry(subject, data, name, 0, True)
            if not heard:
                self._link.send(False, lambda: self._hear(future, None))

        self._process.act("request " + subject, lambda: void(self._link.send(True, ask)))
        heard: tuple[bool, bytes] | None = await self._within(future, timeout_s, subject)
        return heard

    async def _register(
        self, pattern: str, take: Callable[[str, bytes, str], None], where: list[_Subscription]
    ) -> _Subscription:
        made = _Subscription(self._process, self._link, pattern, take, self._life)
        await self._ask("subscribe", lambda: where.append(made), STORE_TIMEOUT_S, pattern)
        return made

    async def _ask(self, label: str, at_server: Callable[[], Any], timeout_s: float, subject: str) -> Any:
        """A round trip. What gets there is done even if the answer is lost."""
        future = asyncio.get_running_loop().create_future()

        def arrive() -> None:
            answer = at_server()
            self._link.send(False, lambda: self._hear(future, answer))

        self._process.act(label, lambda: void(self._link.send(True, arrive)))
        return await self._within(future, timeout_s, subject)

    async def _within(self, future: asyncio.Future[Any], timeout_s: float, subject: str) -> Any:
        try:
            return await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            raise Unavailable(f"{subject}: no answer within {timeout_s:g} s") from None

    def _hear(self, future: asyncio.Future[Any], answer: Any) -> None:
        process = self._process
        if process.alive and process.starts == self._life and process.loop is not None:
            process.loop.call_soon(_set, future, answer)


class SimSubscription:
    """``ports.Subscription``."""

    def __init__(self, bus: SimBus, inner: _Subscription) -> None:
        self._bus, self._inner = bus, inner

    async def stop(self) -> None:
        """See ``ports.Subscription``."""
        await self._bus._unsubscribe(self._inner)


def void(_: object) -> None:
    """An effect whose outcome nobody is told."""


def _set(future: asyncio.Future[Any], answer: Any) -> None:
    if not future.done():
        future.set_result(answer)
