"""Virtual time, processes and the story: the ground on which a simulated Hedgerow stands.

Everything that happens is an act in one heap, ordered by time and then by when it was planned; every choice comes from one
generator made of the seed. So a seed is a run, and the same seed is the same run.
*Tested by* tests/simulation/test_simulator_world.py.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from common.errors import HedgerowError
from common.units import NS_PER_MS, NS_PER_S, NS_PER_US
from lab.simulator.loop import Killed, ProcessLoop

Act = Callable[[], None]
#: Wall time at which every run begins.
START_NS = 1_767_364_200 * NS_PER_S
_TURN_NS = 30 * NS_PER_US
_THREAD_NS = (100 * NS_PER_US, 2 * NS_PER_MS)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the story."""

    at_ns: int
    who: str
    text: str

    def __str__(self) -> str:
        return f"{(self.at_ns - START_NS) / NS_PER_S:10.6f}  {self.who:<12} {self.text}"


class Violation(Exception):
    """A promise was broken; ends the run."""


class World:
    """Time, chance, the processes and what was said. ``failures`` ends the run at the next act."""

    def __init__(self, seed: int) -> None:
        self.now_ns = START_NS
        self.rng = random.Random(seed)
        self.story: list[Line] = []
        self.failure: str | None = None
        self.acts = 0
        self._heap: list[tuple[int, int, Act]] = []
        self._tie = 0
        self.processes: dict[str, Process] = {}

    def at(self, time_ns: int, act: Act) -> None:
        """Plan an act; never before now."""
        self._tie += 1
        heapq.heappush(self._heap, (max(time_ns, self.now_ns), self._tie, act))

    def after(self, delay_ns: int, act: Act) -> None:
        """Plan an act that long from now."""
        self.at(self.now_ns + delay_ns, act)

    def run(self, until_ns: int) -> None:
        """Let everything up to and including a time happen, or up to the first failure."""
        heap = self._heap
        while heap and heap[0][0] <= until_ns and self.failure is None:
            self.now_ns, _, act = heapq.heappop(heap)
            self.acts += 1
            act()
        if self.failure is None:
            self.now_ns = max(self.now_ns, until_ns)

    def say(self, who: str, text: str) -> None:
        """Add a line to the story, which ends with the first broken promise."""
        if self.failure is None:
            self.story.append(Line(self.now_ns, who, text))

    def fail(self, what: str) -> None:
        """A promise is broken. The first one counts."""
        if self.failure is None:
            self.say("VIOLATION", what)
            self.failure = what

    def between(self, low_ns: int, high_ns: int) -> int:
        """A time span by chance."""
        return low_ns + int(self.rng.random() * (high_ns - low_ns))

    def chance(self, share: float) -> bool:
        """True with this probability; a share of nought takes no number from the generator."""
        return share > 0.0 and self.rng.random() < share

    def end(self) -> None:
        """Bury every process."""
        for process in self.processes.values():
            process.alive = False
            if process.loop is not None:
                process.loop.bury()
        self._heap.clear()


