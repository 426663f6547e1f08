"""When budgets are divided, what a round gives, who hears of it, and that the record gives the same state back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from common.messages import BudgetUpdate
from common.units import NS_PER_DAY
from manager import events as ev
from manager.budgets_config import BudgetsConfig
from manager.budgets_round import hold
from manager.budgets_scopes import covariance_of
from manager.budgets_triggers import reasons
from manager.config import ManagerConfig
from manager.exposures import limit_columns
from manager.fold import apply
from manager.hash import state_hash
from manager.step import start
from tests.budgets_world import RISK, busy, desk, rounds
from tests.manager_world import Desk, all_agents, assign, limits
from tests.unit.test_manager_control import command


def test_without_a_risk_budget_nothing_is_divided() -> None:
    assert not rounds(busy(Desk(), (1.0, -0.5)))


def test_the_budgets_fit_the_firms_and_no_factor_gets_more_than_people_allow() -> None:
    one = busy(desk(), (1.0, -0.5, 0.7))
    found = [r for r in rounds(one) if r.factor]
    assert found
    for r in found:
        at = np.array([one.state.fold.table.index[n] for n in r.factor])
        people, _ = limit_columns(one.limits, r.factor)
        assert (r.soft_limit <= people).all() and r.share.sum() == pytest.approx(1.0)
        c = np.abs(covariance_of(one.state, at))
        assert np.sqrt(r.soft_limit @ c @ r.soft_limit) <= RISK.soft_usd * 1.001


def test_what_works_takes_no_budget_from_anybody() -> None:
    """A venue that does not answer for a while: a hundred times as much works as the firm's budget of risk allows."""
    one = desk()
    all_agents(one, 3.0)
    one.decide()
    one.feed(60.0)
    all_agents(one, 3.0)
    fold = one.state.fold
    fold.last_solved = None  # nobody wants more than its part
    calm, _ = hold(one.state, ("test",))
    life = next(iter(fold.orders.open.values()))
    fold.orders.open["x"] = replace(life, order=replace(life.order, client_order_id="x", quantity_lots=100_000))
    c = np.abs(covariance_of(one.state, np.array([fold.table.index[n] for n in calm.factor])))
    busy_round, _ = hold(one.state, ("test",))
    assert busy_round.factor == calm.factor and (busy_round.exposure != calm.exposure).any()
    assert busy_round.soft_limit == pytest.approx(calm.soft_limit, rel=1e-9)
    assert np.sqrt(busy_round.soft_limit @ c @ busy_round.soft_limit) <= RISK.soft_usd * 1.001


def test_a_budget_that_was_nothing_comes_back() -> None:
    """Half the way as a ratio would leave it at nothing for ever."""
    one = busy(desk(), (1.0,))
    fold = one.state.fold
    expected, _ = hold(one.state, ("test",))
    fold.divided[:] = 0.0
    found, _ = hold(one.state, ("test",))
    assert found.factor == expected.factor and found.published
    assert (found.soft_limit >= 0.5 * expected.soft_limit).all()


def test_agents_hear_of_new_budgets_and_the_manager_clips_to_them() -> None:
    one = desk()
    all_agents(one, 1.0)
    one.decide()
    r = rounds(one)[-1]
    published = [i.update for i in one.out if isinstance(i, ev.Publish) and isinstance(i.update, BudgetUpdate)][-1]
    soft = dict(zip(published.factor, published.soft_limit, strict=True))
    for name, budget in zip(r.factor, r.soft_limit, strict=True):
        if name in soft:
            assert soft[name] == pytest.approx(budget)
    assert published.header.cause_id == f"round {r.number}" and r.published


def test_the_timer_the_market_the_data_and_an_agent_each_call_for_a_round() -> None:
    one = busy(desk(), (1.0,))
    at = len(rounds(one))
    one.feed(901.0)
    one.decide()
    assert "timer" in rounds(one)[-1].reasons and len(rounds(one)) > at
    one.feed(60.0, shift=0.02)
    one.decide()
    assert any("moved" in why for why in rounds(one)[-1].reasons)
    all_agents(one, 0.5)
    one.decide()
    one.feed(60.0)
    one.decide()
    one.send(ev.CommandArrived(0, assign({k: a for k, a in one.owner.items() if a != "vega-0"}, "assign-2")))
    one.feed(60.0)
    one.decide()
    assert any("nobody speaks for vega" in why for why in rounds(one)[-1].reasons)


