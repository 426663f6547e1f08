"""What limits and budgets leave of a plan: it never makes things worse, for one desk and for several.

The judge is the objective as docs and DESIGN state it, spelled out here: cost of the trade and of the risk it leaves outside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from common import factors
from common.limits import FlowBudget, FlowShare
from common.limits_scopes import RiskLimit
from common.messages import F64, Order
from manager import decide, decide_books
from manager.books_qp import FIRM, BooksProblem
from manager.config import ManagerConfig
from manager.netting import Problem
from tests.desks_world import Desks
from tests.manager_world import Desk, limits

DELTA, GAMMA, VEGA = factors.delta("SPX"), factors.gamma("SPX"), factors.vega("SPX", "31-60d")
WIDTH = {DELTA: 1e5, GAMMA: 5e6}


def first_problems(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[Any]:
    """The problems that decisions state, in order; the first of each decision bounds nothing that was left out."""
    seen: list[Any] = []
    real: Callable[..., Any] = getattr(module, name)

    def spy(p: Any, *more: Any) -> Any:
        seen.append(p)
        return real(p, *more)

    monkeypatch.setattr(module, name, spy)
    return seen


def outside(p: Problem, exposure: F64) -> F64:
    return np.where(exposure > p.upper, exposure - p.upper, np.where(exposure < p.lower, exposure - p.lower, 0.0))


def of_market(p: Problem, z: F64) -> float:
    size = np.abs(z)
    return float(p.cost @ size + 0.5 * p.impact @ size**2 + np.sum(p.root * size**1.5))


def of_risk(p: Problem, r: F64) -> float:
    return float(p.kink @ np.abs(r) + 0.5 * r @ p.risk @ r)


def worth(p: Problem, lots: F64) -> float:
    """USD that a trade of one desk gains over none."""
    after = of_market(p, lots) + of_risk(p, outside(p, p.exposure + p.sensitivity @ lots))
    return of_risk(p, outside(p, p.exposure)) - after


def worth_books(p: BooksProblem, lots: F64) -> float:
    """The same for (desks, m); a factor of the firm is moved by the sum."""
    q = p.shared
    moved = np.array([q.sensitivity[i] @ (lots.sum(axis=0) if b == FIRM else lots[b]) for i, b in enumerate(p.book)])
    crossing = float(p.crossing_cost @ np.abs(lots).sum(axis=0))
    after = of_market(q, lots.sum(axis=0)) + crossing + of_risk(q, outside(q, q.exposure + moved))
    return of_risk(q, outside(q, q.exposure)) - after


def one_desk(**more: Any) -> Desk:
    """Delta and gamma inside, vega far out, everybody's menu everything."""
    desk = Desk(**more)
    says(desk, 0.0, 0.0, -20_000.0)
    return desk


def says(desk: Desk, delta: float, gamma: float, vega: float) -> None:
    everything = range(len(desk.world))
    options = [j for j in everything if desk.world.kind[j] == 1 and desk.world.underlying[j] == 0]
    desk.propose("gamma-0", {DELTA: delta, GAMMA: gamma}, WIDTH, menu=everything)
    desk.propose("vega-0", {VEGA: vega}, {VEGA: 3000.0}, menu=options)


def exposure(desk: Desk, name: str) -> float:
    table = desk.state.fold.table
    return float(table.exposure[table.index[name]])


def test_the_hedge_of_options_that_nobody_may_pay_for_stays_at_home() -> None:
    desk = one_desk(limits=limits(flow_by_kind={"vega": FlowShare(cost_usd=10.0)}))
    for _ in range(4):
        for order in desk.decide():
            desk.fill(order)
        assert abs(exposure(desk, DELTA)) <= WIDTH[DELTA]
        desk.feed(5)
        says(desk, exposure(desk, DELTA), exposure(desk, GAMMA), exposure(desk, VEGA))
    assert desk.state.fold.last_cycle is not None, "what was planned and left out is in the record"
    assert desk.state.seen["orders left out: flow budget"] > 0


def test_what_waits_is_not_hedged_before_it_comes() -> None:
    desk = one_desk(config=ManagerConfig(patience_s=600.0))
    orders = desk.decide()
    assert any(desk.world.kind[o.instrument] == 1 for o in orders) and len(orders) > 1
    assert abs(exposure_after(desk, DELTA)) <= WIDTH[DELTA]


