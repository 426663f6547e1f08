"""Desks, a second person and the venue's statement in the simulated worlds: what is drawn, what is told, what is caught."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from common.messages import TradingState
from common.units import NS_PER_S
from execution.events import TradingSet
from lab.simulator.desks import has_desks, with_desks
from lab.simulator.exchange import Exchange
from lab.simulator.nats import Noise
from lab.simulator.plan import Fault, Plan, plan_of
from lab.simulator.run import Simulation, simulate
from lab.simulator.settle import desk_positions, position
from lab.simulator.statement import LIES, Statements
from lab.simulator.world import World


def plain(*faults: Fault) -> Plan:
    """A plan of one desk with these faults and nothing else."""
    return replace(plan_of(1), faults=faults, wishes=(), noise=Noise())


@pytest.mark.parametrize("what", LIES)
def test_a_venue_that_lies_halts_trading_and_the_reason_says_what(what: str) -> None:
    said: list[TradingSet] = []
    runs: list[Simulation] = []

    def listen(run: Simulation) -> None:
        def committed(records: object) -> None:
            assert isinstance(records, list | tuple)
            said.extend(r for r in records if isinstance(r, TradingSet) and r.state is TradingState.PAUSED)

        runs.append(run)
        run.execution.store.on_commit.append(committed)

    found = simulate(1, plain(Fault(3 * NS_PER_S, "statement lies", "venue", 6 * NS_PER_S, what)), listen)
    assert not found.failure, found.text()
    assert runs[0].watch.statements.halts >= 1
    assert {r.who for r in said} == {"execution"} and said[0].why.startswith("reconciliation found")


def test_an_execution_that_starts_while_the_venue_lies_halts_again() -> None:
    lie = Fault(3 * NS_PER_S, "statement lies", "venue", 7 * NS_PER_S, "position")
    runs: list[Simulation] = []
    found = simulate(1, plain(lie, Fault(6 * NS_PER_S, "crash", "execution", NS_PER_S // 2)), runs.append)
    assert not found.failure, found.text()
    assert runs[0].execution.process.starts == 2 and runs[0].watch.statements.halts >= 1


@pytest.mark.parametrize("seed", [10262, 10473])
def test_a_lie_that_changes_or_hides_behind_forgotten_fills_is_no_broken_promise(seed: int) -> None:
    """No pass of two looks saw the same lie, or the venue forgot fills of between them: such positions are in doubt."""
    found = simulate(seed)
    assert not found.failure, found.text()


def test_an_honest_venue_is_asked_all_the_time_and_never_halts() -> None:
    """Slow, down, killed and started again: what is under way is no break."""
    faults = (
        Fault(3 * NS_PER_S, "venue slow", "venue", 4 * NS_PER_S),
        Fault(5 * NS_PER_S, "venue down", "venue", NS_PER_S),
        Fault(7 * NS_PER_S, "crash", "execution", NS_PER_S // 2),
        Fault(9 * NS_PER_S, "freeze", "execution", 2 * NS_PER_S),
    )
    runs: list[Simulation] = []
    found = simulate(1, plain(*faults), runs.append)
    assert not found.failure, found.text()
    assert runs[0].watch.statements.halts == 0 and runs[0].watch.statements.statements >= 8


def test_a_statement_that_does_not_go_back_to_the_first_fill_says_where_it_begins() -> None:
    runs: list[Simulation] = []
    assert not simulate(1, replace(plain(), states_back=3), runs.append).failure
    exchange = runs[0].exchange
    stated, fills = exchange.statements.state(0, 5_000), list(exchange.fills.values())
    assert len(fills) > 3 and [f.exec_id for f in stated.fills] == [f.exec_id for f in fills[-3:]]
    assert stated.first == len(fills) - 2 and stated.from_time_ns == fills[-4].event_time_ns


def test_what_nobody_traded_is_stated_empty() -> None:
    exchange = Exchange(World(1), plan_of(1).setting.universe, lambda: 0)
    stated = Statements(exchange).state(2**62, 1)
    assert (stated.first, stated.count, stated.fills, stated.orders, stated.position_lots) == (1, 0, (), (), {})


def test_several_desks_cross_and_hold_together_what_the_venue_says() -> None:
    seed = next(s for s in range(50) if has_desks(s) and len(plan_of(s).setting.book.desks) > 1)
    plan = replace(plan_of(seed), faults=(Fault(5 * NS_PER_S, "crash", "leader", NS_PER_S),), wishes=(), noise=Noise())
    runs: list[Simulation] = []
    found = simulate(seed, plan, runs.append)
    assert not found.failure, found.text()
    run = runs[0]
    assert found.crossings == len(run.watch.journal.crossings) > 0 and found.takeovers == 2
    np.testing.assert_array_equal(desk_positions(run).sum(axis=0), position(run))
    assert max(s.state.fold.ledger.crossings for s in run.managers.services.values()) == found.crossings


def test_a_third_of_the_seeds_has_several_desks_some_of_two_entities_and_a_quarter_a_second_person() -> None:
    plans = [plan_of(seed) for seed in range(300)]
    desks = [plan.setting.book.desks for plan in plans if len(plan.setting.book.desks) > 1]
    assert 75 <= len(desks) <= 150
    assert sum(len({d.legal_entity for d in of}) > 1 for of in desks) >= 5
    own = [plan.setting.limits for plan in plans if len(plan.setting.book.desks) > 1]
    assert sum(bool(limits.flow_by_desk) for limits in own) > 30 and sum(bool(x.order_by_desk) for x in own) > 30
    scopes = {str(w.arguments.get("scope", "")).partition(":")[0] for plan in plans for w in plan.wishes}
    assert "desk" in scopes
    approvals = [plan for plan in plans if plan.setting.limits.approval.widening == "second_person"]
    assert 50 <= len(approvals) <= 100
    assert {w.who for plan in approvals for w in plan.wishes if w.action == "limits.approve"} == {"anna/deputy", "ben"}
    one = with_desks(0, plans[1].setting).book
    assert len(one.desk_names) > 1 and set(one.account) == {a for desk in one.desks for a in desk.accounts}
