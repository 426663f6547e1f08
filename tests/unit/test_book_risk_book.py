"""`RiskBook` by hand: what each event does to the totals, what is refused, and what an unknown price means."""

from __future__ import annotations

import math

import numpy as np
import pytest

from common.kernels import layout
from common.risk.book import Positions, RiskBook, Terms, act365
from common.risk.buckets import CELL_NAMES, CELLS, SPOT_CELL
from common.units import NS_PER_DAY, NS_PER_YEAR
from tests.book_risk import FAST, NOW_NS, World, same_bits

CALL, FUTURE, SPOT = 11, 22, 33
EXPIRY = NOW_NS + 45 * NS_PER_DAY


def three(vol: float = 0.2) -> Positions:
    """A call, a future and a spot on underlying 0; lots 10, -2, 300."""
    return Positions(
        np.array([CALL, FUTURE, SPOT]),
        np.zeros(3, np.int64),
        np.array([layout.BLACK76, layout.FUTURE, layout.SPOT], np.uint8),
        np.array([EXPIRY, EXPIRY, 0]),
        np.array([100.0, 0.0, 0.0]),
        np.array([1, 0, 0], np.int8),
        np.array([vol, np.nan, np.nan]),
        np.array([50.0, 50.0, 1.0]),
        np.array([10, -2, 300]),
    )


def terms(rate: float = 0.03) -> Terms:
    return Terms(np.array([0]), np.array([EXPIRY]), np.array([rate]), np.array([0.01]), np.array([1.02]))


def book(price: float = 100.0, fx: float = 1.0) -> RiskBook:
    return RiskBook(three(), terms(), np.array([price]), np.array([fx]), NOW_NS)


def cell(name: str) -> int:
    return CELL_NAMES.index(name)


def test_linear_positions_stand_in_their_cells_with_their_notional() -> None:
    b = book()
    totals = b.totals(0)
    assert totals[SPOT_CELL].tolist() == [30_000.0, 30_000.0, *[0.0] * 7]
    b.fill(0, CALL, -10)
    assert b.totals(0)[cell("31-60d"), :2] == pytest.approx([-2 * 50 * 102.0] * 2)
    b.tick(0, 200.0)
    assert b.totals(0)[cell("31-60d"), :2] == pytest.approx([-2 * 50 * 204.0] * 2)


def test_fx_scales_everything() -> None:
    b, in_euro = book(), book(fx=1.25)
    np.testing.assert_allclose(in_euro.totals(0), 1.25 * b.totals(0), rtol=1e-14)
    b.set_fx(0, 1.25)
    assert same_bits(b.totals(0), in_euro.totals(0))


def test_a_book_without_a_price_is_unknown_until_it_ticks() -> None:
    b = book(price=math.nan)
    totals = b.totals(0)
    held = [cell("31-60d"), SPOT_CELL]
    assert np.isnan(totals[held]).all()
    assert not np.delete(totals, held, axis=0).any()
    assert b.unpriced(0).tolist() == [CALL, FUTURE, SPOT]
    b.tick(0, 100.0)
    assert same_bits(b.totals(0), book().totals(0))
    for bad in (0.0, -5.0, math.inf, math.nan):
        b.tick(0, bad)
        assert np.isnan(b.firm()[held]).all()


def test_an_unknown_volatility_spoils_its_own_cell_and_is_named() -> None:
    b = book()
    b.set_vols(0, np.array([CALL]), np.array([math.nan]))
    totals = b.totals(0)
    assert np.isnan(totals[cell("31-60d")]).all()
    assert totals[SPOT_CELL, 0] == 30_000.0
    assert b.unpriced(0).tolist() == [CALL]
    assert np.isnan(b.greeks(0, np.array([CALL]))).all()
    b.fill(0, CALL, -10)
    assert not np.isnan(b.totals(0)).any()
    assert not len(b.unpriced(0))


def test_an_expiry_without_terms_has_no_price() -> None:
    nothing = Terms(*(np.empty(0, t) for t in (np.int64, np.int64, float, float, float)))  # type: ignore[arg-type]
    b = RiskBook(three(), nothing, np.array([100.0]), np.array([1.0]), NOW_NS)
    assert b.unpriced(0).tolist() == [CALL, FUTURE]
    b.set_terms(terms())
    assert same_bits(b.totals(0), book().totals(0))


