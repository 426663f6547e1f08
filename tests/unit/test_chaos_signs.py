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
