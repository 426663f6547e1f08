"""Traps and victims of a storm, without a run: what would tell of a blow that was none."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from common.bus.nats_bus import NatsBus
from deploy import chaos_storm
from deploy.chaos_plan import Act, Strike
from deploy.chaos_role import trap_file
from deploy.chaos_signs import Sign, Signs
from deploy.chaos_storm import Event, Storm
from deploy.processes import Supervisor

STRIKE = Strike(0, Act.POINT, "venue", "after-fill", 0.0, 0.0, True)


def storm(folder: Path, **children: int) -> Storm:
    """One that strikes nobody by itself; ``children``: name to pid."""
    supervisor: Any = SimpleNamespace(children={n: SimpleNamespace(pid=pid) for n, pid in children.items()})
    signs = Signs(cast(NatsBus, None), "", "", 0)
    stop = asyncio.Event()
    return Storm(cast(Supervisor, supervisor), signs, folder, 1, 60.0, stop, lambda _: None, lambda _: ())


def event() -> Event:
    return Event(0, "venue after-fill", "POINT", "venue", "venue", 1, 0.0)


def test_a_blow_of_an_earlier_trap_is_not_taken_for_one_of_this(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chaos_storm, "TRAP_S", 0.1)
    trap = trap_file(tmp_path, STRIKE.target, STRIKE.point)
    trap.with_suffix(".sprung").write_text("17.0")
    seen = event()
    assert asyncio.run(storm(tmp_path)._spring(STRIKE, seen)) is None
    assert seen.note == "skipped" and list(tmp_path.iterdir()) == []


def test_who_walks_into_a_trap_as_its_time_ends_was_struck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chaos_storm, "TRAP_S", 0.1)
    trap = trap_file(tmp_path, STRIKE.target, STRIKE.point)

    async def scenario() -> float | None:
        springing = asyncio.create_task(storm(tmp_path)._spring(STRIKE, event()))
        while not trap.exists():
            await asyncio.sleep(0.001)
        trap.unlink()
        await asyncio.sleep(0.3)
        trap.with_suffix(".sprung").write_text("17.0")
        return await springing

    assert asyncio.run(scenario()) == 17.0
    assert list(tmp_path.iterdir()) == []


def test_a_ray_node_without_agents_is_nobody_to_strike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be back at once, with nothing that had to come back."""
    monkeypatch.setattr(chaos_storm, "_raylet_below", lambda pid: pid)
    monkeypatch.setattr(chaos_storm, "_parent", lambda pid: pid // 10)
    one = storm(tmp_path, **{"ray-1": 7, "ray-2": 8, "ray-head": 9})
    assert one._ray_node(dies=True) is None
    one._signs.agents = {"gamma-0": Sign(1, "hedging", 80, 0.0)}
    victim = one._ray_node(dies=True)
    assert victim is not None and (victim.name, victim.pid) == ("ray-2 (gamma-0)", 8)
