"""The fleet with a real Ray and a real NATS: up, an actor killed, one hung, one deaf, scaled, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import uvloop

from common import subjects
from common.bus.nats_bus import NatsBus
from common.control_messages import Acknowledgement, Command
from common.wire import codec
from deploy.nats_server import NatsServer
from tests.one_way import OneWay, one_way
from tests.process_tree import alive, tree
from tests.toy_world import SYMBOLS, ToyFeed, ToyManager, until

pytestmark = [pytest.mark.live, pytest.mark.system, pytest.mark.slow]

FLEET = """
import json, sys
from agents.fleet import serve
from agents.fleet_settings import FleetSettings
serve(FleetSettings(sys.argv[1], log_folder=sys.argv[2], **json.loads(sys.argv[3])))
"""
AGENTS = ("cross_asset-0", "gamma-0", "gamma-1", "vega-0")


@dataclass
class World:
    bus: NatsBus
    feed: ToyFeed
    manager: ToyManager
    fleet: subprocess.Popen[bytes]

    def hedging(self, *names: str) -> bool:
        return all(self.manager.state_of(name) == "hedging" for name in names)

    async def scale(self, kind: str, n: int) -> Acknowledgement:
        command = Command(f"scale-{n}", "scale", "me", "test", json.dumps({"kind": kind, "n": n}))
        data = await self.bus.request(subjects.control("scale"), codec.encode_command(command), timeout_s=60.0)
        return codec.decode_acknowledgement(data)


def start_fleet(url: str, folder: Path, **settings: object) -> subprocess.Popen[bytes]:
    with (folder / "fleet.log").open("ab") as log:
        argv = [sys.executable, "-c", FLEET, url, str(folder), json.dumps(settings)]
        return subprocess.Popen(argv, stdout=log, stderr=log)


@asynccontextmanager
async def a_world(url: str, folder: Path, fleet_url: str = "", **settings: object) -> AsyncIterator[World]:
    bus = await NatsBus.connect(url, "world")
    await bus.create_streams()
    await bus.clear()
    feed, manager = ToyFeed(bus), ToyManager(bus)
    await manager.open({"shards": {"gamma": 2, "vega": 1, "cross_asset": 1}})
    await feed.open()

    async def tick() -> None:
        for i in range(1_000_000):
            for symbol in SYMBOLS:
                await feed.tick(symbol, 100.0 + 0.01 * (i % 50))
            await asyncio.sleep(0.05)

    ticking = asyncio.create_task(tick())
    world = World(bus, feed, manager, start_fleet(fleet_url or url, folder, **settings))
    try:
        yield world
    finally:
        if world.fleet.poll() is None:
            world.fleet.kill()
        world.fleet.wait()
        ticking.cancel()
        await asyncio.wait([ticking])
        await bus.close()


def argv(process: psutil.Process) -> list[str]:
    """Command line; empty if it has ended meanwhile."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def pss_mb(pid: int) -> float:
    total = 0
    for process in (psutil.Process(pid), *tree(pid)):
        with contextlib.suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total / 2**20


def test_life_of_a_fleet(nats_server: NatsServer, tmp_path: Path) -> None:
    uvloop.run(_life(nats_server.url, tmp_path))


async def _life(url: str, folder: Path) -> None:
    began = time.monotonic()
    async with one_way(url) as line, a_world(url, folder, line.url) as world:
        await until(lambda: world.hedging(*AGENTS), 90.0, f"all hedging; {folder / 'fleet.log'}")
        print(f"four agents hedging after {time.monotonic() - began:.1f} s, {pss_mb(world.fleet.pid):.0f} MB PSS")
        assert {b.loop for b in world.manager.beats.values()} == {"uvloop.Loop"}
        assert len({b.pid for b in world.manager.beats.values()}) == 4
        await _kill_an_actor(world)
        await _hang_an_actor(world)
        await _deafen_an_actor(world, line)
        await _restart_agents(world)
        await _scale_down_and_up(world)
        await _kill_the_fleet(world)


