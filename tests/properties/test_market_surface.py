"""No static arbitrage in the modelled quotes, in any session, and noise of the stated size."""

from __future__ import annotations

import numpy as np
import pytest

from common.instruments import parse_instrument
from common.market.demo import SYMBOLS
from common.market.ssvi import RHO_BOUNDS, atm_total_variance
from common.units import NO_PRICE, NS_PER_YEAR
from tests.market_data import column, demo, demo_batches

TICK = 0.05
STEPS = slice(0, None, 13)


def _slices(symbol: str) -> dict[tuple[int, int], np.ndarray]:
    """Columns of the options of each (expiry, right), by strike; column 0 of the batches is the future."""
    universe, rows = demo().universe, demo_batches(symbol)[0].instrument[1:]
    keys = list(zip(universe.expiry_ns[rows].tolist(), universe.right[rows].tolist(), strict=True))
    return {
        key: np.array(sorted((j for j, k in enumerate(keys) if k == key), key=lambda j: universe.strike[rows[j]]))
        for key in dict.fromkeys(keys)
    }


@pytest.mark.parametrize("symbol", SYMBOLS)
@pytest.mark.parametrize("day", range(10))
def test_no_vertical_or_butterfly_at_model_mids(symbol: str, day: int) -> None:
    universe, rows = demo().universe, demo_batches(symbol)[0].instrument[1:]
    values = demo().values(symbol, day)
    discount = np.exp(-0.016 * values.tau_years)
    for (_, right), at in _slices(symbol).items():
        strike, mid = universe.strike[rows[at]], values.mid[:, at]
        slope = np.diff(mid, axis=1) / np.diff(strike)
        assert (right * slope).max() <= 1e-9
        assert (np.abs(slope) - discount[:, at[:1]]).max() <= 1e-9
        assert np.diff(slope, axis=1).min() >= -1e-9


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_no_butterfly_or_vertical_can_be_executed(symbol: str) -> None:
    universe, rows = demo().universe, demo_batches(symbol)[0].instrument[1:]
    bid = column(demo_batches(symbol), "bid_ticks")[STEPS, 1:].astype(float)
    ask = column(demo_batches(symbol), "ask_ticks")[STEPS, 1:].astype(float)
    bid[bid <= NO_PRICE] = 0.0
    for (_, right), at in _slices(symbol).items():
        strike = universe.strike[rows[at]]
        low, mid, high = at[:-2], at[1:-1], at[2:]
        share = (strike[2:] - strike[1:-1]) / (strike[2:] - strike[:-2])
        assert (share * ask[:, low] + (1 - share) * ask[:, high] - bid[:, mid]).min() > 0.0
        dear, cheap = (at[:-1], at[1:]) if right > 0 else (at[1:], at[:-1])
        assert (ask[:, dear] - bid[:, cheap]).min() > 0.0


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_total_variance_grows_with_expiry_at_every_moneyness(symbol: str) -> None:
    """Calendar spreads: total variance at equal log-moneyness (Gatheral and Jacquier 2014, lemma 2.1)."""
    universe, rows = demo().universe, demo_batches(symbol)[0].instrument[1:]
    calls = [at for (_, right), at in _slices(symbol).items() if right > 0]
    for day in (0, 5, 9):
        values = demo().values(symbol, day)
        for step in (0, 97, 195):
            k = [np.log(universe.strike[rows[at]] / values.forward[step, at]) for at in calls]
            for near, far in zip(range(6), range(1, 7), strict=True):
                common = k[near][(k[near] > k[far][0]) & (k[near] < k[far][-1])]
                w = [np.interp(common, k[e], values.total_variance[step, calls[e]]) for e in (near, far)]
                assert (w[1] - w[0]).min() > 0.0


def test_put_call_parity_holds_on_the_quoted_future() -> None:
    for symbol in SYMBOLS:
        slices, values = _slices(symbol), demo().values(symbol, 5)
        rows = demo_batches(symbol)[0].instrument[1:]
        for (expiry, right), at in slices.items():
            if right > 0:
                puts = slices[(expiry, -1)]
                strike = demo().universe.strike[rows[at]]
                wanted = np.exp(-0.016 * values.tau_years[:, at]) * (values.forward[:, at] - strike)
                np.testing.assert_allclose(values.mid[:, at] - values.mid[:, puts], wanted, atol=1e-9)


def test_noise_is_a_few_tenths_of_a_vol_point() -> None:
    """At the money, 30 days and half a year: what is left when the stated level is taken out."""
    for tenor in (1, 4):
        left = []
        for day in demo().days:
            expiry = np.unique(demo().universe.expiry_ns[demo().universe.rows_of("SPX")])
            expiry = expiry[-7:]
            tau = (expiry[None] - day.time_ns[:, None]) / NS_PER_YEAR
            plain = atm_total_variance(day.vix, tau)
            noisy = np.cumsum(np.diff(plain, axis=1, prepend=0.0) * np.exp(day.variance_noise[0]), axis=1)
            left.append(100 * (np.sqrt(noisy / tau) - np.sqrt(plain / tau))[:, tenor])
        assert 0.05 < np.std(np.concatenate(left)) < 0.6


def test_the_two_underlyings_have_their_own_noise() -> None:
    noise = np.concatenate([d.variance_noise[:, :, 1] for d in demo().days], axis=1)
    assert abs(np.corrcoef(noise)[0, 1]) < 0.5
    rho = np.concatenate([d.rho for d in demo().days], axis=1)
    assert RHO_BOUNDS[0] <= rho.min() < rho.max() <= RHO_BOUNDS[1]
    assert 0.003 < rho.std() < 0.02


def test_ids_parse_back_to_their_rows() -> None:
    universe = demo().universe
    for row, name in enumerate(universe.instrument_id):
        found = parse_instrument(name)
        assert (found.expiry_ns, found.strike, found.right) == (
            universe.expiry_ns[row],
            universe.strike[row],
            universe.right[row],
        )
