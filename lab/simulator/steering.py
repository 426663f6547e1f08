"""What people steer with in a simulated run: stops of a part, hedges by hand, clients' trades, the agents' parameters.

Drawn by a generator of its own, so that the rest of a plan does not depend on it. Times are wall nanoseconds from the start.
*Tested by* tests/simulation/test_simulator_plan.py.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from common.units import NS_PER_MS, NS_PER_S
from common.universe import Universe
from lab.simulator.people import Wish
from lab.simulator.world import START_NS

_AGENTS = ("gamma-0", "gamma-1", "vega-0")
#: Less than a slow venue takes, more than a command does.
_BEFORE_NS = 300 * NS_PER_MS
_PARAMETERS = (
    ("trigger.price_move_bp", 1.0, 8.0),
    ("gamma.interval_scale", 0.3, 2.0),
    ("vega.interval_scale", 0.3, 2.0),
    ("gamma.rehedge_days", 0.5, 2.0),
)


def steering(seed: int, universe: Universe, first_ns: int, last_ns: int) -> tuple[Wish, ...]:
    """Nothing in every second seed; else one to three things, each perhaps followed by another of its kind."""
    rng = random.Random(f"steering {seed}")
    if rng.random() < 0.5:
        return ()
    out: list[Wish] = []
    for number in range(rng.randint(1, 3)):
        at_ns = rng.randint(first_ns, last_ns)
        kind = rng.choice((_stop, _hedge, _hedge, _import, _parameter))
        out += kind(rng, universe, at_ns, f"{number}")
    return tuple(w for w in out if w.at_ns < last_ns)


def before_kills(wishes: tuple[Wish, ...], universe: Universe) -> tuple[Wish, ...]:
    """A hedge by hand just before each kill of all or of an underlying: the venue is slow then, and something works."""
    out = []
    for wish in wishes:
        scope, _, of = str(wish.arguments.get("scope", "")).partition(":")
        if wish.action == "kill" and scope in ("", "underlying"):
            future = universe.underlyings[universe.symbols.index(of) if of else 0].future_instrument
            wanted = {"side": "BUY", "lots": 1 + wish.at_ns % 3, "instrument": universe.instrument_id[future]}
            out.append(Wish(wish.at_ns - _BEFORE_NS, "hedge", {**wanted, "limit": None, "desk": ""}))
    return tuple(out)


def _stop(rng: random.Random, universe: Universe, at_ns: int, _: str) -> Iterator[Wish]:
    """Pause or kill of an underlying (perhaps past the managers) or an agent; mostly a resume of it."""
    of_agent = rng.random() < 0.5
    scope = f"agent:{rng.choice(_AGENTS)}" if of_agent else f"underlying:{rng.choice(universe.symbols)}"
    direct = not of_agent and rng.random() < 0.3
    yield Wish(at_ns, rng.choice(("pause", "kill")), {"scope": scope}, direct)
    if rng.random() < 0.6:
        yield Wish(at_ns + rng.randint(NS_PER_S, 4 * NS_PER_S), "resume", {"scope": scope})


def _hedge(rng: random.Random, universe: Universe, at_ns: int, _: str) -> Iterator[Wish]:
    # The future can always be priced; an option only if agents have said what it does.
    at = universe.underlyings[rng.randrange(len(universe.symbols))].future_instrument
    at = at if rng.random() < 0.7 else rng.randrange(len(universe))
    wanted = {"side": rng.choice(("BUY", "SELL")), "lots": rng.randint(1, 6), "instrument": universe.instrument_id[at]}
    yield Wish(at_ns, "hedge", {**wanted, "limit": None, "desk": ""})


def _import(rng: random.Random, universe: Universe, at_ns: int, number: str) -> Iterator[Wish]:
    """A file of one to three trades; perhaps the same file again, perhaps a correction of its first trade."""
    rows = [_trade(rng, universe, f"t{number}-{k}", k + 1) for k in range(rng.randint(1, 3))]
    yield Wish(at_ns, "book.import", file_of(rows))
    if rng.random() < 0.4:
        yield Wish(at_ns + rng.randint(0, 2 * NS_PER_S), "book.import", file_of(rows))
    if rng.random() < 0.3:
        changed = [*_trade(rng, universe, f"t{number}-c", 1)[:7], rows[0][1], ""]
        yield Wish(at_ns + rng.randint(0, 3 * NS_PER_S), "book.import", file_of([changed]))


def _trade(rng: random.Random, universe: Universe, name: str, line: int) -> list[object]:
    at = rng.randrange(len(universe))
    lots = rng.choice((-1, 1)) * rng.randint(1, 8)
    return [line, name, "clients", universe.instrument_id[at], lots, 25.0, START_NS, "", ""]


def file_of(rows: list[list[object]]) -> dict[str, object]:
    """What an import of these trades says."""
    return {"file": "clients.csv", "dry_run": False, "trades": rows}


def _parameter(rng: random.Random, _universe: Universe, at_ns: int, _: str) -> Iterator[Wish]:
    path, low, high = rng.choice(_PARAMETERS)
    yield Wish(at_ns, "agents.set", {"path": path, "value": round(rng.uniform(low, high), 2)})
    if rng.random() < 0.3:
        yield Wish(at_ns + rng.randint(NS_PER_S, 3 * NS_PER_S), "agents.undo", {"version": 1})
