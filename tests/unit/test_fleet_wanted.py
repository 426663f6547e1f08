"""What a fleet that starts wants: what was kept, else the settings, else what the assignment names if that is more."""

from __future__ import annotations

import asyncio
import json

import pytest

from agents.fleet_wanted import Wanted
from common import subjects, tasks
from common.bus.memory_bus import MemoryBus
from common.errors import Unavailable
from tests.toy_world import on_loop, until

SETTINGS = {"gamma": 2, "vega": 1, "cross_asset": 0}


async def recalled(bus: MemoryBus, owner: dict[str, str] | None = None) -> dict[str, int]:
    return await Wanted(bus, 4).recall(SETTINGS, owner or {})


@pytest.mark.parametrize(
    ("owner", "wanted"),
    [
        ({}, SETTINGS),
        ({"gamma/AAA": "gamma-2"}, {**SETTINGS, "gamma": 3}),
        ({"gamma/AAA": "gamma-0"}, SETTINGS),  # gamma-1 may be covered just now
    ],
)
@on_loop
async def test_before_anybody_has_asked(owner: dict[str, str], wanted: dict[str, int]) -> None:
    assert await recalled(MemoryBus(), owner) == wanted


@pytest.mark.parametrize("gamma", [1, 2, 4])
@on_loop
async def test_what_was_asked_for_holds_below_and_above_the_settings_and_only_of_its_kind(gamma: int) -> None:
    bus = MemoryBus()
    await Wanted(bus, 4).ask("gamma", gamma)
    assert json.loads(await bus.get(subjects.SHARDS) or b"") == {"gamma": gamma}, (
        "the settings go on to hold for the others"
    )
    assert await recalled(bus, {"gamma/AAA": "gamma-2"}) == {**SETTINGS, "gamma": gamma}


@pytest.mark.parametrize(
    "kept",
    [b"\xff", b"[]", b"3", b'{"gamma": "1"}', b'{"gamma": 5}', b'{"gamma": 0}', b'{"delta": 1}', b'{"gamma": true}'],
)
@on_loop
async def test_what_is_no_number_of_agents_is_said_and_counts_as_nothing(
    kept: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    bus = MemoryBus()
    await bus.put(subjects.SHARDS, kept)
    assert await recalled(bus) == SETTINGS
    assert subjects.SHARDS in caplog.text


@on_loop
async def test_a_number_that_makes_no_sense_takes_no_other_with_it() -> None:
    bus = MemoryBus()
    await bus.put(subjects.SHARDS, b'{"gamma": 20, "vega": 3}')
    assert await recalled(bus) == {**SETTINGS, "vega": 3}


@on_loop
async def test_what_the_load_asked_for_is_kept_once_nats_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.fleet_wanted.KEEP_EVERY_S", 0.01)
    bus, away, tried = MemoryBus(), True, []
    real = bus.put

    async def put(subject: str, data: bytes) -> None:
        tried.append(subject)
        if away:
            raise Unavailable("no answer")
        await real(subject, data)

    monkeypatch.setattr(bus, "put", put)
    wanted = Wanted(bus, 4)
    following = asyncio.create_task(wanted.follow())
    await asyncio.sleep(0.05)
    assert not tried, "nobody has asked"
    wanted.asked["gamma"] = 3
    await until(lambda: len(tried) > 2, what="some tries")
    away = False
    await until(lambda: not wanted.asked or wanted.asked == wanted._kept, what="a keeping")
    count = len(tried)
    await asyncio.sleep(0.05)
    await tasks.end([following])
    assert len(tried) == count, "kept once"
    assert (await recalled(bus))["gamma"] == 3


@on_loop
async def test_what_a_person_asked_for_and_nats_did_not_keep_is_not_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bus = MemoryBus()
    wanted = Wanted(bus, 4)

    async def put(*_: object) -> None:
        raise Unavailable("no answer")

    monkeypatch.setattr(bus, "put", put)
    with pytest.raises(Unavailable):
        await wanted.ask("gamma", 1)
    assert wanted.asked == {}
