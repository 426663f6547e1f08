"""Limits on several factors count a silent agent's too: that nobody speaks for a risk takes none of it away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from common import factors
from common.limits import FactorLimit
from common.limits_scopes import RiskLimit, SumLimit
from common.units import NS_PER_S
from common.universe import Book
from lab.audit_limits import limit_violations
from manager import events as ev
from manager.budgets_scopes import risk_of
from manager.budgets_view import limits_view
from tests.desks_world import Desks
from tests.manager_world import NOW_NS, OWNER, Desk, assign, limits, universe
from tests.roll_world import with_next_quarter, with_rolls
from tests.steering_world import by_hand, send

DELTAS = {"deltas": SumLimit(factors=["delta:*"], hard_usd=2e6)}
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
    """Lots of NDX come in for an underlying that nobody speaks for; one that nobody has stated moves nothing we know of."""
    desk = silenced(how)
    table, at = desk.state.fold.table, desk.state.fold.table.index[NDX]
    stated, other = 1, int(desk.world.rows_of("NDX")[3])
    table.fill(stated, 7)
    table.fill(other, 1)
    assert table.told[at] == pytest.approx(1.9e6 + 7 * table.sensitivity[at, stated]) and np.isnan(table.exposure[at])


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


def test_a_desk_whose_agent_is_silent_does_not_stop_the_others_of_its_entity() -> None:
    """Desk b says nothing of its delta but speaks of its vega: b may not trade the future, a may."""
    keys, vega = ("gamma/SPX", "vega/SPX/8-30d"), factors.vega("SPX", "8-30d")
    wide = RiskLimit(soft_usd=1e12, hard_usd=1e12)
    desks = Desks(entities={"a": "LLC", "b": "LLC"}, keys=keys, limits=limits(factor={}, risk=wide))
    says(desks, "a", -3e6, 1e5)
    for name in "ab":
        agent = desks.owner[factors.at_desk(keys[1], name)]
        no_wish = {"desk": (name,), "desk_alone_lots": np.zeros((1, 1))}
        desks.propose(agent, {factors.at_desk(vega, name): 0.0}, 1e9, menu=[0], **no_wish)
    desks.send(ev.Decide(desks.now_ns, 0))
    assert [o.signed_lots for o in desks.orders] == [22]
    assert {agent for o in desks.orders for agent, _ in o.allocation} == {"gamma-0@a"}


@pytest.mark.parametrize("keys_move", ["never", "before the settlement", "after it"])
def test_a_settlement_told_late_is_counted_once_whoever_owns_the_factor(keys_move: str) -> None:
    """The agent has spoken since the expiry, so its word is without the option already."""
    world = universe()
    option = int(world.rows_of("NDX")[1])
    ends = np.where(world.expiry_ns == world.expiry_ns[option], NOW_NS + 300 * NS_PER_S, world.expiry_ns)
    held = Book("book", ("a",), np.array([option], np.uint32), np.array([20], np.int64))
    deltas = {"deltas": SumLimit(factors=["delta:*"], hard_usd=1.2e6)}
    desk = Desk(world=replace(world, expiry_ns=ends), book=held, limits=limits(factor={}, sum=deltas))
    said = {NDX: 1.9e6, factors.gamma("NDX"): 0.0}
    desk.propose("gamma-1", said, 3e6, menu=[0, 1, option])
    desk.feed(301.0)
    desk.propose("gamma-1", said, 3e6, menu=[0, 1])
    move = ev.CommandArrived(0, assign({**OWNER, "gamma/NDX": "gamma-0"}, "cover"))
    if keys_move == "before the settlement":
        desk.send(move)
    desk.settle(option, 6900.0)
    if keys_move == "after it":
        desk.send(move)
    speaks(desk, "gamma-0", SPX, -1e6, 1e5)
    desk.decide()
    assert worst_sum(desk) <= 1.2e6


def test_by_hand_nothing_goes_whose_effect_on_a_limited_sum_nobody_has_stated() -> None:
    desk = Desk(limits=limits(factor={}, sum={"deltas": SumLimit(factors=["delta:*"], hard_usd=1.2e6)}))
    speaks(desk, "gamma-0", SPX, 1e6, 5e6)
    speaks(desk, "gamma-1", NDX, 0.0, 5e6)
    refused = by_hand(desk, "h1", "BUY", 500, int(desk.world.rows_of("SPX")[1]))
    assert not refused.accepted and "delta:SPX is not known now" in refused.text
    assert by_hand(desk, "h2", "BUY", 1, 0).accepted and not by_hand(desk, "h3", "BUY", 5, 0).accepted


@pytest.mark.parametrize("keys_move", [False, True])
def test_by_hand_a_firms_limit_on_one_factor_counts_every_desk(keys_move: bool) -> None:
    firm = {SPX: FactorLimit(soft_usd=1.7e6, hard_usd=1.7e6)}
    desks = Desks(entities={"a": "LLC", "b": "Ltd"}, limits=limits(factor=firm))
    says(desks, "b", 1.5e6, 3e6)
    says(desks, "a", 0.0, 3e6)
    if keys_move:
        moved = {key: "gamma-9" if key.endswith("@b") else agent for key, agent in desks.owner.items()}
        desks.send(ev.CommandArrived(0, assign(moved, "cover")))
        says(desks, "a", 0.0, 3e6)
    future = {"instrument": desks.world.instrument_id[0], "limit": None, "desk": "a", "side": "BUY"}
    assert not send(desks, "hedge", "h1", lots=2, **future).accepted, "0.27 M and 1.5 M are more than 1.7 M"
    assert send(desks, "hedge", "h2", lots=1, **future).accepted


def test_a_roll_waits_until_somebody_says_where_its_delta_stands() -> None:
    """Its legs alone, beside 1.4 M, would reach 4.1 M against 2 M; with the agent's word four lots go at a time."""
    world = with_rolls(with_next_quarter(universe()), NOW_NS + 60 * NS_PER_S)
    old, new = 0, len(world) - 2
    book = Book("book", ("a",), np.array([old], np.uint32), np.array([20], np.int64))
    for scopes in ({"factor": {SPX: FactorLimit(soft_usd=2e6, hard_usd=2e6)}}, {"sum": DELTAS, "factor": {}}):
        for how, most in zip(HOW, (4, 0, 0), strict=True):
            desk = Desk(world=world, book=book, limits=limits(**scopes))
            desk.propose("gamma-0", {SPX: 1.4e6, factors.gamma("SPX"): 0.0}, 5e6, menu=[old, new])
            if how == "its keys move":
                desk.send(ev.CommandArrived(0, assign({**OWNER, "gamma/SPX": "gamma-1"}, "cover")))
            desk.feed(601.0 if how == "what it said expires" else 61.0)
            desk.decide()
            assert max((o.quantity_lots for o in desk.orders), default=0) == most, (how, scopes)


