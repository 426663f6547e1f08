"""The hedge menu: what is on it, what never is, and that it depends on the standing quotes alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agents.config import AgentsConfig, MenuConfig
from agents.menu import build_menu
from agents.step import AgentSetup, start
from common.units import NS_PER_DAY, NS_PER_S, NS_PER_YEAR
from tests.agents_market import NOW_NS, assignment_of, feed, make_book, make_market, ready_agent, true_vol

CONFIG = MenuConfig()


@pytest.fixture
def market():
    return make_market({"SPX": 2700.0})


def menu_of(market, agent, config=CONFIG, now_ns=NOW_NS):
    return build_menu(agent.pricing, (0,), now_ns, config)


def test_future_and_four_options_an_expiry(market):
    agent = ready_agent(market, make_book(market.universe, 20), "gamma")
    u, rows = market.universe, menu_of(market, agent)
    assert u.kind[rows[0]] == 0 and len(set(rows.tolist())) == len(rows)
    for expiry in sorted(set(u.expiry_ns[rows[1:]].tolist())):
        mine = rows[1:][u.expiry_ns[rows[1:]] == expiry]
        tau = (expiry - NOW_NS) / NS_PER_YEAR
        forward = float(market.forward("SPX", expiry))
        z = np.log(u.strike[mine] / forward) / (true_vol(0.0, tau) * np.sqrt(tau))
        assert u.right[mine].tolist() == [-1, -1, 1, 1]
        assert z == pytest.approx([-1, 0, 0, 1], abs=0.12)
    assert (u.listed[rows] == 1).all()


def test_short_expiries_are_left_out(market):
    agent = ready_agent(market, make_book(market.universe, 20), "gamma")
    assert len(menu_of(market, agent, MenuConfig(shortest_days=5))) == 1 + 4 * 4
    assert len(menu_of(market, agent, MenuConfig(shortest_days=4.9))) == 1 + 4 * 5


def test_unusable_and_wide_quotes_are_never_on_it(market):
    agent = ready_agent(market, make_book(market.universe, 20), "gamma")
    before = menu_of(market, agent)
    feed(agent, market.quotes("SPX", crossed=before))
    after = menu_of(market, agent)
    assert not set(before.tolist()) & set(after.tolist())
    feed(agent, market.quotes("SPX", spread=0.5))
    assert len(menu_of(market, agent)) == 1  # the future only


def test_it_forgets_nothing_because_it_remembers_nothing(market):
    book = make_book(market.universe, 20)
    old = ready_agent(market, book, "gamma")
    for i in range(1, 6):
        market.future_price["SPX"] *= 1.004
        feed(old, market.quotes("SPX", NOW_NS + i * 60 * NS_PER_S))
    config = AgentsConfig(shards={"gamma": 1})
    fresh = start(AgentSetup(market.universe, book, "gamma", 0, config, 2))
    feed(fresh, assignment_of(market.universe, book, config), replace(old.snapshot.as_batch("SPX")))
    now = old.snapshot.now_ns
    assert np.array_equal(menu_of(market, old, now_ns=now), menu_of(market, fresh, now_ns=now))


def test_futures_only_for_the_delta_baseline(market):
    agent = ready_agent(market, make_book(market.universe, 20), "gamma")
    rows = build_menu(agent.pricing, (0,), NOW_NS, CONFIG, futures_only=True)
    assert rows.tolist() == [market.universe.underlyings[0].future_instrument]
    assert len(build_menu(agent.pricing, (), NOW_NS, CONFIG)) == 0


def test_after_an_expiry_has_passed(market):
    agent = ready_agent(market, make_book(market.universe, 20), "gamma")
    rows = menu_of(market, agent, now_ns=NOW_NS + 30 * NS_PER_DAY)
    assert (market.universe.expiry_ns[rows] > NOW_NS + 31 * NS_PER_DAY).all()
