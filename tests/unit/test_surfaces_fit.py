"""Fits to chains with a known truth, and to chains that no arbitrage-free surface can meet."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from common.kernels.surface_fit_guard import POINTS, settle, strikes, verdict
from common.surfaces import quality
from common.surfaces.arbitrage import check
from common.surfaces.chain import ChainQuotes, FitSettings
from common.surfaces.fitting import fit
from common.surfaces.surface import Surface
from common.units import NS_PER_DAY
from tests.surfaces_world import AS_OF_NS, chain_of, essvi_w, raw_svi_w

DAYS = [5.0, 20.0, 60.0, 180.0, 400.0]


def tau(i: int) -> float:
    return DAYS[i] / 365.0


def essvi(i: int, k: np.ndarray) -> np.ndarray:
    return essvi_w(k, 0.03 * tau(i), -0.65 + 0.02 * i, 0.16 * np.sqrt(tau(i)))


def svi(i: int, k: np.ndarray) -> np.ndarray:
    t = tau(i)
    return raw_svi_w(k, 0.012 * t, 0.11 * np.sqrt(t), -0.45, 0.06 * np.sqrt(t), 0.15 * np.sqrt(t))


def surface_of(chain: ChainQuotes, previous: Surface | None = None) -> Surface:
    found = fit(chain, AS_OF_NS, previous).surface
    assert found is not None
    return found


@pytest.mark.parametrize("truth", [essvi, svi])
def test_the_smile_that_made_the_quotes_is_found(truth: object) -> None:
    assert callable(truth)
    result = fit(chain_of(DAYS, truth), AS_OF_NS)
    surface = result.surface
    assert surface is not None
    for i in range(len(DAYS)):
        k = np.linspace(-2.0, 1.5, 15) * np.sqrt(truth(i, np.zeros(1))[0])
        forward = surface.forward(surface.expiry_ns[i])
        vol = surface.vol(surface.expiry_ns[i], forward * np.exp(k))
        assert vol == pytest.approx(np.sqrt(truth(i, k) / tau(i)), abs=3e-4)
    assert result.report.violations == 0
    assert result.report.inside_share > 0.95
    assert result.report.rmse_vol_bp < 3.0
    assert sum(result.report.counted.values()) == len(result.quotes.row) + sum(
        n for name, n in result.report.counted.items() if name != "used"
    )


def test_quotes_full_of_calendar_spreads_give_a_clean_surface() -> None:
    # Total variance falls with expiry: no surface can be near.
    chain = chain_of(DAYS, lambda i, k: essvi_w(k, 0.01 - 0.001 * i, -0.6, 0.08))
    result = fit(chain, AS_OF_NS)
    assert result.surface is not None
    assert check(result.surface, beyond=5.0).clean
    assert result.report.violations == 0


def test_one_wrong_quote_hardly_bends_the_smile() -> None:
    chain = chain_of(DAYS, essvi)
    rows = np.flatnonzero((chain.expiry_ns == AS_OF_NS + 60 * NS_PER_DAY) & (chain.right < 0.0))
    wrong = rows[9]
    bid, ask = chain.bid.copy(), chain.ask.copy()
    bid[wrong] *= 1.5
    ask[wrong] *= 1.5
    good, bad = surface_of(chain), surface_of(replace(chain, bid=bid, ask=ask))
    strike = chain.strike[rows[4:24]]
    expiry = AS_OF_NS + 60 * NS_PER_DAY
    assert bad.vol(expiry, strike) == pytest.approx(good.vol(expiry, strike), abs=1.5e-3)


def test_an_expiry_with_one_quote_takes_its_shape_from_the_others() -> None:
    chain = chain_of(DAYS, essvi)
    expiry = AS_OF_NS + 60 * NS_PER_DAY
    one = np.flatnonzero((chain.expiry_ns == expiry) & (chain.right < 0.0))[12]
    keep = (chain.expiry_ns != expiry) | (np.arange(len(chain)) == one)
    names = ("expiry_ns", "strike", "right", "bid", "ask", "last_trade_ns")
    result = fit(replace(chain, **{n: getattr(chain, n)[keep] for n in names}), AS_OF_NS)
    assert result.surface is not None
    forward = float(result.surface.forward(expiry))
    k = np.linspace(-0.1, 0.06, 5)
    vol = result.surface.vol(expiry, forward * np.exp(k))
    assert vol == pytest.approx(np.sqrt(essvi(2, k) / tau(2)), abs=1.0e-2)
    flags = {s.expiry_ns: s.flags for s in result.report.slices}[expiry]
    assert flags & quality.FEW_QUOTES and flags & quality.FORWARD_DOUBTED


def test_no_quotes_no_surface() -> None:
    chain = chain_of(DAYS, essvi)
    result = fit(replace(chain, bid=np.full(len(chain), np.nan)), AS_OF_NS)
    assert result.surface is None
    assert result.report.counted["no_bid"] == len(chain)
    assert result.report.quotes == 0


def test_a_warm_start_gives_the_same_surface_and_says_so() -> None:
    chain = chain_of(DAYS, svi)
    cold = fit(chain, AS_OF_NS)
    warm = fit(chain, AS_OF_NS, cold.surface)
    assert (cold.report.warm, warm.report.warm) == (False, True)
    assert sum(warm.report.rounds) < sum(cold.report.rounds)
    assert cold.surface is not None and warm.surface is not None
    strike = np.linspace(4500.0, 5400.0, 10)
    for expiry in cold.surface.expiry_ns:
        assert warm.surface.vol(expiry, strike) == pytest.approx(cold.surface.vol(expiry, strike), abs=2e-4)


def test_a_previous_surface_of_other_expiries_is_no_start() -> None:
    chain = chain_of(DAYS, svi)
    other = surface_of(chain_of([d + 1.0 for d in DAYS], svi))
    assert not fit(chain, AS_OF_NS, other).report.warm


def test_the_same_quotes_give_the_same_surface_bit_for_bit() -> None:
    chain = chain_of(DAYS, svi)
    order = np.random.default_rng(0).permutation(len(chain))
    names = ("expiry_ns", "strike", "right", "bid", "ask", "last_trade_ns")
    shuffled = replace(chain, **{n: getattr(chain, n)[order] for n in names})
    assert surface_of(chain).to_dict() == surface_of(shuffled).to_dict()


def test_essvi_alone_on_request() -> None:
    result = fit(chain_of(DAYS, svi), AS_OF_NS, settings=FitSettings(refine=False))
    assert all(s.flags & quality.NOT_REFINED for s in result.report.slices)
    assert result.report.violations == 0


def test_weighted_years_are_used_and_must_grow() -> None:
    chain = chain_of(DAYS, essvi)
    weighted = {int(e): 0.8 * (int(e) - AS_OF_NS) / (365 * NS_PER_DAY) for e in np.unique(chain.expiry_ns)}
    plain, other = surface_of(chain), surface_of(replace(chain, tau_years=weighted))
    expiry = AS_OF_NS + 60 * NS_PER_DAY
    assert other.vol(expiry, 5000.0) == pytest.approx(plain.vol(expiry, 5000.0) / np.sqrt(0.8), rel=2e-3)
    with pytest.raises(ValueError, match="do not grow with expiry"):
        fit(replace(chain, tau_years=dict.fromkeys(weighted, 0.1)), AS_OF_NS)


def test_the_guard_holds_back_what_would_be_an_arbitrage() -> None:
    safe = surface_of(chain_of(DAYS, essvi)).slices
    bad = safe.copy()
    bad[2, 4] *= 0.02  # a kink in the smile
    bad[2, 1:3] *= 3.0
    moved, g, growth = np.empty(5), np.empty(5), np.empty(5)
    settle(bad, safe, moved, g, growth)
    assert g.min() >= 0.0 and growth.min() >= 0.0
    assert moved.min() < 1.0
    grid = np.empty(POINTS)
    strikes(bad, grid)
    verdict(bad, grid, g, growth)
    assert g.min() >= 0.0 and growth.min() >= 0.0


def test_prices_near_nothing_overflow_no_measure() -> None:
    chain = chain_of([10.0, 40.0], svi)
    thin = np.argmax(chain.strike * (chain.right > 0.0))
    bid, ask = chain.bid.copy(), chain.ask.copy()
    bid[thin], ask[thin] = 1e-200, 1.5e-200
    report = fit(replace(chain, bid=bid, ask=ask), AS_OF_NS).report
    assert np.isfinite([report.rmse_half_spreads, *(s.rmse_half_spreads for s in report.slices)]).all()
