"""Settings of all agents, as people write them; every field has its unit in its name or a stated meaning.

*Tested by* tests/unit/test_agents_config.py.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, field_validator

from agents.cross_asset.config import CrossAssetConfig
from agents.fleet_scale import ScaleRules
from agents.gamma.config import GammaConfig
from agents.vega.config import VegaConfig
from common.factors import KINDS
from common.parameters import PATHS

MAX_SHARDS = 64


class TriggerConfig(BaseModel):
    """What makes an agent speak, beyond its first decision and a new position version.

    ``threshold_fraction_of_half_width``: an exposure moved by this share of its half-width since the last proposal (or
    crossed an edge). ``price_move_bp``: an own underlying moved this much since then; what sets widths free to narrow as
    well (`standing`). ``time_s``: market seconds since then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold_fraction_of_half_width: float = Field(default=0.25, gt=0)
    price_move_bp: float = Field(default=10.0, gt=0)
    time_s: float = Field(default=300.0, gt=0)


class MenuConfig(BaseModel):
    """Which contracts are offered as hedges.

    ``shortest_days``: listed expiries must be more than this far away. ``widest_spread_share_of_mid``: cap on
    (ask - bid)/mid of an option.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    shortest_days: float = Field(default=1.0, ge=0)
    widest_spread_share_of_mid: float = Field(default=0.15, gt=0)


class AgentsConfig(BaseModel):
    """Everything the agents of one run share.

    ``shards``: agents per kind, 0 is none; ``scaling``: whether and how their number follows the load.
    ``successors``: where Ray has several nodes for agents of every kind, each agent has a loaded successor on another node, which
    goes on where the agent ends or hangs; it takes the memory of an agent.
    ``max_source_age_s``: market seconds after which an underlying whose source is silent or whose future is unusable
    is not spoken for.
    ``proposal_life_s``: market seconds for which a proposal may be used.
    ``holding_days``: H, trading days for which a hedge is expected to matter; more of them make intervals narrower.
    ``reference_tenor_days``: tenor of the at-the-money volatility in the formulas.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gamma: GammaConfig = GammaConfig()
    vega: VegaConfig = VegaConfig()
    cross_asset: CrossAssetConfig = CrossAssetConfig()
    menu: MenuConfig = MenuConfig()
    trigger: TriggerConfig = TriggerConfig()
    scaling: ScaleRules = ScaleRules()
    successors: bool = True
    shards: dict[str, int] = Field(default_factory=lambda: {"gamma": 2, "vega": 1, "cross_asset": 1})
    max_source_age_s: float = Field(default=900.0, gt=0)
    proposal_life_s: float = Field(default=900.0, gt=0)
    holding_days: float = Field(default=5.0, gt=0)
    reference_tenor_days: float = Field(default=30.0, gt=0)

    @field_validator("shards")
    @classmethod
    def _known_kinds(cls, shards: dict[str, int]) -> dict[str, int]:
        for kind, count in shards.items():
            if kind not in KINDS:
                raise ValueError(f"unknown agent kind {kind!r}; known: {', '.join(KINDS)}")
            if not 0 <= count <= MAX_SHARDS:
                raise ValueError(f"shards of {kind}: {count} is not between 0 and {MAX_SHARDS}")
        return shards


def with_values(config: AgentsConfig, values: Mapping[str, float]) -> AgentsConfig:
    """The settings with some of the parameters that may be changed live (``common/parameters.py``), by path.

    Raises ``ValueError`` for another path, or values that the settings do not allow.
    """
    changed = config.model_dump()
    for path, value in values.items():
        if path not in PATHS:
            raise ValueError(f"{path} cannot be changed while a run lasts")
        *inner, name = path.split(".")
        found = changed
        for part in inner:
            found = found[part]
        found[name] = value
    return AgentsConfig.model_validate(changed)
