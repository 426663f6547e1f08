"""One storm: strikes of the schedule against a live run, each followed until the part is back, told line by line.

A part is struck by its pid alone, as the supervisor, a heartbeat or the process tree tells it. Whatever is frozen is continued
again, also when the storm ends early. *Tested by* tests/e2e/test_chaos.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from agents.status import HEDGING, IDLE
from common.tasks import end
from deploy.chaos_plan import Act, Strike, strikes
from deploy.chaos_role import trap_file
from deploy.chaos_signs import Sign, Signs
from deploy.processes import Supervisor

LOOK_S: Final = 0.02
#: A part that is not back by then has not come back by itself.
BACK_S: Final = 60.0
#: Loading the successors of all agents, one after the other, on a machine that is not slow.
SUCCEEDED_S: Final = 45.0
#: A trap that nobody has walked into by then is taken away: no order flowed.
TRAP_S: Final = 20.0


@dataclass
class Event:
    """One strike and what came of it. Seconds: ``at_s`` since the storm began, the others since the strike.

    ``back_s``: the part works again; ``well_s``: the whole run does; ``covered_s``: a struck agent's keys had other owners;
    None where it did not come to that. ``replaced``: a frozen agent was replaced while frozen.
    """

    number: int
    kind: str
    act: str
    target: str
    name: str
    pid: int
    at_s: float
    frozen_s: float = 0.0
    back_s: float | None = None
    well_s: float | None = None
    covered_s: float | None = None
    replaced: bool = False
    overlaps: bool = False
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Rounded to milliseconds."""
        return {k: round(v, 3) if isinstance(v, float) else v for k, v in asdict(self).items()}

    def line(self) -> str:
        """For people."""
        done = {"kill": "killed", "freeze": f"froze for {self.frozen_s:.1f} s", "point": "killed at its point"}[
            self.act
        ]
        back = "NOT BACK" if self.back_s is None else f"back after {self.back_s:.2f} s"
        if self.note == "skipped":
            return f"{self.at_s:7.1f} s  {self.kind}: {self.name}"
        more = [f"covered after {self.covered_s:.2f} s"] if self.covered_s is not None else []
        more += ["replaced"] if self.replaced else []
        more += [f"all well after {self.well_s:.2f} s"] if self.well_s is not None else []
        more += ["overlapping"] if self.overlaps else []
        more += [self.note] if self.note else []
        what = f"{self.kind}: {done} {self.name} (pid {self.pid})"
        return f"{self.at_s:7.1f} s  {what}: {', '.join([back, *more])}"


@dataclass(frozen=True)
class Victim:
    """Whom a strike hits, and how to tell that it is back: ``back(since_s)`` with the moment it could act again."""

    name: str
    pid: int
    back: Callable[[float], bool]


