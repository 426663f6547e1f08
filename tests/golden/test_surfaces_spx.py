"""The bars of the SPX chain of 2026-01-30, time apart."""

from __future__ import annotations

import numpy as np
import pytest

from common.surfaces.arbitrage import check, check_expiry
from common.surfaces.fitting import Fit, fit
from lab.surface_chains import spx_close
from tests.surfaces_world import DATA, needs_spx

pytestmark = needs_spx


@pytest.fixture(scope="module")
def spx() -> Fit:
    return fit(*spx_close(DATA))


def test_every_row_is_accounted_for(spx: Fit) -> None:
    assert sum(spx.report.counted.values()) == 17_107
    assert spx.report.counted["no_bid"] == 910  # README of the data
    assert spx.report.quotes > 5_000


def test_forwards_and_rates_are_those_of_the_day(spx: Fit) -> None:
    found = spx.quotes.found
    rate = -np.log(found.discount) / found.tau_years
    near = found.tau_years < 8 / 365
    assert ((found.forward[near] > 6_935.0) & (found.forward[near] < 6_942.0)).all()
    mid_2026 = (found.tau_years > 0.35) & (found.tau_years < 0.45)
    assert rate[mid_2026] == pytest.approx(0.0405, abs=1.5e-3)
    assert (np.diff(found.forward) > -1.0).all()


def test_no_arbitrage_and_the_error_bar(spx: Fit) -> None:
    surface = spx.surface
    assert surface is not None
    assert len(surface) == 59
    assert check(surface).clean
    assert check(surface, beyond=5.0).clean
    assert spx.report.violations == 0
    assert spx.report.rmse_vol_bp <= 60.0
    assert spx.report.rmse_vol_bp <= 10.0  # what it was: 7.5
    assert spx.report.inside_share > 0.65


def test_between_listed_expiries_too(spx: Fit) -> None:
    surface = spx.surface
    assert surface is not None
    for i in range(0, 58, 7):
        expiry = int(surface.expiry_ns[i] + (surface.expiry_ns[i + 1] - surface.expiry_ns[i]) // 3)
        low, high = max(surface.k_low[i : i + 2]), min(surface.k_high[i : i + 2])
        assert check_expiry(surface, expiry, float(low), float(high)) == (0, 0.0)


def test_am_and_pm_of_one_date_are_two_slices(spx: Fit) -> None:
    surface = spx.surface
    assert surface is not None
    hours = np.diff(surface.expiry_ns) / 3.6e12
    assert (hours == 6.5).sum() == 5
