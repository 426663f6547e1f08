"""Settlement conserves value and is linear in lots, whatever the book, the price and the terms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from common.lifecycle import CASH, outcomes, settled, settlements
from common.universe import AMERICAN, EUROPEAN, OPTION, Universe
from manager.ledger import SETTLEMENT, Ledger
from tests.execution_world import make_universe

LOTS = st.lists(st.integers(-50, 50), min_size=8, max_size=8).map(lambda x: np.array(x, np.int64))
#: In ticks of a quarter: strikes and prices from 90 to 110 points.
TICKS = st.integers(360, 440)
TERMS = st.tuples(
    st.booleans(), st.lists(TICKS, min_size=8, max_size=8), st.lists(st.booleans(), min_size=8, max_size=8)
)


def world(terms: tuple) -> Universe:
    """All options settle together, before the futures; strikes, rights and style as drawn."""
    american, strikes, calls = terms
    base = make_universe()
    option = base.kind == OPTION
    return replace(
        base,
        expiry_ns=np.where(option, 1_000, 2_000).astype(np.int64),
        strike=np.where(option, np.array(strikes) * 0.25, 0.0),
        right=np.where(option, np.where(calls, 1, -1), 0).astype(np.int8),
        style=np.full(8, AMERICAN if american else EUROPEAN, np.uint8),
    )


def settle(universe: Universe, ledger: Ledger, opening: np.ndarray, prices: list[int], instant: int) -> None:
    for s in settlements(universe):
        if s.expiry_ns == instant:
            for outcome in outcomes(universe, s, prices[s.underlying]):
                ledger.settle(opening, outcome)


def value_cents(universe: Universe, position: np.ndarray, prices: list[int]) -> int:
    """Intrinsic value of a position with the underlyings at these prices, in whole cents."""
    total = 0
    for i, lots in enumerate(position.tolist()):
        s = prices[int(universe.underlying[i])]
        strike = round(universe.strike[i] / 0.25)
        worth = s if universe.right[i] == 0 else max(int(universe.right[i]) * (s - strike), 0)
        total += lots * worth * 1250  # a quarter point of 50 USD
    return total


@given(TERMS, LOTS, LOTS, st.lists(TICKS, min_size=2, max_size=2))
def test_value_before_is_value_after_to_the_cent_and_everything_settles_once(
    terms: tuple, book: np.ndarray, traded: np.ndarray, prices: list[int]
) -> None:
    universe = world(terms)
    ledger = Ledger(universe, 1000, 1000)
    ledger.traded += traded
    ledger.by_agent["gamma-0"] = {i: int(n) for i, n in enumerate(traded)}
    opening = book[None, :]
    before = value_cents(universe, book + ledger.net_lots(), prices)
    settle(universe, ledger, opening, prices, 1_000)
    after = book + ledger.net_lots()
    cash = ledger.cash_cents.get(SETTLEMENT, 0)
    assert value_cents(universe, after, prices) + cash == before
    assert not after[universe.kind == OPTION].any()
    version = ledger.version
    settle(universe, ledger, opening, prices, 1_000)
    assert ledger.version == version and ledger.cash_cents.get(SETTLEMENT, 0) == cash
    settle(universe, ledger, opening, prices, 2_000)
    assert not (book + ledger.net_lots()).any()
    assert ledger.cash_cents.get(SETTLEMENT, 0) == before


@given(TERMS, LOTS, LOTS, st.lists(TICKS, min_size=2, max_size=2))
def test_two_books_settle_as_their_sum_and_long_mirrors_short(
    terms: tuple, one: np.ndarray, two: np.ndarray, prices: list[int]
) -> None:
    universe = world(terms)
    for s in settlements(universe):
        for outcome in outcomes(universe, s, prices[s.underlying]):
            a, b = settled(one, outcome)[0], settled(two, outcome)[0]
            np.testing.assert_array_equal(settled(one + two, outcome)[0], a + b)
            np.testing.assert_array_equal(settled(-one, outcome)[0], -a)
            assert outcome.value_ticks >= 0 and (outcome.future == CASH) == (outcome.future_lots == 0)


@given(TERMS, LOTS, LOTS, st.lists(TICKS, min_size=2, max_size=2))
def test_desks_settle_as_the_whole(terms: tuple, one: np.ndarray, two: np.ndarray, prices: list[int]) -> None:
    universe = world(terms)
    apart, whole = Ledger(universe, 1000, 1000, ("rates", "index")), Ledger(universe, 1000, 1000)
    settle(universe, apart, np.stack([one, two]), prices, 1_000)
    settle(universe, whole, (one + two)[None, :], prices, 1_000)
    np.testing.assert_array_equal(apart.net_lots(), whole.net_lots())
    assert sum(apart.cash_cents.values()) == sum(whole.cash_cents.values())
