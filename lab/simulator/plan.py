"""What a seed decides before anything runs: the world it plays in, its faults, and what people ask for.

Every tenth seed has five faults or more; the others none to four. Times are wall nanoseconds from the start.
*Tested by* tests/simulation/test_simulator_plan.py.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from common.units import NS_PER_MS, NS_PER_S
from lab.simulator.alone import deaths, hedged_before
from lab.simulator.combos import harm, terms_of, trades, with_combos
from lab.simulator.desks import has_desks, of_desks, stops, with_desks
from lab.simulator.exchange_combos import Terms
from lab.simulator.market import (
    AGENTS,
    MANAGER,
    MAX_LOTS,
    Setting,
    book_of,
    execution_limits_of,
    limits_of,
    universe_of,
)
from lab.simulator.nats import Noise
from lab.simulator.one_way import one_way
from lab.simulator.people import Wish
from lab.simulator.second import widenings, with_approval
from lab.simulator.silence import hang, wanted
from lab.simulator.statement import LIES
from lab.simulator.steering import before_kills, steering

#: Faults happen between these times; then everything is mended and it must converge.
FIRST_NS = 2 * NS_PER_S
LAST_NS = 10 * NS_PER_S
#: Every seed of this remainder by ten has many faults.
MANY = 3
_ALL = ("manager-a", "manager-b", "execution", "gamma-0", "gamma-1", "vega-0", "feed")
_WEIGHTS = {
    "crash": 3,
    "crash at": 9,
    "freeze": 4,
    "cut from nats": 3,
    "stalled to nats": 4,
    "nats outage": 1,
    "wire reset": 1,
    "answer lost": 4,
    "wire stalled": 2,
    "venue down": 2,
    "venue slow": 2,
    "venue lies": 5,
    "venue thin": 1,
    "statement lies": 3,
    "clock step": 2,
    "quotes lost": 4,
    "source silent": 2,
    "reassign": 2,
}
#: Where a process may be killed in the middle of its work: label of the act, and who does it.
_POINTS = (
    ("execution", "send"),
    ("leader", "store entry"),
    ("execution", "commit"),
    ("execution", "send"),
    ("execution", "cancel"),
    ("execution", "answer StreamOrders"),
    ("execution", "answer StreamReports"),
    ("leader", "write submit"),
    ("leader", "store entry"),
    ("leader", "store epoch"),
    ("leader", "store positions"),
    ("leader", "call Fence"),
    ("leader", "answer"),
    ("gamma-0", "publish proposal"),
    ("vega-0", "publish proposal"),
    ("feed", "record"),
    ("feed", "publish market"),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong. ``what`` names a method of ``faults``; ``who`` a process, "leader", or a source."""

    at_ns: int
    what: str
    who: str
    for_ns: int = 0
    word: str = ""
    number: int = 0
    flag: bool = False

    def __str__(self) -> str:
        more = f" {self.word}" if self.word else ""
        return f"{self.at_ns / NS_PER_S:.3f} s: {self.what} {self.who}{more} for {self.for_ns / NS_PER_S:.2f} s"


@dataclass(frozen=True, slots=True)
class Plan:
    """A run before it runs."""

    seed: int
    setting: Setting
    noise: Noise
    managers: tuple[str, ...]
    faults: tuple[Fault, ...]
    wishes: tuple[Wish, ...]
    #: Fills that the venue's statement goes back, None for all of them.
    states_back: int | None = None
    #: How the venue takes combos; None where nobody sends any.
    combos: Terms | None = None


def plan_of(seed: int) -> Plan:
    """The plan of a seed, by a generator of its own, so that what happens in the run does not change it."""
    rng = random.Random(f"plan {seed}")
    symbols = ("AAA", "BBB") if rng.random() < 0.2 else ("AAA",)
    several = has_desks(seed) and len(symbols) == 1
    # Several desks are decided lot by lot, which takes long where there are many instruments.
    universe = universe_of(symbols, 1) if several else universe_of(symbols)
    tight = rng.random()
    orders = rng.randint(3, 12) if tight < 0.2 else 100_000
    notional = rng.uniform(2e6, 2e7) if 0.2 < tight < 0.35 else 1e12
    narrow = rng.random() < 0.25
    most = rng.randint(5, 25) if narrow else 2_000
    # Few orders a day, all of them too large for execution, would leave nothing that is ever sent.
    most += 15 if tight < 0.2 else 0
    setting = Setting(
        universe,
        book_of(universe, rng),
        limits_of(orders, notional, MAX_LOTS),
        execution_limits_of(most, 20 * most),
        AGENTS,
        MANAGER,
    )
    setting = with_approval(seed, with_desks(seed, setting) if several else setting)
    setting = with_combos(seed, setting)
    quiet = rng.random() < 0.3
    share = 0.0 if quiet else rng.choice((0.01, 0.03))
    managers = ("manager-a", "manager-b", "manager-c") if rng.random() < 0.2 else ("manager-a", "manager-b")
    count = rng.randint(5, 9) if seed % 10 == MANY else rng.choice((0, 1, 2, 3, 3, 4, 4))
    wishes = _wishes(rng, tight < 0.35)
    faults = [_fault(rng, symbols) for _ in range(count)]
    steered = steering(seed, universe, FIRST_NS, LAST_NS)
    faults += [_dies_over(w) for w in steered if w.action == "hedge" or (w.action == "book.import" and w.at_ns & 2)]
    wishes += steered + tuple(trades(seed, universe, FIRST_NS, LAST_NS))
    wishes += before_kills(wishes, universe) + wanted(seed, universe, FIRST_NS, LAST_NS)
    wishes += hedged_before(seed, universe, FIRST_NS, LAST_NS)
    wishes = of_desks(seed, setting.book, wishes)
    wishes += tuple(w for w in stops(seed, setting.book, FIRST_NS, LAST_NS) if w.at_ns < LAST_NS)
    # A kill has something to cancel only while orders work, which a quick venue leaves no time for.
    faults += [Fault(w.at_ns - NS_PER_S, "venue slow", "venue", 2 * NS_PER_S) for w in wishes if w.action == "kill"]
    wishes += tuple(w for w in widenings(seed, setting.limits, FIRST_NS, LAST_NS) if w.at_ns < LAST_NS)
    if (hangs := hang(seed, FIRST_NS, LAST_NS)) is not None:
        faults.append(Fault(hangs[0], "freeze", "feed", hangs[1]))
    faults += [Fault(*fields) for fields in one_way(seed, FIRST_NS, LAST_NS)]
    faults += [Fault(*fields) for fields in deaths(seed, managers, FIRST_NS, LAST_NS)]
    faults += [Fault(*fields) for fields in harm(seed, FIRST_NS, LAST_NS)]
    faults.sort(key=lambda f: f.at_ns)
    noise, back = Noise(share, share, share), _states_back(seed)
    return Plan(seed, setting, noise, managers, tuple(faults), wishes, back, terms_of(seed))


