"""When an agent speaks: its first decision, price move, new position, time, threshold.

What fired is named by the first of these that holds: a move that meets an agent just after a fill is the market's doing.

*Tested by* tests/unit/test_agents_triggers.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from agents.config import TriggerConfig
from agents.decision import Decision
from common.messages import F64
from common.triggers import POSITIONS, PRICE_MOVE, START, THRESHOLD, TIME
from common.units import NS_PER_S

_BASIS_POINT = 1e-4


@dataclass(frozen=True, slots=True)
class LastProposal:
    """What the last proposal was made from; the triggers compare with it."""

    now_ns: int
    position_version: int
    factor: tuple[str, ...]
    exposure: F64
    half_width: F64
    base_price: F64
    underlyings: tuple[int, ...]


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
    move = np.abs(base_price - last.base_price)
    if len(move) and float((move / last.base_price).max()) >= config.price_move_bp * _BASIS_POINT:
        return PRICE_MOVE
    if position_version != last.position_version:
        return POSITIONS
    if now_ns - last.now_ns >= config.time_s * NS_PER_S:
        return TIME
    return ""


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
