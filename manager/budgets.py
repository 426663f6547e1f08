"""How a budget of risk or of money is divided: pure functions, arrays in and out. See docs/budgets.md for the maths.

Risk is the standard deviation √(x'Cx) of the P&L of exposures x with covariance C (USD² per unit²). It is homogeneous of
degree one, so by Euler's theorem the contributions x_i (Cx)_i / √(x'Cx) add up to it; so do those of expected shortfall.
*Tested by* tests/unit/test_budgets_division.py, tests/properties/test_budgets_division.py.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from common.kernels import division as kernels
from common.messages import F64
from common.risk.var import es_components

#: Sweeps of coordinate descent and relative error at which it stops.
SWEEPS: Final = 5000
TOLERANCE: Final = 1e-10
_CVAR_ROUNDS: Final = 200


def risk_contributions(x: F64, covariance: F64) -> F64:
    """Parts (f,) of √(x'Cx), signed, adding up to it; zeros where there is no risk. C (f, f) positive semidefinite."""
    pull = covariance @ x
    risk = math.sqrt(max(float(x @ pull), 0.0))
    return np.asarray(x * pull / risk if risk > 0.0 else np.zeros(len(x)))


def cvar_contributions(pnl: F64, level: float) -> F64:
    """Euler parts (f,) USD of the expected shortfall of Σ_i pnl[:, i], pnl (m states, f); they add up to it."""
    return es_components(pnl, level)


def budgeted(covariance: F64, share: F64) -> F64:
    """Exposures x > 0 (f,) with √(x'Cx) = 1 whose contributions to it are ``share`` / Σ share, share (f,) > 0.

    The minimiser of ½ x'Cx - Σ b_i ln x_i (Spinu 2013, "An algorithm for computing risk parity weights"), unique where C
    is positive definite (or has no negative entry and a positive diagonal: Marshall and Olkin 1968), by cyclical
    coordinate descent (Griveau-Billion, Richard and Roncalli 2013): x_i = (-s + √(s² + 4 C_ii b_i)) / 2 C_ii with
    s = Σ_{j≠i} C_ij x_j. Raises ``ValueError`` if a variance or share is not positive, or it does not converge.
    """
    b = np.asarray(share, np.float64)
    variance = np.diag(covariance)
    if len(b) != len(variance) or not (b > 0.0).all() or not (variance > 0.0).all():
        raise ValueError("shares and variances must be positive")
    x, converged = kernels.descend(np.ascontiguousarray(covariance, np.float64), b / b.sum(), SWEEPS, TOLERANCE)
    if not converged:
        raise ValueError(f"risk budgets did not converge in {SWEEPS} sweeps")
    return x


def equal(covariance: F64) -> F64:
    """Exposures x > 0 with √(x'Cx) = 1 that all contribute the same: budgets of one part each."""
    return budgeted(covariance, np.ones(len(covariance)))


def cvar_budgeted(pnl_per_unit: F64, share: F64, level: float) -> F64:
    """Exposures x > 0 (f,) whose Euler parts of expected shortfall are ``share`` / Σ share; the shortfall itself is 1.

    pnl_per_unit (m, f): P&L of one unit of each factor in each state, signed as the factor is held. Damped fixed point
    x_i ← x_i √(b_i / part_i); on a finite sample the parts jump with the order of states, so it stops at the best round.
    Raises ``ValueError`` where a factor loses nothing in its own tail.
    """
    b = np.asarray(share, np.float64) / float(np.sum(share))
    alone = np.array([es_components(column[:, None], level)[0] for column in pnl_per_unit.T])
    if not (alone > 0.0).all():
        raise ValueError("a factor without a loss in its tail has no budget of it")
    x: F64 = b / alone
    best, best_error = x, math.inf
    for _ in range(_CVAR_ROUNDS):
        parts = es_components(pnl_per_unit * x, level)
        x = x / float(parts.sum())
        part = parts / float(parts.sum())
        error = float(np.abs(part - b).max())
        if error < best_error:
            best, best_error = x.copy(), error
        if error <= TOLERANCE:
            break
        # A hedge of the others has a negative part; it may grow, by no more than a factor of two a round.
        ratio = np.clip(b / np.maximum(part, b / 16.0), 0.25, 4.0)
        x = x * np.sqrt(ratio)
    return best


def within(x: F64, least: F64, most: F64, covariance: F64, risk: float) -> F64:
    """``x`` scaled until its risk is ``risk`` inside least ≤ x ≤ most, (f,); what a bound cuts goes to the rest.

    The risk of clip(s x) rises with s where C has no negative entry, so s is found by bisection. Where the floors alone
    have more risk than there is, the floors are returned; where the ceilings have less, the ceilings.
    """
    floor = np.minimum(least, most)
    as_taken = np.ascontiguousarray
    scale = kernels.scale_within(
        as_taken(x, np.float64),
        as_taken(floor, np.float64),
        as_taken(most, np.float64),
        as_taken(covariance, np.float64),
        float(risk),
    )
    return np.asarray(np.clip(scale * x, floor, most) if scale > 0.0 else floor)


def shifted(share: F64, used: F64, worth: F64, transfer: float) -> F64:
    """Shares (f,) after unused budget has moved to where it is worth most; they still add up to Σ share.

    used (f,) in [0, 1]: part of its budget that a factor needs; worth (f,) >= 0: USD that one more USD of risk budget
    saves there (price of risk × what a USD of budget buys). Each gives ``transfer`` of what it does not need, and gets by
    what more is worth to it. Where more is worth nothing to anybody, nothing moves.
    """
    # Only who uses all it has wants more: a price stands where something is outside or at an edge.
    wants = np.where(used >= 1.0, worth * share, 0.0)
    total = float(wants.sum())
    if total <= 0.0:
        return np.asarray(share, np.float64)
    given = transfer * share * (1.0 - np.clip(used, 0.0, 1.0))
    given = np.where(wants > 0.0, 0.0, given)
    return np.asarray(share - given + float(given.sum()) * wants / total)


def divided(total: int, least: list[int], want: list[float], most: list[int]) -> list[int]:
    """Whole cents that add up to at most ``total``: ``least`` first, the rest by ``want``, nobody above ``most``.

    What a ceiling turns away goes to the others (water-filling); the last cents by largest remainder, ties to the first.
    Where the floors alone exceed the total they stand: what is used and reserved cannot be taken back.
    """
    out = [min(a, b) if b >= a else a for a, b in zip(least, most, strict=True)]
    left = total - sum(out)
    open_ = [i for i in range(len(out)) if out[i] < most[i] and want[i] > 0.0]
    while left > 0 and open_:
        weight = sum(want[i] for i in open_)
        part = {i: left * want[i] / weight for i in open_}
        full = [i for i in open_ if part[i] >= most[i] - out[i]]
        if not full:
            whole = {i: int(part[i]) for i in open_}
            rest = left - sum(whole.values())
            for i in sorted(open_, key=lambda i: (whole[i] - part[i], i))[:rest]:
                whole[i] += 1
            for i in open_:
                out[i] += whole[i]
            return out
        for i in full:
            left -= most[i] - out[i]
            out[i] = most[i]
        open_ = [i for i in open_ if i not in full]
    return out


def steady(old: F64, new: F64, hysteresis: float) -> bool:
    """Whether new budgets are so near the old that nobody needs to hear of them: no part changed by more."""
    if old.shape != new.shape or not np.isfinite(new).all() or not np.isfinite(old).all():
        return False
    return bool((np.abs(new - old) <= hysteresis * np.maximum(np.abs(old), 1e-12)).all())
