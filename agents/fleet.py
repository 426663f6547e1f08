"""The fleet: starts the agents' actors, gives them their keys, replaces the hung ones, scales.

Guarantees
- It decides nothing about risk. Without it the agents go on hedging; it comes back, adopts what runs and the
  assignment that holds, and goes on.
- Keys change hands only by an assignment that the manager has acknowledged; an actor ends only after it owns no key.
- An embedded Ray dies with this process, however that ends (see ``agents/reaper.py``).
- One step of control every ``STEP_S``: the rules stand in ``agents/fleet_plan.py``.

*Tested by* tests/unit/test_fleet_loop.py, tests/e2e/test_fleet_ray.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import signal
from collections.abc import Awaitable, Callable, Mapping

import uvloop

from agents.config import AgentsConfig
from agents.fleet_keeping import Keeper
from agents.fleet_plan import (
    Assign,
    Beat,
    GiveUp,
    Known,
    Move,
    Replace,
    Rules,
    Start,
    Step,
    Stop,
    Succeed,
    Successor,
    is_fresh,
    plan,
    ready,
    unsettled,
)
from agents.fleet_restart import AGENT_TIMEOUT_S, ALL, OF_THE_LAUNCHER, Restarter, agents_of
from agents.fleet_scale import Scaler, loads
from agents.fleet_settings import FleetSettings
from agents.fleet_wanted import Wanted, beyond
from agents.places import AgentHost
from agents.sharding import all_keys
from agents.status import LOADING
from common import subjects, tasks
from common.bus.nats_bus import NatsBus
from common.clock import WallClock
from common.control_arguments import read_arguments
from common.control_messages import Acknowledgement, Command
from common.errors import Refused, Unavailable
from common.factors import KINDS, is_agent, succeeded_by, successor_of
from common.ports import Bus, Clock, Responder, Subscription
from common.universe import Book, Universe
from common.wire import codec

STEP_S = 0.1
REQUEST_TIMEOUT_S = 2.0
SCALE_TIMEOUT_S = 45.0
STOP_TIMEOUT_S = 2.0
HEARTBEAT_BOUND = 1024
OPENED_BY = b"fleet"

log = logging.getLogger(__name__)


def serve(settings: FleetSettings) -> None:
    """Be the fleet process until SIGTERM or SIGINT. Call it in the main thread.

    Raises ``errors.Unavailable`` within seconds if Ray or NATS cannot be reached, ``errors.UsageError`` for an
    address that makes no sense.
    """
    from agents.actor import AgentPlace  # imports ray: only the process that needs it
    from agents.ray_host import RayHost

    async def check_nats() -> None:
        await (await NatsBus.connect(settings.nats_url, "fleet", seed=settings.seed)).close()

    uvloop.run(check_nats())
    host = RayHost(settings.ray_address, AgentPlace(settings.nats_url, settings.log_folder), settings.agent_keys)
    try:
        uvloop.run(_serve(settings, host))
    finally:
        host.close()


async def _serve(settings: FleetSettings, host: AgentHost) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    bus = await NatsBus.connect(settings.nats_url, "fleet", seed=settings.seed)
    try:
        fleet = Fleet(
            bus,
            host,
            WallClock(),
            stop_agents=settings.stop_agents,
            opens_market=settings.opens_market,
            audited=settings.marking(),
        )
        await fleet.run(stop)
    finally:
        await bus.close()


class Fleet:
    """One fleet: what it knows, and the loop that acts on it."""

    def __init__(
        self,
        bus: Bus,
        host: AgentHost,
        clock: Clock,
        rules: Rules | None = None,
        *,
        stop_agents: bool = True,
        opens_market: bool = False,
        audited: Callable[[Responder], Responder] = lambda responder: responder,
    ) -> None:
        self.known = Known(desired={})
        self._bus, self._host, self._clock = bus, host, clock
        self._rules = rules or Rules()
        self._stop_agents = stop_agents
        self._opens_market = opens_market
        self._audited = audited
        self._scaling = asyncio.Lock()
        self._opens_ns = 0
        self._refused = ""
        self._scaler: Scaler | None = None
        self._wanted = Wanted(bus, self._rules.max_shards)

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop``. Raises ``errors.Unavailable`` if no agent answers and replacing them did not help."""
        running: list[Subscription] = []
        try:
            reference = await self._fetch(stop)
            if reference is None:
                return
            universe, book, config = reference
            running.append(await self._bus.watch(subjects.ASSIGNMENT, self._on_assignment))
            running.append(
                await self._bus.subscribe(subjects.HEARTBEATS_ALL, self._on_heartbeat, bound=HEARTBEAT_BOUND)
            )
            await self._recall(config, stop)
            self._scaler = Scaler(config.scaling)
            for action, do in (("scale", self._scale), ("restart.agents", self._restart)):
                running.append(await self._bus.serve(subjects.control(action), self._answering(do)))
            keeper = Keeper(self.known, self._rules, self._clock, self._host, self._restarter(), config.successors)
            beside = [asyncio.create_task(work) for work in (keeper.run(self._scaling), self._wanted.follow())]
            try:
                await self._control(universe, book, stop)
            finally:
                await tasks.end(beside)
        finally:
            for subscription in running:
                await subscription.stop()
            if self._stop_agents:
                await asyncio.gather(*(self._do(Stop(name)) for name in list(self.known.started)))

    async def _fetch(self, stop: asyncio.Event) -> tuple[Universe, Book, AgentsConfig] | None:
        while not stop.is_set():
            with contextlib.suppress(Unavailable):
                parts = [await self._bus.get(s) for s in (subjects.UNIVERSE, subjects.BOOK, subjects.CONFIG)]
                if all(part is not None for part in parts):
                    universe, book, config = (part for part in parts if part is not None)
                    settings = json.loads(config)
                    self._opens_ns = min((opens for opens, _ in settings.get("sessions", ())), default=0)
                    return (
                        codec.decode_universe(universe),
                        codec.decode_book(book),
                        AgentsConfig.model_validate(settings["agents"]),
                    )
            await asyncio.sleep(STEP_S)
        return None

    async def _recall(self, config: AgentsConfig, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with contextlib.suppress(Unavailable):
                self.known.desired = await self._wanted.recall(config.shards, self.known.owner)
                self.known.strangers = beyond(self.known.desired)
                return
            await asyncio.sleep(STEP_S)

    # -- news ------------------------------------------------------------------------------------------------------

    def _on_assignment(self, _subject: str, data: bytes) -> None:
        update = codec.decode_assignment_update(data)
        if update.version >= self.known.version:
            self.known.owner, self.known.version = update.owner, update.version

    def _on_heartbeat(self, _subject: str, data: bytes) -> None:
        beat = codec.decode_heartbeat(data)
        name = beat.header.source
        self.known.hear_anybody(self._clock.wall_ns(), self._rules)
        if agent := succeeded_by(name):
            self.known.hear_successor(agent, Successor(beat.incarnation, beat.pid, beat.node, self._clock.wall_ns()))
        elif is_agent(name):
            heard = Beat(
                beat.incarnation,
                self._clock.wall_ns(),
                beat.header.event_time_ns,
                beat.assignment_version,
                beat.pid,
                ready=not beat.state.startswith(LOADING),
                loaded=beat.state != LOADING,
                busy_share=beat.busy_share,
                lag_s=beat.lag_us / 1e6,
                node=beat.node,
            )
            self.known.hear(name, heard, self._rules)

    async def _market_now_ns(self, universe: Universe) -> int:
        """Market time from the agents, else from the feed, else the first open of the run; 0 if nobody knows it yet."""
        now_ns = max((beat.now_ns for beat in self.known.beats.values()), default=0)
        if not now_ns:
            with contextlib.suppress(Unavailable, Refused):
                subject = subjects.snapshot(universe.symbols[0])
                data = await self._bus.request(subject, b"", timeout_s=REQUEST_TIMEOUT_S)
                now_ns = codec.decode_quote_batch(data).header.event_time_ns
        return now_ns or self._opens_ns

    # -- control ---------------------------------------------------------------------------------------------------

    async def _control(self, universe: Universe, book: Book, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self._look_for_the_dead()
            for wish in plan(self.known, self._rules, self._clock.wall_ns()):
                await self._do(wish)
            if not self.known.keys and (now_ns := await self._market_now_ns(universe)):
                # Once: a key that the passing of time has emptied stays where it is, so that nothing else moves.
                self.known.keys = tuple(sorted({*all_keys(universe, book, now_ns), *self.known.owner}))
            self._follow_load()
            if self._opens_market and ready(self.known, self._rules, self._clock.wall_ns()):
                await self._open_market()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), STEP_S)

    async def _look_for_the_dead(self) -> None:
        """Who runs the agents may see at once that a process has ended; silence tells after two heartbeats."""
        pids = {name: beat.pid for name, beat in self.known.beats.items() if name in self.known.started}
        pids |= {successor_of(name): successor.pid for name, successor in self.known.successors.items()}
        for name in await asyncio.to_thread(self._host.gone, pids):
            if agent := succeeded_by(name):
                self.known.spend(agent)
                await asyncio.to_thread(self._host.drop, agent)  # Ray would start it again when others need the cores
            else:
                self.known.end(name, pids[name])

    def _follow_load(self) -> None:
        """Change the desired shards where the load asks for it, unless people are changing something right now."""
        if self._scaler is None:
            return
        wall_ns = self._clock.wall_ns()
        seen = {} if self._scaling.locked() else loads(self.known, self._rules, wall_ns)
        for kind, n in self._scaler.wish(seen, wall_ns).items():
            log.info("the load of %s asks for %d shards instead of %d", kind, n, self.known.desired[kind])
            self.known.desired[kind] = self._wanted.asked[kind] = min(n, self._rules.max_shards)

    async def _open_market(self) -> None:
        """Once a run: a fleet that comes back finds it open. Tried again at the next step if NATS is away."""
        with contextlib.suppress(Unavailable):
            if await self._bus.get(subjects.MARKET_START) is None:
                await self._bus.put(subjects.MARKET_START, OPENED_BY)
                log.info("every agent has its keys: the market is open")
            self._opens_market = False

    async def _do(self, step: Step) -> None:
        known = self.known
        match step:
            case Start(name):
                await asyncio.to_thread(self._host.start, name)
                known.started[name] = self._clock.wall_ns()
                known.strangers.discard(name)
            case Succeed(name, _) if is_fresh(known, name, self._rules, self._clock.wall_ns()):
                return  # it has been heard while a step before this one was carried out
            case Succeed(name, why):
                log.warning("%s: its successor begins", why)
                known.spend(name)
                beat = known.beats.get(name)
                await asyncio.to_thread(self._host.succeed, name, beat.pid if beat else 0)
                known.replaced[name] = 1, self._clock.wall_ns()
            case Replace(name, why):
                log.warning("%s: it is ended and started again", why)
                known.spend(name)
                beat = known.beats.get(name)
                await asyncio.to_thread(self._host.replace, name, beat.pid if beat else 0)
                known.replaced[name] = known.replaced.get(name, (0, 0))[0] + 1, self._clock.wall_ns()
            case Move(name, node):
                log.info("%s moves to node %s, so that agents are spread", name, node)
                known.spend(name)
                known.moved.add(name)
                try:
                    await asyncio.to_thread(self._host.move, name, node)
                except Unavailable:
                    known.moved.discard(name)
                    raise
                known.started[name] = self._clock.wall_ns()
            case Stop(name):
                await asyncio.to_thread(self._host.stop, name, STOP_TIMEOUT_S)
                known.spend(name)
                for table in (known.started, known.beats, known.replaced):
                    table.pop(name, None)
            case Assign(owner):
                await self._assign(owner)
            case GiveUp(why):
                raise Unavailable(f"{why}, like every other agent: Ray does not run them; see its logs and resources")

    async def _assign(self, owner: Mapping[str, str]) -> None:
        """Ask the manager once; the next step of control asks again if it did not acknowledge."""
        arguments = json.dumps({"owner": dict(owner)}, sort_keys=True)
        # The same wish has the same id, so that a repeated request is carried out once.
        digest = hashlib.sha256(f"{self.known.version}|{arguments}".encode()).hexdigest()[:20]
        command = Command(f"assign-{digest}", "assign", "fleet", "shards as desired", arguments)
        subject = subjects.control(command.action)
        try:
            data = await self._bus.request(subject, codec.encode_command(command), timeout_s=REQUEST_TIMEOUT_S)
            answer = codec.decode_acknowledgement(data)
        except Unavailable as error:
            self._say_refused(f"no manager acknowledges the assignment yet: {error}")
            return
        except Refused as error:
            self._say_refused(f"the assignment was refused: {error}")
            return
        self._say_refused("" if answer.accepted else f"the manager refused the assignment: {answer.text}")
        if answer.accepted:
            with contextlib.suppress(TimeoutError):  # until the watch has it; else the next step asks again
                await asyncio.wait_for(self._until_owner(owner), REQUEST_TIMEOUT_S)

    async def _until_owner(self, owner: Mapping[str, str]) -> None:
        while dict(self.known.owner) != dict(owner):
            await asyncio.sleep(0.01)

    def _say_refused(self, text: str) -> None:
        """Log a trouble once, not every step."""
        if text and text != self._refused:
            log.warning("%s", text)
        self._refused = text

    # -- scale -----------------------------------------------------------------------------------------------------

    def _answering(self, do: Callable[[Command], Awaitable[tuple[bool, str]]]) -> Responder:
        async def answer(_subject: str, data: bytes) -> bytes:
            command = codec.decode_command(data)
            async with self._scaling:
                accepted, text = await do(command)
            return codec.encode_acknowledgement(Acknowledgement(command.command_id, accepted, text))

        return self._audited(answer)

    async def _scale(self, command: Command) -> tuple[bool, str]:
        try:
            arguments = read_arguments(command)
            kind, n = arguments["kind"], arguments["n"]
        except (Refused, KeyError, TypeError):
            return False, 'scale needs {"kind": KIND, "n": NUMBER}'
        if kind not in KINDS:
            return False, f"unknown kind {kind!r}; known: {', '.join(KINDS)}"
        if type(n) is not int or not 1 <= n <= self._rules.max_shards:
            return False, f"{n!r} shards of {kind}: give 1 to {self._rules.max_shards}"
        log.info("%s asks for %d shards of %s: %s", command.who, n, kind, command.why)
        try:
            await self._wanted.ask(kind, n)
        except Unavailable as error:
            return False, f"nothing is changed now, but {n} shards of {kind} may be kept for the next fleet: {error}"
        self.known.desired[kind] = n
        deadline_ns = self._clock.wall_ns() + int(SCALE_TIMEOUT_S * 1e9)
        while why := unsettled(self.known, kind, self._rules, self._clock.wall_ns()):
            if self._clock.wall_ns() >= deadline_ns:
                return (
                    False,
                    f"{n} shards of {kind} are not settled after {SCALE_TIMEOUT_S:g} s: {why}; it goes on trying",
                )
            await asyncio.sleep(STEP_S / 4)
        owned = {name: [k for k, a in self.known.owner.items() if a == name] for name in self.known.agents(kind)}
        return True, "; ".join(f"{name} owns {', '.join(sorted(keys)) or 'nothing'}" for name, keys in owned.items())

    # -- restart ---------------------------------------------------------------------------------------------------

    async def _restart(self, command: Command) -> tuple[bool, str]:
        try:
            part = read_arguments(command)["part"]
        except (Refused, KeyError, TypeError):
            return False, 'a restart of agents needs {"part": AGENT, KIND or "agents"}'
        names = agents_of(self.known, part)
        if not names:
            return False, f"no part {part!r}; there are {', '.join(agents_of(self.known, ALL))}, {OF_THE_LAUNCHER}"
        log.info("%s asks for a restart of %s: %s", command.who, part, command.why)
        for done, name in enumerate(names):
            if why := await self._restarter().restart(name):
                return False, f"{name} was not restarted within {AGENT_TIMEOUT_S:g} s: {why}; {done} before it were"
        return True, f"restarted one at a time, each with its keys back: {', '.join(names)}"

    def _restarter(self) -> Restarter:
        return Restarter(self.known, self._rules, self._clock, self._do)
