"""One agent, one instrument: the joint netting must do what the paper does, trade to the nearest edge and no further."""

from __future__ import annotations

import math

import numpy as np
import pytest

from common import factors
from common.cost_model import CostModel, CostRow
from common.messages import OrdStatus
from manager.config import ManagerConfig
from tests.manager_world import FORWARD, FUTURE_MULTIPLIER, NOW_NS, delta_desk, limits

LOT_USD = FORWARD[0] * FUTURE_MULTIPLIER[0]
DELTA = factors.delta("SPX")


def whalley_wilmott_half_width(gamma_usd: float, kappa: float, risk_aversion: float) -> float:
    """Whalley and Wilmott 1997, USD: (3/2 κ (ΓF²)² / a)^(1/3)."""
    return (1.5 * kappa * gamma_usd**2 / risk_aversion) ** (1.0 / 3.0)


@pytest.mark.parametrize("exposure", [9e6, 3.3e6, -2.7e6, -8e6])
@pytest.mark.parametrize("gamma_usd", [2e7, 1e8])
def test_one_agent_one_instrument_lands_on_the_nearest_edge(exposure: float, gamma_usd: float) -> None:
    half = whalley_wilmott_half_width(gamma_usd, 1e-4, 5e-6)
    desk = delta_desk(config=ManagerConfig(quote_share=1.0), limits=limits())
    desk.propose("gamma-0", {DELTA: exposure}, half, menu=[0])
    desk.decide()
    cycle = desk.state.fold.last_cycle
    if abs(exposure) <= half:
        assert cycle is None
        return
    assert cycle is not None
    wanted = math.copysign(half, exposure)
    capped = max(-30.0, min(30.0, (wanted - exposure) / LOT_USD))
    np.testing.assert_allclose(cycle.solution_lots, [capped], rtol=1e-9)
    if abs(capped) < 30.0:
        assert exposure + float(cycle.solution_lots[0]) * LOT_USD == pytest.approx(wanted, rel=1e-9)
        assert abs(float(cycle.exposure_after[0]) - wanted) < LOT_USD


def test_threshold_interval_is_weighed_by_the_quadratic_price_alone() -> None:
    """Where the interval does not weigh cost: marginal risk a σ² H r equals marginal cost c / |S|, if that is outside."""
    risk_aversion, sigma, horizon = 1e-4, 0.010, 5.0
    desk = delta_desk(limits=limits(risk_aversion_per_usd=risk_aversion))
    desk.propose("gamma-0", {DELTA: 3e6}, 0.0, menu=[0], weighs_cost=np.zeros(1, np.uint8))
    desk.decide()
    cycle = desk.state.fold.last_cycle
    assert cycle is not None
    # Half spread 0.10 points × 50 USD and a fee of 1 USD; the impact is a tenth of the half spread over 30 lots.
    lots = float(cycle.solution_lots[0])
    marginal_cost = (0.10 * 50.0 + 1.0) * (1.0 - 1e-4 * lots) - 0.1 * 0.10 * 50.0 / 30.0 * lots
    left = 3e6 + lots * LOT_USD
    assert risk_aversion * sigma**2 * horizon * left == pytest.approx(marginal_cost / LOT_USD, rel=1e-6)


def test_a_measured_cost_model_is_what_the_edge_is_weighed_by() -> None:
    """The same balance with half of the half spread paid and four tenths of it as impact, as a cost model file would say."""
    row = CostRow(
        underlying="SPX", kind="future", source="fitted", orders=99,
        spread_share=0.5, impact_share=0.4, root_impact_share=0.0,
    )  # fmt: skip
    config = ManagerConfig(cost_model=CostModel(rows=(row,)))
    desk = delta_desk(limits=limits(risk_aversion_per_usd=1e-4), config=config)
    desk.propose("gamma-0", {DELTA: 3e6}, 0.0, menu=[0], weighs_cost=np.zeros(1, np.uint8))
    desk.decide()
    cycle = desk.state.fold.last_cycle
    assert cycle is not None
    lots = float(cycle.solution_lots[0])
    marginal_cost = (0.5 * 0.10 * 50.0 + 1.0) * (1.0 - 1e-4 * lots) - 0.4 * 0.10 * 50.0 / 30.0 * lots
    left = 3e6 + lots * LOT_USD
    assert 1e-4 * 0.010**2 * 5.0 * left == pytest.approx(marginal_cost / LOT_USD, rel=1e-6)


def test_inside_the_interval_nothing_is_done() -> None:
    desk = delta_desk()
    desk.propose("gamma-0", {DELTA: 2.9e5}, 3e5, menu=[0])
    assert desk.decide() == []
    assert desk.state.fold.last_cycle is None
    assert desk.state.seen["no-trade: everybody inside"] == 1


def test_outside_by_less_than_a_lot_is_worth_nothing_is_done_without_a_solve() -> None:
    desk = delta_desk()
    desk.propose("gamma-0", {DELTA: 3e5 + 0.2 * LOT_USD}, 3e5, menu=[0])
    assert desk.decide() == []
    assert desk.state.seen["no-trade: no whole lot pays"] == 1
    assert desk.state.fold.last_cycle is None


def test_working_orders_and_fills_are_re_based() -> None:
    desk = delta_desk()
    old = desk.proposal("gamma-0", {DELTA: 3e6}, 3e5, menu=[0])
    desk.propose("gamma-0", {DELTA: 3e6}, 3e5, menu=[0])
    (order,) = desk.decide()
    # The agent does not know yet: it states the same exposure at the same position version, while the order works,
    desk.propose("gamma-0", {DELTA: 3e6}, 3e5, menu=[0])
    assert desk.decide() == []
    desk.fill(order)
    # and again from the old positions after the fill.
    desk.propose("gamma-0", {DELTA: 3e6}, 3e5, menu=[0], position_version=old.position_version)
    assert desk.decide() == []
    table = desk.state.fold.table
    assert table.exposure[table.index[DELTA]] == pytest.approx(3e6 + order.signed_lots * LOT_USD)
    assert desk.state.fold.orders.ended[order.client_order_id].status is OrdStatus.FILLED
    assert desk.now_ns == NOW_NS
