"""What must hold of every interval, and that exposures add up over books."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import intervals
from common.universe import Book
from tests.agents_market import first_proposal, make_book, make_market, ready_agent

positive = st.floats(1e-9, 1e9)


@given(positive, positive, st.floats(0, 1e12))
def test_clip_prefers_the_limit_to_the_floor(width, floor, limit):
    out = intervals.clip(width, floor, limit)
    assert out <= limit
    assert out == limit or out >= max(width, floor)


@given(st.floats(-1e12, 1e12), st.floats(0, 1e12))
def test_nearest_edge(exposure, width):
    change = intervals.to_nearest_edge(exposure, width)
    assert abs(exposure + change) <= width * (1 + 1e-9) + abs(exposure) * 1e-15
    assert change == 0 or np.sign(change) == -np.sign(exposure)
    assert (change == 0) == (abs(exposure) <= width)


@given(st.floats(1e-8, 1e-1), st.floats(1.0, 1e11), st.floats(1e-10, 1.0))
def test_delta_width_is_where_marginal_gain_meets_marginal_cost(kappa, gamma, a):
    # Scaling of the source: width³ a = 1.5 κ G², whatever the unit of money (a per USD, G and width in USD).
    width = intervals.delta_half_width_usd(kappa, gamma, a)
    assert width**3 * a == pytest.approx(1.5 * kappa * gamma**2)
    assert intervals.delta_half_width_usd(kappa, 100 * gamma, a / 100) == pytest.approx(100 * width)


MARKET = make_market({"SPX": 2700.0, "NDX": 6800.0}, strikes=10)


def exposures(kind, book):
    """Exposure per factor; the factors of vega depend on what is held."""
    MARKET.sequence.clear()
    proposal = first_proposal(ready_agent(MARKET, book, kind))
    return dict(zip(proposal.factor, proposal.exposure.tolist(), strict=True))


@pytest.mark.parametrize("kind", ["gamma", "vega", "cross_asset"])
@given(st.integers(0, 10**6), st.integers(1, 60))
@settings(max_examples=8, deadline=None)
def test_exposures_add_over_books_and_flip_with_the_sign(kind, seed, positions):
    whole = make_book(MARKET.universe, positions, seed)
    cut = positions // 2
    parts = [
        Book("desk", whole.account[s], whole.instrument[s], whole.quantity_lots[s])
        for s in (slice(None, cut), slice(cut, None))
    ]
    total = exposures(kind, whole)
    scale = max(map(abs, total.values())) + 1.0
    one, two = (exposures(kind, part) for part in parts)
    for factor, value in total.items():
        assert one.get(factor, 0.0) + two.get(factor, 0.0) == pytest.approx(value, abs=1e-9 * scale)
    short = Book("desk", whole.account, whole.instrument, -whole.quantity_lots)
    assert exposures(kind, short) == {factor: -value for factor, value in total.items()}
