"""Planted costs come back within their stated errors, from columns and from simulated fills; too few orders say so."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.messages import Side
from lab.cost_fit import ORDERS_MIN, Prior, cost_model, fit
from lab.tca import worked_of
from tests.tca_world import Tape, shares

SIGMAS = 5.0  # a planted value is missed by more about once in a million fits


def paid(size: np.ndarray, planted: tuple[float, float, float]) -> np.ndarray:
    return planted[0] + 0.5 * planted[1] * size + planted[2] * np.sqrt(size)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32 - 1),
    planted=st.tuples(st.floats(0.2, 1.5), st.floats(0.8, 2.0), st.floats(0.8, 2.0)),
    noise=st.floats(0.01, 0.3),
)
def test_planted_shares_come_back_within_their_errors(
    seed: int, planted: tuple[float, float, float], noise: float
) -> None:
    rng = np.random.default_rng(seed)
    size = np.exp(rng.uniform(np.log(0.02), np.log(4.0), 3000))
    y = paid(size, planted) + noise * (0.5 + size) * rng.standard_normal(3000)  # louder where it is larger
    found = fit(y, size, rng.integers(1, 50, 3000).astype(np.float64))
    assert np.isfinite(found.errors).all()
    assert (np.abs(found.shares - planted) <= SIGMAS * found.errors).all(), (found, planted)
    assert (found.errors < 0.6).all()


def test_the_stated_errors_are_as_large_as_the_spread_of_the_estimates() -> None:
    rng = np.random.default_rng(5)
    fits = []
    for _ in range(300):
        size = np.exp(rng.uniform(np.log(0.02), np.log(4.0), 1000))
        y = paid(size, (1.0, 2.0, 2.0)) + 0.2 * (0.5 + size) * rng.standard_normal(1000)
        fits.append(fit(y, size, np.ones(1000)))
    scatter = np.std([f.shares for f in fits], axis=0, ddof=1)
    stated = np.mean([f.errors for f in fits], axis=0)
    assert np.allclose(stated, scatter, rtol=0.15), (stated, scatter)


def test_an_impact_that_cannot_be_told_is_left_out() -> None:
    rng = np.random.default_rng(3)
    y = 0.9 + 0.1 * rng.standard_normal(200)
    same_size = fit(y, np.full(200, 0.5), np.ones(200))
    assert same_size.shares[1:].tolist() == [0.0, 0.0] and np.isnan(same_size.errors[1:]).all()
    falling = fit(
        1.0 - 0.2 * np.linspace(0.1, 1, 200) + 0.01 * rng.standard_normal(200), np.linspace(0.1, 1, 200), np.ones(200)
    )
    assert (falling.shares >= 0.0).all()
    with pytest.raises(ValueError, match="3 orders are too few"):
        fit(y[:3], y[:3], y[:3])


def tape_of(count: int, planted: tuple[float, float, float], seed: int) -> Tape:
    """``count`` orders at a spread of 2,000 ticks, so that whole ticks round little; each is filled in two halves."""
    rng = np.random.default_rng(seed)
    tape = Tape()
    for k in range(count):
        shown, lots = 50, int(rng.integers(1, 150))
        tape.quote(10.0 * k, 9000, 11000, size=shown)
        side = Side.BUY if rng.random() < 0.5 else Side.SELL
        tape.order(f"o{k}", 10.0 * k + 1, side, 2 * lots, 9000, 11000)
        y = float(paid(np.array([2 * lots / shown]), planted)[0]) + 0.1 * rng.standard_normal()
        for n in range(2):
            tape.fill(f"o{k}", 10.0 * k + 2 + n, lots, 10000 + side.sign * round(1000 * y), 9000, 11000)
    tape.quote(10.0 * count, 9000, 11000)
    return tape


def test_a_model_from_simulated_fills_recovers_the_plant_and_says_where_there_are_too_few() -> None:
    planted = (0.9, 1.2, 1.0)
    tape = tape_of(600, planted, 11)
    tape.order("few", 1.0, Side.BUY, 1, 10, 12, instrument=1)
    worked = worked_of(tape.orders, tape.reports, tape.batches, shares())
    model = cost_model(worked, shares(), ["run-1"], Prior(1.0, 0.1, 0.05))
    fitted, prior = model.rows
    assert (fitted.underlying, fitted.kind, fitted.source, fitted.orders) == ("AAA", "future", "fitted", 600)
    found = np.array([fitted.spread_share, fitted.impact_share, fitted.root_impact_share])
    errors = np.array([fitted.spread_share_se, fitted.impact_share_se, fitted.root_impact_share_se])
    assert (np.abs(found - planted) <= 4.0 * errors).all() and (errors < 0.3).all()
    assert (prior.underlying, prior.kind, prior.source, prior.orders) == ("BBB", "option", "prior", 0)
    assert (prior.spread_share, prior.impact_share, prior.root_impact_share) == (1.0, 0.1, 0.05)
    assert prior.why == "0 orders filled, 30 are needed"
    short = worked_of(tape.orders[: ORDERS_MIN - 1], tape.reports, tape.batches, shares())
    assert [r.source for r in cost_model(short, shares(), []).rows] == ["prior"]


def test_a_selection_and_a_guess_are_no_model() -> None:
    """Where half of the lots never filled, and where the market's moves drown the spread, the prior stands and says why."""
    half = tape_of(60, (0.2, 0.8, 0.8), 3)
    for k in range(60):
        half.order(f"lost{k}", 10.0 * k + 1, Side.BUY, 200, 9000, 11000)
        half.end(f"lost{k}", 10.0 * k + 4)
    worked = worked_of(half.orders, half.reports, half.batches, shares())
    (row,) = cost_model(worked, shares(), []).rows
    assert (row.source, row.spread_share) == ("prior", 1.0) and row.why.endswith("a selection; 80 % are needed")
    rng, noisy = np.random.default_rng(4), Tape()
    for k in range(40):
        noisy.quote(10.0 * k, 9000, 11000)
        noisy.order(f"o{k}", 10.0 * k + 1, Side.BUY, 10, 9000, 11000)
        noisy.fill(f"o{k}", 10.0 * k + 2, 10, 11000 + round(5000 * rng.standard_normal()), 9000, 11000)
    noisy.quote(400.0, 9000, 11000)
    worked = worked_of(noisy.orders, noisy.reports, noisy.batches, shares())
    (row,) = cost_model(worked, shares(), []).rows
    assert row.source == "prior" and row.why.startswith("error of the spread share")
