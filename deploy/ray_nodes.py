"""A Ray of several nodes on one machine, each node a child of the launcher, so that one can die and agents move to another.

Head and nodes get loopback addresses of their own (127.A.B.x, by the launcher's pid), so that runs beside each other do not
meet and nothing listens outside; Linux has the whole of 127/8. The head carries no agents. A token of the run's own, readable by
its user, is asked of everybody who connects. A node that dies is started again by the supervisor like any other part.
*Tested by* tests/unit/test_ray_nodes.py, tests/e2e/test_chaos.py.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agents.places import HERE_ENV, LOCAL_SHARDS, OBJECT_STORE_BYTES, resource_of
from common.errors import Unavailable
from common.factors import KINDS
from deploy.processes import ChildSpec

READY_TIMEOUT_S: Final = 120.0
HEAD: Final = "ray-head"
#: Ray's default finds a dead node after 15 s. Here a dead one refuses the connection at once, eight times in a third of a
#: second; one that is slow has a second for each of eight answers: whoever freezes for less keeps its agents, who live.
_SYSTEM_CONFIG: Final = {
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 40,
    "health_check_failure_threshold": 8,
    "health_check_timeout_ms": 1000,
    "raylet_death_check_interval_milliseconds": 250,  # by which its agents notice
    "prestart_worker_first_driver": False,
    "enable_worker_prestart": False,
}
_STOP_ORDER: Final = 2
#: A node's start takes about 5 s of processor time, which its agents need first: their successors begin on another node.
_REST_S: Final = 2.0
#: What `ray start` says once its node has joined.
_STARTED: Final = "Ray runtime started"


@dataclass(frozen=True, slots=True)
class RayNodes:
    """How to start them and how to reach them; ``close`` at the end removes what Ray wrote."""

    head: ChildSpec
    nodes: tuple[ChildSpec, ...]
    address: str
    env: dict[str, str]
    folder: Path

    def wait_started(self, node: ChildSpec, logs: Path) -> None:
        """Return when the head or a node has said in its log that it runs. Raises ``Unavailable``.

        Nodes are started one after the other: they choose the names of their sockets in one folder, and two at once may
        choose alike. And agents are spread over those that are there.
        """
        log, deadline = logs / f"{node.name}.log", time.monotonic() + READY_TIMEOUT_S
        while not (log.exists() and _STARTED in log.read_text(errors="replace")):
            if time.monotonic() > deadline:
                raise Unavailable(f"Ray's {node.name} did not start within {READY_TIMEOUT_S:g} s; see {log.name}")
            time.sleep(0.05)

    def close(self) -> None:
        """Remove the temporary folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def prepare(count: int, env: dict[str, str]) -> RayNodes:
    """A head and ``count`` nodes; ``env`` is what agents need to find their world."""
    # Ray keeps Unix sockets below this folder, whose paths may have 107 bytes: it must be short.
    folder = Path(tempfile.mkdtemp(prefix="hrw-"))
    token = folder / "token"
    token.touch(mode=0o600)
    token.write_text(secrets.token_hex(32))
    net = network(os.getpid())
    address = f"{net}.2:{_free_port(f'{net}.2')}"
    own = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_raylet_start_wait_time_s": "20",
        "RAY_worker_niceness": "0",  # see agents/ray_host.py
    }
    head = ChildSpec(HEAD, _head(address, folder), env={**env, **own}, stop_order=_STOP_ORDER, grace_s=5.0)
    names = {k: f"ray-{k}" for k in range(1, count + 1)}
    nodes = tuple(
        ChildSpec(
            name,
            _node(address, f"{net}.{k + 2}"),
            env={**env, **own},
            stop_order=_STOP_ORDER,
            grace_s=5.0,
            rest_s=_REST_S,
            stand_ins=tuple(other for other in names.values() if other != name),
        )
        for k, name in names.items()
    )
    return RayNodes(head, nodes, address, {**own, HERE_ENV: "1", "HEDGEROW_RAY_ADDRESS": address}, folder)


def network(pid: int) -> str:
    """The first three numbers of a run's loopback addresses."""
    return f"127.{20 + pid % 200}.{1 + pid // 200 % 250}"


def _start(*flags: str) -> list[str]:
    common = (
        "--block",
        "--disable-usage-stats",
        "--include-log-monitor=false",  # agents write their own logs (`agents.actor`)
        f"--object-store-memory={OBJECT_STORE_BYTES}",
    )
    return [sys.executable, "-m", "ray.scripts.scripts", "start", *flags, *common]


def _head(address: str, folder: Path) -> list[str]:
    host, _, port = address.rpartition(":")
    return _start(
        "--head",
        f"--port={port}",
        f"--node-ip-address={host}",
        f"--temp-dir={folder}",
        "--num-cpus=0",
        "--include-dashboard=false",
        f"--dashboard-host={host}",
        f"--system-config={json.dumps(_SYSTEM_CONFIG)}",
    )


def _node(address: str, host: str) -> list[str]:
    resources = json.dumps({resource_of(kind): LOCAL_SHARDS for kind in KINDS})
    return _start(
        f"--address={address}", f"--node-ip-address={host}", f"--num-cpus={os.cpu_count()}", f"--resources={resources}"
    )


def _free_port(host: str) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])
