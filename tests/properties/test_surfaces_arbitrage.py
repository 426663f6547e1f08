"""Whatever the quotes say, a fitted surface has no arbitrage: at its expiries, between them and beyond."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from common.kernels.ssvi import make_feasible, to_svi
from common.kernels.surface_fit_guard import POINTS, strikes, verdict
from common.surfaces.arbitrage import check, check_expiry
from common.surfaces.fitting import fit
from common.units import NS_PER_YEAR
from tests.surfaces_world import AS_OF_NS, chain_of, essvi_w

ON_LINE = settings(max_examples=15, deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(seeds, st.integers(1, 12))
def test_essvi_in_its_cone_is_free_of_arbitrage(seed: int, n: int) -> None:
    """The linear inequalities imply g >= 0 and growing w, in the wings and after the last expiry too."""
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.exponential(0.3, (n, 3)) * rng.integers(0, 2, (n, 3)), axis=0)
    x += rng.uniform(-5.0, 1.0, 3)
    make_feasible(x, 1e-6)
    slices, g, growth = np.empty((n, 5)), np.empty(n), np.empty(n)
    to_svi(x, slices)
    grid = np.empty(POINTS)
    strikes(slices, grid)
    verdict(slices, grid, g, growth)
    assert g.min() >= -1e-9
    assert growth.min() >= -1e-12


@ON_LINE
@given(seeds)
def test_any_quotes_give_a_clean_surface(seed: int) -> None:
    rng = np.random.default_rng(seed)
    days = np.sort(rng.choice(np.arange(1, 900), rng.integers(1, 7), replace=False)).astype(float).tolist()
    theta = (rng.uniform(0.05, 0.8, len(days)) ** 2) * np.array(days) / 365
    rho, psi = rng.uniform(-0.95, 0.5, len(days)), np.sqrt(theta) * rng.uniform(0.2, 1.8, len(days))
    z = np.sort(rng.uniform(-8.0, 5.0, 25))
    chain = chain_of(
        days, lambda i, k: essvi_w(k, theta[i], rho[i], psi[i]), half_spread_vol=rng.uniform(1e-3, 2e-2), deviations=z
    )
    result = fit(chain, AS_OF_NS)
    if result.surface is None:
        return
    assert result.report.violations == 0
    found = check(result.surface, 401, beyond=3.0)
    assert found.clean, found


@ON_LINE
@given(seeds, st.floats(0.02, 0.98))
def test_between_and_beyond_the_expiries_nothing_appears(seed: int, where: float) -> None:
    rng = np.random.default_rng(seed)
    days = [20.0, 90.0, 300.0]
    level = np.sort(rng.uniform(0.1, 0.4, 3)) ** 2
    result = fit(chain_of(days, lambda i, k: essvi_w(k, level[i] * days[i] / 365, -0.7 + 0.1 * i, 0.2)), AS_OF_NS)
    surface = result.surface
    assert surface is not None
    marks = np.array([where * days[0], days[0] + where * 70.0, 90.0 + where * 210.0, 300.0 + where * 2000.0])
    between = AS_OF_NS + (marks / 365.0 * NS_PER_YEAR).astype(np.int64)
    k = np.linspace(-1.5, 1.0, 101)
    listed = np.sort(np.concatenate((between, surface.expiry_ns)))
    last = np.zeros(len(k))
    for expiry in listed.tolist():
        count, worst = check_expiry(surface, expiry, -1.5, 1.0, 401)
        assert count == 0, (expiry, worst)
        forward = float(surface.forward(expiry))
        w = surface.vol(expiry, forward * np.exp(k)) ** 2 * float(surface.tau(expiry))
        assert (w >= last * (1.0 - 1e-9)).all()
        last = w
