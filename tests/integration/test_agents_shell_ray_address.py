"""A Ray that cannot be reached: one clear error within seconds, and nothing left behind."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import pytest

CODE = """
import sys
from agents.actor import AgentPlace
from agents.ray_host import RayHost
from common.errors import HedgerowError
try:
    RayHost(sys.argv[1], AgentPlace("nats://127.0.0.1:1"))
except HedgerowError as error:
    print(type(error).__name__, error, flush=True)
    sys.exit(error.exit_code)
"""


def try_address(address: str) -> tuple[int, str, float]:
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", CODE, address], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr[-500:], time.monotonic() - began


@pytest.mark.live
@pytest.mark.system
def test_nobody_listens() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        code, said, took_s = try_address(f"127.0.0.1:{probe.getsockname()[1]}")
    assert code == 3 and "Unavailable" in said and "ray start --head" in said
    assert took_s < 10


@pytest.mark.live
@pytest.mark.system
@pytest.mark.slow
def test_something_else_listens() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        code, said, took_s = try_address(f"127.0.0.1:{other.getsockname()[1]}")
    assert code == 3 and "Unavailable" in said
    assert took_s < 25


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "somewhere", "host:port"])
def test_an_address_that_makes_no_sense(address: str) -> None:
    code, said, _ = try_address(address)
    assert code == 2 and "UsageError" in said and "HOST:PORT" in said
