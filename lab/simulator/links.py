"""What lies between a process and a server: delays, order, and what a fault does to it.

A link keeps the order of what goes through it in one direction (TCP), unless it is told to reorder, as messages that
different routes carry may be. While it is *cut* what is sent is lost, while it is *silent* what is sent one way; while it
*stalls* everything waits for the end.
*Tested by* tests/simulation/test_simulator_world.py.
"""

from __future__ import annotations

from lab.simulator.world import Act, World

#: One way, wall nanoseconds: between 80 and 400 µs.
_DELAY_NS = (80_000, 400_000)


class Link:
    """Both directions of one connection."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self.name = name
        self._last_ns = {True: 0, False: 0}
        self._cut_until_ns = 0
        self._stalled_until_ns = 0
        self._silent_until_ns = {True: 0, False: 0}

    @property
    def hears(self) -> bool:
        """True while what is sent to it arrives."""
        return not self.cut and not self.stalled and self._world.now_ns >= self._silent_until_ns[False]

    @property
    def cut(self) -> bool:
        """True while what is sent is lost."""
        return self._world.now_ns < self._cut_until_ns

    @property
    def stalled(self) -> bool:
        """True while what is sent waits."""
        return self._world.now_ns < self._stalled_until_ns

    @property
    def healed_ns(self) -> int:
        """When it works again."""
        return max(self._cut_until_ns, self._stalled_until_ns)

    def break_until(self, until_ns: int, *, lossy: bool) -> None:
        """A fault: cut (``lossy``) or stalled."""
        if lossy:
            self._cut_until_ns = max(self._cut_until_ns, until_ns)
        else:
            self._stalled_until_ns = max(self._stalled_until_ns, until_ns)

    def silence(self, there: bool, until_ns: int) -> None:
        """A fault: what is sent in one direction is lost."""
        self._silent_until_ns[there] = max(self._silent_until_ns[there], until_ns)

    def heal(self) -> None:
        """No fault any more; what waited still comes."""
        self._silent_until_ns = {True: 0, False: 0}
        self._cut_until_ns = self._stalled_until_ns = 0

    def send(self, there: bool, act: Act, *, ordered: bool = True, extra_ns: int = 0) -> bool:
        """Carry something in one direction (``there``: to the server). False if it is lost."""
        world = self._world
        if self.cut or world.now_ns < self._silent_until_ns[there]:
            return False
        at_ns = max(world.now_ns, self._stalled_until_ns) + world.between(*_DELAY_NS) + extra_ns
        if ordered:
            at_ns = max(at_ns, self._last_ns[there])
            self._last_ns[there] = at_ns
        world.at(at_ns, act)
        return True
