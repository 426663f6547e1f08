"""The gRPC connection between the real client (``common/execution_client.py``) and the real servicer, without gRPC.

``SimChannel`` is what the generated stub needs of a channel; calls run as tasks of the execution process. A call keeps its
order; nothing in it is lost or doubled; but it breaks when a process dies, when a fault resets the connection, or times out
while the line is down. ``RpcError`` stands for ``grpc.aio.AioRpcError`` (see ``rpc_shim``).
*Tested by* tests/simulation/test_simulator_world.py.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from types import SimpleNamespace
from typing import Any
from unittest import mock

from common import execution_client
from common.units import NS_PER_MS
from lab.simulator.links import Link
from lab.simulator.nats import void
from lab.simulator.world import Process, World

#: gRPC has its one place of import; the simulator only replaces it there.
_grpc = vars(execution_client)["grpc"]
_Code = _grpc.StatusCode
_REFUSED_NS = 2 * NS_PER_MS
_READY_POLL_S = 0.05


class RpcError(Exception):
    """A call that failed, as the client's library tells it."""

    def __init__(self, code: Any, details: str, trailer: Any = ()) -> None:
        super().__init__(f"{code.name}: {details}")
        self._code, self._details, self._trailer = code, details, trailer

    def code(self) -> Any:
        """The canonical code."""
        return self._code

    def details(self) -> str:
        """What the other side said."""
        return self._details

    def trailing_metadata(self) -> Any:
        """What came after the answer: the details of the status."""
        return self._trailer


class _Aborted(Exception):
    """The servicer ends a call with an error."""

    def __init__(self, code: Any, details: str, trailer: Any) -> None:
        super().__init__(details)
        self.error = RpcError(code, details, trailer)


class Wire:
    """Every connection to execution. ``serve`` puts a servicer behind it for one life of the process."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.process: Process | None = None
        self.servicer: Any = None
        self.life = 0
        self.calls: list[Call] = []
        self.links: dict[str, Link] = {}
        #: Hears of a client and what it writes to a stream, before that goes out.
        self.on_write: list[Callable[[Process, str], None]] = []

    def serve(self, process: Process, servicer: Any) -> None:
        """Take calls from now on."""
        self.process, self.servicer, self.life = process, servicer, process.starts

    @property
    def up(self) -> bool:
        """True while somebody listens."""
        return self.process is not None and self.process.alive and self.process.starts == self.life

    @property
    def streams(self) -> int:
        """Order streams that the servicer has open."""
        return sum(call.serves("StreamOrders") for call in self.calls)

    def link(self, name: str) -> Link:
        """The connection of a client."""
        return self.links.setdefault(name, Link(self.world, f"{name} and execution"))

    def died(self, process: Process) -> None:
        """A process is gone: its calls break on the other side, half of the time after what it had sent has arrived."""
        for call in [c for c in self.calls if c.client is process or process is self.process]:
            if process is not self.process and self.world.chance(0.5):
                call.hang_up()
            else:
                call.break_off("the connection was reset")

    def reset(self, client: str) -> None:
        """A fault: every call of one client breaks."""
        for call in [c for c in self.calls if c.client.name == client]:
            call.break_off("the connection was reset by the network")

    def shim(self) -> AbstractContextManager[Any]:
        """While it lasts, new clients get a ``SimChannel`` (the address names the process) instead of gRPC's."""
        aio = SimpleNamespace(insecure_channel=self._channel, AioRpcError=RpcError)
        return mock.patch.object(execution_client, "grpc", SimpleNamespace(aio=aio, StatusCode=_Code))

    def _channel(self, address: str, options: Any = ()) -> SimChannel:  # noqa: ARG002
        return SimChannel(self, self.world.processes[address])


