"""The limits table: every number of the manager's own status, under the right head."""

from __future__ import annotations

import json

from deploy.tables import limits_table, rows
from manager.status import status
from tests.manager_world import Desk, all_agents


def test_the_table_shows_every_factor_and_budget_of_status() -> None:
    desk = Desk()
    all_agents(desk, 0.3)
    for order in desk.decide():
        desk.fill(order)
    view = json.loads(json.dumps(status(desk.state, 0)))
    text = limits_table(view)
    head, factors, budgets = text.split("\n\n")
    assert f"limits version {view['limits']['version']} by {view['limits']['who']}" in head
    for row, line in zip(view["factors"], factors.splitlines()[1:], strict=True):
        assert line.startswith(row["factor"]) and line.endswith(row["unit"])
        assert f"{row['hard']:,.0f}" in line and f"{row['exposure']:,.0f}" in line
    for row, line in zip(view["flows"], budgets.splitlines()[1:], strict=True):
        scope, *_, used, reserved, limit = line.split()
        assert scope == row["scope"] and f"{row['used']:,.0f}" == used and f"{row['reserved']:,.0f}" == reserved
        assert limit == ("-" if row["limit"] is None else f"{row['limit']:,.0f}")


def test_a_system_that_has_not_heard_anybody_has_a_table_too() -> None:
    from manager.step import start

    text = limits_table(json.loads(json.dumps(status(start(Desk().setup), 0))))
    assert "factor  exposure  soft  hard  unit" in text and "firm" in text


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert rows(("a", "b"), [("long", "x"), ("y", "")]) == "a     b\nlong  x\ny"
