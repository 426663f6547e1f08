"""What every kind's ``decide`` takes beside the `Picture`, and what it returns: the content of a proposal.

*Tested by* the tests of each kind (tests/unit/test_agents_gamma.py and its siblings).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agents.config import AgentsConfig
from common.factors import desk_of, underlying_of
from common.messages import F64

#: Share of its gamma at which a delta half-width, which goes with its power 2/3, is a quarter narrower.
_STANDS_DOWN_TO: Final = 0.75**1.5


@dataclass(frozen=True, slots=True)
class Terms:
    """What people and manager set: one risk aversion, soft limits per factor (absent: none), the settings.

    ``standing``: per factor the |ΓF²| that its half-width went by while prices stood where they stand now (`triggers.standing`).
    """

    risk_aversion_per_usd: float
    soft_limit: Mapping[str, float]
    config: AgentsConfig
    standing: Mapping[str, float] = field(default_factory=dict)

    def limit(self, factor: str) -> float:
        """Soft limit on |exposure| in the factor's unit; infinity where none is set."""
        return self.soft_limit.get(factor, math.inf)

    def width_gamma(self, factor: str, dollar_gamma_usd: float) -> float:
        """|ΓF²| in USD that a factor's half-width goes by, of the one it has; NaN where that is NaN.

        A little less than it stood by, no more than narrows the width by a quarter, is no reason to narrow while prices stand.
        A width goes by the gamma held, so a trade that pays by the widths before it may pay back by those after it, for
        ever; where they only widen every trade leaves less outside, and none is taken back.
        """
        now, stood = abs(dollar_gamma_usd), self.standing.get(factor, 0.0)
        return stood if _STANDS_DOWN_TO * stood <= now < stood else now


@dataclass(frozen=True, slots=True)
class Decision:
    """f factors, m menu instruments: exposure, half_width (f,); sensitivity (f, m) per lot bought; alone_lots (m,).

    ``width_gamma``: |ΓF²| by factor that a half-width went by, where it goes by one (`Terms.width_gamma`).
    """

    factor: tuple[str, ...]
    exposure: F64
    half_width: F64
    sensitivity: F64
    alone_lots: F64
    reported: tuple[str, ...] = ()
    reported_value: F64 = field(default_factory=lambda: np.empty(0))
    #: Where there are several desks: those spoken for, and the wish for each, (d, m).
    desk: tuple[str, ...] = ()
    desk_alone_lots: F64 = field(default_factory=lambda: np.empty((0, 0)))
    width_gamma: Mapping[str, float] = field(default_factory=dict)

    def sayable(self, symbols: Set[str]) -> tuple[Decision, tuple[str, ...]]:
        """What can be said of it: the factors of these underlyings ("": the common one) where all of a desk's are numbers.

        Second: those that are none. Of the wishes stay those for what moves a factor that is said.
        """
        unpriced = [n for n, usd in zip(self.factor, self.exposure, strict=True) if not np.isfinite(usd)]
        unpriced = [name for name in unpriced if underlying_of(name) in symbols]
        lost = {_place(name) for name in unpriced}

        def known(names: tuple[str, ...]) -> list[int]:
            return [i for i, n in enumerate(names) if underlying_of(n) in symbols and _place(n) not in lost]

        at, told = known(self.factor), known(self.reported)
        if len(at) == len(self.factor):
            return self, ()
        sensitivity = self.sensitivity[at]
        spoken = [desk_of(self.factor[i]) for i in at]
        wishes = [
            wish * _moved(sensitivity, desk, spoken) for desk, wish in zip(self.desk, self.desk_alone_lots, strict=True)
        ]
        wish = np.sum(wishes, axis=0) if wishes else self.alone_lots * _moved(sensitivity, "", spoken)
        part = replace(
            self,
            factor=tuple(self.factor[i] for i in at),
            exposure=self.exposure[at],
            half_width=self.half_width[at],
            sensitivity=sensitivity,
            alone_lots=wish,
            desk_alone_lots=np.array(wishes) if wishes else self.desk_alone_lots,
            reported=tuple(self.reported[i] for i in told),
            reported_value=self.reported_value[told],
        )
        return part, tuple(unpriced)


def _place(name: str) -> tuple[str, str]:
    return underlying_of(name), desk_of(name)


def _moved(sensitivity: F64, desk: str, of_row: Sequence[str]) -> NDArray[np.bool_]:
    """Which instruments (m,) move a factor of a desk; ``of_row``: the desk of each row."""
    mine = np.array([d == desk for d in of_row], np.bool_)
    return np.asarray((sensitivity[mine] != 0.0).any(axis=0))


def cheapest(cost_usd: F64, effect: F64) -> int:
    """Row with the least cost per unit of |effect|, -1 where nothing has an effect; ties to the first."""
    able = np.flatnonzero(effect)
    return int(able[np.argmin(cost_usd[able] / np.abs(effect[able]))]) if len(able) else -1
