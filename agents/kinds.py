"""The three kinds side by side: from keys to what an agent looks at and decides.

*Tested by* tests/unit/test_agents_step.py, tests/unit/test_factors.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import agents.cross_asset.decide as cross_asset
import agents.gamma.decide as gamma
import agents.vega.decide as vega
from agents.cross_asset.covariance import GridCovariance
from agents.decision import Decision, Terms
from agents.desks import decide_desks
from agents.pricing import Picture
from common import factors
from common.messages import F64
from common.subjects import feed_source
from common.universe import Universe


@dataclass(frozen=True, slots=True)
class Selection:
    """What follows from the keys an agent owns; rows are those of ``Universe.underlyings``."""

    keys: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    underlyings: tuple[int, ...] = ()
    underlying_of: dict[str, int] = field(default_factory=dict)  # by source of quotes
    buckets: tuple[tuple[int, int], ...] = ()  # vega: (underlying, bucket) per key
    factors_of: tuple[int, ...] = ()  # gamma: underlying per key; cross_asset: COMMON_FACTOR or underlying per key
    desks: tuple[tuple[str, Selection], ...] = ()  # of several desks: each one's own part, under names without it


def select(universe: Universe, kind: str, keys: tuple[str, ...]) -> Selection:
    """Selection of an agent of ``kind`` that owns ``keys``. Raises ``KeyError`` naming an unknown underlying."""
    names = sorted({factors.desk_of(key) for key in keys})
    if names in ([], [""]):
        return _select(universe, kind, keys)
    own = {desk: tuple(factors.without_desk(k) for k in keys if factors.desk_of(k) == desk) for desk in names}
    whole = _select(universe, kind, tuple(sorted({k for mine in own.values() for k in mine})))
    parts = tuple((desk, _select(universe, kind, mine)) for desk, mine in own.items())
    return replace(whole, keys=keys, desks=parts)


def _select(universe: Universe, kind: str, keys: tuple[str, ...]) -> Selection:
    rows: list[int] = []
    own: list[int] = []
    buckets: list[tuple[int, int]] = []
    futures = [i for i, u in enumerate(universe.underlyings) if u.future_instrument >= 0]
    for key in keys:
        place = key.split("/")
        if kind == factors.CROSS_ASSET:
            rows += futures
            own.append(cross_asset.COMMON_FACTOR if place[1] == "common" else universe.underlying_index(place[2]))
            rows += [u for u in own[-1:] if u >= 0]
        else:
            u = universe.underlying_index(place[1])
            rows.append(u)
            if kind == factors.VEGA:
                buckets.append((u, factors.BUCKET_NAMES.index(place[2])))
            else:
                own.append(u)
    underlyings = tuple(sorted(set(rows)))
    symbols = tuple(universe.symbols[u] for u in underlyings)
    sources = {feed_source(universe.symbols[u]): u for u in underlyings}
    return Selection(keys, symbols, underlyings, sources, tuple(buckets), tuple(own))


def decide_kind(
    kind: str,
    picture: Picture,
    symbols: tuple[str, ...],
    selection: Selection,
    terms: Terms,
    covariance: GridCovariance | None,
    lots: Mapping[str, F64] | None = None,
) -> Decision:
    """The decision of one agent. ``covariance`` is needed by the cross-asset kind only; ``lots`` where there are desks.

    ``lots``: each desk's positions (h,) in the held instruments of ``picture``.
    """
    if selection.desks:
        assert lots is not None
        own = dict(selection.desks)

        def decide(desk: str, mine: Picture, its: Terms) -> Decision:
            return decide_kind(kind, mine, symbols, own[desk], its, covariance)

        return decide_desks(decide, picture, terms, {desk: lots[desk] for desk in own})
    if kind == factors.GAMMA:
        return gamma.decide(picture, symbols, selection.factors_of, terms)
    if kind == factors.VEGA:
        return vega.decide(picture, symbols, selection.buckets, terms)
    assert covariance is not None
    return cross_asset.decide(picture, symbols, selection.factors_of, covariance.matrix, terms)
