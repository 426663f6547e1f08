"""Who pays for an order: every cent of its bill on a factor and an agent, by one rule table.

The duals give marginal cost only; these rules bring the shares to the bill.

| part of the bill | who pays |
|---|---|
| linear cost | the factors the trade serves: what a lot is worth to each at the duals, max(0, -price × sensitivity × side) |
| quadratic part, rents of caps and budgets | the same factors, in the same proportions |
| a trade forced by a broken hard limit | `limit:FACTOR`, the limit's owner (`firm`), by the dual of the limit's own row |
| a lot that rounding added where nobody's worth is positive | the factor that a lot moves most, in widths of its interval |
| plain netting, agents alone, the fallback | `wish`, the agents that wished for this side, pro rata |
| slippage and fees | as the fill they came with, in the proportions of its order |
| what crosses inside the firm | nobody: it has no external cost |

Shares are whole parts of a million, so that they survive the wire and add up; cents are dealt by largest remainder.
Source: marginal (Aumann-Shapley) pricing of a cost that is homogeneous of degree one, made whole by proportion.
*Tested by* tests/unit/test_manager_attribution.py, tests/properties/test_manager_conservation.py.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from common.messages import F64, CostShare

WHOLE: Final = 1_000_000
#: Who pays for a trade that a hard limit forced.
LIMIT_OWNER: Final = "firm"
LIMIT_PREFIX: Final = "limit:"
WISH: Final = "wish"
UNKNOWN: Final = (CostShare("unknown", "", WHOLE),)


def deal(whole: int, weight: Sequence[float]) -> list[int]:
    """``whole`` (any sign) in integers proportional to ``weight`` (n,) >= 0, not all 0; they add up exactly.

    Largest remainder, ties to the lower position.
    """
    sign, size, total = (1 if whole >= 0 else -1), abs(whole), float(sum(weight))
    exact = [size * w / total for w in weight]
    out = [int(x) for x in exact]
    order = sorted(range(len(exact)), key=lambda i: (out[i] - exact[i], i))
    for k in range(size - sum(out)):
        out[order[k % len(order)]] += 1
    return [sign * x for x in out]


def by_price(
    factor: Sequence[str], owner: Sequence[str], price: F64, forced: F64, sensitivity: F64, side: int, width: F64
) -> tuple[CostShare, ...]:
    """Shares of an order of the joint solve. All arguments per factor (f,).

    ``price``: USD per unit, all rows; ``forced``: the part of it that a broken hard limit's own row contributes;
    ``width`` of the interval. Largest shares first.
    """
    if not len(factor):
        return UNKNOWN
    f = len(factor)
    worth = (-np.concatenate([price - forced, forced]) * np.concatenate([sensitivity, sensitivity]) * side).tolist()
    # Nearly all are worth nothing to most: only the others are dealt to.
    paying = {i: x for i, x in enumerate(worth) if 0.0 < x < math.inf}
    if not paying:
        paying = {int(np.argmax(np.abs(sensitivity) / np.maximum(width, 1e-9))): 1.0}
    who = [(factor[i], owner[i]) if i < f else (LIMIT_PREFIX + factor[i - f], LIMIT_OWNER) for i in paying]
    return _shares(who, list(paying.values()))


def by_wish(wish: dict[str, float]) -> tuple[CostShare, ...]:
    """Shares of an order that came of wishes: agents that wished for its side (positive), pro rata."""
    same = {agent: x for agent, x in wish.items() if x > 0.0 and np.isfinite(x)}
    return _shares([(WISH, agent) for agent in same], list(same.values())) if same else UNKNOWN


def merge(parts: Sequence[tuple[int, tuple[CostShare, ...]]]) -> tuple[CostShare, ...]:
    """Shares of an order that serves several desks: (lots, shares) of each, weighed by lots."""
    if len(parts) == 1:
        return parts[0][1]
    weight: dict[tuple[str, str], float] = {}
    for lots, shares in parts:
        for s in shares:
            weight[s.factor, s.agent] = weight.get((s.factor, s.agent), 0.0) + float(lots * s.parts)
    return _shares(list(weight), list(weight.values()))


def _shares(of: list[tuple[str, str]], weight: list[float]) -> tuple[CostShare, ...]:
    parts = deal(WHOLE, weight)
    kept = [CostShare(*name, n) for name, n in zip(of, parts, strict=True) if n]
    return tuple(sorted(kept, key=lambda s: (-s.parts, s.factor, s.agent)))


def bill(cents: int, shares: tuple[CostShare, ...]) -> dict[tuple[str, str], int]:
    """Signed cents of one fill by (factor, agent); they add up to ``cents``."""
    of = shares or UNKNOWN
    return {(s.factor, s.agent): part for s, part in zip(of, deal(cents, [s.parts for s in of]), strict=True)}
