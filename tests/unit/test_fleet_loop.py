"""The fleet's loop on a memory bus, with agents that only beat and a manager that only acknowledges."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from agents.fleet import Fleet
from agents.fleet_plan import Rules
from common import subjects
from common.bus.memory_bus import MemoryBus
from common.clock import WallClock
from common.control_messages import Acknowledgement, Command
from common.errors import Unavailable
from common.factors import successor_of
from common.messages import Header, Heartbeat
from common.units import NS_PER_MS
from common.wire import codec
from tests.toy_world import NOW_NS, SYMBOLS, ToyFeed, ToyManager, on_loop, until

RULES = Rules(
    fresh_ns=200 * NS_PER_MS,
    hung_ns=500 * NS_PER_MS,
    start_ns=600 * NS_PER_MS,
    takeover_ns=1_000 * NS_PER_MS,
    cover_ns=300 * NS_PER_MS,
    return_ns=100 * NS_PER_MS,
    max_replacements=2,
    max_shards=4,
)


class BeatingHost:
    """Agents as tasks that send heartbeats and adopt every assignment; ``hung`` ones are silent until replaced,
    ``slow`` ones have not heard of an assignment yet."""

    def __init__(self, bus: MemoryBus) -> None:
        self.bus = bus
        self.slow: set[str] = set()
        self.loop = asyncio.get_running_loop()
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.incarnation = 0
        self.hung: set[str] = set()
        self.busy_share = 0.0
        self.dead = False
        self.ended: set[int] = set()
        self.alive: tuple[str, ...] = ("here",)
        self.node: dict[str, str] = {}
        self.standing: dict[str, asyncio.Task[None]] = {}
        self.spares, self.spare_pid = 0, 1_000
        self.unloadable = ""
        self.log: list[str] = []

    def start(self, name: str) -> None:
        self.log.append(f"start {name}")
        self.loop.call_soon_threadsafe(lambda: name in self.tasks or self._start(name))  # one that runs is adopted

    def _start(self, name: str) -> None:
        self.tasks[name] = self.loop.create_task(self._beat(name))

    def begin_anew(self, name: str) -> None:
        """The process has ended and another one has taken its place."""
        self.tasks[name].cancel()
        self._start(name)

    def gone(self, pids: Mapping[str, int]) -> set[str]:
        return {name for name, pid in pids.items() if pid in self.ended}

    def nodes(self) -> tuple[str, ...]:
        return self.alive

    def move(self, name: str, node: str) -> None:
        self.log.append(f"move {name} {node}")
        self.node[name] = node
        self.loop.call_soon_threadsafe(self.begin_anew, name)

    def load(self, name: str, node: str) -> None:
        self.log.append(f"load {name} {node}")
        if name == self.unloadable:
            raise Unavailable(f"{name} has no successor on node {node}: no slot")
        self.loop.call_soon_threadsafe(self._stand_by, name, node)

    def _stand_by(self, name: str, node: str) -> None:
        self.spares += 1
        self.standing[name] = self.loop.create_task(self._beat_beside(name, node, self.spares))

    async def _beat_beside(self, name: str, node: str, incarnation: int) -> None:
        while True:
            pid = self.spare_pid + incarnation
            beat = Heartbeat(Header(successor_of(name), 1, 0), incarnation, "stands by", pid=pid, node=node)
            await self.bus.publish(subjects.heartbeat(beat.header.source), codec.encode_heartbeat(beat))
            await asyncio.sleep(0.03)

    def drop(self, name: str) -> None:
        self.log.append(f"drop {name}")
        self.loop.call_soon_threadsafe(self.standing.pop(name).cancel)

    def succeed(self, name: str, pid: int) -> None:
        self.log.append(f"succeed {name} {pid}")
        self.loop.call_soon_threadsafe(self.standing.pop(name).cancel)
        self.loop.call_soon_threadsafe(self.begin_anew, name)

    def replace(self, name: str, pid: int) -> None:
        self.log.append(f"replace {name}")
        self.hung.discard(name)

    def stop(self, name: str, timeout_s: float) -> None:
        self.log.append(f"stop {name}")
        self.loop.call_soon_threadsafe(self.tasks.pop(name).cancel)

    async def _beat(self, name: str) -> None:
        self.incarnation += 1
        mine, sequence = self.incarnation, 0
        while True:
            data = await self.bus.get(subjects.ASSIGNMENT)
            version = codec.decode_assignment_update(data).version if data and name not in self.slow else 0
            sequence += 1
            beat = Heartbeat(
                Header(name, sequence, NOW_NS),
                mine,
                "hedging",
                pid=mine,
                assignment_version=version,
                busy_share=self.busy_share,
                node=self.node.get(name, "here"),
            )
            if name not in self.hung and not self.dead:
                await self.bus.publish(subjects.heartbeat(name), codec.encode_heartbeat(beat))
            await asyncio.sleep(0.03)


@asynccontextmanager
async def a_fleet(
    *, opens_market: bool = False, **agents: object
) -> AsyncIterator[tuple[Fleet, BeatingHost, ToyManager, asyncio.Task[None]]]:
    bus = MemoryBus()
    manager, feed, host = ToyManager(bus), ToyFeed(bus), BeatingHost(bus)
    await manager.open(agents)
    await feed.open()
    for symbol in SYMBOLS:
        await feed.tick(symbol)
    stop = asyncio.Event()
    fleet = Fleet(bus, host, WallClock(), RULES, opens_market=opens_market)
    task, beating = asyncio.create_task(fleet.run(stop)), asyncio.create_task(manager.beat())
    try:
        yield fleet, host, manager, task
    finally:
        beating.cancel()
        stop.set()
        await asyncio.wait([task])
        await asyncio.sleep(0.05)
        assert not host.tasks, "every agent was stopped"


async def scale(fleet: Fleet, **arguments: object) -> Acknowledgement:
    command = Command("c", "scale", "me", "test", json.dumps(arguments))
    data = await fleet._bus.request(subjects.control("scale"), codec.encode_command(command), timeout_s=10.0)
    return codec.decode_acknowledgement(data)


@on_loop
async def test_starts_all_shards_and_has_every_key_assigned() -> None:
    async with a_fleet() as (_, host, manager, _):
        await until(lambda: manager.owner, what="an assignment")
        assert sorted(host.tasks) == ["cross_asset-0", "gamma-0", "gamma-1", "vega-0"]
        assert set(manager.owner) == {
            "cross_asset/common",
            *(f"gamma/{s}" for s in SYMBOLS),
            *(f"vega/{s}/{b}" for s in SYMBOLS for b in ("0-7d", "8-30d", "31-60d")),
        }
        await asyncio.sleep(0.5)
        assert manager.version == 1, "nothing is assigned twice"


@on_loop
async def test_asks_again_until_the_manager_acknowledges() -> None:
    async with a_fleet() as (_, _, manager, _):
        manager.refuse = 2
        await until(lambda: manager.owner, what="an assignment")
        assert len(manager.commands) == 3 and len(set(manager.commands)) == 1, "one wish, one id"


@on_loop
async def test_scales_up_and_down() -> None:
    async with a_fleet(shards={"gamma": 1, "vega": 1, "cross_asset": 1}) as (fleet, host, manager, _):
        await until(lambda: manager.owner, what="an assignment")
        answer = await scale(fleet, kind="gamma", n=2)
        assert answer.accepted, answer.text
        assert {manager.owner["gamma/AAA"], manager.owner["gamma/BBB"]} == {"gamma-0", "gamma-1"}
        answer = await scale(fleet, kind="gamma", n=1)
        assert answer.accepted and answer.text == "gamma-0 owns gamma/AAA, gamma/BBB"
        assert "gamma-1" not in host.tasks


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"kind": "gamma", "n": 0}, "give 1 to 4"),
        ({"kind": "gamma", "n": 5}, "give 1 to 4"),
        ({"kind": "gamma", "n": True}, "give 1 to 4"),
        ({"kind": "delta", "n": 1}, "unknown kind"),
        ({"kind": "gamma"}, "scale needs"),
    ],
)
@on_loop
async def test_refuses_a_scale_that_makes_no_sense(arguments: dict[str, object], says: str) -> None:
    async with a_fleet() as (fleet, _, manager, _):
        await until(lambda: manager.owner, what="an assignment")
        answer = await scale(fleet, **arguments)
        assert not answer.accepted and says in answer.text
        assert manager.version == 1


@on_loop
async def test_opens_the_market_once_the_last_agent_has_adopted_its_keys() -> None:
    async with a_fleet(opens_market=True) as (fleet, host, manager, _):
        host.slow.add("vega-0")
        await until(lambda: manager.owner, what="an assignment")
        await asyncio.sleep(0.5)
        assert await host.bus.get(subjects.MARKET_START) is None, "vega-0 would miss the first quotes"
        host.slow.clear()
        opened: list[bytes] = []
        await host.bus.watch(subjects.MARKET_START, lambda _, data: opened.append(data))
        await until(lambda: opened, what="the open")
        answer = await scale(fleet, kind="gamma", n=1)
        assert answer.accepted
        await asyncio.sleep(0.3)
        assert opened == [b"fleet"], "once, whatever moves later"


@on_loop
async def test_leaves_the_open_to_the_launcher_and_an_open_market_alone() -> None:
    async with a_fleet() as (_, host, manager, _):
        await until(lambda: manager.owner, what="an assignment")
        await asyncio.sleep(0.5)
        assert await host.bus.get(subjects.MARKET_START) is None
    async with a_fleet(opens_market=True) as (fleet, host, manager, _):
        await host.bus.put(subjects.MARKET_START, b"before")
        await until(lambda: not fleet._opens_market, what="a look")
        assert await host.bus.get(subjects.MARKET_START) == b"before"


@on_loop
async def test_replaces_a_hung_agent() -> None:
    async with a_fleet() as (_, host, manager, _):
        await until(lambda: manager.owner, what="an assignment")
        host.hung.add("vega-0")
        await until(lambda: "vega-0" not in host.hung, what="a replacement")
        await asyncio.sleep(0.3)
        assert host.log.count("replace vega-0") == 1 and manager.version == 1


@pytest.fixture
def quick_keeper(monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks often, and all is calm soon."""
    monkeypatch.setattr("agents.fleet_keeping.EVERY_S", 0.05)
    monkeypatch.setattr("agents.fleet_keeping.CALM_S", 0.1)


