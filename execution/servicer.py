"""The calls of ``hedgerow.execution.v1``: requests to events, outcomes to answers.

Canonical codes: INVALID_ARGUMENT (a message that makes no sense), NOT_FOUND (no such order), OUT_OF_RANGE (reports this
store has not written), ABORTED (stream cut by a fence), RESOURCE_EXHAUSTED (reader too slow, resume), UNAVAILABLE
(stopping, or the store failed), DEADLINE_EXCEEDED (too late when it was its turn; nothing was done), each with its
``ErrorReason`` in the details. What a rule refuses is an answer, not an error: ``OrderAck.refusal`` with its code, because
orders share a stream and one that is refused must not end it for the others.
*Tested by* tests/integration/test_execution_service.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError
from hedgerow.execution.v1 import execution_pb2 as pb
from hedgerow.execution.v1 import execution_pb2_grpc

from common.errors import HedgerowError, Refused, Unavailable, UsageError
from common.messages import OrderAck, OrdStatus, Refusal, TradingState
from common.ports import Clock
from common.wire.error_codec import error_details
from common.wire.execution_codec import ack_to_pb, order_from_pb, order_state_to_pb, report_to_pb
from execution import events as ev
from execution import trading
from execution.engine import Engine
from execution.reconcile_codec import reconciliation_to_pb
from execution.reconciler import Reconciler
from execution.requests import too_many, unfit_fence, unfit_trading
from execution.stream import AckStream

PAGE = 1000
_TRADING_STATES = {int(state) for state in TradingState}


class ExecutionServicer(execution_pb2_grpc.ExecutionServiceServicer):
    """The calls of ``hedgerow.execution.v1``."""

    def __init__(self, engine: Engine, clock: Clock, reconciler: Reconciler) -> None:
        self._engine = engine
        self._reconciler = reconciler
        self._clock = clock

    # -- orders --------------------------------------------------------------------------------------------------------

    async def StreamOrders(  # noqa: N802
        self, requests: AsyncIterator[pb.StreamOrdersRequest], context: Any
    ) -> AsyncIterator[pb.StreamOrdersResponse]:
        """Orders and cancels in, one answer each out, after its commit."""
        stream = AckStream()
        try:
            self._engine.open_stream(stream)
        except Unavailable as error:
            await _abort(context, grpc.StatusCode.UNAVAILABLE, error)
        reader = asyncio.create_task(self._read(requests, stream))
        try:
            while acks := await stream.next():
                yield pb.StreamOrdersResponse(acks=[ack_to_pb(ack) for ack in acks])
        finally:
            self._engine.close_stream(stream)
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
        if stream.reason is not None:
            await _abort(context, _code_of(stream.reason, grpc.StatusCode.ABORTED), stream.reason)

    async def _read(self, requests: AsyncIterator[pb.StreamOrdersRequest], stream: AckStream) -> None:
        try:
            async for request in requests:
                wall_ns = self._clock.wall_ns()
                which = request.WhichOneof("request")
                if wrong := too_many(request):
                    raise UsageError(wrong)
                if which == "cancel":
                    cancel = request.cancel
                    await stream.expect(len(cancel.client_order_id))
                    await self._engine.offer(ev.Cancel(tuple(cancel.client_order_id), cancel.epoch, wall_ns), stream)
                    continue
                orders = request.replace.orders if which == "replace" else request.submit.orders
                await stream.expect(len(orders))
                for order in orders:
                    try:
                        if bool(order.orig_client_order_id) != (which == "replace"):
                            raise Refused(f"an order to {which} names the original {order.orig_client_order_id!r}")
                        await self._engine.offer(ev.Submit(order_from_pb(order), wall_ns), stream)
                    except Refused as error:
                        text = f"message: {error}"
                        name = order.client_order_id
                        stream.deliver([OrderAck(name, OrdStatus.REJECTED, Refusal.MALFORMED, text)])
            stream.half_close()
        except (UsageError, Unavailable) as error:
            stream.cut(error)
        except DecodeError as error:  # it ends the reading, so nobody would ever say that no more answers are due
            stream.cut(UsageError(f"a message of the stream does not decode: {error}"))

    async def Fence(self, request: pb.FenceRequest, context: Any) -> pb.FenceResponse:  # noqa: N802
        """Raise the epoch. Idempotent for the same holder; cuts every order stream."""
        if wrong := unfit_fence(request):
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, wrong)
        await self._hold(ev.Fence(request.epoch, request.holder), context)
        return pb.FenceResponse(
            epoch=self._engine.state.epoch,
            accepted=self._engine.fenced(request.epoch, request.holder),
            last_report_sequence=self._engine.state.sequence,
        )

    async def GetOrder(self, request: pb.GetOrderRequest, context: Any) -> pb.GetOrderResponse:  # noqa: N802
        """What is committed about one order."""
        try:
            found = self._engine.store.get([request.client_order_id])
        except Unavailable as error:
            await _abort(context, grpc.StatusCode.UNAVAILABLE, error)
        if not found:
            await _abort(context, grpc.StatusCode.NOT_FOUND, f"no order {request.client_order_id!r}")
        return pb.GetOrderResponse(state=order_state_to_pb(found[0].state))

    async def ListOrders(self, request: pb.ListOrdersRequest, context: Any) -> pb.ListOrdersResponse:  # noqa: N802
        """A page of what is committed."""
        try:
            rows = self._engine.store.orders(
                open_only=request.open_only,
                after_row=min(request.after_row, 2**63 - 1),
                limit=min(request.limit or PAGE, PAGE),
            )
        except Unavailable as error:
            await _abort(context, grpc.StatusCode.UNAVAILABLE, error)
        states = [order_state_to_pb(state) for _, state in rows]
        return pb.ListOrdersResponse(states=states, last_row=rows[-1][0] if rows else request.after_row)

    # -- reports -------------------------------------------------------------------------------------------------------

    async def StreamReports(  # noqa: N802
        self, request: pb.StreamReportsRequest, context: Any
    ) -> AsyncIterator[pb.StreamReportsResponse]:
        """From the store up to now, then live, without a gap between the two."""
        wanted = max(request.from_sequence, 1)
        if wanted > self._engine.state.sequence + 1:
            text = f"report {wanted} was asked for, the last one written is {self._engine.state.sequence}"
            await _abort(context, grpc.StatusCode.OUT_OF_RANGE, text)
        reader = self._engine.hub.open()
        # So that the client knows it is connected before the first report, however long that takes.
        await context.send_initial_metadata(())
        try:
            while page := self._engine.store.reports(wanted, PAGE):
                yield pb.StreamReportsResponse(reports=[report_to_pb(report) for report in page])
                wanted = page[-1].sequence + 1
            while True:
                fresh = [report for report in await reader.next() if report.sequence >= wanted]
                if fresh:
                    yield pb.StreamReportsResponse(reports=[report_to_pb(report) for report in fresh])
                    wanted = fresh[-1].sequence + 1
        except (Refused, Unavailable) as error:
            await _abort(context, _code_of(error, grpc.StatusCode.RESOURCE_EXHAUSTED), error)
        finally:
            self._engine.hub.drop(reader)

    # -- control -------------------------------------------------------------------------------------------------------

    async def SetTradingState(  # noqa: N802
        self, request: pb.SetTradingStateRequest, context: Any
    ) -> pb.SetTradingStateResponse:
        """Pause, resume or kill, by name and with a reason; returns when it is stored and cancels are out."""
        if wrong := unfit_trading(request, _TRADING_STATES, self._engine.state):
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, wrong)
        wanted, wall_ns = TradingState(request.state), self._clock.wall_ns()
        event = ev.SetTrading(wanted, request.who, request.why, wall_ns, request.scope)
        cancels = await self._hold(event, context)
        state: Any = int(trading.state_of(self._engine.state, request.scope))
        return pb.SetTradingStateResponse(state=state, cancels_sent=cancels)

    async def GetStatus(self, request: pb.GetStatusRequest, context: Any) -> pb.GetStatusResponse:  # noqa: ARG002, N802
        """How the service is."""
        state = self._engine.state
        (p50_ns, p99_ns), (first50_ns, first99_ns) = self._engine.latency.every_ns(), self._engine.latency.first_ns()
        now: Any = int(state.trading.state)
        link = self._engine.link
        stopped: Any = [_scope_to_pb(held) for held in state.stopped.values()]
        return pb.GetStatusResponse(
            state=now,
            stopped=stopped,
            who=state.trading.who,
            why=state.trading.why,
            epoch=state.epoch,
            last_report_sequence=state.sequence,
            open_orders=state.exposure.open_orders,
            orders=state.orders_stored,
            fills=state.fills_stored,
            tick_to_order_p50_ns=p50_ns,
            tick_to_order_p99_ns=p99_ns,
            tick_to_first_order_p50_ns=first50_ns,
            tick_to_first_order_p99_ns=first99_ns,
            venue=self._engine.venue.name,
            venue_state=pb.VenueState(
                name=self._engine.venue.name,
                connected=link.connected,
                since_ns=link.since_ns,
                waits_for=link.waits_for,
                unresolved_orders=sum(state.orders[n].ord_status is OrdStatus.UNKNOWN for n in state.open),
            ),
        )

    async def Reconcile(self, request: pb.ReconcileRequest, context: Any) -> pb.ReconcileResponse:  # noqa: N802
        """Compare with the venue; takes the tolerance longer where something differs."""
        try:
            done = await self._reconciler.reconcile(full=request.full)
        except Unavailable as error:
            await _abort(context, grpc.StatusCode.UNAVAILABLE, error)
        return reconciliation_to_pb(done, self._engine.venue.name, self._engine.state.trading.state)

    async def _hold(self, event: ev.Fence | ev.SetTrading, context: Any) -> int:
        """Cancels sent, once the event holds. A fence whose caller no longer waits when its turn comes is not carried out."""
        left_s = context.time_remaining()
        if left_s is not None and left_s <= 0.0:
            await _abort(context, grpc.StatusCode.DEADLINE_EXCEEDED, "the deadline had passed when it arrived")
        try:
            return await self._engine.ask(event)
        except Unavailable as error:
            await _abort(context, grpc.StatusCode.UNAVAILABLE, error)


def _scope_to_pb(held: ev.TradingSet) -> pb.ScopeState:
    state: Any = int(held.state)
    return pb.ScopeState(scope=held.scope, state=state, who=held.who, why=held.why)


def _code_of(reason: HedgerowError, refused: grpc.StatusCode) -> grpc.StatusCode:
    if isinstance(reason, UsageError):
        return grpc.StatusCode.INVALID_ARGUMENT
    return grpc.StatusCode.UNAVAILABLE if isinstance(reason, Unavailable) else refused


_REASONS = {
    grpc.StatusCode.INVALID_ARGUMENT: pb.ERROR_REASON_INVALID_REQUEST,
    grpc.StatusCode.NOT_FOUND: pb.ERROR_REASON_NO_SUCH_ORDER,
    grpc.StatusCode.OUT_OF_RANGE: pb.ERROR_REASON_NO_SUCH_REPORT,
    grpc.StatusCode.ABORTED: pb.ERROR_REASON_FENCED,
    grpc.StatusCode.RESOURCE_EXHAUSTED: pb.ERROR_REASON_READER_TOO_SLOW,
    grpc.StatusCode.UNAVAILABLE: pb.ERROR_REASON_STOPPING,
    grpc.StatusCode.DEADLINE_EXCEEDED: pb.ERROR_REASON_TOO_LATE,
}


async def _abort(context: Any, code: grpc.StatusCode, text: object) -> NoReturn:
    await context.abort(code, str(text), error_details(code.value[0], str(text), _REASONS[code]))
    raise AssertionError("abort returned")
