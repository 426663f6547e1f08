"""The faults of a plan, carried out on a running world, and their end.

*Tested by* tests/simulation/test_simulator_world.py.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from common.units import NS_PER_MS
from lab.simulator.exchange import Mood
from lab.simulator.market import owners
from lab.simulator.nats import Noise
from lab.simulator.people import Wish
from lab.simulator.plan import Fault
from lab.simulator.world import START_NS, Process

if TYPE_CHECKING:
    from lab.simulator.run import Simulation


class Faults:
    """Plans every fault of a run, and mends everything when asked."""

    def __init__(self, run: Simulation) -> None:
        self._run = run
        self._world = run.world
        self.mended = False

    def plan(self) -> None:
        """Put every fault into the world's future."""
        for fault in self._run.plan.faults:
            self._world.at(START_NS + fault.at_ns, partial(self._happen, fault))

    def mend(self) -> None:
        """No fault from now on: lines heal, the frozen go on, the dead are started, the venue is quick and honest."""
        self.mended = True
        run = self._run
        self._world.say("faults", "end here; everything is mended")
        run.nats.noise.lost = run.nats.noise.doubled = run.nats.noise.overtaken = 0.0
        for link in (*run.nats.links.values(), *run.wire.links.values()):
            link.heal()
        for process in self._world.processes.values():
            process.disarm()
            process.restart_ns = 300 * NS_PER_MS
            process.thaw()
        run.exchange.mend()
        run.feed.silent.clear()
        run.deaf.clear()

    def _happen(self, fault: Fault) -> None:
        self._world.say("faults", str(fault))
        getattr(self, "_" + fault.what.replace(" ", "_"))(fault)

    def _process(self, who: str) -> Process | None:
        """The process meant; "leader" is whoever leads now."""
        if who == "leader":
            leaders = self._run.managers.leaders()
            return self._world.processes[leaders[0].holder] if leaders else None
        return self._world.processes.get(who)

    # -- processes -------------------------------------------------------------------------------------------------

    def _crash(self, fault: Fault) -> None:
        if (process := self._process(fault.who)) is not None:
            process.restart_ns = max(fault.for_ns, 100 * NS_PER_MS)
            process.kill("is killed")

    def _crash_at(self, fault: Fault) -> None:
        if (process := self._process(fault.who)) is not None:
            process.restart_ns = max(fault.for_ns, 100 * NS_PER_MS)
            process.arm(fault.word, fault.number, fault.flag)

    def _answer_lost(self, fault: Fault) -> None:
        """The connection breaks in the moment an answer goes out: what was asked is done, and the asker does not know."""

        def reset() -> None:
            for name in self._run.plan.managers:
                self._run.wire.reset(name)

        self._run.execution.process.arm(fault.word, fault.number, False, reset)

    def _freeze(self, fault: Fault) -> None:
        if (process := self._process(fault.who)) is not None:
            process.freeze(fault.for_ns)

    def _clock_step(self, fault: Fault) -> None:
        if (process := self._process(fault.who)) is not None:
            process.offset_ns += fault.number

    # -- the network -----------------------------------------------------------------------------------------------

    def _cut_from_nats(self, fault: Fault) -> None:
        self._break(fault, lossy=True)

    def _stalled_to_nats(self, fault: Fault) -> None:
        self._break(fault, lossy=False)

    def _break(self, fault: Fault, *, lossy: bool) -> None:
        if (process := self._process(fault.who)) is not None:
            self._run.nats.link(process.name).break_until(self._world.now_ns + fault.for_ns, lossy=lossy)

    def _hears_nothing(self, fault: Fault) -> None:
        self._silence(fault, there=False)

    def _is_not_heard(self, fault: Fault) -> None:
        self._silence(fault, there=True)

    def _silence(self, fault: Fault, *, there: bool) -> None:
        if (process := self._process(fault.who)) is not None:
            self._run.nats.link(process.name).silence(there, self._world.now_ns + fault.for_ns)

    def _nats_outage(self, fault: Fault) -> None:
        for link in self._run.nats.links.values():
            link.break_until(self._world.now_ns + fault.for_ns, lossy=True)

    def _wire_reset(self, fault: Fault) -> None:
        if (process := self._process(fault.who)) is not None:
            self._run.wire.reset(process.name)

    def _wire_stalled(self, fault: Fault) -> None:
        if (process := self._process(fault.who)) is not None:
            self._run.wire.link(process.name).break_until(self._world.now_ns + fault.for_ns, lossy=False)

    def _quotes_lost(self, fault: Fault) -> None:
        self._run.deaf[fault.word] = self._world.now_ns + fault.for_ns

    def _source_silent(self, fault: Fault) -> None:
        self._run.feed.silent[fault.who] = self._world.now_ns + 2 * fault.for_ns

    # -- the venue -------------------------------------------------------------------------------------------------

    def _venue_down(self, fault: Fault) -> None:
        self._run.exchange.down_until_ns = self._world.now_ns + fault.for_ns

    def _venue_slow(self, fault: Fault) -> None:
        self._mood(fault, latency_ns=300 * NS_PER_MS, matching_ns=900 * NS_PER_MS)

    def _venue_waits(self, fault: Fault) -> None:
        """It takes orders at once and matches them late."""
        self._mood(fault, matching_ns=fault.for_ns)

    def _venue_thin(self, fault: Fault) -> None:
        self._mood(fault, thin=0.9, fills_after_end=0.4)

    def _venue_uneven(self, fault: Fault) -> None:
        """It fills legs of combos out of their ratio."""
        self._mood(fault, uneven=1.0, late_ns=400 * NS_PER_MS * fault.number)

    def _venue_lies(self, fault: Fault) -> None:
        late_ns, doubled = 400 * NS_PER_MS * (fault.number & 1), 0.5 * bool(fault.number & 2)
        self._mood(fault, late_ns=late_ns, doubled=doubled, fills_after_end=0.8 * bool(fault.number & 6), thin=0.8)
        if fault.number == 0:
            self._mood(fault, rejected=0.7)

    def _statement_lies(self, fault: Fault) -> None:
        statements = self._run.exchange.statements
        statements.begin(fault.word)
        lie = statements.lie

        def over() -> None:
            if statements.lie is lie:
                statements.lie = None

        self._world.after(fault.for_ns, over)

    def _mood(self, fault: Fault, **change: Any) -> None:
        exchange = self._run.exchange
        exchange.mood = mood = replace(exchange.mood, **change)

        def over() -> None:
            if exchange.mood is mood:
                exchange.mood = Mood()

        self._world.after(fault.for_ns, over)

    # -- the fleet -------------------------------------------------------------------------------------------------

    def _reassign(self, fault: Fault) -> None:
        setting = self._run.plan.setting
        owner = owners(setting.universe, setting.book, fault.number % 2)
        self._run.people.want(Wish(0, "assign", {"owner": owner}))


def noisy(noise: Noise) -> Noise:
    """A copy, since mending changes it."""
    return replace(noise)
