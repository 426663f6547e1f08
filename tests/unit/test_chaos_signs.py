"""When a storm takes the run for whole."""

from __future__ import annotations

import time
from typing import cast

import pytest

from common.bus.nats_bus import NatsBus
from deploy.chaos_signs import FRESH_S, Sign, Signs

LACKS = "no leader with a standby"


@pytest.fixture
def signs() -> Signs:
    return Signs(cast(NatsBus, None), "", "", 0)  # nothing is asked here


@pytest.mark.parametrize(
    ("state", "age_s", "whole"),
    [("standby", 0.0, True), ("leading", 0.0, False), ("taking over", 0.0, False), ("standby", 2 * FRESH_S, False)],
)
def test_whole_is_a_leader_and_one_that_stands_by_now(signs: Signs, state: str, age_s: float, whole: bool) -> None:
    """A deposed manager's last words are that it leads: it is no standby, however lately it said so."""
    now_s = time.monotonic()
    signs.managers["manager-a"] = Sign(2, "leading", 1, now_s)
    assert LACKS in signs.ills()
    signs.managers["manager-b"] = Sign(1, state, 2, now_s - age_s)
    assert (LACKS not in signs.ills()) is whole


def test_succeeded_is_each_agent_with_one_that_waits_now(signs: Signs) -> None:
    signs.shards, now_s = 2, time.monotonic()
    signs.agents = {"gamma-0": Sign(1, "hedging", 10, now_s), "gamma-1": Sign(1, "hedging", 11, now_s)}
    assert not signs.succeeded()
    signs.successors = {"gamma-0": Sign(2, "stands by", 20, now_s), "gamma-1": Sign(2, "stands by", 21, now_s)}
    assert signs.succeeded()
    signs.agents["gamma-1"] = Sign(3, "hedging", 21, now_s)
    assert not signs.succeeded(), "it has become the agent"
    signs.successors["gamma-1"] = Sign(2, "stands by", 22, now_s - 2 * FRESH_S)
    assert not signs.succeeded(), "not heard lately"
