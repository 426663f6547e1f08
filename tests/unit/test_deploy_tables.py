"""The limits table: every number of the manager's own status, under the right head."""

from __future__ import annotations

import json

from deploy.tables import limits_table, rows
from manager.status import status
from tests.manager_world import Desk, all_agents


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


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
        cells = line.removeprefix(row["factor"]).removesuffix(row["unit"]).split()
        assert cells == [_shown(row["exposure"]), _shown(row["soft"]), _shown(row["hard"])]
    for row, line in zip(view["flows"], budgets.splitlines()[1:], strict=True):
        scope, *_, used, reserved, limit = line.split()
        assert scope == row["scope"]
        assert [used, reserved, limit] == [_shown(row["used"]), _shown(row["reserved"]), _shown(row["limit"])]


def test_a_system_that_has_not_heard_anybody_has_a_table_too() -> None:
    from manager.step import start

    text = limits_table(json.loads(json.dumps(status(start(Desk().setup), 0))))
    assert "factor  exposure  soft  hard  unit" in text and "firm" in text


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert rows(("a", "b"), [("long", "x"), ("y", "")]) == "a     b\nlong  x\ny"
