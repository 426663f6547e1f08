"""``hedgerow chaos``: a live run under kills and freezes, then every promise audited from the venue's own file.

The run is the one ``hedgerow live`` starts, with the venue as a process of its own and a Ray of two nodes; only the command by
which each part is started is another one (``deploy/chaos_role.py``). *Tested by* tests/unit/test_chaos_plan.py,
tests/e2e/test_chaos.py.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import uvloop
from rich.console import Console

from common.bus.nats_bus import NatsBus
from common.clock import WallClock
from common.errors import HedgerowError, UsageError
from deploy import config
from deploy.chaos_report import report
from deploy.chaos_signs import Signs
from deploy.chaos_storm import Storm
from deploy.live import Launcher
from deploy.processes import Supervisor
from deploy.run_folder import RUNS, RunFolder
from deploy.setup import Prepared, prepare

MINUTES: Final = (0.5, 24 * 60.0)
SEED_MAX: Final = 2**32 - 1
#: Market seconds a wall second on the demo market: about fifteen seconds a session, several orders a second at its busiest.
SPEED: Final = 1500.0
SESSION_S: Final = 23_400.0
#: Wall seconds that the market must last beyond the storm: to be well before it and after it.
SPARE_S: Final = 120.0
#: A loss that no storm makes.
UNREACHED_USD = 1e12
#: Sessions of the demo market beyond which it is run slower instead: by then the book's options have expired.
SESSIONS_MAX: Final = 42
RAY_NODES: Final = 2
#: Of each kind at least, so that there is somebody to cover for a killed one.
SHARDS: Final = 2


def run_chaos(
    minutes: float, seed: int, out: Path | None, flags: Mapping[str, Any], config_file: Path | None = None
) -> int:
    """Storm for ``minutes``; 0 if no promise broke, else 1. Raises ``UsageError`` for minutes or a seed out of range."""
    if not MINUTES[0] <= minutes <= MINUTES[1]:
        raise UsageError(f"--minutes {minutes:g}: give {MINUTES[0]:g} to {MINUTES[1]:g}")
    if not 0 <= seed <= SEED_MAX:
        raise UsageError(f"--seed {seed}: give 0 to {SEED_MAX}")
    logging.getLogger("hedgerow.processes").addHandler(logging.NullHandler())
    console = Console()
    wall_ns = WallClock().wall_ns()
    stamp = dt.datetime.fromtimestamp(wall_ns / 1e9, dt.UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = RunFolder.open(out or RUNS / f"chaos-{stamp}", wall_ns)
    try:
        settings = _settings(minutes, flags, config_file)
        prepared = _without_drawdown(prepare(settings, folder.path.name))
        folder.claim(prepared.reference())
        console.print(f"run folder {folder.path}; seed {seed}, {minutes:g} minutes", highlight=False, soft_wrap=True)
        with (folder / "live.out").open("w") as kept:
            launcher = ChaosLauncher(prepared, folder, Console(file=kept, width=200), seed, minutes * 60.0, console)
            uvloop.run(launcher.run())
        return report(prepared, folder, launcher.outcome(seed, minutes), console)
    finally:
        folder.close()


def _without_drawdown(prepared: Prepared) -> Prepared:
    """Weeks of market go by in minutes and hedges are judged without their book: a stop would end the hedging to be tested."""
    limits = prepared.execution_limits.model_copy(update={"max_drawdown_usd": UNREACHED_USD})
    return replace(prepared, execution_limits=limits)


def _settings(minutes: float, flags: Mapping[str, Any], config_file: Path | None) -> config.RunConfig:
    """The run's settings: a market that lasts as long as the storm, the venue apart, Ray in nodes, a peer for each agent."""
    own: dict[str, Any] = {"execution.venue": "paper-process", "live.ray_nodes": RAY_NODES, "live.duration_s": None}
    shards = config.load(config_file, {**flags, **own}).agents.shards
    own["agents.shards"] = {kind: max(count, SHARDS) for kind, count in shards.items()}
    found = config.load(config_file, {**flags, **own})
    lasts_s = minutes * 60.0 + SPARE_S
    if found.live.speed is not None:
        return found
    if found.market.name != "demo":
        return config.load(config_file, {**flags, **own, "live.wall_seconds": lasts_s})
    speed = min(SPEED, SESSIONS_MAX * SESSION_S / lasts_s)
    days = math.ceil(lasts_s * speed / SESSION_S) * 7 / 5 + 5
    end = found.market.demo.start + dt.timedelta(days=math.ceil(days))
    return config.load(config_file, {**flags, **own, "live.speed": speed, "market.demo.end": end.isoformat()})


class ChaosLauncher(Launcher):
    """A launcher that storms while it would otherwise watch. ``console`` gets what ``live`` says, ``teller`` the strikes."""

    entry = "deploy.chaos_role"
    #: Kernels may have to be compiled first, on a machine that does other things too.
    ready_timeout_s = 300.0

    def __init__(
        self, prepared: Prepared, folder: RunFolder, console: Console, seed: int, seconds: float, teller: Console
    ) -> None:
        super().__init__(prepared, folder, console)
        self._seed, self._seconds, self._teller = seed, seconds, teller
        self.storm: Storm | None = None
        self._error = ""

    async def _watch(self, bus: NatsBus, supervisor: Supervisor) -> None:
        showing = asyncio.create_task(self.watcher.show(bus, supervisor, self._stop, self.console))
        shards = sum(self.prepared.settings.agents.shards.values())
        signs = Signs(bus, self.info["execution_address"], self.info["venue_address"], shards, self.tls)
        self._say("the run is up; the storm begins")
        try:
            async with signs.watching():
                self.storm = Storm(
                    supervisor, signs, self.folder.path, self._seed, self._seconds, self._stop, self._say
                )
                await self.storm.run()
        except HedgerowError as error:
            self._error = str(error)
        finally:
            self._stop.set()
            await showing
        self._say("the storm is over; trading is stopped and the record exported")

    def _tell_given_up(self) -> None:
        """A part that was given up is a broken promise of the storm (``chaos_report.judge``), which is told all the same."""

    def _say(self, line: str) -> None:
        self._teller.print(line, highlight=False, soft_wrap=True)

    def outcome(self, seed: int, minutes: float) -> dict[str, Any]:
        """What only the launcher knows of the storm."""
        storm = self.storm
        never = [*(storm.never if storm else ["the storm never began"]), *([self._error] if self._error else [])]
        return {
            "seed": seed,
            "minutes": minutes,
            "events": storm.events if storm else [],
            "never_back": never,
            "restarts": [{"name": e.name, "code": e.code, "fate": e.fate} for e in self.ended],
            "status": self.last_status,
            "interrupted": self.interrupted,
        }
