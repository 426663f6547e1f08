"""The parts of a run, each as a process: ``setup``, ``feed``, ``execution``, ``venue``, ``manager``, ``fleet``.

A role finds NATS by flag or ``HEDGEROW_NATS_URL`` and reads the rest from the reference data there; it needs no file of the
run but its own folder (``HEDGEROW_RUN_DIR``). It ends on SIGTERM, on SIGINT, and when its launcher is gone.
*Tested by* tests/e2e/test_live.py.
"""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from agents.places import HERE_ENV
from common import subjects
from common.bus.nats_bus import NatsBus
from common.bus.nats_journal import NatsJournal
from common.bus.nats_lease import NatsLease
from common.clock import WallClock
from common.errors import HedgerowError, UsageError
from common.messages import OrderAck
from common.security.audit_commands import audited
from common.security.audit_file import FOLDER, AuditFile
from common.security.keys import KEYS_VARIABLE, Keys
from common.universe import Book, Universe
from common.wire import codec
from deploy.config import RunConfig
from deploy.control import refuse_password
from deploy.processes import watch_parent
from execution.venues.port import Venue

REFERENCE_POLL_S = 0.1
DEFAULT_EXECUTION_ADDRESS = "127.0.0.1:50051"
DEFAULT_VENUE_ADDRESS = "127.0.0.1:50052"


@dataclass(frozen=True)
class Place:
    """Where a role runs."""

    name: str
    nats_url: str
    folder: Path
    execution_address: str
    keys: Keys | None = None

    @property
    def seed(self) -> Path | None:
        """File of the seed with which NATS is entered; None where it asks for none."""
        return self.keys.seed if self.keys is not None else None


@dataclass(frozen=True)
class Reference:
    """What every role reads from NATS first."""

    universe: Universe
    book: Book
    config: dict[str, Any]

    @property
    def settings(self) -> RunConfig:
        """The resolved settings of the run."""
        return RunConfig.model_validate(self.config["settings"])


