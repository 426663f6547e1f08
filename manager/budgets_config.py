"""How often and how boldly budgets are divided; what is divided stands in the limits file. Market time throughout.

*Tested by* tests/unit/test_budgets_round.py.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class BudgetsConfig(BaseModel):
    """Settings of the rounds. A round is held where the limits state a risk budget, a drawdown stop or a margin limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    #: The slow round.
    slow_s: float = Field(default=900.0, gt=0.0)
    #: The fast round: an underlying moved by this many daily standard deviations since the last one.
    move_sigma: float = Field(default=0.5, gt=0.0)
    #: Rounds are at least this far apart, and at most so many in an hour; a stop is never kept waiting.
    min_gap_s: float = Field(default=30.0, ge=0.0)
    rounds_per_hour: int = Field(default=20, ge=1, le=1_000)
    #: Agents hear of new budgets only where one changed by more than this share of itself.
    hysteresis: float = Field(default=0.1, ge=0.0, lt=1.0)
    #: Part of what a factor does not need that goes to where more removes more.
    transfer: float = Field(default=0.5, ge=0.0, lt=1.0)
    #: Part of the cost budget that is divided equally, whoever needs it.
    equal_cost_share: float = Field(default=0.2, gt=0.0, le=1.0)
    #: A kind that has spent this share of its cost budget calls for a round.
    nearly_spent: float = Field(default=0.9, gt=0.0, le=1.0)
    #: Expected shortfall, where the division is by the tail: level, states drawn, seed.
    cvar_level: float = Field(default=0.975, ge=0.5, lt=1.0)
    cvar_states: int = Field(default=2_048, ge=128, le=65_536)
    seed: int = 1
