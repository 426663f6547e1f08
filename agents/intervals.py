"""How wide an exposure may swing before trading pays: half-widths of the target intervals, plain numbers in and out.

All weigh the cost of trading against the firm's one risk aversion a (per USD, exponential utility). A day is a
trading day.
*Tested by* tests/golden/test_intervals_published.py, tests/properties/test_agents_intervals.py.
"""

from __future__ import annotations

import math

from common.units import TRADING_DAYS_PER_YEAR


def daily(vol_per_sqrt_year: float) -> float:
    """Volatility per √trading day."""
    return vol_per_sqrt_year / math.sqrt(TRADING_DAYS_PER_YEAR)


def delta_half_width_usd(cost_rate: float, dollar_gamma_usd: float, risk_aversion_per_usd: float) -> float:
    """Whalley-Wilmott half-width of the dollar delta, (1.5 κ G²/a)^(1/3) USD.

    cost_rate κ >= 0: one-way cost per USD traded; dollar_gamma_usd G = Γ F² of the book (any sign); a > 0.
    Source: Whalley and Wilmott (1997), Mathematical Finance 7, r = 0, in dollars: their half-width in units × price.
    """
    return float((1.5 * cost_rate * dollar_gamma_usd * dollar_gamma_usd / risk_aversion_per_usd) ** (1.0 / 3.0))


def gamma_half_width_usd(
    cost_per_gamma: float, vol_daily: float, rehedge_days: float, holding_days: float, risk_aversion_per_usd: float
) -> float:
    """Half-width G* = 2 c/(a σ⁴ h H) of the dollar gamma ΓF², USD.

    Between delta hedges h days apart the P&L ½ G (r² - σ²h) has variance ½ G² σ⁴ h² each, so ½ G² σ⁴ h H over H days;
    at G* the marginal value ½ a d(variance)/dG = ½ a G σ⁴ h H of less variance equals c, the USD cost of moving ΓF²
    by one USD.
    """
    return 2.0 * cost_per_gamma / (risk_aversion_per_usd * vol_daily**4 * rehedge_days * holding_days)


def vega_half_width_usd(
    cost_per_vega: float, vol_pt_per_sqrt_day: float, holding_days: float, risk_aversion_per_usd: float
) -> float:
    """Half-width V* = c_v/(a η² H) of the vega, USD per point.

    Variance of the vega P&L over H days is V² η² H; its marginal price ½ a · 2 V η² H equals c_v, the USD cost of
    moving vega by one USD per point.
    """
    return cost_per_vega / (risk_aversion_per_usd * vol_pt_per_sqrt_day**2 * holding_days)


def clip(half_width: float, floor: float, soft_limit: float) -> float:
    """Half-width not below ``floor`` (half a lot: whole lots cannot do better), but never above the soft limit."""
    return min(max(half_width, floor), soft_limit)


def to_nearest_edge(exposure: float, half_width: float) -> float:
    """Change that brings an exposure to the nearest edge of ±half_width; 0 inside."""
    if exposure > half_width:
        return half_width - exposure
    if exposure < -half_width:
        return -half_width - exposure
    return 0.0
