"""Orders that go as one are held to their limits together: a tick lost on one leg may be made good by the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from common.messages import OrdStatus, Side
from common.tactics import Follow, Tactic, TacticKind
from lab.audit_combos import over_their_limits
from tests.execution_world import make_order, make_universe
from tests.unit.test_lab_audit import report

COMBO = Tactic(TacticKind.COMBO, budget_ms=9, interval_ms=1)
LEAD = make_order("l", 1, lots=2, limit_ticks=100, tactic=replace(COMBO, legs=2))
DELTA = make_order("d", 0, Side.SELL, lots=1, limit_ticks=500, tactic=COMBO, follows=Follow("l", 1, 2))
ORDERS = {"l": LEAD, "d": DELTA}


def said(bought_at: int, sold_at: int) -> list[str]:
    """Two options of USD 5 a tick and one future of USD 12.50 a tick, filled at these."""
    universe = make_universe()
    tick = np.array([0.25, 0.1, 0.25, 0.25] * 2)
    fills = [
        replace(report(1, LEAD, 2, OrdStatus.FILLED, 2), last_ticks=bought_at),
        replace(report(2, DELTA, 1, OrdStatus.FILLED, 1), last_ticks=sold_at),
    ]
    return list(over_their_limits(replace(universe, tick_size=tick), ORDERS, fills))


def test_what_one_leg_loses_the_other_may_make_good() -> None:
    assert said(100, 500) == said(101, 501) == said(90, 492) == []
    # Two ticks of USD 5 on two lots are USD 20; a tick of the future is USD 12.50.
    assert said(102, 501) == ["combo of order l: filled 750.00 cents beyond its limits together"]
    assert said(100, 499) == ["combo of order l: filled 1250.00 cents beyond its limits together"]
