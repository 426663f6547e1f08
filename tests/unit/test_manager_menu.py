"""What may be traded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from common import factors
from common.limits import FactorLimit, OrderCaps
from common.limits_scopes import RiskLimit, SumLimit
from common.units import NO_PRICE
from manager import events as ev
from manager.config import ManagerConfig
from manager.menu import choose, menu_of
from manager.view import view_of
from tests.manager_world import OWNER, SYMBOLS, Desk, all_agents, assign, limits, quotes

SPX_OPTION = 4


def usable(desk: Desk) -> set[int]:
    view = view_of(desk.state, desk.now_ns)
    return set(menu_of(desk.state, view.rows, view.working, desk.now_ns, need_all=True).index.tolist())


def test_all_agents_agree_on_everything() -> None:
    desk = Desk()
    all_agents(desk)
    assert usable(desk) == set(range(len(desk.world)))


def test_an_option_needs_every_live_owner_and_a_future_only_those_it_moves() -> None:
    desk = Desk()
    all_agents(desk)
    menu = [j for j in range(2, len(desk.world)) if j != SPX_OPTION]
    vegas = {factors.vega("SPX", b): 0.0 for b in ("8-30d", "31-60d")}
    desk.propose("vega-0", vegas, 1e3, menu=menu)
    assert SPX_OPTION not in usable(desk) and {0, 1} <= usable(desk)


def test_an_option_whose_delta_nobody_watches_is_left_alone() -> None:
    desk = Desk(owner={key: agent for key, agent in OWNER.items() if agent == "vega-0"})
    desk.propose("vega-0", {factors.vega("SPX", "8-30d"): -5e4}, 1e3)
    assert usable(desk) == {0, 1}
    assert desk.decide() == []


def test_nothing_moves_a_factor_with_a_hard_limit_before_its_agent_has_said_where_it_stands() -> None:
    """Found by a review: while a lost shard's keys move, its factors' hard limits held for nobody."""
    hard = {head: FactorLimit(soft_usd=1e6, hard_usd=1.5e6) for head in ("delta:*", "gamma:*", "vega:*")}
    desk = Desk(limits=limits(factor=hard))
    for u, symbol in enumerate(SYMBOLS):
        own = {factors.delta(symbol): 1.2e6, factors.gamma(symbol): 0.0}
        desk.propose(f"gamma-{u}", own, {factors.delta(symbol): 1.4e6, factors.gamma(symbol): 1e6})
    desk.propose("cross_asset-0", {factors.COMMON: -9e6}, 1e5, menu=[0, 1])
    assert usable(desk) == {0, 1}, "vega-0 has not spoken yet, and options would move what it owns"
    desk.send(ev.CommandArrived(0, assign({**OWNER, "gamma/SPX": "gamma-1"}, "cover")))
    assert desk.decide() == [] and usable(desk) == set(), "of both underlyings, for gamma-1 speaks anew too"
    for symbol, u in zip(SYMBOLS, (1, 1), strict=True):
        own = {factors.delta(symbol): 1.2e6, factors.gamma(symbol): 0.0}
        desk.propose(f"gamma-{u}", own, {factors.delta(symbol): 1.4e6, factors.gamma(symbol): 1e6}, menu=[0, 1])
    assert usable(desk) == {0, 1}
    for order in desk.decide():
        assert order.signed_lots * 135_000.0 < 0.3e6


@pytest.mark.parametrize(
    "together",
    [
        {"sum": {"points": SumLimit(factors=["vega:*"], hard_usd=1e9)}},
        {"risk": RiskLimit(soft_usd=1e9, hard_usd=1e9)},
        {"risk_by_kind": {"vega": RiskLimit(soft_usd=1e9, hard_usd=1e9)}},
        {"risk_by_underlying": {"SPX": RiskLimit(soft_usd=1e9, hard_usd=1e9)}},
    ],
)
def test_nor_one_that_a_limit_on_several_factors_counts(together: dict[str, Any]) -> None:
    desk = Desk(limits=limits(factor={}, **together))
    for u, symbol in enumerate(SYMBOLS):
        desk.propose(f"gamma-{u}", {factors.delta(symbol): 1.2e6, factors.gamma(symbol): 0.0}, 1e5)
    spx = set(desk.world.rows_of("SPX")[1:].tolist())
    assert {0, 1} <= usable(desk) and not usable(desk) & spx, "vega-0 has not said where the vega of SPX stands"
    all_agents(desk)
    assert spx <= usable(desk)


def test_unusable_quotes_are_not_traded_on() -> None:
    desk = Desk()
    all_agents(desk)
    batch = quotes(desk.world, "SPX", desk.sequence["SPX"] + 1, desk.now_ns)
    bid, ask, size = batch.bid_ticks.copy(), batch.ask_ticks.copy(), batch.bid_size_lots.copy()
    rows = batch.instrument.tolist()
    bid[1], ask[2], size[3] = ask[1] + 1, NO_PRICE, 0
    ask[4] = bid[4]
    desk.send(ev.MarketNews(replace(batch, bid_ticks=bid, ask_ticks=ask, bid_size_lots=size)))
    assert set(range(len(desk.world))) - usable(desk) == {rows[i] for i in (1, 2, 3, 4)}


def test_unlisted_instruments_are_not_traded() -> None:
    desk = Desk()
    listed = desk.world.listed.copy()
    listed[5] = 0
    desk = Desk(world=replace(desk.world, listed=listed))
    all_agents(desk)
    assert 5 not in usable(desk)


def test_caps_are_quoted_size_order_caps_and_own_working_orders() -> None:
    caps = OrderCaps(max_lots_future=20, max_lots_option=7, max_notional_usd=10_000_000.0)
    desk = Desk(limits=limits(order=caps), config=ManagerConfig(quote_share=0.5))
    all_agents(desk)
    view = view_of(desk.state, desk.now_ns)
    menu = menu_of(desk.state, view.rows, {0: 4, 1: -3}, desk.now_ns, need_all=True)
    assert menu.buy_cap[0] == 15 - 4 and menu.sell_cap[0] == 0
    assert menu.sell_cap[1] == 15 - 3 and menu.buy_cap[1] == 0
    assert menu.buy_cap[2:].max() == 7
    dear = menu_of(desk.state, view.rows, {}, desk.now_ns, need_all=True)
    assert (dear.buy_cap * dear.notional_cents <= 10_000_000_00).all()


def test_choice_keeps_futures_then_the_best_value_and_is_no_longer_than_told() -> None:
    desk = Desk()
    all_agents(desk)
    view = view_of(desk.state, desk.now_ns)
    menu = menu_of(desk.state, view.rows, {}, desk.now_ns, need_all=True)
    price = np.sign(view.outside())
    few = menu.take(choose(menu, price, desk.world.kind[menu.index] == 0, 10))
    assert len(few.index) == 10 and {0, 1} <= set(few.index.tolist())
    assert (np.diff(few.index) > 0).all()
    score = np.abs(price @ menu.sensitivity) / menu.cost
    left = [j for j in menu.index.tolist() if j not in set(few.index.tolist())]
    assert min(score[j] for j in few.index.tolist() if j > 1) >= max(score[j] for j in left)
    desk = Desk(config=ManagerConfig(menu_max=8))
    all_agents(desk)
    desk.decide()
    assert len(desk.state.fold.last_cycle.menu) == 8
