"""Coherence of expected shortfall, order of VaR and ES, and sums of their parts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from common.risk.var import delta_gamma, delta_normal, delta_normal_components, es_components, tail, var_interval

amounts = st.floats(-1e9, 1e9).map(lambda x: round(x, 3))
samples = st.integers(1, 60).flatmap(lambda m: arrays(np.float64, (m, 3), elements=amounts))
levels = st.sampled_from([0.5, 0.75, 0.9, 0.95, 0.99, 0.999])


@settings(max_examples=150, deadline=None)
@given(samples, levels)
def test_shortfall_is_coherent_and_never_below_var(pnl, level):
    one, two = tail(pnl[:, 0], level), tail(pnl[:, 1], level)
    both = tail(pnl[:, 0] + pnl[:, 1], level)
    slack = 1e-9 * (1.0 + np.abs(pnl).max())
    assert one.es_usd >= one.var_usd
    assert both.es_usd <= one.es_usd + two.es_usd + slack  # subadditive
    assert tail(2.5 * pnl[:, 0], level).es_usd == pytest.approx(2.5 * one.es_usd, abs=slack)  # homogeneous
    assert tail(pnl[:, 0] + 7.0, level).es_usd == pytest.approx(one.es_usd - 7.0, abs=slack)  # a gain for sure
    assert tail(pnl[:, 0] + np.abs(pnl[:, 1]), level).es_usd <= one.es_usd + slack  # monotone


@settings(max_examples=100, deadline=None)
@given(samples, levels)
def test_parts_add_up_and_the_interval_holds_the_estimate(pnl, level):
    total = pnl.sum(axis=1)
    assert es_components(pnl, level).sum() == pytest.approx(
        tail(total, level).es_usd, abs=1e-6 + 1e-9 * np.abs(pnl).max()
    )
    interval = var_interval(total, level)
    assert interval.low <= tail(total, level).var_usd <= interval.high


@settings(max_examples=100, deadline=None)
@given(
    arrays(np.float64, (5, 4), elements=st.floats(-1e6, 1e6)), st.integers(0, 10**6), levels.filter(lambda x: x > 0.5)
)
def test_parametric_parts_add_up(rows, seed, level):
    root = np.random.default_rng(seed).normal(size=(4, 4)) * 0.01
    covariance = root @ root.T
    whole = delta_normal(rows.sum(axis=0), covariance, level)
    slack = 1e-9 * (1.0 + np.abs(rows).max())
    assert whole.component_usd.sum() == pytest.approx(whole.var_usd, abs=slack)
    assert delta_normal_components(rows, covariance, level).sum() == pytest.approx(whole.var_usd, abs=slack)
    assert whole.es_usd >= whole.var_usd


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.0, 2.0), levels.filter(lambda x: x > 0.5))
def test_the_expansion_keeps_the_order_wherever_it_answers(seed, curve, level):
    rng = np.random.default_rng(seed)
    root, half = rng.normal(size=(3, 3)), rng.normal(size=(3, 3)) * curve
    found = delta_gamma(rng.normal(size=3), half + half.T, root @ root.T, level)
    assert np.isnan(found.var_usd) or found.es_usd >= found.var_usd
    assert np.isnan(found.var_usd) == bool(found.why)
