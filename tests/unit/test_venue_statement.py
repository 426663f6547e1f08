"""The tally of a venue: numbers, positions and open orders, pages, what it forgets, and the line it travels on."""

from __future__ import annotations

import asyncio

from common.messages import Side, TimeInForce
from common.units import NS_PER_S
from execution.config import PaperConfig
from execution.venues.lasting import LastingVenue
from execution.venues.paper import PaperVenue
from execution.venues.statement import StatedFill, StatedOrder, StatingVenue, Tally
from execution.venues.statement_codec import statement_from_pb, statement_to_pb
from execution.venues.tallied import TalliedVenue
from tests.execution_world import FEE_CENTS, T0_NS, make_order, make_universe, standing

NOW_NS = T0_NS + NS_PER_S


def fill(n: int, lots: int = 1, order: str = "a") -> StatedFill:
    return StatedFill(f"F{n}", order, 0, lots, 1000, 5, T0_NS + n)


def test_pages_follow_each_other_and_say_what_lies_before_them() -> None:
    tally = Tally()
    for n in range(1, 6):
        tally.filled(fill(n))
    first = tally.statement(0, 2)
    assert ([f.exec_id for f in first.fills], first.first, first.count, first.from_time_ns) == (["F1", "F2"], 1, 5, 0)
    last = tally.statement(3, 2)
    assert ([f.exec_id for f in last.fills], last.from_time_ns, last.more) == (["F4", "F5"], T0_NS + 3, False)
    assert first.more
    beyond = tally.statement(99, 2)
    assert (beyond.fills, beyond.first, beyond.count, beyond.position_lots) == ((), 6, 5, {0: 5})


def test_what_is_forgotten_counts_in_number_and_position() -> None:
    tally = Tally(kept=2)
    for n in range(1, 6):
        tally.filled(fill(n))
    stated = tally.statement(0, 10)
    assert (stated.first, stated.count, stated.from_time_ns) == (4, 5, T0_NS + 3)
    assert stated.position_lots == {0: 5}


def test_an_order_is_open_until_it_is_filled_or_ends() -> None:
    tally = Tally()
    tally.taken(StatedOrder("a", 2, -3, 1000))
    tally.taken(StatedOrder("b", 2, 3, 1000))
    tally.filled(StatedFill("F1", "a", -1, 2, 1000, 5, T0_NS))
    assert [(o.client_order_id, o.cum_lots) for o in tally.statement(0, 9).orders] == [("a", 2), ("b", 0)]
    assert tally.statement(0, 9).fills[0].signed_lots == -2  # the side is the order's
    tally.filled(StatedFill("F2", "a", -1, 1, 1000, 5, T0_NS))
    tally.ended("b")
    assert tally.statement(0, 9).orders == ()
    assert tally.statement(0, 9).position_lots == {2: -3}


def test_a_late_fill_of_a_replaced_order_counts_for_what_replaced_it() -> None:
    tally = Tally()
    tally.taken(StatedOrder("a", 0, 9, 1000))
    tally.filled(fill(1, lots=2))
    tally.taken(StatedOrder("b", 0, 7, 1001), "a")
    assert [(o.client_order_id, o.cum_lots) for o in tally.statement(0, 9).orders] == [("a", 2), ("b", 0)]
    tally.replaced("b")
    assert tally.statement(0, 9).orders == (StatedOrder("b", 0, 7, 1001, 2),)
    tally.filled(fill(2, lots=4))
    assert tally.statement(0, 9).orders == (StatedOrder("b", 0, 7, 1001, 6),)
    tally.filled(fill(3, lots=1))
    assert (tally.statement(0, 9).orders, tally.statement(0, 9).position_lots) == ((), {0: 7})


def test_replacements_are_stated_alike_whether_inside_or_with_a_file() -> None:
    inside = TalliedVenue(PaperVenue(make_universe(), PaperConfig()))
    lasting = LastingVenue(PaperVenue(make_universe(), PaperConfig()))
    day = TimeInForce.DAY
    original = make_order("a", 0, Side.BUY, 9, time_in_force=day)
    taken = make_order("b", 0, Side.BUY, 7, limit_ticks=990, time_in_force=day, orig_client_order_id="a")
    less = make_order("c", 0, Side.BUY, 3, limit_ticks=990, time_in_force=day, orig_client_order_id="b")
    refused = make_order("d", 0, Side.BUY, 3, limit_ticks=990, time_in_force=day, orig_client_order_id="a")
    for venue in (inside, lasting):
        venue.on_quotes(standing(size=4))
        venue.submit(original, NOW_NS)
        venue.on_time(NOW_NS + NS_PER_S)
    orders = []
    for at, order in enumerate((taken, refused, less)):
        inside.replace(order.orig_client_order_id, order, NOW_NS + (at + 1) * NS_PER_S)
        lasting.replace(order, NOW_NS + (at + 1) * NS_PER_S)
        for venue in (inside, lasting):
            venue.on_time(NOW_NS + (at + 2) * NS_PER_S)
        orders.append(asyncio.run(inside.statement(0, 10)).orders)
        assert lasting.statement(0, 10).orders == orders[-1]
        again = LastingVenue(PaperVenue(make_universe(), PaperConfig()), lasting.records)
        assert again.statement(0, 10) == lasting.statement(0, 10)
    assert orders == [(StatedOrder("b", 0, 7, 990, 4),), (StatedOrder("b", 0, 7, 990, 4),), ()]


def test_the_paper_venue_states_what_it_did_whether_inside_or_with_a_file() -> None:
    inside = TalliedVenue(PaperVenue(make_universe(), PaperConfig()))
    lasting = LastingVenue(PaperVenue(make_universe(), PaperConfig()))
    assert isinstance(inside, StatingVenue)
    for venue in (inside, lasting):
        venue.on_quotes(standing(size=4))
        venue.submit(make_order("a", 0, Side.BUY, 3), NOW_NS)
        venue.submit(make_order("b", 1, Side.SELL, 9, time_in_force=TimeInForce.DAY), NOW_NS)
        venue.submit(make_order("c", 2, Side.BUY, 2, limit_ticks=990), NOW_NS)
        venue.on_time(NOW_NS + NS_PER_S)
    mine, theirs = asyncio.run(inside.statement(0, 10)), lasting.statement(0, 10)
    assert mine.volatile and not theirs.volatile
    assert (mine.fills, mine.orders, mine.position_lots) == (theirs.fills, theirs.orders, theirs.position_lots)
    assert mine.position_lots == {0: 3, 1: -4}
    assert mine.orders == (StatedOrder("b", 1, -9, 1000, 4),)
    assert sorted(f.fee_cents for f in mine.fills) == [3 * FEE_CENTS, 4 * FEE_CENTS]
    again = LastingVenue(PaperVenue(make_universe(), PaperConfig()), lasting.records)
    assert again.statement(0, 10) == theirs
    assert statement_from_pb(statement_to_pb(7, theirs)) == theirs
    assert statement_to_pb(7, theirs).number == 7
