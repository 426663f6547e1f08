"""Client trades and the drawdown stop: neither a good deal nor a price typed wrong is a gain or a loss of those who hold."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.control_messages import TradesImported
from common.units import NO_PRICE
from common.universe import Book
from common.universe import Desk as DeskOf
from manager import events as ev
from manager.budgets_scopes import drawdown_of, levels_usd
from manager.snapshot import decode, encode
from tests.budgets_world import STOP, busy, desk, rounds
from tests.manager_world import Desk, limits, quotes
from tests.steering_world import bring, row


def level(of: Desk) -> float:
    (found,) = levels_usd(of.state, "firm", 0)
    return found


def watched() -> Desk:
    """A desk under a drawdown stop whose first round has been held."""
    return busy(desk(drawdown=STOP), (0.3,))


def look(of: Desk) -> str:
    """Why the firm is reduce-only after the rounds of a minute."""
    for _ in range(2):
        of.feed(31.0)
        of.decide()
    return rounds(of)[-1].reduce_only[0]


def name(of: Desk, at: int) -> str:
    return of.world.instrument_id[at]


@pytest.mark.parametrize("lots", [-400, 400])
def test_a_price_typed_wrong_and_corrected_stops_nobody(lots: int) -> None:
    """A hundred times the price: 1.2 million USD gained or lost on the screen, against a stop of 50,000."""
    one = watched()
    before, mark = level(one), float(one.state.market.mid_of(np.array([5]))[0])
    bring(one, "i1", row(2, "T1", name(one, 5), lots, 100.0 * mark))
    assert abs(lots * 99.0 * mark * one.world.multiplier_usd[5]) > 10.0 * STOP.stop_usd, "the case this test is about"
    assert level(one) == pytest.approx(before, abs=0.02)
    assert not look(one)
    at = level(one)
    bring(one, "i2", row(2, "T2", name(one, 5), lots, mark, corrects="T1"))
    assert level(one) == pytest.approx(at, abs=0.05)
    assert not look(one) and drawdown_of(one.state, "firm") < STOP.stop_usd


def test_what_a_clients_position_loses_afterwards_is_a_loss() -> None:
    one = watched()
    future = int(one.world.underlyings[0].future_instrument)
    mark = float(one.state.market.mid_of(np.array([future]))[0])
    bring(one, "i1", row(2, "T1", name(one, future), 40, mark + 3.0))
    assert not look(one)
    before = level(one)
    one.feed(31.0, shift=-0.01)
    moved = float(one.state.market.mid_of(np.array([future]))[0]) - mark
    held = one.state.fold.ledger.traded
    ours = float(held @ np.nan_to_num(one.state.market.mid() * one.world.multiplier_usd))
    one.feed(31.0, shift=0.0)
    ours -= float(held @ np.nan_to_num(one.state.market.mid() * one.world.multiplier_usd))
    one.feed(31.0, shift=-0.01)
    assert moved < 0.0
    assert level(one) - before == pytest.approx(40 * moved * one.world.multiplier_usd[future] + ours, abs=0.05)


def test_each_desk_has_its_own() -> None:
    """The trade of one is neither a gain nor a loss of the other."""
    desks = (DeskOf("one", "E", ("a",)), DeskOf("two", "E", ("b",)))
    book = Book("book", ("a", "b"), np.array([5, 6], np.uint32), np.array([1, 1], np.int64), np.empty(0), desks)
    owner = {"gamma/SPX@one": "gamma-0", "gamma/SPX@two": "gamma-0"}
    several = Desk(book=book, owner=owner, limits=limits(drawdown_by_desk={"one": STOP, "two": STOP}))
    before = [levels_usd(several.state, f"desk:{d}", 0)[0] for d in ("one", "two")]
    assert bring(several, "i1", row(2, "T1", name(several, 5), -400, 900.0, account="b")).accepted
    edge = several.state.fold.ledger.edge_cents
    assert edge["one"] == 0 and edge["two"] > 100 * STOP.stop_usd
    after = [levels_usd(several.state, f"desk:{d}", 0)[0] for d in ("one", "two")]
    assert after == pytest.approx(before, abs=0.02)


def test_a_contract_that_cannot_be_marked_counts_at_its_price() -> None:
    one = watched()
    last = one.state.market.sources["feed.SPX"]
    batch = quotes(one.world, "SPX", last.sequence + 1, one.now_ns)
    one.send(ev.MarketNews(replace(batch, bid_ticks=np.full(len(batch.bid_ticks), NO_PRICE, np.int32))))
    assert bring(one, "i1", row(2, "T1", name(one, 5), -10, 7.0)).accepted
    event = next(e.event for e in one.journal if isinstance(e.event, TradesImported))
    assert event.marks == () and event.market_seen == one.state.market.seen()
    assert not any(one.state.fold.ledger.edge_cents.values())


TRADES = st.lists(
    st.tuples(st.integers(0, 9), st.integers(-500, 500).filter(bool), st.floats(0.0, 1e4), st.integers(0, 8)),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(TRADES)
def test_no_import_moves_the_level_whatever_it_brings_corrects_or_takes_back(
    rows: Iterable[tuple[int, int, float, int]],
) -> None:
    one = Desk(limits=desk(drawdown=STOP).state.fold.limits)
    one.feed(1.0)
    stands: list[tuple[str, int, int]] = []
    for k, (at, lots, price, pick) in enumerate(rows):
        what, more, gone = f"T{k}", {}, None
        if stands and pick < 6:
            gone = stands.pop(pick % len(stands))
            more = {"corrects" if pick < 3 else "cancels": gone[0]}
            at, lots = (at, lots) if pick < 3 else gone[1:]
        ack = bring(one, f"i{k}", row(2, what, name(one, at), lots, price, **more))
        assert ack.accepted, ack.text
        if gone is None or pick < 3:
            stands.append((what, at, lots))
        assert level(one) == pytest.approx(0.0, abs=0.01 * 3 * (k + 1))
    again = decode(encode(one.state.fold, one.state.setup.run_id), one.state.setup)
    assert again.ledger.edge_cents == one.state.fold.ledger.edge_cents
