"""What ``hedgerow chaos`` does to a run, as a pure schedule: the same seed, the same strikes.

Every kind comes once in each round, in a new order; the first round begins with the kills, then the chosen points, then the
freezes, so that a short run covers what matters first. Most strikes wait until everything is well again; every fifth follows at
once, so that troubles overlap (their times count for no bar, their safety does).
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
    number = 0
    while True:
        order = list(kinds())
        chance.shuffle(order)
        if number == 0:
            order.sort(key=lambda kind: (Act.KILL, Act.POINT, Act.FREEZE).index(kind[0]))
        for act, target, point in order:
            # Drawn for every kind alike, so that adding a kind moves as little as possible.
            freeze_s, wait_s, alone = chance.uniform(*FREEZE_S), chance.uniform(*WAIT_S), chance.random() >= OVERLAPS
            frozen_s = round(freeze_s, 2) if act is Act.FREEZE else 0.0
            yield Strike(number, act, target, point, frozen_s, round(wait_s, 2), alone or number == 0)
            number += 1
