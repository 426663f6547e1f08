"""The gRPC client of execution, for manager and command line. The only client-side ``grpc`` import.

Orders and cancels go out on one long-lived stream; answers come to ``on_ack``. When the stream breaks it is opened again
and what was not answered is sent again: safe, because execution is idempotent by id. While it is down ``submit`` and
``cancel`` raise ``Unavailable`` and take nothing. ``fence`` forgets whatever was not answered: the caller reconciles
against the store, and execution drops what older streams still held.
*Tested by* tests/integration/test_execution_service.py, tests/integration/test_execution_crash.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from hedgerow.execution.v1 import execution_pb2 as pb
from hedgerow.execution.v1 import execution_pb2_grpc

from common.errors import HedgerowError, Refused, Unavailable
from common.messages import ExecutionReport, Order, OrderAck, OrderState, TradingState
from common.security.access import on_behalf
from common.security.keys import Tls
from common.tasks import end
from common.wire.error_codec import error_reason
from common.wire.execution_codec import ack_from_pb, order_state_from_pb, order_to_pb, report_from_pb

_log = logging.getLogger(__name__)
_OPTIONS = (
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 500),
)
_BACKOFF_S = 0.05
_LONGEST_BACKOFF_S = 0.5
_LOST = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
#: A stream that ended so is opened again: a reader that was too slow, a stream cut by a fence.
_RESUMABLE = (*_LOST, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.ABORTED, grpc.StatusCode.UNKNOWN)
#: Orders or cancels in one message.
_MESSAGE_BOUND = 256
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Fenced:
    """Answer to a fence: the epoch that holds, whether it is ours, and the last report written before it."""

    epoch: int
    accepted: bool
    last_report_sequence: int


class ExecutionClient:
    """``deadline_s`` of each unary call and ``patience_s`` for which a report stream tries to resume, wall seconds.

    ``tls``: what proves who we are, for an execution that asks for it; None talks in the open.
    """

    def __init__(
        self,
        address: str,
        on_ack: Callable[[OrderAck], None] | None = None,
        *,
        deadline_s: float = 5.0,
        patience_s: float = 5.0,
        tls: Tls | None = None,
    ) -> None:
        self.address = address
        self._on_ack = on_ack
        self._deadline_s = deadline_s
        self._patience_s = patience_s
        self._name = tls.identity.name if tls is not None else ""
        self._channel: Any = _channel(address, tls)
        stub: Any = execution_pb2_grpc.ExecutionServiceStub
        self._stub: Any = stub(self._channel)
        self._unanswered: dict[_Key, pb.StreamOrdersRequest] = {}
        self._outbox: deque[_Key] = deque()
        self._wake = asyncio.Event()
        self._job: asyncio.Task[None] | None = None
        self._up = True

    async def connect(self, timeout_s: float = 10.0) -> None:
        """Wait until execution answers. Raises ``Unavailable`` naming the address."""
        try:
            await asyncio.wait_for(self._channel.channel_ready(), timeout_s)
        except TimeoutError:
            raise Unavailable(f"execution at {self.address} does not answer within {timeout_s:g} s") from None

    async def __aenter__(self) -> ExecutionClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """End the streams and the connection."""
        await self._end_stream()
        await self._channel.close()

    # -- orders --------------------------------------------------------------------------------------------------------

    async def submit(self, orders: Sequence[Order]) -> None:
        """Queue orders and replacements for the stream. Raises ``Unavailable``, having taken none, while it is down."""
        self._check_up()
        for order in orders:
            content = [order_to_pb(order)]
            if order.orig_client_order_id:
                request = pb.StreamOrdersRequest(replace=pb.ReplaceOrders(orders=content))
            else:
                request = pb.StreamOrdersRequest(submit=pb.SubmitOrders(orders=content))
            self._queue(("order", order.client_order_id), request)

    async def cancel(self, ids: Sequence[str], epoch: int) -> None:
        """Queue cancels for the stream. Raises ``Unavailable``, having taken none, while it is down."""
        self._check_up()
        for name in ids:
            request = pb.StreamOrdersRequest(cancel=pb.CancelOrders(client_order_id=[name], epoch=epoch))
            self._queue(("cancel", name), request)

    @property
    def unanswered(self) -> tuple[str, ...]:
        """Ids of orders sent or queued and not answered yet."""
        return tuple(name for kind, name in self._unanswered if kind == "order")

    def _check_up(self) -> None:
        if not self._up:
            raise Unavailable(f"the order stream to execution at {self.address} is down")

    def _queue(self, key: _Key, request: pb.StreamOrdersRequest) -> None:
        self._unanswered[key] = request
        self._outbox.append(key)
        self._wake.set()
        self._open_stream()

    def _open_stream(self) -> None:
        if self._job is None:
            self._job = asyncio.create_task(self._keep_stream())

    async def _keep_stream(self) -> None:
        backoff_s = _BACKOFF_S
        while True:
            call = self._stub.StreamOrders()
            writer = asyncio.create_task(self._write(call))
            try:
                async for response in call:
                    self._up, backoff_s = True, _BACKOFF_S
                    self._answered([ack_from_pb(ack) for ack in response.acks])
                _log.info("execution at %s ended the order stream", self.address)
            except grpc.aio.AioRpcError as error:
                _log.info("the order stream to %s broke: %s", self.address, error.details())
            except Exception:  # a stream that ended here for good would take orders that never leave
                _log.exception("an answer of execution at %s was not understood; the stream begins anew", self.address)
            finally:
                writer.cancel()
                await asyncio.gather(writer, return_exceptions=True)
                call.cancel()
            self._up = False
            await asyncio.sleep(backoff_s)
            backoff_s = min(2.0 * backoff_s, _LONGEST_BACKOFF_S)
            await self._wait_until_back()
            self._outbox = deque(self._unanswered)
            self._up = True
            self._wake.set()

    async def _wait_until_back(self) -> None:
        """A unary call that waits for the connection tells when to open the stream again."""
        while True:
            try:
                await self._stub.GetStatus(pb.GetStatusRequest(), timeout=self._deadline_s, wait_for_ready=True)
                return
            except grpc.aio.AioRpcError:
                await asyncio.sleep(_LONGEST_BACKOFF_S)

    async def _write(self, call: Any) -> None:
        """Everything queued in one message of each kind, in order."""
        try:
            while True:
                while self._outbox:
                    await call.write(self._next_message())
                self._wake.clear()
                await self._wake.wait()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            # The reading side sees the same break and says so; what was not answered goes out again.
            _log.debug("writing orders stopped: %s", error)

    def _next_message(self) -> pb.StreamOrdersRequest:
        message = pb.StreamOrdersRequest()
        for _ in range(min(len(self._outbox), _MESSAGE_BOUND)):
            key = self._outbox[0]
            request = self._unanswered.get(key)
            if request is None:
                self._outbox.popleft()
                continue
            which = request.WhichOneof("request")
            if message.WhichOneof("request") not in (None, which) or (
                which == "cancel" and message.cancel.client_order_id and message.cancel.epoch != request.cancel.epoch
            ):
                break
            message.MergeFrom(request)
            self._outbox.popleft()
        return message

    def _answered(self, acks: list[OrderAck]) -> None:
        for ack in acks:
            if self._unanswered.pop(("order", ack.client_order_id), None) is None:
                self._unanswered.pop(("cancel", ack.client_order_id), None)
            if self._on_ack is not None:
                self._on_ack(ack)

    async def _end_stream(self) -> None:
        if self._job is not None:
            await end([self._job])
            self._job = None
        self._unanswered.clear()
        self._outbox.clear()

    # -- calls ---------------------------------------------------------------------------------------------------------

    async def fence(self, epoch: int, holder: str) -> Fenced:
        """Raise the epoch. Unanswered orders are forgotten and, once this returns, can no longer arrive.

        Where it was taken an order stream is open from now on: it tells execution that somebody leads (`execution/alone.py`).
        """
        await self._end_stream()
        answer = await self._call(self._stub.Fence, pb.FenceRequest(epoch=epoch, holder=holder))
        self._up = True
        if answer.accepted:
            self._open_stream()
        return Fenced(answer.epoch, answer.accepted, answer.last_report_sequence)

    async def get_order(self, client_order_id: str) -> OrderState | None:
        """What execution has stored of an order; None if it never took it."""
        request = pb.GetOrderRequest(client_order_id=client_order_id)
        try:
            answer = await self._stub.GetOrder(request, timeout=self._deadline_s)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise self._error(error) from error
        return order_state_from_pb(answer.state)

    async def list_orders(self, *, open_only: bool = False) -> tuple[OrderState, ...]:
        """Every order stored, oldest first, fetched page by page."""
        out: list[OrderState] = []
        row = 0
        while True:
            request = pb.ListOrdersRequest(open_only=open_only, after_row=row)
            answer = await self._call(self._stub.ListOrders, request)
            if not answer.states:
                return tuple(out)
            out += [order_state_from_pb(state) for state in answer.states]
            row = answer.last_row

    async def set_trading_state(self, state: TradingState, who: str, why: str, scope: str = "") -> int:
        """Pause, resume or kill; it holds on return. Returns how many cancels were sent to the venue.

        ``scope``: empty for everything, ``underlying:SPX`` for one underlying. With a certificate its name is put before ``who``.
        """
        wanted: Any = int(state)
        who = on_behalf(self._name, who) if self._name else who
        request = pb.SetTradingStateRequest(state=wanted, who=who, why=why, scope=scope)
        answer = await self._call(self._stub.SetTradingState, request)
        return int(answer.cancels_sent)

    async def status(self) -> dict[str, object]:
        """The fields of ``GetStatusResponse``; ``state`` by name. Times in nanoseconds."""
        answer = await self._call(self._stub.GetStatus, pb.GetStatusRequest())
        view: dict[str, object] = {field.name: getattr(answer, field.name) for field in answer.DESCRIPTOR.fields}
        view["state"] = TradingState(answer.state).name
        line = answer.venue_state
        view["venue_state"] = {field.name: getattr(line, field.name) for field in line.DESCRIPTOR.fields}
        view["stopped"] = [
            {"scope": s.scope, "state": TradingState(s.state).name, "who": s.who, "why": s.why} for s in answer.stopped
        ]
        return view

    async def reconcile(self, *, full: bool = False, deadline_s: float = 60.0) -> dict[str, object]:
        """Compare with the venue, now; the fields of ``ReconcileResponse``, ``state`` by name. Times in nanoseconds.

        ``full``: every fill since the account began. Takes execution's tolerance longer where something differs.
        """
        request = pb.ReconcileRequest(full=full)
        answer = await self._call(self._stub.Reconcile, request, deadline_s)
        view: dict[str, object] = {field.name: getattr(answer, field.name) for field in answer.DESCRIPTOR.fields}
        view["state"] = TradingState(answer.state).name
        for name in ("breaks", "in_doubt"):
            found = getattr(answer, name)
            view[name] = [{f.name: getattr(item, f.name) for f in item.DESCRIPTOR.fields} for item in found]
        return view

    async def _call(self, method: Any, request: Any, deadline_s: float | None = None) -> Any:
        try:
            return await method(request, timeout=deadline_s or self._deadline_s)
        except grpc.aio.AioRpcError as error:
            raise self._error(error) from error

    def _error(self, error: grpc.aio.AioRpcError) -> HedgerowError:
        if error.code() in _LOST:
            return Unavailable(f"execution at {self.address}: {error.details() or error.code().name}")
        reason = error_reason(error.trailing_metadata())
        return Refused(f"execution at {self.address} refused{f' ({reason})' if reason else ''}: {error.details()}")

    # -- reports -------------------------------------------------------------------------------------------------------

    async def reports(self, from_sequence: int) -> AsyncIterator[ExecutionReport]:
        """Every report from a sequence on, for ever, each once and in order; resumes by itself when the stream breaks.

        Raises ``Unavailable`` after ``patience_s`` without an answer, ``Refused`` if execution has not written so many.
        """
        wanted = max(from_sequence, 1)
        loop = asyncio.get_running_loop()
        lost_s: float | None = None
        while True:
            call = self._stub.StreamReports(pb.StreamReportsRequest(from_sequence=wanted))
            try:
                await call.wait_for_connection()
                lost_s = None
                async for response in call:
                    for message in response.reports:
                        if message.sequence == wanted:
                            wanted += 1
                            yield report_from_pb(message)
            except grpc.aio.AioRpcError as error:
                if error.code() not in _RESUMABLE:
                    raise self._error(error) from error
                lost_s = loop.time() if lost_s is None else lost_s
                if loop.time() - lost_s > self._patience_s:
                    raise self._error(error) from error
            finally:
                call.cancel()
            await asyncio.sleep(_BACKOFF_S)

    async def reports_between(self, first: int, last: int) -> tuple[ExecutionReport, ...]:
        """Reports ``first`` to ``last``, both included; empty if ``last`` is before ``first``."""
        out: list[ExecutionReport] = []
        if last < first:
            return ()
        async for report in self.reports(first):
            out.append(report)
            if report.sequence >= last:
                break
        return tuple(out)


def _channel(address: str, tls: Tls | None) -> Any:
    if tls is None:
        return grpc.aio.insecure_channel(address, options=_OPTIONS)
    return grpc.aio.secure_channel(
        address, grpc.ssl_channel_credentials(tls.ca, tls.key, tls.certificate), options=_OPTIONS
    )
