"""Gamma kind: exposures against a QuantLib portfolio, intervals, and alone trades that land on the edge."""

from __future__ import annotations

import numpy as np
import pytest

from agents.config import AgentsConfig
from agents.gamma.config import GammaConfig
from common.kernels import surface
from tests.agents_market import NOW_NS, feed, first_proposal, make_book, make_market, position_update, ready_agent
from tests.quantlib_book import option_greeks

ALL_ONE = {"gamma": 1, "vega": 1, "cross_asset": 1}


@pytest.fixture
def market():
    return make_market({"SPX": 2700.0, "NDX": 6800.0})


def quantlib_sum(market, agent, book, symbol, greek):
    u, p = market.universe, agent.pricing
    i = u.underlying_index(symbol)
    total = 0.0
    for row, lots in zip(book.instrument.tolist(), book.quantity_lots.tolist(), strict=True):
        if u.underlying[row] != i:
            continue
        expiry = u.expiry_ns[row]
        vol = surface.vol_at(i, np.log(u.strike[row]), expiry, p.chain, p.vols, NOW_NS)
        total += lots * option_greeks(u, row, float(market.forward(symbol, expiry)), vol, NOW_NS)[greek]
    return total


def test_exposures_equal_a_plain_portfolio_sum(market):
    book = make_book(market.universe, 200)
    agent = ready_agent(market, book, "gamma")
    proposal = first_proposal(agent)
    values = dict(zip(proposal.factor, proposal.exposure, strict=True))
    assert proposal.factor == ("delta:NDX", "gamma:NDX", "delta:SPX", "gamma:SPX")
    for symbol in ("SPX", "NDX"):
        assert values[f"delta:{symbol}"] == pytest.approx(quantlib_sum(market, agent, book, symbol, "delta"), rel=1e-8)
        gamma = 0.01 * quantlib_sum(market, agent, book, symbol, "gamma")
        assert values[f"gamma:{symbol}"] == pytest.approx(gamma, rel=1e-8)


def test_sensitivities_are_those_of_one_more_lot(market):
    book = make_book(market.universe, 200)
    base = first_proposal(ready_agent(market, book, "gamma"))
    for j in (0, 3, len(base.menu) - 1):
        market.sequence.clear()
        agent = ready_agent(market, book, "gamma")
        feed(agent, position_update(1, [base.menu[j]], [1]))
        more = first_proposal(agent)
        assert more.exposure - base.exposure == pytest.approx(base.sensitivity[:, j], rel=1e-6, abs=1e-4)


def test_alone_trades_land_on_the_edge(market):
    proposal = first_proposal(ready_agent(market, make_book(market.universe, 500), "gamma"))
    after = proposal.exposure + proposal.sensitivity @ proposal.alone_lots
    outside = np.abs(proposal.exposure) > proposal.upper
    assert outside.all()  # the book of this test is far out
    gamma = np.array([f.startswith("gamma") for f in proposal.factor])
    assert np.abs(after[gamma]) == pytest.approx(proposal.upper[gamma])
    assert np.sign(after[gamma]).tolist() == np.sign(proposal.exposure[gamma]).tolist()
    # delta: on the edge, or inside where the option alone brought it there
    assert (np.abs(after) <= proposal.upper * (1 + 1e-12)).all()


def test_inside_the_interval_nobody_trades(market):
    book = make_book(market.universe, 1)
    book.quantity_lots[:] = 0
    proposal = first_proposal(ready_agent(market, book, "gamma"))
    assert not proposal.alone_lots.any()
    assert (proposal.upper > 0).all() and (proposal.lower == -proposal.upper).all()
    # half a lot of the future is the floor when there is no gamma to weigh
    delta = proposal.upper[[f.startswith("delta") for f in proposal.factor]]
    assert delta == pytest.approx([0.5 * 50 * 6800.0, 0.5 * 50 * 2700.0], rel=1e-3)


def test_soft_limit_narrows_the_interval(market):
    book = make_book(market.universe, 200)
    agent = ready_agent(market, book, "gamma", **{"delta__SPX": 1000.0, "gamma__SPX": 77.0})
    proposal = first_proposal(agent)
    widths = dict(zip(proposal.factor, proposal.upper, strict=True))
    assert widths["delta:SPX"] == 1000.0 and widths["gamma:SPX"] == 77.0


def test_delta_only_has_futures_and_deltas_only(market):
    config = AgentsConfig(gamma=GammaConfig(delta_only=True), shards=ALL_ONE)
    proposal = first_proposal(ready_agent(market, make_book(market.universe, 200), "gamma", config))
    assert proposal.factor == ("delta:NDX", "delta:SPX")
    assert len(proposal.menu) == 2
    after = proposal.exposure + proposal.sensitivity @ proposal.alone_lots
    assert np.abs(after) == pytest.approx(proposal.upper)


def test_risk_aversion_makes_both_intervals_narrower(market):
    book = make_book(market.universe, 200)
    calm = first_proposal(ready_agent(market, book, "gamma", risk_aversion=1e-8))
    market.sequence.clear()
    afraid = first_proposal(ready_agent(market, book, "gamma", risk_aversion=8e-8))
    ratio = dict(zip(calm.factor, calm.upper / afraid.upper, strict=True))
    assert ratio["delta:SPX"] == pytest.approx(2.0)
    assert ratio["gamma:SPX"] == pytest.approx(8.0)
