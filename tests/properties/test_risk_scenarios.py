"""What a scenario must keep whatever the book: sums, additivity, zero."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from common.risk.scenarios import Rules, Shocks, pnl_by_row, pnl_by_underlying, spot_vol_grid, worst_loss
from tests.risk_books import random_holdings

books = st.builds(random_holdings, st.integers(0, 2**31), st.integers(1, 40))
moves = st.floats(-0.5, 0.5)


@settings(max_examples=40, deadline=None)
@given(
    books,
    st.lists(st.tuples(moves, moves), min_size=1, max_size=6),
    st.sampled_from(["points", "relative", "sqrt-time"]),
)
def test_underlyings_are_the_sums_of_their_rows(book, states, rule):
    spot = np.array([[s, -0.5 * s, 0.1 * s] for s, _ in states])
    vol = np.array([[v, v, 0.0] for _, v in states])
    shocks = Shocks.of(spot, vol)
    rows, sums = pnl_by_row(book, shocks, Rules(vol=rule)), pnl_by_underlying(book, shocks, Rules(vol=rule))
    scale = np.abs(rows).sum(axis=1) + 1.0
    for u in range(3):
        assert np.all(np.abs(rows[:, book.underlying == u].sum(axis=1) - sums[:, u]) <= 1e-12 * scale)


@settings(max_examples=30, deadline=None)
@given(books, st.integers(1, 39), moves, moves)
def test_a_book_gains_what_its_halves_gain(book, cut, spot, vol):
    rows = np.arange(len(book))
    shocks = Shocks.of(np.full((1, 3), spot), np.full((1, 3), vol))
    parts = [pnl_by_underlying(book.take(r), shocks, Rules()) for r in (rows[:cut], rows[cut:])]
    whole = pnl_by_underlying(book, shocks, Rules())
    assert np.allclose(sum(parts), whole, rtol=0, atol=1e-10 * (1.0 + np.abs(pnl_by_row(book, shocks, Rules())).sum()))


@settings(max_examples=30, deadline=None)
@given(books)
def test_a_grid_is_nothing_in_its_middle_and_its_worst_is_a_bound(book):
    grid = spot_vol_grid(book, np.array([-0.1, 0.0, 0.1]), np.array([-0.3, 0.0, 0.3]))
    assert (grid.by_underlying_usd[:, 1, 1] == 0.0).all()
    assert worst_loss(grid) >= max(-grid.total_usd.min(), 0.0)
    assert worst_loss(grid, separately=True) >= worst_loss(grid) * (1.0 - 1e-12)


@settings(max_examples=20, deadline=None)
@given(books, moves, moves)
def test_turning_every_position_round_turns_the_pnl_round(book, spot, vol):
    shocks = Shocks.of(np.full((1, 3), spot), np.full((1, 3), vol))
    turned = type(book)(book.columns, -book.usd_per_point, book.underlying, book.symbols)
    assert np.array_equal(pnl_by_row(turned, shocks, Rules()), -pnl_by_row(book, shocks, Rules()))
