"""From the trades of several desks to whole lots: the sibling of ``lots.py`` for ``books_qp.py``.

*Tested by* tests/properties/test_netting_books.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from common.kernels.netting import MORE_MOVES
from common.messages import F64, I64
from manager.books_qp import FIRM, BooksProblem, moves, objective_books
from manager.impact import impact_cost
from manager.netting import outside

_SLACK = 1e-9
_NOBODY = -2


def allowed_books(p: BooksProblem, lots: F64) -> bool:
    """Whether caps, rows and own rows hold for a trade (B, m)."""
    q, z = p.shared, lots.sum(axis=0)
    both = np.concatenate([np.maximum(z, 0.0), np.maximum(-z, 0.0)])
    mine = np.concatenate([np.maximum(lots, 0.0), np.maximum(-lots, 0.0)], axis=1)
    inside = (both <= np.concatenate([q.buy_cap, q.sell_cap]) + _SLACK).all()
    inside &= (q.rows @ both <= q.room * (1.0 + _SLACK) + _SLACK).all()
    used = (p.own_rows * mine[p.own_book]).sum(axis=1)
    return bool(inside and (used <= p.own_room * (1.0 + _SLACK) + _SLACK).all())


def round_books(p: BooksProblem, lots: F64, min_gain_usd: float) -> I64:
    """Whole lots (B, m) inside all rows that no lot of one desk, and no crossing of one lot, improves.

    The best of the repairs of five starts: every desk's lots to nearest; each instrument's sum to nearest, or toward no
    trade, dealt to the desks by largest remainder; every desk's lots toward no trade; nothing. Those outside a row are left out;
    moves end at ``MORE_MOVES`` beyond two per desk and instrument. 0 if nothing is gained. Ties by single lots before
    crossings, then lowest desk and instrument.
    """
    z = lots.sum(axis=0)
    starts = (np.rint(lots), _deal(lots, np.rint(z)), _deal(lots, np.trunc(z)), np.trunc(lots), np.zeros_like(lots))
    repaired = [_repair(p, x, 2 * x.size) for x in starts if allowed_books(p, x)]
    # Moves are dear here: only the best of them is followed until nothing pays any more.
    whole = _repair(p, min(repaired, key=lambda x: objective_books(p, x)), 2 * lots.size + MORE_MOVES)
    gain = objective_books(p, np.zeros_like(whole)) - objective_books(p, whole)
    return whole.astype(np.int64) if gain > min_gain_usd else np.zeros(lots.shape, np.int64)


def _deal(lots: F64, total: F64) -> F64:
    """Whole lots whose columns add up to ``total`` (m,), next to ``lots``: the largest fractions are rounded up."""
    out = np.floor(lots)
    missing = (total - out.sum(axis=0)).astype(int)
    order = np.argsort(out - lots, axis=0, kind="stable")
    for j, count in enumerate(missing):
        for k in range(abs(count)):
            out[order[k % len(out), j], j] += 1.0 if count > 0 else -1.0
    return out


@dataclass(frozen=True, slots=True)
class _Moves:
    """M moves of one lot: desk ``to`` gets ``sign`` lots of ``at``, from ``other`` or from the market (``_NOBODY``)."""

    to: I64
    other: I64
    at: I64
    sign: F64
    change: F64  # (F, M) of each factor

    @staticmethod
    def of(p: BooksProblem) -> _Moves:
        """Every single lot of one desk, then every crossing of one lot."""
        b, m = p.books, p.shared.sensitivity.shape[1]
        pairs = [(d, _NOBODY, s) for s in (1.0, -1.0) for d in range(b)]
        pairs += [(d, e, 1.0) for d in range(b) for e in range(b) if d != e]
        to = np.repeat([d for d, _, _ in pairs], m)
        other = np.repeat([e for _, e, _ in pairs], m)
        sign = np.repeat([s for _, _, s in pairs], m)
        at = np.tile(np.arange(m), len(pairs))
        book = p.book[:, None]
        gets = (book == to) | ((book == FIRM) & (other == _NOBODY))
        change = p.shared.sensitivity[:, at] * sign * (gets.astype(float) - (book == other))
        return _Moves(to, other, at, sign, change)


def _repair(p: BooksProblem, lots: F64, most: int) -> F64:
    """The best move, again and again, ``most`` times at most, as ``lots.round_lots`` does it."""
    every = _Moves.of(p)
    now = objective_books(p, lots)
    for _ in range(most):
        value = _values(p, lots, every)
        for k in np.argsort(value, kind="stable"):
            if value[k] >= now - 1e-9 * max(1.0, abs(now)):
                return lots
            trial = lots.copy()
            trial[every.to[k], every.at[k]] += every.sign[k]
            if every.other[k] != _NOBODY:
                trial[every.other[k], every.at[k]] -= every.sign[k]
            if allowed_books(p, trial):
                lots, now = trial, float(value[k])
                break
        else:
            return lots
    return lots


def _values(p: BooksProblem, lots: F64, every: _Moves) -> F64:
    """Objective after each move, (M,)."""
    q, at = p.shared, every.at
    crosses = every.other != _NOBODY
    r = outside((q.exposure + moves(p, lots))[:, None] + every.change, q.lower[:, None], q.upper[:, None])
    risk = q.kink @ np.abs(r) + 0.5 * np.einsum("ij,ij->j", r, q.risk @ r)
    z = lots.sum(axis=0)
    size, old = np.abs(z[at] + np.where(crosses, 0.0, every.sign)), np.abs(z)
    root = np.broadcast_to(q.root, z.shape)
    standing = q.cost @ old + impact_cost(old, q.impact, q.root).sum() + p.crossing_cost @ np.abs(lots).sum(axis=0)
    dealt = impact_cost(size, q.impact[at], root[at]) - impact_cost(old[at], q.impact[at], root[at])
    external = q.cost[at] * (size - old[at]) + dealt
    mine = lots[every.to, at]
    crossing = np.abs(mine + every.sign) - np.abs(mine)
    theirs = lots[np.maximum(every.other, 0), at]
    crossing += np.where(crosses, np.abs(theirs - every.sign) - np.abs(theirs), 0.0)
    return np.asarray(risk + standing + external + p.crossing_cost[at] * crossing)
