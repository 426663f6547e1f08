"""Whole lots of several desks: the best move of one lot, again and again, from several starts.

What is computed is said in ``manager/books_lots.py``. Compiled for the same reasons as ``netting.py``, and because with arrays
each round valued all moves in full, which with three desks took seconds: longer than the lease a leader has to keep.

*Groups.* Group 0 is the market, that is the sum z over desks and the firm's factors; group d + 1 is desk d. Each group holds
lots (m,), and factors and rows of its own, which lie one after the other (``span``: where each group's begin). A move is one lot
in each of two groups: of a desk and the market, or of two desks the other way round.

*Bounds first.* With r outside and W positive definite a move by d of r changes ½ r'Wr by d'Wr + ½ d'Wd, at least by d'Wr. That
part is a sum over the two groups, so all moves cost one pass over factors and instruments; ½ d'Wd is worked out only for allowed
moves that may still be the best.

G groups, f factors, m instruments, k rows, s: 0 one lot more, 1 one lot less.
*Tested by* tests/unit/test_kernels_books_lots.py, tests/properties/test_netting_books.py.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from common.kernels.jit import F64, I64, exact_kernel
from common.kernels.netting import MORE_MOVES, of_trade, outside_by

#: As in ``netting.py``: a move must lower the objective by this share of it.
_BETTER: Final = 1e-9
#: Rounds of the starts together, however many desks: what they come to is next to always below 100. A round of three desks and
#: 50 instruments takes some 35 µs, so that the longest repair, with the rounds that follow, takes less than 40 ms.
ROUNDS: Final = 600
#: exposure, lower, upper, kink (f,), W (f, f), sensitivity both ways round, (f, m) and (m, f), ``span`` (G + 1,).
Factors = tuple[F64, F64, F64, F64, F64, F64, F64, I64]
#: Linear, quadratic and square-root cost of a lot held by each group, (G, m).
Costs = tuple[F64, F64, F64]
#: caps (G, 2, m) up and down, rows (2m, k) on (z+, z-), their limit (k,), ``span`` (G + 1,).
Room = tuple[F64, F64, F64, I64]
#: exposure, its part r outside, W r, (f,) each.
Now = tuple[F64, F64, F64]


@exact_kernel
def _stand(held: F64, factors: Factors, costs: Costs, standing: Now) -> float:
    """The objective of what is ``held`` (G, m); fills ``standing``."""
    exposure, lower, upper, kink, risk, _, turned, span = factors
    cost, impact, root = costs
    at, r, pull = standing
    groups, m = held.shape
    f = len(exposure)
    for i in range(f):
        at[i], pull[i] = exposure[i], 0.0
    total = 0.0
    for g in range(groups):
        for j in range(m):
            lots = held[g, j]
            if lots != 0.0:
                total += of_trade(abs(lots), cost[g, j], impact[g, j], root[g, j])
                for i in range(span[g], span[g + 1]):
                    at[i] += turned[j, i] * lots
    for j in range(f):
        far = outside_by(at[j], lower[j], upper[j])
        r[j] = far
        if far != 0.0:
            for i in range(f):
                pull[i] += risk[j, i] * far
    for i in range(f):
        total += kink[i] * abs(r[i]) + 0.5 * r[i] * pull[i]
    return total


@exact_kernel
def _changes(held: F64, factors: Factors, costs: Costs, standing: Now, change: F64) -> None:
    """Fills ``change`` (G, 2, m): the least that a lot more or less in a group does to the objective."""
    _, lower, upper, kink, _, sensitivity, _, span = factors
    cost, impact, root = costs
    at, r, pull = standing
    groups, m = held.shape
    for g in range(groups):
        for s in range(2):
            one = 1.0 - 2.0 * s
            for j in range(m):
                old, new = abs(held[g, j]), abs(held[g, j] + one)
                h, w = impact[g, j], root[g, j]
                # The linear part by itself: a lot more costs each desk the same to the last bit, so that equal moves tie.
                change[g, s, j] = cost[g, j] * (new - old) + of_trade(new, 0.0, h, w) - of_trade(old, 0.0, h, w)
            for i in range(span[g], span[g + 1]):
                here, low, high, far, kinked, price = at[i], lower[i], upper[i], r[i], kink[i], pull[i]
                for j in range(m):
                    then = outside_by(here + one * sensitivity[i, j], low, high)
                    change[g, s, j] += kinked * (abs(then) - abs(far)) + price * (then - far)


@exact_kernel
def _use(held: F64, room: Room, used: F64) -> None:
    """Fills ``used`` (k,): what the groups use of their rows."""
    _, rows, _, span = room
    groups, m = held.shape
    used[:] = 0.0
    for g in range(groups):
        for j in range(m):
            lots = held[g, j]
            if lots != 0.0:
                size, c = abs(lots), j if lots > 0.0 else m + j
                for k in range(span[g], span[g + 1]):
                    used[k] += rows[c, k] * size


@exact_kernel
def _fits(g: int, s: int, j: int, held: F64, room: Room, used: F64) -> bool:
    """Whether a lot more or less in one group stays inside its caps and rows."""
    cap, rows, limit, span = room
    lots, one, m = held[g, j], 1.0 - 2.0 * s, held.shape[1]
    if lots + one > cap[g, 0, j] or -(lots + one) > cap[g, 1, j]:
        return False
    bought = lots > 0.0 or (lots == 0.0 and s == 0)
    c, more = (j, one) if bought else (m + j, -one)
    inside = True
    for k in range(span[g], span[g + 1]):
        inside &= used[k] + more * rows[c, k] <= limit[k]
    return inside


@exact_kernel
def _allow(better: float, held: F64, change: F64, room: Room, used: F64, pairs: I64, least: F64) -> int:
    """Fills ``least`` (moves,): the least each move does, infinite where it cannot pay or is not allowed. Which is the least."""
    groups, m = held.shape
    known = np.zeros((groups, 2, m), np.int8)  # 1: fits, 2: does not
    best = 0
    for n in range(len(pairs)):
        a, s, b, t = pairs[n]
        for j in range(m):
            value = change[a, s, j] + change[b, t, j]
            if value < -better:
                if known[a, s, j] == 0:
                    known[a, s, j] = 1 if _fits(a, s, j, held, room, used) else 2
                if known[b, t, j] == 0:
                    known[b, t, j] = 1 if _fits(b, t, j, held, room, used) else 2
            if not value < -better or known[a, s, j] == 2 or known[b, t, j] == 2:
                value = np.inf
            least[n * m + j] = value
            if value < least[best]:
                best = n * m + j
    return best


@exact_kernel
def _bend(pair: I64, j: int, factors: Factors, standing: Now, moved: I64, by: F64) -> float:
    """½ d'Wd of one move. ``moved``, ``by`` (f,): space for the rows it moves and how far."""
    _, lower, upper, _, risk, _, turned, span = factors
    at, r, _ = standing
    n = 0
    for side in range(2):
        g, one = pair[2 * side], 1.0 - 2.0 * pair[2 * side + 1]
        for i in range(span[g], span[g + 1]):
            d = outside_by(at[i] + one * turned[j, i], lower[i], upper[i]) - r[i]
            if d != 0.0:
                moved[n], by[n] = i, d
                n += 1
    total = 0.0
    for k in range(n):
        part = 0.5 * risk[moved[k], moved[k]] * by[k]
        for h in range(k):
            part += risk[moved[k], moved[h]] * by[h]
        total += by[k] * part
    return total


