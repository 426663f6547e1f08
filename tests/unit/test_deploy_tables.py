"""Tables of limits and budgets: every number of the manager's own status, under the right head."""

from __future__ import annotations

import json

from deploy.tables import believed_lines, budgets_table, history_table, limits_table, moment, number, pnl_table, rows
from manager.status import status
from tests.budgets_world import GRID, MARGIN, STOP, busy, desk
from tests.manager_world import Desk
from tests.unit.test_manager_control import command


def view_of(of: Desk) -> dict:
    return json.loads(json.dumps(status(of.state, 0), allow_nan=False))


def test_the_tree_shows_every_limit_with_its_use_and_who_set_it() -> None:
    one = busy(desk(drawdown=STOP, margin=MARGIN, margin_grid=GRID), (0.3,))
    one.send(command("limits.set", "l1", path="risk.soft_usd", value=120_000))
    view = view_of(one)
    head, tree = limits_table(view).split("\n\n")
    assert head.startswith(f"limits version 2 by {view['limits']['who']}")
    lines = tree.splitlines()[1:]
    assert len(lines) == len(view["limits_log"]["tree"])
    for row, line in zip(view["limits_log"]["tree"], lines, strict=True):
        for key in ("used", "reserved", "soft", "limit"):
            assert number(row[key]) in line
        assert row["what"] in line and (row["who"] in line or row["divided"])
    said = {row["what"]: row for row in view["limits_log"]["tree"] if row["scope"] == "firm"}
    assert {"risk", "drawdown", "worst loss", "cost a day", "notional a day", "orders a day"} <= set(said)
    assert said["risk"]["soft"] == 120_000 and said["risk"]["limit"] == 2e6
    assert said["cost a day"]["used"] > 0.0


def test_what_waits_and_what_was_changed_is_shown() -> None:
    from common.limits_scopes import Approval

    one = desk(approval=Approval(widening="second_person", expires_s=60.0))
    assert history_table(view_of(one)) == "no limit was changed since the start"
    one.send(command("limits.set", "tighter1", path="risk.soft_usd", value=120_000))
    one.send(command("limits.set", "wider123", path="risk.soft_usd", value=140_000))
    view = view_of(one)
    assert "wider123" in limits_table(view) and "140,000" in limits_table(view)
    (waits,) = one.state.fold.limits_log.pending
    assert "wider123" in limits_table(json.loads(json.dumps(status(one.state, waits.expires_wall_ns))))
    assert "wider123" not in limits_table(json.loads(json.dumps(status(one.state, waits.expires_wall_ns + 1))))
    one.send(command("limits.set", "tighter2", path="risk.soft_usd", value=100_000))
    assert "never: it is 100,000.0 now, ask anew" in limits_table(view_of(one)), (
        "nobody can approve it as it was asked for"
    )
    table = history_table(view)
    assert "risk.soft_usd" in table and "120,000.0" in table and "wider123" not in table


def test_the_last_round_and_its_reasons_are_shown() -> None:
    assert budgets_table(view_of(Desk())) == "budgets: nothing is divided"
    one = busy(desk(drawdown=STOP), (1.0,))
    one.feed(901.0)
    one.decide()
    text = budgets_table(view_of(one))
    assert "timer" in text and "firm" in text and "kind:gamma" in text


def test_what_the_division_made_narrower_is_not_said_to_be_a_persons_word() -> None:
    one = busy(desk(drawdown=STOP), (1.0,))
    one.feed(901.0)
    one.decide()
    view, limits = view_of(one), one.state.fold.limits
    rows_now = view["limits_log"]["tree"]
    divided = [row for row in rows_now if row["divided"]]
    assert {"exposure", "cost a day"} >= {row["what"] for row in divided} and len(divided) > 1
    for row, line in zip(rows_now, limits_table(view).split("\n\n")[1].splitlines()[1:], strict=True):
        assert ("division" in line) == row["divided"]
        if row["what"] == "exposure":
            set_by, now = limits.of_factor(row["scope"]), row["soft"]
            said = None if set_by is None else set_by.soft_usd
        elif row["what"] == "cost a day" and row["scope"] in limits.scoped("flow"):
            said, now = limits.scoped("flow")[row["scope"]].cost_usd, row["limit"]
        else:
            continue
        assert row["divided_of"] == (said if row["divided"] else None) and (said == now or row["divided"])
        assert not row["divided"] or f"of {number(said)} by {row['who']}" in line


def test_todays_profit_and_loss_stands_against_the_strike() -> None:
    assert pnl_table(view_of(Desk())) == "P&L: no day has been opened yet"
    pnl = {"since": {"day": 18_267, "at_ns": 0, "late": ["SPX"]}, "trading_day": 18_268, "today_usd": -1_234.0}
    pnl |= {
        "struck_usd": 50.0,
        "desks": [{"desk": d, "today_usd": -617.0, "struck_usd": None} for d in ("rates", "vol")],
    }
    head, *lines = pnl_table({"pnl": pnl}).splitlines()
    assert head == "P&L of 2020-01-07 since the close of 2020-01-06; of SPX at later quotes"
    assert [line.split() for line in lines[1:]] == [
        ["rates", number(-617.0), "-"],
        ["vol", number(-617.0), "-"],
        ["all", number(-1_234.0), number(50.0)],
    ]


def test_what_execution_has_taught_is_said() -> None:
    of = Desk()
    assert believed_lines(view_of(of)) == []
    of.state.fold.too_large = {0: (7, of.state.now_ns + 1), 1: (9, of.state.now_ns)}
    of.state.fold.reduce_only_until_ns = {1: of.state.now_ns + 1}
    names, until = of.state.setup.universe, moment(of.state.now_ns + 1)
    assert believed_lines(view_of(of)) == [
        f"execution refused {names.symbols[1]}, reduce-only: at most what shrinks a position until {until}",
        f"execution refused {names.instrument_id[0]}, largest order: at most 7 lots an order until {until}",
    ], "what is no longer believed is not told"


def test_a_system_that_has_not_heard_anybody_has_tables_too() -> None:
    from manager.step import start

    view = json.loads(json.dumps(status(start(Desk().setup), 0)))
    assert "cost a day" in limits_table(view) and budgets_table(view)


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert rows(("a", "b"), [("long", "x"), ("y", "")]) == "a     b\nlong  x\ny"
    assert moment(None) == "start" and moment(10**18) == "2001-09-09 01:46:40"
