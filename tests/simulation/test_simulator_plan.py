"""What a seed decides: the same plan every time, and a tenth of the seeds with five faults or more."""

from __future__ import annotations

from collections import Counter

from lab.simulator.faults import Faults
from lab.simulator.plan import FIRST_NS, LAST_NS, plan_of


def test_a_tenth_of_the_seeds_has_five_faults_or_more() -> None:
    counts = [len(plan_of(seed).faults) for seed in range(500)]
    assert sum(count >= 5 for count in counts) >= 50
    assert min(counts) == 0


def test_every_kind_of_fault_and_wish_comes_up_in_time_and_can_be_carried_out() -> None:
    kinds: Counter[str] = Counter()
    wishes: Counter[str] = Counter()
    for seed in range(300):
        plan = plan_of(seed)
        assert plan.faults == plan_of(seed).faults and plan.wishes == plan_of(seed).wishes
        kinds.update(fault.what for fault in plan.faults)
        wishes.update(wish.action for wish in plan.wishes)
        assert all(FIRST_NS - 10**9 <= fault.at_ns <= LAST_NS for fault in plan.faults)
        assert [fault.at_ns for fault in plan.faults] == sorted(fault.at_ns for fault in plan.faults)
    assert len(kinds) >= 20 and {"hears nothing", "is not heard"} <= set(kinds)
    assert all(hasattr(Faults, "_" + what.replace(" ", "_")) for what in kinds)
    asked = {
        "pause",
        "resume",
        "kill",
        "limits.set",
        "limits.approve",
        "hedge",
        "book.import",
        "agents.set",
        "agents.undo",
    }
    assert set(wishes) == asked
    assert any("scope" in wish.arguments for seed in range(50) for wish in plan_of(seed).wishes)
