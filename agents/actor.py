"""Agents as Ray actors: the only module of ``agents`` that imports ``ray``.

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
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import psutil
import ray
import uvloop
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from agents.places import HERE_ENV, LOCAL_SHARDS, OBJECT_STORE_BYTES, resource_of
from common.bus.nats_bus import NatsBus
from common.clock import WallClock
from common.errors import Unavailable, UsageError
from common.factors import KINDS, agent_name, kind_of
from common.security.keys import KEYS_VARIABLE, Keys

NAMESPACE: Final = "hedgerow"
LOCAL: Final = "local"
CONNECT_TIMEOUT_S: Final = 10.0
NATS_RETRY_S: Final = 0.2
#: For a successor to be placed and to load what it needs.
LOAD_TIMEOUT_S: Final = 20.0
#: Between an agent's name and the time its successor was made, in Ray's name for the successor.
_GENERATION: Final = "@"
NATS_URL_VARIABLE: Final = "HEDGEROW_NATS_URL"
#: Ray's default finds a dead node after 15 s.
_SYSTEM_CONFIG: Final = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 1000,
    "health_check_failure_threshold": 3,
    "health_check_timeout_ms": 1000,
    "prestart_worker_first_driver": False,
    "enable_worker_prestart": False,
}
#: Helpers of a local Ray that serve log forwarding, autoscaling and the dashboard: none of it is used here, and they
#: take about 150 MB. Ray runs on without them.
_UNUSED_HELPERS: Final = (
    "ray/_private/log_monitor.py",
    "ray/autoscaler/_private/monitor.py",
    "ray/dashboard/dashboard.py",
)

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

    ``successor``: it loads all it needs and waits for ``begin``, while the agent it follows still hedges.
    """

    def __init__(self, kind: str, shard: int, place: AgentPlace, successor: bool = False) -> None:
        self.name = agent_name(kind, shard)
        self.incarnation = WallClock().wall_ns()
        self._kind, self._shard, self._place = kind, shard, place
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop = asyncio.Event()
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
        """True once it has loaded all it needs, which it waits for."""
        return self._loaded.wait(LOAD_TIMEOUT_S)

    def begin(self) -> None:
        """Be the agent, from now on as its newest incarnation; nothing to do for one that is."""
        if not self._begun.is_set():
            self.incarnation = WallClock().wall_ns()
            self._begun.set()

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
        if self._loop is None:
            self._stop.set()
            self._begun.set()
        else:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            gc.disable()  # loading makes much and drops nothing: `agents.shell` turns it on again when all is there
            # numba and all kernels: the fleet process, which imports this module, needs none
            importlib.import_module("agents.shell")
            self._loaded.set()
            self._begun.wait()
            uvloop.run(self._live())
        except BaseException:
            # Nobody waits for this thread. Ray restarts an actor whose process ends, and only that.
            log.exception("%s ends; Ray starts it again", self.name)
            logging.shutdown()
            os._exit(1)

    async def _live(self) -> None:
        from agents.shell import run_agent

        self._loop = asyncio.get_running_loop()
        bus = await self._connect()
        if bus is None:
            return
        try:
            node = ray.get_runtime_context().get_node_id()
            await run_agent(bus, self._kind, self._shard, self.incarnation, WallClock(), self._stop, node=node)
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


