"""What stood when: at the very time, between, before the first, after the last, and where the newest quote is of no use."""

from __future__ import annotations

import numpy as np

from common.units import NO_PRICE, NS_PER_S
from lab.mids import standing_at
from tests.execution_world import T0_NS, quotes


def test_the_last_usable_quote_counts_until_the_recording_ends() -> None:
    batches = [
        quotes(1, (0, 10, 12, 5, 7)),
        quotes(2, (0, 11, 13, 5, 4), (1, 20, 30, 1, 1)),
        quotes(3, (0, None, 13, 0, 4)),  # one-sided: the last usable one stands on
        quotes(4, (0, 20, 22, 1, 1)),
        quotes(4, (0, 30, 32, 1, 1)),  # of the same time: the later one counts
    ]
    seconds = [0.5, 1.0, 1.5, 2.0, 3.5, 4.0, 4.5, 1.5]
    time_ns = np.array([T0_NS + int(s * NS_PER_S) for s in seconds], np.int64)
    instrument = np.array([0] * 7 + [1], np.int64)
    found = standing_at(batches, 2, instrument, time_ns)
    assert found.twice_mid_ticks.tolist() == [NO_PRICE, 22, 22, 24, 24, 62, NO_PRICE, NO_PRICE]
    assert found.spread_ticks.tolist()[1:6] == [2, 2, 2, 2, 2]
    assert found.size_lots.tolist() == [0, 5, 5, 4, 4, 1, 0, 0]
    assert found.known.tolist() == [False, True, True, True, True, True, False, False]
