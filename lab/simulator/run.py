"""One seed, one run: start everything, let the faults happen, mend, and see that it converges.

``simulate(seed)`` is the whole API: the outcome says what was broken, with the story that leads there.
*Tested by* tests/simulation/test_simulator_seeds.py, tests/simulation/test_simulator_mistakes.py.
"""

from __future__ import annotations

import gc
import hashlib
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from unittest import mock

from agents import shell as agent_shell
from agents import successor as agent_successor
from agents.shell import AgentShell
from common import subjects
from common.messages import TradingState
from common.units import NS_PER_S
from lab.simulator import loop as loops
from lab.simulator.alone import AloneWatch
from lab.simulator.exchange import Exchange
from lab.simulator.faults import Faults, noisy
from lab.simulator.market import MAX_LOTS, SPEED, STEP_S, owners, path_of
from lab.simulator.nats import NatsServer
from lab.simulator.parts import Execution, Feed, Managers, agent_process, publish_reference
from lab.simulator.people import People, Wish
from lab.simulator.plan import Plan, plan_of
from lab.simulator.settle import unsettled
from lab.simulator.silence import SilenceWatch
from lab.simulator.watch import Watch
from lab.simulator.wire import Wire
from lab.simulator.world import START_NS, Line, World

MEND_NS = 11 * NS_PER_S
#: Prices stand still from here on, so that hedging can come to rest.
CALM_NS = 13 * NS_PER_S
#: It must have converged by here.
END_NS = 43 * NS_PER_S
_LOOK_NS = NS_PER_S
#: Agents beat more rarely than live: nothing here is decided by a heartbeat, and they cost a tenth of a run.
_HEARTBEAT_S = 1.0
SHOWN = 60


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a seed. ``failure`` is empty where every promise held."""

    seed: int
    failure: str
    orders: int
    fills: int
    faults: int
    takeovers: int
    crossings: int
    combos: int
    acts: int
    virtual_s: float
    digest: str
    story: tuple[Line, ...]

    def text(self, shown: int = SHOWN) -> str:
        """The failure with the last ``shown`` lines that lead to it."""
        lines = [f"seed {self.seed}: {self.failure or 'every promise held'}"]
        lines += [str(line) for line in self.story[max(len(self.story) - shown, 0) :]]
        return "\n".join(lines)

    def without_story(self) -> Outcome:
        """The same, lighter to carry."""
        return replace(self, story=())


class Simulation:
    """A world with every part in it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        setting = plan.setting
        self.world = World(plan.seed)
        self.nats = NatsServer(self.world, noisy(plan.noise))
        publish_reference(self.nats, setting)
        self.wire = Wire(self.world)
        self.exchange = Exchange(self.world, setting.universe, self._market_ns)
        self.exchange.statements.states_back = plan.states_back
        self.exchange.combos.terms = plan.combos
        self.managers = Managers(self.world, self.nats, setting, plan.managers)
        self.execution = Execution(self.world, self.nats, self.wire, self.exchange, setting)
        self.agents: dict[str, AgentShell] = {}
        self.deaf = self.nats.deaf
        kinds = sorted(setting.agents.shards.items())
        shards = [(kind, i) for kind, count in kinds for i in range(count)]
        agents = [agent_process(self.world, self.nats, kind, i, self.agents) for kind, i in shards]
        path = path_of(setting.universe, self.world.rng, round(CALM_NS / NS_PER_S * SPEED / STEP_S))
        self.feed = Feed(self.world, self.nats, self.exchange, setting, path)
        first = Wish(NS_PER_S // 2, "assign", {"owner": owners(setting.universe, setting.book, 0)})
        self.people = People(self.world, self.nats, (first, *plan.wishes))
        self.watch = Watch(self)
        self.silences = SilenceWatch(self)
        self.alone = AloneWatch(self)
        self.people.on_killed = self.watch.killed
        self.people.on_acknowledged = self.watch.journal.acknowledged
        self.faults = Faults(self)
        for process in (self.feed.process, self.execution.process, *self.managers.processes, *agents):
            process.on_death += [self.nats.forget, self.wire.died]
            self.world.after(self.world.between(0, NS_PER_S // 5), process.start)
        self.world.after(0, self.people.process.start)
        self.faults.plan()

    def _market_ns(self) -> int:
        """Market time at the venue."""
        return START_NS + round((self.world.now_ns - START_NS) * SPEED)

    def run(self) -> None:
        """To the end, or to the first broken promise."""
        world = self.world
        world.run(START_NS + MEND_NS)
        if world.failure is not None:
            return
        self.faults.mend()
        # Execution's narrower caps are told to the manager: until then it asks for what is refused, again and again.
        lots = min(self.plan.setting.execution_limits.option.max_order_lots, MAX_LOTS)
        for kind in ("future", "option"):
            name = f"cap-{kind}"[:8]
            approved = Wish(0, "limits.approve", {"id": name}, who="ben")
            then = (approved,) if self.plan.setting.limits.approval.widening != "none" else ()
            change = {"path": f"order.max_lots_{kind}", "value": lots}
            self.people.want(Wish(0, "limits.set", change, name=name, then=then))
        left = ""
        while world.failure is None and world.now_ns < START_NS + END_NS:
            self._resume()
            world.run(world.now_ns + _LOOK_NS)
            if world.failure is None and world.now_ns >= START_NS + CALM_NS and not self.people.open:
                left = unsettled(self)
                if not left:
                    break
        if world.failure is None and (left or self.people.open):
            world.fail(f"it does not converge: {left or 'people wait for an answer'}")
        if world.failure is None and not self.watch.sent:
            world.fail("no order was sent, so nothing was tested")

    def _resume(self) -> None:
        """People free trading whenever somebody says that it is stopped: a pause of theirs, or execution's own."""
        state, leaders = self.execution.state, self.managers.leaders()
        said = [state.trading.state] if state is not None else []
        said += [leader.state.fold.trading for leader in leaders]
        if self.people.open:
            return
        if any(s is not TradingState.ACTIVE for s in said):
            self.people.want(Wish(0, "resume", {}))
        scopes = {scope for leader in leaders for scope in leader.state.fold.holds}
        for scope in sorted(scopes.union(() if state is None else state.stopped)):
            self.people.want(Wish(0, "resume", {"scope": scope}))


def simulate(seed: int, plan: Plan | None = None, meddle: Callable[[Simulation], None] | None = None) -> Outcome:
    """Run one seed, with a plan of one's own if given. Equal arguments give equal outcomes, story included.

    ``meddle`` may plan further acts before the run begins (tests of one situation).
    """
    loops.reset_numbers()
    with _prepared() as errors:
        run = Simulation(plan_of(seed) if plan is None else plan)
        errors.run = run
        if meddle is not None:
            meddle(run)
        with run.wire.shim():
            try:
                run.run()
            finally:
                run.world.end()
    text = "\n".join(map(str, run.world.story))
    return Outcome(
        seed=seed,
        failure=run.world.failure or "",
        orders=len(run.watch.sent),
        fills=len(run.exchange.fills),
        faults=len(run.plan.faults),
        takeovers=sum(1 for k in run.nats.streams[subjects.STREAM_JOURNAL].kept if k.subject == subjects.JOURNAL_EPOCH),
        crossings=len(run.watch.journal.crossings),
        combos=len(run.exchange.combos.sent),
        acts=run.world.acts,
        virtual_s=(run.world.now_ns - START_NS) / NS_PER_S,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        story=tuple(run.world.story),
    )


class _Errors(logging.Handler):
    """What a part logs goes into the story; an error logged is a promise broken."""

    run: Simulation | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """See ``logging.Handler``."""
        if self.run is None:
            return
        self.run.world.say(f"log {record.name.rpartition('.')[2]}", record.getMessage())
        if record.levelno >= logging.ERROR and not self.run.watch.statements.expects(record.name):
            what = f": {record.exc_info[1]!r}" if record.exc_info else ""
            self.run.world.fail(f"a part logs an error: {record.getMessage()}{what}")


@contextmanager
def _prepared() -> Iterator[_Errors]:
    """Logs into the story; kernels are not compiled again for each agent; no collection in the middle of a turn."""
    handler = _Errors(logging.WARNING)
    root = logging.getLogger()
    others, root.handlers = root.handlers, [handler]
    collecting, hooks = gc.isenabled(), sys.get_asyncgen_hooks()
    gc.disable()
    sys.set_asyncgen_hooks(firstiter=None, finalizer=loops.close_generator)
    try:
        rarer = mock.patch.object(agent_shell, "HEARTBEAT_S", _HEARTBEAT_S)
        # An agent's process keeps what it loaded out of collections; here that would keep every world there was.
        kept = mock.patch.object(gc, "freeze", lambda: None)
        with rarer, kept, mock.patch.object(agent_successor, "warm", lambda _: None):
            yield handler
    finally:
        root.handlers = others
        sys.set_asyncgen_hooks(*hooks)
        if collecting:
            gc.enable()
