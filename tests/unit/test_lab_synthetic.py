"""The synthetic market is what it says: deterministic, usable, in order, and its book opens without delta."""

from __future__ import annotations

import numpy as np

from common.snapshot import MarketSnapshot
from lab.synthetic import SyntheticMarket, short_book, theoretical

MARKET = SyntheticMarket(sessions=2, session_s=600, step_s=60.0)


def test_two_iterations_are_equal_and_in_order() -> None:
    one, two = list(MARKET.batches()), list(MARKET.batches())
    assert len(one) == len(two) == 2 * 2 * 11
    for a, b in zip(one, two, strict=True):
        assert a.header == b.header and a.bid_ticks.tobytes() == b.bid_ticks.tobytes()
    times = [b.header.event_time_ns for b in one]
    assert times == sorted(times)


def test_every_quote_is_usable_and_sequences_have_no_gap() -> None:
    snapshot = MarketSnapshot(MARKET.universe)
    for batch in MARKET.batches():
        assert snapshot.apply(batch)
    assert snapshot.usable().all() and snapshot.unusable == 0
    assert not any(s.gaps for s in snapshot.sources.values())


def test_batches_keep_their_bound_and_ids_are_unique() -> None:
    market = SyntheticMarket(session_s=60, step_s=60.0, strikes=26, batch_max=200)
    assert max(len(b.instrument) for b in market.batches()) == 200
    assert len(set(market.universe.instrument_id)) == len(market.universe)


def test_the_book_is_short_and_opens_near_zero_delta() -> None:
    book = short_book(MARKET, 60)
    universe = MARKET.universe
    lots = book.net_lots(len(universe))
    assert (lots[universe.kind == 1] <= 0).all() and (lots[universe.kind == 1] < 0).sum() == 60
    for k, symbol in enumerate(universe.symbols):
        rows = universe.rows_of(symbol)
        opens = MARKET.session_bounds_ns[0][0]
        _, delta = theoretical(universe, k, opens, 3000.0 + 2000.0 * k, 0.2)
        points = float((lots[rows] * delta * universe.multiplier_usd[rows]).sum())
        assert abs(points) <= 0.5 * universe.multiplier_usd[rows[0]] + 1e-9
    assert np.isfinite(universe.covariance_daily).all()
