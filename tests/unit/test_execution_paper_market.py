"""What own trades do to the market, each rule by hand: half-lives, permanent impact, the refill at a new quote."""

from __future__ import annotations

from common.messages import Side, TimeInForce
from common.units import NS_PER_MS, NS_PER_S
from execution.config import PaperConfig
from execution.venues.paper import PaperVenue
from execution.venues.port import VenueEvent, VenueKind
from tests.execution_world import T0_NS, make_order, make_universe, quotes, standing

NOW_NS = T0_NS + NS_PER_S


def venue(**changes: object) -> PaperVenue:
    config = PaperConfig(latency_ms=0.0, jitter_ms=0.0).model_copy(update=changes)
    made = PaperVenue(make_universe(), config)
    made.on_quotes(standing())
    return made


def send(v: PaperVenue, name: str, at_ns: int, **order: object) -> list[tuple[int, int]]:
    v.submit(make_order(name, **order), at_ns)
    return fills(v.on_time(at_ns))


def fills(told: list[VenueEvent]) -> list[tuple[int, int]]:
    return [(e.lots, e.ticks) for e in told if e.kind is VenueKind.FILL]


def test_half_of_what_was_taken_is_back_after_a_half_life_whatever_is_quoted() -> None:
    v = venue(refill_half_life_ms=1000.0)
    assert send(v, "a", NOW_NS, lots=8) == [(8, 1002)]
    v.on_quotes(quotes(2, (0, 1000, 1002, 10, 12), at_ns=NOW_NS))
    # 12 shown, 8 missing: 4 are left at once; one half-life later 4 of them are missing, two later 2, each less what was taken.
    assert send(v, "b", NOW_NS, lots=20) == [(4, 1002)]
    v.on_quotes(quotes(3, (0, 1000, 1002, 10, 13), at_ns=NOW_NS))
    assert send(v, "c", NOW_NS + NS_PER_S, lots=20) == [(7, 1002)]  # 13 - 12 / 2
    v.on_quotes(quotes(4, (0, 1000, 1002, 10, 14), at_ns=NOW_NS + NS_PER_S))
    assert send(v, "d", NOW_NS + 3 * NS_PER_S, lots=20) == [(10, 1002)]  # 14 - ceil((6 + 7) / 4)


def test_a_quote_that_stands_gives_nothing_back_however_long_one_waits() -> None:
    v = venue(refill_half_life_ms=1.0)
    assert send(v, "a", NOW_NS, lots=10) == [(10, 1002)]
    assert send(v, "b", NOW_NS + 3600 * NS_PER_S, lots=1) == []


def test_without_a_half_life_a_new_quote_brings_everything_back() -> None:
    v = venue()
    assert send(v, "a", NOW_NS, lots=10) == [(10, 1002)]
    v.on_quotes(quotes(2, (0, 1000, 1002, 10, 11), at_ns=NOW_NS + NS_PER_MS))
    assert send(v, "b", NOW_NS + NS_PER_MS, lots=20) == [(11, 1002)]


def test_permanent_impact_is_linear_in_net_lots_and_never_in_our_favour() -> None:
    v = venue(impact_ticks_per_100_lots=50.0)
    far = {"limit_ticks": 1100}
    assert send(v, "a", NOW_NS, lots=4, **far) == [(4, 1002)]
    assert send(v, "b", NOW_NS, lots=4, **far) == [(4, 1004)]  # 4 net lots bought: 2 ticks
    assert send(v, "c", NOW_NS, lots=1, limit_ticks=1005) == []  # 8 lots: 4 ticks, beyond its limit
    low = {"side": Side.SELL, "limit_ticks": 900}
    assert send(v, "d", NOW_NS, lots=10, **low) == [(10, 1000)]  # the bid is where it is quoted, not 4 ticks above
    v.on_quotes(quotes(2, (0, 1000, 1002, 40, 40), at_ns=NOW_NS))
    assert send(v, "e", NOW_NS, lots=6, **low) == [(6, 999)]  # net sold 2 lots: 1 tick
    v.on_quotes(quotes(3, (0, 1000, 1002, 41, 41), at_ns=NOW_NS))
    assert send(v, "f", NOW_NS, lots=1, **far) == [(1, 1002)]


def test_an_order_that_rested_moves_nothing() -> None:
    v = venue(impact_ticks_per_100_lots=100.0, queue_trade_percent=100)
    send(v, "a", NOW_NS, lots=5, limit_ticks=1001, time_in_force=TimeInForce.DAY)
    assert fills(v.on_quotes(quotes(2, (0, 1000, 1002, 3, 10), at_ns=NOW_NS))) == [(5, 1001)]
    assert send(v, "b", NOW_NS, lots=1, limit_ticks=1100) == [(1, 1002)]
