import math

import numpy as np
import pytest

from common import factors as names
from common.kernels import layout
from common.risk.buckets import CELL_NAMES
from common.risk.factors import factors_of
from common.risk.scenarios import Rules, Shocks, pnl_by_underlying
from common.risk.search import directions, root_of, smallest_moves
from common.risk.stress import Reach, break_limits, break_loss, exposures
from tests.risk_books import holdings

COVARIANCE = np.array([[0.0001, -0.0004], [-0.0004, 0.0036]])


def all_factors(book):
    n = len(book)
    return factors_of(book.underlying, book.symbols, np.full(n, 2), CELL_NAMES, np.ones(len(book.symbols)))


def test_a_linear_limit_has_the_closed_form():
    # Breaking a'x = c needs c / sqrt(a'Σa) standard deviations, in the direction Σa.
    a = np.array([2.0, -0.5])
    found = smallest_moves(lambda x: (x @ a)[:, None] / 0.06, root_of(COVARIANCE))
    sigma = math.sqrt(a @ COVARIANCE @ a)
    assert found.sigmas[0] == pytest.approx(0.06 / sigma, rel=1e-6)
    assert found.move[0] == pytest.approx(COVARIANCE @ a * 0.06 / sigma**2, rel=1e-3)


@pytest.mark.parametrize("rank", [1, 2, 3, 5])
def test_a_linear_limit_in_many_dimensions(rank):
    rng = np.random.default_rng(rank)
    a, half = rng.normal(size=rank), rng.normal(size=(rank, rank))
    covariance = half @ half.T
    sigma = math.sqrt(a @ covariance @ a)
    found = smallest_moves(lambda x: (x @ a)[:, None] / (3.0 * sigma), root_of(covariance))
    assert found.sigmas[0] == pytest.approx(3.0, rel=1e-3)


def test_the_nearer_of_two_sides_is_found():
    def measure(x):
        return np.stack([np.maximum(x[:, 0] / 0.04, -x[:, 0] / 0.025)], axis=1)

    found = smallest_moves(measure, root_of(COVARIANCE))
    assert found.move[0, 0] == pytest.approx(-0.025, rel=1e-6)
    assert found.sigmas[0] == pytest.approx(2.5, rel=1e-6)


def test_none_within_reach_is_said_so_and_a_broken_limit_needs_no_move():
    found = smallest_moves(lambda x: np.stack([0.0 * x[:, 0], 1.0 + 0.0 * x[:, 0]], axis=1), root_of(COVARIANCE))
    assert math.isnan(found.sigmas[0]) and np.isnan(found.move[0]).all()
    assert found.sigmas[1] == 0.0 and found.move[1].tolist() == [0.0, 0.0]


def test_what_does_not_move_is_left_alone():
    still = np.zeros((2, 2))
    still[0, 0] = 0.01
    assert root_of(still).shape == (2, 1)
    assert root_of(np.zeros((2, 2))).shape == (2, 0)
    found = smallest_moves(lambda x: np.abs(x[:, :1]) / 0.2, root_of(still))
    assert found.sigmas[0] == pytest.approx(2.0) and found.move[0, 1] == 0.0


@pytest.mark.parametrize("bad", [np.array([[1.0, 2.0], [2.0, 1.0]]), np.array([[np.nan]])])
def test_what_is_no_covariance_is_refused(bad):
    with pytest.raises((ValueError, np.linalg.LinAlgError)):
        root_of(bad)


def test_directions_are_unit_vectors_and_repeat():
    for rank in (1, 2, 4):
        found = directions(rank, 16, 3)
        assert np.linalg.norm(found, axis=1) == pytest.approx(1.0)
        assert np.array_equal(found, directions(rank, 16, 3))


def short_straddle():
    return holdings([-100.0, -100.0, 40.0], strike=[100.0, 100.0, 90.0], tau_years=0.1, right=[1.0, -1.0, -1.0])


def brute(book, value, limit, reach=6.0):
    """Smallest |z| at which ``value`` of a fine polar grid passes a limit: radii of 0.01, a degree and a half."""
    root = root_of(COVARIANCE)
    angle = np.linspace(0.0, 2.0 * np.pi, 240, endpoint=False)
    rays = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    for radius in np.arange(0.01, reach, 0.01):
        x = radius * rays @ root.T
        if (value(book, Shocks.of(x[:, :1], x[:, 1:])) >= limit).any():
            return radius
    return math.inf