@pytest.mark.usefixtures("quick_keeper")
@on_loop
async def test_each_agent_gets_a_successor_on_the_other_node_which_goes_on_where_it_ends() -> None:
    agents = {"shards": {"gamma": 1, "vega": 1}}
    async with a_fleet(**agents) as (fleet, host, _, _task):
        host.alive, host.node = ("here", "there"), {"gamma-0": "here", "vega-0": "there"}
        await until(lambda: len(fleet.known.successors) == 2, what="two successors")
        assert sorted(e for e in host.log if e.startswith("load")) == ["load gamma-0 there", "load vega-0 here"]
        first = fleet.known.beats["gamma-0"].pid
        host.ended.add(first)
        await until(lambda: fleet.known.beats["gamma-0"].pid > first, what="the successor")
        assert host.log.count(f"succeed gamma-0 {first}") == 1 and "replace gamma-0" not in host.log
        await until(lambda: host.log.count("load gamma-0 there") == 2, what="a new successor")
        await until(lambda: "gamma-0" in fleet.known.successors, what="its heartbeat")
        host.ended.add(fleet.known.successors["gamma-0"].pid)
        await until(lambda: "drop gamma-0" in host.log, what="the end of one whose process is gone")
        await until(lambda: len(fleet.known.successors) == 2, what="two successors again")
        for name in list(host.standing):
            host.drop(name)