def run_role(role: str, run_dir: Path | None, nats: str | None, member: str) -> int:
    """Be one part until told to stop; returns the exit code. Errors go to standard error in one line."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )
    refuse_password(nats)
    url = nats or os.environ.get("HEDGEROW_NATS_URL")
    if not url:
        raise UsageError(f"role {role}: where is NATS? give --nats or HEDGEROW_NATS_URL")
    folder = run_dir or Path(os.environ.get("HEDGEROW_RUN_DIR", "."))
    address = os.environ.get("HEDGEROW_EXECUTION_ADDRESS", DEFAULT_EXECUTION_ADDRESS)
    place = Place(
        member or f"{role}-{socket.gethostname()}-{os.getpid()}",
        url,
        folder,
        address,
        Keys.of(os.environ.get(KEYS_VARIABLE)),
    )
    if role == "setup":
        return _setup(place)
    if role == "fleet":
        return _fleet(place)
    if role not in _LOOPS:
        raise UsageError(f"no role {role!r}; known: setup, fleet, {', '.join(_LOOPS)}")
    try:
        uvloop.run(_until_stopped(_LOOPS[role], place))
    except HedgerowError as error:
        logging.error("%s: %s", place.name, error)
        return error.exit_code
    return 0


async def _until_stopped(loop_of: Callable[[Place, NatsBus, asyncio.Event], Awaitable[None]], place: Place) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def stop_from_thread() -> None:
        loop.call_soon_threadsafe(stop.set)

    watch_parent(stop_from_thread)
    bus = await NatsBus.connect(place.nats_url, place.name, seed=place.seed)
    try:
        await loop_of(place, bus, stop)
    finally:
        await bus.close()


async def _reference(bus: NatsBus, stop: asyncio.Event) -> Reference | None:
    """Wait for the reference data; None if told to stop meanwhile."""
    while not stop.is_set():
        config = await bus.get(subjects.CONFIG)
        universe = await bus.get(subjects.UNIVERSE)
        book = await bus.get(subjects.BOOK)
        if config and universe and book:
            return Reference(codec.decode_universe(universe), codec.decode_book(book), json.loads(config))
        await asyncio.sleep(REFERENCE_POLL_S)
    return None


def _loaded(_address: str = "") -> None:
    """What a part has loaded now stays: looking through it again would hold it up for a tenth of a second to a second."""
    gc.freeze()


async def _manager(place: Place, bus: NatsBus, stop: asyncio.Event) -> None:
    from common.execution_client import ExecutionClient
    from common.limits import Limits
    from common.parameters import values_of
    from manager.service import ManagerService, Ports
    from manager.snapshots import Snapshots
    from manager.step import ManagerSetup
    from manager.warm import warm

    reference = await _reference(bus, stop)
    if reference is None:
        return
    await asyncio.to_thread(warm, reference.universe)  # before it may lead: a lease lasts less than loading kernels
    _loaded()
    limits = Limits.model_validate(reference.config["limits"])
    settings, tuned = reference.settings, values_of(reference.config["agents"])
    run_id = reference.config["run_id"]
    sessions = tuple((opens, closes) for opens, closes in reference.config["sessions"])
    setup = ManagerSetup(reference.universe, reference.book, settings.manager, limits, run_id, tuned, sessions)
    acks: list[Callable[[OrderAck], None]] = []
    tls = place.keys.tls() if place.keys is not None else None
    async with ExecutionClient(place.execution_address, lambda ack: acks[0](ack), tls=tls) as client:
        journal = NatsJournal(bus)
        snapshots = Snapshots(journal, reference.settings.record.snapshot_every)
        audit = AuditFile.open(place.folder / FOLDER, place.name, place.keys, WallClock())
        mark = partial(audited, audit=audit, keys=place.keys, clock=WallClock())
        ports = Ports(bus, journal, NatsLease(bus), client, WallClock(), snapshots, mark)
        service = ManagerService(setup, ports, place.name)
        acks.append(service.on_ack)
        ended = await service.run(stop)
    logging.info("%s ended: %s", place.name, ended)
    if not stop.is_set():
        raise HedgerowError(ended)


async def _execution(place: Place, bus: NatsBus, stop: asyncio.Event) -> None:
    from execution.config import ExecutionConfig
    from execution.limits import ExecutionLimits
    from execution.service import serve

    reference = await _reference(bus, stop)
    if reference is None:
        return
    config = ExecutionConfig(
        address=place.execution_address,
        keys=place.keys.folder if place.keys is not None else None,
        health_address=os.environ.get("HEDGEROW_HEALTH_ADDRESS", ""),
        audit=place.folder / FOLDER,
        store=place.folder / "store",
        limits=ExecutionLimits.model_validate(reference.config["execution_limits"]),
        paper=reference.settings.paper,
        speed=reference.config["speed"],
        cancel_alone_s=reference.settings.execution.cancel_alone_s,
        sessions_ns=tuple((opens, closes) for opens, closes in reference.config["sessions"]),
    )
    venue = _remote_venue(reference, config.store)
    await serve(config, bus, reference.universe, stop, ready=_loaded, venue=venue)


def _remote_venue(reference: Reference, store: Path) -> Venue | None:
    """What the settings name; None leaves the venue to execution. A FIX session's files lie in the store's folder."""
    settings = reference.settings.execution
    if settings.venue == "paper":
        return None
    if settings.venue == "fix" and settings.fix is not None:
        from execution.venues.fix.config import credentials
        from execution.venues.fix.initiator import Initiator
        from execution.venues.fix.venue import FixVenue

        link = Initiator(settings.fix, store / "fix", *credentials(os.environ))
        return FixVenue(settings.fix, reference.universe, link)
    from execution.venues.remote import RemoteVenue

    return RemoteVenue(os.environ.get("HEDGEROW_VENUE_ADDRESS", DEFAULT_VENUE_ADDRESS))


async def _venue(place: Place, bus: NatsBus, stop: asyncio.Event) -> None:
    from execution.venues.server import serve_venue

    reference = await _reference(bus, stop)
    if reference is None:
        return
    await serve_venue(
        os.environ.get("HEDGEROW_VENUE_ADDRESS", DEFAULT_VENUE_ADDRESS),
        place.folder / "venue",
        bus,
        reference.universe,
        reference.settings.paper,
        tuple((opens, closes) for opens, closes in reference.config["sessions"]),
        reference.config["speed"],
        stop,
        ready=_loaded,
    )


async def _feed(place: Place, bus: NatsBus, stop: asyncio.Event) -> None:
    from common.market.open import open_market
    from deploy.feed import run_feed

    reference = await _reference(bus, stop)
    if reference is None:
        return
    settings = reference.settings
    source, _ = open_market(settings.market, settings.book)
    _loaded()
    await run_feed(
        source,
        bus,
        speed=float(reference.config["speed"]),
        recording=place.folder / "market.bin",
        book=reference.book,
        clock=WallClock(),
        stop=stop,
    )


_LOOPS: dict[str, Callable[[Place, NatsBus, asyncio.Event], Awaitable[None]]] = {
    "manager": _manager,
    "execution": _execution,
    "feed": _feed,
    "venue": _venue,
}


def _setup(place: Place) -> int:
    from deploy.config import load
    from deploy.setup import create_and_publish, prepare

    settings = load(None, {"market.name": os.environ.get("HEDGEROW_MARKET")})
    replicas = int(os.environ.get("HEDGEROW_NATS_REPLICAS", "1"))
    prepared = prepare(settings, os.environ.get("HEDGEROW_RUN_ID", "cluster"))
    uvloop.run(create_and_publish(place.nats_url, prepared, replicas=replicas, seed=place.seed))
    return 0


def _fleet(place: Place) -> int:
    from agents.fleet import serve
    from agents.fleet_settings import FleetSettings

    watch_parent(lambda: os.kill(os.getpid(), signal.SIGTERM))
    ray_address = os.environ.get("HEDGEROW_RAY_ADDRESS", "local")
    logs = str(place.folder) if place.folder != Path() else ""
    alone = ray_address != "local" and not os.environ.get(
        HERE_ENV
    )  # in a cluster no launcher ends the agents or opens the market
    settings = FleetSettings(
        place.nats_url,
        ray_address,
        logs,
        stop_agents=not alone,
        opens_market=alone,
        keys=place.keys,
        agent_keys=os.environ.get("HEDGEROW_AGENT_KEYS", ""),
        audit_folder=str(place.folder / FOLDER),
    )
    serve(settings)
    return 0
