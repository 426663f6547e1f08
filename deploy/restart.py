"""Restarts the launcher's own parts while hedging goes on: managers, execution, feed; one at a time, each acknowledged.

A part is told to stop (SIGTERM, its clean end) and the launcher starts it again, as after any end; the next one is touched
only when this one works. Standby managers go before the leader, so that there is somebody warm to take over. What is not
restarted so: agents (the fleet moves their keys first, `agents.fleet_restart`), the fleet (an embedded Ray ends with it),
NATS (everybody would wait for it). *Tested by* tests/unit/test_deploy_restart.py.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from common import subjects
from common.control_arguments import read_arguments
from common.control_messages import Acknowledgement, Command
from common.errors import Refused, Unavailable
from common.execution_client import ExecutionClient
from common.ports import Bus, Responder, Subscription
from common.security.keys import Tls
from common.wire import codec
from deploy import control
from deploy.processes import Supervisor

MANAGER, LEADER, EXECUTION, FEED = "manager", "leader", "execution", "feed"
#: For one part: its clean end, the start, the moment it works again.
PART_TIMEOUT_S = 30.0
#: For the person who asks: every manager, one after the other.
TIMEOUT_S = 180.0
#: A standby counts as there for so long after its last heartbeat (manager.service): later only the new one is meant.
STANDBY_S = 2.0
_LOOK_S = 0.05
_CONNECT_S = 1.0

log = logging.getLogger("hedgerow.restart")


def action_of(part: str) -> tuple[str, str]:
    """(action, part as its restarter knows it): the launcher's parts by name, everything else is the fleet's."""
    if part in (MANAGER, LEADER, EXECUTION, FEED) or part.startswith(f"{MANAGER}-"):
        return "restart", part
    return "restart.agents", part.replace("cross-asset", "cross_asset")


@dataclass(slots=True)
class Restarts:
    """Serves ``restart`` for the launcher. ``works``: whether a part does its work again; see `Restarts.works_of`."""

    bus: Bus
    supervisor: Supervisor
    execution_address: str
    works: dict[str, Callable[[str], Awaitable[bool]]] = field(default_factory=dict)
    tls: Tls | None = None
    audited: Callable[[Responder], Responder] = lambda responder: responder
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)
    _feed_pid: int = 0

    async def open(self) -> list[Subscription]:
        """Answer from now on; the caller stops what this returns."""
        return [
            await self.bus.serve(subjects.control("restart"), self.audited(self._on_command)),
            await self.bus.subscribe(subjects.MARKET_HEARTBEAT, self._on_feed, bound=16),
        ]

    async def _on_command(self, _subject: str, data: bytes) -> bytes:
        command = codec.decode_command(data)
        async with self._one:
            try:
                accepted, text = True, await self._restart(command)
            except (Refused, Unavailable) as error:
                accepted, text = False, str(error)
        return codec.encode_acknowledgement(Acknowledgement(command.command_id, accepted, text))

    def _on_feed(self, _subject: str, data: bytes) -> None:
        self._feed_pid = codec.decode_heartbeat(data).pid

    async def _restart(self, command: Command) -> str:
        try:
            part = str(read_arguments(command)["part"])
        except (Refused, KeyError, TypeError):
            raise Refused('restart needs {"part": NAME}') from None
        names = await self._names(part)
        log.warning("%s asks for a restart of %s: %s", command.who, part, command.why)
        took = []
        for name in names:
            began = asyncio.get_running_loop().time()
            await self._restart_one(name)
            took.append(f"{name} in {asyncio.get_running_loop().time() - began:.1f} s")
        return f"restarted one at a time: {', '.join(took)}"

    async def _names(self, part: str) -> list[str]:
        """Children of a part in the order in which they are restarted. Raises ``Refused`` where there is none."""
        managers = sorted(n for n in self.supervisor.children if n.startswith(f"{MANAGER}-"))
        if part in (MANAGER, LEADER):
            leader = str((await control.status(self.bus))["leader"]["holder"])
            return [leader] if part == LEADER else [*(n for n in managers if n != leader), leader]
        if part in (EXECUTION, FEED, *managers) and part in self.supervisor.children:
            return [part]
        raise Refused(f"no part {part!r} to restart; there are {MANAGER}, {LEADER}, {EXECUTION}, {FEED} and the agents")

    async def _restart_one(self, name: str) -> None:
        """Raises ``Unavailable`` saying what is lacking after ``PART_TIMEOUT_S``."""
        child = self.supervisor.children[name]
        process = child.process
        if process is None:
            raise Unavailable(f"{name} is not running; the launcher is starting it again")
        old = process.pid
        child.asked = True
        process.terminate()
        loop = asyncio.get_running_loop()
        deadline, end_by = loop.time() + PART_TIMEOUT_S, loop.time() + child.spec.grace_s
        while child.pid in (None, old) or not await self._works(name):
            if process.poll() is None and loop.time() > end_by:
                process.kill()
            if child.given_up or loop.time() > deadline:
                raise Unavailable(f"{name} was ended and does not work again after {PART_TIMEOUT_S:g} s: see its log")
            await asyncio.sleep(_LOOK_S)

    async def _works(self, name: str) -> bool:
        kind = MANAGER if name.startswith(MANAGER) else name
        try:
            return await (self.works or self.works_of())[kind](name)
        except (Unavailable, Refused):
            return False

    def works_of(self) -> dict[str, Callable[[str], Awaitable[bool]]]:
        """By kind of part, when it works: a manager leads or stands by, execution answers, the feed beats."""
        return {MANAGER: self._manager_works, EXECUTION: self._execution_works, FEED: self._feed_works}

    async def _manager_works(self, name: str) -> bool:
        status = await control.status(self.bus)
        leads, child = status["leader"]["leading"], self.supervisor.children[name]
        if status["leader"]["holder"] == name:
            return bool(leads and status["leader"]["pid"] == child.pid)
        return bool(leads and name in status["standby"] and time.monotonic() - child.started_s > STANDBY_S)

    async def _execution_works(self, _name: str) -> bool:
        async with ExecutionClient(self.execution_address, deadline_s=_CONNECT_S, tls=self.tls) as client:
            await client.connect(_CONNECT_S)
            await client.status()
        return bool((await control.status(self.bus))["execution"]["reachable"])

    async def _feed_works(self, name: str) -> bool:
        return self._feed_pid == self.supervisor.children[name].pid
