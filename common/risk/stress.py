"""Reverse stress: the smallest move of spots and volatilities that breaks a limit.

A move changes each underlying's spot by a share and its volatilities by the rule of the scenarios; its size is counted
in standard deviations of the joint distribution of these moves (Mahalanobis distance, ``search.py``). A limit on the
exposure of one underlying is searched over the moves of that underlying alone, the others following as they may: the
distance under its own block of the covariance. A loss limit, and the common factor, are searched over all moves at once.
Every point is a full revaluation. Source: Breuer, Jandačka, Rheinberger and Summer (2009), "How to find plausible, severe
and useful stress scenarios", section 3 (plausibility by Mahalanobis distance).
*Tested by* tests/unit/test_risk_stress.py (closed forms, brute force), tests/properties/test_risk_stress.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from common.kernels.layout import GREEKS
from common.messages import F64
from common.risk.dollars import desk_greeks
from common.risk.factors import Factor, Rows
from common.risk.holdings import Holdings
from common.risk.scenarios import Progress, Rules, Shocks, pnl_by_underlying, revalue
from common.risk.search import Found, Measure, root_of, smallest_moves

LOSS = "loss"


@dataclass(frozen=True)
class Breach:
    """One limit. ``sigmas``: size of the smallest move that breaks it, 0 if broken already, NaN if none within reach.

    now, then: exposure (a loss is negative P&L) before and at the move; spot, vol (u,) the move, NaN without one.
    """

    limit: str
    unit: str
    hard: float
    now: float
    then: float
    sigmas: float
    spot: F64
    vol: F64


@dataclass(frozen=True)
class Reach:
    """How far and how finely to look: standard deviations, radial step, directions, seed of those above two dimensions."""

    farthest: float = 6.0
    step: float = 0.125
    directions: int = 48
    seed: int = 0


def exposures(holdings: Holdings, factors: Sequence[Factor], shocks: Shocks, rules: Rules) -> F64:
    """Exposure (m, f) of each factor in each of m states, by full revaluation; NaN where a row cannot be valued."""
    out = np.empty((len(shocks), len(factors)))
    for part, columns, greeks in revalue(holdings, shocks, rules):
        k = part.stop - part.start
        desk = desk_greeks(columns, greeks, np.tile(holdings.usd_per_point, k)).reshape(GREEKS, k, len(holdings))
        for i, factor in enumerate(factors):
            out[part, i] = factor.exposure(desk)
    return out


@dataclass(frozen=True)
class _Moves:
    """The moves of some underlyings: x (m, 2k) is their spot shares, then their vol shocks; the others stand still."""

    held: tuple[int, ...]
    underlyings: int

    @property
    def at(self) -> list[int]:
        """Their places among all 2u factors of the covariance."""
        return [*self.held, *(self.underlyings + u for u in self.held)]

    def spread(self, x: F64) -> tuple[F64, F64]:
        """(spot, vol), each (m, u), of x (m, 2k); NaN stays NaN."""
        full = np.zeros((len(x), 2 * self.underlyings))
        full[:, self.at] = x
        return full[:, : self.underlyings], full[:, self.underlyings :]

    def shocks(self, x: F64) -> Shocks:
        """States; a spot cannot lose more than all but a thousandth, whatever the direction asks for."""
        spot, vol = self.spread(x)
        return Shocks.of(np.maximum(spot, -0.999), vol)


def break_limits(
    holdings: Holdings,
    factors: Sequence[Factor],
    hard: F64,
    covariance: F64,
    rules: Rules,
    reach: Reach | None = None,
    progress: Progress | None = None,
) -> list[Breach]:
    """The smallest move that brings each |exposure| to its hard limit, in the order of ``factors``.

    hard (f,) > 0 in the factor's unit; covariance (2u, 2u) of (spot shares, vol shocks) over the period that a standard
    deviation means. Factors that depend on the same underlyings are searched together.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for i, factor in enumerate(factors):
        groups.setdefault(factor.underlyings, []).append(i)
    found: dict[int, Breach] = {}
    for done, (held, members) in enumerate(groups.items()):
        share = _part(progress, done, len(groups))
        breaches = _break_group(
            holdings, [factors[i] for i in members], hard[members], covariance, rules, held, reach, share
        )
        found |= dict(zip(members, breaches, strict=True))
    return [found[i] for i in range(len(factors))]


def _break_group(
    holdings: Holdings,
    factors: Sequence[Factor],
    hard: F64,
    covariance: F64,
    rules: Rules,
    held: tuple[int, ...],
    reach: Reach | None,
    progress: Progress | None,
) -> list[Breach]:
    moves = _Moves(held, len(holdings.symbols))
    rows = np.flatnonzero(np.isin(holdings.underlying, held))
    part, inside = holdings.take(rows), [_renumbered(f, rows) for f in factors]

    def exposure(x: F64) -> F64:
        return exposures(part, inside, moves.shocks(x), rules)

    found = _search(lambda x: np.abs(exposure(x)) / hard, moves, covariance, reach, progress)
    ends = exposure(np.nan_to_num(np.concatenate([np.zeros((1, len(moves.at))), found.move])))
    spot, vol = moves.spread(found.move)
    return [
        Breach(
            f.name,
            f.unit,
            float(hard[k]),
            float(ends[0, k]),
            _at(ends[k + 1, k], found, k),
            float(found.sigmas[k]),
            spot[k],
            vol[k],
        )
        for k, f in enumerate(factors)
    ]


def break_loss(
    holdings: Holdings,
    hard_usd: float,
    covariance: F64,
    rules: Rules,
    reach: Reach | None = None,
    progress: Progress | None = None,
) -> Breach:
    """The smallest joint move of everything held that loses ``hard_usd`` > 0."""
    moves = _Moves(tuple(int(u) for u in np.unique(holdings.underlying)), len(holdings.symbols))

    def pnl(x: F64) -> F64:
        return np.asarray(pnl_by_underlying(holdings, moves.shocks(x), rules).sum(axis=1))

    found = _search(lambda x: -pnl(x)[:, None] / hard_usd, moves, covariance, reach, progress)
    then = float(pnl(np.nan_to_num(found.move))[0])
    spot, vol = moves.spread(found.move)
    return Breach(LOSS, "USD", hard_usd, 0.0, _at(then, found, 0), float(found.sigmas[0]), spot[0], vol[0])


def _search(measure: Measure, moves: _Moves, covariance: F64, reach: Reach | None, progress: Progress | None) -> Found:
    reach = reach or Reach()
    return smallest_moves(
        measure,
        root_of(covariance[np.ix_(moves.at, moves.at)]),
        farthest=reach.farthest,
        step=reach.step,
        count=reach.directions,
        seed=reach.seed,
        progress=progress,
    )


def _renumbered(factor: Factor, rows: Rows) -> Factor:
    """The factor over the holdings that ``rows`` (ascending) pick out."""
    return replace(factor, rows=np.searchsorted(rows, factor.rows))


def _at(value: float, found: Found, k: int) -> float:
    return float(value) if np.isfinite(found.sigmas[k]) else float("nan")


def _part(progress: Progress | None, done: int, of: int) -> Progress | None:
    return None if progress is None else lambda share: progress((done + share) / of)
