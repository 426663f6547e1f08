"""Budgets in the whole loop: they change what agents do, hold in the audit, and a generous one changes nothing."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from common.control_messages import BudgetRound, ProposalTaken
from common.limits import Limits
from common.messages import BudgetUpdate
from lab.audit import Run, audit
from lab.closed_loop import RunResult
from lab.fills import fills_of
from tests.simulation.test_closed_loop_conservation import BOOK, LIMITS, MARKET, ran


def limits(**changes: object) -> Limits:
    return Limits.model_validate({**LIMITS.model_dump(), **changes})


def half_widths(result: RunResult) -> dict[str, float]:
    """The widest interval of each factor after the first quarter of the proposals."""
    said = [e.event.proposal for e in result.entries if isinstance(e.event, ProposalTaken)]
    out: dict[str, float] = {}
    for p in said[len(said) // 4 :]:
        for name, upper in zip(p.factor, p.upper, strict=True):
            out[name] = max(out.get(name, 0.0), float(upper))
    return out


def violations(result: RunResult, of: Limits) -> list[str]:
    n = len(MARKET.universe)
    position = BOOK.net_lots(n) + fills_of(result.reports).net_lots(n)
    record, hours = (result.entries, result.order_states, result.reports), MARKET.session_bounds_ns
    return audit(Run(MARKET.universe, BOOK, *record, position, of, sessions_ns=hours))


def test_a_tight_risk_budget_narrows_the_agents_and_the_audit_is_clean(tmp_path: Path) -> None:
    tight = limits(risk={"soft_usd": 6_000.0, "hard_usd": 1.5e6})
    wide = limits(risk={"soft_usd": 1.4e6, "hard_usd": 1.5e6})
    narrow, free = ran("joint", tmp_path, limits=tight), ran("joint", tmp_path, limits=wide)
    a, b = half_widths(narrow), half_widths(free)
    gammas = [n for n in a if n.startswith(("gamma:", "vega:"))]
    assert gammas and np.mean([a[n] / b[n] for n in gammas]) < 0.8
    told = {e.event.budget_epoch: e.event for e in narrow.entries if isinstance(e.event, BudgetUpdate)}
    for p in (e.event.proposal for e in narrow.entries if isinstance(e.event, ProposalTaken)):
        soft = dict(zip(told[p.budget_epoch].factor, told[p.budget_epoch].soft_limit, strict=True))
        assert all(upper <= soft[name] * (1 + 1e-9) for name, upper in zip(p.factor, p.upper, strict=True))
    assert violations(narrow, tight) == [] and violations(free, wide) == []


def test_a_generous_budget_changes_no_order(tmp_path: Path) -> None:
    none = limits(risk=None, drawdown=None)
    assert ran("joint", tmp_path, limits=none).order_hash == ran("joint", tmp_path, limits=LIMITS).order_hash


@pytest.mark.parametrize("rule", ["equal", "cvar"])
def test_every_rule_hedges_and_keeps_the_limits(tmp_path: Path, rule: str) -> None:
    given = limits(division={"rule": rule, "weight": {}}, margin={"worst_loss_usd": 1e9})
    result = ran("joint", tmp_path, limits=given)
    assert result.orders and violations(result, given) == []
    held = [e.event for e in result.entries if isinstance(e.event, BudgetRound)]
    assert held and all(np.isfinite(r.worst_loss_usd[0]) for r in held) and held[-1].unpriced == 0


def test_a_cost_budget_stops_a_kind_and_the_division_moves_money(tmp_path: Path) -> None:
    flow = {**LIMITS.flow.model_dump(), "cost_usd": 400.0}
    given = limits(flow=flow, flow_by_kind={})
    result = ran("joint", tmp_path, limits=given)
    assert violations(result, given) == []
    held = [e.event for e in result.entries if isinstance(e.event, BudgetRound)]
    assert any(not np.array_equal(x.cost_cents, y.cost_cents) for x, y in pairwise(held))
    assert all(int(r.cost_cents.sum()) <= 40_000 for r in held)
