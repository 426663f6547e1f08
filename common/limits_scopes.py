"""The parts of a limits file: what may be set for the firm, a desk, an agent kind, an underlying, a factor.

Amounts are US dollars in the unit of what they limit. *Tested by* tests/unit/test_limits.py, tests/unit/test_limits_scopes.py.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from common import factors

FLOWS = ("cost_usd", "notional_usd", "orders")
#: Larger amounts are no limits: in cents, and summed up, all of them fit 64 bits.
USD_MAX, LOTS_MAX, ORDERS_MAX = 1e16, 10**9, 10**12


class Frozen(BaseModel):
    """Base of everything in a limits file: nothing unknown, nothing infinite, nothing changed after creation."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


class FactorLimit(Frozen):
    """Limit on |exposure| of each factor a pattern covers: agents stay inside soft, no order may go beyond hard."""

    soft_usd: float = Field(ge=0.0, le=USD_MAX)
    hard_usd: float = Field(ge=0.0, le=USD_MAX)
    unit: str | None = None


class SumLimit(Frozen):
    """Limit on |Σ exposure| over every factor, of every desk, that one of the patterns covers; one unit in all."""

    factors: list[str] = Field(min_length=1)
    hard_usd: float = Field(ge=0.0, le=USD_MAX)


class RiskLimit(Frozen):
    """Residual risk of a scope: standard deviation over one day of the P&L of its exposures, USD.

    Soft is what the manager divides among the factors; beyond hard the scope is reduce-only.
    """

    soft_usd: float = Field(gt=0.0, le=USD_MAX)
    hard_usd: float = Field(gt=0.0, le=USD_MAX)


class OrderCaps(Frozen):
    """Largest single order."""

    max_lots_future: int = Field(gt=0, le=LOTS_MAX)
    max_lots_option: int = Field(gt=0, le=LOTS_MAX)
    max_notional_usd: float = Field(gt=0.0, le=USD_MAX)


class OrderShare(Frozen):
    """Largest single order that may serve a scope; what is absent is bounded by the firm's alone."""

    max_lots_future: int | None = Field(default=None, gt=0, le=LOTS_MAX)
    max_lots_option: int | None = Field(default=None, gt=0, le=LOTS_MAX)
    max_notional_usd: float | None = Field(default=None, gt=0.0, le=USD_MAX)


class FlowBudget(Frozen):
    """What may be spent and traded a day. Notional is lots × multiplier × price.

    ``emergency_cost_usd`` stands beside the rest: only orders that bring a broken hard limit back may draw on it.
    """

    cost_usd: float = Field(ge=0.0, le=USD_MAX)
    notional_usd: float = Field(ge=0.0, le=USD_MAX)
    orders: int = Field(ge=0, le=ORDERS_MAX)
    emergency_cost_usd: float = Field(default=0.0, ge=0.0, le=USD_MAX)


class FlowShare(Frozen):
    """A part of the firm's flow budget; what is absent is bounded by the firm's alone."""

    cost_usd: float | None = Field(default=None, ge=0.0, le=USD_MAX)
    notional_usd: float | None = Field(default=None, ge=0.0, le=USD_MAX)
    orders: int | None = Field(default=None, ge=0, le=ORDERS_MAX)


class DrawdownStop(Frozen):
    """Realised and marked P&L may fall this far below its high of the trading day; then the scope is reduce-only."""

    stop_usd: float = Field(gt=0.0, le=USD_MAX)


class MarginLimit(Frozen):
    """Largest loss over the margin grid, an estimate; what exchanges ask for is not computed."""

    worst_loss_usd: float = Field(gt=0.0, le=USD_MAX)


class MarginGrid(Frozen):
    """Cells of the margin estimate: spot moves (shares) × relative moves of every volatility (shares)."""

    spot_moves: list[float] = Field(default=[-0.15, -0.1, -0.05, 0.0, 0.05, 0.1, 0.15], min_length=1, max_length=21)
    vol_moves: list[float] = Field(default=[-0.25, 0.0, 0.25], min_length=1, max_length=9)

    @field_validator("spot_moves", "vol_moves")
    @classmethod
    def _above_all_of_it(cls, value: list[float]) -> list[float]:
        if min(value) <= -1.0:
            raise ValueError("a move of -100 % or below is none")
        return value


class Approval(Frozen):
    """Whether a change that lets more risk through needs a second person, and how long it waits (wall time)."""

    widening: Literal["none", "second_person"] = "none"
    expires_s: float = Field(default=3_600.0, gt=0.0)


class Division(Frozen):
    """How the firm's soft risk and cost budgets are divided: by equal or weighted risk, or by shares of the tail."""

    rule: Literal["equal", "budgeted", "cvar"] = "budgeted"
    weight: dict[str, float] = Field(default_factory=dict)

    @field_validator("weight")
    @classmethod
    def _weights(cls, value: dict[str, float]) -> dict[str, float]:
        for kind, weight in value.items():
            if kind not in factors.KINDS:
                raise ValueError(f"unknown agent kind {kind!r}; known: {', '.join(factors.KINDS)}")
            if weight <= 0.0:
                raise ValueError(f"the weight of {kind} is not above 0")
        return value


def known_pattern(pattern: str) -> bool:
    """Whether a factor pattern names something that exists: ``delta:*``, ``vega:SPX/*``, ``gamma:SPX@rates``."""
    name, mark, desk = pattern.partition(factors.DESK_MARK)
    head, colon, rest = name.partition(":")
    if not colon or "*" in rest[:-1] or (mark and (not desk or "*" in desk)):
        return False
    if head in ("delta", "gamma", "proxy"):
        return bool(rest) and "/" not in rest
    if head == "vega":
        underlying, slash, bucket = rest.partition("/")
        return rest == "*" or bool(underlying and slash and (bucket == "*" or bucket in factors.BUCKET_NAMES))
    return name == factors.COMMON


def covers(pattern: str, name: str) -> bool:
    """Whether a pattern holds for a factor, or for every factor of a narrower pattern. One without a desk covers all."""
    mine, mark, desk = pattern.partition(factors.DESK_MARK)
    if mark and desk != factors.desk_of(name):
        return False
    if not mine.endswith("*"):
        return mine == (factors.without_desk(name) if mark else name)
    return factors.without_desk(name).startswith(mine[:-1])


def specificity(pattern: str) -> tuple[int, int, int]:
    """The greater, the more specific: a desk's before all desks', a name before a prefix, a longer prefix first."""
    name, mark, _ = pattern.partition(factors.DESK_MARK)
    return (1 if mark else 0, 0 if name.endswith("*") else 1, len(name))
