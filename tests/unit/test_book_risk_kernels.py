"""The tick kernel and its sums against QuantLib and exact sums; the limits that must be right by rule."""

from __future__ import annotations

import math

import numpy as np
import pytest
import QuantLib as ql  # noqa: N813

from common.kernels import layout
from common.kernels.book import DEPTH, GROUPS, LANES, PREPARED, add_groups, climb, fold, tick
from common.kernels.book_prepare import prepare, weigh
from common.messages import F64, U8

BLOCK = np.array([0])


def priced_at(
    price: float, model: int, strike: F64, vol: F64, right: F64, terms: tuple[float, float, float, float]
) -> tuple[F64, U8]:
    """Greeks (4, LANES) of one block of options on one expiry; terms: years, rate, yield, ratio."""
    prepared, priced = np.empty((1, PREPARED, LANES)), np.empty((1, LANES), np.uint8)
    greeks, sums = np.empty((1, 4, LANES)), np.empty((1, 4, GROUPS))
    columns = (np.full((1, LANES), model, np.uint8), np.zeros((1, LANES), np.int32), right[None].astype(np.int8))
    prepare(BLOCK, *columns, strike[None], vol[None], np.array(terms)[:, None], prepared, priced)
    totals = (np.zeros((1, GROUPS)), np.array([0, GROUPS]), np.zeros((1, 9)), np.zeros((2, 1, 9)))
    tick(BLOCK, price, prepared, np.ones((1, LANES)), greeks, sums, *totals, 1)
    return greeks[0], priced[0]


@pytest.mark.parametrize("model", [layout.EUROPEAN, layout.BLACK76, layout.INVERSE])
@pytest.mark.parametrize("years", [1.0 / 365 / 24 / 60, 1.0 / 365, 0.3, 10.0])
def test_greeks_are_quantlibs_from_a_minute_to_ten_years(model: int, years: float) -> None:
    rng = np.random.default_rng(int(years * 1e6))
    price, rate, income, ratio = 4321.0, 0.05, 0.02, 1.01
    vol, right = rng.uniform(0.05, 1.5, LANES), rng.choice([-1.0, 1.0], LANES)
    strike = price * np.exp(rng.normal(0.0, 2.0, LANES) * vol * math.sqrt(years))
    greeks, ok = priced_at(price, model, strike, vol, right, (years, rate, income, ratio))
    assert ok.all()
    discount = math.exp(-rate * years)
    forward = price * math.exp((rate - income) * years) if model == layout.EUROPEAN else price * ratio
    truth = np.empty((4, LANES))
    for i in range(LANES):
        payoff = ql.PlainVanillaPayoff(ql.Option.Call if right[i] > 0 else ql.Option.Put, float(strike[i]))
        calculator = ql.BlackCalculator(payoff, forward, float(vol[i]) * math.sqrt(years), discount)
        truth[:, i] = calculator.value(), calculator.delta(price), calculator.gamma(price), calculator.vega(years)
    scale = np.abs(truth).max(axis=1)
    # One rounding of ln(price) - ln(strike), divided by σ√τ.
    rounding = 1e-13 + 4e-15 / (0.05 * math.sqrt(years))
    assert (np.abs(greeks - truth).max(axis=1) <= rounding * scale).all()


@pytest.mark.parametrize(("years", "vol"), [(0.0, 0.2), (-1.0, 0.2), (1e-13, 0.2), (0.5, 0.0)])
def test_without_time_or_volatility_only_the_intrinsic_value_is_left(years: float, vol: float) -> None:
    strike = np.full(LANES, 100.0)
    strike[1], strike[2] = 90.0, 110.0
    for right in (1.0, -1.0):
        greeks, ok = priced_at(
            100.0, layout.BLACK76, strike, np.full(LANES, vol), np.full(LANES, right), (years, 0.0, 0, 1)
        )
        assert ok.all()
        np.testing.assert_allclose(greeks[0, :3], [0.0, 10.0 * (right > 0), 10.0 * (right < 0)], atol=1e-13)
        np.testing.assert_allclose(greeks[1, :3], [0.5 * right, float(right > 0), -float(right < 0)], atol=1e-15)
        assert not greeks[2].any()
        assert (greeks[3, 1:3] < 1e-200).all()
        # At the forward itself vega's limit from above is F √τ n(0), as the columns' kernel has it.
        at_the_forward = 100.0 * math.sqrt(years / (2.0 * math.pi)) if vol == 0.0 else 0.0
        assert greeks[3, 0] == pytest.approx(at_the_forward, rel=1e-14)


