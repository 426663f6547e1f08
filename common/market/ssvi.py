"""The modelled implied surface: SSVI in log-moneyness, with a mean-reverting variance term structure.

Total implied variance of Gatheral and Jacquier, "Arbitrage-free SVI volatility surfaces" (Quantitative Finance, 2014):

    w(k, θ) = θ/2 (1 + ρ φ k + sqrt((φ k + ρ)² + 1 - ρ²)),   φ(θ) = η / sqrt(θ (1 + θ)),   k = ln(K / F)

Free of butterflies while η (1 + |ρ|) <= 2 and of calendar spreads while θ grows with time to expiry (theorems 4.1, 4.2,
remark 4.4 there). θ is at-the-money total variance: θ(T) = v∞ T + (v0 - v∞) (1 - exp(-κT)) / κ, whose forward variance
stays positive; (1 - exp(-κT)) / κT is the damping of a shock at tenor T.
*Tested by* tests/golden/test_market_ssvi.py, tests/properties/test_market_surface.py.
"""

from __future__ import annotations

import numpy as np

from common.messages import F64

#: Smile width; with |ρ| <= 0.8 the bound η (1 + |ρ|) <= 2 holds.
ETA = 1.1
RHO = -0.7
RHO_BOUNDS = (-0.8, -0.6)
#: Speed at which variance returns to its long-run level, per year: a shock at 30 days is down to a quarter at one year.
KAPPA_PER_YEAR = 5.0
#: Long-run at-the-money volatility.
LONG_RUN_VOL = 0.15
VIX_TENOR_YEARS = 30.0 / 365.0
#: At-the-money 30-day volatility per unit of VIX, so that this smile's 30-day variance swap is worth the VIX squared.
ATM_PER_VIX = 0.82
#: Least instantaneous variance as a share of the 30-day variance (forward variance stays positive at any VIX).
V0_FLOOR = 0.05


def damping(tau_years: F64) -> F64:
    """Share of an instantaneous variance shock that total variance per year keeps at each tenor; 1 at tenor 0."""
    x = KAPPA_PER_YEAR * np.asarray(tau_years)
    return np.asarray(-np.expm1(-x) / x)


def atm_total_variance(vix: F64, tau_years: F64, factor: float = 1.0) -> F64:
    """θ (s, m) at the money for VIX (s,) in vol points and years to expiry (s, m) > 0; ``factor`` scales vols."""
    long_run = LONG_RUN_VOL**2
    v30 = (ATM_PER_VIX * np.asarray(vix)[:, None] / 100.0) ** 2
    v0 = long_run + (v30 - long_run) / damping(np.array(VIX_TENOR_YEARS))
    v0 = np.maximum(v0, V0_FLOOR * v30)
    return np.asarray(factor**2 * tau_years * (long_run + (v0 - long_run) * damping(tau_years)))


def total_variance(log_moneyness: F64, theta: F64, rho: F64) -> F64:
    """w, of the broadcast shape; θ > 0, |ρ| < 1."""
    pk = ETA / np.sqrt(theta * (1.0 + theta)) * log_moneyness
    return np.asarray(0.5 * theta * (1.0 + rho * pk + np.sqrt((pk + rho) ** 2 + 1.0 - rho * rho)))
