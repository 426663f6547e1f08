"""The rule by which the manager chooses a tactic: stated sizes in, terms out, each within what execution takes."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from common.tactics import DIRECT, TacticKind
from execution.checks import MAX_ID_LENGTH
from execution.tactics.order import malformed
from manager.config import ManagerConfig
from manager.tactics import TacticRule, chosen
from tests.execution_world import make_order


def test_without_a_word_every_order_goes_as_it_is() -> None:
    assert chosen(ManagerConfig().tactic, 1_000, 1) == DIRECT


@pytest.mark.parametrize(("lots", "kind"), [(5, TacticKind.DIRECT), (6, TacticKind.SLICED)])
def test_by_size_slices_what_is_above_the_share_of_what_is_shown(lots: int, kind: TacticKind) -> None:
    assert chosen(TacticRule(kind="by_size", sliced_above_share=0.5), lots, 10).kind is kind


@pytest.mark.parametrize("kind", ["direct", "passive", "sliced", "by_size"])
@pytest.mark.parametrize("extreme", [0, 1])
def test_whatever_the_rule_allows_execution_takes(kind: str, extreme: int) -> None:
    numbers = [
        {"urgency_percent": 0, "participation_percent": 1, "budget_ms": 1, "interval_ms": 1},
        {
            "urgency_percent": 100,
            "participation_percent": 100,
            "budget_ms": 86_400_000,
            "interval_ms": 86_400_000,
            "improve_ticks": 1_000,
            "runaway_ticks": 1_000_000,
        },
    ][extreme]
    rule = TacticRule.model_validate({"kind": kind, "sliced_above_share": 0.0, **numbers})
    assert malformed(make_order("o1", tactic=chosen(rule, 3, 10)), MAX_ID_LENGTH) == ""


def test_a_rule_that_makes_no_sense_is_refused() -> None:
    for wrong in ({"kind": "fast"}, {"participation_percent": 0}, {"urgency_percent": 101}, {"budget_ms": 0}):
        with pytest.raises(ValidationError):
            TacticRule.model_validate(wrong)
