"""Square-root impact in the QP: a convex cost replaced by chords that lie above it.

Trading z lots beyond the spread costs g(z) = ½ η z² + κ z^1.5 (linear and square-root impact; Almgren and Chriss 2001;
Almgren, Thum, Hauptmann and Li 2005, who find the power 0.6 of the rate, here ½). Over breakpoints q_k = cap (k/K)² the
chord of a convex g lies above it, so the programme never believes a trade to be cheaper than it is. The error of a chord is
at most η (b-a)²/8 + κ e(a, b), with e = 4/27 b^1.5 on the first piece and 3/32 (b-a)²/√a on the others; `worst_error`
gives the maximum: for a pure square root 2.4 % of the impact of the whole cap. Slopes rise from piece to piece, so the
optimum fills the pieces in order by itself.
*Tested by* tests/properties/test_netting_impact.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from common.messages import F64

if TYPE_CHECKING:
    from manager.netting import Problem

PIECES: Final = 4
#: Quadratic part left on a piece, as a share of its slope: it keeps the Hessian positive definite.
_UNIQUE: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Pieces:
    """A problem whose column k·m + j is piece k of instrument j."""

    problem: Problem
    instruments: int

    def sum(self, lots: F64) -> F64:
        """Lots per instrument (m,) of lots per piece (K m,)."""
        return np.asarray(lots.reshape(PIECES, self.instruments).sum(axis=0))


def breakpoints(cap: F64) -> F64:
    """(K + 1, m) lots, from 0 to the cap, closer together where g bends more."""
    return (np.arange(PIECES + 1)[:, None] / PIECES) ** 2 * cap[None, :]


def impact_cost(size: F64, impact: F64, root: F64) -> F64:
    """g(z) in USD for sizes (..., m) >= 0."""
    return np.asarray(0.5 * impact * size * size + root * size**1.5)


def worst_error(cap: F64, impact: F64, root: F64) -> F64:
    """USD (m,) by which the majorant may exceed g anywhere up to the cap, at most."""
    q = breakpoints(cap)
    width = np.diff(q, axis=0)
    bend = np.empty_like(width)
    bend[0] = 4.0 / 27.0 * width[0] ** 1.5
    with np.errstate(divide="ignore", invalid="ignore"):
        bend[1:] = np.where(q[1:-1] > 0.0, 3.0 / 32.0 * width[1:] ** 2 / np.sqrt(q[1:-1]), 0.0)
    return np.asarray((impact * width**2 / 8.0 + root * bend).max(axis=0))


def pieces_of(p: Problem) -> Pieces:
    """The problem with each instrument cut into pieces; caps of both sides are cut by the larger one's breakpoints."""
    m = len(p.cost)
    q = breakpoints(np.maximum(p.buy_cap, p.sell_cap))
    width = np.diff(q, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.diff(impact_cost(q, p.impact, p.root), axis=0) / width
    cost = p.cost[None, :] + np.where(width > 0.0, slope, 0.0)
    rows = np.hstack([np.tile(p.rows[:, :m], PIECES), np.tile(p.rows[:, m:], PIECES)])
    problem = replace(
        p,
        sensitivity=np.tile(p.sensitivity, PIECES),
        cost=cost.ravel(),
        impact=(_UNIQUE * cost).ravel(),
        buy_cap=np.clip(p.buy_cap - q[:-1], 0.0, width).ravel(),
        sell_cap=np.clip(p.sell_cap - q[:-1], 0.0, width).ravel(),
        rows=rows,
        root=np.zeros(1),
    )
    return Pieces(problem, m)
