"""A feed that hangs whole: no quotes, so no market time, and nothing grows old by itself (promise 6).

In a tenth of the seeds the feed is frozen for longer than the manager waits, and while it is, a person hedges by hand and
clients' trades come in, so that there is something that must not be traded. Drawn by a generator of its own.
``SilenceWatch`` counts for itself how long each manager could have heard nothing.
*Tested by* tests/simulation/test_simulator_plan.py, tests/simulation/test_simulator_mistakes.py.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

from common.units import NS_PER_S
from common.universe import Universe
from lab.simulator.people import Wish
from lab.simulator.steering import file_of
from lab.simulator.world import START_NS, Process

if TYPE_CHECKING:
    from lab.simulator.run import Simulation

_SHARE = 0.1
_LOOK_NS = NS_PER_S // 4
#: How much later than by this count a leader may stop: its own looks, and what was on its way.
_GRACE_S = 1.0


def hang(seed: int, first_ns: int, last_ns: int) -> tuple[int, int] | None:
    """From when and for how long the feed hangs, wall ns from the start; None in most seeds."""
    rng = random.Random(f"silence {seed}")
    if rng.random() >= _SHARE:
        return None
    for_ns = rng.randint(5 * NS_PER_S, 7 * NS_PER_S)
    return rng.randint(first_ns, last_ns - for_ns), for_ns


def wanted(seed: int, universe: Universe, first_ns: int, last_ns: int) -> tuple[Wish, ...]:
    """What people ask for while it hangs, some of it before and some after it is silent for the manager."""
    if (found := hang(seed, first_ns, last_ns)) is None:
        return ()
    rng, (at_ns, for_ns) = random.Random(f"silent wishes {seed}"), found
    future = universe.instrument_id[universe.underlyings[0].future_instrument]
    hedge = {"side": rng.choice(("BUY", "SELL")), "lots": rng.randint(1, 4), "instrument": future}
    row = [1, "silent-1", "clients", future, rng.choice((-1, 1)) * rng.randint(6, 12), 25.0, START_NS, "", ""]
    return (
        Wish(at_ns + rng.randint(for_ns // 2, for_ns), "hedge", {**hedge, "limit": None, "desk": ""}),
        Wish(at_ns + rng.randint(for_ns // 4, for_ns), "book.import", file_of([row])),
    )


class SilenceWatch:
    """Counts, for each manager, the looks at which it ran, was connected, and the feed had said nothing since the last."""

    def __init__(self, run: Simulation) -> None:
        self._run = run
        self._said = 0
        self._quiet: Counter[str] = Counter()
        run.wire.on_write.append(self._on_write)
        run.world.after(_LOOK_NS, self._look)

    def _look(self) -> None:
        run, said = self._run, self._run.feed.said
        for process in run.managers.processes:
            link = run.nats.link(process.name)
            quiet = said == self._said and process.alive and not process.frozen and link.hears
            self._quiet[process.name] = self._quiet[process.name] + 1 if quiet else 0
        self._said = said
        run.world.after(_LOOK_NS, self._look)

    def _on_write(self, process: Process, what: str) -> None:
        quiet_s = self._quiet[process.name] * _LOOK_NS / NS_PER_S
        if (
            what == "submit"
            and self._said == self._run.feed.said
            and quiet_s > self._run.plan.setting.manager.feed_silent_s + _GRACE_S
        ):
            self._run.world.fail(f"promise 6: {process.name} sends an order {quiet_s:.1f} s after the feed's last word")
