"""By which tactic an order is to be worked: a stated rule of its size against the size shown, and nothing else.

*Tested by* tests/unit/test_manager_tactics.py.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from common.tactics import DIRECT, Tactic, TacticKind


class TacticRule(BaseModel):
    """``kind`` of every order, or ``by_size``: SLICED above ``sliced_above_share`` of the far side's lots, else DIRECT.

    Times in milliseconds of market time. The limit of a worked order is the far side at the decision, as of every order.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["direct", "passive", "sliced", "by_size"] = "direct"
    sliced_above_share: float = Field(default=0.5, ge=0.0)
    urgency_percent: int = Field(default=50, ge=0, le=100)
    participation_percent: int = Field(default=20, ge=1, le=100)
    budget_ms: int = Field(default=8_000, ge=1, le=86_400_000)
    interval_ms: int = Field(default=500, ge=1, le=86_400_000)
    improve_ticks: int = Field(default=0, ge=0, le=1_000)
    runaway_ticks: int = Field(default=0, ge=0, le=1_000_000)


def chosen(rule: TacticRule, lots: int, shown_lots: int) -> Tactic:
    """The tactic of an order of ``lots`` where the far side shows ``shown_lots``."""
    kind = rule.kind
    if kind == "by_size":
        kind = "sliced" if lots > rule.sliced_above_share * shown_lots else "direct"
    if kind == "direct":
        return DIRECT
    times = {"budget_ms": rule.budget_ms, "interval_ms": rule.interval_ms}
    if kind == "sliced":
        return Tactic(TacticKind.SLICED, participation_percent=rule.participation_percent, **times)
    return Tactic(
        TacticKind.PASSIVE,
        urgency_percent=rule.urgency_percent,
        improve_ticks=rule.improve_ticks,
        runaway_ticks=rule.runaway_ticks,
        **times,
    )