async def _kill_an_actor(world: World) -> None:
    took_s = []
    keys_of_gamma_0 = {k for k, a in world.manager.owner.items() if a == "gamma-0"}
    for name in ("gamma-0", "cross_asset-0", "vega-0"):
        old = world.manager.beats[name]
        os.kill(old.pid, signal.SIGKILL)
        began = time.monotonic()
        if name == "gamma-0":
            await _covered(world, name, keys_of_gamma_0, began)
        await until(lambda n=name, o=old: world.manager.beats[n].incarnation > o.incarnation, 20.0, f"{name} back")
        back_s = time.monotonic() - began
        await until(lambda n=name: world.hedging(n), 20.0, f"{name} hedging again")
        took_s.append(time.monotonic() - began)
        print(f"{name} back {back_s:.2f} s, hedging {took_s[-1]:.2f} s after kill -9")
    assert keys_of_gamma_0 <= set(world.manager.owner), "every key has an owner all the while"
    await until(lambda: "gamma-0" in world.manager.owner.values(), 20.0, "gamma-0 has its keys again")
    # The bar is 3 s on a quiet machine; the benchmark holds it to that, a test beside others must not.
    assert min(took_s) < 3.0 and max(took_s) < 8.0


async def _covered(world: World, name: str, keys: set[str], began: float) -> None:
    """Those who live take over the keys of a lost shard, and hedge them, long before it is back."""
    await until(lambda: name not in world.manager.owner.values(), 10.0, f"{name} covered")
    moved_s = time.monotonic() - began
    owners = {world.manager.owner[k] for k in keys}
    version = world.manager.version
    await until(
        lambda: world.hedging(*owners) and all(world.manager.beats[o].assignment_version == version for o in owners),
        10.0,
        "the cover hedging",
    )
    print(f"{name}'s keys owned by {', '.join(owners)} after {moved_s:.2f} s, hedged {time.monotonic() - began:.2f} s")
    assert moved_s < 4.0, "the bar is 1 s on a quiet machine"


async def _restart_agents(world: World) -> None:
    before, pids = dict(world.manager.owner), {n: b.pid for n, b in world.manager.beats.items() if n in AGENTS}
    command = Command("restart-all", "restart.agents", "me", "test", json.dumps({"part": "agents"}))
    began = time.monotonic()
    subject = subjects.control(command.action)
    data = await world.bus.request(subject, codec.encode_command(command), timeout_s=180.0)
    answer = codec.decode_acknowledgement(data)
    assert answer.accepted, answer.text
    print(f"every agent restarted in {time.monotonic() - began:.1f} s")
    assert world.manager.owner == before
    assert all(world.manager.beats[name].pid != pid for name, pid in pids.items())


async def _hang_an_actor(world: World) -> None:
    old = world.manager.beats["vega-0"]
    os.kill(old.pid, signal.SIGSTOP)
    began = time.monotonic()
    await until(lambda: world.manager.beats["vega-0"].incarnation > old.incarnation, 40.0, "vega-0 replaced")
    print(f"a hung agent is replaced after {time.monotonic() - began:.1f} s")
    await until(lambda: world.hedging("vega-0"), 20.0, "vega-0 hedging again")
    assert not alive([psutil.Process(old.pid)] if psutil.pid_exists(old.pid) else [])


async def _deafen_an_actor(world: World, line: OneWay) -> None:
    """What it says still arrives; it is covered and replaced like one that hangs."""
    await until(lambda: "gamma-0" in world.manager.owner.values(), 20.0, "gamma-0 has its keys")
    old = world.manager.beats["gamma-0"]
    keys = {k for k, a in world.manager.owner.items() if a == "gamma-0"}
    line.hold("gamma-0")
    began = time.monotonic()
    await _covered(world, "gamma-0", keys, began)
    await until(lambda: world.manager.beats["gamma-0"].incarnation > old.incarnation, 40.0, "gamma-0 replaced")
    print(f"a deaf agent is replaced after {time.monotonic() - began:.1f} s")
    await until(lambda: world.hedging("gamma-0"), 20.0, "gamma-0 hedging again")
    assert not alive([psutil.Process(old.pid)] if psutil.pid_exists(old.pid) else [])


