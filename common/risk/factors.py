"""The factors of ``common/factors.py`` as sums over the rows of a book: which row counts for which factor.

*Tested by* tests/unit/test_risk_stress.py, tests/unit/test_risk_ladder.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common import factors
from common.kernels.layout import DELTA, GAMMA, VEGA
from common.messages import F64, I64

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Factor:
    """One factor: row ``greek`` of the desk Greeks, summed over ``rows`` (r,), each times ``weight`` (r,).

    ``underlyings``: indices of those whose moves change it.
    """

    name: str
    greek: int
    rows: Rows
    weight: F64
    underlyings: tuple[int, ...]

    @property
    def unit(self) -> str:
        """Unit as shown to people."""
        return factors.unit_of(self.name)

    def contributions(self, desk: F64) -> F64:
        """What each row (…, n) of desk Greeks (GREEKS, …, n) adds, 0 outside ``rows``."""
        out = np.zeros(desk.shape[1:])
        out[..., self.rows] = desk[self.greek][..., self.rows] * self.weight
        return out

    def exposure(self, desk: F64) -> F64:
        """Exposure (…) of desk Greeks (GREEKS, …, n)."""
        return np.asarray(desk[self.greek][..., self.rows] @ self.weight)


def factors_of(
    underlying: I64, symbols: Sequence[str], bucket: I64, bucket_names: Sequence[str], betas: F64
) -> tuple[Factor, ...]:
    """Delta and gamma of every underlying held, vega of every underlying and bucket held, and the common factor.

    underlying, bucket (n,) per row; betas (u,) to the common factor.
    """
    out: list[Factor] = []
    for u in np.unique(underlying):
        mine, symbol, at = np.flatnonzero(underlying == u), symbols[int(u)], (int(u),)
        out.append(Factor(factors.delta(symbol), DELTA, mine, np.ones(len(mine)), at))
        out.append(Factor(factors.gamma(symbol), GAMMA, mine, np.ones(len(mine)), at))
        for b in np.unique(bucket[mine]):
            rows = mine[bucket[mine] == b]
            out.append(Factor(factors.vega(symbol, bucket_names[int(b)]), VEGA, rows, np.ones(len(rows)), at))
    everything = np.arange(len(underlying))
    held = tuple(int(u) for u in np.unique(underlying))
    out.append(Factor(factors.COMMON, DELTA, everything, np.asarray(betas)[underlying], held))
    return tuple(out)
