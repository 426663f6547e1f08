"""The default weights of the variance clock against 23 years of SPY's daily bars."""

from __future__ import annotations

import csv
import gzip

import numpy as np
import pytest

from common.calendars.variance import VarianceClockConfig
from common.market.config import default_data_dir

FILE = default_data_dir() / "spy_daily_1998-2021.csv.gz"
SESSION_H, NIGHT_H, WEEKEND_H = 6.5, 17.5, 48.0
LARGE = 0.05


@pytest.mark.skipif(not FILE.is_file(), reason="the real data files are not beside the repository")
def test_the_default_weights_are_those_of_spy() -> None:
    with gzip.open(FILE, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    days = np.array([row["date"] for row in rows], "datetime64[D]")
    opens, closes = (np.array([float(row[k]) for row in rows]) for k in ("open", "close"))
    session, gap = np.log(closes / opens), np.log(opens[1:] / closes[:-1])
    apart = np.diff(days).astype(int)
    weekday = (days[:-1].astype(int) + 3) % 7  # 1970-01-01 was a Thursday

    def weights(limit: float) -> tuple[float, float]:
        def variance(x: np.ndarray) -> float:
            return float(np.mean(np.square(x[np.abs(x) < limit])))

        hour = variance(session) / SESSION_H
        night = variance(gap[apart == 1])
        weekend = variance(gap[(apart == 3) & (weekday == 4)]) - night
        return night / NIGHT_H / hour, weekend / WEEKEND_H / hour

    config = VarianceClockConfig()
    (night, weekend), (calm_night, calm_weekend) = weights(np.inf), weights(LARGE)
    assert night / config.session == pytest.approx(config.overnight, abs=0.02)
    assert calm_night == pytest.approx(config.overnight, abs=0.02)
    # A handful of weekends decide whether it is 0.02 or 0.07; the default lies between.
    assert calm_weekend < config.weekend < weekend
