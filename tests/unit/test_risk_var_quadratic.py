import numpy as np
import pytest

from common.risk.holdings import Holdings
from common.risk.quadratic import quadratic, row_exposures
from common.risk.scenarios import Rules, Shocks, pnl_by_underlying
from tests.risk_books import LineSmile, columns, random_holdings


def differences(book, rules, h):
    """δ and Γ by central differences of full revaluation."""
    u = len(book.symbols)
    eye = h * np.eye(2 * u)

    def pnl(x):
        return pnl_by_underlying(book, Shocks.of(x[:, :u], x[:, u:]), rules).sum(axis=1)

    delta = (pnl(eye) - pnl(-eye)) / (2 * h[0])
    gamma = np.empty((2 * u, 2 * u))
    for i in range(2 * u):
        a = eye[i]
        gamma[i] = (pnl(a + eye) - pnl(a - eye) - pnl(-a + eye) + pnl(-a - eye)) / (4 * h[0] * h[0])
    return delta, gamma


@pytest.mark.parametrize("rule", ["points", "relative", "sqrt-time"])
def test_the_form_is_the_second_order_expansion_of_the_pnl(rule):
    book = random_holdings(8, 30, 2)
    rules, h = Rules(vol=rule), np.full(4, 1e-3)
    form = quadratic(book, rules)
    delta, gamma = differences(book, rules, h)
    assert form.delta == pytest.approx(delta, rel=1e-3, abs=1e-4 * np.abs(delta).max())
    assert form.gamma == pytest.approx(gamma, rel=1e-2, abs=1e-3 * np.abs(gamma).max())
    assert np.array_equal(form.gamma, form.gamma.T)
    assert row_exposures(form, book).sum(axis=0) == pytest.approx(form.delta, rel=1e-12)


@pytest.mark.parametrize("rule", ["points", "relative"])
@pytest.mark.parametrize("ratio", [0.0, 0.4, 1.6])
def test_a_smile_that_moves_is_in_the_slopes(rule, ratio):
    strike = np.array([80.0, 95.0, 105.0, 120.0])
    smile = LineSmile(columns(strike=strike), 0.25, -0.2)
    c = columns(strike=strike, vol=smile.vol(np.arange(4), np.zeros(4)), tau_years=0.5)
    book = Holdings(c, np.array([1.0, -2.0, 3.0, -1.0]), np.zeros(4, np.int64), ("A",), smile)
    rules = Rules(vol=rule, stickiness=ratio)
    form = quadratic(book, rules)
    delta, gamma = differences(book, rules, np.full(2, 2e-3))
    assert form.delta == pytest.approx(delta, rel=1e-4)
    assert form.gamma == pytest.approx(gamma, rel=2e-3, abs=1e-3)
