"""The last look: no subset of orders breaks a scope's limit; a scope that is stopped only reduces; caps of scopes."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from common import factors
from common.limits_scopes import OrderShare, RiskLimit, SumLimit
from common.messages import Side
from common.units import CENTS_PER_USD
from common.universe import OPTION
from manager.budgets_gate import LinearGate, RiskGate, admitted, cut
from manager.budgets_scopes import held_lots, risk_of, worst_loss_usd
from manager.ticket import Draft
from manager.view import view_of
from tests.budgets_world import GRID, MARGIN, STOP, desk, rounds
from tests.manager_world import Desk, all_agents, limits
from tests.steering_world import send


def draft(instrument: int, lots: int, side: Side = Side.BUY) -> Draft:
    return Draft(0, instrument, side, lots, (("gamma-0", lots),), (100, 100), 1.0, ())


@pytest.mark.parametrize("seed", range(20))
def test_no_subset_of_what_is_admitted_raises_the_risk_above_the_limit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    f, k = 5, 6
    a = rng.normal(size=(f, f))
    c, x = a @ a.T, rng.normal(size=f) * 3.0
    per_lot, working = rng.normal(size=(k, f)), rng.normal(size=(2, f)) * 0.3
    now = float(x @ c @ x)
    room = float(rng.uniform(0.0, 1.0)) * now * (seed % 3 > 0)
    gate = RiskGate(x, c, per_lot, working, room)
    taken = []
    for order in range(k):
        lots = max((n for n in range(12) if n == 0 or gate.fits(order, n)), default=0)
        if lots:
            gate.take(order, lots)
            taken.append(per_lot[order] * lots)
    of_working = [np.array(s) for n in range(3) for s in itertools.combinations(working, n)]
    least = max(float((x + s.sum(axis=0)) @ c @ (x + s.sum(axis=0))) - now for s in of_working)
    bound = RiskGate(x, c, per_lot, working, room)._room
    assert bound >= least - 1e-9
    for n in range(len(taken) + 3):
        for subset in itertools.combinations([*taken, *working], n):
            y = x + np.sum(subset, axis=0) if subset else x
            assert float(y @ c @ y) <= now + bound + 1e-6 * now


def test_a_linear_limit_that_is_broken_has_no_room_but_lets_relief_through() -> None:
    gate = LinearGate(np.array([[2.0, 0.0], [0.0, 3.0]]), np.array([-5.0, 10.0]))
    assert not gate.fits(0, 1) and gate.fits(1, 3) and not gate.fits(1, 4)
    gate.take(1, 2)
    assert gate.fits(1, 1) and not gate.fits(1, 2)
    assert not LinearGate(np.array([[np.inf]]), np.array([1e9])).fits(0, 1)


def test_an_order_is_cut_to_what_fits_and_still_adds_up() -> None:
    d = Draft(0, 0, Side.BUY, 10, (("gamma-0", 7), ("vega-0", 3)), (1, 1), 5.0, ())
    part = cut(d, 4)
    assert part.lots == 4 and sum(n for _, n in part.agents) == 4 and part.worth == pytest.approx(2.0)
    assert cut(d, 10) is d


def test_a_limit_on_a_sum_holds_over_factors_and_underlyings() -> None:
    hard = 2e6
    both = {"all_delta": SumLimit(factors=["delta:*"], hard_usd=hard)}
    one = Desk(limits=limits(sum=both))
    all_agents(one, 0.1)
    per_lot = one.state.fold.table.sensitivity[one.state.fold.table.index["delta:SPX"], 0]
    now = 2 * 3e5
    kept = admitted(one.state, (draft(0, 400), draft(1, 400)))
    assert 0 < kept[0].lots == int((hard - now) / per_lot) and len(kept) <= 2
    assert not one.state.seen["nothing"]
    relief = admitted(one.state, (draft(0, 3, Side.SELL),))
    assert relief[0].lots == 3


def test_a_hedge_that_works_makes_no_room_before_it_has_filled() -> None:
    """A sale may still be cancelled; what is bought beside it must fit without it. A purchase that works takes its room."""
    hard = 5e7
    one = Desk(limits=limits(sum={"all_delta": SumLimit(factors=["delta:*"], hard_usd=hard)}))
    all_agents(one, 1.0)
    table = one.state.fold.table
    at, per_lot = [table.index["delta:SPX"], table.index["delta:NDX"]], table.sensitivity[table.index["delta:SPX"], 0]
    now = float(table.exposure[at].sum())
    assert 0.0 < now < hard
    orders = one.decide()
    freed = sum(-min(float(table.sensitivity[at, o.instrument].sum()) * o.signed_lots, 0.0) for o in orders)
    taken = sum(max(float(table.sensitivity[at, o.instrument].sum()) * o.signed_lots, 0.0) for o in orders)
    assert freed > per_lot and taken > per_lot, (
        "of what works some lowers the sum, some raises it, each by a lot and more"
    )
    (kept,) = admitted(one.state, (draft(0, 10_000),))
    assert kept.lots == int((hard - now - taken) / per_lot)


def test_planted_without_the_gate_the_sum_would_be_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    both = {"all_delta": SumLimit(factors=["delta:*"], hard_usd=1e5)}

    def after(one: Desk) -> float:
        all_agents(one, 1.0)
        orders = one.decide()
        table = one.state.fold.table
        at = [table.index["delta:SPX"], table.index["delta:NDX"]]
        start = abs(table.exposure[at].sum())
        worst = [
            abs(table.exposure[at].sum() + table.sensitivity[at, o.instrument].sum() * o.signed_lots) for o in orders
        ]
        return max(worst, default=start) - max(start, 1e5)

    assert after(Desk(limits=limits(sum=both))) <= 1.0
    monkeypatch.setattr("manager.ticket.admitted", lambda state, drafts: tuple(drafts))
    monkeypatch.setattr("manager.problem.scope_rows", lambda s, v, m: (np.zeros((0, 2 * len(m.index))), np.zeros(0)))
    assert after(Desk(limits=limits(sum=both))) > 1.0


def test_beyond_the_hard_risk_limit_orders_only_reduce() -> None:
    one = desk(risk=RiskLimit(soft_usd=1.0, hard_usd=2.0))
    all_agents(one, 1.0)
    view = view_of(one.state, one.now_ns)
    before = risk_of(one.state, "firm", view.rows, view.exposure)
    orders = one.decide()
    assert orders, "the QP's hedges reduce, so some must pass"
    table = one.state.fold.table
    for n in range(1, min(len(orders), 4) + 1):
        for subset in itertools.combinations(orders, n):
            move = sum(table.sensitivity[view.rows, o.instrument] * o.signed_lots for o in subset)
            assert risk_of(one.state, "firm", view.rows, view.exposure + move) <= before * (1 + 1e-9)


def test_a_drawdown_stops_the_firm_for_the_day_and_says_so() -> None:
    one = desk(drawdown=STOP)
    all_agents(one, 1.0)
    for order in one.decide():
        one.fill(order)
    lots = one.state.fold.ledger.traded
    value = float(lots @ (np.nan_to_num(one.state.market.mid()) * one.world.multiplier_usd))
    one.feed(1.0)
    one.decide()
    assert rounds(one)[-1].reduce_only == ("",)
    # The market goes against what is held until 50,000 USD are lost.
    lost = 0.0
    for k in range(1, 40):
        one.feed(31.0, shift=-0.01 * k * np.sign(value))
        one.decide()
        lost = float(rounds(one)[-1].high_usd[0] - rounds(one)[-1].pnl_usd[0])
        if rounds(one)[-1].reduce_only[0]:
            break
    last = rounds(one)[-1]
    assert last.reduce_only[0].startswith("drawdown") and lost >= STOP.stop_usd
    assert any("fell" in why for why in last.reasons)
    one.feed(901.0)
    one.decide()
    assert rounds(one)[-1].reduce_only[0], "it stays stopped although prices came back"
    one.now_ns += 86_400 * 10**9
    one.feed(1.0)
    one.decide()
    assert rounds(one)[-1].reduce_only == ("",)


@pytest.mark.parametrize(("stop_usd", "stays"), [(STOP.stop_usd - 1.0, True), (STOP.stop_usd * 1e3, False)])
def test_only_a_wider_stop_lifts_a_drawdown(stop_usd: float, stays: bool) -> None:
    """Who tightens the stop, which one person may, does not go around the second person that a wider one needs."""
    one = desk(drawdown=STOP)
    all_agents(one, 1.0)
    for order in one.decide():
        one.fill(order)
    value = float(one.state.fold.ledger.traded @ (np.nan_to_num(one.state.market.mid()) * one.world.multiplier_usd))
    one.feed(1.0)
    one.decide()
    for k in range(1, 40):
        one.feed(31.0, shift=-0.01 * k * np.sign(value))
        one.decide()
        if rounds(one)[-1].reduce_only[0]:
            break
    one.feed(901.0)  # prices are back: the drawdown is over, the stop holds to the end of the day
    one.decide()
    assert rounds(one)[-1].reduce_only[0].startswith("drawdown")
    ack = send(one, "limits.set", "s1", path="drawdown.stop_usd", value=stop_usd)
    assert ack is not None and ack.accepted
    one.feed(901.0)
    one.decide()
    last = rounds(one)[-1]
    assert last.stop_usd[0] == stop_usd and bool(last.reduce_only[0]) is stays


@pytest.mark.parametrize("scope", ["firm", "underlying"])
def test_a_contract_without_cells_does_nothing_to_a_margin_that_is_not_its_own(scope: str) -> None:
    """Unknown, so infinite, times no lots is nothing, computed without a warning; to its own scope it may do anything."""
    if scope == "underlying":
        one = desk(margin_by_underlying={"SPX": MARGIN}, margin_grid=GRID)
    else:
        one = desk(margin=MARGIN, margin_grid=GRID)
    all_agents(one, 0.1)
    one.decide()
    cells = one.state.margin
    assert cells is not None
    one.state.margin = replace(cells, index=cells.index[-1:], pnl_usd=cells.pnl_usd[-1:])
    kept = admitted(one.state, (draft(0, 1), draft(1, 1)))
    assert [d.instrument for d in kept] == ([1] if scope == "underlying" else [])


def test_the_margin_estimate_is_a_limit_on_the_worst_loss() -> None:
    one = desk(margin=MARGIN, margin_grid=GRID)
    all_agents(one, 1.0)
    for order in one.decide():
        one.fill(order)
    assert one.state.margin is not None and one.orders
    assert worst_loss_usd(one.state.margin, held_lots(one.state, "firm")) <= MARGIN.worst_loss_usd
    kept = admitted(one.state, (draft(0, 100_000),))
    lots = held_lots(one.state, "firm").copy()
    lots[0] += kept[0].lots if kept else 0
    worst = worst_loss_usd(one.state.margin, lots)
    assert worst <= MARGIN.worst_loss_usd * (1 + 1e-9)
    lots[0] += 1
    assert worst_loss_usd(one.state.margin, lots) > MARGIN.worst_loss_usd


def test_a_contract_without_cells_is_not_traded_under_a_margin_limit() -> None:
    one = desk(margin=MARGIN, margin_grid=GRID)
    all_agents(one, 0.1)
    one.decide()
    cells = one.state.margin
    assert cells is not None
    one.state.margin = replace(cells, index=cells.index[1:], pnl_usd=cells.pnl_usd[1:])
    assert admitted(one.state, (draft(int(cells.index[0]), 1),)) == ()


@pytest.mark.parametrize("scope", ["kind", "underlying"])
def test_orders_that_may_serve_a_scope_are_held_to_its_caps(scope: str) -> None:
    caps = {"vega": OrderShare(max_lots_option=3)} if scope == "kind" else {"SPX": OrderShare(max_lots_option=3)}
    one = Desk(limits=limits(**{f"order_by_{scope}": caps}))
    free = Desk()
    for d in (one, free):
        all_agents(d, 1.0)
        d.decide()

    def most(d: Desk) -> int:
        mine = [o for o in d.orders if d.world.kind[o.instrument] == OPTION]
        if scope == "underlying":
            mine = [o for o in mine if d.world.underlying[o.instrument] == 0]
        return max((o.quantity_lots for o in mine), default=0)

    assert most(one) <= 3 < most(free)


def test_a_notional_cap_of_a_scope_bounds_each_order() -> None:
    caps = {"gamma": OrderShare(max_notional_usd=1e6)}
    one = Desk(limits=limits(order_by_kind=caps))
    all_agents(one, 1.0)
    one.decide()
    assert one.orders
    for o in one.orders:
        value = o.quantity_lots * o.arrival_ask_ticks * float(one.state.fold.ledger.tick_cents[o.instrument])
        assert value <= 1e6 * CENTS_PER_USD


def test_names_of_factors_in_scopes() -> None:
    one = desk()
    all_agents(one, 1.0)
    from manager.budgets_scopes import in_scope

    rows = view_of(one.state, one.now_ns).rows
    names = np.array([one.state.fold.table.names[i] for i in rows])
    assert set(names[in_scope(one.state, "kind:cross_asset", rows)]) == {factors.COMMON}
    assert all("SPX" in n for n in names[in_scope(one.state, "underlying:SPX", rows)])
    assert in_scope(one.state, "firm", rows).all() and not in_scope(one.state, "desk:x", rows).any()
