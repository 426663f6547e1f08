"""Who an order is for: whole lots per agent that add up to its signed quantity.

Largest remainder (Hamilton) over the agents' shares. Joint: a share is what the order is worth to the agent at the
duals, Σ over its factors of max(0, -price × sensitivity × side). Plain and alone: the agent's wish on that side. Where
nobody's share is positive (a lot that rounding added) the owner of the factor that a lot moves most takes it.
*Tested by* tests/unit/test_manager_allocation.py.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from common.messages import F64


def split(quantity: int, share: Mapping[str, float], fallback: str) -> tuple[tuple[str, int], ...]:
    """Unsigned whole lots per agent, largest first, ties by name; agents with nothing are left out."""
    positive = {agent: s for agent, s in share.items() if s > 0.0 and np.isfinite(s)}
    total = sum(positive.values())
    if not positive or total <= 0.0:
        return ((fallback, quantity),)
    exact = {agent: quantity * s / total for agent, s in positive.items()}
    lots = {agent: int(x) for agent, x in exact.items()}
    left = quantity - sum(lots.values())
    for agent in sorted(exact, key=lambda a: (lots[a] - exact[a], a))[:left]:
        lots[agent] += 1
    return tuple(sorted(((a, n) for a, n in lots.items() if n), key=lambda x: (-x[1], x[0])))


def shares_by_price(owner: list[str], price: F64, sensitivity: F64, side: int) -> dict[str, float]:
    """What one lot on ``side`` is worth to each agent, USD. owner, price, sensitivity: one per factor."""
    worth = np.maximum(-price * sensitivity * side, 0.0)
    out: dict[str, float] = {}
    for agent, value in zip(owner, worth.tolist(), strict=True):
        out[agent] = out.get(agent, 0.0) + value
    return out


def most_moved(owner: list[str], sensitivity: F64, width: F64) -> str:
    """Owner of the factor that a lot moves most, measured in widths of its interval."""
    moved = np.abs(sensitivity) / np.maximum(width, 1e-9)
    return owner[int(np.argmax(moved))] if owner else ""
