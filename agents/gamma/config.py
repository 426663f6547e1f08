"""Settings of the gamma kind. *Tested by* tests/unit/test_agents_config.py."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class GammaConfig(BaseModel):
    """How delta and gamma are kept; symbols in README.md beside this file.

    ``delta_only``: the delta-hedged baseline, menu of futures only, no gamma factor. ``interval_scale``: times
    every half-width of the formulas, before its floor and limit. ``rehedge_days``: h, trading days
    between effective delta hedges (the night). ``fallback_half_spread_vol_pt``: half spread assumed for the gamma
    interval where the menu holds no option, volatility points.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    delta_only: bool = False
    interval_scale: float = Field(default=1.0, gt=0)
    rehedge_days: float = Field(default=1.0, gt=0)
    fallback_half_spread_vol_pt: float = Field(default=0.5, gt=0)
