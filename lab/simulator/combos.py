"""Combos in a fifth of the seeds: the manager pairs an option with its future, and the venue takes the pair as one order.

Some of those rest or go in slices; some venues take none, so that one leg follows the other; one that lies fills legs out of
their ratio. Clients trade more there, or hardly any decision would need both. Drawn by generators of their own, so that every
other seed is what it was. *Tested by* tests/simulation/test_simulator_plan.py, tests/simulation/test_simulator_combos.py.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from common.units import NS_PER_S
from common.universe import OPTION, Universe
from lab.simulator.exchange_combos import Terms
from lab.simulator.market import Setting
from lab.simulator.people import Wish
from lab.simulator.steering import file_of
from lab.simulator.world import START_NS
from manager.tactics import TacticRule

_SHARE = 0.2
#: Lots of one leg in a unit, at most: 40 pairs whatever there is, for no order is larger; 8 leaves most orders alone.
_RATIOS = (8, 40, 40)
#: In slices: what half of the 60 lots shown of an option holds, for a larger unit would never leave.
_RATIO_IN_SLICES = 30
#: Kinds of crash: what execution does then, and how often of ten.
_POINTS = (("send combo", 7), ("commit", 1), ("ask", 1), ("cancel", 1))


def terms_of(seed: int) -> Terms | None:
    """The venue's terms in a seed with combos, None in any other."""
    rng = random.Random(f"combos {seed}")
    if rng.random() >= _SHARE:
        return None
    return Terms(rng.random() < 0.9, rng.choice((0, 0, 0, NS_PER_S // 5, NS_PER_S)))


def with_combos(seed: int, setting: Setting) -> Setting:
    """The setting with a manager that makes combos, or as it is."""
    if terms_of(seed) is None:
        return setting
    rng = random.Random(f"combo rule {seed}")
    percent = rng.choice((0, 0, 50))
    rule = TacticRule(
        combo_max_ratio=_RATIO_IN_SLICES if percent else rng.choice(_RATIOS),
        combo_participation_percent=percent,
        combo_improve_ticks=rng.choice((0, 0, 1, 2)),
        urgency_percent=rng.choice((20, 50)),
        budget_ms=rng.choice((4_000, 8_000, 24_000)),
        interval_ms=rng.choice((100, 500, 2_000)),
    )
    return replace(setting, manager=setting.manager.model_copy(update={"tactic": rule}))


def harm(seed: int, first_ns: int, last_ns: int) -> Iterator[tuple[int, str, str, int, str, int, bool]]:
    """Faults of combos alone, as the fields of ``plan.Fault``: a crash about one, a venue that fills out of ratio, or both."""
    if terms_of(seed) is None:
        return
    rng = random.Random(f"combo faults {seed}")
    half_ns = (first_ns + last_ns) // 2
    if rng.random() < 0.7:
        word = rng.choices([w for w, _ in _POINTS], [n for _, n in _POINTS])[0]
        at_ns, down_ns = rng.randint(first_ns, half_ns), rng.randint(NS_PER_S // 5, 2 * NS_PER_S)
        yield at_ns, "crash at", "execution", down_ns, word, rng.choice((0, 0, 1, 2)), rng.random() < 0.5
    if rng.random() < 0.5:
        at_ns = rng.randint(first_ns, half_ns)
        yield at_ns, "venue uneven", "venue", 6 * NS_PER_S, "", rng.randint(0, 1), False
        if rng.random() < 0.5:  # between what is told of one leg and of the other
            yield at_ns, "crash at", "execution", NS_PER_S // 2, "commit", rng.randint(0, 12), True
    if rng.random() < 0.6:  # the venue has it, and nobody has been told
        yield rng.randint(first_ns, half_ns), "crash at", "execution", NS_PER_S // 2, "send combo", 0, True


def trades(seed: int, universe: Universe, first_ns: int, last_ns: int) -> Iterator[Wish]:
    """Clients' trades in options, large enough that options and futures are needed at once."""
    if terms_of(seed) is None:
        return
    rng = random.Random(f"combo trades {seed}")
    options = [at for at in range(len(universe)) if universe.kind[at] == OPTION]
    for number in range(rng.randint(3, 6)):
        name, lots = universe.instrument_id[rng.choice(options)], rng.choice((-1, 1)) * rng.randint(10, 40)
        row = [1, f"c{number}", "clients", name, lots, 25.0, START_NS, "", ""]
        yield Wish(rng.randint(first_ns, last_ns), "book.import", file_of([row]))
