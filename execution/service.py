"""The execution service as a process: store, venue, market, health and the gRPC server around its calls (``servicer.py``).

Started: store locked, address bound, the last run's open orders asked about, then serving and ready. Stopped: health says
NOT_SERVING, the group in hand is finished, streams end, the store closes.
*Tested by* tests/integration/test_execution_service.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1._async import HealthServicer
from grpc_reflection.v1alpha import reflection
from hedgerow.execution.v1 import execution_pb2 as pb
from hedgerow.execution.v1 import execution_pb2_grpc

from common.clock import WallClock
from common.errors import UsageError
from common.ports import Bus
from common.security.audit_file import FOLDER, AuditFile
from common.security.keys import Keys
from common.universe import Universe
from execution.config import ExecutionConfig
from execution.engine import Engine
from execution.guard import Guard, bind, health_server
from execution.reconciler import Reconciler
from execution.records import StoredRecords
from execution.reference import ReferenceFeed
from execution.servicer import ExecutionServicer
from execution.sqlite_store import SqliteStore
from execution.state import ExecutionSetup, start
from execution.venues.paper import PaperVenue
from execution.venues.port import AsksRecords, LinkedVenue, Venue
from execution.venues.tallied import TalliedVenue

_log = logging.getLogger(__name__)
_SERVICE = pb.DESCRIPTOR.services_by_name["ExecutionService"].full_name
#: Health names: the server, the service, and what a readiness probe asks for.
_HEALTH = ("", _SERVICE, "readiness")
_OPTIONS = (
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 20_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
)


async def serve(
    config: ExecutionConfig,
    bus: Bus,
    universe: Universe,
    stop: asyncio.Event,
    *,
    ready: Callable[[str], None] | None = None,
    venue: Venue | None = None,
) -> None:
    """Serve until ``stop`` is set. ``ready`` gets the bound host:port once requests are taken.

    Raises ``Conflict`` if the store or the address is in use, ``UsageError`` for an address beyond this machine without keys,
    ``InputError`` if store, keys or audit file are unusable, ``Unavailable`` if
    the store fails while running: the service then ends rather than act on what it could not write.
    """
    store = SqliteStore(config.store)
    linked: LinkedVenue | None = None
    try:
        state = start(ExecutionSetup(universe, config.limits, store.load(), config.sessions_ns))
        clock = WallClock()
        paper = PaperVenue(universe, config.paper, config.sessions_ns, state.now_ns)
        at = venue if venue is not None else TalliedVenue(paper)
        engine = Engine(config, state, store, at, clock, lambda source: feed.heal(source))

        def gapped(source: str) -> bool:
            seen = state.snapshot.sources.get(source)
            return seen is not None and seen.gapped

        feed = ReferenceFeed(
            bus,
            universe,
            engine.take_quotes,
            gapped,
            bound=config.quotes_bound,
            timeout_s=config.snapshot_timeout_s,
        )
        reconciler = Reconciler(engine, config, clock)
        keys = Keys(config.keys) if config.keys is not None else None
        tls = keys.tls() if keys is not None else None
        if keys is not None and tls is None:
            raise UsageError(f"{keys.folder} holds no certificate: make keys for execution, or leave HEDGEROW_KEYS out")
        audit = AuditFile.open(config.audit or config.store / FOLDER, "execution", keys, clock)
        server, health = _server(
            ExecutionServicer(engine, clock, reconciler), Guard(secured=tls is not None, audit=audit)
        )
        address = bind(server, config.address, tls)
        probed = health_server(config.health_address, health) if config.health_address else None
        await engine.recover()
        if isinstance(at, AsksRecords):
            at.use(StoredRecords(state, store))
        if isinstance(at, LinkedVenue):
            linked = at
            await linked.open(engine.hear)
        if probed is not None:
            await probed.start()
        try:
            await _run(config, engine, reconciler, feed, server, health, address, stop, ready)
        finally:
            if probed is not None:
                await probed.stop(0)
    finally:
        if linked is not None:
            await linked.close()
        store.close()


def _server(servicer: ExecutionServicer, guard: Guard) -> tuple[Any, Any]:
    server = grpc.aio.server(options=_OPTIONS, interceptors=(guard,))
    register: Any = execution_pb2_grpc.add_ExecutionServiceServicer_to_server
    register(servicer, server)
    health = HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    reflection.enable_server_reflection((_SERVICE, "grpc.health.v1.Health", reflection.SERVICE_NAME), server)
    return server, health


async def _run(
    config: ExecutionConfig,
    engine: Engine,
    reconciler: Reconciler,
    feed: ReferenceFeed,
    server: Any,
    health: Any,
    address: str,
    stop: asyncio.Event,
    ready: Callable[[str], None] | None,
) -> None:
    working = asyncio.create_task(engine.run())
    reconciling = asyncio.create_task(reconciler.run())
    stopping = asyncio.create_task(stop.wait())
    try:
        await feed.start()
        await server.start()
        await _tell(health, health_pb2.HealthCheckResponse.SERVING)
        _log.info("execution listens on %s, venue %s, store %s", address, engine.venue.name, config.store)
        if ready is not None:
            ready(address)
        await asyncio.wait({working, reconciling, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        reconciling.cancel()
        await _tell(health, health_pb2.HealthCheckResponse.NOT_SERVING)
        await feed.stop()
        engine.stop()
        failures = await asyncio.gather(working, reconciling, return_exceptions=True)
        failure = next((f for f in failures if f is not None and not isinstance(f, asyncio.CancelledError)), None)
        await server.stop(config.grace_s)
    if failure is not None:
        raise failure


async def _tell(health: Any, status: Any) -> None:
    for name in _HEALTH:
        await health.set(name, status)
