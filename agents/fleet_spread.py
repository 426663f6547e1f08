"""Which agent should live on another node, so that the death of one takes as few as possible: pure.

First the shards of a kind are spread (a kind that loses all its shards at once has nobody to cover it), then the number of
agents. Of each kind one agent moves at a time, its peers cover it; each move makes things strictly better, so that they end.
*Tested by* tests/unit/test_fleet_spread.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from agents.fleet_plan import Known, Rules, ready
from common.factors import kind_of


def settled_places(known: Known, rules: Rules, wall_ns: int, calm_ns: int) -> dict[str, str]:
    """Node of each agent once all have their keys and have been heard for ``calm_ns`` without a break; else nothing."""
    beats = {name: beat for name, beat in known.beats.items() if name in known.started}
    if not ready(known, rules, wall_ns) or any(wall_ns - beat.since_ns < calm_ns for beat in beats.values()):
        return {}
    return {name: beat.node for name, beat in beats.items() if beat.node}


def unevenness(where: Mapping[str, str]) -> tuple[int, int]:
    """(squares of the shards of a kind on a node, squares of the agents on a node), summed; smaller is more even."""
    of_a_kind = Counter((node, kind_of(name)) for name, node in where.items())
    of_a_node = Counter(where.values())
    return sum(n * n for n in of_a_kind.values()), sum(n * n for n in of_a_node.values())


def moves(where: Mapping[str, str], nodes: Collection[str]) -> tuple[tuple[str, str], ...]:
    """(agent, node to live on), at most one of each kind: each the best (`better`) once those before it are made."""
    out: list[tuple[str, str]] = []
    while best := better({**where, **dict(out)}, nodes, {kind_of(name) for name, _ in out}):
        out.append(best)
    return tuple(out)


def better(where: Mapping[str, str], nodes: Collection[str], resting: Collection[str] = ()) -> tuple[str, str] | None:
    """(agent, node to live on) of the move that helps most, the first by name of equals; None where none does.

    ``where`` is the node of each agent; nothing moves while one of them is on none of ``nodes``, the living ones. Agents of
    the kinds ``resting`` stay.
    """
    if not set(where.values()) <= set(nodes):
        return None
    free = [name for name in where if kind_of(name) not in resting]
    best = min(((unevenness({**where, name: node}), name, node) for name in free for node in nodes), default=None)
    return None if best is None or best[0] >= unevenness(where) else best[1:]
