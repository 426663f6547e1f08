"""Nobody leads for longer than execution waits: what works is cancelled (cancel on disconnect).

In a tenth of the seeds every manager dies at once, while the venue takes orders and matches them late, so that something works.
Drawn by a generator of its own. ``AloneWatch`` counts for itself, from the lines to execution.
*Tested by* tests/simulation/test_simulator_plan.py, tests/simulation/test_simulator_mistakes.py.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from common.messages import OrdStatus
from common.units import NS_PER_MS, NS_PER_S
from common.universe import Universe
from lab.simulator.parts import ALONE_S
from lab.simulator.people import Wish

if TYPE_CHECKING:
    from lab.simulator.run import Simulation

#: How much later than that execution may look, and what was on its way.
_GRACE_S: Final = 1.5
_LOOK_NS: Final = NS_PER_S // 4
_SHARE: Final = 0.1
_FOR_NS: Final = 6 * NS_PER_S


def _when(seed: int, first_ns: int, last_ns: int) -> int | None:
    rng = random.Random(f"alone {seed}")
    return rng.randint(first_ns + NS_PER_S, last_ns - NS_PER_S) if rng.random() < _SHARE else None


def deaths(seed: int, managers: tuple[str, ...], first_ns: int, last_ns: int) -> tuple[tuple[int, str, str, int], ...]:
    """When which method of ``faults`` happens to whom, and for how long, wall ns from the start; nothing in most seeds."""
    if (at_ns := _when(seed, first_ns, last_ns)) is None:
        return ()
    dead = tuple((at_ns + i * NS_PER_MS, "crash", name, _FOR_NS - 2 * NS_PER_S) for i, name in enumerate(managers))
    return ((at_ns - NS_PER_S, "venue waits", "venue", _FOR_NS), *dead)


def hedged_before(seed: int, universe: Universe, first_ns: int, last_ns: int) -> tuple[Wish, ...]:
    """Hedges by hand just before, of which one at least is at the venue when they die."""
    if (at_ns := _when(seed, first_ns, last_ns)) is None:
        return ()
    future = universe.instrument_id[universe.underlyings[0].future_instrument]
    asked = {"side": "BUY", "lots": 1 + seed % 3, "instrument": future, "limit": None, "desk": ""}
    return tuple(Wish(at_ns - before * NS_PER_MS, "hedge", asked) for before in (500, 250))


class AloneWatch:
    """Counts how long execution ran, reached the venue, and had no order stream of anybody."""

    def __init__(self, run: Simulation) -> None:
        self._run = run
        self._looks = 0
        self._starts = 0
        run.world.after(_LOOK_NS, self._look)

    def _look(self) -> None:
        run, process = self._run, self._run.execution.process
        there = process.alive and not process.frozen and process.starts == self._starts and run.wire.up
        alone = there and not run.wire.streams and not run.exchange.down
        self._starts = process.starts
        self._looks = self._looks + 1 if alone else 0
        if self._looks * _LOOK_NS / NS_PER_S > ALONE_S + _GRACE_S:
            for name in self._forgotten():
                run.world.fail(f"promise 8: nobody leads for {self._looks / 4:.1f} s, and order {name} works")
        run.world.after(_LOOK_NS, self._look)

    def _forgotten(self) -> list[str]:
        run = self._run
        stored = run.watch.stored
        known = [n for n, record in stored.items() if record.open and record.ord_status is not OrdStatus.UNKNOWN]
        tickets = run.exchange.tickets
        return [n for n in known if n in tickets and not tickets[n].done and not tickets[n].cancels]
