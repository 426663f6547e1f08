"""The compiled repair of several desks' whole lots against one that tries every move by the formulas."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from common.messages import F64
from manager.books_lots import allowed_books, round_books
from manager.books_qp import BooksProblem, objective_books, solve_books
from tests.properties.test_netting_books import books_problem

#: Two moves whose objectives differ by less, as a share, are equal to the formulas' rounding.
TIE = 1e-11
#: What a move must gain, and a start over an earlier one, as a share of the objective.
BETTER = 1e-9


def moves(books: int, m: int) -> Iterator[tuple[int, int, int, float]]:
    """(desk, other or -1, instrument, lots): single lots bought, then sold, then crossings."""
    for one in (1.0, -1.0):
        yield from ((d, -1, j, one) for d in range(books) for j in range(m))
    yield from ((d, e, j, 1.0) for d in range(books) for e in range(books) if d != e for j in range(m))


def moved(lots: F64, move: tuple[int, int, int, float]) -> F64:
    d, e, j, one = move
    out = lots.copy()
    out[d, j] += one
    if e >= 0:
        out[e, j] -= one
    return out


def by_trying(p: BooksProblem, lots: F64, most: int) -> tuple[F64, bool]:
    """The best allowed move of all, again and again, the first of equal ones; whether it came to an end."""
    for _ in range(most):
        now = objective_books(p, lots)
        scale = max(1.0, abs(now))
        trials = [moved(lots, move) for move in moves(*lots.shape)]
        values = np.array([objective_books(p, x) for x in trials])
        pays = np.flatnonzero(values < now - BETTER * scale)
        at = [k for k in pays if allowed_books(p, trials[k])]
        if not at:
            return lots, True
        best = values[at].min()
        lots = trials[next(k for k in at if values[k] <= best + TIE * scale)]
    return lots, False


def dealt(lots: F64, total: F64) -> F64:
    """Column by column the largest fractions are rounded up until the column has its total."""
    out = np.floor(lots)
    for j, missing in enumerate((total - out.sum(axis=0)).astype(int)):
        order = np.argsort(out[:, j] - lots[:, j], kind="stable")
        for k in range(abs(missing)):
            out[order[k % len(out)], j] += np.sign(missing)
    return out


def reference(p: BooksProblem, lots: F64) -> tuple[F64, bool]:
    """The best of the ends of all starts, the first of equal ones; whether all of them came to an end."""
    z = lots.sum(axis=0)
    starts = (np.rint(lots), dealt(lots, np.rint(z)), dealt(lots, np.trunc(z)), np.trunc(lots), 0.0 * lots)
    ends = [by_trying(p, x, 2 * lots.size) for x in starts if allowed_books(p, x)]
    values = np.array([objective_books(p, x) for x, _ in ends])
    best = ends[int(np.argmax(values <= values.min() + BETTER * max(1.0, abs(values.min()))))][0]
    gains = objective_books(p, 0.0 * lots) > objective_books(p, best)
    return (best if gains else 0.0 * lots), all(ended for _, ended in ends)


def hard(seed: int) -> tuple[BooksProblem, F64]:
    """Few instruments; by seed: tight rows, caps of zero, square-root impact, rows without room; and a trade near it."""
    rng = np.random.default_rng(seed)
    p = books_problem(seed)
    m = min(len(p.crossing_cost), 5)
    both = np.concatenate([np.arange(m), len(p.crossing_cost) + np.arange(m)])
    q = p.shared
    q = replace(
        q, exposure=0.2 * q.exposure, lower=0.2 * q.lower, upper=0.2 * q.upper, sensitivity=q.sensitivity[:, :m],
        cost=q.cost[:m], impact=q.impact[:m], buy_cap=q.buy_cap[:m], sell_cap=q.sell_cap[:m], rows=q.rows[:, both],
    )  # fmt: skip
    p = replace(p, shared=q, crossing_cost=p.crossing_cost[:m] * 4000.0 ** rng.random(), own_rows=p.own_rows[:, both])
    if seed % 4 == 1:
        p = replace(p, shared=replace(q, room=0.1 * q.room), own_room=0.1 * p.own_room)
    if seed % 4 == 2:
        q = replace(q, buy_cap=q.buy_cap * (rng.random(m) < 0.5), sell_cap=q.sell_cap * (rng.random(m) < 0.5))
        p = replace(p, shared=replace(q, root=q.cost * rng.uniform(0.0, 0.3, m)))
    if seed % 4 == 3:
        # A desk has several rows of its own, in no order; some leave no room.
        k = int(rng.integers(2, 12))
        more = rng.random((k, 2 * m)) * (rng.random((k, 2 * m)) < 0.4)
        p = replace(
            p, own_rows=more, own_room=rng.uniform(0.0, 9.0, k) * (rng.random(k) < 0.7),
            own_book=rng.integers(0, p.books, k),
        )  # fmt: skip
    # Not always the solver's answer: what starts far away has a long way to go.
    return p, solve_books(p, 20_000).lots + rng.normal(size=(p.books, m)) * 10.0 ** rng.uniform(-3.0, 0.5)


@pytest.mark.parametrize("block", range(4))
def test_same_lots_as_trying_every_move(block: int) -> None:
    compared = traded = 0
    for seed in range(15 * block, 15 * block + 15):
        p, lots = hard(seed)
        want, ended = reference(p, lots)
        found = round_books(p, lots, 0.0)
        assert allowed_books(p, found.astype(np.float64)), seed
        if ended:  # else how many moves are made decides
            np.testing.assert_array_equal(found, want, err_msg=str(seed))
            compared += 1
            traded += int(found.any())
    assert compared >= 10 and traded >= 6
