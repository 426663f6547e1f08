"""Lots in one unit and what one unit costs, against figures worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.messages import Side
from common.tactics import Combo, Follow
from execution.tactics.combo import combined, net_cents, ratios, tick_cents
from tests.execution_world import make_order, make_universe


def index_and_future():
    """Row 1 an index option (tick 0.05, USD 100 a point), row 0 the future (tick 0.25, USD 50 a point)."""
    universe = make_universe()
    tick, multiplier = universe.tick_size.copy(), universe.multiplier_usd.copy()
    tick[1], multiplier[1] = 0.05, 100.0
    return replace(universe, tick_size=tick, multiplier_usd=multiplier)


def test_ten_calls_bought_and_three_futures_sold() -> None:
    # 412 ticks are 20.60 points: USD 2,060 a call, 20,600 for ten. 10,801 ticks are 2,700.25 points: USD 135,012.50 a future,
    # 405,037.50 for three. One unit brings 405,037.50 - 20,600 = USD 384,437.50.
    universe = index_and_future()
    assert (tick_cents(universe, 1), tick_cents(universe, 0)) == (500, 1250)
    legs = (make_order("l.1", 1, lots=40, limit_ticks=412), make_order("f.1", 0, Side.SELL, 12, limit_ticks=10_801))
    combo = combined(universe, legs, ratios([Follow("l", 3, 10)]))
    assert combo == Combo((("l.1", 10), ("f.1", 3)), -38_443_750)
    assert (combo.combo_id, combo.leg_ids, combo.ratio("f.1")) == ("l.1", ("l.1", "f.1"), 3)
    # A tick better on one leg is worth its own money: 10 x USD 5 on the calls, 3 x USD 12.50 on the futures.
    assert net_cents(universe, [(1, Side.BUY, 10, 411), (0, Side.SELL, 3, 10_801)]) == -38_448_750
    assert net_cents(universe, [(1, Side.BUY, 10, 412), (0, Side.SELL, 3, 10_802)]) == -38_447_500


@pytest.mark.parametrize(("side", "net"), [(Side.BUY, 1), (Side.SELL, -2)])
def test_half_a_cent_is_rounded_to_our_side(side: Side, net: int) -> None:
    universe = make_universe()
    fine = replace(universe, tick_size=np.full(8, 0.005), multiplier_usd=np.full(8, 1.0))
    legs = (make_order("l.1", 1, side, limit_ticks=3), make_order("f.1", 0, limit_ticks=0))
    assert combined(fine, legs, (1, 1)).net_limit_cents == net


def test_three_legs_share_the_smallest_unit() -> None:
    assert ratios([Follow("l", 1, 2), Follow("l", 2, 6)]) == (6, 3, 2)
    assert ratios([Follow("l", 4, 2)]) == (1, 2)


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=1, max_size=3))
def test_a_unit_is_whole_keeps_every_ratio_and_is_the_smallest(parts: list[tuple[int, int]]) -> None:
    lead, *others = ratios([Follow("l", *part) for part in parts])
    assert [Fraction(lots, lead) for lots in others] == [Fraction(*part) for part in parts]
    assert gcd(lead, *others) == 1
