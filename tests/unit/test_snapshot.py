from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from common.instruments import CALL, future, option
from common.market.build import Terms, build_universe
from common.messages import Header, QuoteBatch
from common.snapshot import MarketSnapshot
from common.units import NO_PRICE
from common.universe import Universe

SPX_F = future("SPX", date(2018, 3, 16))


@pytest.fixture
def universe() -> Universe:
    calls = [option("SPX", date(2018, 3, 16), strike, CALL) for strike in (2700.0, 2800.0, 2900.0)]
    return build_universe([SPX_F, *calls], [], {"SPX": Terms(SPX_F.id, 0.0, 0.0)}, np.eye(1), "test")


def _batch(
    sequence: int, rows: dict[int, tuple[int, int, int, int]], *, snapshot: bool = False, at: int = 0
) -> QuoteBatch:
    columns = np.array(list(rows.values()), np.int32).reshape(-1, 4)
    return QuoteBatch(
        Header("feed.SPX", sequence, at or sequence * 1000),
        np.array(list(rows), np.uint32),
        *(np.ascontiguousarray(columns[:, c]) for c in range(4)),
        snapshot=snapshot,
    )


ALL = {0: (11000, 11001, 5, 5), 1: (100, 110, 3, 3), 2: (50, 55, 3, 3), 3: (10, 12, 3, 3)}


def test_newest_wins_and_old_news_is_ignored(universe: Universe) -> None:
    market = MarketSnapshot(universe)
    assert market.apply(_batch(1, ALL))
    assert market.apply(_batch(2, {1: (101, 111, 4, 4)}))
    assert not market.apply(_batch(1, {1: (1, 2, 1, 1)}))
    assert not market.apply(_batch(2, {1: (1, 2, 1, 1)}))
    assert market.mid()[:2].tolist() == pytest.approx([2750.125, 5.3])
    assert market.now_ns == 2000
    assert market.quote_time_ns.tolist() == [1000, 2000, 1000, 1000]
    assert market.seen() == (("feed.SPX", 2),)


@pytest.mark.parametrize(
    "bad",
    [
        (110, 100, 3, 3),  # crossed
        (100, 100, 3, 3),  # locked
        (NO_PRICE, 110, 0, 3),
        (100, NO_PRICE, 3, 0),
        (NO_PRICE, NO_PRICE, 0, 0),
        (100, 110, 0, 3),  # nothing behind the bid
        (-5, 110, 3, 3),
    ],
)
def test_unusable_quotes_stand_but_do_not_count(universe: Universe, bad: tuple[int, int, int, int]) -> None:
    market = MarketSnapshot(universe)
    market.apply(_batch(1, ALL | {2: bad}))
    assert market.usable().tolist() == [True, True, False, True]
    assert market.unusable == 1
    assert (market.bid_ticks[2], market.ask_ticks[2]) == bad[:2]
    assert np.isnan(market.mid()[2]) == (NO_PRICE in bad[:2])


def test_a_gap_silences_the_source_until_a_snapshot_heals_it(universe: Universe) -> None:
    market = MarketSnapshot(universe)
    market.apply(_batch(1, ALL))
    market.apply(_batch(3, {1: (101, 111, 4, 4)}))
    assert not market.usable().any()
    assert market.sources["feed.SPX"].gaps == 1
    market.apply(_batch(4, {1: (102, 112, 4, 4)}))
    assert not market.usable().any()
    assert not market.apply(_batch(3, ALL, snapshot=True))
    assert market.apply(_batch(4, ALL, snapshot=True))
    assert market.usable().all()
    assert market.apply(_batch(5, {1: (103, 113, 4, 4)}))
    assert market.usable().all()


def test_a_first_batch_that_is_not_number_one_is_a_gap(universe: Universe) -> None:
    market = MarketSnapshot(universe)
    market.apply(_batch(7, ALL))
    assert not market.usable().any()


def test_the_snapshot_batch_rebuilds_an_equal_snapshot(universe: Universe) -> None:
    market = MarketSnapshot(universe)
    market.apply(_batch(1, {k: ALL[k] for k in (0, 1)}))
    market.apply(_batch(2, {1: (NO_PRICE, 111, 0, 4)}))
    other = MarketSnapshot(universe)
    other.apply(market.as_batch("SPX"))
    for name in ("bid_ticks", "ask_ticks", "bid_size_lots", "ask_size_lots", "quote_time_ns"):
        np.testing.assert_array_equal(getattr(other, name), getattr(market, name))
    assert other.seen() == market.seen()
    assert other.apply(_batch(3, {1: (100, 110, 1, 1)}))
    assert other.usable()[1]
