"""The loops of a division of risk: budgeted contributions, and a scale inside bounds. See ``manager/budgets.py`` for the maths.

Compiled because a round divides several scopes within one step of the manager, and each is thousands of operations on
vectors of a few entries. Every operation rounds by itself and in one order, so that a round is the same wherever it is made.
C (f, f) covariance, x (f,) exposures. Inputs are finite and of the shapes said; who calls sees to that.
*Tested by* tests/unit/test_budgets_division.py, tests/properties/test_budgets_division.py.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from common.kernels.jit import F64, exact_inline, exact_kernel

#: Doublings of the scale until it is large enough, halvings of the interval it lies in.
_DOUBLINGS: Final = 200
_HALVINGS: Final = 100


@exact_inline
def _times(c: F64, x: F64, out: F64) -> None:
    """out = C x."""
    for i in range(len(x)):
        total = 0.0
        for j in range(len(x)):
            total += c[i, j] * x[j]
        out[i] = total


@exact_kernel
def descend(c: F64, b: F64, sweeps: int, tolerance: float) -> tuple[F64, bool]:
    """(x, converged): x > 0 with √(x'Cx) = 1 and contributions b (f,) > 0, Σ b = 1, by cyclical coordinate descent."""
    n = len(b)
    x, pull = np.empty(n), np.empty(n)
    for i in range(n):
        x[i] = math.sqrt(b[i] / c[i, i])
    _times(c, x, pull)
    for _ in range(sweeps):
        for i in range(n):
            s = pull[i] - c[i, i] * x[i]
            new = (-s + math.sqrt(s * s + 4.0 * c[i, i] * b[i])) / (2.0 * c[i, i])
            by = new - x[i]
            for j in range(n):
                pull[j] += c[j, i] * by
            x[i] = new
        _times(c, x, pull)
        worst, variance = 0.0, 0.0
        for i in range(n):
            worst = max(worst, abs(x[i] * pull[i] - b[i]))
            variance += x[i] * pull[i]
        if worst <= tolerance:
            risk = math.sqrt(variance)
            for i in range(n):
                x[i] = x[i] / risk
            return x, True
    return x, False


@exact_inline
def _risk_of(scale: float, x: F64, floor: F64, most: F64, c: F64) -> float:
    """√(y'Cy) of y = clip(scale x, floor, most)."""
    n, variance = len(x), 0.0
    y = np.empty(n)
    for i in range(n):
        y[i] = min(max(scale * x[i], floor[i]), most[i])
    for i in range(n):
        pull = 0.0
        for j in range(n):
            pull += c[i, j] * y[j]
        variance += y[i] * pull
    return math.sqrt(max(variance, 0.0))


@exact_kernel
def scale_within(x: F64, floor: F64, most: F64, c: F64, risk: float) -> float:
    """The largest s (to a bisection's end) at which clip(s x, floor, most) has at most ``risk``; 0 where the floors have more."""
    low, high = 0.0, 1.0
    if _risk_of(low, x, floor, most, c) >= risk:
        return 0.0
    for _ in range(_DOUBLINGS):
        full = True
        for i in range(len(x)):
            full = full and high * x[i] >= most[i]
        if full or _risk_of(high, x, floor, most, c) >= risk:
            break
        high *= 2.0
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        if _risk_of(middle, x, floor, most, c) <= risk:
            low = middle
        else:
            high = middle
    return low