async def _scale_down_and_up(world: World) -> None:
    keys = {k for k in world.manager.owner if k.startswith("gamma/")}
    for n in (1, 2, 1):
        began = time.monotonic()
        answer = await world.scale("gamma", n)
        assert answer.accepted, answer.text
        print(f"scale gamma {n}: {time.monotonic() - began:.2f} s: {answer.text}")
        owners = {k: a for k, a in world.manager.owner.items() if k.startswith("gamma/")}
        assert set(owners) == keys and len(set(owners.values())) == n
        names = sorted(owners.values())
        await until(lambda names=names: world.hedging(*names), 20.0, "the owners hedging")
        await until(lambda n=n: _actors(world) == n + 2, 10.0, "the end of the removed actor")
    assert not (await world.scale("gamma", 0)).accepted


def _actors(world: World) -> int:
    return sum(line.endswith(" ray::AgentActor") for line in alive(tree(world.fleet.pid)))


async def _kill_the_fleet(world: World) -> None:
    processes = tree(world.fleet.pid)
    (folder,) = [Path(argv(p)[-1]) for p in processes if "agents.reaper" in argv(p)]
    assert folder.exists()
    world.fleet.kill()
    began = time.monotonic()
    await until(lambda: not alive(processes), 10.0, "nothing left of the fleet")
    print(f"nothing left {time.monotonic() - began:.1f} s after kill -9 of the fleet")
    assert not folder.exists()


def test_sigterm_ends_agents_and_ray(nats_server: NatsServer, tmp_path: Path) -> None:
    uvloop.run(_sigterm(nats_server.url, tmp_path))


async def _sigterm(url: str, folder: Path) -> None:
    async with a_world(url, folder) as world:
        await until(lambda: world.hedging(*AGENTS), 90.0, f"all hedging; {folder / 'fleet.log'}")
        processes = tree(world.fleet.pid)
        world.fleet.terminate()
        began = time.monotonic()
        assert await asyncio.to_thread(world.fleet.wait, 10.0) == 0
        print(f"clean stop in {time.monotonic() - began:.1f} s")
        assert not alive(processes)
        for name in AGENTS:
            assert world.manager.state_of(name) == "stopped: asked to"


def test_an_external_ray_outlives_the_fleet_and_its_agents_are_adopted(
    nats_server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    with a_ray(tmp_path) as address:
        uvloop.run(_adopt(nats_server.url, tmp_path, address))


def free_ports(n: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(n)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


@contextlib.contextmanager
def a_ray(folder: Path) -> Iterator[str]:
    """A Ray of its own, as ``ray start`` makes it; its sockets need a short path."""
    port, client_port, agent_port = free_ports(3)
    resources = json.dumps({f"agent_{kind}": 4 for kind in ("gamma", "vega", "cross_asset")})
    sockets = tempfile.mkdtemp(prefix="hrw-")
    options = ["--head", "--block", "--port", str(port), "--num-cpus", "2", "--include-dashboard", "false"]
    options += ["--ray-client-server-port", str(client_port), "--dashboard-agent-listen-port", str(agent_port)]
    options += ["--object-store-memory", "100000000", "--resources", resources, "--temp-dir", sockets]
    with (folder / "ray.log").open("wb") as log:
        head = subprocess.Popen([str(Path(sys.executable).with_name("ray")), "start", *options], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 60.0
        while "Ray runtime started" not in (folder / "ray.log").read_text():
            assert time.monotonic() < deadline and head.poll() is None, (folder / "ray.log").read_text()
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        below = tree(head.pid)
        head.kill()
        head.wait()
        for process in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(below, timeout=5.0)
        shutil.rmtree(sockets, ignore_errors=True)


async def _adopt(url: str, folder: Path, address: str) -> None:
    async with a_world(url, folder, ray_address=address, stop_agents=False) as world:
        await until(lambda: world.hedging(*AGENTS), 60.0, f"all hedging; {folder / 'fleet.log'}")
        world.fleet.terminate()
        assert await asyncio.to_thread(world.fleet.wait, 10.0) == 0
        first = {name: beat.incarnation for name, beat in world.manager.beats.items()}
        world.fleet = start_fleet(url, folder, ray_address=address)
        answer = await world.scale("vega", 2)
        assert answer.accepted, answer.text
        now = {name: beat.incarnation for name, beat in world.manager.beats.items() if name != "vega-1"}
        assert now == first, "the agents that ran went on running"
        world.fleet.terminate()
        assert await asyncio.to_thread(world.fleet.wait, 10.0) == 0
        for name in (*AGENTS, "vega-1"):
            assert world.manager.state_of(name) == "stopped: asked to"
