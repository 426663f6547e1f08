"""Agents as Ray actors; who starts, moves and ends them is `agents.ray_host`.

Ray places, restarts and ends the actors, and nothing else: no tick, proposal or order passes through a call of an
actor. The constructor arguments are all that Ray keeps, and all that an agent needs: it starts itself in
``__init__``, in a thread with its own uvloop, so that a slow Ray call and the agent's loop never wait for each other.
A named actor is not a singleton (while a node fails, an old and a new one may run together): the incarnation, which
rises with every start, tells them apart, and the manager goes by the highest.
*Tested by* tests/e2e/test_fleet_ray.py, tests/e2e/test_fleet_move.py, tests/integration/test_agents_shell_ray_address.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import ray
import uvloop

from common.bus.nats_bus import NatsBus
from common.clock import WallClock
from common.errors import Unavailable
from common.factors import agent_name
from common.security.keys import KEYS_VARIABLE, Keys

NATS_RETRY_S: Final = 0.2
#: For a successor to be placed and to import what it needs.
LOAD_TIMEOUT_S: Final = 20.0
#: Between an agent's name and the time its successor was made, in Ray's name for the successor.
GENERATION: Final = "@"
NATS_URL_VARIABLE: Final = "HEDGEROW_NATS_URL"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AgentPlace:
    """What an agent needs to find its world: NATS, and the folder for its log (empty, or not there: standard error).

    A node that says in ``HEDGEROW_NATS_URL`` how its agents log in overrides ``nats_url``: a cluster's NATS knows agents as
    another user than the fleet. An embedded Ray gets the fleet's own address into that variable. Which keys an agent has stands
    in ``HEDGEROW_KEYS`` of its node, and nowhere in Ray.
    """

    nats_url: str
    log_folder: str = ""


class AgentActor:
    """One agent of any kind in its own process, running from construction on.

    ``successor``: it loads all it needs and waits for ``begin``, while the agent it follows still hedges (`agents.successor`).
    """

    def __init__(self, kind: str, shard: int, place: AgentPlace, successor: bool = False) -> None:
        self.name = agent_name(kind, shard)
        self.incarnation = WallClock().wall_ns()
        self._kind, self._shard, self._place = kind, shard, place
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop, self._turn = asyncio.Event(), asyncio.Event()
        self._loaded, self._begun = threading.Event(), threading.Event()
        _log_to(place.log_folder, self.name)
        if not successor or _follows_nobody():
            self._begun.set()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()

    def ping(self) -> int:
        """Incarnation of the running process."""
        return self.incarnation

    def loaded(self) -> bool:
        """True once it has imported all it needs, which it waits for."""
        return self._loaded.wait(LOAD_TIMEOUT_S)

    def begin(self) -> None:
        """Be the agent, from now on as its newest incarnation; nothing to do for one that is."""
        if not self._begun.is_set():
            self.incarnation = WallClock().wall_ns()
            self._begun.set()
            self._tell(self._turn)

    def describe(self) -> dict[str, Any]:
        """Name, process id, incarnation, whether the agent's thread runs, and whether it is its turn."""
        return {
            "name": self.name,
            "pid": os.getpid(),
            "incarnation": self.incarnation,
            "running": self._thread.is_alive(),
            "begun": self._begun.is_set(),
        }

    def stop(self) -> None:
        """Stop the agent; returns when its last heartbeat is out."""
        self._tell(self._stop)
        self._tell(self._turn)
        self._thread.join()

    def _tell(self, event: asyncio.Event) -> None:
        """Set an event of the agent's loop, which may not have begun or may have ended."""
        if self._loop is None:
            event.set()
        else:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(event.set)

    def _run(self) -> None:
        try:
            gc.disable()  # loading makes much and drops nothing: `agents.shell` turns it on again when all is there
            # numba and all kernels: the fleet process, which imports this module, needs none
            importlib.import_module("agents.shell")
            self._loaded.set()
            uvloop.run(self._live())
        except BaseException:
            # Nobody waits for this thread. Ray restarts an actor whose process ends, and only that.
            log.exception("%s ends; Ray starts it again", self.name)
            logging.shutdown()
            os._exit(1)

    async def _live(self) -> None:
        from agents.shell import run_agent
        from agents.successor import stand_by

        self._loop = asyncio.get_running_loop()
        if self._begun.is_set():
            self._turn.set()
        bus = await self._connect()
        if bus is None:
            return
        try:
            node = ray.get_runtime_context().get_node_id()
            who, clock = (self._kind, self._shard), WallClock()
            await stand_by(bus, *who, self.incarnation, clock, self._turn, node=node)
            await run_agent(bus, *who, self.incarnation, clock, self._stop, node=node)
        finally:
            await bus.close()

    async def _connect(self) -> NatsBus | None:
        """The bus, waited for as long as it takes; None if told to stop first."""
        url = os.environ.get(NATS_URL_VARIABLE) or self._place.nats_url
        keys = Keys.of(os.environ.get(KEYS_VARIABLE))
        while not self._stop.is_set():
            try:
                return await NatsBus.connect(url, self.name, seed=keys.seed if keys is not None else None)
            except Unavailable as error:
                log.warning("%s: %s", self.name, error)
                await asyncio.sleep(NATS_RETRY_S)
        return None


def _log_to(folder: str, name: str) -> None:
    handler = (
        logging.FileHandler(Path(folder) / f"{name}.log")
        if folder and Path(folder).is_dir()
        else logging.StreamHandler()
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)


def _follows_nobody() -> bool:
    """Whether Ray starts this actor, made as a successor, once more, and no older one is there: nobody tells it to begin then."""
    context = ray.get_runtime_context()
    mine = str(context.get_actor_name())
    return bool(context.was_current_actor_reconstructed) and of_this_name(mine.partition(GENERATION)[0])[:1] == [mine]


def of_this_name(name: str) -> list[str]:
    """Ray's names of the actors of an agent, oldest first: more than one only while it is moved."""
    return sorted(n for n in ray.util.list_named_actors() if n.partition(GENERATION)[0] == name)
