"""From a continuous trade to whole lots: round, stay inside every row, then repair by single lots while it pays.

Every row of the problem grows with the size of the trade, so rounding toward no trade is always allowed.
*Tested by* tests/properties/test_netting_lots.py.
"""

from __future__ import annotations

import numpy as np

from common.messages import F64, I64
from manager.impact import impact_cost
from manager.netting import Problem, objective, outside

_SLACK = 1e-9


def allowed(p: Problem, lots: F64) -> bool:
    """Whether caps and rows hold for a trade, (m,) lots."""
    both = np.concatenate([np.maximum(lots, 0.0), np.maximum(-lots, 0.0)])
    caps = np.concatenate([p.buy_cap, p.sell_cap])
    return bool((both <= caps + _SLACK).all() and (p.rows @ both <= p.room * (1.0 + _SLACK) + _SLACK).all())


def round_lots(p: Problem, solution: F64, min_gain_usd: float) -> I64:
    """Whole lots (m,) near ``solution`` inside all rows, not improvable by one lot of one instrument; 0 if no gain.

    Starts from the nearest lots (toward no trade where that breaks a row). Ties by lowest instrument, buying first.
    """
    near = np.rint(solution)
    lots = near if allowed(p, near) else np.trunc(solution)
    lots = _repair(p, lots)
    gain = objective(p, np.zeros_like(lots)) - objective(p, lots)
    return lots.astype(np.int64) if gain > min_gain_usd else np.zeros(len(lots), np.int64)


def _repair(p: Problem, lots: F64) -> F64:
    """Best single-lot move, again and again, at most twice per instrument (each move lowers the objective)."""
    m = len(lots)
    steps = np.hstack([np.eye(m), -np.eye(m)])
    moves = np.hstack([p.sensitivity, -p.sensitivity])
    now = objective(p, lots)
    for _ in range(2 * m):
        value = _values(p, lots, moves)
        for k in np.argsort(value, kind="stable"):
            if value[k] >= now - 1e-9 * max(1.0, abs(now)):
                return lots
            trial = lots + steps[:, k]
            if allowed(p, trial):
                lots, now = trial, float(value[k])
                break
        else:
            return lots
    return lots


def _values(p: Problem, lots: F64, moves: F64) -> F64:
    """Objective after each single-lot move, (2m,)."""
    r = outside((p.exposure + p.sensitivity @ lots)[:, None] + moves, p.lower[:, None], p.upper[:, None])
    m = len(lots)
    change = np.concatenate([np.ones(m), -np.ones(m)])
    base = np.concatenate([lots, lots])
    size, old = np.abs(base + change), np.abs(base)
    cost, impact = np.concatenate([p.cost, p.cost]), np.concatenate([p.impact, p.impact])
    root = np.concatenate([np.broadcast_to(p.root, (m,))] * 2)
    trading = p.cost @ np.abs(lots) + impact_cost(np.abs(lots), p.impact, p.root).sum()
    trading = trading + cost * (size - old) + impact_cost(size, impact, root) - impact_cost(old, impact, root)
    risk = p.kink @ np.abs(r) + 0.5 * np.einsum("ij,ij->j", r, p.risk @ r)
    return np.asarray(trading + risk)
