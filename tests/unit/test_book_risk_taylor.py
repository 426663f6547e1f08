"""Delta-gamma ticks by hand: off unless asked for, inside their bounds, and never on top of another event."""

from __future__ import annotations

import math

import numpy as np
import pytest

from common.kernels import layout
from common.kernels.book import PREPARED
from common.kernels.book_taylor import SLOPES, bound
from common.messages import F64
from common.risk.book import RiskBook, Taylor
from tests.book_risk import FAST, World, same_bits

WIDE = Taylor(0.01, 1e12, 1e12, 1e12, 1e12)


def pair(taylor: Taylor, models: tuple[int, ...] = FAST) -> tuple[RiskBook, RiskBook, World]:
    world = World(np.random.default_rng(5), 1, 200, models)
    for c in world.held[0].values():
        c.expiry_ns = max(c.expiry_ns, world.now_ns + 3 * 86_400 * 10**9)
    exact = world.book()
    quick = RiskBook(
        world.positions(), world.terms_columns(), np.array(world.price), np.array(world.fx), world.now_ns, taylor=taylor
    )
    return quick, exact, world


def off(quick: RiskBook, exact: RiskBook) -> F64:
    gap: F64 = np.abs(quick.tick_totals(0).sum(axis=0) - exact.tick_totals(0).sum(axis=0))
    return gap


def test_small_ticks_expand_and_large_ones_do_not() -> None:
    quick, exact, _ = pair(WIDE)
    for price in (100.0, 100.2, 99.7, 100.4):
        quick.tick(0, price)
        exact.tick(0, price)
    assert quick.error(0)[1] > 0.0
    assert (off(quick, exact) <= quick.error(0) + 1e-6).all()
    assert off(quick, exact).max() > 0.0
    quick.tick(0, 103.0)
    exact.tick(0, 103.0)
    assert not quick.error(0).any()
    assert same_bits(quick.totals(0), exact.totals(0))


def test_a_tolerance_that_is_too_tight_is_an_exact_book() -> None:
    quick, exact, _ = pair(Taylor(0.01, 0.0, 0.0, 0.0, 0.0))
    for price in (100.0, 100.2, 99.7):
        quick.tick(0, price)
        exact.tick(0, price)
        assert same_bits(quick.totals(0), exact.totals(0))


def test_any_other_event_values_in_full_first() -> None:
    quick, exact, world = pair(WIDE)
    key = next(iter(world.held[0]))
    for b in (quick, exact):
        b.tick(0, 100.0)
        b.tick(0, 100.3)
        b.fill(0, key, 3)
    assert not quick.error(0).any()
    assert same_bits(quick.totals(0), exact.totals(0))


def test_all_nine_greeks_are_read_at_the_price_that_stands() -> None:
    quick, exact, _ = pair(WIDE)
    for b in (quick, exact):
        b.tick(0, 100.0)
        b.tick(0, 100.3)
    assert same_bits(quick.totals(0)[:, 4:], exact.totals(0)[:, 4:])


def test_american_contracts_are_always_valued_in_full() -> None:
    quick, exact, _ = pair(WIDE, (layout.AMERICAN, layout.BLACK76))
    for price in (100.0, 100.1):
        quick.tick(0, price)
        exact.tick(0, price)
    assert same_bits(quick.totals(0), exact.totals(0))


def test_a_kink_inside_the_band_has_no_bound() -> None:
    # An expired call struck 0.5 % away: 1/s stands at its largest, with no gamma weight.
    prepared = np.zeros((1, PREPARED, 256))
    prepared[0, :, 0] = math.log(100.5), 1e30, 0.0, 1.0, 100.5, 1.0, 0.0, 0.0
    weight = np.zeros((1, 256))
    weight[0, 0] = 1.0
    out = np.empty((1, SLOPES))
    bound(prepared, weight, 100.0, 0.01, np.array([0, 1]), out)
    assert np.isinf(out).all()
    bound(prepared, weight, 100.0, 0.001, np.array([0, 1]), out)
    assert (out < 1e-100).all()


@pytest.mark.parametrize("span", [0.0, -0.1, 0.6, math.nan])
def test_a_band_must_be_one(span: float) -> None:
    with pytest.raises(ValueError, match="span"):
        Taylor(span, 1.0, 1.0, 1.0, 1.0)
