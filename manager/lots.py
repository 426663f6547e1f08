"""From a continuous trade to whole lots: round, stay inside every row, then repair by single lots while it pays.

Every row of the problem grows with the size of the trade, so rounding toward no trade is allowed wherever the solution is: to
the solver's tolerance. Where that little is too much, a hair smaller a trade is rounded, or none is made.
*Tested by* tests/properties/test_netting_lots.py.
"""

from __future__ import annotations

import numpy as np

from common.kernels import netting as kernels
from common.messages import F64, I64
from manager.netting import Problem, columns, room_of

_SLACK = 1e-9


def allowed(p: Problem, lots: F64) -> bool:
    """Whether caps and rows hold for a trade, (m,) lots."""
    both = np.concatenate([np.maximum(lots, 0.0), np.maximum(-lots, 0.0)])
    caps = np.concatenate([p.buy_cap, p.sell_cap])
    return bool((both <= caps + _SLACK).all() and (p.rows @ both <= p.room * (1.0 + _SLACK) + _SLACK).all())


def round_lots(p: Problem, solution: F64, min_gain_usd: float) -> I64:
    """Whole lots (m,) near ``solution`` inside all rows, not improvable by one lot of one instrument (unless that takes
    more moves than ``kernels.MORE_MOVES`` allows); 0 if no gain.

    Starts from the nearest lots (toward no trade where that breaks a row, from none where that does too); from none again where
    that gains nothing. Ties by lowest instrument, buying first.
    """
    lots, gain = kernels.whole_lots(*columns(p), *room_of(p), np.ascontiguousarray(solution, np.float64))
    return lots.astype(np.int64) if gain > min_gain_usd else np.zeros(len(lots), np.int64)
