"""The bench of rolls on quotes whose cost is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.combos import LEGS, WAYS, Tape, Way, rolled
from common.units import NS_PER_MIN

START_NS = 1_578_265_200_000_000_000


def tape(*minutes: tuple[tuple[int, int], tuple[int, int]], lots: int = 50) -> Tape:
    """Bid and ask of both quarters by minute, so many lots on every side."""
    quotes = np.array([[[bid, ask, lots, lots] for bid, ask in both] for both in minutes], np.int64)
    return Tape(START_NS + np.arange(len(minutes), dtype=np.int64) * NS_PER_MIN, quotes)


@pytest.mark.parametrize("way", [LEGS, *(way for name, way in WAYS.items() if name != "resting")])
@pytest.mark.parametrize("sells", [0, 1])
def test_in_a_market_that_stands_still_a_roll_costs_both_half_spreads(way: Way, sells: int) -> None:
    still = tape(*[((12_000, 12_001), (12_030, 12_033))] * 8)
    cost, filled = rolled(still, 0, sells, way)
    assert (cost, filled) == ((0.5 + 1.5) * 12.5, 1.0)


def test_resting_takes_the_minute_in_which_the_later_quarter_is_narrow() -> None:
    wide, narrow = ((12_000, 12_001), (12_030, 12_033)), ((12_000, 12_001), (12_031, 12_032))
    cost, filled = rolled(tape(wide, wide, narrow, wide, wide), 0, 0, WAYS["resting"])
    assert (cost, filled) == ((0.5 + 0.5) * 12.5, 1.0)
    # Leg after leg, the second leg finds the market a tick further on in the next minute.
    cost, filled = rolled(tape(wide, wide), 0, 0, LEGS)
    assert filled == 1.0 and cost == 25.0


def test_what_did_not_fill_is_taken_at_the_horizon() -> None:
    far = ((12_000, 12_001), (12_130, 12_133))
    near = ((12_000, 12_001), (12_030, 12_033))
    cost, filled = rolled(tape(near, far, far, lots=1), 0, 0, LEGS)
    assert filled == 0.25
    assert cost == pytest.approx((0.5 + (1.5 + 3 * 101.5) / 4) * 12.5)