@pytest.mark.usefixtures("quick_keeper")
@on_loop
async def test_one_that_cannot_be_loaded_and_a_trouble_of_ray_stand_in_nobodys_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with a_fleet(shards={"gamma": 1, "vega": 1}) as (fleet, host, _, _task):
        real, asked = host.nodes, []

        def nodes() -> tuple[str, ...]:
            asked.append(1)
            if len(asked) < 3:
                raise RuntimeError("the control store is away")
            return real()

        monkeypatch.setattr(host, "nodes", nodes)
        host.alive, host.node = ("here", "there"), {"gamma-0": "here", "vega-0": "there"}
        host.unloadable = "gamma-0"
        await until(lambda: "vega-0" in fleet.known.successors, what="the other's successor")
        await asyncio.sleep(0.5)
        assert host.log.count("load gamma-0 there") == 1, "it rests"
        for name in list(host.standing):
            host.drop(name)


@pytest.mark.usefixtures("quick_keeper")
@on_loop
async def test_without_another_node_or_where_nobody_wants_it_there_is_no_successor() -> None:
    for nodes, wanted in ((("here",), True), (("here", "there"), False)):
        async with a_fleet(shards={"gamma": 1}, successors=wanted) as (_, host, manager, _task):
            host.alive = nodes
            await until(lambda m=manager: m.owner, what="an assignment")
            await asyncio.sleep(0.5)
            assert not [entry for entry in host.log if entry.startswith("load")]


