"""The authorisation matrix on real servers: every role tries every action, over gRPC with mutual TLS and on NATS with nkeys.

One cell is one role and one gRPC method or NATS subject. Over gRPC every role is given a certificate of our CA, agents included
(as somebody would have who stole one), and nobody's column has none; an allowed call must be answered, a refused one must be
PERMISSION_DENIED (without a certificate: no connection). On NATS the server's own refusals are read, in order, with a last one
that is refused to everybody, so that none can still be on its way.
*Tested by* tests/integration/test_security_matrix.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import numpy as np
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from hedgerow.execution.v1 import execution_pb2 as pb
from hedgerow.execution.v1 import execution_pb2_grpc
from nats.aio.client import Client

from benchmarks.registry import Context, Row, bench
from common.bus.memory_bus import MemoryBus
from common.bus.nats_bus import NatsBus
from common.security import access
from common.security.keys import Keys
from common.security.table import markdown
from common.units import NS_PER_DAY
from common.universe import FUTURE, Underlying, Universe
from deploy import certs, nats_server
from deploy.config import EXAMPLES
from execution.config import ExecutionConfig
from execution.limits import load_execution_limits
from execution.service import serve

NOBODY: Final = "nobody"
ANSWER_S: Final = 5.0
#: Refused to everybody; refusals come in the order of what they refuse.
LAST: Final = "nobody.may.say.or.hear.this"
_VIOLATION: Final = re.compile(r'permissions violation for (?:publish|subscription) to "([^"]+)"', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cell:
    """One role and one method or subject: what the table says, and what the server did, in a word where it was neither."""

    what: str
    target: str
    role: str
    allowed: bool
    seen: str

    @property
    def holds(self) -> bool:
        """Whether the server did what the table says."""
        return self.seen == ("allowed" if self.allowed else "refused")


def make_keys(folder: Path) -> Path:
    """Every role with a certificate, also those that are usually given none."""
    wanted = [certs.Wanted(role, role, certified=True) for role in access.ROLES]
    certs.make(folder, [*wanted, certs.Wanted(certs.SYS, certs.SYS, certified=False)], embedded=True)
    return folder


# -- NATS --------------------------------------------------------------------------------------------------------------


async def nats_cells(url: str, keys: Path) -> list[Cell]:
    """Every role, every subject of the table, on the server at ``url``. Its streams must be there."""
    out: list[Cell] = []
    for role in access.ROLES:
        for actions in (access.SAYS, access.HEARS):
            refused = await _refusals(url, Keys(keys / role), actions)
            out += [
                Cell(a.what, target, role, role in a.roles, "refused" if target.lower() in refused else "allowed")
                for a in actions
                for target in a.targets
            ]
    return out


async def _refusals(url: str, keys: Keys, actions: Sequence[access.Action]) -> set[str]:
    """Which of the targets the server refuses to the holder of these keys."""
    refused: set[str] = set()
    all_in = asyncio.Event()

    async def on_error(error: Exception) -> None:
        found = _VIOLATION.search(str(error))
        refused.add(
            found[1].lower() if found else f"not a refusal: {error}"
        )  # the client library tells it in small letters
        if LAST in refused:
            all_in.set()

    async def ignore(_message: Any) -> None:
        return None

    client = Client()
    await client.connect(url, nkeys_seed=str(keys.seed), error_cb=on_error, allow_reconnect=False)
    try:
        for target in (*(t for a in actions for t in a.targets), LAST):
            if actions is access.HEARS:
                await client.subscribe(target, cb=ignore)
            else:
                # A reply that nobody reads: what JetStream answers is not what is asked here.
                await client.publish(target, b"{}")
        await client.flush()
        await asyncio.wait_for(all_in.wait(), ANSWER_S)
    finally:
        await client.close()
    return refused


# -- gRPC --------------------------------------------------------------------------------------------------------------


async def grpc_cells(address: str, keys: Path) -> list[Cell]:
    """Every role, and nobody, every call of the table, on the execution at ``address``."""
    out: list[Cell] = []
    for role in (access.MANAGER, *(r for r in access.ROLES if r != access.MANAGER), NOBODY):
        tls = Keys(keys / role).tls() if role != NOBODY else None
        # Without a certificate but knowing the CA, as far as anybody can get.
        ca = (keys / "public" / "ca.crt").read_bytes()
        proof = grpc.ssl_channel_credentials(ca, tls.key, tls.certificate) if tls else grpc.ssl_channel_credentials(ca)
        async with grpc.aio.secure_channel(address, proof) as channel:
            probes = _probes(channel, role)
            for action in access.CALLS:
                for target in action.targets:
                    seen = await _seen(probes[target], role)
                    out.append(Cell(action.what, target, role, role in action.roles, seen))
    return out


#: What grpc's client says where a stream ended while it wrote the request: the server's own word is lost.
_LOST = (grpc.StatusCode.INTERNAL, "Internal error from Core")


async def _seen(probe: Callable[[], Awaitable[object]], role: str, *, again: bool = True) -> str:
    try:
        async with asyncio.timeout(ANSWER_S):
            await probe()
    except grpc.aio.AioRpcError as error:
        if error.code() is grpc.StatusCode.NOT_FOUND:  # it looked
            return "allowed"
        if again and (error.code(), error.details()) == _LOST:
            return await _seen(probe, role, again=False)
        # Execution's own certificate serves and cannot ask: no connection, as without any.
        unknown = role in (NOBODY, access.EXECUTION)
        wanted = grpc.StatusCode.UNAVAILABLE if unknown else grpc.StatusCode.PERMISSION_DENIED
        return "refused" if error.code() is wanted else f"{error.code().name}: {error.details()}"
    except TimeoutError:
        return "no answer"
    return "allowed"


def _probes(channel: Any, role: str) -> dict[str, Callable[[], Awaitable[object]]]:
    """By method, a call that must be answered if it may be made; order and fence are those of one leader."""
    make: Any = (
        execution_pb2_grpc.ExecutionServiceStub,
        health_pb2_grpc.HealthStub,
        reflection_pb2_grpc.ServerReflectionStub,
    )
    execution, health, mirror = (stub(channel) for stub in make)
    order = pb.Order(client_order_id=f"{role}-1", epoch=1, instrument_id="none", quantity_lots=1)
    listing = reflection_pb2.ServerReflectionRequest(list_services="")
    named = health_pb2.HealthCheckRequest()
    probes: dict[str, Callable[[], Awaitable[object]]] = {
        "StreamOrders": lambda: _first(
            execution.StreamOrders(iter([pb.StreamOrdersRequest(submit=pb.SubmitOrders(orders=[order]))]))
        ),
        "Fence": lambda: execution.Fence(pb.FenceRequest(epoch=1, holder=role)),
        "SetTradingState": lambda: execution.SetTradingState(
            pb.SetTradingStateRequest(state=pb.TRADING_STATE_ACTIVE, who=role, why="matrix")
        ),
        "Reconcile": lambda: execution.Reconcile(pb.ReconcileRequest()),
        "GetOrder": lambda: execution.GetOrder(pb.GetOrderRequest(client_order_id="none")),
        "ListOrders": lambda: execution.ListOrders(pb.ListOrdersRequest()),
        "StreamReports": lambda: _opened(execution.StreamReports(pb.StreamReportsRequest(from_sequence=1))),
        "GetStatus": lambda: execution.GetStatus(pb.GetStatusRequest()),
        "ServerReflectionInfo": lambda: _first(mirror.ServerReflectionInfo(iter([listing]))),
        "Check": lambda: health.Check(named),
        "Watch": lambda: _first(health.Watch(named)),
    }
    return {target: probes[target.rpartition("/")[2]] for action in access.CALLS for target in action.targets}


async def _first(call: Any) -> object:
    """First answer of a stream, which is then let go."""
    try:
        answer = await call.read()
        if answer is grpc.aio.EOF:
            await call.code()
            raise TimeoutError("the stream ended without an answer")
        return answer
    finally:
        call.cancel()


async def _opened(call: Any) -> None:
    """Until the server has taken the call; reports may never come."""
    try:
        await call.wait_for_connection()
    finally:
        call.cancel()


# -- both --------------------------------------------------------------------------------------------------------------


async def matrix(folder: Path) -> list[Cell]:
    """Start both servers in ``folder``, try every cell, stop them."""
    keys = make_keys(folder / "keys")
    server = nats_server.start(folder / "nats", accounts=keys / "public" / "accounts.conf")
    try:
        setup = await NatsBus.connect(server.url, "setup", seed=Keys(keys / access.SETUP).seed)
        await setup.create_streams()
        await setup.close()
        cells = await nats_cells(server.url, keys)
    finally:
        server.stop()
    async with _execution(folder, keys) as address:
        cells += await grpc_cells(address, keys)
    return cells


@contextlib.asynccontextmanager
async def _execution(folder: Path, keys: Path) -> AsyncIterator[str]:
    """An execution service with keys; its market is one future that nobody quotes."""
    universe = Universe(
        instrument_id=("A.F",),
        kind=np.array([FUTURE], np.uint8),
        underlying=np.zeros(1, np.uint16),
        expiry_ns=np.array([NS_PER_DAY], np.int64),
        strike=np.full(1, np.nan),
        right=np.zeros(1, np.int8),
        style=np.zeros(1, np.uint8),
        multiplier_usd=np.ones(1),
        tick_size=np.ones(1),
        fee_cents=np.zeros(1, np.int64),
        listed=np.ones(1, np.uint8),
        underlyings=(Underlying("A", 0, 0.0, 0.0),),
        covariance_daily=np.eye(1),
    )
    config = ExecutionConfig(
        store=folder / "store",
        keys=keys / access.EXECUTION,
        limits=load_execution_limits(EXAMPLES / "execution_limits.toml"),
        grace_s=0.0,
    )
    stop = asyncio.Event()
    bound: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving: asyncio.Future[Any] = asyncio.create_task(
        serve(config, MemoryBus(), universe, stop, ready=bound.set_result)
    )
    await asyncio.wait([serving, bound], return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    try:
        yield bound.result()
    finally:
        stop.set()
        await serving


@bench("security.matrix", what="role by action on real servers, every cell tried", minutes=0.2)
def security_matrix(context: Context) -> Iterable[Row]:
    """Every cell, and the table on standard error."""
    cells = asyncio.run(matrix(context.scratch / "security"))
    wrong = [f"{c.role}: {c.what} ({c.target}): {c.seen}" for c in cells if not c.holds]
    print(markdown(), *wrong, sep="\n", file=sys.stderr)
    allowed = sum(c.allowed for c in cells)
    text = f"{len(cells)} cells: {allowed} allowed, {len(cells) - allowed} refused; {len(wrong)} not as the table says"
    yield Row(
        "security.matrix",
        "role by action on real servers",
        text,
        "",
        "all as the table says",
        not wrong,
        samples=len(cells),
    )
