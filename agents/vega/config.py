"""Settings of the vega kind. *Tested by* tests/unit/test_agents_config.py."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class VegaConfig(BaseModel):
    """How the vega of expiry buckets is kept; symbols in README.md beside this file.

    ``interval_scale``: times every half-width of the formula, before its floor and limit.
    ``vol_of_vol_pt_per_sqrt_day``: η at 30 days, standard deviation of a trading day's change of implied volatility,
    points. ``tenor_damping``: η falls as (30 days/tenor)^damping, since far implied volatilities move less.
    ``fallback_half_spread_vol_pt``: half spread assumed for a bucket in which the menu holds no option, points.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    interval_scale: float = Field(default=1.0, gt=0)
    vol_of_vol_pt_per_sqrt_day: float = Field(default=1.0, gt=0)
    tenor_damping: float = Field(default=0.5, ge=0, le=2)
    fallback_half_spread_vol_pt: float = Field(default=0.5, gt=0)
