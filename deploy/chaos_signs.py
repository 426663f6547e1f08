"""Signs of life of a run, as somebody outside sees them: heartbeats, answers of execution and venue, status of the leader.

Times are seconds of the monotonic clock. A question counts for the moment at which it was asked, so an answer that was on its
way when a part was struck proves nothing. *Tested by* tests/unit/test_chaos_signs.py, tests/e2e/test_chaos.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from hedgerow.venue.v1 import venue_pb2 as pb

from agents.status import HEDGING, IDLE
from common import subjects, tasks
from common.bus.nats_bus import NatsBus
from common.errors import HedgerowError
from common.execution_client import ExecutionClient
from common.factors import succeeded_by
from common.ports import Subscription
from common.security.keys import Tls
from common.wire import codec
from execution.venues.record import framed, read_frame, response_of

ASK_EVERY_S: Final = 0.1
ANSWER_S: Final = 0.5
BEATS_BOUND: Final = 4096
#: An agent or manager silent for longer is not there.
FRESH_S: Final = 1.5


@dataclass(frozen=True, slots=True)
class Sign:
    """Last heartbeat of an agent or manager. ``incarnation`` of a manager is its epoch; ``at_s`` when it came here."""

    incarnation: int
    state: str
    pid: int
    at_s: float


@dataclass
class Signs:
    """What has been seen. ``answered``: when the last answered question to nats, execution, venue and status was asked."""

    bus: NatsBus
    execution_address: str
    venue_address: str
    shards: int
    tls: Tls | None = None
    agents: dict[str, Sign] = field(default_factory=dict)
    successors: dict[str, Sign] = field(default_factory=dict)
    managers: dict[str, Sign] = field(default_factory=dict)
    owner: dict[str, str] = field(default_factory=dict)
    answered: dict[str, float] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)

    @contextlib.asynccontextmanager
    async def watching(self) -> Any:
        """Watch while the block runs."""
        watches: list[Subscription] = [
            await self.bus.subscribe(subjects.HEARTBEATS_ALL, self._on_beat, bound=BEATS_BOUND),
            await self.bus.watch(subjects.ASSIGNMENT, self._on_assignment),
        ]
        async with ExecutionClient(self.execution_address, deadline_s=ANSWER_S, tls=self.tls) as client:
            asked = {
                "execution": client.status,
                "venue": self._ask_venue,
                "nats": lambda: self.bus.get(subjects.CONFIG),
                "status": self._ask_status,
            }
            jobs = [asyncio.create_task(self._ask(name, ask)) for name, ask in asked.items()]
            try:
                yield self
            finally:
                await tasks.end(jobs)
                for watch in watches:
                    await watch.stop()

    def _on_beat(self, _subject: str, data: bytes) -> None:
        beat = codec.decode_heartbeat(data)
        name, sign = beat.header.source, Sign(beat.incarnation, beat.state, beat.pid, time.monotonic())
        if agent := succeeded_by(name):
            self.successors[agent] = sign
            return
        table = self.managers if name.startswith("manager") else self.agents
        last = table.get(name)
        # A replaced agent's old process may beat on for a while: its younger incarnation is the one that counts.
        if table is self.managers or last is None or sign.incarnation >= last.incarnation:
            table[name] = sign

    def _on_assignment(self, _subject: str, data: bytes) -> None:
        self.owner = dict(codec.decode_assignment_update(data).owner)

    async def _ask(self, name: str, ask: Callable[[], Awaitable[object]]) -> None:
        while True:
            asked_s = time.monotonic()
            with contextlib.suppress(HedgerowError, OSError, EOFError, TimeoutError):
                await asyncio.wait_for(ask(), ANSWER_S)
                self.answered[name] = asked_s
            await asyncio.sleep(ASK_EVERY_S)

    async def _ask_status(self) -> None:
        self.status = json.loads(await self.bus.request(subjects.STATUS, b"", timeout_s=ANSWER_S))
        if not self.status["execution"]["reachable"]:
            raise TimeoutError("the leader does not reach execution")

    async def _ask_venue(self) -> None:
        host, _, port = self.venue_address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        try:
            writer.write(framed(pb.VenueRequest(status=pb.AskStatus())))
            if not response_of(await read_frame(reader)).status.session:
                raise TimeoutError("execution has no session with the venue")
        finally:
            writer.close()

    # -- what they say -------------------------------------------------------------------------------------------------

    def leader(self) -> tuple[str, Sign] | None:
        """The manager that leads under the newest epoch."""
        leading = [(s.incarnation, name) for name, s in self.managers.items() if s.state == "leading"]
        name = max(leading)[1] if leading else ""
        return (name, self.managers[name]) if name else None

    def hedging(self, now_s: float) -> list[str]:
        """Agents that hedge, or would if they owned a key, and have been heard lately."""
        return [n for n, s in self.agents.items() if s.state in (HEDGING, IDLE) and now_s - s.at_s < FRESH_S]

    def succeeded(self) -> bool:
        """Whether each agent has a loaded successor, heard lately, that has not become the agent."""
        now_s, pids = time.monotonic(), {name: sign.pid for name, sign in self.agents.items()}
        return self.shards <= sum(now_s - s.at_s < FRESH_S and pids.get(n) != s.pid for n, s in self.successors.items())

    def ills(self) -> list[str]:
        """What is not as it should be, in words."""
        now_s = time.monotonic()
        out = [f"{name} does not answer" for name in ("nats", "execution", "venue", "status") if not self._fresh(name)]
        # One that was deposed beats no more, and what it said last is not that it stands by.
        beside = [n for n, s in self.managers.items() if s.state == "standby" and now_s - s.at_s < FRESH_S]
        if self.leader() is None or not beside:
            out.append("no leader with a standby")
        if len(self.hedging(now_s)) < self.shards:
            ill = [f"{n} {s.state}, heard {now_s - s.at_s:.1f} s ago" for n, s in sorted(self.agents.items())]
            out.append(f"{len(self.hedging(now_s))} of {self.shards} agents hedge ({'; '.join(ill)})")
        return out

    def _fresh(self, name: str) -> bool:
        return time.monotonic() - self.answered.get(name, 0.0) < FRESH_S
