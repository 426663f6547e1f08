"""How a scope stands: risk from the covariance, P&L that trading at mid does not move, drawdown from the day's high."""

from __future__ import annotations

import math

import numpy as np
import pytest

from manager.budgets_scopes import covariance_of, drawdown_of, held_lots, in_sum, levels_usd, risk_of, watched
from manager.view import view_of
from tests.budgets_world import GRID, MARGIN, STOP, busy, desk
from tests.manager_world import all_agents


def test_the_risk_of_one_delta_is_exposure_times_volatility() -> None:
    one = desk()
    all_agents(one, 1.0)
    rows = view_of(one.state, one.now_ns).rows
    names = [one.state.fold.table.names[i] for i in rows]
    x = np.zeros(len(rows))
    x[names.index("delta:SPX")] = 1e6
    # Without the common factor's row the delta carries its whole variance: 1 % a day.
    assert risk_of(one.state, "underlying:SPX", rows, x) == pytest.approx(1e4, rel=1e-6)
    c = covariance_of(one.state, rows)
    assert risk_of(one.state, "firm", rows, x) == pytest.approx(math.sqrt(x @ c @ x))


def test_a_scope_counts_what_is_its() -> None:
    one = desk()
    all_agents(one, 1.0)
    rows = view_of(one.state, one.now_ns).rows
    names = np.array([one.state.fold.table.names[i] for i in rows])
    assert all(n.startswith("vega:SPX/") for n in names[in_sum(one.state, ["vega:SPX/*"], rows)])
    assert watched(desk(drawdown=STOP, margin=MARGIN, margin_grid=GRID).state) == ("firm",)


def test_filling_at_mid_changes_no_level_and_a_spread_costs_what_it_costs() -> None:
    one = desk(drawdown=STOP)
    all_agents(one, 1.0)
    (before,) = levels_usd(one.state, "firm", 0)
    orders = one.decide()
    for order in orders:
        one.fill(order)
    ledger = one.state.fold.ledger
    paid = (ledger.cost_cents + ledger.fee_cents) / 100.0
    assert orders and levels_usd(one.state, "firm", 0) == pytest.approx((before - paid,), abs=0.05)
    assert np.array_equal(held_lots(one.state, "firm"), ledger.traded)


def test_the_drawdown_is_unknown_before_the_first_round_and_on_a_new_day() -> None:
    one = desk(drawdown=STOP)
    assert math.isnan(drawdown_of(desk().state, "firm"))
    busy(one, (1.0,))
    assert drawdown_of(one.state, "firm") >= 0.0
    one.state.clock_ns += 86_400 * 10**9
    assert math.isnan(drawdown_of(one.state, "firm"))
