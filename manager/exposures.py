"""What the agents last said, as columns over every factor of the universe, kept re-based to the positions of now.

One row a factor, one owner a row. ``sensitivity`` remembers the last known change of each factor per lot of each
instrument: NaN is unknown; what is zero by nature (a future has no gamma or vega, a factor of one underlying does not
move with instruments on another) is known from the start. Exposures move with every fill as it is booked.
*Tested by* tests/unit/test_manager_exposures.py, tests/properties/test_manager_fold.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from common import factors
from common.limits import Limits
from common.messages import F64, Proposal
from common.universe import FUTURE, Universe

Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]


def factor_names(universe: Universe) -> tuple[str, ...]:
    """Every factor an agent may own here: per underlying delta, gamma, vega buckets, proxy; then the common one."""
    out: list[str] = []
    for symbol in universe.symbols:
        out += [factors.delta(symbol), factors.gamma(symbol), factors.proxy(symbol)]
        out += [factors.vega(symbol, bucket) for bucket in factors.BUCKET_NAMES]
    return (*out, factors.COMMON)


def underlying_of(factor: str) -> str:
    """Underlying a factor belongs to; empty for the common factor."""
    head, _, rest = factor.partition(":")
    return "" if head == "factor" else rest.partition("/")[0]


class FactorTable:
    """Columns (f,) over the factors and sensitivities (f, n instruments). NaN exposure: nobody has spoken yet."""

    def __init__(self, universe: Universe) -> None:
        self.names = factor_names(universe)
        self.index = {name: i for i, name in enumerate(self.names)}
        f, n = len(self.names), len(universe)
        self.exposure = np.full(f, np.nan)
        self.lower = np.full(f, np.nan)
        self.upper = np.full(f, np.nan)
        self.weighs_cost = np.zeros(f, np.bool_)
        self.expires_ns = np.zeros(f, np.int64)
        self.owner = np.full(f, "", dtype=object)
        self.underlying = np.array(
            [universe.symbols.index(u) if (u := underlying_of(name)) else -1 for name in self.names], np.int64
        )
        self.sensitivity = np.full((f, n), np.nan)
        self._zeros_by_nature(universe)
        #: Where a sensitivity is zero by nature, and where the owner's last proposal states it.
        self.nature = self.sensitivity == 0.0
        self.stated = np.zeros((f, n), np.bool_)

    def _zeros_by_nature(self, universe: Universe) -> None:
        future = universe.kind == FUTURE
        for i, name in enumerate(self.names):
            if self.underlying[i] < 0 or name.startswith("proxy:"):
                continue
            self.sensitivity[i, universe.underlying != self.underlying[i]] = 0.0
            if not name.startswith("delta:"):
                self.sensitivity[i, future] = 0.0

    def rows_of(self, proposal: Proposal) -> Rows:
        """Rows of a proposal's factors."""
        return np.array([self.index[name] for name in proposal.factor], np.intp)

    def accept(self, proposal: Proposal, since: Mapping[int, int]) -> None:
        """Take a proposal in: its rows are replaced, then moved by what was traded ``since`` its position version."""
        rows = self.rows_of(proposal)
        self.exposure[rows] = proposal.exposure
        self.lower[rows] = proposal.lower
        self.upper[rows] = proposal.upper
        self.weighs_cost[rows] = proposal.weighs_cost.astype(np.bool_)
        self.expires_ns[rows] = proposal.expires_ns
        self.owner[rows] = proposal.agent
        self.sensitivity[np.ix_(rows, proposal.menu.astype(np.intp))] = proposal.sensitivity
        self.stated[rows] = False
        self.stated[np.ix_(rows, proposal.menu.astype(np.intp))] = True
        for instrument, lots in since.items():
            self.exposure[rows] += self.sensitivity[rows, instrument] * lots

    def rebase(self, proposal: Proposal, since: Mapping[int, int]) -> tuple[Bools, F64]:
        """For a proposal not yet accepted: (known, moved): known sensitivities and Σ|S × lots| per factor, (f,)."""
        rows = self.rows_of(proposal)
        at = {int(j): k for k, j in enumerate(proposal.menu)}
        known, moved = np.ones(len(rows), np.bool_), np.zeros(len(rows))
        for instrument, lots in since.items():
            k = at.get(instrument)
            s = self.sensitivity[rows, instrument] if k is None else proposal.sensitivity[:, k]
            known &= ~np.isnan(s)
            moved += np.abs(np.nan_to_num(s) * lots)
        return known, moved

    def fill(self, instrument: int, lots: int) -> None:
        """Move every exposure by a fill; one whose sensitivity is unknown becomes NaN until its owner speaks again."""
        self.exposure += self.sensitivity[:, instrument] * lots

    def drop(self, agents: set[str]) -> None:
        """Forget what these agents said: they no longer own what they owned."""
        gone = np.isin(self.owner, list(agents)) if agents else np.zeros(len(self.names), np.bool_)
        self.exposure[gone] = np.nan
        self.expires_ns[gone] = 0
        self.owner[gone] = ""

    def live(self, now_ns: int) -> Bools:
        """Rows that may be decided on: stated, unexpired, re-based without an unknown."""
        live: Bools = (self.expires_ns > now_ns) & ~np.isnan(self.exposure)
        return live


def limit_columns(limits: Limits, names: tuple[str, ...]) -> tuple[F64, F64]:
    """(soft, hard) limits on |exposure| per factor, (f,); infinite where nobody set one."""
    found = [limits.of_factor(name) for name in names]
    soft = np.array([np.inf if x is None else x.soft_usd for x in found])
    hard = np.array([np.inf if x is None else x.hard_usd for x in found])
    return soft, hard
