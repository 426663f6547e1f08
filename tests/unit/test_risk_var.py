import math

import numpy as np
import pytest
from scipy import stats

from common.risk.var import (
    delta_gamma,
    delta_normal,
    delta_normal_components,
    es_components,
    es_interval,
    ewma_scaled,
    kupiec,
    tail,
    tail_weights,
    var_interval,
)

COVARIANCE = np.array([[0.04, -0.01], [-0.01, 0.09]])


def test_a_tail_by_hand():
    # Losses 10, 8, 5, 2, 1, 0, ...: the worst fifth of ten states is the first two.
    pnl = np.array([1.0, -10.0, 3.0, -5.0, -8.0, 2.0, -2.0, 4.0, -1.0, 0.0])
    found = tail(pnl, 0.8)
    assert found.var_usd == 5.0
    assert found.es_usd == pytest.approx(9.0)
    # A quarter of ten states is the first two and half of the third.
    assert tail(pnl, 0.75).es_usd == pytest.approx((10.0 + 8.0 + 0.5 * 5.0) / 2.5)
    assert tail(pnl, 0.75).var_usd == 5.0


def test_a_tail_smaller_than_one_state_is_the_worst_state():
    pnl = np.array([-3.0, -1.0, 5.0])
    found = tail(pnl, 0.99)
    assert found.var_usd == found.es_usd == 3.0


def test_a_whole_tail_is_not_split_by_binary_fractions():
    weight = tail_weights(np.arange(1000.0), 0.99)
    assert np.count_nonzero(weight) == 10
    assert weight[:10] == pytest.approx(np.full(10, 0.1), abs=0)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99, 0.995])
def test_shortfall_of_a_large_sample_is_that_of_its_distribution(level):
    pnl = np.random.default_rng(5).standard_t(5, 400_000)
    z = stats.t.ppf(1.0 - level, 5)
    shortfall = stats.t.pdf(z, 5) / (1.0 - level) * (5.0 + z * z) / 4.0
    found = tail(pnl, level)
    assert found.var_usd == pytest.approx(-z, rel=0.02)
    assert found.es_usd == pytest.approx(shortfall, rel=0.03)


@pytest.mark.parametrize("pnl", [np.array([]), np.array([1.0, np.nan])])
def test_an_empty_or_broken_sample_is_refused(pnl):
    with pytest.raises(ValueError, match="missing or not finite"):
        tail(pnl, 0.99)


def test_the_order_interval_is_the_binomial_one():
    losses = np.arange(1.0, 501.0)
    found = var_interval(-losses, 0.95, 0.95)
    ordered = losses[::-1]
    # Ranks from scipy: the high edge L_(a) is passed with at most 2.5 %, the low edge L_(b) likewise.
    a = int(stats.binom.ppf(0.025, 500, 0.05))
    b = int(stats.binom.ppf(0.975, 500, 0.05)) + 1
    assert (found.high, found.low) == (ordered[a - 1], ordered[b - 1])


def test_the_order_interval_covers_the_true_quantile_as_often_as_it_says():
    rng, z = np.random.default_rng(9), stats.norm.ppf(0.95)
    inside = [i.low <= z <= i.high for i in (var_interval(rng.standard_normal(300), 0.95, 0.9) for _ in range(1500))]
    assert 0.89 <= np.mean(inside) <= 0.96


def test_too_few_states_leave_the_interval_open():
    assert var_interval(np.array([-1.0, 2.0, 3.0]), 0.99).high == math.inf


def test_the_bootstrap_repeats_itself_and_covers():
    rng = np.random.default_rng(3)
    pnl = rng.standard_normal(2000)
    first, again = es_interval(pnl, 0.95, seed=1), es_interval(pnl, 0.95, seed=1)
    assert first == again != es_interval(pnl, 0.95, seed=2)
    truth = stats.norm.pdf(stats.norm.ppf(0.95)) / 0.05
    assert first.low < truth < first.high
    # Its width is that of the asymptotic standard error of a shortfall.
    excess = np.clip(-pnl - stats.norm.ppf(0.95), 0.0, None)
    deviation = excess.std() / 0.05 / math.sqrt(len(pnl))
    assert (first.high - first.low) / (2 * 1.96 * deviation) == pytest.approx(1.0, abs=0.15)


def test_parts_of_a_shortfall_are_means_over_the_same_states():
    pnl = np.array([[-5.0, 1.0], [-1.0, -6.0], [4.0, 2.0], [3.0, -1.0]])
    parts = es_components(pnl, 0.5)
    assert parts == pytest.approx([(5.0 + 1.0) / 2, (-1.0 + 6.0) / 2])
    assert parts.sum() == pytest.approx(tail(pnl.sum(axis=1), 0.5).es_usd)


def test_a_normal_linear_book_has_the_closed_form():
    exposure = np.array([1000.0, -500.0])
    sigma = math.sqrt(exposure @ COVARIANCE @ exposure)
    found = delta_normal(exposure, COVARIANCE, 0.99)
    assert found.var_usd == pytest.approx(stats.norm.ppf(0.99) * sigma, rel=1e-12)
    assert found.es_usd == pytest.approx(
        stats.norm.expect(lambda x: x, lb=stats.norm.ppf(0.99), conditional=True) * sigma
    )
    assert found.component_usd.sum() == pytest.approx(found.var_usd, rel=1e-12)
    # Marginal by a difference quotient.
    up = delta_normal(exposure + np.array([1e-3, 0.0]), COVARIANCE, 0.99).var_usd
    assert (up - found.var_usd) / 1e-3 == pytest.approx(found.marginal[0], rel=1e-5)