@pytest.mark.parametrize("expired", [False, True])
def test_a_hard_limit_of_the_common_factor_holds_where_its_agent_is_silent(expired: bool) -> None:
    desk = Desk(limits=limits(factor={factors.COMMON: FactorLimit(soft_usd=1e6, hard_usd=1e6)}))
    desk.propose("cross_asset-0", {factors.COMMON: 0.5e6}, 5e6, menu=[0, 1])
    if expired:
        desk.feed(601.0)
    speaks(desk, "gamma-0", SPX, -2e6, 1e5)
    assert 0 < sum(o.signed_lots for o in desk.decide()) <= 3, "of 135,000 USD each, and half a million is left"


@pytest.mark.parametrize("common", [False, True])
def test_the_audit_sees_a_broken_sum_beside_a_factor_that_never_stated_the_instrument(common: bool) -> None:
    desk = Desk(limits=limits(factor={}))
    if common:
        desk.propose("cross_asset-0", {factors.COMMON: 0.0}, 1e9, menu=[1])
        desk.feed(601.0)
    speaks(desk, "gamma-1", NDX, 1.9e6, 3e6)
    speaks(desk, "gamma-0", SPX, -1e6, 1e5)
    desk.decide()
    held = limits(factor={}, sum={"d": SumLimit(factors=["delta:*", factors.COMMON], hard_usd=1.2e6)})
    (found,) = limit_violations(desk.world, desk.setup.book, desk.journal, held)
    assert "could bring sum d to 1,845,000" in found


@pytest.mark.parametrize("said", ["nothing", "of SPX alone", "of both"])
@pytest.mark.parametrize("hard", [None, 5e4])
def test_a_factor_counts_as_unknown_until_its_agent_has_spoken_for_that_underlying(
    said: str, hard: float | None
) -> None:
    """The vega agent sees SPX and not NDX: it is there, and yet nobody says where the vega of NDX stands."""
    held = {} if hard is None else {"vega:NDX/*": FactorLimit(soft_usd=hard, hard_usd=hard)}
    desk = Desk(limits=limits(factor=held))
    options = [int(j) for j in desk.world.rows_of("NDX")[1:5]]
    named = {"nothing": (), "of SPX alone": ("SPX",), "of both": ("SPX", "NDX")}[said]
    if named:
        stands = {factors.vega(symbol, bucket): 0.0 for symbol in named for bucket in factors.BUCKET_NAMES}
        desk.propose("vega-0", stands, 1e6, menu=[0, 1, *(options if "NDX" in named else ())])
    gamma = factors.gamma("NDX")
    desk.propose("gamma-1", {NDX: 0.0, gamma: -3e5}, {NDX: 5e7, gamma: 1e5}, menu=[1, *options])
    desk.decide()
    bought = sum(o.quantity_lots for o in desk.orders if o.instrument in options)
    assert (bought > 0) == (hard is None or said == "of both")
