"""When an agent speaks: its first decision, price move, new position, time, threshold.

What fired is named by the first of these that holds: a move that meets an agent just after a fill is the market's doing.

*Tested by* tests/unit/test_agents_triggers.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from agents.config import TriggerConfig
from agents.decision import Decision
from common.messages import F64
from common.triggers import POSITIONS, PRICE_MOVE, START, THRESHOLD, TIME
from common.units import NS_PER_S

_BASIS_POINT = 1e-4
_PRICES_STAND = frozenset({POSITIONS, TIME, ""})


@dataclass(frozen=True, slots=True)
class LastProposal:
    """What the last proposal was made from; the triggers compare with it.

    ``width_gamma``: |ΓF²| by factor that half-widths went by; ``width_price``: the base prices when they were last free to
    narrow (`standing`).
    """

    now_ns: int
    position_version: int
    factor: tuple[str, ...]
    exposure: F64
    half_width: F64
    base_price: F64
    underlyings: tuple[int, ...]
    width_gamma: Mapping[str, float]
    width_price: F64


def last_of(
    decision: Decision,
    now_ns: int,
    position_version: int,
    underlyings: tuple[int, ...],
    base_price: F64,
    width_price: F64,
) -> LastProposal:
    """What is remembered of a decision that is proposed now; base_price and width_price (u,) of ``underlyings``."""
    return LastProposal(
        now_ns,
        position_version,
        decision.factor,
        decision.exposure,
        decision.half_width,
        base_price,
        underlyings,
        decision.width_gamma,
        width_price,
    )


def standing(last: LastProposal | None, config: TriggerConfig, trigger: str, base_price: F64) -> Mapping[str, float]:
    """|ΓF²| by factor that the next proposal stands by (`Terms.width_gamma`): that of the last, while prices stand.

    ``trigger``: what fired without a look at the Greeks ("": nothing). Prices stand until one has moved as far as makes an
    agent speak, counted from where widths were last free to narrow; time alone moves none. Empty where they are free.
    """
    if last is None or trigger not in _PRICES_STAND or _moved(last.width_price, base_price, config):
        return {}
    return last.width_gamma


def said_all(last: LastProposal, now_ns: int, base_price: F64) -> bool:
    """True while the market has not moved on since the last proposal: then there is nothing new to say.

    Fills alone change no wish: the manager re-bases every proposal by them. Without this rule agents that act alone would
    answer each other's fills for ever within one quote.
    """
    return now_ns == last.now_ns and bool((base_price == last.base_price).all())


def cheap_trigger(
    last: LastProposal | None, config: TriggerConfig, now_ns: int, position_version: int, base_price: F64
) -> str:
    """Name of a trigger that needs no Greeks, or "". base_price (u,) of the own underlyings, order as last time."""
    if last is None:
        return START
    if _moved(last.base_price, base_price, config):
        return PRICE_MOVE
    if position_version != last.position_version:
        return POSITIONS
    if now_ns - last.now_ns >= config.time_s * NS_PER_S:
        return TIME
    return ""


def _moved(was: F64, base_price: F64, config: TriggerConfig) -> bool:
    move = np.abs(base_price - was)
    return bool(len(move) and float((move / was).max()) >= config.price_move_bp * _BASIS_POINT)


def threshold_trigger(last: LastProposal, config: TriggerConfig, now: Decision) -> str:
    """`THRESHOLD` if an exposure moved by the configured share of its half-width or crossed an edge, else "".

    `START` where it can speak for other factors than it did.
    """
    if now.factor != last.factor:
        return START
    moved = np.abs(now.exposure - last.exposure) >= config.threshold_fraction_of_half_width * now.half_width
    moved &= now.exposure != last.exposure
    crossed = (np.abs(now.exposure) > now.half_width) != (np.abs(last.exposure) > last.half_width)
    return THRESHOLD if bool((moved | crossed).any()) else ""