def test_time_moves_contracts_from_bucket_to_bucket_and_out() -> None:
    b = book()
    b.clock(EXPIRY - 8 * NS_PER_DAY)
    assert b.totals(0)[cell("8-30d"), 0] != 0.0
    assert b.totals(0)[cell("31-60d"), 0] == 0.0
    b.clock(EXPIRY + 1)
    assert b.totals(0)[cell("0-7d"), 0] == pytest.approx((10 * 2.0 - 2 * 102.0) * 50)
    b.remove(0, np.array([CALL, FUTURE]))
    assert not b.totals(0)[:SPOT_CELL].any()
    assert len(b) == 1


def test_weighted_time_comes_from_the_caller() -> None:
    def half(expiry_ns: np.ndarray, now_ns: int) -> np.ndarray:
        return 0.5 * act365(expiry_ns, now_ns)

    slow = RiskBook(three(), terms(), np.array([100.0]), np.array([1.0]), NOW_NS, years=half)
    sooner = three()
    sooner.expiry_ns[:2] = NOW_NS + (EXPIRY - NOW_NS) // 2
    t = terms()
    t.expiry_ns[0] = sooner.expiry_ns[0]
    fast = RiskBook(sooner, t, np.array([100.0]), np.array([1.0]), NOW_NS)
    np.testing.assert_allclose(slow.totals(0).sum(axis=0), fast.totals(0).sum(axis=0), rtol=1e-12)


def test_greeks_of_contracts_add_up_to_the_totals() -> None:
    world = World(np.random.default_rng(1), 2, 120, FAST)
    b = world.book()
    for u in range(2):
        held = b.positions(u)
        by_hand = (b.greeks(u, held.key) * held.lots).sum(axis=1)
        np.testing.assert_allclose(b.totals(u).sum(axis=0), by_hand, rtol=1e-9, atol=1e-9 * world.gross_usd(u))
    np.testing.assert_allclose(b.firm(), b.totals(0) + b.totals(1), rtol=1e-15)


def test_nothing_changes_when_a_request_is_refused() -> None:
    b = book()
    before = b.firm()
    with pytest.raises(KeyError, match=r"no contract \[99\]"):
        b.fill(0, 99, 1)
    with pytest.raises(KeyError, match=r"\[99\]"):
        b.remove(0, np.array([CALL, 99]))
    with pytest.raises(ValueError, match="contract 11 is held twice"):
        b.add(three())
    with pytest.raises(ValueError, match="an underlying outside the 1"):
        b.add(_on_underlying_1())
    with pytest.raises(ValueError, match="different lengths"):
        Terms(np.array([0]), np.array([EXPIRY]), np.array([]), np.array([0.0]), np.array([1.0]))
    assert same_bits(b.firm(), before)


def _on_underlying_1() -> Positions:
    positions = three()
    positions.underlying[:] = 1
    return positions


def test_an_empty_book_is_zero() -> None:
    b = RiskBook(three().take(np.empty(0, np.intp)), terms(), np.array([100.0]), np.array([1.0]), NOW_NS)
    b.tick(0, 101.0)
    b.clock(NOW_NS + NS_PER_DAY)
    assert b.firm().shape == (CELLS, layout.GREEKS)
    assert not b.firm().any()
    assert len(b) == 0


def test_american_contracts_follow_their_underlying() -> None:
    world = World(np.random.default_rng(2), 1, 12, (layout.AMERICAN, layout.AMERICAN_FUTURE, layout.INVERSE_FUTURE))
    b = world.book()
    for step in (1.01, 0.97):
        world.price[0] *= step
        b.tick(0, world.price[0])
    expected, scale = world.evaluated_totals(0)
    assert (np.abs(b.totals(0) - expected) <= 1e-9 * (scale + 0.01 * world.gross_usd(0))).all()


def test_act365_counts_to_the_nanosecond() -> None:
    assert act365(np.array([NOW_NS + NS_PER_YEAR, NOW_NS - 1]), NOW_NS).tolist() == [1.0, -1.0 / NS_PER_YEAR]
