"""A struck day whose columns do not belong together is refused; that one comes back whole: test_wire_round_trip."""

from __future__ import annotations

import numpy as np
import pytest

from common.control_messages import DayStruck
from common.errors import Refused
from common.wire.strike_codec import struck_from_pb, struck_to_pb

NONE, ONE = np.empty(0), np.ones(1)


@pytest.mark.parametrize(
    ("struck", "why"),
    [
        (DayStruck(1, 1, (), np.array([3], np.uint32), NONE, ("a",), ONE, ONE), "mark"),
        (DayStruck(1, 1, (), np.array([3], np.uint32), ONE, ("a", "b"), ONE, ONE), "level_usd"),
        (DayStruck(1, 1, (), np.array([3], np.uint32), ONE, ("a",), ONE, NONE), "pnl_usd"),
    ],
)
def test_a_column_of_another_length_is_refused(struck: DayStruck, why: str) -> None:
    with pytest.raises(Refused, match=why):
        struck_from_pb(struck_to_pb(struck))
