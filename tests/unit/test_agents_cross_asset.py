"""Cross-asset kind: principal component against numpy, covariance against a plain EWMA, trades onto the edge."""

from __future__ import annotations

import numpy as np
import pytest

from agents.cross_asset.covariance import GridCovariance, best_proxy, common_betas
from common.units import NS_PER_DAY, NS_PER_S
from tests.agents_market import first_proposal, make_book, make_market, ready_agent

GRID_S = 300.0


def test_betas_are_the_first_principal_component():
    rng = np.random.default_rng(2)
    loadings = np.array([0.7, 1.0, 1.3, 0.9])
    returns = rng.standard_normal((20_000, 1)) * 0.01 * loadings + 0.003 * rng.standard_normal((20_000, 4))
    covariance = np.cov(returns.T)
    beta = common_betas(covariance, (0, 1, 2, 3))
    values, vectors = np.linalg.eigh(covariance)
    wanted = vectors[:, np.argmax(values)]
    assert beta / np.linalg.norm(beta) == pytest.approx(wanted * np.sign(wanted.sum()))
    assert beta / beta[1] == pytest.approx(loadings, abs=0.02)  # and the model it was drawn from
    assert (beta**2).sum() == pytest.approx(4)


def test_betas_of_some_members_only():
    covariance = np.array([[4.0, 1.0, 3.0], [1.0, 1.0, 0.5], [3.0, 0.5, 9.0]])
    beta = common_betas(covariance, (0, 2))
    assert beta[1] == 0.0 and beta[2] > beta[0] > 0
    assert common_betas(covariance, ()).tolist() == [0.0, 0.0, 0.0]
    assert common_betas(np.zeros((2, 2)), (0, 1)).tolist() == [1.0, 1.0]


def run(events, prior, half_life_days=20.0):
    grid = GridCovariance(prior, (0, 1), GRID_S, half_life_days)
    for u, t, price in events:
        grid.observe(u, t, price)
    return grid


def test_equals_a_plain_ewma_on_the_grid():
    rng = np.random.default_rng(9)
    n = 500
    prices = np.exp(np.cumsum(rng.standard_normal((n, 2)) * 1e-3, axis=0)) * [100.0, 200.0]
    prior = np.diag([1e-4, 2e-4])
    step_ns = int(GRID_S * NS_PER_S)
    events = [(u, (i + 10) * step_ns, prices[i, u]) for i in range(n) for u in (0, 1)]
    got = run(events, prior).matrix
    days = GRID_S / 86_400
    keep = 0.5 ** (days / 20)
    wanted = prior.copy()
    for r in np.diff(np.log(prices[:-1]), axis=0):  # the last point is still open
        wanted = keep * wanted + (1 - keep) * np.outer(r, r) / days
    assert got == pytest.approx(wanted, rel=1e-10)


def test_a_night_counts_once_and_decays_by_the_calendar():
    prior = np.diag([1e-4, 1e-4])
    day = NS_PER_DAY
    times = [day, day + 300 * NS_PER_S, 2 * day, 2 * day + 300 * NS_PER_S]
    prices = [100.0, 100.0, 103.0, 103.0]
    grid = run([(u, t, p) for t, p in zip(times, prices, strict=True) for u in (0, 1)], prior)
    r = np.log(1.03)
    elapsed = (2 * day - day - 300 * NS_PER_S) / day
    keep = 0.5 ** (elapsed / 20)
    first = 0.5 ** (300 / 86_400 / 20)
    wanted = keep * first * 1e-4 + (1 - keep) * r * r / elapsed
    assert grid.matrix[0, 0] == pytest.approx(wanted)
    assert grid.matrix[0, 1] == pytest.approx((1 - keep) * r * r / elapsed)


def test_interleaving_of_sources_does_not_matter():
    rng = np.random.default_rng(4)
    events = {
        u: [
            (u, int(t), float(p))
            for t, p in zip(
                np.sort(rng.integers(0, 5 * NS_PER_DAY, 400)),
                100 + rng.standard_normal(400).cumsum() * 0.1,
                strict=True,
            )
        ]
        for u in (0, 1)
    }
    prior = np.diag([1e-4, 1e-4])
    by_time = sorted(events[0] + events[1], key=lambda e: (e[1], e[0]))
    other = sorted(events[0] + events[1], key=lambda e: (e[1] // (7200 * NS_PER_S), -e[0], e[1]))
    assert by_time != other
    one, two = run(by_time, prior), run(other, prior)
    assert np.array_equal(one.matrix, two.matrix) and one.version == two.version > 100


def test_exposure_and_trade_of_the_common_factor():
    market = make_market({"SPX": 2700.0, "NDX": 6800.0})
    book = make_book(market.universe, 300)
    cross = first_proposal(ready_agent(market, book, "cross_asset"))
    market.sequence.clear()
    gamma = first_proposal(ready_agent(market, book, "gamma"))
    deltas = dict(zip(gamma.factor, gamma.exposure, strict=True))
    beta = common_betas(market.universe.covariance_daily, (0, 1))
    assert cross.factor == ("factor:common",)
    assert cross.exposure[0] == pytest.approx(beta[0] * deltas["delta:SPX"] + beta[1] * deltas["delta:NDX"])
    assert np.array_equal(cross.menu.astype(int)[np.argsort(cross.menu)], np.sort(gamma.menu.astype(int)))
    after = cross.exposure[0] + cross.sensitivity[0] @ cross.alone_lots
    assert abs(cross.exposure[0]) > cross.upper[0]
    assert abs(after) == pytest.approx(cross.upper[0])
    traded = cross.menu[cross.alone_lots != 0]
    assert (market.universe.kind[traded] == 0).all() and len(traded) == 1
    # beta-weighted deltas of options too, so that the manager knows what their delta does to the factor
    order = {int(row): j for j, row in enumerate(gamma.menu)}
    for j, row in enumerate(cross.menu.tolist()):
        i = int(market.universe.underlying[row])
        delta = gamma.sensitivity[gamma.factor.index(f"delta:{market.universe.symbols[i]}"), order[row]]
        assert cross.sensitivity[0, j] == pytest.approx(beta[i] * delta)


def test_proxy_is_the_most_correlated_and_hedges_by_its_beta():
    covariance = np.array([[1.0, 0.2, 0.9], [0.2, 4.0, 3.0], [0.9, 3.0, 9.0]]) * 1e-4
    assert best_proxy(covariance, 2, (0, 1)) == (1, pytest.approx(0.75))
    assert best_proxy(covariance, 2, ()) == (-1, 0.0)


def test_underlying_without_a_future_is_hedged_through_another():
    market = make_market({"SPX": 2700.0, "MID": 1900.0}, without_future=("MID",))
    book = make_book(market.universe, 300)
    agent = ready_agent(market, book, "cross_asset")
    proposal = first_proposal(agent)
    assert proposal.factor == ("proxy:MID",)
    after = proposal.exposure + proposal.sensitivity @ proposal.alone_lots
    assert np.abs(after) <= proposal.upper * (1 + 1e-9)
    traded = proposal.menu[proposal.alone_lots != 0]
    assert [market.universe.instrument_id[i] for i in traded] == ["SPX F"]
    beta = market.universe.covariance_daily[1, 0] / market.universe.covariance_daily[0, 0]
    future = proposal.menu.tolist().index(traded[0])
    assert proposal.sensitivity[0, future] == pytest.approx(50 * 2700 / beta, rel=1e-3)
