"""The ladder of a book: underlying, expiry bucket, contract, with USD figures that add up at every rung.

A rung above the contracts is the sum of the rungs below it, added from the bottom up. Lots are added for contracts only:
lots of different contracts have no sum. A contract without a price is a rung of NaN; it is counted in ``unpriced`` of
every rung above it and left out of their sums. *After* is the book with every working order filled whole.
*Tested by* tests/unit/test_risk_ladder.py, tests/properties/test_risk_ladder.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from common.messages import F64, I64

FIRM, UNDERLYING, BUCKET, CONTRACT = range(4)
LEVELS: Final = ("firm", "underlying", "bucket", "contract")


@dataclass(frozen=True)
class Rung:
    """One line. before, after (g,) USD figures in the order of the figures given; ``unpriced`` contracts are not in them.

    ``lots_before``, ``lots_after`` are 0 above the contracts.
    """

    level: int
    name: str
    before: F64
    after: F64
    lots_before: int = 0
    lots_after: int = 0
    unpriced: int = 0
    rungs: tuple[Rung, ...] = ()

    def walk(self, deepest: int = CONTRACT) -> list[Rung]:
        """This rung and those below it down to a level, each followed by its own."""
        below = [r for rung in self.rungs for r in rung.walk(deepest)] if self.level < deepest else []
        return [self, *below]


def build_ladder(
    names: Sequence[str],
    underlying: I64,
    symbols: Sequence[str],
    bucket: I64,
    bucket_names: Sequence[str],
    per_lot: F64,
    lots_before: I64,
    lots_after: I64,
) -> Rung:
    """The ladder of n contracts: the firm's rung with everything below it.

    names (n,); underlying (n,) into ``symbols``; bucket (n,) into ``bucket_names``; per_lot (g, n) USD figures of one
    lot, NaN where there is no price; lots (n,) signed. Underlyings without contracts are left out.
    """
    priced = np.atleast_1d(np.isfinite(per_lot).all(axis=0))

    def contract(i: int) -> Rung:
        lots = int(lots_before[i]), int(lots_after[i])
        return Rung(CONTRACT, names[i], per_lot[:, i] * lots[0], per_lot[:, i] * lots[1], *lots, int(not priced[i]))

    def of_bucket(u: int, b: int) -> Rung:
        rows = np.flatnonzero((underlying == u) & (bucket == b))
        return _sum(BUCKET, bucket_names[b], [contract(int(i)) for i in rows], len(per_lot))

    def of_underlying(u: int) -> Rung:
        buckets = np.unique(bucket[underlying == u])
        return _sum(UNDERLYING, symbols[u], [of_bucket(u, int(b)) for b in buckets], len(per_lot))

    held = [int(u) for u in np.unique(underlying)]
    return _sum(FIRM, "all", [of_underlying(u) for u in held], len(per_lot))


def _sum(level: int, name: str, rungs: list[Rung], figures: int) -> Rung:
    before, after = np.zeros(figures), np.zeros(figures)
    for rung in rungs:
        if rung.level < CONTRACT or not rung.unpriced:
            before = before + rung.before
            after = after + rung.after
    return Rung(level, name, before, after, unpriced=sum(r.unpriced for r in rungs), rungs=tuple(rungs))


@dataclass(frozen=True, slots=True)
class LimitLine:
    """One limit against the book and its working orders, in the unit of the factor.

    low, high: the least and the most the exposure can be over every subset of the working orders, filled whole or in
    part; ``worst`` is the one of the two further from zero, and ``orders`` (row numbers) the subset that brings it.
    """

    factor: str
    unit: str
    before: float
    after: float
    low: float
    high: float
    worst: float
    orders: tuple[int, ...]
    soft: float
    hard: float

    @property
    def used(self) -> float:
        """|worst| over the hard limit; infinite for a limit of zero that is not kept."""
        if self.hard > 0.0:
            return abs(self.worst) / self.hard
        return 0.0 if self.worst == 0.0 else float("inf")


def worst_subset(before: float, orders: F64) -> tuple[float, float, float, tuple[int, ...]]:
    """(low, high, worst, orders of the worst) of an exposure over all subsets of changes (r,), each taken or not.

    Exposure is linear in the fills, so the extremes are all the rises or all the falls; partial fills lie between.
    """
    low = before + float(np.minimum(orders, 0.0).sum())
    high = before + float(np.maximum(orders, 0.0).sum())
    upwards = high >= -low
    chosen = np.flatnonzero(orders > 0.0) if upwards else np.flatnonzero(orders < 0.0)
    return low, high, high if upwards else low, tuple(int(i) for i in chosen)
