"""Settings of the cross-asset kind. *Tested by* tests/unit/test_agents_config.py."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class CrossAssetConfig(BaseModel):
    """How the covariance between underlyings is kept; symbols in README.md beside this file.

    ``interval_scale``: times every half-width of the formula, before its floor and limit.
    ``grid_s``: step of the market-time grid on which returns are taken, seconds. ``half_life_days``: half life of a
    return's weight, calendar days.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    interval_scale: float = Field(default=1.0, gt=0)
    grid_s: float = Field(default=300.0, gt=0)
    half_life_days: float = Field(default=20.0, gt=0)