def _states_back(seed: int) -> int | None:
    rng = random.Random(f"statement {seed}")
    return rng.randint(3, 15) if rng.random() < 0.4 else None


def _dies_over(wish: Wish) -> Fault:
    """The leader dies between an act and its record, with what it was asked for: that is asked for again under the same id."""
    sent = wish.action == "hedge" and bool(wish.at_ns & 12)
    word, number = ("write submit", 0) if sent else ("store entry", wish.at_ns & 1 & wish.at_ns >> 2)
    return Fault(wish.at_ns - NS_PER_MS, "crash at", "leader", NS_PER_S, word, number, sent)


def _fault(rng: random.Random, symbols: tuple[str, ...]) -> Fault:
    what = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    at_ns = rng.randint(FIRST_NS, LAST_NS)
    for_ns = int(rng.choice((0.2, 0.8, 2.0, 4.0)) * rng.uniform(0.7, 1.3) * NS_PER_S)
    if what == "crash at":
        who, word = rng.choice(_POINTS)
        return Fault(at_ns, what, who, for_ns, word, rng.randint(0, 2), rng.random() < 0.5)
    if what == "answer lost":
        word = rng.choice(("answer StreamOrders", "answer StreamOrders", "answer StreamReports"))
        return Fault(at_ns, what, "execution", 0, word, rng.randint(0, 3))
    if what in ("source silent", "quotes lost"):
        who = f"feed.{rng.choice(symbols)}"
        word = rng.choice(("manager-a", "manager-b", "execution", "execution", "gamma-0", "vega-0"))
        return Fault(at_ns, what, who, for_ns, word if what == "quotes lost" else "")
    if what in ("wire reset", "wire stalled"):
        return Fault(at_ns, what, rng.choice(("leader", "leader", "manager-b")), for_ns)
    if what == "venue lies":  # long enough that some order meets it
        return Fault(at_ns, what, "venue", max(for_ns, 3 * NS_PER_S), number=rng.randint(0, 7))
    if what == "statement lies":  # early and long enough for the looks that must agree on it
        return Fault(FIRST_NS + (at_ns - FIRST_NS) // 3, what, "venue", 7 * NS_PER_S, rng.choice(LIES))
    if what.startswith("venue") or what in ("nats outage", "reassign"):
        return Fault(at_ns, what, "venue" if what.startswith("venue") else "all", for_ns, number=rng.randint(0, 7))
    if what == "clock step":
        return Fault(at_ns, what, rng.choice(_ALL), 0, number=rng.randint(-5000, 5000) * NS_PER_MS)
    if what in ("freeze", "cut from nats", "stalled to nats"):
        if rng.random() < 0.6:  # long enough that another takes over while it believes that it leads
            return Fault(at_ns, what, "leader", max(for_ns, 2 * NS_PER_S))
        return Fault(at_ns, what, rng.choice(("execution", *_ALL)), for_ns)
    return Fault(at_ns, what, rng.choice(("leader", "execution", *_ALL)), for_ns)


def _wishes(rng: random.Random, tight: bool) -> tuple[Wish, ...]:
    """Nothing in half of the runs; else a pause or kill and a resume, limits that change, or both."""
    out: list[Wish] = []
    if rng.random() < 0.35:
        at_ns = rng.randint(FIRST_NS, LAST_NS)
        action, direct = rng.choice(("pause", "pause", "kill")), rng.random() < 0.35
        out.append(Wish(at_ns, action, {}, direct))
        if rng.random() < 0.7:
            out.append(Wish(at_ns + rng.randint(NS_PER_S, 4 * NS_PER_S), "resume", {}, direct and rng.random() < 0.3))
        if rng.random() < 0.2:
            out.append(Wish(at_ns + rng.randint(5 * NS_PER_S, 7 * NS_PER_S), "pause", {}))
    if rng.random() < 0.25:
        at_ns = rng.randint(FIRST_NS, LAST_NS)
        change: dict[str, object] = {"path": "order.max_lots_future", "value": rng.randint(3, 30)}
        if tight and rng.random() < 0.5:
            change = {"path": "flow.orders", "value": rng.randint(2, 20)}
        out.append(Wish(at_ns, "limits.set", change))
    return tuple(w for w in out if w.at_ns < LAST_NS)
