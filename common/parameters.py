"""The agents' parameters that people may change while a run lasts: which, in which bounds, and what contradicts what.

A name is the path of a setting in ``agents/config.py``; that file says what each means. Everything else of the agents is
fixed for a run. *Tested by* tests/unit/test_parameters.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from common.errors import Refused


class Parameters(BaseModel):
    """Every parameter with its bounds; the defaults are those of ``AgentsConfig``."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    gamma_interval_scale: float = Field(1.0, alias="gamma.interval_scale", gt=0, le=100)
    gamma_rehedge_days: float = Field(1.0, alias="gamma.rehedge_days", gt=0, le=30)
    vega_interval_scale: float = Field(1.0, alias="vega.interval_scale", gt=0, le=100)
    vega_vol_of_vol: float = Field(1.0, alias="vega.vol_of_vol_pt_per_sqrt_day", gt=0, le=100)
    vega_tenor_damping: float = Field(0.5, alias="vega.tenor_damping", ge=0, le=2)
    cross_asset_interval_scale: float = Field(1.0, alias="cross_asset.interval_scale", gt=0, le=100)
    menu_shortest_days: float = Field(1.0, alias="menu.shortest_days", ge=0, le=365)
    menu_widest_spread: float = Field(0.15, alias="menu.widest_spread_share_of_mid", gt=0, le=2)
    trigger_threshold: float = Field(0.25, alias="trigger.threshold_fraction_of_half_width", gt=0, le=10)
    trigger_price_move_bp: float = Field(10.0, alias="trigger.price_move_bp", gt=0, le=10_000)
    trigger_time_s: float = Field(300.0, alias="trigger.time_s", gt=0, le=86_400)
    proposal_life_s: float = Field(900.0, alias="proposal_life_s", gt=0, le=86_400)
    holding_days: float = Field(5.0, alias="holding_days", gt=0, le=365)

    @model_validator(mode="after")
    def _an_agent_speaks_before_its_word_ends(self) -> Parameters:
        if self.trigger_time_s > self.proposal_life_s:
            raise ValueError(
                f"trigger.time_s {self.trigger_time_s:g} contradicts proposal_life_s {self.proposal_life_s:g}: "
                "a proposal would end before its agent speaks again"
            )
        return self


PATHS: tuple[str, ...] = tuple(str(field.alias) for field in Parameters.model_fields.values())
DEFAULTS: dict[str, float] = Parameters.model_validate({}).model_dump(by_alias=True)


def values_of(agents: Mapping[str, Any]) -> dict[str, float]:
    """The parameters of a run's settings: ``agents`` as ``AgentsConfig`` dumps itself. Raises ``KeyError`` on a missing one."""
    out = {}
    for path in PATHS:
        found: Any = agents
        for name in path.split("."):
            found = found[name]
        out[path] = float(found)
    return out


def check(values: Mapping[str, float]) -> None:
    """Raise ``Refused`` with rule, value and limit unless these values (by path) are allowed together."""
    try:
        Parameters.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        reason = str(first["msg"]).removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            raise Refused(f"no parameter {where!r} to change live; known: {', '.join(PATHS)}") from error
        raise Refused(f"{where} = {values[where]:g}: {reason}" if where else reason) from error