@on_loop
async def test_gives_up_when_nobody_answers_any_more() -> None:
    async with a_fleet() as (_, host, manager, task):
        await until(lambda: manager.owner, what="an assignment")
        host.dead = True
        with pytest.raises(Unavailable, match="Ray does not run them"):
            await asyncio.wait_for(asyncio.shield(task), 10.0)


@on_loop
async def test_a_new_fleet_has_not_forgotten_that_people_scaled_below_the_settings() -> None:
    async with a_fleet(shards={"gamma": 2, "vega": 1, "cross_asset": 1}) as (fleet, host, manager, _):
        await until(lambda: manager.owner, what="an assignment")
        answer = await scale(fleet, kind="gamma", n=1)
        assert answer.accepted, answer.text
        stop, log = asyncio.Event(), len(host.log)
        again = Fleet(host.bus, host, WallClock(), RULES, stop_agents=False)
        task = asyncio.create_task(again.run(stop))
        await until(lambda: again.known.started, what="a look at what runs")
        await asyncio.sleep(0.3)
        stop.set()
        await task
        assert again.known.desired == {"gamma": 1, "vega": 1, "cross_asset": 1}
        assert not any("gamma-1" in line for line in host.log[log:])


@on_loop
async def test_what_a_fleet_left_that_ended_on_the_way_down_is_ended() -> None:
    async with a_fleet(shards={"gamma": 2, "vega": 1, "cross_asset": 1}) as (fleet, host, manager, task):
        await until(lambda: manager.owner and "gamma-1" in fleet.known.beats, what="an assignment")
        task.cancel()  # with no time to end anything
        await asyncio.wait([task])
        host.start("gamma-1")  # runs on, as Ray's detached actors do
        await host.bus.put(subjects.SHARDS, b'{"gamma": 1}')
        stop, begun = asyncio.Event(), len(host.log)
        again = Fleet(host.bus, host, WallClock(), RULES)
        running = asyncio.create_task(again.run(stop))
        await until(lambda: "stop gamma-1" in host.log[begun:], what="its end")
        assert set(manager.owner.values()) == {"gamma-0", "vega-0", "cross_asset-0"}
        assert not any("gamma-1" in line for line in host.log[host.log.index("stop gamma-1", begun) + 1 :])
        stop.set()
        await running


@on_loop
async def test_what_cannot_be_kept_is_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_fleet() as (fleet, host, manager, _):
        await until(lambda: manager.owner, what="an assignment")

        async def away(*_: object) -> None:
            raise Unavailable("hedgerow.shards: not stored")

        monkeypatch.setattr(host.bus, "put", away)
        answer = await scale(fleet, kind="gamma", n=1)
        assert not answer.accepted and "nothing is changed now" in answer.text
        assert fleet.known.desired["gamma"] == 2 and "stop gamma-1" not in host.log


@pytest.mark.parametrize(("settings", "owner"), [(1, "gamma-1"), (2, "gamma-0")])
@on_loop
async def test_a_new_fleet_keeps_what_people_had_scaled_and_forgets_no_shard_that_is_covered(
    settings: int, owner: str
) -> None:
    bus = MemoryBus()
    manager, feed, host = ToyManager(bus), ToyFeed(bus), BeatingHost(bus)
    await manager.open({"shards": {"gamma": settings}})
    await feed.open()
    await feed.tick("AAA")
    await manager.give({"gamma/AAA": owner, "gamma/BBB": "gamma-0"})
    stop = asyncio.Event()
    fleet = Fleet(bus, host, WallClock(), RULES)
    task = asyncio.create_task(fleet.run(stop))
    await until(lambda: "gamma-1" in host.tasks, what="the second shard")
    stop.set()
    await task
