"""The rule by which the manager chooses a tactic: stated sizes in, terms out, each within what execution takes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from common.tactics import DIRECT, Follow, Tactic, TacticKind
from execution.checks import MAX_ID_LENGTH
from execution.tactics.order import lead_mismatch, malformed
from manager.config import ManagerConfig
from manager.tactics import TacticRule, chosen, combined
from tests.execution_world import make_order, make_universe


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


def test_an_option_and_its_future_go_as_a_combo_where_their_lots_reduce_to_little() -> None:
    universe = make_universe()
    option, other, future = make_order("c", 1, lots=40), make_order("p", 2, lots=30), make_order("f", 0, lots=12)
    elsewhere = make_order("x", 4, lots=10)
    orders = [option, other, future, elsewhere]
    assert combined(TacticRule(), universe, orders) == orders
    # 40 and 12 are 10 to 3, 30 and 12 are 5 to 2: the second is the smaller unit.
    assert combined(TacticRule(combo_max_ratio=4), universe, orders) == orders
    made = combined(TacticRule(combo_max_ratio=10, budget_ms=7, interval_ms=3), universe, orders)
    terms = Tactic(TacticKind.COMBO, budget_ms=7, interval_ms=3)
    assert made == [
        option,
        replace(other, tactic=replace(terms, legs=2)),
        replace(future, tactic=terms, follows=Follow("p", 2, 5)),
        elsewhere,
    ]
    assert all(malformed(order, MAX_ID_LENGTH) == "" for order in made)
    follow = made[2].follows
    assert follow is not None and lead_mismatch(made[2], follow, made[1]) == ""
    alone = [future, elsewhere, make_order("y", 5, lots=3)]
    assert combined(TacticRule(combo_max_ratio=10), universe, alone) == alone