def exposure_after(desk: Desk, name: str) -> float:
    cycle = desk.state.fold.last_cycle
    assert cycle is not None
    return float(cycle.exposure_after[cycle.factor.index(name)])


def test_no_order_leaves_where_none_is_left_in_the_budget() -> None:
    desk = one_desk(limits=limits(flow=FlowBudget(cost_usd=1e7, notional_usd=1e12, orders=0)))
    assert desk.decide() == []
    assert desk.state.seen["no-trade: no whole lot pays"] == 1, "found without a solve"


@pytest.mark.parametrize("seed", range(40))
def test_what_is_left_of_a_plan_gains(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problems, r = first_problems(monkeypatch, decide, "decide_lots"), np.random.default_rng(seed)
    flow = FlowBudget(
        cost_usd=1e7,
        notional_usd=1e12,
        orders=int(r.choice([1, 2, 3, 100])),
        emergency_cost_usd=float(r.choice([0, 1e6])),
    )
    more: dict[str, object] = {"flow_by_kind": {"vega": FlowShare(cost_usd=float(r.choice([5.0, 60.0, 1e5])))}}
    if r.random() < 0.5:
        more["risk_by_kind"] = {"vega": RiskLimit(soft_usd=1e3, hard_usd=float(10 ** r.uniform(3.5, 6)))}
    desk = Desk(limits=limits(flow=flow, **more), config=ManagerConfig(patience_s=float(r.choice([0.0, 600.0]))))
    says(desk, float(r.normal() * 2e6), float(r.normal() * 1e7), float(r.normal() * 2e4))
    for _ in range(3):
        problems.clear()
        orders = desk.decide()
        if orders:
            lots, cycle = np.zeros(len(desk.world)), desk.state.fold.last_cycle
            assert cycle is not None
            for o in orders:
                lots[o.instrument] = o.signed_lots
            assert worth(problems[0], lots[cycle.menu]) > 0.0
        for o in orders:
            desk.fill(o)
        desk.feed(5)
        says(desk, exposure(desk, DELTA), exposure(desk, GAMMA), exposure(desk, VEGA))


@pytest.mark.parametrize("seed", range(40))
def test_what_is_left_of_a_plan_of_several_desks_gains(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problems, r = first_problems(monkeypatch, decide_books, "decide_books_lots"), np.random.default_rng(seed)
    flow = FlowBudget(cost_usd=float(r.choice([5.0, 300.0, 1e7])), notional_usd=1e12, orders=int(r.choice([1, 2, 100])))
    share = {"a": FlowShare(cost_usd=float(min(flow.cost_usd, r.choice([1.0, 100.0]))))}
    desks = Desks(
        entities={"a": "LLC", "b": "LLC"},
        limits=limits(flow=flow, **({"flow_by_desk": share} if r.random() < 0.5 else {})),
        config=ManagerConfig(patience_s=float(r.choice([0.0, 600.0]))),
    )
    options = r.choice(desks.world.rows_of("SPX")[1:], 5, replace=False)
    menu = sorted({0, *(int(j) for j in options)})
    for name in "ab":
        width = {factors.at_desk(DELTA, name): 2e5, factors.at_desk(GAMMA, name): 4e5}
        desks.says(name, {DELTA: float(r.normal() * 3e6), GAMMA: float(r.normal() * 3e6)}, width, menu=menu)
    orders = desks.decide()
    cycle = desks.cycle()
    if not orders and (cycle is None or not cycle.crossings):
        return
    names = desks.state.fold.ledger.desks
    lots = done(desks.world, names, orders, cycle.crossings)
    assert worth_books(problems[0], lots[:, cycle.menu]) > 0.0


def done(world: Any, desks: tuple[str, ...], orders: list[Order], crossings: Any) -> F64:
    """What each desk trades (desks, n): its part of the orders and its crossings."""
    lots = np.zeros((len(desks), len(world)))
    for o in orders:
        for agent, n in o.allocation:
            lots[desks.index(factors.desk_of(agent)), o.instrument] += n
    for c in crossings:
        lots[desks.index(c.buyer), c.instrument] += c.lots
        lots[desks.index(c.seller), c.instrument] -= c.lots
    return lots
