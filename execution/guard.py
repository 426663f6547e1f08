"""Who may call what on execution's port: mutual TLS, roles from certificates, one table; and the audit line of a control call.

With keys every connection shows a certificate of our CA, and every call is looked up in ``common.security.access`` by the role
the certificate proves; what the table does not name is refused to everybody. ``who`` in a control call must be the certificate's
name or begin with it (``manager-a/alice``). Without keys the port is open, so it may only be one of this machine's loopback.
The health port knows no certificates, since a kubelet has none: it answers for health and for nothing else.
*Tested by* tests/integration/test_security_execution.py, tests/integration/test_security_matrix.py.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, NoReturn

import grpc
from google.protobuf.json_format import MessageToDict
from grpc_health.v1 import health_pb2_grpc

from common.errors import Conflict, Refused, UsageError
from common.security.access import SERVICE, Identity, identity, permits, speaks_for
from common.security.audit import UNPROVEN, Asked
from common.security.audit_file import AuditFile
from common.security.keys import Tls

_log = logging.getLogger(__name__)

#: Calls of people that change what trading may do; each leaves an audit line.
AUDITED: Final = (f"/{SERVICE}/SetTradingState",)
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]", "::1")
_DENIED: Final = grpc.StatusCode.PERMISSION_DENIED


class Guard(grpc.aio.ServerInterceptor):
    """Stands before every call. ``secured``: the port asks for certificates, so a call without a role is refused."""

    def __init__(self, *, secured: bool, audit: AuditFile | None = None) -> None:
        self._secured = secured
        self._audit = audit

    async def intercept_service(self, continuation: Callable[[Any], Awaitable[Any]], details: Any) -> Any:
        """The handler of a call, behind the check; None, which says UNIMPLEMENTED, for a call that nobody serves."""
        handler = await continuation(details)
        if handler is None or (not self._secured and details.method not in AUDITED):
            return handler
        return (
            self._unary(handler, details.method)
            if not handler.response_streaming
            else self._stream(handler, details.method)
        )

    def _unary(self, handler: Any, method: str) -> Any:
        inner = handler.stream_unary if handler.request_streaming else handler.unary_unary

        async def guarded(request: Any, context: Any) -> Any:
            who = await self._admit(method, context)
            if method not in AUDITED:
                return await inner(request, context)
            return await self._audited(method, inner, request, context, who)

        make = (
            grpc.stream_unary_rpc_method_handler if handler.request_streaming else grpc.unary_unary_rpc_method_handler
        )
        return make(guarded, handler.request_deserializer, handler.response_serializer)

    def _stream(self, handler: Any, method: str) -> Any:
        inner = handler.stream_stream if handler.request_streaming else handler.unary_stream

        async def yielding(request: Any, context: Any) -> AsyncIterator[Any]:
            await self._admit(method, context)
            async with contextlib.aclosing(inner(request, context)) as responses:
                async for response in responses:
                    yield response

        async def writing(request: Any, context: Any) -> None:
            await self._admit(method, context)
            await inner(request, context)

        # The two forms of a streaming handler: one yields its answers, the other writes them to the context.
        guarded = yielding if inspect.isasyncgenfunction(inner) else writing

        make = (
            grpc.stream_stream_rpc_method_handler if handler.request_streaming else grpc.unary_stream_rpc_method_handler
        )
        return make(guarded, handler.request_deserializer, handler.response_serializer)

    async def _admit(self, method: str, context: Any) -> Identity | None:
        """Who calls, proven; None on a port without certificates. Ends the call if the role may not."""
        if not self._secured:
            return None
        shown = context.auth_context()
        try:
            who = identity(_texts(shown, "peer_uri"), "".join(_texts(shown, "x509_common_name")))
            if not permits(who.role, method):
                raise Refused(f"role {who.role} ({who.name}) may not call {method}")
        except Refused as error:
            _log.warning("refused: %s", error)
            await _deny(context, str(error))
        return who

    async def _audited(self, method: str, inner: Any, request: Any, context: Any, proven: Identity | None) -> Any:
        if proven is not None and request.who and not speaks_for(proven.name, request.who):
            text = f"who {request.who!r} is not the certificate's {proven.name!r} nor begins with {proven.name + '/'!r}"
            _log.warning("refused: %s", text)
            await self._line(method, request, proven, f"refused: {text}")
            await _deny(context, text)
        try:
            answer = await inner(request, context)
        except grpc.aio.AbortError:
            await self._line(method, request, proven, f"refused: {context.details() or context.code()}")
            raise
        await self._line(method, request, proven, f"done: {json.dumps(_shown(answer), sort_keys=True)}")
        return answer

    async def _line(self, method: str, request: Any, proven: Identity | None, outcome: str) -> None:
        if self._audit is None:
            return
        what = {name: value for name, value in _shown(request).items() if name not in ("who", "why")}
        proof = f"{proven.role} {proven.name}" if proven is not None else UNPROVEN
        told = json.dumps(what, sort_keys=True)
        data = request.SerializeToString(deterministic=True)
        await self._audit.add(Asked(method.rpartition("/")[2], request.who, proof, request.why, told, data, outcome))


def bind(server: Any, address: str, tls: Tls | None) -> str:
    """Bind the port that takes calls; returns host:port. Raises ``Conflict`` if it is taken.

    Raises ``UsageError`` for an address beyond this machine without keys: anybody could send orders there.
    """
    host, _, _ = address.rpartition(":")
    if tls is None and host not in _LOOPBACK:
        raise UsageError(f"execution would listen on {address} without keys: give HEDGEROW_KEYS, or a loopback address")
    try:
        port = (
            server.add_secure_port(address, _credentials(tls)) if tls is not None else server.add_insecure_port(address)
        )
    except RuntimeError as error:
        raise Conflict(f"execution cannot listen on {address}: {error}") from error
    return f"{host}:{port}"


def health_server(address: str, servicer: Any) -> Any:
    """A server for health alone, without certificates; not started. Raises ``Conflict`` if the address is taken."""
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    try:
        server.add_insecure_port(address)
    except RuntimeError as error:
        raise Conflict(f"execution cannot answer for its health on {address}: {error}") from error
    return server


def _credentials(tls: Tls) -> Any:
    return grpc.ssl_server_credentials([(tls.key, tls.certificate)], tls.ca, require_client_auth=True)


def _texts(shown: Any, name: str) -> list[str]:
    return [value.decode(errors="replace") for value in shown.get(name, ())]


def _shown(message: Any) -> dict[str, Any]:
    return MessageToDict(message, preserving_proto_field_name=True)


async def _deny(context: Any, text: str) -> NoReturn:
    await context.abort(_DENIED, text)
    raise AssertionError("abort returned")
