"""Vega kind: bucket sums against a QuantLib portfolio, buckets as common.factors has them, trades onto the edge."""

from __future__ import annotations

import numpy as np
import pytest

from agents.vega.config import VegaConfig
from agents.vega.decide import vol_of_vol_pt
from agents.vega.kernel import buckets_of
from common import factors
from common.kernels import surface
from common.units import NS_PER_DAY
from tests.agents_market import NOW_NS, first_proposal, make_book, make_market, ready_agent
from tests.quantlib_book import option_greeks


@pytest.fixture(scope="module")
def case():
    market = make_market({"SPX": 2700.0, "NDX": 6800.0})
    book = make_book(market.universe, 200)
    agent = ready_agent(market, book, "vega")
    return market, book, agent, first_proposal(agent)


def test_exposures_and_reports_equal_a_plain_portfolio_sum(case):
    market, book, agent, proposal = case
    u, p = market.universe, agent.pricing
    wanted: dict[str, float] = dict.fromkeys((*proposal.factor, *proposal.reported), 0.0)
    for row, lots in zip(book.instrument.tolist(), book.quantity_lots.tolist(), strict=True):
        i, expiry = int(u.underlying[row]), int(u.expiry_ns[row])
        place = f"{u.symbols[i]}/{factors.BUCKET_NAMES[factors.bucket_index(expiry, NOW_NS)]}"
        vol = surface.vol_at(i, np.log(u.strike[row]), expiry, p.chain, p.vols, NOW_NS)
        greeks = option_greeks(u, row, float(market.forward(u.symbols[i], expiry)), vol, NOW_NS)
        for name in ("vega", "vanna", "volga"):
            wanted[f"{name}:{place}"] += lots * greeks[name]
    got = dict(zip(proposal.factor, proposal.exposure, strict=True))
    got |= dict(zip(proposal.reported, proposal.reported_value, strict=True))
    for name, value in wanted.items():
        if not name.startswith("theta"):
            assert got[name] == pytest.approx(value, rel=1e-5, abs=1.0), name
    assert len(proposal.reported) == 3 * len(proposal.factor)


def test_alone_trades_land_on_the_edge_bucket_by_bucket(case):
    proposal = case[3]
    after = proposal.exposure + proposal.sensitivity @ proposal.alone_lots
    able = np.abs(proposal.sensitivity).max(axis=1) > 0
    outside = np.abs(proposal.exposure) > proposal.upper
    assert (outside & able).any()
    assert after[outside & able] == pytest.approx(
        np.sign(proposal.exposure[outside & able]) * proposal.upper[outside & able]
    )
    assert after[~outside] == pytest.approx(proposal.exposure[~outside])


def test_a_contract_moves_one_bucket_of_its_own_underlying(case):
    market, _, _, proposal = case
    u = market.universe
    touched = (proposal.sensitivity != 0).sum(axis=0)
    option = u.kind[proposal.menu] == 1
    assert (touched[option] == 1).all() and (touched[~option] == 0).all()


def test_buckets_agree_with_the_vocabulary_at_every_edge():
    days = np.array([-3.0, 0.0, 7.99, 8.0, 30.99, 31.0, 60.9, 61.0, 91.0, 182.5, 183.0, 366.0, 730.9, 731.0, 5000.0])
    expiry = NOW_NS + (days * NS_PER_DAY).astype(np.int64)
    out = np.empty(len(days), np.int64)
    buckets_of(expiry, NOW_NS, np.array([last for _, last in factors.BUCKETS]), out)
    assert out.tolist() == [factors.bucket_index(int(e), NOW_NS) for e in expiry]


def test_far_buckets_move_less():
    config = VegaConfig()
    eta = [vol_of_vol_pt(b, config) for b in range(len(factors.BUCKETS))]
    assert eta == sorted(eta, reverse=True)
    flat = VegaConfig(tenor_damping=0.0, vol_of_vol_pt_per_sqrt_day=1.7)
    assert {vol_of_vol_pt(b, flat) for b in range(len(factors.BUCKETS))} == {1.7}