@exact_kernel
def _best(
    better: float, first: int, least: F64, pairs: I64, factors: Factors, standing: Now, moved: I64, by: F64
) -> int:
    """The move that lowers the objective most, the first of equal ones; -1 if none does by ``better``."""
    m = factors[5].shape[1]
    if not least[first] < np.inf:
        return -1
    bound = least[first] + _bend(pairs[first // m], first % m, factors, standing, moved, by)
    lowest, best = -better, -1
    for k in range(len(least)):
        if least[k] <= bound and least[k] < lowest:
            value = least[k] + _bend(pairs[k // m], k % m, factors, standing, moved, by)
            if value < lowest:
                lowest, best, bound = value, k, min(bound, value)
    return best


@exact_kernel
def _seen(now: float, held: F64, values: F64, trail: F64, rounds: int) -> bool:
    """Whether some start has come by these lots: from there on the moves are the same."""
    seen = False
    for n in range(rounds):
        seen |= values[n] == now and bool((trail[n] == held).all())
    return seen


@exact_kernel
def repaired(factors: Factors, costs: Costs, room: Room, pairs: I64, starts: F64) -> tuple[F64, int]:
    """(what every group holds (G, m), rounds): the best of the repairs of ``starts`` (n, G, m), each of them allowed.

    ``pairs`` (p, 4): group, s, group, s of every kind of move, in the order in which ties go. Each start has at most two
    rounds per desk and instrument and all together ``ROUNDS``; the best then goes on for at most two and ``MORE_MOVES``. A
    start that comes by another's lots ends there. Of equally good ones the first.
    """
    f, m, groups = len(factors[0]), starts.shape[2], starts.shape[1]
    standing = np.empty(f), np.empty(f), np.empty(f)
    change, used, least = np.empty((groups, 2, m)), np.empty(len(room[2])), np.empty(len(pairs) * m)
    moved, by = np.empty(f, np.int64), np.empty(f)
    values, trail, rounds = np.empty(ROUNDS), np.empty((ROUNDS, groups, m)), 0
    most, spent, lowest, best = 2 * (groups - 1) * m, 0, np.inf, starts[0].copy()
    for n in range(len(starts) + 1):
        last = n == len(starts)
        held = best.copy() if last else starts[n].copy()
        for step in range(most + MORE_MOVES + 1 if last else most + 1):
            now = _stand(held, factors, costs, standing)
            better = _BETTER * max(1.0, abs(now))
            if now < lowest - better:
                lowest = now
                best = held.copy()
            if step == (most + MORE_MOVES if last else most):
                break
            if not last:
                if rounds == ROUNDS or _seen(now, held, values, trail, rounds):
                    break
                values[rounds], trail[rounds] = now, held
                rounds += 1
            spent += 1
            _changes(held, factors, costs, standing, change)
            _use(held, room, used)
            k = _allow(better, held, change, room, used, pairs, least)
            k = _best(better, k, least, pairs, factors, standing, moved, by)
            if k < 0:
                break
            for a, s in ((pairs[k // m, 0], pairs[k // m, 1]), (pairs[k // m, 2], pairs[k // m, 3])):
                held[a, k % m] += 1.0 - 2.0 * s
    return best, spent
