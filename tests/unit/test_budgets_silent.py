"""Limits on several factors count a silent agent's too: that nobody speaks for a risk takes none of it away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from common import factors
from common.limits import FactorLimit
from common.limits_scopes import RiskLimit, SumLimit
from manager import events as ev
from manager.budgets_scopes import risk_of
from manager.budgets_view import limits_view
from tests.desks_world import Desks
from tests.manager_world import OWNER, Desk, assign, limits

SPX, NDX = factors.delta("SPX"), factors.delta("NDX")


def speaks(desk: Desk, agent: str, name: str, usd: float, width: float) -> None:
    symbol = name.partition(":")[2]
    wide = {name: width, factors.gamma(symbol): 1e6}
    desk.propose(agent, {name: usd, factors.gamma(symbol): 0.0}, wide, menu=[0, 1])


def silenced(how: str, **scopes: Any) -> Desk:
    """The agent of NDX is long and has fallen silent; the one of SPX is short and would buy."""
    desk = Desk(limits=limits(factor={}, **scopes))
    speaks(desk, "gamma-1", NDX, 1.9e6, 3e6)
    if how == "its keys move":
        desk.send(ev.CommandArrived(0, assign({**OWNER, "gamma/NDX": "gamma-0"}, "cover")))
    elif how == "what it said expires":
        desk.feed(601.0)
    speaks(desk, "gamma-0", SPX, -1e6, 1e5)
    return desk


def worst_sum(desk: Desk) -> float:
    """Of the deltas, every order filled; by what was said."""
    table = desk.state.fold.table
    rows = [table.index[SPX], table.index[NDX]]
    moved = sum(float(table.sensitivity[rows, o.instrument].sum()) * o.signed_lots for o in desk.orders)
    return -1e6 + 1.9e6 + moved


HOW = ["it speaks", "its keys move", "what it said expires"]


@pytest.mark.parametrize("how", HOW)
def test_a_limit_on_a_sum_counts_what_was_last_said(how: str) -> None:
    hard = 1.2e6
    desk = silenced(how, sum={"deltas": SumLimit(factors=["delta:*"], hard_usd=hard)})
    desk.decide()
    assert worst_sum(desk) <= hard
    assert worst_sum(silenced_and_free(how)) > hard, "or the limit has nothing to hold"
    (row,) = [row for row in limits_view(desk.state, 0)["tree"] if row["what"] == "sum deltas"]
    assert row["used"] == pytest.approx(worst_sum(desk)), "people are shown what is counted"


def silenced_and_free(how: str) -> Desk:
    desk = silenced(how)
    desk.decide()
    return desk


@pytest.mark.parametrize("how", HOW)
def test_so_does_a_limit_on_risk(how: str) -> None:
    def risk(desk: Desk, moved: bool) -> float:
        table = desk.state.fold.table
        rows = np.array([table.index[SPX], table.index[NDX]])
        lots = sum(table.sensitivity[rows, o.instrument] * o.signed_lots for o in desk.orders) if moved else 0.0
        return risk_of(desk.state, "firm", rows, np.array([-1e6, 1.9e6]) + lots)

    free = silenced_and_free(how)
    hard = 1.02 * risk(free, moved=False)
    assert risk(free, moved=True) > hard, "or the limit has nothing to hold"
    desk = silenced(how, risk=RiskLimit(soft_usd=hard, hard_usd=hard))
    desk.decide()
    assert risk(desk, moved=True) <= hard


@pytest.mark.parametrize("how", HOW)
def test_what_fills_move_meanwhile_is_counted(how: str) -> None:
    """A future of NDX is bought by hand for an underlying that nobody speaks for."""
    desk = silenced(how)
    table = desk.state.fold.table
    was, per_lot = table.exposure[table.index[NDX]], table.sensitivity[table.index[NDX], 1]
    table.fill(1, 7)
    assert table.exposure[table.index[NDX]] == pytest.approx(was + 7 * per_lot) and per_lot > 0.0


def says(desks: Desks, name: str, usd: float, width: float) -> None:
    wide = {factors.at_desk(SPX, name): width, factors.at_desk(factors.gamma("SPX"), name): 1e6}
    desks.says(name, {SPX: usd, factors.gamma("SPX"): 0.0}, wide, menu=[0])


@pytest.mark.parametrize("keys_move", [False, True])
def test_a_firms_limit_on_one_factor_counts_the_desk_that_nobody_speaks_for(keys_move: bool) -> None:
    hard = 1.7e6
    firm = {SPX: FactorLimit(soft_usd=hard, hard_usd=hard)}
    desks = Desks(entities={"a": "LLC", "b": "Ltd"}, limits=limits(factor=firm))
    says(desks, "b", 1.9e6, 3e6)
    if keys_move:
        moved = {key: "gamma-9" if key.endswith("@b") else agent for key, agent in desks.owner.items()}
        desks.send(ev.CommandArrived(0, assign(moved, "cover")))
    says(desks, "a", -0.4e6, 1e5)
    desks.send(ev.Decide(desks.now_ns, 0))
    table = desks.state.fold.table
    row = table.index[factors.at_desk(SPX, "a")]
    moved_usd = sum(float(table.sensitivity[row, o.instrument]) * o.signed_lots for o in desks.orders)
    assert 0.0 < moved_usd <= hard - 1.5e6
