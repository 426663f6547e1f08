"""What a fleet that starts wants: what was kept, else the settings, else what the assignment names if that is more."""

from __future__ import annotations

import json

import pytest

from agents.fleet_wanted import keep, recall
from common import subjects
from common.bus.memory_bus import MemoryBus
from tests.toy_world import on_loop

SETTINGS = {"gamma": 2, "vega": 1, "cross_asset": 0}


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
    assert await recall(MemoryBus(), SETTINGS, owner, 4) == wanted


@pytest.mark.parametrize("gamma", [1, 2, 4])
@on_loop
async def test_what_was_asked_for_holds_below_and_above_the_settings(gamma: int) -> None:
    bus = MemoryBus()
    await keep(bus, {**SETTINGS, "gamma": gamma})
    assert await recall(bus, SETTINGS, {"gamma/AAA": "gamma-2"}, 4) == {**SETTINGS, "gamma": gamma}


@pytest.mark.parametrize(
    "kept",
    [b"\xff", b"[]", b"3", b'{"gamma": "1"}', b'{"gamma": 5}', b'{"gamma": -1}', b'{"delta": 1}', b'{"gamma": true}'],
)
@on_loop
async def test_what_is_no_number_of_agents_is_said_and_counts_as_nothing(
    kept: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    bus = MemoryBus()
    await bus.put(subjects.SHARDS, kept)
    assert await recall(bus, SETTINGS, {}, 4) == SETTINGS
    assert subjects.SHARDS in caplog.text


@on_loop
async def test_it_is_kept_as_people_can_read_it() -> None:
    bus = MemoryBus()
    await keep(bus, SETTINGS)
    assert json.loads(await bus.get(subjects.SHARDS) or b"") == SETTINGS