class SimChannel:
    """What ``ExecutionServiceStub`` needs of a channel."""

    def __init__(self, wire: Wire, client: Process) -> None:
        self._wire, self._client = wire, client

    def unary_unary(self, path: str, **_: Any) -> Callable[..., Any]:
        """A call with one answer."""
        method = path.rpartition("/")[2]

        async def ask(request: Any, *, timeout: float | None = None, wait_for_ready: bool = False) -> Any:
            try:
                async with asyncio.timeout(timeout):
                    while wait_for_ready and not self._wire.up:
                        await self._client.sleep(_READY_POLL_S)
                    call = Call(self._wire, self._client, method, request)
                    return await call.one()
            except TimeoutError:
                raise RpcError(_Code.DEADLINE_EXCEEDED, f"{method}: no answer within {timeout} s") from None

        return ask

    def unary_stream(self, path: str, **_: Any) -> Callable[..., Any]:
        """A call with a stream of answers."""
        return lambda request: Call(self._wire, self._client, path.rpartition("/")[2], request)

    def stream_stream(self, path: str, **_: Any) -> Callable[..., Any]:
        """A call with streams both ways."""
        return lambda: Call(self._wire, self._client, path.rpartition("/")[2], None)

    async def channel_ready(self) -> None:
        """Wait until somebody listens."""
        while not self._wire.up:
            await self._client.sleep(_READY_POLL_S)

    async def close(self) -> None:
        """Nothing is kept open by itself."""


class _Queue:
    """Messages one way; an error ends it after what came before."""

    def __init__(self) -> None:
        self._items: deque[Any] = deque()
        self._wake = asyncio.Event()
        self._end: Exception | None = None

    def put(self, item: Any) -> None:
        self._items.append(item)
        self._wake.set()

    def end(self, error: Exception) -> None:
        self._end = self._end or error
        self._wake.set()

    async def get(self) -> Any:
        while not self._items:
            if self._end is not None:
                raise self._end
            self._wake.clear()
            await self._wake.wait()
        return self._items.popleft()


