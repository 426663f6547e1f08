"""Restarts of agents and cover of lost ones, in the fleet's loop: at every assignment each key has one living owner."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from common import subjects
from common.control_messages import Acknowledgement, Command
from common.errors import Unavailable
from common.wire import codec
from tests.toy_world import on_loop, until
from tests.unit.test_fleet_loop import BeatingHost, ToyManager, a_fleet, scale

TWO_OF_EACH = {"gamma": 2, "vega": 2, "cross_asset": 1}


async def restart(host: BeatingHost, part: str) -> Acknowledgement:
    command = Command(f"r-{part}", "restart.agents", "me", "test", json.dumps({"part": part}))
    data = await host.bus.request(subjects.control("restart.agents"), codec.encode_command(command), timeout_s=30.0)
    return codec.decode_acknowledgement(data)


def whole(manager: ToyManager, keys: set[str]) -> bool:
    """Every key has an owner, of its own kind."""
    return set(manager.owner) == keys and all(k.startswith(a.rpartition("-")[0]) for k, a in manager.owner.items())


@on_loop
async def test_a_lost_shard_is_covered_at_once_and_gets_its_keys_back() -> None:
    async with a_fleet(shards=TWO_OF_EACH) as (_, host, manager, _):
        await until(lambda: manager.owner, what="an assignment")
        before, keys = dict(manager.owner), set(manager.owner)
        host.hung.add("vega-1")
        began = time.monotonic()
        await until(lambda: "vega-1" not in manager.owner.values(), what="cover")
        took_s = time.monotonic() - began
        print(f"covered {took_s:.2f} s after the last heartbeat")
        assert whole(manager, keys) and {a for k, a in manager.owner.items() if a != before[k]} == {"vega-0"}
        moved = manager.version
        await until(lambda: manager.owner == before, what="the keys given back")
        assert host.log.count("replace vega-1") == 1 and manager.version == moved + 1, "there and back, nothing else"


@on_loop
async def test_a_process_seen_to_have_ended_is_covered_before_it_is_missed() -> None:
    async with a_fleet(shards=TWO_OF_EACH) as (fleet, host, manager, _):
        await until(lambda: manager.owner, what="an assignment")
        keys, heard = set(manager.owner), dict(manager.owner)
        host.hung.add("vega-1")
        host.ended.add(fleet.known.beats["vega-1"].pid)
        await until(lambda: "vega-1" not in manager.owner.values(), 0.25, what="cover before two heartbeats are missed")
        assert whole(manager, keys)
        host.hung.discard("vega-1")
        host.begin_anew("vega-1")
        await until(lambda: manager.owner == heard, what="the keys given back")


@on_loop
async def test_agents_left_on_one_node_move_back_one_of_a_kind_at_a_time_with_their_keys_covered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with a_fleet(shards=TWO_OF_EACH) as (_, host, manager, _):
        await until(lambda: manager.owner, what="an assignment")
        before, keys = dict(manager.owner), set(manager.owner)
        real, moved = host.move, []

        def move(name: str, node: str) -> None:
            assert name not in manager.owner.values() and whole(manager, keys), "its keys are with others"
            moved.append(name)
            real(name, node)

        monkeypatch.setattr(host, "move", move)
        host.alive = ("here", "there")
        await until(lambda: len(moved) == 2 and manager.owner == before, 30.0, what="two moves")
        assert sorted(name.rpartition("-")[0] for name in moved) == ["gamma", "vega"], "no kind is left on one node"
        assert [entry for entry in host.log if entry.startswith("move")] == [f"move {name} there" for name in moved]


@on_loop
async def test_an_agent_that_cannot_be_moved_stays_and_gets_its_keys_back_at_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_fleet(shards=TWO_OF_EACH) as (_, host, manager, _):
        await until(lambda: manager.owner, what="an assignment")
        before, tried = dict(manager.owner), []

        def move(name: str, node: str) -> None:
            assert name not in manager.owner.values()
            tried.append(name)
            raise Unavailable(f"{name} stays where it is")

        monkeypatch.setattr(host, "move", move)
        host.alive = ("here", "there")
        await until(lambda: len(tried) >= 2, what="two tries")
        host.alive = ("here",)
        await until(lambda: manager.owner == before, 5.0, what="the keys given back")
        assert f"{tried[0]} was not moved: {tried[0]} stays where it is" in caplog.text


@on_loop
async def test_restarts_every_agent_one_at_a_time_with_its_keys_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    async with a_fleet(shards=TWO_OF_EACH) as (_, host, manager, _):
        await until(lambda: manager.owner, what="an assignment")
        before, keys = dict(manager.owner), set(manager.owner)
        owners: list[dict[str, str]] = []
        real = host.replace

        def replace(name: str, pid: int) -> None:
            assert name not in manager.owner.values(), "it still owns keys"
            assert whole(manager, keys)
            owners.append(dict(manager.owner))
            real(name, pid)
            host.loop.call_soon_threadsafe(host.begin_anew, name)

        monkeypatch.setattr(host, "replace", replace)
        answer = await restart(host, "agents")
        assert answer.accepted, answer.text
        assert len(owners) == 5 and manager.owner == before
        assert sorted(host.tasks) == ["cross_asset-0", "gamma-0", "gamma-1", "vega-0", "vega-1"], "the spare has ended"


@on_loop
async def test_refuses_an_agent_that_is_not_there_and_says_which_are() -> None:
    async with a_fleet() as (_, host, manager, _):
        await until(lambda: manager.owner, what="an assignment")
        answer = await restart(host, "delta")
        assert not answer.accepted and "gamma-0, gamma-1, vega-0, cross_asset-0" in answer.text


@on_loop
async def test_follows_the_load_only_where_it_is_told_to() -> None:
    rules = {"on": True, "up_s": 0.2, "down_s": 0.4}
    for scaling, shards in (({}, 1), (rules, 2)):
        async with a_fleet(shards={"gamma": 1}, scaling=scaling) as (fleet, host, manager, _):
            await until(lambda m=manager: m.owner, what="an assignment")
            host.busy_share = 0.9
            await asyncio.sleep(1.5)
            assert len(set(manager.owner.values())) == shards, "two keys are two shards at most"
            host.busy_share = 0.1
            if scaling:
                await until(lambda m=manager: set(m.owner.values()) == {"gamma-0"}, what="the second shard gone")
            else:
                assert (await scale(fleet, kind="gamma", n=2)).accepted
