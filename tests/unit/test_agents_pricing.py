"""Forwards, volatilities and Greeks of listed, unlisted and expired contracts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from agents.step import look
from common.kernels import surface
from common.units import NS_PER_DAY, NS_PER_YEAR
from common.universe import OPTION
from tests.agents_market import (
    DAYS,
    HELD_DAYS,
    NOW_NS,
    black_price,
    feed,
    make_book,
    make_market,
    ready_agent,
    true_vol,
)
from tests.quantlib_book import option_greeks

MARKET = {"SPX": 2700.0, "NDX": 6800.0}


@pytest.fixture(scope="module")
def state():
    market = make_market(MARKET)
    agent = ready_agent(market, make_book(market.universe, 300), "vega")
    look(agent, agent.selection.underlyings)
    return market, agent


def vols_at(agent, rows):
    p = agent.pricing
    c = p.contracts
    return np.array(
        [surface.vol_at(c.underlying[r], c.log_strike[r], c.expiry_ns[r], p.chain, p.vols, NOW_NS) for r in rows]
    )


def test_listed_strikes_get_the_true_smile_back(state):
    market, agent = state
    u = market.universe
    rows = np.flatnonzero((u.kind == OPTION) & (u.listed == 1))
    tau = (u.expiry_ns[rows] - NOW_NS) / NS_PER_YEAR
    forward = np.where(
        u.underlying[rows] == 0, market.forward("SPX", u.expiry_ns[rows]), market.forward("NDX", u.expiry_ns[rows])
    )
    error = vols_at(agent, rows) - true_vol(np.log(u.strike[rows] / forward), tau)
    assert np.abs(error).max() < 0.012
    assert np.sqrt(np.mean(error**2)) < 0.003


def test_unlisted_expiries_are_between_their_neighbours(state):
    market, agent = state
    u = market.universe
    rows = np.flatnonzero((u.kind == OPTION) & (u.listed == 0))
    days = (u.expiry_ns[rows] - NOW_NS) / NS_PER_DAY
    inside = rows[days <= max(DAYS)]
    tau = (u.expiry_ns[inside] - NOW_NS) / NS_PER_YEAR
    forward = np.where(
        u.underlying[inside] == 0,
        market.forward("SPX", u.expiry_ns[inside]),
        market.forward("NDX", u.expiry_ns[inside]),
    )
    assert np.abs(vols_at(agent, inside) - true_vol(np.log(u.strike[inside] / forward), tau)).max() < 0.012
    assert np.isfinite(vols_at(agent, rows)).all()  # beyond the last expiry: clamped


def test_at_the_money_total_variance_is_linear_between_expiries(state):
    _, agent = state
    p = agent.pricing

    def total(days):
        expiry = NOW_NS + int(days * NS_PER_DAY)
        forward = surface.forward_of(0, expiry, p.chain, p.vols)
        vol = surface.vol_at(0, np.log(forward), expiry, p.chain, p.vols, NOW_NS)
        return vol * vol * days

    assert total(18.5) == pytest.approx(0.5 * (total(12) + total(25)), rel=1e-9)
    assert total(120) / 120 == pytest.approx(total(74) / 74, rel=1e-9)  # flat beyond
    assert total(2) / 2 == pytest.approx(total(5) / 5, rel=1e-9)


def test_greeks_equal_quantlib_at_the_same_volatility(state):
    market, agent = state
    u, p = market.universe, agent.pricing
    rows = np.arange(0, len(u), 7)
    out = p.greeks(rows, NOW_NS)
    vols = vols_at(agent, rows)
    for i, row in enumerate(rows):
        forward = float(market.forward(u.symbols[u.underlying[row]], u.expiry_ns[row]))
        wanted = option_greeks(u, row, forward, vols[i], NOW_NS)
        got = dict(zip(("delta", "gamma", "vega", "theta", "vanna", "volga"), out[i], strict=True))
        for name, value in wanted.items():
            assert got[name] == pytest.approx(value, rel=1e-5, abs=1e-5 * max(abs(wanted["vega"]), 1.0)), (name, row)


def test_theta_is_the_loss_of_a_day(state):
    _, agent = state
    p = agent.pricing
    row = int(np.flatnonzero((p.contracts.slice >= 0) & (p.contracts.expiry_ns == NOW_NS + 46 * NS_PER_DAY))[30])
    theta = p.greeks(np.array([row]), NOW_NS)[0, surface.THETA_USD]
    assert theta < 0
    forward = surface.forward_of(0, p.contracts.expiry_ns[row], p.chain, p.vols)
    vol = vols_at(agent, [row])[0]
    tau = 46 / 365
    strike, right = p.contracts.strike[row], p.contracts.right[row]
    lost = black_price(forward, strike, tau - 0.5 / 365, vol, 0.02, right) - black_price(
        forward, strike, tau + 0.5 / 365, vol, 0.02, right
    )
    assert theta == pytest.approx(100 * lost, rel=2e-3)


def test_sticky_strike_between_fits():
    market = make_market({"SPX": 2700.0})
    agent = ready_agent(market, make_book(market.universe, 50), "vega")
    look(agent, agent.selection.underlyings)
    rows = np.flatnonzero(agent.pricing.contracts.slice >= 0)
    before = vols_at(agent, rows)
    market.future_price["SPX"] *= 1.01
    future = market.universe.underlyings[0].future_instrument
    feed(agent, market.quotes("SPX", NOW_NS, rows=[future]))
    look(agent, agent.selection.underlyings)
    assert agent.pricing.base_price(0) == pytest.approx(2727.0, abs=0.25)
    assert np.array_equal(vols_at(agent, rows), before)


def test_a_crossed_quote_leaves_the_fit_and_is_counted():
    market = make_market({"SPX": 2700.0})
    agent = ready_agent(market, make_book(market.universe, 50), "vega")
    seen = agent.unusable_quotes
    weights = int((agent.pricing.vols.weight > 0).sum())
    used = np.flatnonzero(agent.pricing.vols.weight > 0)[:3]
    feed(agent, market.quotes("SPX", NOW_NS, crossed=used))
    assert agent.unusable_quotes == seen + 3
    assert int((agent.pricing.vols.weight > 0).sum()) == weights - 3


def test_expired_contracts_are_zero():
    market = make_market({"SPX": 2700.0})
    agent = ready_agent(market, make_book(market.universe, 50), "vega")
    look(agent, agent.selection.underlyings)
    rows = np.arange(len(market.universe))
    later = NOW_NS + 12 * NS_PER_DAY
    out = agent.pricing.greeks(rows, later)
    gone = market.universe.expiry_ns <= later
    assert gone.any() and not out[gone].any()
    assert np.isfinite(out).all()


def test_forward_by_parity_without_a_future():
    market = make_market({"SPX": 2700.0, "MID": 1900.0}, without_future=("MID",))
    agent = ready_agent(market, make_book(market.universe, 50), "vega")
    expiry = NOW_NS + HELD_DAYS[0] * NS_PER_DAY
    forward = surface.forward_of(1, expiry, agent.pricing.chain, agent.pricing.vols)
    assert forward == pytest.approx(float(market.forward("MID", expiry)), rel=2e-4)


def test_read_only_universe_columns_are_accepted():
    market = make_market({"SPX": 2700.0})
    columns = (
        "expiry_ns",
        "strike",
        "multiplier_usd",
        "tick_size",
        "fee_cents",
        "right",
        "underlying",
        "kind",
        "listed",
    )
    for name in columns:
        getattr(market.universe, name).setflags(write=False)
    batch = market.quotes("SPX")
    for name in ("instrument", "bid_ticks", "ask_ticks", "bid_size_lots", "ask_size_lots"):
        getattr(batch, name).setflags(write=False)
    agent = ready_agent(market, make_book(market.universe, 50), "vega")
    feed(agent, replace(batch, snapshot=True, header=replace(batch.header, sequence=9)))
    look(agent, agent.selection.underlyings)
    assert agent.status == "hedging"
