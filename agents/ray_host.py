"""Where agents run: every call by which the fleet starts, moves and ends their actors.

What an agent's actor is: `agents.actor`. A successor (`agents.successor`) is an actor of its own, whose name in Ray carries the
time it was made; the oldest of a name is the agent. *Tested by* tests/e2e/test_fleet_ray.py, tests/e2e/test_fleet_move.py,
tests/integration/test_agents_shell_ray_address.py.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import psutil
import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from agents.actor import GENERATION, LOAD_TIMEOUT_S, NATS_URL_VARIABLE, AgentActor, AgentPlace, of_this_name
from agents.places import HERE_ENV, LOCAL_SHARDS, OBJECT_STORE_BYTES, resource_of
from common.clock import WallClock
from common.errors import Unavailable, UsageError
from common.factors import KINDS, kind_of
from common.security.keys import KEYS_VARIABLE

NAMESPACE: Final = "hedgerow"
LOCAL: Final = "local"
CONNECT_TIMEOUT_S: Final = 10.0
#: For a word from a successor that has loaded.
ANSWER_TIMEOUT_S: Final = 5.0
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


class RayHost:
    """An embedded Ray of this process, or an external one: an `agents.places.AgentHost`.

    ``keys``: the agents' folder of keys, for an embedded Ray. Construct it in the main thread: the kernel ends Ray's daemons
    when the thread that started them ends.
    """

    def __init__(self, address: str, place: AgentPlace, keys: str = "") -> None:
        self.embedded = address == LOCAL
        self._keys = keys
        self.place = place if self.embedded else replace(place, nats_url=without_user(place.nats_url))
        self._actors: dict[str, Any] = {}
        #: Loaded successors by agent, with the node each was made for.
        self._successors: dict[str, tuple[Any, str]] = {}
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
        self._successors.pop(name, None)  # of an agent that ended before: one of those below
        there, *rest = of_this_name(name) or ("",)
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
        self.drop(name)  # who asks for a new process gets one that starts now
        self._actors[name].begin.remote()  # in case it is a successor that was never told to
        if not self._kill_here(pid):
            ray.kill(self._actors[name], no_restart=False)

    def _kill_here(self, pid: int) -> bool:
        """Kill an agent's process by its pid; False where there is none, or this machine is not the place to look for it."""
        if not pid or not (self.embedded or os.environ.get(HERE_ENV)):
            return False
        try:
            process = psutil.Process(pid)
            if process.name().startswith("ray::"):  # the pid may be somebody else's by now
                process.kill()
        except psutil.NoSuchProcess:
            return False
        return True

    def nodes(self) -> tuple[str, ...]:
        """Living nodes with room for agents."""
        wanted = {resource_of(kind) for kind in KINDS}
        return tuple(n["NodeID"] for n in ray.nodes() if n["Alive"] and wanted <= set(n["Resources"]))

    def load(self, name: str, node: str) -> None:
        """Load a successor, on this node while it lives. Raises ``errors.Unavailable`` where none has loaded in time."""
        self.drop(name)
        where = NodeAffinitySchedulingStrategy(node, soft=True)
        successor = None
        try:
            successor = self._start(name, f"{name}{GENERATION}{WallClock().wall_ns()}", where, successor=True)
            _wait_loaded(successor, LOAD_TIMEOUT_S)
            if name not in self._actors:
                raise TimeoutError("the agent was stopped meanwhile")
        except (RayError, TimeoutError) as error:
            if successor is not None:
                ray.kill(successor, no_restart=True)
            raise Unavailable(f"{name} has no successor on node {node}: {type(error).__name__}") from None
        self._successors[name] = successor, node

    def drop(self, name: str) -> None:
        """End the successor of an agent, if it has one."""
        if (waiting := self._successors.pop(name, None)) is not None:
            ray.kill(waiting[0], no_restart=True)

    def succeed(self, name: str, pid: int) -> None:
        """The successor begins; the agent, which does not hear any more, is ended for good.

        The successor first: the agent's process may have ended long ago, and whose incarnation is the higher is the agent.
        Where this fleet knows of no successor the agent's process is ended, and Ray starts it again.
        """
        waiting = self._successors.pop(name, None)  # once: the thread that moves the agent may take it as well
        if waiting is None:
            self._kill_here(pid)
            return
        old, self._actors[name] = self._actors[name], waiting[0]
        self._actors[name].begin.remote()
        self._kill_here(pid)
        ray.kill(old, no_restart=True)

    def move(self, name: str, node: str) -> None:
        """Load a successor on another node, if none is there, end the actor, and let the successor begin.

        Its place is a wish: without the node it lives anywhere. Raises ``errors.Unavailable`` where none has loaded in time;
        the agent stays then.
        """
        if self._successors.get(name, (None, ""))[1] != node:
            self.load(name, node)
        waiting = self._successors.pop(name, None)
        if waiting is None:
            raise Unavailable(f"{name} is not moved: it has just gone on in its successor")
        try:
            _wait_loaded(waiting[0], ANSWER_TIMEOUT_S)  # one that has waited for long may hang by now
        except (RayError, TimeoutError) as error:
            ray.kill(waiting[0], no_restart=True)
            raise Unavailable(f"{name} is not moved: its successor does not answer: {type(error).__name__}") from None
        ray.kill(self._actors[name], no_restart=True)
        self._actors[name] = waiting[0]
        self._actors[name].begin.remote()

    def stop(self, name: str, timeout_s: float) -> None:
        """Let the agent say goodbye, then end its actor, and its successor's, for good."""
        self.drop(name)
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


def _wait_loaded(successor: Any, timeout_s: float) -> None:
    """Return once it has imported all it needs. Raises ``RayError`` or ``TimeoutError``."""
    if not ray.get(successor.loaded.remote(), timeout=timeout_s):
        raise TimeoutError(f"not loaded within {LOAD_TIMEOUT_S:g} s")


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
