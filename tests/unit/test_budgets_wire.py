"""A round whose columns do not fit together is refused whole."""

from __future__ import annotations

import pytest
from hedgerow.control.v1 import control_pb2

from common.errors import Refused
from common.wire.budget_codec import round_from_pb, round_to_pb
from tests.budgets_world import busy, desk, rounds


def test_a_real_round_comes_back() -> None:
    held = rounds(busy(desk(), (1.0,)))[-1]
    back = round_from_pb(round_to_pb(held))
    assert back.factor == held.factor and back.soft_limit.tolist() == held.soft_limit.tolist()
    assert back.reasons == held.reasons and back.cost_cents.tolist() == held.cost_cents.tolist()


@pytest.mark.parametrize(
    "message",
    [
        control_pb2.BudgetRound(factor=["a"]),
        control_pb2.BudgetRound(scope=["firm"], reduce_only=[]),
        control_pb2.BudgetRound(mid=b"\0" * 8, fresh=b""),
        control_pb2.BudgetRound(spender=["kind:gamma"], cost_cents=b"\0" * 8, spent_cents=b"\0" * 7),
    ],
)
def test_columns_of_another_length_are_refused(message: control_pb2.BudgetRound) -> None:
    with pytest.raises(Refused, match="BudgetRound"):
        round_from_pb(message)
