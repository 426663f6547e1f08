"""What the manager tells an agent is taken only if it fits the agent's universe, book and settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from agents.config import AgentsConfig
from agents.fitting import fitting
from agents.step import AgentEvent, AgentSetup, start, step
from common.bounds import POSITION_LOTS_MAX
from common.errors import Refused
from common.messages import AgentParameters, AssignmentUpdate, BudgetUpdate, Header, PositionUpdate, QuoteBatch
from common.snapshot import LATEST_NS, MarketSnapshot
from tests.toy_world import book, universe

HEAD = Header("manager", 1, 1)
SETUP = AgentSetup(universe(), book(), "gamma", 0, AgentsConfig(), 1)
N = len(SETUP.universe)
POSITIONS = PositionUpdate(HEAD, 1, np.array([0, 3], np.uint32), np.array([5, -2]))
BUDGETS = BudgetUpdate(HEAD, 1, ("delta:AAA",), np.array([1e6]), np.array([0.0]), 1e-6)
ASSIGNMENT = AssignmentUpdate(HEAD, 1, {"gamma/AAA": "gamma-0", "nonsense": "vega-0"})
PARAMETERS = AgentParameters(HEAD, 1, {"trigger.time_s": 30.0}, "trigger.time_s", 300.0, 30.0, 0, "risk", "test")


@pytest.mark.parametrize("event", [POSITIONS, BUDGETS, ASSIGNMENT, PARAMETERS])
def test_what_fits_is_taken_by_the_core(event: AgentEvent) -> None:
    state, proposals = step(start(SETUP), fitting(SETUP, event))
    assert proposals == [] and state.recorder.note is not None


@pytest.mark.parametrize(
    ("event", "why"),
    [
        (replace(POSITIONS, instrument=np.array([0, N], np.uint32)), f"instrument {N}, limit {N - 1}"),
        (replace(POSITIONS, instrument=np.array([3, 3], np.uint32)), "twice"),
        (replace(POSITIONS, traded_lots=np.array([POSITION_LOTS_MAX + 1, 0])), "lots"),
        (replace(POSITIONS, traded_lots=np.array([-(2**63), 0])), "lots"),
        (replace(POSITIONS, desk=("rates",), desk_lots=np.zeros((1, 2), np.int64)), "desks rates"),
        (replace(BUDGETS, soft_limit=np.array([np.nan])), "soft limit"),
        (replace(BUDGETS, soft_limit=np.array([-1.0])), "soft limit"),
        (replace(BUDGETS, risk_aversion_per_usd=5e-324), "risk aversion"),
        (replace(PARAMETERS, values={"holding_days": 5e-324}), "below"),
        (replace(BUDGETS, factor=("a", "a"), soft_limit=np.ones(2)), "twice"),
        (replace(ASSIGNMENT, owner={"gamma/ZZZ": "gamma-0"}), "a key of gamma-0 is none"),
        (replace(ASSIGNMENT, owner={"gamma": "gamma-0"}), "a key of gamma-0 is none"),
        (replace(ASSIGNMENT, owner={"vega/AAA/8-30d": "gamma-0"}), "kinds differ"),
        (replace(PARAMETERS, values={"shards": 3.0}), "parameters: shards"),
        (replace(PARAMETERS, values={"trigger.time_s": -1.0}), "parameters"),
        (replace(PARAMETERS, values={"trigger.time_s": np.inf}), "no number"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_reason(event: AgentEvent, why: str) -> None:
    with pytest.raises(Refused, match=why):
        fitting(SETUP, event)


def _batch(**changes: object) -> QuoteBatch:
    one = np.array([1], np.int32)
    plain = QuoteBatch(Header("feed.AAA", 1, 5), np.array([0], np.uint32), one, one + 1, one, one)
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: _batch(header=Header("feed.ZZZ", 1, 5)), "feed.ZZZ"),
        (lambda: _batch(header=Header("AAA", 1, 5)), "'AAA'"),
        (lambda: _batch(header=Header("feed.AAA", 1, 2**63 - 1)), "limit 0 to"),
        (lambda: _batch(header=Header("feed.AAA", 1, -1)), "limit 0 to"),
        (lambda: _batch(instrument=np.array([N], np.uint32)), f"instrument {N}"),
        (lambda: _batch(quote_time_ns=np.array([LATEST_NS + 1])), "a quote of a time"),
    ],
)
def test_quotes_of_another_universe_or_time_are_refused_before_they_change_anything(
    make: Callable[[], QuoteBatch], why: str
) -> None:
    snapshot = MarketSnapshot(SETUP.universe)
    with pytest.raises(Refused, match=why):
        snapshot.check(make())
    assert snapshot.apply(snapshot.check(_batch())) and snapshot.sources.keys() == {"feed.AAA"}
