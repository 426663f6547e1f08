"""From the trades of several desks to whole lots: the sibling of ``lots.py`` for ``books_qp.py``.

*Tested by* tests/properties/test_netting_books.py, tests/unit/test_kernels_books_lots.py.
"""

from __future__ import annotations

import numpy as np

from common.kernels import books_lots as kernels
from common.messages import F64, I64
from manager.books_qp import FIRM, BooksProblem, objective_books

_SLACK = 1e-9


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
    a repair makes the best move again and again, at most ``MORE_MOVES`` beyond two per desk and instrument, and all
    together so many and ``kernels.ROUNDS``. 0 if nothing is gained. Ties by single lots before crossings, buying before
    selling, then lowest desk and instrument.
    """
    z = lots.sum(axis=0)
    starts = (np.rint(lots), _deal(lots, np.rint(z)), _deal(lots, np.trunc(z)), np.trunc(lots), np.zeros_like(lots))
    # Group 0 is the market.
    held = np.array([np.vstack([x.sum(axis=0), x]) for x in starts if allowed_books(p, x)])
    whole = kernels.repaired(_factors(p), _costs(p), _room(p), _pairs(p.books), held)[0][1:]
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


def _by_group(group: I64, books: int) -> tuple[I64, I64]:
    """(the order in which groups follow each other, where each begins (G + 1,)). ``group``: ``FIRM`` or the desk."""
    order = np.argsort(group, kind="stable")
    return order, np.searchsorted(group[order], np.arange(FIRM, books + 1)).astype(np.int64)


def _factors(p: BooksProblem) -> kernels.Factors:
    q = p.shared
    order, span = _by_group(p.book, p.books)
    s = np.ascontiguousarray(q.sensitivity[order], np.float64)
    risk = np.ascontiguousarray(q.risk[np.ix_(order, order)])
    return q.exposure[order], q.lower[order], q.upper[order], q.kink[order], risk, s, np.ascontiguousarray(s.T), span


def _costs(p: BooksProblem) -> kernels.Costs:
    """What a lot costs the market, then each desk: there it is charged for passing through."""
    q, free = p.shared, np.zeros((p.books, len(p.crossing_cost)))
    root = np.broadcast_to(q.root, q.cost.shape)
    linear = np.vstack([q.cost, np.tile(p.crossing_cost, (p.books, 1))])
    return linear, np.vstack([q.impact, free]), np.vstack([root, free])


def _room(p: BooksProblem) -> kernels.Room:
    """Caps and rows of the market, then the desks' own rows, desk by desk, with the slack of `allowed_books`."""
    q, m = p.shared, len(p.crossing_cost)
    cap = np.full((p.books + 1, 2, m), np.inf)
    cap[0] = np.vstack([q.buy_cap, q.sell_cap]) + _SLACK
    order, span = _by_group(np.concatenate([np.full(len(q.rows), FIRM), p.own_book]), p.books)
    rows, room = np.vstack([q.rows, p.own_rows])[order], np.concatenate([q.room, p.own_room])[order]
    return cap, np.ascontiguousarray(rows.T), room * (1.0 + _SLACK) + _SLACK, span


def _pairs(books: int) -> I64:
    """Every single lot of one desk, buying first, then every crossing of one lot; groups count from the market."""
    single = [(0, s, d, s) for s in (0, 1) for d in range(1, books + 1)]
    crossed = [(d, 0, e, 1) for d in range(1, books + 1) for e in range(1, books + 1) if d != e]
    return np.array(single + crossed, np.int64)
