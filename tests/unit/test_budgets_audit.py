"""The recount of stock limits, sums and caps from the journal: silent on honest runs, loud on doctored ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from common.control_messages import Cycle, JournalEntry
from common.limits import FactorLimit, Limits, OrderCaps
from common.limits_scopes import OrderShare, SumLimit
from lab.audit_limits import limit_violations
from tests.manager_world import Desk, all_agents, limits

NARROW = {
    "factor": {
        "delta:*": FactorLimit(soft_usd=1e6, hard_usd=2e6),
        "gamma:*": FactorLimit(soft_usd=5e5, hard_usd=1e6),
        "vega:*": FactorLimit(soft_usd=1e4, hard_usd=1.5e4),
    },
    "sum": {"vega": SumLimit(factors=["vega:*"], hard_usd=4e4)},
    "order_by_kind": {"vega": OrderShare(max_lots_option=20)},
}


def run(given: Limits, seed: int) -> Desk:
    rng = np.random.default_rng(seed)
    desk = Desk(limits=given)
    for _ in range(6):
        all_agents(desk, float(rng.uniform(-1.5, 1.5)))
        for order in desk.decide():
            desk.fill(order, int(rng.integers(0, order.quantity_lots + 1)))
        desk.feed(float(rng.uniform(1, 40)))
    return desk


def said(desk: Desk, entries: list[JournalEntry] | None = None, given: Limits | None = None) -> list[str]:
    return list(limit_violations(desk.world, desk.setup.book, entries or desk.journal, given or desk.limits))


@pytest.mark.parametrize("seed", range(4))
def test_an_honest_run_is_silent(seed: int) -> None:
    desk = run(limits(**NARROW), seed)
    assert desk.orders and said(desk) == []


def test_the_same_orders_under_narrower_limits_are_found() -> None:
    desk = run(limits(), 1)
    assert said(desk) == []
    found = said(desk, given=limits(**NARROW))
    assert any("hard limit" in x for x in found) and any("cap of kind:vega" in x for x in found)


def test_a_doctored_order_is_found() -> None:
    desk = run(limits(**NARROW), 2)
    entries = list(desk.journal)
    k = next(i for i, e in enumerate(entries) if isinstance(e.event, Cycle) and e.event.orders)
    cycle = entries[k].event
    order = cycle.orders[0]
    big = replace(order, quantity_lots=900, allocation=(("gamma-0", order.side.sign * 900),))
    entries[k] = replace(entries[k], event=replace(cycle, orders=(big, *cycle.orders[1:])))
    found = said(desk, entries)
    assert any("hard limit" in x for x in found) and any("the cap of firm is 500" in x for x in found)


def test_a_smaller_cap_of_the_firm_is_found() -> None:
    desk = run(limits(), 3)
    caps = OrderCaps(max_lots_future=1, max_lots_option=1, max_notional_usd=1e3)
    assert any("USD, the cap of firm" in x for x in said(desk, given=limits(order=caps)))