class Call:
    """One call, both its ends. Made on the client's loop; the server's end runs on execution's."""

    def __init__(self, wire: Wire, client: Process, method: str, request: Any) -> None:
        self.client = client
        self._wire, self._method = wire, method
        self._life, self._server_life = client.starts, wire.life
        self._link = wire.link(client.name)
        self._answers = _Queue()
        self._requests: _Queue | None = None
        self._early: list[Any] = []
        self._connected = asyncio.Event()
        self._task: asyncio.Task[Any] | None = None
        self._over = False
        wire.calls.append(self)
        client.act(f"call {method}", lambda: void(self._link.send(True, lambda: self._begin(request))))

    def serves(self, method: str) -> bool:
        """Whether the servicer is at work on this method for it."""
        return self._method == method and self._task is not None and not self._task.done()

    # -- the client's end ------------------------------------------------------------------------------------------

    async def one(self) -> Any:
        """The answer of a call that has one."""
        try:
            return await self._answers.get()
        except StopAsyncIteration:
            raise RpcError(_Code.UNKNOWN, "no answer") from None
        finally:
            self.cancel()

    async def write(self, message: Any) -> None:
        """Send one message of a stream."""
        if self._over:
            raise asyncio.InvalidStateError("the call is over")
        what = message.WhichOneof("request") or "nothing"
        for told in self._wire.on_write:
            told(self.client, what)
        self.client.act(f"write {what}", lambda: void(self._link.send(True, lambda: self._take(message))))
        await self.client.sleep(0.0)

    async def wait_for_connection(self) -> None:
        """Wait until the other side has taken the call."""
        waiting = asyncio.ensure_future(self._connected.wait())
        await waiting
        if self._answers._end is not None and not self._answers._items:
            raise self._answers._end

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        return await self._answers.get()

    def cancel(self) -> None:
        """The client is no longer interested."""
        if not self._over:
            self._finish()
            if self._task is not None:
                self._link.send(True, self._cancel_task)

    # -- the server's end ------------------------------------------------------------------------------------------

    def _begin(self, request: Any) -> None:
        wire = self._wire
        if self._over:
            return
        if not wire.up or wire.process is None or wire.process.loop is None:
            wire.world.after(_REFUSED_NS, lambda: self.break_off("nobody listens"))
            return
        self._server_life = wire.life
        wire.process.loop.call_soon(self._serve, request)

    def _serve(self, request: Any) -> None:
        if not self._over:
            loop = asyncio.get_running_loop()
            self._task = loop.create_task(self._run(request))

    async def _run(self, request: Any) -> None:
        handler = getattr(self._wire.servicer, self._method)
        # Deadlines are the client's here: it breaks the call off.
        context = SimpleNamespace(abort=_abort, send_initial_metadata=self._say_connected, time_remaining=lambda: None)
        error: Exception = StopAsyncIteration()
        try:
            if self._method == "StreamOrders":
                self._requests = _Queue()
                for message in self._early:
                    self._requests.put(message)
                async for answer in handler(self._incoming(), context):
                    self._answer(answer)
            elif self._method == "StreamReports":
                async for answer in handler(request, context):
                    self._answer(answer)
            else:
                self._answer(await handler(request, context))
        except _Aborted as aborted:
            error = aborted.error
        except Exception as failed:
            self._wire_say(f"{self._method} failed: {failed!r}")
            error = RpcError(_Code.UNKNOWN, repr(failed))
        self._to_client(lambda: self._end(error))

    def _wire_say(self, text: str) -> None:
        if self._wire.process is not None:
            self._wire.process.say(text)

    async def _incoming(self) -> AsyncIterator[Any]:
        assert self._requests is not None
        while True:
            yield await self._requests.get()

    async def _say_connected(self, _: Any) -> None:
        self._to_client(self._connected.set)

    def _take(self, message: Any) -> None:
        """A message of the client has come."""
        wire = self._wire
        if self._over or not wire.up or wire.life != self._server_life or wire.process is None:
            return
        assert wire.process.loop is not None
        wire.process.loop.call_soon(self._hand_over, message)

    def _hand_over(self, message: Any) -> None:
        if self._requests is None:
            self._early.append(message)
        else:
            self._requests.put(message)

    def _answer(self, message: Any) -> None:
        assert self._wire.process is not None
        self._wire.process.act(f"answer {self._method}", lambda: self._to_client(lambda: self._heard(message)))

    def _heard(self, message: Any) -> None:
        self._connected.set()
        self._answers.put(message)

    def _to_client(self, act: Callable[[], None]) -> None:
        self._link.send(False, lambda: self._at_client(act))

    def _at_client(self, act: Callable[[], None]) -> None:
        if not self._over and self.client.alive and self.client.starts == self._life and self.client.loop is not None:
            self.client.loop.call_soon(act)

    # -- its end ---------------------------------------------------------------------------------------------------

    def hang_up(self) -> None:
        """The client is gone; the other side learns it behind what is on its way."""
        self._link.send(True, lambda: self.break_off("the client is gone"))

    def break_off(self, why: str) -> None:
        """The connection is gone: both ends learn it."""
        if self._over:
            return
        error = RpcError(_Code.UNAVAILABLE, why)
        self._wire.world.after(_REFUSED_NS, lambda: self._at_client(lambda: self._end(error)))
        self._cancel_task()
        if self in self._wire.calls:
            self._wire.calls.remove(self)

    def _end(self, error: Exception) -> None:
        self._connected.set()
        self._answers.end(error)
        self._finish()

    def _finish(self) -> None:
        self._over = True
        if self in self._wire.calls:
            self._wire.calls.remove(self)

    def _cancel_task(self) -> None:
        """On the server's loop the handler is cancelled, as gRPC does when a client goes."""
        process, task = self._wire.process, self._task
        if task is not None and process is not None and process.alive and process.starts == self._server_life:
            assert process.loop is not None
            process.loop.call_soon(task.cancel)


async def _abort(code: Any, details: str, trailing_metadata: Any = ()) -> None:
    raise _Aborted(code, details, trailing_metadata)
