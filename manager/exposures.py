"""What the agents last said, as columns over every factor of the universe, kept re-based to the positions of now.

One row a factor, one owner a row. ``sensitivity`` remembers the last known change of each factor per lot of each
instrument: NaN is unknown; what is zero by nature (a future has no gamma or vega, a factor of one underlying does not
move with instruments on another) is known from the start. Exposures move with every fill as it is booked. Of several
desks each has rows of its own, and moves with its own part of a fill or crossing.
*Tested by* tests/unit/test_manager_exposures.py, tests/properties/test_manager_fold.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from common import factors
from common.limits import Limits
from common.messages import F64, I64, Proposal
from common.universe import FUTURE, Universe

Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]


#: Signed lots: of the one desk there is, or one number a desk, (desks,).
Moved = int | I64


def factor_names(universe: Universe, desks: tuple[str, ...] = ("",)) -> tuple[str, ...]:
    """Every factor an agent may own here, desk by desk: per underlying delta, gamma, vega buckets, proxy; the common one."""
    out: list[str] = []
    for symbol in universe.symbols:
        out += [factors.delta(symbol), factors.gamma(symbol), factors.proxy(symbol)]
        out += [factors.vega(symbol, bucket) for bucket in factors.BUCKET_NAMES]
    return tuple(factors.at_desk(name, desk) for desk in desks for name in (*out, factors.COMMON))


class FactorTable:
    """Columns (f,) over the factors and sensitivities (f, n instruments). NaN exposure: nobody has spoken yet.

    ``told`` outlives its owner: where a factor was last said to stand, moved by all that is known since (what is not moves it by
    nothing); NaN: nobody has ever said. ``said_ns`` is the event time of that word.
    ``desk`` (f,): position of each row's desk in ``desks``.
    """

    def __init__(self, universe: Universe, desks: tuple[str, ...] = ("",)) -> None:
        self.names = factor_names(universe, desks)
        self.desk = np.repeat(np.arange(len(desks)), len(self.names) // len(desks))
        self.index = {name: i for i, name in enumerate(self.names)}
        f, n = len(self.names), len(universe)
        self.exposure = np.full(f, np.nan)
        self.told = np.full(f, np.nan)
        self.said_ns = np.zeros(f, np.int64)
        self.lower = np.full(f, np.nan)
        self.upper = np.full(f, np.nan)
        self.weighs_cost = np.zeros(f, np.bool_)
        self.expires_ns = np.zeros(f, np.int64)
        self.owner = np.full(f, "", dtype=object)
        self.underlying = np.array(
            [universe.symbols.index(u) if (u := factors.underlying_of(name)) else -1 for name in self.names], np.int64
        )
        self.sensitivity = np.full((f, n), np.nan)
        self._zeros_by_nature(universe)
        #: Where a sensitivity is zero by nature, and where the owner's last proposal states it.
        self.nature = self.sensitivity == 0.0
        self.stated = np.zeros((f, n), np.bool_)

    @property
    def per_desk(self) -> int:
        """Rows of each desk; they follow each other desk by desk, equal factors at equal places."""
        return len(self.names) // (int(self.desk[-1]) + 1)

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

    def accept(self, proposal: Proposal, since: Mapping[int, Moved]) -> None:
        """Take a proposal in: its rows are replaced, then moved by what was traded ``since`` its position version."""
        rows = self.rows_of(proposal)
        self.exposure[rows] = proposal.exposure
        self.lower[rows] = proposal.lower
        self.upper[rows] = proposal.upper
        self.weighs_cost[rows] = proposal.weighs_cost.astype(np.bool_)
        self.expires_ns[rows] = proposal.expires_ns
        self.owner[rows] = proposal.agent
        told = np.ix_(rows, proposal.menu.astype(np.intp))
        self.sensitivity[told] = proposal.sensitivity
        self.stated[rows] = False
        self.stated[told] = True
        for instrument, moved in since.items():
            self.exposure[rows] += self.change(rows, instrument, moved)
        self.told[rows] = self.exposure[rows]
        self.said_ns[rows] = proposal.header.event_time_ns

    def change(self, rows: Rows, instrument: int, moved: Moved) -> F64:
        """Sensitivity × lots of each row's desk, (r,): 0 for a desk that does not move, known or not."""
        if isinstance(moved, int):
            return np.asarray(self.sensitivity[rows, instrument] * moved)
        lots = moved[self.desk[rows]]
        return np.where(lots == 0, 0.0, self.sensitivity[rows, instrument] * lots)

    def rebase(self, proposal: Proposal, since: Mapping[int, Moved]) -> tuple[Bools, F64]:
        """For a proposal not yet accepted: (known, moved): known sensitivities and Σ|S × lots| per factor, (f,)."""
        rows = self.rows_of(proposal)
        at = {int(j): k for k, j in enumerate(proposal.menu)}
        known, moved = np.ones(len(rows), np.bool_), np.zeros(len(rows))
        for instrument, traded in since.items():
            k = at.get(instrument)
            s = self.sensitivity[rows, instrument] if k is None else proposal.sensitivity[:, k]
            lots = traded if isinstance(traded, int) else traded[self.desk[rows]]
            known &= ~np.isnan(s) | (np.asarray(lots) == 0)
            moved += np.abs(np.nan_to_num(s) * lots)
        return known, moved

    def fill(self, instrument: int, moved: Moved) -> None:
        """Move every exposure by a fill; one whose sensitivity is unknown becomes NaN until its owner speaks again."""
        change = self.change(np.arange(len(self.names)), instrument, moved)
        self.exposure += change
        self.told += np.where(np.isnan(change), 0.0, change)

    def drop(self, agents: set[str]) -> None:
        """Forget what these agents said: they no longer own what they owned. Where it stood stays ``told``."""
        gone = np.isin(self.owner, list(agents)) if agents else np.zeros(len(self.names), np.bool_)
        self.exposure[gone] = np.nan
        self.expires_ns[gone] = 0
        self.owner[gone] = ""

    def live(self, now_ns: int) -> Bools:
        """Rows that may be decided on: stated, unexpired, re-based without an unknown."""
        live: Bools = (self.expires_ns > now_ns) & ~np.isnan(self.exposure)
        return live


def limit_columns(limits: Limits, names: tuple[str, ...]) -> tuple[F64, F64]:
    """(soft, hard) limits on |exposure| per factor, (f,); infinite where nobody set one.

    A desk's factor is held to its own limit and to the firm's for that factor, whichever is tighter.
    """
    found = [(limits.of_factor(name), limits.of_factor(factors.without_desk(name))) for name in names]
    soft = np.array([min((x.soft_usd for x in pair if x is not None), default=np.inf) for pair in found])
    hard = np.array([min((x.hard_usd for x in pair if x is not None), default=np.inf) for pair in found])
    return soft, hard
