"""What the platform sets for the manager; what people may risk stands in ``common/limits.py``.

*Tested by* tests/unit/test_manager_config.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from common.cost_model import CostModel
from manager.budgets_config import BudgetsConfig
from manager.tactics import TacticRule

#: Journal entries between two snapshots. A new leader folds a whole snapshot and at most as many entries: about as long for
#: the one as for the other.
SNAPSHOT_EVERY: Final = 10_000


@dataclass(frozen=True, slots=True)
class Patience:
    """How often displayed size comes back while a hedge waits, and that time as a share of the horizon W prices."""

    displays: float
    horizon_share: float


class VolOfVol(BaseModel):
    """How implied vols move: η(T) = points_30d × (30 / T)^decay vol points per √day, correlated over buckets and names.

    Correlation of two buckets is exp(-bucket_distance × |ln(T1 / T2)|), times ``underlying_correlation`` between names.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    points_30d: float = Field(default=1.2, gt=0.0)
    decay: float = Field(default=0.5, ge=0.0, le=2.0)
    bucket_distance: float = Field(default=0.15, gt=0.0)
    underlying_correlation: float = Field(default=0.9, ge=0.0, lt=1.0)


class Volatility(BaseModel):
    """Running volatility of the futures: returns on a market-time grid, a gap weighing as the night."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    grid_s: float = Field(default=300.0, gt=0.0)
    half_life_days: float = Field(default=5.0, gt=0.0)
    session_s: float = Field(default=23_400.0, gt=0.0)
    gap_s: float = Field(default=3_600.0, gt=0.0)
    overnight_share: float = Field(default=0.25, gt=0.0, lt=1.0)


class ManagerConfig(BaseModel):
    """Settings of the manager core. Times in seconds of market time but for ``feed_silent_s``. Frozen."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    netting: Literal["joint", "plain", "alone", "none"] = "joint"
    #: Instruments in one solve at most, and solver iterations at most.
    menu_max: int = Field(default=50, ge=1, le=200)
    iteration_limit: int = Field(default=2_000, ge=1)
    #: Horizon of the firm's P&L and days between effective delta hedges (the night).
    horizon_days: float = Field(default=5.0, gt=0.0)
    hedge_days: float = Field(default=1.0, gt=0.0)
    vol_of_vol: VolOfVol = VolOfVol()
    volatility: Volatility = Volatility()
    budgets: BudgetsConfig = BudgetsConfig()
    #: Share of each correlation matrix that is taken to be idiosyncratic; keeps the risk matrix well conditioned.
    correlation_shrink: float = Field(default=0.05, gt=0.0, lt=1.0)
    #: w = this × dearest admissible cost per unit; admissible: within this multiple of the cheapest.
    kink_multiple: float = Field(default=2.0, gt=1.0)
    admissible_multiple: float = Field(default=3.0, ge=1.0)
    #: Price of an exceeded hard limit, as a multiple of the dearest admissible cost per unit.
    breach_multiple: float = Field(default=100.0, gt=1.0)
    #: Taking the whole displayed size is charged this share of the half spread on top, rising linearly.
    impact_share: float = Field(default=0.1, ge=0.0)
    #: The same by the square root: taking the whole displayed size is charged this share of the half spread a lot.
    root_impact_share: float = Field(default=0.0, ge=0.0)
    #: What trading was measured to cost, in place of a whole half spread and the two shares above (``hedgerow tca``).
    cost_model: CostModel = Field(default=CostModel(), description="In a settings file or flag: the name of its file.")
    #: Part of the displayed size an order may take.
    quote_share: float = Field(default=1.0, gt=0.0, le=1.0)
    #: How long a hedge may wait for displayed size to come back rather than take dearer lots, and how often it comes back.
    patience_s: float = Field(default=600.0, ge=0.0)
    refresh_s: float = Field(default=60.0, gt=0.0)
    #: An order must improve the objective by at least this.
    min_gain_usd: float = Field(default=0.01, ge=0.0)
    max_source_age_s: float = Field(default=120.0, gt=0.0)
    #: Wall time without a word of the feed, which beats every second, after which nothing is traded: no time passes either.
    feed_silent_s: float = Field(default=5.0, ge=1.5)
    proposal_age_s: float = Field(default=900.0, gt=0.0)
    rebase_age_s: float = Field(default=600.0, gt=0.0)
    #: A sensitivity is trusted to this relative error; a re-base whose error exceeds both the interval's width and this
    #: share of the soft limit is refused.
    sensitivity_error: float = Field(default=0.05, ge=0.0)
    rebase_error_of_soft: float = Field(default=0.05, ge=0.0)
    #: From the decision to the cancel; of a worked order its time budget comes on top.
    order_life_s: float = Field(default=10.0, gt=0.0)
    tactic: TacticRule = TacticRule()
    #: After an order ended unfilled, or was refused, its instrument rests.
    unfilled_rest_s: float = Field(default=1.0, ge=0.0)
    refused_rest_s: float = Field(default=30.0, ge=0.0)
    #: How long a refusal of execution is believed: reduce-only, of its underlying; too large, of its instrument.
    believed_s: float = Field(default=600.0, ge=0.0)
    #: Bounds of what is kept: position changes for re-basing, ended orders, fill ids, acknowledgements.
    history_max: int = Field(default=8_192, ge=1)
    orders_kept: int = Field(default=20_000, ge=1)
    exec_ids_kept: int = Field(default=65_536, ge=1)
    commands_kept: int = Field(default=4_096, ge=1)

    @property
    def patience(self) -> Patience:
        """In the terms of the solve; the horizon in market time of a session a day."""
        return Patience(
            self.patience_s / self.refresh_s, self.patience_s / (self.volatility.session_s * self.horizon_days)
        )

    @model_validator(mode="after")
    def _ages_agree(self) -> ManagerConfig:
        if self.rebase_age_s > self.proposal_age_s:
            raise ValueError("rebase_age_s is above proposal_age_s: a proposal that old is refused anyway")
        return self
