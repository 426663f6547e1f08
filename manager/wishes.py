"""The two baselines and the fallback: the agents' own wishes, summed (plain) or each for itself (alone).

A wish is used once; a used one waits for a newer proposal of that agent, made after its own last trade was done. Wishes
are rounded to whole lots, halves away from no trade, and scaled down together until caps and every row hold.
*Tested by* tests/unit/test_manager_modes.py, tests/properties/test_netting_lots.py.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from common.messages import F64, I64, Proposal
from manager.exposures import Rows
from manager.lots import allowed
from manager.netting import Problem


def wish_columns(proposals: Iterable[Proposal], index: Rows) -> dict[str, F64]:
    """Lots each agent would trade alone, on the instruments ``index`` (m,); what is not there cannot be traded."""
    out: dict[str, F64] = {}
    for p in proposals:
        lots = np.zeros(len(index))
        if len(index):
            at = np.searchsorted(index, p.menu.astype(np.intp))
            found = (at < len(index)) & (index[np.minimum(at, len(index) - 1)] == p.menu)
            lots[at[found]] = p.alone_lots[found]
        out[p.agent] = lots
    return out


def fit(p: Problem, wish: F64) -> I64:
    """Whole lots (m,) of a wish, scaled into caps and rows."""
    lots = np.clip(np.sign(wish) * np.floor(np.abs(wish) + 0.5), -p.sell_cap, p.buy_cap)
    if not allowed(p, lots):
        both = np.concatenate([np.maximum(lots, 0.0), np.maximum(-lots, 0.0)])
        used = p.rows @ both
        over = used > p.room
        lots = np.trunc(lots * min(1.0, float((p.room[over] / used[over]).min(initial=1.0))))
    return np.asarray(lots, np.int64)
