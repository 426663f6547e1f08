"""Allocation in whole lots by largest remainder."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common import factors
from common.universe import OPTION
from manager.allocation import most_moved, shares_by_price, split
from manager.menu import menu_of
from manager.ticket import priced_drafts
from manager.view import view_of
from tests.manager_world import Desk, bucket_of

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


@pytest.mark.parametrize(("narrow", "takes"), [(factors.delta("SPX"), "gamma-0"), ("vega", "vega-0")])
def test_a_lot_that_is_worth_something_to_nobody_is_for_whose_interval_it_moves_most(narrow: str, takes: str) -> None:
    """As rounding adds one: at prices of nought the same lot of the same option, with one interval or the other the narrower."""
    desk = Desk()
    option = int(np.flatnonzero(desk.world.kind == OPTION)[0])
    vega = factors.vega("SPX", bucket_of(desk.world, option))
    width = {factors.delta("SPX"): 1e9, vega: 1e9} | {vega if narrow == "vega" else narrow: 1e3}
    desk.propose("gamma-0", {factors.delta("SPX"): 0.0}, width)
    desk.propose("vega-0", {vega: 0.0}, width)
    view = view_of(desk.state, desk.now_ns)
    menu = menu_of(desk.state, view.rows, view.working, desk.now_ns, need_all=False)
    trade = np.where(menu.index == option, 2, 0)
    nothing = np.zeros(len(view.rows))
    (draft,) = priced_drafts(desk.state, view, menu, trade, nothing, nothing)
    assert draft.agents == ((takes, 2),)
