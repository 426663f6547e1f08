import itertools

import numpy as np
import pytest

from common.risk.ladder import BUCKET, CONTRACT, FIRM, UNDERLYING, LimitLine, build_ladder, worst_subset


def small():
    """Two contracts of A in one bucket, one in another, one of B; two figures a lot."""
    return build_ladder(
        ["a1", "a2", "a3", "b1"],
        np.array([0, 0, 0, 1]),
        ("A", "B"),
        np.array([1, 1, 2, 1]),
        ("near", "mid", "far"),
        np.array([[1.0, 2.0, 4.0, 8.0], [10.0, 20.0, np.nan, 80.0]]),
        np.array([3, -1, 2, 5]),
        np.array([3, -1, 2, 0]),
    )


def test_rungs_stand_in_order_and_add_up():
    lines = small().walk()
    assert [(r.level, r.name) for r in lines] == [
        (FIRM, "all"),
        (UNDERLYING, "A"),
        (BUCKET, "mid"),
        (CONTRACT, "a1"),
        (CONTRACT, "a2"),
        (BUCKET, "far"),
        (CONTRACT, "a3"),
        (UNDERLYING, "B"),
        (BUCKET, "mid"),
        (CONTRACT, "b1"),
    ]
    at = {(r.level, r.name): r for r in lines[:7]}
    assert at[BUCKET, "mid"].before.tolist() == [1.0, 10.0]
    assert at[UNDERLYING, "A"].before.tolist() == [1.0, 10.0]
    assert lines[0].before.tolist() == [41.0, 410.0]
    assert lines[0].after.tolist() == [1.0, 10.0]
    assert (lines[3].lots_before, lines[9].lots_after) == (3, 0)


def test_what_has_no_price_is_counted_and_left_out():
    lines = small().walk()
    assert [r.unpriced for r in lines if r.level < CONTRACT] == [1, 1, 0, 1, 0, 0]
    lost = next(r for r in lines if r.name == "a3")
    assert np.isnan(lost.before[1]) and lost.unpriced == 1


def test_the_walk_ends_where_it_is_told():
    assert {r.level for r in small().walk(UNDERLYING)} == {FIRM, UNDERLYING}
    assert [r.name for r in small().walk(FIRM)] == ["all"]


def test_the_worst_subset_by_hand():
    low, high, worst, orders = worst_subset(10.0, np.array([5.0, -30.0, 2.0]))
    assert (low, high, worst, orders) == (-20.0, 17.0, -20.0, (1,))
    assert worst_subset(10.0, np.array([])) == (10.0, 10.0, 10.0, ())


def test_the_worst_subset_is_that_of_all_subsets():
    rng = np.random.default_rng(2)
    for _ in range(50):
        before, adds = rng.normal() * 5, rng.normal(size=6) * rng.integers(0, 2, 6)
        every = [before + adds[list(s)].sum() for k in range(7) for s in itertools.combinations(range(6), k)]
        low, high, worst, orders = worst_subset(before, adds)
        assert (low, high) == (pytest.approx(min(every)), pytest.approx(max(every)))
        assert abs(worst) == pytest.approx(max(abs(e) for e in every))
        assert before + adds[list(orders)].sum() == pytest.approx(worst)


@pytest.mark.parametrize(("worst", "hard", "used"), [(-5.0, 10.0, 0.5), (0.0, 0.0, 0.0), (1.0, 0.0, float("inf"))])
def test_the_use_of_a_limit(worst, hard, used):
    assert LimitLine("delta:A", "USD delta", 0.0, 0.0, 0.0, 0.0, worst, (), hard, hard).used == used
