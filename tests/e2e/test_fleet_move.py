"""Agents and their successors as Ray's actors: who is which, when one is moved, ends or hangs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.live, pytest.mark.system, pytest.mark.slow]

#: Nobody listens at the address: what is asked here is which process is the agent, not what it does.
MOVE = """
import json, os, signal, sys, time
import psutil, ray
from agents import ray_host
from agents.actor import AgentPlace
from agents.ray_host import RayHost
from common.errors import Unavailable

def told():
    deadline = time.monotonic() + 30.0
    while True:
        try:
            return ray.get(host._actors["gamma-0"].describe.remote(), timeout=5.0)
        except ray.exceptions.RayError:  # it is being started again
            assert time.monotonic() < deadline
            time.sleep(0.1)

host = RayHost("local", AgentPlace("nats://127.0.0.1:9", sys.argv[1]))
try:
    out = {}
    host.start("gamma-0")
    first = told()
    (node,) = host.nodes()
    real, seen = ray.kill, []
    def kill(actor, *, no_restart):
        seen.append(told()["pid"])
        real(actor, no_restart=no_restart)
    ray.kill = kill
    host.move("gamma-0", node)
    ray.kill = real
    second = told()
    out["old lived until the new had loaded"] = seen == [first["pid"]]
    out["another process"] = second["pid"] != first["pid"] and second["incarnation"] > first["incarnation"]
    deadline = time.monotonic() + 10.0
    while psutil.pid_exists(first["pid"]) and time.monotonic() < deadline:
        time.sleep(0.05)
    out["the old one ended"] = not psutil.pid_exists(first["pid"])
    out["it has begun"] = second["begun"] and second["running"]
    host.start("gamma-0")
    out["adopted as it is"] = told() == second
    os.kill(second["pid"], signal.SIGKILL)
    third = told()
    while third["pid"] == second["pid"]:
        third = told()
    out["started again it begins by itself"] = third["begun"] and third["running"]
    host.move("gamma-0", "0" * 56)
    fourth = told()
    out["without the node it lives anywhere"] = fourth["begun"] and fourth["pid"] != third["pid"]
    ray_host.LOAD_TIMEOUT_S = 0.01
    try:
        host.move("gamma-0", node)
    except Unavailable as error:
        out["without a successor it stays"] = "has no successor" in str(error) and told() == fourth
    deadline = time.monotonic() + 10.0
    while len(ray.util.list_named_actors()) > 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    out["one name"] = len(ray.util.list_named_actors()) == 1
    ray_host.LOAD_TIMEOUT_S = 20.0
    host.load("gamma-0", node)
    waiting, _ = host._successors["gamma-0"]
    spare = ray.get(waiting.describe.remote())
    out["a successor waits"] = spare["running"] and not spare["begun"] and told() == fourth
    os.kill(fourth["pid"], signal.SIGKILL)
    host.succeed("gamma-0", fourth["pid"])
    fifth = told()
    out["it goes on for one that ended"] = fifth["pid"] == spare["pid"] and fifth["begun"]
    print("of a spare", spare, "came", fifth, file=sys.stderr)
    host.load("gamma-0", node)
    os.kill(fifth["pid"], signal.SIGSTOP)
    began = time.monotonic()
    host.succeed("gamma-0", fifth["pid"])
    sixth = told()
    out["and for one that hangs"] = sixth["begun"] and sixth["pid"] != fifth["pid"]
    print("a hanging one was succeeded within", time.monotonic() - began, file=sys.stderr)
    host.load("gamma-0", node)
    dropped = ray.get(host._successors["gamma-0"][0].describe.remote())["pid"]
    host.drop("gamma-0")
    host.succeed("gamma-0", sixth["pid"])
    while (seventh := told())["pid"] == sixth["pid"]:
        time.sleep(0.05)
    out["without one it is started again"] = seventh["begun"] and seventh["pid"] != dropped
    deadline = time.monotonic() + 10.0
    while len(ray.util.list_named_actors()) > 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    out["one name again"] = len(ray.util.list_named_actors()) == 1
    print(json.dumps(out))
finally:
    host.close()
"""


def test_a_successor_goes_on_where_an_agent_is_moved_ends_or_hangs(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", MOVE, str(tmp_path)], capture_output=True, text=True, timeout=150)
    print(done.stderr[-500:])
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(
        next(line for line in done.stdout.splitlines() if line.startswith("{"))
    )  # Ray may speak after it
    log = "".join(path.read_text() for path in tmp_path.glob("*.log"))  # an actor that ended by itself says why there
    told = f"{done.stderr[-3000:]}\n{log[-3000:]}"
    assert len(found) == 14 and [name for name, holds in found.items() if not holds] == [], told