class RayHost:
    """Where agents run: an embedded Ray of this process, or an external one. Every call of Ray stands here.

    ``keys``: the agents' folder of keys, for an embedded Ray. Construct it in the main thread: the kernel ends Ray's daemons
    when the thread that started them ends.
    """

    def __init__(self, address: str, place: AgentPlace, keys: str = "") -> None:
        self.embedded = address == LOCAL
        self._keys = keys
        self.place = place if self.embedded else replace(place, nats_url=without_user(place.nats_url))
        self._actors: dict[str, Any] = {}
        self._reaper: subprocess.Popen[bytes] | None = None
        self._remote = ray.remote(AgentActor)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # Ray gives workers niceness 15: beside anything that computes, agents would get a thirtieth of a core.
        os.environ.setdefault("RAY_worker_niceness", "0")
        if self.embedded:
            self._start_local()
        else:
            _connect_external(address)

    def _start_local(self) -> None:
        os.environ[NATS_URL_VARIABLE] = self.place.nats_url  # workers inherit it
        os.environ.pop(KEYS_VARIABLE, None)  # the fleet's own stay with the fleet
        if self._keys:
            os.environ[KEYS_VARIABLE] = self._keys
        # Ray keeps Unix sockets below this folder, whose paths may have 107 bytes: it must be short.
        folder = tempfile.mkdtemp(prefix="hrw-")
        self._reaper = subprocess.Popen(
            [sys.executable, "-m", "agents.reaper", str(os.getpid()), folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        ray.init(
            address=LOCAL,
            namespace=NAMESPACE,
            num_cpus=os.cpu_count(),  # as many workers start at once; actors take none
            resources={resource_of(kind): LOCAL_SHARDS for kind in KINDS},
            object_store_memory=OBJECT_STORE_BYTES,
            include_dashboard=False,
            log_to_driver=False,
            configure_logging=False,
            _temp_dir=folder,
            _system_config=_SYSTEM_CONFIG,
        )
        _end_unused_helpers()

    def start(self, name: str) -> None:
        """Start the agent, or adopt it if it runs already. Returns at once; its heartbeat says when it is there."""
        there, *rest = _of_this_name(name) or ("",)
        if not there:
            self._actors[name] = self._start(name, name, "SPREAD")
            return
        self._actors[name] = ray.get_actor(there, NAMESPACE)
        self._actors[name].begin.remote()  # whose fleet ended before it could say so
        for left_over in rest:
            ray.kill(ray.get_actor(left_over, NAMESPACE), no_restart=True)

    def _start(self, name: str, ray_name: str, where: Any, *, successor: bool = False) -> Any:
        kind, shard = kind_of(name), int(name.rpartition("-")[2])
        return self._remote.options(
            name=ray_name,
            get_if_exists=True,
            lifetime="detached",
            num_cpus=0,
            resources={resource_of(kind): 1},
            scheduling_strategy=where,
            max_restarts=-1,
            max_task_retries=0,
        ).remote(kind, shard, self.place, successor)

    def gone(self, pids: Mapping[str, int]) -> set[str]:
        """Where every node is on this machine, its process table says in a moment what Ray says after two seconds."""
        if not self.embedded and not os.environ.get(HERE_ENV):
            return set()
        return {name for name, pid in pids.items() if pid and not psutil.pid_exists(pid)}

    def replace(self, name: str, pid: int) -> None:
        """End a hung process hard; Ray starts the actor again. ``pid`` as its last heartbeat said, 0 if it sent none.

        A process on this machine is killed by its pid: ``ray.kill`` waits about six seconds for one that does not
        listen, and would hit the new process of an actor that is just restarting.
        """
        self._actors[name].begin.remote()  # in case it is a successor that was never told to
        if self.embedded and pid:
            for process in psutil.Process().children(recursive=True):
                if process.pid == pid:
                    process.kill()
        elif pid and os.environ.get(HERE_ENV):
            with contextlib.suppress(psutil.NoSuchProcess):
                process = psutil.Process(pid)
                if process.name().startswith("ray::"):  # the pid may be somebody else's by now
                    process.kill()
        else:
            ray.kill(self._actors[name], no_restart=False)

    def nodes(self) -> tuple[str, ...]:
        """Living nodes with room for agents."""
        wanted = {resource_of(kind) for kind in KINDS}
        return tuple(n["NodeID"] for n in ray.nodes() if n["Alive"] and wanted <= set(n["Resources"]))

    def move(self, name: str, node: str) -> None:
        """Load a successor on another node, end the actor, and let the successor begin.

        Its place is a wish: without the node it lives anywhere. Raises ``errors.Unavailable`` where none has loaded in time;
        the agent stays then.
        """
        where = NodeAffinitySchedulingStrategy(node, soft=True)
        ray_name = f"{name}{_GENERATION}{WallClock().wall_ns()}"
        successor = self._start(name, ray_name, where, successor=True)
        try:
            if not ray.get(successor.loaded.remote(), timeout=LOAD_TIMEOUT_S):
                raise TimeoutError(f"not loaded within {LOAD_TIMEOUT_S:g} s")
        except (RayError, TimeoutError) as error:
            ray.kill(successor, no_restart=True)
            raise Unavailable(
                f"{name} stays where it is: no successor on node {node}: {type(error).__name__}"
            ) from None
        ray.kill(self._actors[name], no_restart=True)
        self._actors[name] = successor
        successor.begin.remote()

    def stop(self, name: str, timeout_s: float) -> None:
        """Let the agent say goodbye, then end its actor for good."""
        actor = self._actors.pop(name)
        try:
            ray.get(actor.stop.remote(), timeout=timeout_s)
        except RayError as error:
            log.warning("%s did not stop by itself: %s", name, type(error).__name__)
        ray.kill(actor, no_restart=True)

    def close(self) -> None:
        """Let go of Ray; an embedded one ends, with everything it started."""
        ray.shutdown()
        if self._reaper is not None and self._reaper.stdin is not None:
            self._reaper.stdin.close()
            self._reaper.wait(10.0)


def _follows_nobody() -> bool:
    """Whether Ray starts this actor, made as a successor, once more, and no older one is there: nobody tells it to begin then."""
    context = ray.get_runtime_context()
    mine = str(context.get_actor_name())
    return bool(context.was_current_actor_reconstructed) and _of_this_name(mine.partition(_GENERATION)[0])[:1] == [mine]


def _of_this_name(name: str) -> list[str]:
    """Ray's names of the actors of an agent, oldest first: more than one only while it is moved."""
    return sorted(n for n in ray.util.list_named_actors() if n.partition(_GENERATION)[0] == name)


def without_user(url: str) -> str:
    """The address without user and password: the fleet's own stay with the fleet, Ray keeps what an actor is given."""
    scheme, there, rest = url.rpartition("://")
    return f"{scheme}{there}{rest.rpartition('@')[2]}"


def _connect_external(address: str) -> None:
    """Connect within seconds. Raises ``errors.Unavailable``, or ``errors.UsageError`` for a Ray Client address."""
    if "://" in address:
        raise UsageError(f"Ray address {address!r}: give HOST:PORT of the head's control store (port 6379 by default)")
    remedy = (
        "start Ray there (`ray start --head`), set RAY_AUTH_MODE=token if it asks for its token, correct the address, "
        "or leave it out for an embedded Ray"
    )
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(f"Ray address {address!r}: give HOST:PORT, or {LOCAL!r} for an embedded Ray")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_TIMEOUT_S / 2).close()
    except OSError as error:
        raise Unavailable(f"Ray at {address} cannot be reached: {error}; {remedy}") from None
    outcome: list[Exception | None] = []

    def connect() -> None:
        try:
            ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, configure_logging=False)
            outcome.append(None)
        except Exception as error:  # handed to the waiting thread
            outcome.append(error)

    # Something that listens but is no Ray makes ray.init wait for minutes: wait beside it.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(CONNECT_TIMEOUT_S)
    if not outcome or outcome[0] is not None:
        why = outcome[0] if outcome else f"no answer within {CONNECT_TIMEOUT_S:g} s"
        raise Unavailable(f"Ray at {address} cannot be reached: {why}; {remedy}")


def _end_unused_helpers() -> None:
    helpers = [
        p for p in psutil.Process().children() if any(h in part for part in p.cmdline() for h in _UNUSED_HELPERS)
    ]
    for process in helpers:
        process.kill()
    psutil.wait_procs(helpers, timeout=2.0)
