"""Forwards and discount factors against the truth the chain was made from, with stale quotes among it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from common.surfaces import parity
from common.surfaces.chain import ChainQuotes, FitSettings, KnownForward
from common.surfaces.quotes import filtered
from common.units import NS_PER_DAY, NS_PER_YEAR
from tests.surfaces_world import AS_OF_NS, chain_of, essvi_w

DAYS = [7.0, 30.0, 91.0, 365.0, 1000.0]


def made(days: list[float] | None = None) -> ChainQuotes:
    use = DAYS if days is None else days
    return chain_of(use, lambda i, k: essvi_w(k, 0.04 * use[i] / 365, -0.6, 0.25 * np.sqrt(use[i] / 365)))


def forward_of(tau: np.ndarray) -> np.ndarray:
    return 5000.0 * np.exp(0.02 * tau)


def test_exact_prices_give_the_forward_and_the_discount_factor() -> None:
    found = filtered(made(), AS_OF_NS, FitSettings()).found
    assert found.forward == pytest.approx(forward_of(found.tau_years), rel=1e-9)
    assert found.own_discount == pytest.approx(np.exp(-0.04 * found.tau_years), rel=1e-9)
    assert found.discount == pytest.approx(np.exp(-0.04 * found.tau_years), rel=1e-9)
    assert not found.flags.any()


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_stale_quotes_do_not_move_it(side: float) -> None:
    chain = made()
    stale = (np.arange(len(chain)) % 5 == 0) & (chain.right == side)
    shift = np.where(stale, 40.0, 0.0)
    found = filtered(replace(chain, bid=chain.bid + shift, ask=chain.ask + shift), AS_OF_NS, FitSettings()).found
    assert found.forward == pytest.approx(forward_of(found.tau_years), rel=1e-6)


def test_errors_are_of_the_right_size() -> None:
    rng = np.random.default_rng(5)
    chain = made([91.0])
    misses = []
    for _ in range(200):
        noise = rng.normal(0.0, 0.3, len(chain)) * 0.5 * (chain.ask - chain.bid)
        noisy = replace(chain, bid=chain.bid + noise, ask=chain.ask + noise)
        found = filtered(noisy, AS_OF_NS, FitSettings()).found
        misses.append((found.forward[0] - forward_of(found.tau_years)[0]) / found.forward_error[0])
    # One for an exact error bar; it allows for rates that differ between expiries, so it may be wide, never narrow.
    assert 0.1 < float(np.sqrt(np.mean(np.square(misses)))) < 1.2


def test_an_expiry_without_a_pair_lies_between_its_neighbours() -> None:
    chain = made()
    expiry = AS_OF_NS + 91 * NS_PER_DAY
    keep = (chain.expiry_ns != expiry) | (chain.right < 0.0)
    names = ("expiry_ns", "strike", "right", "bid", "ask", "last_trade_ns")
    found = filtered(replace(chain, **{n: getattr(chain, n)[keep] for n in names}), AS_OF_NS, FitSettings()).found
    i = int(np.searchsorted(found.expiry_ns, expiry))
    assert found.flags[i] == parity.INTERPOLATED
    assert found.forward == pytest.approx(forward_of(found.tau_years), rel=1e-9)


def test_quotes_that_did_not_trade_serve_where_too_few_did() -> None:
    chain = made()
    old = replace(chain, last_trade_ns=np.full(len(chain), AS_OF_NS - 9 * NS_PER_DAY))
    result = filtered(old, AS_OF_NS, FitSettings())
    assert (result.found.flags == parity.UNTRADED_PAIRS).all()
    assert result.found.forward == pytest.approx(forward_of(result.found.tau_years), rel=1e-9)
    assert result.counted["used"] == 0


def test_a_known_forward_is_taken_as_it_is() -> None:
    chain = made()
    expiry = AS_OF_NS + 30 * NS_PER_DAY
    found = filtered(replace(chain, known={expiry: KnownForward(4990.0, 0.5)}), AS_OF_NS, FitSettings()).found
    i = int(np.searchsorted(found.expiry_ns, expiry))
    assert (found.forward[i], found.discount[i], found.flags[i]) == (4990.0, 0.5, parity.KNOWN)


def test_a_day_from_expiry_the_rate_comes_from_longer_expiries() -> None:
    chain = made([1.0, 30.0, 91.0, 365.0])
    rng = np.random.default_rng(1)
    noise = rng.normal(0.0, 0.5, len(chain)) * (chain.ask - chain.bid)
    found = filtered(replace(chain, bid=chain.bid + noise, ask=chain.ask + noise), AS_OF_NS, FitSettings()).found
    rate = -np.log(found.discount) / found.tau_years
    own = -np.log(found.own_discount) / found.tau_years
    assert abs(rate[0] - 0.04) < abs(own[0] - 0.04)
    assert abs(rate[0] - 0.04) < 0.02
    assert found.tau_years[0] == NS_PER_DAY / NS_PER_YEAR
