"""The bounds of delta-gamma ticks hold for any book and any move inside the band."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from common.risk.book import RiskBook, Taylor
from tests.book_risk import FAST, World


@settings(max_examples=120, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    contracts=st.integers(1, 60),
    span=st.floats(1e-4, 0.2),
    where=st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=8),
)
def test_the_error_is_never_beyond_its_bound(seed: int, contracts: int, span: float, where: list[float]) -> None:
    world = World(np.random.default_rng(seed), 1, contracts, FAST)
    market = (world.terms_columns(), np.array(world.price), np.array(world.fx), world.now_ns)
    taylor = Taylor(span, math.inf, math.inf, math.inf, math.inf)
    quick, exact = RiskBook(world.positions(), *market, taylor=taylor), RiskBook(world.positions(), *market)
    quick.tick(0, world.price[0])
    for share in where:
        price = world.price[0] * math.exp(share * span * (1 - 1e-12))
        quick.tick(0, price)
        exact.tick(0, price)
        gap = np.abs(quick.tick_totals(0).sum(axis=0) - exact.tick_totals(0).sum(axis=0))
        rounding = 1e-11 * (np.abs(exact.tick_totals(0)).sum(axis=0) + world.gross_usd(0))
        assert (gap <= quick.error(0) + rounding).all(), (gap, quick.error(0))
