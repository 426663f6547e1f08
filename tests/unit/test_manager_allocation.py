"""Allocation in whole lots by largest remainder."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from manager.allocation import most_moved, shares_by_price, split

agents = st.dictionaries(
    st.sampled_from(["gamma-0", "gamma-1", "vega-0", "cross_asset-0"]), st.floats(-5.0, 1e6), max_size=4
)


@given(st.integers(1, 500), agents)
def test_adds_up_and_keeps_the_quota(quantity: int, share: dict[str, float]) -> None:
    out = dict(split(quantity, share, "gamma-9"))
    assert sum(out.values()) == quantity and all(n > 0 for n in out.values())
    total = sum(s for s in share.values() if s > 0.0)
    for agent, n in out.items():
        if total > 0.0:
            assert abs(n - quantity * share[agent] / total) < 1.0 + 1e-6


def test_by_hand() -> None:
    """10 lots over 1 : 1 : 1 are 4, 3, 3: the odd lot goes to the first name."""
    assert split(10, {"b": 1.0, "a": 1.0, "c": 1.0}, "") == (("a", 4), ("b", 3), ("c", 3))
    assert split(7, {}, "x") == (("x", 7),)
    assert split(7, {"a": -1.0, "b": np.inf}, "x") == (("x", 7),)


def test_who_gains_pays() -> None:
    """Above its interval (price > 0): a sale helps; agents whom the sale hurts take no part."""
    price, s = np.array([2.0, -1.0, 0.5]), np.array([10.0, 4.0, 0.0])
    assert shares_by_price(["a", "b", "c"], price, s, -1) == {"a": 20.0, "b": 0.0, "c": 0.0}
    assert shares_by_price(["a", "b", "a"], price, s, 1) == {"a": 0.0, "b": 4.0}
    assert most_moved(["a", "b"], np.array([1.0, -5.0]), np.array([1.0, 100.0])) == "a"
    assert most_moved([], np.array([]), np.array([])) == ""
