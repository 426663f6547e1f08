"""What ``hedgerow chaos`` does to a run, as a pure schedule: the same seed, the same strikes.

Every kind comes once in each round, in a new order; the first round begins with the kills, then the chosen points, then the
freezes, so that a short run covers what matters first. Most strikes wait until everything is well again; every fifth follows at
once, so that troubles overlap (their times count for no bar, their safety does). In every other round, from the first on, what a
bar times stands alone, and an agent is frozen for longer than the fleet waits: a storm of one whole round looks at every bar.
*Tested by* tests/unit/test_chaos_plan.py.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Act(StrEnum):
    """What is done to a part."""

    KILL = "kill"
    FREEZE = "freeze"
    POINT = "point"


TARGETS: Final = ("agent", "leader", "standby", "execution", "nats", "venue", "ray-node")
#: Where a part kills itself when told to: after its own write to the disc and before anybody hears of it.
POINTS: Final = {
    "execution": ("after-commit", "after-send"),
    "venue": ("after-order", "after-fill"),
}
FREEZE_S: Final = (1.0, 8.0)
WAIT_S: Final = (0.3, 2.0)
OVERLAPS: Final = 0.2
#: Shorter, and the fleet rightly waits for the agent itself.
HUNG_S: Final = 4.0
#: Kinds whose times have a bar (``chaos_report.bars``).
TIMED: Final = ("kill agent", "freeze agent", "kill ray-node", "kill leader")


@dataclass(frozen=True, slots=True)
class Strike:
    """One blow. ``freeze_s`` between STOP and CONT; ``wait_s`` before it; ``alone``: only once all is well again."""

    number: int
    act: Act
    target: str
    point: str
    freeze_s: float
    wait_s: float
    alone: bool

    @property
    def kind(self) -> str:
        """E.g. "kill agent", "execution after-commit"."""
        return f"{self.target} {self.point}" if self.act is Act.POINT else f"{self.act} {self.target}"


def kinds() -> tuple[tuple[Act, str, str], ...]:
    """Every kind there is: act, target, point."""
    struck = [(act, target, "") for act in (Act.KILL, Act.FREEZE) for target in TARGETS]
    return (*struck, *((Act.POINT, target, point) for target, points in POINTS.items() for point in points))


def strikes(seed: int) -> Iterator[Strike]:
    """Strikes without end."""
    chance = random.Random(seed)
    number, timed = 0, True  # as if after a timed strike: the first one stands alone
    while True:
        order = list(kinds())
        chance.shuffle(order)
        if number == 0:
            order.sort(key=lambda kind: (Act.KILL, Act.POINT, Act.FREEZE).index(kind[0]))
        measured = number // len(order) % 2 == 0
        for act, target, point in order:
            # Drawn for every kind alike, so that adding a kind moves as little as possible.
            freeze_s, wait_s, alone = chance.uniform(*FREEZE_S), chance.uniform(*WAIT_S), chance.random() >= OVERLAPS
            after_timed, timed = timed, measured and f"{act} {target}" in TIMED
            if timed:
                freeze_s = HUNG_S + 0.5 * freeze_s
            frozen_s = round(freeze_s, 2) if act is Act.FREEZE else 0.0
            yield Strike(number, act, target, point, frozen_s, round(wait_s, 2), alone or timed or after_timed)
            number += 1
