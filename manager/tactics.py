"""By which tactic an order is to be worked: stated rules of its size against the size shown, and of the lots of two orders.

*Tested by* tests/unit/test_manager_tactics.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import gcd
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from common.messages import Order
from common.tactics import DIRECT, Follow, Tactic, TacticKind
from common.universe import FUTURE, Universe


class TacticRule(BaseModel):
    """``kind`` of every order, or ``by_size``: SLICED above ``sliced_above_share`` of the far side's lots, else DIRECT.

    ``combo_max_ratio``: an option and the future of its underlying that one cycle orders go as one combo where their lots reduce
    to whole numbers up to this; 0 never. Several options: the one that reduces to the least; the others go by ``kind``.
    Combos, those of a roll included: above 0 ``combo_improve_ticks`` lets them rest so much below the far sides until the
    urgency is due, and ``combo_participation_percent`` takes that share of what is shown at a time.
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
    combo_max_ratio: int = Field(default=0, ge=0, le=1_000)
    combo_improve_ticks: int = Field(default=0, ge=0, le=1_000)
    combo_participation_percent: int = Field(default=0, ge=0, le=100)


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


def combined(rule: TacticRule, universe: Universe, orders: Sequence[Order]) -> list[Order]:
    """The orders with those paired by ``combo_max_ratio`` as combos of two; an option must stand before its future."""
    out = list(orders)
    if not rule.combo_max_ratio:
        return out
    for k, order in enumerate(orders):
        if universe.kind.item(order.instrument) != FUTURE:
            continue
        mine = universe.underlying.item(order.instrument)
        options = [j for j in range(k) if _option_of(universe, orders[j], mine)]
        lead = min(options, key=lambda j: _unit(orders[j], order), default=-1)
        if lead >= 0 and max(_unit(orders[lead], order)) <= rule.combo_max_ratio:
            option_lots, future_lots = _unit(orders[lead], order)
            follows = Follow(orders[lead].client_order_id, future_lots, option_lots)
            out[lead], out[k] = paired(rule, orders[lead], order, follows)
    return out


def paired(rule: TacticRule, lead: Order, other: Order, follows: Follow) -> tuple[Order, Order]:
    """Two orders as one combo; the first says how it is worked."""
    times = {"budget_ms": rule.budget_ms, "interval_ms": rule.interval_ms}
    terms = Tactic(
        TacticKind.COMBO,
        urgency_percent=rule.urgency_percent if rule.combo_improve_ticks else 0,
        participation_percent=rule.combo_participation_percent,
        improve_ticks=rule.combo_improve_ticks,
        legs=2,
        **times,
    )
    return replace(lead, tactic=terms), replace(other, tactic=Tactic(TacticKind.COMBO, **times), follows=follows)


def _option_of(universe: Universe, order: Order, underlying: int) -> bool:
    at = order.instrument
    return universe.kind.item(at) != FUTURE and universe.underlying.item(at) == underlying


def _unit(option: Order, future: Order) -> tuple[int, int]:
    """Lots of the two in their smallest whole numbers."""
    common = gcd(option.quantity_lots, future.quantity_lots)
    return option.quantity_lots // common, future.quantity_lots // common
