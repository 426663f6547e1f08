"""Ledger: positions since a version, costs in cents."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.messages import OrdStatus
from manager.config import ManagerConfig
from manager.ledger import Ledger
from tests.manager_world import delta_desk, universe


def test_since_gives_the_net_lots_after_a_version_and_none_beyond_the_history() -> None:
    desk = delta_desk(config=ManagerConfig(history_max=3))
    lots = []
    for k in range(5):
        desk.propose("gamma-0", {"delta:SPX": (-1) ** k * 3e6}, 3e5, menu=[0])
        (order,) = desk.decide()
        desk.fill(order)
        lots.append(order.signed_lots)
        desk.feed(1.0)
    ledger = desk.state.fold.ledger
    assert ledger.since(5) == {}
    assert ledger.since(3) == {0: lots[3] + lots[4]} or lots[3] + lots[4] == 0
    assert ledger.since(2) == {0: sum(lots[2:])}
    assert ledger.since(1) is None and ledger.since(9) is None
    assert ledger.traded[0] == sum(lots)


@pytest.mark.parametrize(
    ("lots", "ticks", "bid", "ask", "cents"),
    [(3, 104, 100, 104, 1_500), (-3, 100, 100, 104, 1_500), (3, 100, 100, 104, -1_500), (1, 103, 100, 105, 125)],
)
def test_cents_paid_above_mid_by_hand(lots: int, ticks: int, bid: int, ask: int, cents: int) -> None:
    """A tick of the SPX future is 0.05 points × 50 USD = 250 cents."""
    ledger = Ledger(universe(), 10, 10)
    assert ledger.cents(0, lots, ticks, bid + ask) == cents


@pytest.mark.parametrize(
    ("last_ticks", "fee_cents", "paid"),
    [(104, 300, 1_800), (104, -300, 1_500), (100, 300, 300), (100, -300, 0), (102, 0, 0)],
)
def test_a_budget_pays_slippage_and_fee_each_where_it_is_a_cost(last_ticks: int, fee_cents: int, paid: int) -> None:
    """3 lots at two ticks above or below a mid of 102; what is gained on the price or as a rebate buys no room for the other."""
    desk = delta_desk()
    desk.propose("gamma-0", {"delta:SPX": -3e6}, 3e5, menu=[0])
    (order,) = desk.decide()
    order = replace(order, arrival_bid_ticks=100, arrival_ask_ticks=104)
    assert order.side.sign > 0
    report = desk.report(order, OrdStatus.PARTIALLY_FILLED, 3, last_ticks=last_ticks, fee_cents=fee_cents)
    ledger = Ledger(universe(), 10, 10)
    assert ledger.book(report, order, {"gamma-0": 3}) == paid
    assert ledger.cost_cents + ledger.fee_cents == (last_ticks - 102) * 250 * 3 + fee_cents, (
        "the account is told all of it"
    )


def test_price_improvement_is_a_gain_in_the_ledger_and_costs_the_budget_nothing() -> None:
    desk = delta_desk()
    desk.propose("gamma-0", {"delta:SPX": 3e6}, 3e5, menu=[0])
    (order,) = desk.decide()
    q = order.quantity_lots
    better = desk.report(order, OrdStatus.FILLED, q, last_ticks=order.arrival_ask_ticks + 2, fee_cents=0)
    from manager import events as ev

    desk.send(ev.ReportArrived(0, better))
    assert desk.state.fold.ledger.cost_cents == -4 * 250 * q
    assert all(m.used[0] == 0 for m in desk.state.fold.flows.meters.values())
