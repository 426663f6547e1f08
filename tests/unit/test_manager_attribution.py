"""Who pays: each line of the rule table, and every cent."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from common.messages import CostShare
from manager.attribution import UNKNOWN, WHOLE, bill, by_price, by_wish, deal

weights = st.lists(st.floats(0.0, 1e9), min_size=1, max_size=12).filter(lambda w: sum(w) > 1e-6)
FACTORS, OWNERS = ["delta:SPX", "gamma:SPX", "vega:SPX/31-60d"], ["gamma-0", "gamma-0", "vega-0"]
WIDTH = np.array([100.0, 10.0, 50.0])


def shares(price, s, side, forced=(0.0, 0.0, 0.0)) -> dict[tuple[str, str], int]:
    out = by_price(FACTORS, OWNERS, np.array(price, float), np.array(forced), np.array(s, float), side, WIDTH)
    assert sum(x.parts for x in out) == WHOLE and all(x.parts > 0 for x in out)
    return {(x.factor, x.agent): x.parts for x in out}


@given(st.integers(-(10**9), 10**9), weights)
def test_integers_add_up_and_keep_the_quota(whole: int, weight: list[float]) -> None:
    out = deal(whole, weight)
    assert sum(out) == whole
    total = sum(Fraction(w) for w in weight)
    for got, w in zip(out, weight, strict=True):
        assert abs(got - whole * Fraction(w) / total) < 1 + Fraction(1, 1000) and got * whole >= 0


def test_linear_cost_goes_to_those_it_serves_in_proportion_to_worth() -> None:
    """A purchase that brings gamma worth 30 and vega worth 10 a lot and hurts delta: 3 : 1, delta pays nothing."""
    assert shares((2.0, -3.0, -1.0), (5.0, 10.0, 10.0), +1) == {
        ("gamma:SPX", "gamma-0"): 750_000,
        ("vega:SPX/31-60d", "vega-0"): 250_000,
    }


def test_a_trade_forced_by_a_limit_is_the_limits() -> None:
    """Four fifths of the price of delta come from the row of a broken hard limit."""
    assert shares((10.0, 0.0, 0.0), (1.0, 0.0, 0.0), -1, forced=(8.0, 0.0, 0.0)) == {
        ("limit:delta:SPX", "firm"): 800_000,
        ("delta:SPX", "gamma-0"): 200_000,
    }


def test_a_lot_that_serves_nobody_goes_to_the_factor_it_moves_most() -> None:
    assert shares((0.0, 0.0, 0.0), (50.0, 9.0, 10.0), +1) == {("gamma:SPX", "gamma-0"): WHOLE}
    assert by_price([], [], *(np.empty(0) for _ in range(3)), 1, np.empty(0)) == UNKNOWN


def test_wishes_pay_pro_rata_on_their_side() -> None:
    assert by_wish({"a": 3.0, "b": 1.0, "c": -7.0}) == (
        CostShare("wish", "a", 750_000),
        CostShare("wish", "b", 250_000),
    )
    assert by_wish({"a": -1.0}) == UNKNOWN


@given(st.integers(-(10**7), 10**7), weights)
def test_a_bill_is_split_to_the_cent(cents: int, weight: list[float]) -> None:
    split = tuple(CostShare(f"f{i}", "a", n) for i, n in enumerate(deal(WHOLE, weight)))
    parts = bill(cents, split)
    assert sum(parts.values()) == cents
    for s in split:
        assert abs(parts[s.factor, s.agent] - Fraction(cents * s.parts, WHOLE)) < 1


def test_a_fill_nobody_ordered_is_billed_to_unknown() -> None:
    assert bill(-5, ()) == {("unknown", ""): -5}
