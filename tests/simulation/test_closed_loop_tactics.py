"""The whole loop with worked orders: everything adds up as it does with orders that go as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from agents.config import AgentsConfig
from common.limits import Limits, load_limits
from common.messages import OrderState, OrdStatus
from common.tactics import TacticKind
from execution.config import ExecutionConfig, PaperConfig
from execution.limits import load_execution_limits
from lab.audit import Run, audit
from lab.closed_loop import run
from lab.fills import fills_of
from lab.synthetic import SyntheticMarket, short_book
from manager.config import ManagerConfig
from manager.tactics import TacticRule

ROOT = Path(__file__).resolve().parents[2]
RULES = {
    "passive": TacticRule(kind="passive", urgency_percent=50, budget_ms=20_000, interval_ms=1_000),
    "combos": TacticRule(combo_max_ratio=200, budget_ms=20_000, interval_ms=1_000),
    "combos leg by leg": TacticRule(combo_max_ratio=200, budget_ms=20_000, interval_ms=1_000),
    "by_size": TacticRule(kind="by_size", sliced_above_share=0.05, participation_percent=10, budget_ms=20_000),
}


def assert_in_ratio(states: Sequence[OrderState]) -> None:
    """What went as a combo filled in the ratio of its orders, lot by lot; some did."""
    by_name = {s.order.client_order_id: s for s in states}
    pairs = [(by_name[f.lead_client_order_id], s) for s in states if (f := s.order.follows) is not None]
    assert sum(future.cum_lots > 0 for _, future in pairs) >= 5
    for option, future in pairs:
        assert future.order.tactic.kind is option.order.tactic.kind is TacticKind.COMBO
        assert future.cum_lots * option.order.quantity_lots == option.cum_lots * future.order.quantity_lots


@pytest.mark.parametrize("kind", RULES)
def test_it_adds_up_with_orders_at_work(kind: str, tmp_path: Path) -> None:
    market = SyntheticMarket(session_s=900, step_s=5.0)
    combos = kind.startswith("combos")
    book = short_book(market, 300 if combos else 60)  # enough to hedge that options and futures are ordered together
    limits = load_limits(ROOT / "examples/limits.toml")
    narrow = Limits.model_validate({**limits.model_dump(), "risk_aversion_per_usd": 1e-5 if combos else 1e-4})
    execution = ExecutionConfig(
        store=tmp_path,
        limits=load_execution_limits(ROOT / "examples/execution_limits.toml"),
        paper=PaperConfig(latency_ms=20.0, combos=kind == "combos"),
    )
    manager = ManagerConfig(tactic=RULES[kind])
    result = run(market, book, AgentsConfig(), manager, narrow, execution, run_id=kind)
    n = len(market.universe)
    fills = fills_of(result.reports)
    np.testing.assert_array_equal(fills.net_lots(n), result.traded_lots)
    position = book.net_lots(n) + fills.net_lots(n)
    assert (
        audit(Run(market.universe, book, result.entries, result.order_states, result.reports, position, narrow)) == []
    )
    filled = {r.client_order_id for r in result.reports if r.child_order_id}
    assert filled, "orders were worked and children filled"
    if kind == "combos":
        assert_in_ratio(result.order_states)
    named = {o.client_order_id for o in result.orders}
    assert {r.client_order_id for r in result.reports} <= named
    open_at_the_end = [s for s in result.order_states if not s.ord_status.terminal]
    assert all(s.ord_status in (OrdStatus.NEW, OrdStatus.PARTIALLY_FILLED) for s in open_at_the_end)
