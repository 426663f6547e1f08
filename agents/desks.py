"""Several desks in one agent: each desk's factors from its own positions, one proposal for all of them.

Prices, Greeks and the menu are the same for every desk and computed once; exposures, intervals and wishes are each
desk's own. Names carry the desk (``delta:SPX@rates``). *Tested by* tests/unit/test_desks.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from agents.decision import Decision, Terms
from agents.pricing import Picture
from common.factors import at_desk, desk_of, without_desk
from common.messages import F64


def decide_desks(
    decide: Callable[[str, Picture, Terms], Decision], picture: Picture, terms: Terms, lots: dict[str, F64]
) -> Decision:
    """The decisions of several desks as one. ``lots``: each desk's positions (h,) in the held instruments of ``picture``.

    ``decide(desk, picture, terms)`` decides for one of them under names without a desk.
    """
    parts = [decide(desk, _holding(picture, mine), _terms(terms, desk)) for desk, mine in lots.items()]
    names = [at_desk(name, desk) for desk, part in zip(lots, parts, strict=True) for name in part.factor]
    reported = [at_desk(name, desk) for desk, part in zip(lots, parts, strict=True) for name in part.reported]
    wishes = np.array([part.alone_lots for part in parts])
    return Decision(
        factor=tuple(names),
        exposure=np.concatenate([part.exposure for part in parts]),
        half_width=np.concatenate([part.half_width for part in parts]),
        sensitivity=np.concatenate([part.sensitivity for part in parts]),
        alone_lots=wishes.sum(axis=0),
        reported=tuple(reported),
        reported_value=np.concatenate([part.reported_value for part in parts]),
        desk=tuple(lots),
        desk_alone_lots=wishes,
        width_gamma={
            at_desk(name, desk): gamma
            for desk, part in zip(lots, parts, strict=True)
            for name, gamma in part.width_gamma.items()
        },
    )


def _holding(picture: Picture, lots: F64) -> Picture:
    """The picture of a desk: only what it holds, so that what another desk cannot price does not silence it."""
    own = np.flatnonzero(lots)
    return replace(
        picture,
        held=picture.held[own],
        lots=lots[own],
        held_underlying=picture.held_underlying[own],
        held_expiry_ns=picture.held_expiry_ns[own],
        held_greeks=picture.held_greeks[own],
    )


def _terms(terms: Terms, desk: str) -> Terms:
    return replace(terms, soft_limit=_own(terms.soft_limit, desk), standing=_own(terms.standing, desk))


def _own(of_factor: Mapping[str, float], desk: str) -> dict[str, float]:
    return {without_desk(name): value for name, value in of_factor.items() if desk_of(name) == desk}
