"""An agent moved to another node: its successor has loaded before it ends, and is an agent like any other afterwards."""

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
from agents import actor
from agents.actor import AgentPlace, RayHost
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
    actor.LOAD_TIMEOUT_S = 0.01
    try:
        host.move("gamma-0", node)
    except Unavailable as error:
        out["without a successor it stays"] = "stays where it is" in str(error) and told() == fourth
    deadline = time.monotonic() + 10.0
    while len(ray.util.list_named_actors()) > 1 and time.monotonic() < deadline:
        time.sleep(0.05)
    out["one name"] = len(ray.util.list_named_actors()) == 1
    print(json.dumps(out))
finally:
    host.close()
"""


def test_a_moved_agent_has_a_successor_before_it_ends(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", MOVE, str(tmp_path)], capture_output=True, text=True, timeout=150)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert len(found) == 9 and all(found.values()), found