def test_stale_data_call_for_a_round() -> None:
    one = busy(desk(), (1.0,))
    for _ in range(4):
        one.now_ns += 40 * 10**9
        n = one.sequence["SPX"] = one.sequence["SPX"] + 1
        from tests.manager_world import quotes

        one.send(ev.MarketNews(quotes(one.world, "SPX", n, one.now_ns)))
        one.decide()
    assert any("NDX went stale" in why for r in rounds(one) for why in r.reasons)


def test_a_new_day_new_limits_and_a_takeover_wait_for_nobody() -> None:
    one = busy(desk(), (1.0,))
    one.send(command("limits.set", "l1", path="risk.soft_usd", value=100_000))
    one.decide()
    assert rounds(one)[-1].reasons == ("limits version 2",) and rounds(one)[-1].limits_version == 2
    one.take_over(2)
    one.decide()
    assert rounds(one)[-1].reasons == ("takeover",)
    one.now_ns = (one.now_ns // NS_PER_DAY + 1) * NS_PER_DAY
    one.feed(1.0)
    one.decide()
    assert "new day" in rounds(one)[-1].reasons


def test_rounds_are_bounded_in_an_hour() -> None:
    config = ManagerConfig(budgets=BudgetsConfig(slow_s=1.0, min_gap_s=0.0, rounds_per_hour=5))
    one = Desk(config=config, limits=limits(risk=RISK))
    for _ in range(30):
        one.feed(10.0)
        one.decide()
    assert len(rounds(one)) == 5
    one.feed(3_600.0)
    one.decide()
    assert len(rounds(one)) == 6


def test_looking_leaves_no_trace() -> None:
    one = busy(desk(), (1.0,))
    before = state_hash(one.state)
    one.state.clock_ns += 10**12
    assert reasons(one.state) and state_hash(one.state) == before


@pytest.mark.parametrize("rule", ["equal", "budgeted", "cvar"])
def test_the_journal_gives_the_state_back_at_every_rule(rule: str) -> None:
    from common.limits_scopes import Division

    one = busy(desk(division=Division(rule=rule)), (1.0, -0.6, 0.3))
    one.feed(1_000.0)
    one.decide()
    assert len(rounds(one)) >= 2
    standby = start(one.setup)
    for entry in one.journal:
        standby = apply(standby, entry)
        standby.check()
    assert state_hash(standby) == state_hash(one.state)


def test_a_steady_market_keeps_the_budgets_quiet() -> None:
    one = busy(desk(), (1.0,))
    heard = len([r for r in rounds(one) if r.published])
    for _ in range(6):
        one.feed(901.0)
        all_agents(one, 0.05)
        one.decide()
    told = [r.published for r in rounds(one)]
    assert sum(told) - heard <= 2 and len(told) >= heard + 6


def test_cost_goes_to_the_kinds_within_the_firms_and_never_below_what_stands() -> None:
    one = busy(desk(), (1.0, -0.8, 0.9))
    for r in rounds(one):
        assert r.cost_cents.sum() <= 1e7 * 100 and (r.cost_cents >= r.spent_cents).all()
    last = rounds(one)[-1]
    day = last.day
    for scope, cents in zip(last.spender, last.cost_cents.tolist(), strict=True):
        assert one.state.fold.flows.limit(scope, day)[0] == cents


def test_a_kind_without_budget_sends_nothing() -> None:
    """The division bounds the manager: a share of nothing is a limit of nothing."""
    one = desk()
    all_agents(one, 1.0)
    one.send(ev.Decide(one.now_ns, 0))
    held = rounds(one)[-1]
    assert one.orders
    one = desk()
    all_agents(one, 1.0)
    one.state.fold.flows.divide(held.day, dict.fromkeys(held.spender, 0))
    from manager.decide import decide

    assert not [i for i in decide(one.state, one.now_ns, 0) if isinstance(i, ev.Submit)]
    assert one.state.seen["orders left out: flow budget"] > 0
