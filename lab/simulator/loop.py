"""One event loop per simulated process, all in one thread under one virtual clock.

The real shells (manager, agents, execution) are written for asyncio, so they run here unchanged: a process is a loop
that the world turns, a crash is a loop that is never turned again, a freeze is a loop that is not turned for a while.
Whatever a dead process still tries to do outside itself is refused by ``Process.act``.
*Tested by* tests/simulation/test_simulator_world.py.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import TYPE_CHECKING, Any

from common.units import NS_PER_S

if TYPE_CHECKING:
    from lab.simulator.world import Process

#: A ``finally`` that awaits must be closed again at the new place; nothing here nests deeper.
_CLOSINGS = 20


class Killed(BaseException):
    """The process has been killed inside one of its own calls. No handler of errors may see it as an error."""


class _Task(asyncio.Task[Any]):
    """A task whose hash is its number, so that sets of tasks have one order in every run."""

    numbers = itertools.count()
    #: asyncio's own: complain of a task that is dropped unfinished.
    _log_destroy_pending: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._own_number = next(_Task.numbers)
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._own_number


def close_generator(generator: Any) -> None:
    """Finalizer of async generators: what a living process drops is closed in it, what a dead one drops is not."""
    loop = asyncio._get_running_loop()
    if isinstance(loop, ProcessLoop) and not loop.dead:
        loop.create_task(generator.aclose())


def reset_numbers() -> None:
    """Tasks are numbered from 0 again: the start of a run."""
    _Task.numbers = itertools.count()


#: Without its types: they also ask for the sockets, pipes and signals that a simulated process has not.
_AbstractEventLoop: Any = asyncio.AbstractEventLoop


class ProcessLoop(_AbstractEventLoop):
    """The part of a loop that the shells use. ``turn`` runs what is ready; the process says when."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._world = process.world
        self._ready: deque[asyncio.Handle] = deque()
        self._timers: list[tuple[int, int, asyncio.TimerHandle]] = []
        self._tie = itertools.count()
        self._tasks: list[_Task] = []
        self.dead = False

    # -- what asyncio asks of a loop -------------------------------------------------------------------------------

    def time(self) -> float:
        """Monotonic seconds: the world's time, which no clock step touches."""
        return self._world.now_ns / NS_PER_S

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:
        """See ``asyncio``. On a dead loop it leads to nothing."""
        handle = asyncio.Handle(callback, args, self, context)
        if not self.dead:
            self._ready.append(handle)
            self._process.poke()
        return handle

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Any, *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """See ``asyncio``."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> asyncio.TimerHandle:
        """See ``asyncio``."""
        handle = asyncio.TimerHandle(when, callback, args, self, context)
        if not self.dead:
            when_ns = max(round(when * NS_PER_S), self._world.now_ns)
            heapq.heappush(self._timers, (when_ns, next(self._tie), handle))
            self._world.at(when_ns, self._process.poke)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        """See ``asyncio``."""
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Coroutine[Any, Any, Any], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[Any]:
        """See ``asyncio``."""
        task = _Task(coro, loop=self, name=name, context=context)
        self._tasks.append(task)
        if len(self._tasks) > 256:
            self._tasks = [t for t in self._tasks if not t.done()]
        return task

    def run_in_executor(
        self,
        executor: Any,  # noqa: ARG002
        func: Callable[..., Any],
        *args: Any,
    ) -> asyncio.Future[Any]:
        """A thread of the process: done a little later, all or nothing, and raced by a crash."""
        future = self.create_future()
        self._process.in_thread(future, func, args)
        return future

    def get_debug(self) -> bool:
        """Never."""
        return False

    def is_running(self) -> bool:
        """While it may still be turned."""
        return not self.dead

    def is_closed(self) -> bool:
        """Once its process is dead."""
        return self.dead

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """An error nobody waited for: told in the story, unless its process is dead anyway."""
        if not self.dead:
            self._process.say(f"unheard error: {context.get('message')}: {context.get('exception')!r}")

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        """As ``call_exception_handler``."""
        self.call_exception_handler(context)

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """A cancelled timer is skipped when it is due."""

    # -- what the world asks of it ---------------------------------------------------------------------------------

    def turn(self) -> bool:
        """Run what is ready now, in order; True if more became ready meanwhile."""
        now_ns = self._world.now_ns
        while self._timers and self._timers[0][0] <= now_ns:
            timer = heapq.heappop(self._timers)[2]
            if not timer.cancelled():
                self._ready.append(timer)
        asyncio._set_running_loop(self)
        try:
            for _ in range(len(self._ready)):
                handle = self._ready.popleft()
                if not handle.cancelled():
                    handle._run()
                if self.dead:
                    return False
        finally:
            asyncio._set_running_loop(None)
        return bool(self._ready)

    def bury(self) -> None:
        """Close what a dead process has left unfinished, so that nothing of it runs when Python collects it."""
        self.dead = True
        self._ready.clear()
        self._timers.clear()
        asyncio._set_running_loop(self)
        try:
            for task in self._tasks:
                task._log_destroy_pending = False
                if task.done():
                    if not task.cancelled():
                        task.exception()
                    continue
                _close(task.get_coro())
        finally:
            asyncio._set_running_loop(None)
        self._tasks.clear()


def _close(coroutine: Any) -> None:
    for _ in range(_CLOSINGS):
        try:
            coroutine.close()
            return
        except (RuntimeError, Killed, Exception):
            continue
