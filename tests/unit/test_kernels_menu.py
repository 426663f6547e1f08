"""The loops that make a menu against array formulas of the same thing, on quotes of every kind."""

from __future__ import annotations

import numpy as np
import pytest

from common.kernels import menu as kernels
from common.units import NO_PRICE
from common.universe import FUTURE, OPTION

N, M, F, U = 40, 25, 6, 3
SHARE, UNIQUE, CENTS = 0.25, 1e-4, 100


class Quotes:
    """Quotes as columns (n,): some one-sided, crossed, without size or negative."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.rng = rng
        bid = rng.integers(1, 500, N)
        self.bid = np.where(rng.random(N) < 0.1, NO_PRICE, bid).astype(np.int32)
        self.ask = np.where(rng.random(N) < 0.1, NO_PRICE, bid + rng.integers(-1, 6, N)).astype(np.int32)
        self.bid[rng.random(N) < 0.05] = -3
        self.bid_size = (rng.integers(0, 60, N) * (rng.random(N) < 0.9)).astype(np.int32)
        self.ask_size = (rng.integers(0, 60, N) * (rng.random(N) < 0.9)).astype(np.int32)
        self.underlying = rng.integers(0, U, N).astype(np.uint16)
        self.kind = np.where(rng.random(N) < 0.3, FUTURE, OPTION).astype(np.uint8)
        self.listed = (rng.random(N) < 0.9).astype(np.uint8)
        self.at = np.sort(rng.choice(N, M, replace=False)).astype(np.int64)
        self.all = (self.bid, self.ask, self.bid_size, self.ask_size)


@pytest.mark.parametrize("rolls", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_what_is_tradable(seed: int, rolls: bool) -> None:
    q = Quotes(seed)
    usable, watched, out = (q.rng.random(k) < 0.7 for k in (U, U, N))
    fronts = q.rng.integers(-1, N, U)
    at = q.at
    got = kernels.tradable(
        at, q.listed, q.underlying, q.kind, OPTION, *q.all, usable, watched, fronts if rolls else fronts[:0], rolls, out
    )
    u, option = q.underlying[at], q.kind[at] == OPTION
    want = (q.listed[at] != 0) & usable[u] & (watched[u] | ~option) & ~out[at]
    want &= (q.bid[at] > NO_PRICE) & (q.ask[at] > NO_PRICE) & (q.bid[at] < q.ask[at]) & (q.bid[at] >= 0)
    want &= (q.bid_size[at] > 0) & (q.ask_size[at] > 0)
    if rolls:
        want &= option | (fronts[u] == at)
    assert got.tolist() == want.tolist() and (rolls or want.any())


@pytest.mark.parametrize("seed", range(6))
def test_what_is_known_of_every_live_factor(seed: int) -> None:
    q = Quotes(seed)
    stated, nature = q.rng.random((F, N)) < 0.9, q.rng.random((F, N)) < 0.3
    live = np.array([0, 2, 3, 5])
    grid = np.ix_(live, q.at)
    assert kernels.known(q.at, live, stated, nature).tolist() == (stated[grid] | nature[grid]).all(axis=0).tolist()
    assert kernels.known(q.at, live[:0], stated, nature).all()


@pytest.mark.parametrize("seed", range(6))
def test_what_a_lot_costs_and_reserves(seed: int) -> None:
    q = Quotes(seed)
    q.bid_size[:], q.ask_size[:] = np.maximum(q.bid_size, 1), np.maximum(q.ask_size, 1)
    tick, fee, shares = q.rng.uniform(1.0, 50.0, N), q.rng.integers(0, 300, N), q.rng.uniform(0.0, 1.5, (3, N))
    fee[:5], tick[:5] = 0, 1e-6
    at = q.at
    cost, impact, root, cost_cents, notional = kernels.dealt(at, *q.all, tick, fee, shares, UNIQUE, CENTS)
    half = 0.5 * (q.ask[at].astype(float) - q.bid[at]) * tick[at]
    size = np.minimum(q.bid_size[at], q.ask_size[at])
    assert cost == pytest.approx(np.maximum(shares[0, at] * half + fee[at], 0.01) / CENTS, rel=1e-12)
    assert impact == pytest.approx(shares[1, at] * half / CENTS / size + UNIQUE * cost, rel=1e-12)
    assert root == pytest.approx(shares[2, at] * half / CENTS / np.sqrt(size), rel=1e-12)
    assert cost_cents.tolist() == (np.ceil(half).astype(int) + fee[at]).tolist()
    assert notional.tolist() == np.ceil(q.ask[at].astype(float) * tick[at]).astype(int).tolist()


@pytest.mark.parametrize("seed", range(6))
def test_what_may_be_ordered(seed: int) -> None:
    q = Quotes(seed)
    most = q.rng.integers(0, 12, (2, M)).astype(float)
    own, rests = q.rng.integers(-4, 5, M), q.rng.random(M) < 0.2
    buy, sell, shown_buy, shown_sell = kernels.ordered(q.at, q.bid_size, q.ask_size, SHARE, *most, own, rests)
    assert shown_buy.tolist() == np.minimum(np.floor(q.ask_size[q.at] * SHARE), most[0]).tolist()
    assert shown_sell.tolist() == np.minimum(np.floor(q.bid_size[q.at] * SHARE), most[1]).tolist()
    for k in range(M):
        against = own[k] < 0, own[k] > 0
        assert buy[k] == (0.0 if rests[k] or against[0] else max(shown_buy[k] - max(own[k], 0), 0.0))
        assert sell[k] == (0.0 if rests[k] or against[1] else max(shown_sell[k] - max(-own[k], 0), 0.0))