def test_the_smallest_loss_is_that_of_a_brute_force_grid():
    book = short_straddle()
    limit = 150.0
    found = break_loss(book, limit, COVARIANCE, Rules())
    expected = brute(book, lambda b, s: -pnl_by_underlying(b, s, Rules()).sum(axis=1), limit)
    assert expected - 0.0101 <= found.sigmas <= expected + 1e-6
    assert found.then == pytest.approx(-limit, rel=1e-5)
    # The move is as large as it is said to be.
    x = np.array([found.spot[0], found.vol[0]])
    assert math.sqrt(x @ np.linalg.solve(COVARIANCE, x)) == pytest.approx(found.sigmas, rel=1e-6)


@pytest.mark.parametrize(("factor", "limit"), [("delta:A", 12_000.0), ("gamma:A", 1_400.0), ("vega:A/31-60d", 26.0)])
def test_the_smallest_exposure_breach_is_that_of_a_brute_force_grid(factor, limit):
    book = short_straddle()
    every = all_factors(book)
    at = [f.name for f in every].index(factor)
    found = break_limits(book, [every[at]], np.array([limit]), COVARIANCE, Rules())[0]
    expected = brute(book, lambda b, s: np.abs(exposures(b, [every[at]], s, Rules())[:, 0]), limit)
    if math.isinf(expected):
        assert math.isnan(found.sigmas)
    else:
        assert expected - 0.0101 <= found.sigmas <= expected + 1e-6
        assert abs(found.then) == pytest.approx(limit, rel=1e-5)


def test_limits_of_one_underlying_are_searched_over_its_own_moves():
    book = holdings([-50.0, -50.0], [0, 1], ("A", "B"), tau_years=0.1)
    every = all_factors(book)
    covariance = np.zeros((4, 4))
    covariance[np.ix_([0, 2], [0, 2])] = COVARIANCE
    covariance[np.ix_([1, 3], [1, 3])] = 4.0 * COVARIANCE
    delta = [f for f in every if f.name.startswith("delta:")]
    a, b = break_limits(book, delta, np.array([4_000.0, 4_000.0]), covariance, Rules())
    assert a.spot[1] == 0.0 and b.spot[0] == 0.0
    assert a.sigmas == pytest.approx(2.0 * b.sigmas, rel=1e-4)  # the same move is half as many of B's deviations


def test_every_limit_comes_back_in_order_and_a_broken_one_at_zero():
    book = short_straddle()
    every = all_factors(book)
    hard = np.array([1.0, 1e9, 1e9, 1e9])
    told = []
    found = break_limits(book, every, hard, COVARIANCE, Rules(), Reach(farthest=1.0), told.append)
    assert [f.limit for f in found] == ["delta:A", "gamma:A", "vega:A/31-60d", names.COMMON]
    assert found[0].sigmas == 0.0 and math.isnan(found[1].sigmas) and math.isnan(found[1].then)
    assert told == sorted(told) and told[-1] == pytest.approx(1.0)


def test_factors_sum_the_rows_they_name():
    book = holdings([2.0, 3.0], [0, 1], ("A", "B"), model=layout.SPOT, base=[100.0, 50.0], right=0.0)
    every = factors_of(book.underlying, book.symbols, np.array([0, 1]), CELL_NAMES, np.array([1.0, 0.5]))
    at = {f.name: i for i, f in enumerate(every)}
    found = exposures(book, every, Shocks.of(np.array([[0.1, 0.0]]), np.zeros((1, 2))), Rules())[0]
    assert found[at["delta:A"]] == pytest.approx(220.0) and found[at["delta:B"]] == pytest.approx(150.0)
    assert found[at[names.COMMON]] == pytest.approx(220.0 + 0.5 * 150.0)
    assert found[at["gamma:A"]] == 0.0
    desk = np.arange(18.0).reshape(9, 2)
    assert every[at["delta:B"]].contributions(desk).tolist() == [0.0, 3.0]
