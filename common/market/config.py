"""Settings of the market sources: what people may change, with units in the names.

*Tested by* tests/unit/test_market_config.py.
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

REPOSITORY = Path(__file__).resolve().parents[2]


def default_data_dir() -> Path:
    """``HEDGEROW_DATA`` or ``../shared/data`` beside the repository."""
    return Path(os.environ.get("HEDGEROW_DATA", str(REPOSITORY.parent / "shared" / "data")))


class DemoConfig(BaseModel):
    """The modelled market on real S&P 500, Nasdaq and VIX days. Rates per year, continuously compounded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: date = Field(default=date(2018, 1, 29), description="First day; a day without trading is skipped.")
    end: date = Field(default=date(2018, 2, 9), description="Last day.")
    step_s: int = Field(default=120, ge=1, le=3600, description="Market seconds between two batches of one underlying.")
    seed: int = Field(
        default=7, ge=0, description="Decides the path inside each day, the noise of the surface and the sizes."
    )
    vix_overnight_share: float = Field(
        default=0.3, ge=0, le=1, description="Share of the VIX's change that the open shows."
    )
    vix_per_return: float = Field(
        default=-6.0, description="ln VIX per log return of the index, about its line in the session."
    )
    nasdaq_vol_factor: float = Field(
        default=1.2, gt=0, le=3, description="Nasdaq implied volatility over that of the S&P 500."
    )
    level_noise: float = Field(
        default=0.03, ge=0, le=0.5, description="Standard deviation of ln forward variance, all tenors."
    )
    tenor_noise: float = Field(default=0.02, ge=0, le=0.5, description="The same, of each forward variance by itself.")
    skew_noise: float = Field(default=0.01, ge=0, le=0.05, description="Standard deviation of the smile's correlation.")
    noise_half_life_s: int = Field(
        default=10_800, ge=60, description="Market seconds in which noise halves; a night is a session."
    )
    rate_per_year: float = Field(default=0.016, description="Discount rate.")
    dividend_spx_per_year: float = Field(default=0.019, description="Dividend yield of the S&P 500.")
    dividend_ixic_per_year: float = Field(default=0.010, description="Dividend yield of the Nasdaq Composite.")

    @model_validator(mode="after")
    def _window(self) -> Self:
        if self.end < self.start:
            raise ValueError(f"end {self.end} lies before start {self.start}")
        return self


class EsOptionsConfig(BaseModel):
    """The real E-mini day. ``start`` drops the indications before the session."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: AwareDatetime = Field(
        default=datetime(2020, 1, 5, 23, tzinfo=UTC), description="First instant taken from the files."
    )
    end: AwareDatetime | None = Field(default=None, description="First instant no longer taken; none: all.")
    rate_per_year: float = Field(
        default=0.0155, description="Discount rate, about the US bill yields of early January 2020."
    )


class CsvConfig(BaseModel):
    """What a plain quote file does not say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    carry_per_year: float = Field(
        default=0.0, description="Carry r - q of index underlyings; 0 for options on futures always."
    )
    rate_per_year: float = Field(default=0.02, description="Discount rate.")
    daily_vol: float = Field(default=0.01, gt=0, le=0.5, description="Prior standard deviation of daily log returns.")
    correlation: float = Field(default=0.8, gt=-1, lt=1, description="Prior correlation between two underlyings.")
    session_gap_s: int = Field(default=900, ge=1, description="A silence longer than this ends a session.")
    roll_calendar: str = Field(
        default="", description="Market whose sessions say when futures are rolled, as XCME; empty: never."
    )

    @model_validator(mode="after")
    def _prior(self) -> Self:
        if self.correlation < 0:
            raise ValueError(
                "correlation must not be negative: one value for all pairs has to stay a correlation matrix"
            )
        return self


class MarketConfig(BaseModel):
    """Which market, and the settings of each kind."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="demo", description="demo, es-options, a recording (folder or file) or a CSV of quotes.")
    data: Path | None = Field(
        default=None, description="Folder of the real data files; none: HEDGEROW_DATA or ../shared/data."
    )
    demo: DemoConfig = DemoConfig()
    es_options: EsOptionsConfig = EsOptionsConfig()
    csv: CsvConfig = CsvConfig()

    @property
    def data_dir(self) -> Path:
        """Folder of the real data files."""
        return self.data if self.data is not None else default_data_dir()
