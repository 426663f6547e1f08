"""Those who ask for things: risk managers with a script, and the fleet, which asks for an assignment.

A command is asked again under the same id until it is answered or given up, as a person at a terminal does. What was
acknowledged is noted: from then on it must hold.
*Tested by* tests/simulation/test_simulator_world.py.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from common import subjects
from common.control_messages import Acknowledgement, Command
from common.errors import Refused, Unavailable
from common.messages import TradingState
from common.units import NS_PER_S
from common.wire import codec
from lab.simulator.nats import NatsServer, SimBus
from lab.simulator.parts import direct_client
from lab.simulator.world import START_NS, Process, World

_TRY_S = 1.5
_TRIES = 12


@dataclass(frozen=True, slots=True)
class Wish:
    """Something a person wants at a time. ``direct``: over gRPC, past NATS and managers. ``name``: the command's id if not "".

    ``then``: what the person wants once this has been answered.
    """

    at_ns: int
    action: str
    arguments: dict[str, Any]
    direct: bool = False
    who: str = "risk"
    name: str = ""
    then: tuple[Wish, ...] = ()


class People:
    """A process of its own that never dies. ``on_asked`` and ``on_held`` hear of (action, arguments)."""

    def __init__(self, world: World, nats: NatsServer, wishes: tuple[Wish, ...]) -> None:
        self.world = world
        self._nats = nats
        self._wishes = list(wishes)
        self._number = 0
        self._bus: SimBus | None = None
        #: Scopes ("" is everything) of which a pause or kill holds, as people were told.
        self.stopped: set[str] = set()
        self.open = 0
        self.on_killed: Callable[[str], None] = lambda _: None
        self.on_acknowledged: Callable[[str], None] = lambda _: None
        self._turn = asyncio.Lock()
        self.process = Process(world, "people", self._main)

    async def _main(self, process: Process) -> str:
        self._bus = SimBus(self._nats, process)
        for wish in sorted(self._wishes, key=lambda w: w.at_ns):
            await process.sleep(max(0.0, (START_NS + wish.at_ns - process.world.now_ns) / NS_PER_S))
            await self.do(wish)
        await process.sleep(1e9)
        return "done"

    def want(self, wish: Wish) -> None:
        """Ask for something now, beside the script."""
        self.process.spawn(self.do(wish))

    async def do(self, wish: Wish) -> bool:
        """Ask until it is answered; True if it holds. What frees or stops trading is asked one after the other."""
        self.open += 1
        async with self._turn if wish.action in ("pause", "resume", "kill") else nullcontext():
            held = await self._do(wish)
        for more in wish.then:
            await self.do(more)
        return held

    async def _do(self, wish: Wish) -> bool:
        try:
            scope = str(wish.arguments.get("scope", ""))
            if wish.action == "resume":
                self.stopped.discard(scope)
            held = await (self._direct(wish) if wish.direct else self._command(wish))
            if held:
                if wish.action in ("pause", "kill"):
                    self.stopped.add(scope)
                if wish.action == "kill":
                    self.on_killed(scope)
            return held
        finally:
            self.open -= 1

    async def _command(self, wish: Wish) -> bool:
        assert self._bus is not None
        self._number += 1
        name = wish.name or f"c{self._number}"
        command = Command(name, wish.action, wish.who, "simulated", json.dumps(wish.arguments))
        self.process.say(f"{name}: {wish.who} asks for {wish.action} {_short(wish.arguments)}")
        subject = subjects.control(wish.action)
        for _ in range(_TRIES):
            try:
                data = await self._bus.request(subject, codec.encode_command(command), timeout_s=_TRY_S)
            except (Unavailable, Refused):
                continue
            answer: Acknowledgement = codec.decode_acknowledgement(data)
            self.process.say(f"{command.command_id}: {'held' if answer.accepted else 'refused'}: {answer.text}")
            if answer.accepted:
                self.on_acknowledged(command.command_id)
            if answer.accepted or wish.action not in ("pause", "resume", "kill"):
                return answer.accepted
            return False
        self.process.say(f"{command.command_id}: given up")
        return False

    async def _direct(self, wish: Wish) -> bool:
        states = {"pause": TradingState.PAUSED, "kill": TradingState.KILLED, "resume": TradingState.ACTIVE}
        scope = str(wish.arguments.get("scope", ""))
        self.process.say(f"{wish.action} {scope} straight to execution".replace("  ", " "))
        client = direct_client(self.process)
        try:
            for _ in range(_TRIES):
                try:
                    await client.set_trading_state(states[wish.action], "risk", "simulated", scope)
                except (Unavailable, Refused):
                    await self.process.sleep(0.3)
                    continue
                self.process.say(f"{wish.action} holds at execution")
                return True
            return False
        finally:
            await client.close()


def _short(arguments: dict[str, Any]) -> str:
    text = json.dumps(arguments)
    return text if len(text) < 60 else text[:57] + "..."