def test_rows_share_the_parametric_figure():
    rows = np.array([[100.0, 0.0], [0.0, 50.0], [-30.0, 10.0]])
    parts = delta_normal_components(rows, COVARIANCE, 0.95)
    assert parts.sum() == pytest.approx(delta_normal(rows.sum(axis=0), COVARIANCE, 0.95).var_usd, rel=1e-12)


def test_a_book_without_risk_has_none():
    found = delta_normal(np.zeros(2), COVARIANCE, 0.99)
    assert found.var_usd == found.es_usd == 0.0 and found.es_per_var == 1.0
    flat = delta_gamma(np.zeros(2), np.zeros((2, 2)), COVARIANCE, 0.99)
    assert (flat.var_usd, flat.es_usd) == (0.0, 0.0)


def test_delta_gamma_without_gamma_is_delta_normal():
    exposure = np.array([1.0, 2.0])
    linear, curved = (
        delta_normal(exposure, COVARIANCE, 0.975),
        delta_gamma(exposure, np.zeros((2, 2)), COVARIANCE, 0.975),
    )
    assert curved.var_usd == pytest.approx(linear.var_usd, rel=1e-12)
    assert curved.es_usd == pytest.approx(linear.es_usd, rel=1e-12)


def test_the_moments_of_a_quadratic_are_those_of_simulation():
    delta, gamma = np.array([1.0, 2.0]), np.array([[-1.0, 0.1], [0.1, -2.0]])
    x = np.random.default_rng(1).multivariate_normal([0.0, 0.0], COVARIANCE, 1_000_000)
    pnl = x @ delta + 0.5 * np.einsum("ij,jk,ik->i", x, gamma, x)
    found = delta_gamma(delta, gamma, COVARIANCE, 0.99)
    assert found.mean_usd == pytest.approx(pnl.mean(), abs=3e-3)
    assert found.sigma_usd == pytest.approx(pnl.std(), rel=5e-3)
    assert found.skewness == pytest.approx(stats.skew(pnl), abs=0.02)
    assert found.excess_kurtosis == pytest.approx(stats.kurtosis(pnl), abs=0.05)
    simulated = tail(pnl, 0.99)
    assert found.var_usd == pytest.approx(simulated.var_usd, rel=0.02)
    assert found.es_usd == pytest.approx(simulated.es_usd, rel=0.02)


def test_the_moments_of_one_square_are_those_of_chi_squared():
    # P&L = -½ x², x standard normal: minus half a chi-squared with one degree of freedom.
    found = delta_gamma(np.zeros(1), -np.eye(1), np.eye(1), 0.95)
    mean, variance, skewness, kurtosis = stats.chi2.stats(1, moments="mvsk")
    assert found.mean_usd == pytest.approx(-mean / 2)
    assert found.sigma_usd**2 == pytest.approx(variance / 4)
    assert (found.skewness, found.excess_kurtosis) == (pytest.approx(-skewness), pytest.approx(kurtosis))


def test_outside_its_domain_the_expansion_says_so():
    # Far more skew than the expansion can carry: its quantile function turns back inside the tail.
    found = delta_gamma(np.array([0.1]), np.array([[8.0]]), np.eye(1), 0.99)
    assert math.isnan(found.var_usd) and math.isnan(found.es_usd) and "domain" in found.why
    assert found.sigma_usd > 0.0


def test_the_shortfall_of_the_expansion_is_the_mean_of_its_quantiles():
    found = delta_gamma(np.array([1.0, 2.0]), np.array([[-1.0, 0.1], [0.1, -2.0]]), COVARIANCE, 0.95)
    s, k = found.skewness, found.excess_kurtosis
    u = (np.arange(400_000) + 0.5) / 400_000 * 0.05
    z = stats.norm.ppf(u)
    quantile = z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36
    assert found.es_usd == pytest.approx(-(found.mean_usd + found.sigma_usd * quantile.mean()), rel=1e-5)


def test_filtered_returns_have_the_volatility_of_today():
    rng = np.random.default_rng(2)
    calm, wild = 0.005 * rng.standard_normal((500, 1)), 0.03 * rng.standard_normal((500, 1))
    scaled = ewma_scaled(np.concatenate([calm, wild]))
    assert scaled[50:500].std() == pytest.approx(0.03, rel=0.35)
    assert scaled[:500].std() > 4.0 * calm.std()


def test_the_scaling_of_a_short_series_by_hand():
    returns = np.array([[0.01], [0.02]])
    first = (0.01**2 + 0.02**2) / 2
    second = 0.9 * first + 0.1 * 0.01**2
    last = 0.9 * second + 0.1 * 0.02**2
    found = ewma_scaled(returns, 0.9)
    assert found[:, 0] == pytest.approx([0.01 * math.sqrt(last / first), 0.02 * math.sqrt(last / second)])
    assert ewma_scaled(np.zeros((5, 1))).tolist() == np.zeros((5, 1)).tolist()


def test_kupiec_as_published():
    # Kupiec (1995), table: 95 % confidence region at 99 %, 255 days is fewer than 7 exceptions.
    assert kupiec(6, 255, 0.99) > 0.05 > kupiec(7, 255, 0.99)
    assert kupiec(0, 255, 0.99) < 0.05
    statistic = -2 * (math.log(0.99**250 * 0.01**5) - math.log((250 / 255) ** 250 * (5 / 255) ** 5))
    assert kupiec(5, 255, 0.99) == pytest.approx(stats.chi2.sf(statistic, 1))
    assert 0.0 < kupiec(255, 255, 0.99) + 1e-300 < 1e-100


@pytest.mark.parametrize(
    "call", [lambda: tail(np.ones(3), 1.0), lambda: kupiec(4, 3, 0.99), lambda: ewma_scaled(np.ones((2, 1)), 1.0)]
)
def test_senseless_arguments_are_refused(call):
    with pytest.raises(ValueError):
        call()
