"""A line to NATS that carries one way only: what a process says still arrives and it hears nothing, or the other way round.

In an eighth of the seeds, once or twice. Whoever hears nothing believes for a while what it knew; whoever is not heard is
asked in vain. Drawn by a generator of its own.
*Tested by* tests/simulation/test_simulator_plan.py, tests/simulation/test_simulator_world.py.
"""

from __future__ import annotations

import random
from typing import Final

from common.units import NS_PER_S

_SHARE: Final = 0.125
_WHO: Final = ("leader", "leader", "leader", "manager-a", "manager-b", "execution", "gamma-0", "vega-0", "feed")
#: Methods of ``faults``.
_WAYS: Final = ("hears nothing", "is not heard")


def one_way(seed: int, first_ns: int, last_ns: int) -> tuple[tuple[int, str, str, int], ...]:
    """When, which way, whose line and for how long, wall ns from the start; nothing in most seeds."""
    rng = random.Random(f"one way {seed}")
    if rng.random() >= _SHARE:
        return ()
    return tuple(
        (rng.randint(first_ns, last_ns), rng.choice(_WAYS), rng.choice(_WHO), rng.randint(NS_PER_S // 2, 5 * NS_PER_S))
        for _ in range(rng.randint(1, 2))
    )
