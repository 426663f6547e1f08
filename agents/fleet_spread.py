"""Which agent should live on another node, and which needs a successor on one, so that the death of a node takes little: pure.

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


def moves(
    where: Mapping[str, str], nodes: Collection[str], successors: Mapping[str, str] | None = None
) -> tuple[tuple[str, str], ...]:
    """(agent, node to live on), at most one of each kind: each the best (`better`) once those before it are made."""
    out: list[tuple[str, str]] = []
    while best := better({**where, **dict(out)}, nodes, {kind_of(name) for name, _ in out}, successors):
        out.append(best)
    return tuple(out)


def better(
    where: Mapping[str, str],
    nodes: Collection[str],
    resting: Collection[str] = (),
    successors: Mapping[str, str] | None = None,
) -> tuple[str, str] | None:
    """(agent, node to live on) of the move that helps most; None where none does.

    Of equals one whose successor waits on that node, else the first by name. ``where`` and ``successors`` are the nodes of the
    agents and of their successors; nothing moves while an agent is on none of ``nodes``, the living ones. Agents of the kinds
    ``resting`` stay.
    """
    if not set(where.values()) <= set(nodes):
        return None
    waits = successors or {}
    free = [name for name in where if kind_of(name) not in resting]
    choices = (
        (unevenness({**where, name: node}), waits.get(name) != node, name, node) for name in free for node in nodes
    )
    best = min(choices, default=None)
    return None if best is None or best[0] >= unevenness(where) else best[2:]


def lacking(
    where: Mapping[str, str], successors: Mapping[str, str], nodes: Collection[str], resting: Collection[str] = ()
) -> tuple[str, str] | None:
    """(agent, node to load its successor on) of the first by name that has none on a living node other than its own.

    ``where`` and ``successors`` are the nodes of the agents and of their successors. Of the nodes the one where the fewest of
    both live; None where nobody but the agents ``resting`` lacks one, or there is no other node.
    """
    crowd = Counter([*where.values(), *successors.values()])
    for name, own in sorted(where.items()):
        others = sorted((crowd[node], node) for node in nodes if node != own)
        if others and name not in resting and successors.get(name) not in {node for _, node in others}:
            return name, others[0][1]
    return None