class Storm:
    """The strikes of a seed for ``seconds``, told to ``say``; ``stop`` ends it early. ``events`` fills as it goes."""

    def __init__(
        self,
        supervisor: Supervisor,
        signs: Signs,
        folder: Path,
        seed: int,
        seconds: float,
        stop: asyncio.Event,
        say: Callable[[str], None],
        plan: Callable[[int], Any] = strikes,
    ) -> None:
        self.events: list[Event] = []
        self.never: list[str] = []
        self._supervisor, self._signs, self._folder = supervisor, signs, folder
        self._schedule = plan(seed)
        self._chance = random.Random(f"victims {seed}")
        self._seconds = seconds
        self._stop = stop
        self._say = say
        self._frozen: set[int] = set()
        self._running: list[asyncio.Task[None]] = []
        self._open: list[Event] = []
        self._began_s = 0.0

    async def run(self) -> None:
        """Until the time is up and everything is well again. ``never`` says what did not come back."""
        await self._well("before the first strike")
        self._began_s = time.monotonic()
        try:
            for strike in self._schedule:
                if strike.alone:
                    await self._settled()
                    await self._succeeded(strike.target)
                await asyncio.sleep(strike.wait_s)
                if self._stop.is_set() or self._now() >= self._seconds:
                    break
                overlaps = not strike.alone or any(not task.done() for task in self._running)
                task = asyncio.create_task(self._strike(strike, overlaps))
                self._running.append(task)
            await self._settled()
        finally:
            await end(self._running)
            for pid in self._frozen:
                _signal(pid, signal.SIGCONT)
        self.events.sort(key=lambda event: event.number)

    def _now(self) -> float:
        return time.monotonic() - self._began_s

    async def _settled(self) -> None:
        """Every strike followed to its end, and all well."""
        if self._running:
            await asyncio.gather(*self._running)
        self._running.clear()
        await self._well("after the last strike")

    async def _well(self, when: str) -> None:
        deadline_s = time.monotonic() + BACK_S
        while ills := self._signs.ills():
            if time.monotonic() > deadline_s or self._stop.is_set():
                self.never.append(f"{when}: {', '.join(ills)}")
                return
            await asyncio.sleep(LOOK_S)

    async def _succeeded(self, target: str) -> None:
        """Before agents are struck: until each has its successor again, as in a run that is left alone; no fault if not."""
        deadline_s = time.monotonic() + (SUCCEEDED_S if target in ("agent", "ray-node") else 0.0)
        while time.monotonic() < deadline_s and not self._signs.succeeded():
            if self._stop.is_set() or self._now() >= self._seconds:
                return
            await asyncio.sleep(LOOK_S)

    async def _strike(self, strike: Strike, overlaps: bool) -> None:
        event = Event(strike.number, strike.kind, strike.act, strike.target, "", 0, self._now(), overlaps=overlaps)
        for other in self._open if overlaps else ():
            other.overlaps = True
        self.events.append(event)
        self._open.append(event)
        try:
            await self._carry_out(strike, event)
        finally:
            self._open.remove(event)
        self._say(event.line())

    async def _carry_out(self, strike: Strike, event: Event) -> None:
        victim = self._victim(strike.target, strike.act is not Act.FREEZE)
        if victim is None:
            event.name, event.note = "nobody to strike", "skipped"
            return
        event.name, event.pid = victim.name, victim.pid
        keys = {k for k, a in self._signs.owner.items() if a == victim.name}
        struck_s = await self._hit(strike, victim, event)
        if struck_s is None:
            return
        event.at_s = struck_s - self._began_s
        await self._follow(event, victim, struck_s, struck_s + event.frozen_s, keys)
        if event.back_s is None:
            self.never.append(f"{event.kind} {victim.name} at {event.at_s:.1f} s: not back within {BACK_S:g} s")

    async def _hit(self, strike: Strike, victim: Victim, event: Event) -> float | None:
        """The moment of the blow; None if nobody walked into the trap."""
        if strike.act is Act.POINT:
            return await self._spring(strike, event)
        struck_s = time.monotonic()
        if strike.act is Act.KILL:
            _signal(victim.pid, signal.SIGKILL)
            return struck_s
        event.frozen_s = strike.freeze_s
        self._frozen.add(victim.pid)
        _signal(victim.pid, signal.SIGSTOP)
        asyncio.get_running_loop().call_later(strike.freeze_s, self._continue, victim.pid)
        return struck_s

    def _continue(self, pid: int) -> None:
        self._frozen.discard(pid)
        _signal(pid, signal.SIGCONT)

    async def _spring(self, strike: Strike, event: Event) -> float | None:
        trap = trap_file(self._folder, strike.target, strike.point)
        sprung = trap.with_suffix(".sprung")
        sprung.unlink(missing_ok=True)
        trap.touch()
        deadline_s = time.monotonic() + TRAP_S
        while not sprung.exists() or not sprung.read_text():
            if time.monotonic() > deadline_s:
                try:
                    trap.unlink()
                except FileNotFoundError:  # somebody is walking into it just now
                    deadline_s += 1.0
                else:
                    event.name, event.note = f"{event.name}: nobody passed the point", "skipped"
                    return None
            await asyncio.sleep(LOOK_S)
        struck_s = float(sprung.read_text())
        sprung.unlink()
        return struck_s

    async def _follow(self, event: Event, victim: Victim, struck_s: float, since_s: float, keys: set[str]) -> None:
        """Watch until the part is back and the run is well."""
        while (now_s := time.monotonic()) - struck_s < BACK_S:
            owners = {self._signs.owner.get(key) for key in keys}
            if keys and event.covered_s is None and event.back_s is None and victim.name not in owners:
                event.covered_s = now_s - struck_s
            if event.back_s is None and victim.back(since_s):
                event.back_s = now_s - struck_s
                event.replaced = event.act == Act.FREEZE and self._replaced(victim)
            if event.back_s is not None and now_s > since_s and not self._signs.ills():
                event.well_s = now_s - struck_s
                return
            await asyncio.sleep(LOOK_S)

    def _replaced(self, victim: Victim) -> bool:
        sign = self._signs.agents.get(victim.name)
        return sign is not None and sign.pid != victim.pid

    # -- whom ----------------------------------------------------------------------------------------------------------

    def _victim(self, target: str, dies: bool) -> Victim | None:
        if target == "agent":
            return self._agent(dies)
        if target in ("leader", "standby"):
            return self._manager(target, dies)
        if target == "ray-node":
            return self._ray_node(dies)
        child = self._supervisor.children.get(target)
        if child is None or child.pid is None:
            return None
        return Victim(target, child.pid, lambda since_s: self._signs.answered.get(target, 0.0) > since_s)

    def _agent(self, dies: bool) -> Victim | None:
        owners = set(self._signs.owner.values())
        names = sorted(n for n in self._signs.hedging(time.monotonic()) if n in owners)
        if not names:
            return None
        name = self._chance.choice(names)
        return Victim(name, self._signs.agents[name].pid, self._back_as({name: self._signs.agents[name]}, dies))

    def _back_as(self, before: dict[str, Sign], dies: bool) -> Callable[[float], bool]:
        """All of them hedge, or are loaded and await keys that others have: as a new incarnation, or, where the old one lives
        on, heard since it could act again."""

        def back(since_s: float) -> bool:
            for name, old in before.items():
                now = self._signs.agents.get(name, old)
                lives_on = not dies and now.at_s > since_s
                if now.state not in (HEDGING, IDLE) or not (now.incarnation != old.incarnation or lives_on):
                    return False
            return True

        return back

    def _manager(self, target: str, dies: bool) -> Victim | None:
        leader = self._signs.leader()
        if leader is None:
            return None
        fresh_s = time.monotonic() - 1.0
        others = sorted(n for n, s in self._signs.managers.items() if n != leader[0] and s.at_s > fresh_s)
        name = leader[0] if target == "leader" else (self._chance.choice(others) if others else "")
        child = self._supervisor.children.get(name)
        if child is None or child.pid is None:
            return None
        epoch, pid = leader[1].incarnation, child.pid

        def leads(since_s: float) -> bool:
            now = self._signs.leader()
            lives_on = now is not None and not dies and now[1].at_s > since_s
            return now is not None and (now[1].incarnation > epoch or lives_on)

        def stands_by(since_s: float) -> bool:
            running = self._supervisor.children[name].pid
            there = running is not None and not (dies and running == pid)
            return there and self._signs.managers[name].at_s > since_s

        return Victim(name, pid, leads if target == "leader" else stands_by)

    def _ray_node(self, dies: bool) -> Victim | None:
        """The node with the most agents, by its raylet."""
        found: dict[int, tuple[str, dict[str, Sign]]] = {}
        for name, child in self._supervisor.children.items():
            raylet = _raylet_below(child.pid) if name.startswith("ray-") and name != "ray-head" else None
            if raylet is not None:
                found[raylet] = (name, {a: s for a, s in self._signs.agents.items() if _parent(s.pid) == raylet})
        found = {raylet: (name, agents) for raylet, (name, agents) in found.items() if agents}
        if not found:  # of a node without agents nothing would have to come back
            return None
        raylet, (name, agents) = max(found.items(), key=lambda item: (len(item[1][1]), item[1][0]))
        listed = ", ".join(sorted(agents))
        return Victim(f"{name} ({listed})", raylet, self._back_as(agents, dies))


def _raylet_below(pid: int | None) -> int | None:
    if pid is not None:
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(pid).children():
                if process.name() == "raylet" and process.status() != psutil.STATUS_ZOMBIE:
                    return process.pid
    return None


def _parent(pid: int) -> int | None:
    try:
        return psutil.Process(pid).ppid() if pid else None
    except psutil.Error:
        return None


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
