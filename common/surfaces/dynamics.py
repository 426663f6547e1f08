"""How a surface moves with its underlying, and what that adds to the Greeks.

With x = ln(S'/S) the move and k = ln(K/F), a skew-stickiness ratio R moves the smile so that

    σ'(K) = σ(k - (1 - R) x)        R = 1 sticky strike, R = 0 sticky moneyness (σ depends on K/F only)

so the at-the-money volatility moves by R times the skew: R is Bergomi's ratio (Smile dynamics IV, Risk, December 2009;
Stochastic Volatility Modeling, 2016, chapter 2). Equity indices show about 1.5; local volatility gives 2 for short
expiries. With the slopes at a fixed strike

    f = dσ/dS = -(1 - R) σ_k / S        f' = d²σ/dS² = ((1 - R)² σ_kk + (1 - R) σ_k) / S²

the chain rule on V(S, σ(S)) gives total

    delta + vega f        gamma + 2 vanna f + volga f² + vega f'        vanna + volga f

F moves in proportion to S, so S may be the spot or the future. Price, vega, theta, rho and volga stay; charm stays as
it is at a fixed volatility. Only R = 0 leaves a surface free of arbitrage after the move: the others are rules of
thumb for small moves.
*Tested by* tests/unit/test_surfaces_dynamics.py (full revaluation with a moved surface).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from common.kernels.layout import DELTA, GAMMA, VANNA, VEGA, VOLGA
from common.messages import F64
from common.surfaces.surface import Surface

STICKY_STRIKE: Final = 1.0
STICKY_MONEYNESS: Final = 0.0

#: Step of the derivatives of the smile, in at-the-money standard deviations, and their five-point weights.
_STEP: Final = 0.02
_OFFSETS: Final = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
_FIRST: Final = np.array([1.0, -8.0, 0.0, 8.0, -1.0]) / 12.0
_SECOND: Final = np.array([-1.0, 16.0, -30.0, 16.0, -1.0]) / 12.0


@dataclass(frozen=True, slots=True, eq=False)
class VolSlopes:
    """dσ/dS per point and d²σ/dS² per point², (n,), at a fixed strike; σ per √year."""

    first: F64
    second: F64


def smile_derivatives(surface: Surface, expiry_ns: ArrayLike, strike: ArrayLike, forward: ArrayLike) -> tuple[F64, F64]:
    """dσ/dk and d²σ/dk² by k = ln(K/F) at a fixed expiry, broadcast; five-point differences, error below 1e-6 of the
    skew."""
    at, level, fwd = np.broadcast_arrays(
        np.asarray(expiry_ns, np.int64), np.asarray(strike, np.float64), np.asarray(forward, np.float64)
    )
    width = _STEP * surface.vol(at, fwd, fwd) * np.sqrt(surface.tau(at))
    moved = level[..., None] * np.exp(_OFFSETS * width[..., None])
    vol = surface.vol(at[..., None], moved, fwd[..., None])
    return np.asarray(vol @ _FIRST / width), np.asarray(vol @ _SECOND / width**2)


def vol_slopes(
    surface: Surface,
    expiry_ns: ArrayLike,
    strike: ArrayLike,
    base: ArrayLike,
    ratio: float,
    forward: ArrayLike | None = None,
) -> VolSlopes:
    """Slopes of each row's volatility by its ``base`` (n,), the price that delta refers to, under skew-stickiness
    ``ratio``.

    forward (n,): of the moment; none: that of the surface. NaN where the surface has no volatility.
    """
    at = np.asarray(expiry_ns, np.int64)
    fwd = surface.forward(at) if forward is None else forward
    skew, bend = smile_derivatives(surface, at, strike, fwd)
    level = np.asarray(base, np.float64)
    loose = 1.0 - ratio
    return VolSlopes(np.asarray(-loose * skew / level), np.asarray((loose * loose * bend + loose * skew) / level**2))


def with_smile(greeks: F64, slopes: VolSlopes) -> F64:
    """Total Greeks (GREEKS, n) from those at fixed volatility (common/kernels/layout.py): delta, gamma and vanna
    change; a copy."""
    first, second = slopes.first, slopes.second
    total = greeks.copy()
    total[DELTA] += greeks[VEGA] * first
    total[GAMMA] += 2.0 * greeks[VANNA] * first + greeks[VOLGA] * first**2 + greeks[VEGA] * second
    total[VANNA] += greeks[VOLGA] * first
    return total


def moved_vol(
    surface: Surface,
    expiry_ns: ArrayLike,
    strike: ArrayLike,
    log_move: ArrayLike,
    ratio: float,
    forward: ArrayLike | None = None,
) -> F64:
    """Volatility after the underlying has moved by ``log_move`` = ln(S'/S), for full revaluation; broadcast.

    forward: before the move; none: that of the surface.
    """
    at = np.asarray(expiry_ns, np.int64)
    before = surface.forward(at) if forward is None else np.asarray(forward, np.float64)
    return surface.vol(at, strike, before * np.exp((1.0 - ratio) * np.asarray(log_move, np.float64)))
