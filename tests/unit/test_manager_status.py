"""Status is JSON, complete, and agrees with the state; config refuses nonsense; exposures re-base."""

from __future__ import annotations

import json

import numpy as np
import pytest

from common import factors
from common.messages import Header, Heartbeat
from manager import events as ev
from manager.status import status
from tests.manager_world import Desk, all_agents


def test_status_is_json_and_agrees_with_the_ledger() -> None:
    desk = Desk()
    all_agents(desk, 0.3)
    desk.send(ev.HeartbeatArrived(Heartbeat(Header("gamma-0", 1, 0), 2, "hedging", pid=7), 1_000_000))
    desk.send(ev.HeartbeatArrived(Heartbeat(Header("gamma-0+", 1, 0), 1, "stands by", pid=8), 2_000_000))
    for order in desk.decide():
        desk.fill(order)
    view = json.loads(json.dumps(status(desk.state, 3_000_000), allow_nan=False))
    assert view["trading"]["state"] == "ACTIVE" and view["leader"]["epoch"] == 1
    assert sum(view["positions"]["traded"].values()) == int(desk.state.fold.ledger.traded.sum())
    firm = {row["budget"]: row for row in view["flows"] if row["scope"] == "firm"}
    assert firm["orders"]["used"] == len(desk.orders) and firm["cost_usd"]["reserved"] == 0
    assert 0 < firm["cost_usd"]["used"] <= firm["cost_usd"]["limit"]
    assert view["costs"]["total_usd"] == pytest.approx(view["costs"]["slippage_usd"] + view["costs"]["fees_usd"])
    by_name = {row["factor"]: row for row in view["factors"]}
    assert by_name["delta:SPX"]["owner"] == "gamma-0" and by_name["delta:SPX"]["hard"] == 5e8
    (agent,) = [row for row in view["agents"] if row["agent"] == "gamma-0"]
    assert agent["heard_ms"] == 2.0 and agent["pid"] == 7 and agent["successor_heard_ms"] == 1.0
    assert "gamma-0+" not in {row["agent"] for row in view["agents"]}
    assert view["cycle"]["saved_usd"] == pytest.approx(view["cycle"]["wished_cost_usd"] - view["cycle"]["cost_usd"])
    assert [s["underlying"] for s in view["sources"]] == ["SPX", "NDX"] and all(s["usable"] for s in view["sources"])


def test_status_of_a_fresh_standby() -> None:
    from manager.step import start

    view = status(start(Desk().setup), 0)
    json.dumps(view, allow_nan=False)
    assert view["cycle"] is None and view["factors"] == [] and not view["leader"]["leading"]


def test_an_unbounded_interval_shows_as_none() -> None:
    desk = Desk()
    desk.propose("gamma-0", {factors.delta("SPX"): 1.0}, 1.0, lower=np.array([-np.inf]))
    row = next(r for r in status(desk.state, 0)["factors"] if r["factor"] == "delta:SPX")
    assert row["lower"] is None and row["inside"] is True