class Process:
    """A place where real code runs. ``main`` makes its coroutine anew at every start.

    ``on_start`` and ``on_death`` tell the network and the venue. It is started again ``restart_ns`` after its end.
    """

    def __init__(self, world: World, name: str, main: Callable[[Process], Coroutine[Any, Any, object]]) -> None:
        self.world = world
        self.name = name
        self._main = main
        self.loop: ProcessLoop | None = None
        self.alive = False
        self.frozen = False
        self.starts = 0
        self.offset_ns = 0
        self.restart_ns = 500 * NS_PER_MS
        self.on_death: list[Callable[[Process], None]] = []
        self.on_thread: list[Callable[[tuple[Any, ...]], None]] = []
        self._turn_planned = False
        #: Kill at an act whose label starts with this, after so many of them; before its effect or after it. Or, instead
        #: of the act, do something else.
        self._armed: tuple[str, int, bool, Act | None] | None = None
        world.processes[name] = self

    def say(self, text: str) -> None:
        """A line of this process."""
        self.world.say(self.name, text)

    def wall_ns(self) -> int:
        """What this process takes the wall time to be (``ports.Clock``)."""
        return self.world.now_ns + self.offset_ns

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin anew."""
        if self.alive:
            return
        self.alive, self.frozen, self._turn_planned = True, False, False
        self.starts += 1
        self.loop = ProcessLoop(self)
        self.say(f"starts (start {self.starts})")
        task = self.loop.create_task(self._main(self))
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not self.alive or task.cancelled():
            return
        error = task.exception()
        said = task.result() if error is None else _reason(error)
        self.kill(f"ends: {said}")
        if error is not None and not _expected(error):
            self.world.fail(f"{self.name} ended by a mistake of its own: {said}")

    def kill(self, why: str) -> None:
        """The process is gone at once: memory, connections, everything not committed. It comes back later."""
        if not self.alive or self.loop is None:
            return
        self.alive, self._armed = False, None
        self.say(why)
        loop, self.loop = self.loop, None
        loop.dead = True
        self.world.after(0, loop.bury)
        for told in self.on_death:
            told(self)
        self.world.after(self.restart_ns, self.start)

    def freeze(self, for_ns: int) -> None:
        """Stop it in its tracks (SIGSTOP) and let it go on later, unaware."""
        if self.alive and not self.frozen:
            self.frozen = True
            self.say(f"is frozen for {for_ns / NS_PER_S:.2f} s")
            life = self.starts
            self.world.after(for_ns, lambda: self.thaw() if self.starts == life else None)

    def thaw(self) -> None:
        """Go on (SIGCONT)."""
        if self.alive and self.frozen:
            self.frozen = False
            self.say("goes on")
            self.poke()

    # -- turns -----------------------------------------------------------------------------------------------------

    def poke(self) -> None:
        """Something is ready: give it a turn soon."""
        if not self._turn_planned and self.alive and not self.frozen:
            self._turn_planned = True
            self.world.after(int(self.world.rng.random() * _TURN_NS), self._turn)

    def _turn(self) -> None:
        self._turn_planned = False
        if self.alive and not self.frozen and self.loop is not None and self.loop.turn():
            self.poke()

    def in_thread(self, future: asyncio.Future[Any], func: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Carry out a call of a thread a little later. A crash meanwhile lets it happen or not, as chance has it."""
        life, loop = self.starts, self.loop
        for told in self.on_thread:
            told(args)

        def done() -> None:
            error: Exception | None
            if self.alive and self.starts == life and self.frozen:
                self.world.after(20 * NS_PER_MS, done)
                return
            lives = self.alive and self.starts == life
            if not lives and not self.world.chance(0.5):
                return
            result, error = None, None
            try:
                result = func(*args)
            except Killed:
                return
            except Exception as raised:
                error = raised
            if lives and loop is not None:
                loop.call_soon(_settle, future, result, error)

        self.world.after(self.world.between(*_THREAD_NS), done)

    async def sleep(self, seconds: float) -> None:
        """Wait in the world's time."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_later(seconds, _settle, future, None, None)
        await future

    def spawn(self, work: Awaitable[Any]) -> asyncio.Task[Any]:
        """A task of this process, from outside its turns."""
        assert self.loop is not None
        return self.loop.create_task(_awaited(work))

    # -- acts: every effect outside the process passes here --------------------------------------------------------

    def arm(self, label: str, skip: int, after: bool, instead: Act | None = None) -> None:
        """Have it killed at an act, before or after its effect; or have something else happen instead of the act."""
        self._armed = (label, skip, after, instead)

    def disarm(self) -> None:
        """Nothing of the kind any more."""
        self._armed = None

    def act(self, label: str, effect: Act | None = None) -> None:
        """Do something that others can see. Raises ``Killed`` where the plan wants a crash, or if it is dead already."""
        if not self.alive:
            raise Killed(f"{self.name} is dead")
        armed = self._armed
        if armed is not None and label.startswith(armed[0]):
            if armed[1] > 0:
                self._armed = (armed[0], armed[1] - 1, armed[2], armed[3])
            elif armed[3] is not None:
                self._armed = None
                armed[3]()
                return
            else:
                if armed[2] and effect is not None:
                    effect()
                self.kill(f"crashes {'after' if armed[2] else 'before'} {label!r}")
                raise Killed(label)
        if effect is not None:
            effect()


def _expected(error: BaseException) -> bool:
    """It ended because it was told to or could not go on: a lost lease, a refused fence, a full disk."""
    if isinstance(error, BaseExceptionGroup):
        return all(_expected(e) for e in error.exceptions)
    return isinstance(error, HedgerowError | OSError)


def _reason(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_reason(e) for e in error.exceptions)
    return f"{type(error).__name__}: {error}"


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work


def _settle(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
