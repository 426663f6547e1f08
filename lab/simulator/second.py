"""A second person: in a quarter of the seeds a wider limit holds only after somebody else has approved it.

There the largest order is small from the start, so that a limit that holds too early lets something through. Who asked tries
to approve it as well, under another role; a second person may come twice, too late or not at all. Drawn by generators of
their own, so that the rest of a plan does not depend on them. *Tested by* tests/simulation/test_simulator_plan.py.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from common.limits import Limits
from common.units import NS_PER_S
from lab.simulator.market import Setting
from lab.simulator.people import Wish

_SHARE = 0.25
_KINDS = ("future", "option")


def with_approval(seed: int, setting: Setting) -> Setting:
    """The setting with small orders and a second person for anything wider, or as it is."""
    rng = random.Random(f"approval {seed}")
    if rng.random() >= _SHARE:
        return setting
    said = setting.limits.model_dump()
    said["approval"] = {"widening": "second_person", "expires_s": rng.choice((1.0, 1.0, 30.0))}
    said["order"] |= {f"max_lots_{kind}": rng.randint(3, 8) for kind in _KINDS}
    return replace(setting, limits=Limits.model_validate(said))


def widenings(seed: int, limits: Limits, first_ns: int, last_ns: int) -> Iterator[Wish]:
    """One or two limits made wider, each with what becomes of it; perhaps made narrower again."""
    if limits.approval.widening != "second_person":
        return
    rng = random.Random(f"widenings {seed}")
    for number in range(rng.randint(1, 2)):
        at_ns, name = rng.randint(first_ns, last_ns), f"wide-{number}"
        path = f"order.max_lots_{rng.choice(_KINDS)}"
        yield Wish(at_ns, "limits.set", {"path": path, "value": rng.randint(10, 40)}, who="anna", name=name)
        if rng.random() < 0.7:
            yield Wish(at_ns + rng.randint(NS_PER_S // 5, NS_PER_S), "limits.approve", {"id": name}, who="anna/deputy")
        for _ in range(rng.choice((0, 1, 1, 2))):
            yield Wish(at_ns + rng.randint(NS_PER_S // 2, 4 * NS_PER_S), "limits.approve", {"id": name}, who="ben")
        if rng.random() < 0.3:
            yield Wish(at_ns + 2 * NS_PER_S, "limits.set", {"path": path, "value": rng.randint(2, 5)}, who="anna")
