"""The real series behind VaR: dates that fit together, and worst days that everybody remembers."""

from datetime import date

import numpy as np
import pytest

from common.market.config import default_data_dir
from common.market.daily import load_closes
from common.market.history import SPY_DAILY, SPY_HOURLY, VIX_DAILY, load_history

DATA = default_data_dir()
needs_files = pytest.mark.skipif(
    not all((DATA / name).is_file() for name in (SPY_DAILY, SPY_HOURLY, VIX_DAILY)),
    reason="the SPY and VIX files are not in HEDGEROW_DATA or ../shared/data",
)


def test_the_packaged_series_are_aligned():
    found = load_closes()
    assert np.all(np.diff(found.days) > np.timedelta64(0, "D"))
    assert found.closes.shape == (len(found.days), 3) and np.isfinite(found.closes).all()
    # The VIX of the package runs from 2014 to the end of 2018 (FRED VIXCLS).
    assert str(found.days[0]) == "2014-01-03" and str(found.days[-1]) == "2018-12-31"
    at = int(np.flatnonzero(found.days == np.datetime64("2018-02-05"))[0])
    assert found.closes[at, 2] == pytest.approx(37.32)  # Cboe's close of that day


def test_demo_underlyings_have_their_own_index():
    found = load_history("daily", ("SPX", "IXIC"), DATA / "nowhere", date(2018, 1, 29), 1000)
    assert len(found) == 1000 and found.ends[-1] == "2018-01-26"
    assert np.corrcoef(found.spot.T)[0, 1] > 0.9
    assert np.array_equal(found.vol[:, 0], found.vol[:, 1])
    assert np.corrcoef(found.spot[:, 0], found.vol[:, 0])[0, 1] < -0.7


@needs_files
def test_the_worst_day_is_that_of_march_2020():
    found = load_history("daily", ("SPX",), DATA, date(2026, 1, 30), 1000)
    worst = int(np.argmin(found.spot[:, 0]))
    # Data README: worst close to close 2020-03-16, -10.9 %; the VIX closed at 82.69, its highest, after 57.83.
    assert found.ends[worst] == "2020-03-16"
    assert found.spot[worst, 0] == pytest.approx(-0.109, abs=5e-4)
    assert found.vol[worst, 0] == pytest.approx(82.69 / 57.83 - 1.0, abs=1e-9)


@needs_files
def test_hours_add_up_to_days():
    hours = load_history("hourly", ("ESH0",), DATA, date(2021, 3, 31), 5000)
    assert (hours.vol == 0.0).all() and len(hours) == 5000
    days = load_history("daily", ("ESH0",), DATA, date(2021, 3, 31), 500)
    grown = np.prod(1.0 + hours.spot[[e.startswith("2020-03") for e in hours.ends], 0])
    daily = np.prod(1.0 + days.spot[[e.startswith("2020-03") for e in days.ends], 0])
    # The hourly file ends with the regular session's last hour, the daily close is the official one.
    assert grown == pytest.approx(daily, abs=5e-3)
