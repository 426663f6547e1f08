from __future__ import annotations

from datetime import date
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from common.instruments import CALL, future, option
from common.market.batching import Quotes, batches_of, sessions_of
from common.market.build import Terms, build_universe

FUTURES = [future(symbol, date(2018, 3, 16)) for symbol in ("SPX", "IXIC")]
OPTIONS = [option(symbol, date(2018, 3, 16), k, CALL) for symbol in ("SPX", "IXIC") for k in (2500.0, 2600.0)]
UNIVERSE = build_universe(
    [*FUTURES, *OPTIONS], [], {f.underlying: Terms(f.id, 0.0, 0.0) for f in FUTURES}, np.eye(2), "test"
)


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(0, 5), st.integers(0, 99)), min_size=1, max_size=80))
def test_every_row_goes_out_once_in_order(rows: list[tuple[int, int, int]]) -> None:
    time_ns, instrument, price = (np.array(column) for column in zip(*rows, strict=True))
    ticks = price.astype(np.int32)
    quotes = Quotes(time_ns.astype(np.int64), instrument.astype(np.uint32), ticks, ticks + 1, ticks, ticks)
    batches = list(batches_of(quotes.ordered(UNIVERSE), UNIVERSE))
    out = [
        (b.header.event_time_ns, int(i), int(p))
        for b in batches
        for i, p in zip(b.instrument, b.bid_ticks, strict=True)
    ]
    assert sorted(out) == sorted(rows)
    assert [b.header.event_time_ns for b in batches] == sorted(b.header.event_time_ns for b in batches)
    assert len({(b.header.source, b.header.event_time_ns) for b in batches}) == len(batches)
    for symbol in UNIVERSE.symbols:
        mine = [b for b in batches if b.header.source == f"feed.{symbol}"]
        assert [b.header.sequence for b in mine] == list(range(1, len(mine) + 1))
        assert all(np.isin(b.instrument, UNIVERSE.rows_of(symbol)).all() for b in mine)


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=50), st.integers(1, 50_000))
def test_sessions_cover_every_instant_and_are_apart(seconds: list[int], gap_s: int) -> None:
    times = np.array(seconds, np.int64) * 10**9
    sessions = sessions_of(times, gap_s)
    assert all(any(a <= t <= b for a, b in sessions) for t in times)
    assert all(nxt[0] - prev[1] > gap_s * 10**9 for prev, nxt in pairwise(sessions))
