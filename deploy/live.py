"""``hedgerow live``: one command starts every part, hedges, watches, stops cleanly and writes the report.

What flows: settings → prepared run → nats-server → reference data → execution, managers, fleet, feed → the market is opened
once every agent is ready → view → stop → exported record → report. The launcher owns processes and the run folder,
nothing of the hedging. *Tested by* tests/e2e/test_live.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import uvloop
from rich.console import Console

from agents.status import IDLE
from agents.step import AgentSetup
from agents.step import warm as agent_warm
from common import subjects
from common.bus.nats_bus import NatsBus
from common.clock import WallClock
from common.errors import HedgerowError, Refused, Unavailable
from common.factors import GAMMA
from common.security import access
from common.security.audit_commands import audited
from common.security.audit_file import FOLDER, AuditFile
from common.security.keys import KEYS_VARIABLE, Keys, Tls
from common.tasks import end
from deploy import certs, control, nats_server, ray_nodes
from deploy.compiling import announce_compiling
from deploy.config import RunConfig
from deploy.processes import ChildSpec, Ended, Supervisor
from deploy.recorder import Recorder
from deploy.restart import Restarts
from deploy.run_folder import RunFolder
from deploy.setup import Prepared, create_and_publish, prepare
from deploy.watch import Watcher
from manager.warm import warm as manager_warm

READY_TIMEOUT_S = 90.0
QUIET_TIMEOUT_S = 10.0


def run_live(settings: RunConfig, run_dir: Path | None, *, report: bool = True) -> int:
    """Run to the end; 0 when done, 130 after Ctrl-C. Raises ``HedgerowError`` before anything has started."""
    console = Console(stderr=False)
    # Until the launcher minds its signals itself, a SIGTERM ends it as Ctrl-C does: with its folder let go of.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = RunFolder.open(run_dir, WallClock().wall_ns())
    try:
        console.print(f"run folder {_short(folder.path)}")
        prepared = prepare(settings, folder.path.name)
        folder.claim(prepared.reference())
        for statement in prepared.source.statements:
            console.print(f"  {statement}", highlight=False)
        launcher = Launcher(prepared, folder, console)
        code: int = uvloop.run(launcher.run())
        if report and code == 0:
            from deploy.finish import report_run

            report_run(prepared, folder, launcher.summary(), console)
        return code
    finally:
        folder.close()


class Launcher:
    """One run's processes. ``entry``: module whose ``role`` command each part is."""

    entry = "deploy.cli"
    ready_timeout_s = READY_TIMEOUT_S

    def __init__(self, prepared: Prepared, folder: RunFolder, console: Console) -> None:
        self.prepared = prepared
        self.folder = folder
        self.console = console
        self.interrupted = False
        self.given_up = ""
        self.ended: list[Ended] = []
        self.watcher = Watcher(prepared, folder / "proposals.bin")
        self.last_status: dict[str, Any] = {}
        self._stop = asyncio.Event()
        self._ray: ray_nodes.RayNodes | None = None
        self.info: dict[str, Any] = {}
        #: Folder of the run's keys, one folder a role; None leaves NATS and execution open on loopback.
        self.keys: Path | None = None
        self.tls: Tls | None = None

    def summary(self) -> dict[str, Any]:
        """What only the launcher knows: last status, memory, restarts, time series of the watcher."""
        return {
            "status": self.last_status,
            "memory": self.watcher.memory,
            "restarts": [{"name": e.name, "code": e.code, "fate": e.fate} for e in self.ended],
            "interrupted": self.interrupted,
        }

    async def run(self) -> int:
        """Start, watch, stop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupt)
        self._make_keys()
        supervisor = Supervisor(self.folder.path, on_ended=self._on_ended)
        try:
            async with self._nats(supervisor) as url:
                await self._hedge(supervisor, url)
        finally:
            await supervisor.stop()
            supervisor.close()
            if self._ray is not None:
                self._ray.close()
        if self.given_up:
            self._tell_given_up()
        return 130 if self.interrupted else 0

    def _tell_given_up(self) -> None:
        log = self.folder / f"{self.given_up}.log"
        raise Unavailable(f"{self.given_up} could not be kept running: its log {_short(log)} says why")

    def _make_keys(self) -> None:
        """Keys of this run alone: loopback is open to every user of the machine, the run folder is not."""
        if not self.prepared.settings.live.keys:
            return
        self.keys = self.folder / "keys"
        certs.make(self.keys, certs.defaults(embedded=True), embedded=True)
        self.tls = Keys(self.keys / access.OPERATOR).tls()

    def _seed_of(self, role: str) -> Path | None:
        return Keys(self.keys / role).seed if self.keys is not None else None

    def _interrupt(self) -> None:
        if not self.interrupted:
            print("\nstopping: no new orders, working orders are cancelled", file=sys.stderr)
        self.interrupted = True
        self._stop.set()

    def _on_ended(self, ended: Ended) -> None:
        self.ended.append(ended)
        if ended.fate == "given up":
            self.given_up = ended.name
            print(f"{ended.name} keeps failing: see {_short(self.folder / (ended.name + '.log'))}", file=sys.stderr)
            self._stop.set()

    @contextlib.asynccontextmanager
    async def _nats(self, supervisor: Supervisor) -> AsyncIterator[str]:
        external = self.prepared.settings.live.nats_url
        if external is not None:
            yield external
            return
        server = nats_server.prepare(
            self.folder / "nats", self.keys / "public" / "accounts.conf" if self.keys is not None else None
        )
        supervisor.start(ChildSpec("nats", server.argv, stop_order=9))
        await asyncio.to_thread(nats_server.wait_ready, server)
        yield server.url

    async def _hedge(self, supervisor: Supervisor, url: str) -> None:
        fresh = self.prepared.settings.live.nats_url is not None
        await create_and_publish(url, self.prepared, fresh=fresh, seed=self._seed_of(access.SETUP))
        await asyncio.to_thread(self._compile)
        await self._start_ray(supervisor, url)
        execution_address = self._start_children(supervisor, url)
        bus = await NatsBus.connect(url, "launcher", seed=self._seed_of(access.OPERATOR))
        own = Keys(self.keys / access.OPERATOR) if self.keys is not None else None
        audit = AuditFile.open(self.folder / FOLDER, "launcher", own, WallClock())
        mark = partial(audited, audit=audit, keys=own, clock=WallClock())
        restarts = Restarts(bus, supervisor, execution_address, tls=self.tls, audited=mark)
        watching = asyncio.create_task(supervisor.watch())
        recorder = Recorder(bus, self.folder.path, self.prepared.settings.record)
        recording = asyncio.create_task(recorder.keep())
        try:
            await self._until_ready(bus)
            if not self._stop.is_set():
                await bus.put(subjects.MARKET_START, b"launcher")
                serving = await restarts.open()
                await self._watch(bus, supervisor)
                for subscription in serving:  # from here on parts end for good
                    await subscription.stop()
            await end([recording])
            await self._wind_down(bus, recorder)
        finally:
            await end([recording, watching])
            await bus.close()

    def _env(self, url: str, role: str) -> dict[str, str]:
        """What a part of that role, and every agent below it, finds its world by.

        ``NUMBA_CACHE_DIR`` is left as it is: the parts load the kernels that ``_compile`` has made, from where it made them.
        """
        ray = self.prepared.settings.live.ray_address
        own = {KEYS_VARIABLE: str(self.keys / role)} if self.keys is not None else {}
        if role == access.FLEET and self.keys is not None:
            own["HEDGEROW_AGENT_KEYS"] = str(self.keys / access.AGENT)
        return {
            **own,
            "HEDGEROW_NATS_URL": url,
            "HEDGEROW_RUN_DIR": str(self.folder.path),
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
            **({"HEDGEROW_RAY_ADDRESS": ray} if ray else {}),
            **(self._ray.env if self._ray is not None else {}),
        }

    async def _start_ray(self, supervisor: Supervisor, url: str) -> None:
        """The nodes of a Ray of our own, if the settings ask for it; the fleet connects to their head."""
        if not self.prepared.settings.live.ray_nodes:
            return
        self._ray = ray_nodes.prepare(self.prepared.settings.live.ray_nodes, self._env(url, access.AGENT))
        for node in (self._ray.head, *self._ray.nodes):
            supervisor.start(node)
            await asyncio.to_thread(self._ray.wait_started, node, self.folder.path)

    def _start_children(self, supervisor: Supervisor, url: str) -> str:
        """Start the parts; returns the address of execution."""
        address = f"127.0.0.1:{_free_port()}"
        env = {"HEDGEROW_EXECUTION_ADDRESS": address}
        names = {"execution": ["execution"], "manager": [f"manager-{c}" for c in "abcde"]}
        members = [("fleet", "fleet", 1), ("execution", "execution", 4), ("feed", "feed", 0)]
        if self.prepared.settings.execution.venue == "paper-process":
            env["HEDGEROW_VENUE_ADDRESS"] = f"127.0.0.1:{_free_port()}"
            members.append(("venue", "venue", 5))
        members += [("manager", n, 3) for n in names["manager"][: self.prepared.settings.live.managers]]
        for role, name, order in members:
            argv = [sys.executable, "-m", self.entry, "role", role, "--member", name]
            supervisor.start(ChildSpec(name, argv, env={**self._env(url, role), **env}, stop_order=order))
        pids = {name: child.pid for name, child in supervisor.children.items()}
        self.info = {
            "run_id": self.prepared.run_id,
            "nats_url": url,
            "execution_address": address,
            "venue_address": env.get("HEDGEROW_VENUE_ADDRESS", ""),
            "keys": str(self.keys) if self.keys is not None else "",
            "launcher_pid": os.getpid(),
            "pids": pids,
        }
        self.folder.write_info(self.info)
        return address

    def _compile(self) -> None:
        """Kernels, once and said aloud, before four agents would each compile them at the same time."""
        announce_compiling()
        prepared = self.prepared
        agent_warm(AgentSetup(prepared.source.universe, prepared.book, GAMMA, 0, prepared.settings.agents, 1))
        manager_warm(prepared.source.universe)

    async def _until_ready(self, bus: NatsBus) -> None:
        """Wait until a manager leads and every assigned agent waits for its quotes."""
        deadline = asyncio.get_running_loop().time() + self.ready_timeout_s
        shown = ""
        while not self._stop.is_set():
            waiting = await self._waiting_for(bus)
            if not waiting:
                return
            if waiting != shown:
                self.console.print(f"waiting for {waiting}", highlight=False)
                shown = waiting
            if asyncio.get_running_loop().time() > deadline:
                raise Unavailable(
                    f"not ready after {self.ready_timeout_s:.0f} s: {waiting}; see the logs in {_short(self.folder.path)}"
                )
            await asyncio.sleep(0.2)

    async def _waiting_for(self, bus: NatsBus) -> str:
        try:
            status = await control.status(bus)
        except (Unavailable, Refused):
            return "a manager to lead"
        if not status["execution"]["reachable"]:
            return "execution"
        wanted = sum(self.prepared.settings.agents.shards.values())
        agents = [a for a in status["agents"] if a["keys"] or a.get("state") == IDLE]  # more shards than keys
        if len(agents) < wanted:
            return f"agents ({len(agents)} of {wanted} have their keys)"
        return ""

    async def _watch(self, bus: NatsBus, supervisor: Supervisor) -> None:
        duration = self.prepared.settings.live.duration_s
        if duration is not None:
            asyncio.get_running_loop().call_later(duration, self._stop.set)
        await self.watcher.show(bus, supervisor, self._stop, self.console)

    async def _wind_down(self, bus: NatsBus, recorder: Recorder) -> None:
        """No new orders, nothing working, everything in the record; then export it."""
        try:
            why = "stopped by Ctrl-C" if self.interrupted else "end of the run"
            text = await control.act(bus, control.command("kill", why, {}), tls=self.tls)
            self.last_status = await self._settled(bus)
            open_orders = self.last_status["orders"]["open"]
            self.console.print(f"{text}; {open_orders} orders still working", highlight=False)
            await recorder.keep_state_hash()
        except HedgerowError as error:
            self.console.print(f"could not confirm the stop: {error}", highlight=False)
        try:
            await recorder.finish()
        except (HedgerowError, OSError) as error:
            self.console.print(f"the record could not be exported: {error}", highlight=False)

    async def _settled(self, bus: NatsBus) -> dict[str, Any]:
        deadline = asyncio.get_running_loop().time() + QUIET_TIMEOUT_S
        while True:
            status = await control.status(bus)
            if status["orders"]["open"] == 0 or asyncio.get_running_loop().time() > deadline:
                (self.folder / "status.json").write_text(json.dumps(status, indent=2) + "\n")
                return status
            await asyncio.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _short(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)