def test_far_from_the_money_nothing_underflows_into_nonsense() -> None:
    strike = np.geomspace(1e-60, 1e60, LANES)
    for right in (1.0, -1.0):
        greeks, ok = priced_at(
            1.0, layout.EUROPEAN, strike, np.full(LANES, 0.01), np.full(LANES, right), (0.01, 0.0, 0.0, 1.0)
        )
        assert ok.all()
        np.testing.assert_allclose(greeks[0], np.maximum(right * (1.0 - strike), 0.0), rtol=1e-15)
        assert (np.abs(greeks[2:]) < 1e-200).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.1, 1e5])
def test_what_cannot_be_priced_is_flagged_and_weighs_nothing(bad: float) -> None:
    vol = np.full(LANES, 0.2)
    vol[7] = bad
    greeks, ok = priced_at(100.0, layout.EUROPEAN, np.full(LANES, 100.0), vol, np.ones(LANES), (1.0, 0.0, 0.0, 1.0))
    assert np.isfinite(greeks).all()
    assert np.flatnonzero(ok == 0).tolist() == [7]
    lots = np.ones((1, LANES), np.int64)
    weight, hole = np.empty((1, LANES)), np.empty((1, GROUPS))
    weigh(BLOCK, lots, np.full((1, LANES), 2.0), 1.5, ok[None], weight, hole)
    assert weight[0, 7] == 0.0
    assert set(np.delete(weight[0], 7)) == {3.0}
    assert np.flatnonzero(np.isnan(hole[0])).tolist() == [7]
    lots[0, 7] = 0
    weigh(BLOCK, lots, np.full((1, LANES), 2.0), 1.5, ok[None], weight, hole)
    assert not hole.any()


def test_group_sums_are_those_of_their_members() -> None:
    rng = np.random.default_rng(5)
    greeks, weight = rng.normal(size=(2, 4, LANES)), rng.normal(size=(2, LANES))
    sums = np.full((2, 4, GROUPS), 9.0)
    fold(np.array([1]), greeks, weight, sums)
    assert (sums[0] == 9.0).all()
    for g in range(GROUPS):
        members = np.arange(DEPTH) * GROUPS + g
        for r in range(4):
            exact = math.fsum(weight[1, members] * greeks[1, r, members])
            assert sums[1, r, g] == pytest.approx(exact, abs=1e-14)


def test_cells_are_runs_of_groups_and_a_hole_is_not_zero() -> None:
    sums, hole = np.ones((2, 3, GROUPS)), np.zeros((2, GROUPS))
    hole[1, 3] = np.nan
    totals = np.empty((4, 3))
    add_groups(sums, hole, np.array([0, 5, 5, 18, 21]), totals)
    assert totals[:3].tolist() == [[5.0] * 3, [0.0] * 3, [13.0] * 3]
    assert np.isnan(totals[3]).all()


def test_the_tree_holds_the_sum_of_its_leaves() -> None:
    rng = np.random.default_rng(6)
    tree = np.zeros((16, 2, 3))
    tree[8:] = rng.normal(size=(8, 2, 3))
    for leaf in rng.permutation(8):
        climb(tree, 8 + int(leaf), 0, 3)
    pairs = tree[8:].reshape(4, 2, 2, 3).sum(axis=1).reshape(2, 2, 2, 3).sum(axis=1)
    assert (tree[1] == pairs[0] + pairs[1]).all()
