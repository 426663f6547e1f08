"""Shares of time and residual risk on a journal small enough to count by hand."""

from __future__ import annotations

import numpy as np
import pytest

from common.control_messages import JournalEntry, ProposalTaken
from common.messages import Header, Proposal
from common.units import NS_PER_S
from lab.exposures import daily_variance, paths_of, residual_risk, shares
from lab.synthetic import SyntheticMarket

UNIVERSE = SyntheticMarket(symbols=("AAA",), strikes=2).universe
SESSIONS = ((0, 100 * NS_PER_S), (1_000 * NS_PER_S, 1_100 * NS_PER_S))


def said(at_s: float, exposure: float, *, half: float = 1.0, life_s: float = 1e6, refusal: str = "") -> JournalEntry:
    one = np.array([exposure])
    time = int(at_s * NS_PER_S)
    proposal = Proposal(
        Header("gamma-0", 1, time), "gamma", 0, "desk", 1, 1, 1, 1, (), ("delta:AAA",), one, np.array([-half]),
        np.array([half]), np.ones(1, np.uint8), np.array([0], np.uint32), np.array([[150_000.0]]), np.zeros(1), "time",
        time + int(life_s * NS_PER_S),
    )  # fmt: skip
    return JournalEntry(1, 1, time, 0, ProposalTaken(proposal, refusal), Header("", 0, 0))


def test_share_of_open_time_inside_counted_by_hand() -> None:
    """Inside for 10 s, outside for 30 s, inside for the last 60 s of the day, outside 25 s of the next, then unknown."""
    entries = [said(0, 0.5), said(10, -3.0), said(40, 1.0, half=2.0), said(1_000, 9.0), said(1_025, 0.0)]
    paths = paths_of(entries, UNIVERSE, SESSIONS)
    np.testing.assert_allclose(paths.weight_s, [10.0, 30.0, 60.0, 25.0, 0.0])
    (share,) = shares(paths)
    assert share.share_inside == pytest.approx(70.0 / 125.0)
    assert share.median_width == 2.0 or share.median_width == 4.0
    assert share.known_s == 125.0
    assert share.mean_abs == pytest.approx((0.5 * 10 + 3 * 30 + 60 + 9 * 25) / 125)
    np.testing.assert_allclose(paths.outside()[:, 0], [0.0, -2.0, 0.0, 8.0, 0.0])


def test_weighted_median_width() -> None:
    entries = [said(0, 0.0, half=1.0), said(10, 0.0, half=5.0), said(100, 0.0)]
    assert shares(paths_of(entries, UNIVERSE, SESSIONS))[0].median_width == 10.0


def test_expired_and_refused_proposals_say_nothing() -> None:
    entries = [said(0, 0.0, life_s=5.0), said(50, 3.0, refusal="stale")]
    paths = paths_of(entries, UNIVERSE, SESSIONS)
    assert len(paths.times_ns) == 1
    assert paths_of([], UNIVERSE, SESSIONS).factor == ()


def test_residual_risk_is_the_deviation_of_a_day() -> None:
    """One delta, 20 % a year: risk of 1 USD of delta is σ per √day, whatever the manager's aversion and horizon."""
    entries = [said(0, 3.0), said(50, 3.0), said(100, 3.0)]
    paths = paths_of(entries, UNIVERSE, SESSIONS)
    risk = residual_risk(paths, entries, UNIVERSE)
    sigma = 0.2 / np.sqrt(252.0)
    assert daily_variance(("delta:AAA",), entries, UNIVERSE)[0, 0] == pytest.approx(sigma**2)
    assert risk.all_usd_per_sqrt_day == pytest.approx(3.0 * sigma)
    assert risk.outside_usd_per_sqrt_day == pytest.approx(2.0 * sigma)
    assert np.isnan(residual_risk(paths_of([], UNIVERSE, SESSIONS), [], UNIVERSE).all_usd_per_sqrt_day)
