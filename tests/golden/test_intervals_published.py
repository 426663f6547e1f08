"""Half-widths against published or hand-worked numbers."""

from __future__ import annotations

import pytest

from agents.intervals import daily, delta_half_width_usd, gamma_half_width_usd, vega_half_width_usd


def test_whalley_wilmott_published_value():
    # Whalley and Wilmott (1997) in units of the underlying, w = (3 κ Γ² S/(2 a))^(1/3): Γ 0.02, S 5000, κ 5e-4, a 1.
    gamma, spot = 0.02, 5000.0
    dollars = delta_half_width_usd(5e-4, gamma * spot**2, 1.0)
    assert dollars / spot == pytest.approx(0.114471, abs=5e-7)


@pytest.mark.parametrize(("factor", "grows"), [(8.0, 2.0), (1.0, 1.0), (0.001, 0.1)])
def test_whalley_wilmott_is_a_cube_root_of_cost(factor, grows):
    one = delta_half_width_usd(1e-4, 3e8, 1e-7)
    assert delta_half_width_usd(factor * 1e-4, 3e8, 1e-7) == pytest.approx(grows * one)
    assert delta_half_width_usd(1e-4, 3e8, factor * 1e-7) == pytest.approx(one / grows)
    assert delta_half_width_usd(1e-4, -3e8, 1e-7) == one


def test_gamma_by_hand():
    # c 2e-5, σ 1 % a day, h 1, H 5, a 1e-7: 4e-5/(1e-7 × 1e-8 × 5) = 8e9.
    assert gamma_half_width_usd(2e-5, 0.01, 1.0, 5.0, 1e-7) == pytest.approx(8e9)


def test_vega_by_hand():
    # c 0.1 USD per USD/pt, η 1 pt, H 5, a 1e-7: 0.1/(1e-7 × 5) = 200,000 USD per point.
    assert vega_half_width_usd(0.1, 1.0, 5.0, 1e-7) == pytest.approx(200_000)


def test_a_trading_day():
    assert daily(0.16) == pytest.approx(0.16 / 252**0.5)
