"""Marks and margin cells against Black's formula written out, for quoted and unquoted contracts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from common.limits_scopes import MarginGrid
from common.units import NO_PRICE
from common.universe import OPTION
from manager.budgets_marks import forwards, margin_cells, marks
from tests.manager_world import FORWARD, NOW_NS, SIGMA, Desk, greeks

GRID = MarginGrid(spot_moves=[-0.1, 0.0, 0.1], vol_moves=[-0.2, 0.0, 0.5])


def cdf(x: float) -> float:
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def black(forward: float, strike: float, years: float, vol: float, w: int) -> float:
    s = vol * math.sqrt(years)
    d1 = math.log(forward / strike) / s + 0.5 * s
    return w * (forward * cdf(w * d1) - strike * cdf(w * (d1 - s)))


def test_an_unquoted_contract_is_marked_at_the_volatility_next_to_it() -> None:
    desk = Desk()
    market, world = desk.state.market, desk.world
    options = np.flatnonzero(world.kind == OPTION)
    for j in options[3:6]:
        before = greeks(world, int(j))[0]
        market.bid_ticks[j] = NO_PRICE
        got = float(marks(market, np.array([j]), desk.now_ns)[0])
        assert got == pytest.approx(before, rel=0.03)
    assert np.isnan(market.mid()[options[3:6]]).all()


def test_cells_are_blacks_prices_at_the_shocked_forward_and_volatility() -> None:
    desk = Desk()
    world, rows = desk.world, np.arange(len(desk.world))
    cells, missing = margin_cells(desk.state.market, rows, GRID, desk.now_ns)
    assert not len(missing) and cells.pnl_usd.shape == (len(world), 9)
    for j in np.flatnonzero(world.kind == OPTION)[::5]:
        u, years = int(world.underlying[j]), (int(world.expiry_ns[j]) - NOW_NS) / (365 * 86_400 * 10**9)
        base = black(FORWARD[u], float(world.strike[j]), years, SIGMA, int(world.right[j]))
        for k, (spot, vol) in enumerate((s, v) for s in GRID.spot_moves for v in GRID.vol_moves):
            moved = black(
                FORWARD[u] * (1 + spot), float(world.strike[j]), years, SIGMA * (1 + vol), int(world.right[j])
            )
            want = (moved - base) * float(world.multiplier_usd[j])
            assert cells.pnl_usd[j, k] == pytest.approx(want, abs=0.02 * abs(want) + 0.02 * base * 100 + 60.0)
    assert cells.pnl_usd[0] == pytest.approx(np.repeat([-0.1, 0.0, 0.1], 3) * FORWARD[0] * 50.0, rel=1e-3, abs=1e-6)


def test_the_worst_of_a_hedged_book_is_found_and_unknown_contracts_are_nan() -> None:
    desk = Desk()
    cells, _ = margin_cells(desk.state.market, np.array([0, 2, 3]), GRID, desk.now_ns)
    lots = np.zeros(len(desk.world))
    lots[0] = -2.0
    assert cells.of(lots).min() == pytest.approx(-2 * 0.1 * FORWARD[0] * 50.0, rel=1e-3)
    per_lot = cells.per_lot(np.array([0, 1]))
    assert np.isfinite(per_lot[0]).all() and np.isnan(per_lot[1]).all()


def test_a_market_without_a_future_has_no_forward_and_no_cells() -> None:
    desk = Desk()
    desk.state.market.bid_ticks[0] = NO_PRICE
    spx = np.flatnonzero(desk.world.underlying == 0)
    assert np.isnan(forwards(desk.state.market, spx, desk.now_ns)).all()
    _, missing = margin_cells(desk.state.market, spx, GRID, desk.now_ns)
    assert set(missing.tolist()) == set(spx.tolist())
