"""The paper venue's rules, each on a hand-made tape."""

from __future__ import annotations

import pytest

from common.errors import Refused
from common.messages import Side, TimeInForce
from common.units import NS_PER_DAY, NS_PER_MS, NS_PER_S
from execution.config import PaperConfig
from execution.venues.paper import PaperVenue
from execution.venues.port import VenueEvent, VenueKind
from tests.execution_world import FEE_CENTS, T0_NS, make_order, make_universe, quotes, standing

DAY = TimeInForce.DAY
EXACT = PaperConfig(latency_ms=50.0, jitter_ms=0.0)
S1_NS = T0_NS + NS_PER_S


def venue(config: PaperConfig = EXACT, sessions: tuple = ()) -> PaperVenue:
    made = PaperVenue(make_universe(), config, sessions)
    made.on_quotes(standing())
    return made


def brief(events: list[VenueEvent]) -> list[tuple]:
    return [
        (e.client_order_id, e.kind.name, e.lots, e.ticks)
        if e.kind is VenueKind.FILL
        else (e.client_order_id, e.kind.name)
        for e in events
    ]


def test_it_fills_at_the_quote_of_the_arrival_not_of_the_decision() -> None:
    v = venue()
    v.submit(make_order("a", limit_ticks=1005), S1_NS)
    assert v.next_due_ns == S1_NS + 50 * NS_PER_MS
    early = v.on_quotes(quotes(2, (0, 1002, 1004, 3, 3), at_ns=S1_NS + 49 * NS_PER_MS))
    assert early == []
    told = v.on_time(S1_NS + 50 * NS_PER_MS)
    assert brief(told) == [("a", "ACCEPTED"), ("a", "FILL", 1, 1004)]
    assert (told[1].bid_ticks, told[1].ask_ticks, told[1].fee_cents) == (1002, 1004, FEE_CENTS)
    assert told[1].event_time_ns == S1_NS + 50 * NS_PER_MS


def test_what_arrived_before_new_quotes_meets_the_old_ones() -> None:
    v = venue()
    v.submit(make_order("a", limit_ticks=1005), S1_NS)
    told = v.on_quotes(quotes(2, (0, 1002, 1004, 3, 3), at_ns=S1_NS + 51 * NS_PER_MS))
    assert brief(told) == [("a", "ACCEPTED"), ("a", "FILL", 1, 1002)]


def test_what_arrives_with_new_quotes_meets_the_new_ones() -> None:
    v = venue()
    v.submit(make_order("a", limit_ticks=1005), S1_NS)
    told = v.on_quotes(quotes(2, (0, 1002, 1004, 3, 3), at_ns=S1_NS + 50 * NS_PER_MS))
    assert brief(told) == [("a", "ACCEPTED"), ("a", "FILL", 1, 1004)]


def test_size_is_used_up_until_the_side_is_quoted_anew() -> None:
    v = venue()
    for name, lots in (("a", 7), ("b", 7)):
        v.submit(make_order(name, lots=lots), S1_NS)
    told = v.on_time(S1_NS + NS_PER_S)
    assert brief(told) == [
        ("a", "ACCEPTED"),
        ("a", "FILL", 7, 1002),
        ("b", "ACCEPTED"),
        ("b", "FILL", 3, 1002),
        ("b", "CANCELED"),
    ]
    # The same ask again is the same liquidity; a new bid size does not refill the ask.
    v.on_quotes(quotes(2, (0, 1000, 1002, 99, 10), at_ns=S1_NS + 2 * NS_PER_S))
    v.submit(make_order("c", lots=1), S1_NS + 2 * NS_PER_S)
    assert brief(v.on_time(S1_NS + 3 * NS_PER_S)) == [("c", "ACCEPTED"), ("c", "CANCELED")]
    v.on_quotes(quotes(3, (0, 1000, 1002, 99, 11), at_ns=S1_NS + 4 * NS_PER_S))
    v.submit(make_order("d", lots=12), S1_NS + 4 * NS_PER_S)
    assert brief(v.on_time(S1_NS + 5 * NS_PER_S))[1] == ("d", "FILL", 11, 1002)


@pytest.mark.parametrize(
    "row",
    [(0, 1000, None, 5, 0), (0, 1003, 1002, 5, 5), (0, 1002, 1002, 5, 5), (0, 1000, 1002, 5, 0)],
    ids=["absent", "crossed", "locked", "no size"],
)
def test_an_unusable_side_never_fills(row: tuple) -> None:
    v = venue()
    v.on_quotes(quotes(2, row))
    v.submit(make_order("a"), S1_NS + NS_PER_S)
    assert brief(v.on_time(S1_NS + 2 * NS_PER_S)) == [("a", "ACCEPTED"), ("a", "CANCELED")]


def test_a_gap_stops_fills_until_a_snapshot_heals_it() -> None:
    v = venue()
    v.on_quotes(quotes(5, (1, 1000, 1002, 5, 5), at_ns=S1_NS))
    v.submit(make_order("a", time_in_force=DAY), S1_NS)
    assert brief(v.on_time(S1_NS + NS_PER_S)) == [("a", "ACCEPTED")]
    told = v.on_quotes(quotes(5, (0, 1000, 1002, 5, 5), at_ns=S1_NS, snapshot=True))
    assert brief(told) == [("a", "FILL", 1, 1002)]


def test_old_batches_change_nothing() -> None:
    v = venue()
    v.on_quotes(quotes(2, (0, 1000, 1004, 5, 5)))
    v.on_quotes(quotes(2, (0, 1000, 1001, 5, 5)))
    v.on_quotes(quotes(1, (0, 1000, 1001, 5, 5), snapshot=True))
    v.submit(make_order("a", limit_ticks=2000), S1_NS + NS_PER_S)
    assert brief(v.on_time(S1_NS + 2 * NS_PER_S))[1] == ("a", "FILL", 1, 1004)


def test_the_rest_of_a_day_order_rests_and_fills_later_better_limits_first() -> None:
    v = venue()
    v.submit(make_order("low", lots=4, limit_ticks=1000, time_in_force=DAY), S1_NS)
    v.submit(make_order("high", lots=4, limit_ticks=1001, time_in_force=DAY), S1_NS)
    v.submit(make_order("part", lots=13, limit_ticks=1002, time_in_force=DAY), S1_NS)
    assert ("part", "FILL", 10, 1002) in brief(v.on_time(S1_NS + NS_PER_S))
    told = v.on_quotes(quotes(2, (0, 998, 1000, 5, 9), at_ns=S1_NS + 2 * NS_PER_S))
    # Of the 10 lots that stood at 1000 a quarter was traded, rounded down; then the new ask of 9 reaches all three. A resting
    # order trades at its own limit.
    assert brief(told) == [
        ("part", "FILL", 2, 1002),
        ("part", "FILL", 1, 1002),
        ("high", "FILL", 4, 1001),
        ("low", "FILL", 4, 1000),
    ]


def test_sells_meet_the_bid() -> None:
    v = venue()
    v.submit(make_order("a", side=Side.SELL, lots=3, limit_ticks=999), S1_NS)
    v.submit(make_order("b", side=Side.SELL, lots=3, limit_ticks=1001), S1_NS)
    assert brief(v.on_time(S1_NS + NS_PER_S)) == [
        ("a", "ACCEPTED"),
        ("a", "FILL", 3, 1000),
        ("b", "ACCEPTED"),
        ("b", "CANCELED"),
    ]


def test_sessions_close_half_open_and_day_orders_with_them() -> None:
    close_ns = S1_NS + 60 * NS_PER_S
    v = venue(sessions=((T0_NS, close_ns), (T0_NS + NS_PER_DAY, T0_NS + NS_PER_DAY + NS_PER_S)))
    v.submit(make_order("a", limit_ticks=990, time_in_force=DAY), S1_NS)
    v.on_time(S1_NS + NS_PER_S)
    assert v.next_due_ns == close_ns
    v.submit(make_order("late"), close_ns - 50 * NS_PER_MS)
    told = v.on_quotes(quotes(2, (0, 980, 985, 5, 5), at_ns=close_ns))
    assert sorted(brief(told)) == [("a", "EXPIRED"), ("late", "REJECTED")]
    assert v.next_due_ns is None


def test_an_expired_instrument_rejects_and_takes_its_resting_orders_along() -> None:
    v = venue()
    v.on_quotes(standing(symbol="BBB"))
    v.submit(make_order("a", instrument=7, limit_ticks=990, time_in_force=DAY), S1_NS)
    v.on_time(S1_NS + NS_PER_S)
    expiry_ns = T0_NS + NS_PER_DAY
    assert v.next_due_ns == expiry_ns
    assert brief(v.on_time(expiry_ns)) == [("a", "EXPIRED"), (f"S-BBB-{expiry_ns}", "SETTLED")]
    v.submit(make_order("b", instrument=7), expiry_ns)
    assert brief(v.on_time(expiry_ns + NS_PER_S)) == [("b", "REJECTED")]


def test_latency_and_rejects_are_fixed_by_seed_and_id() -> None:
    def arrivals(seed: int) -> list[int]:
        v = venue(PaperConfig(latency_ms=50.0, jitter_ms=10.0, seed=seed))
        out = []
        for k in range(200):
            v.submit(make_order(f"o{k}"), S1_NS)
            out.append(next(due for due, _, _, name in v._way._due if name == f"o{k}") - S1_NS)
        return out

    first = arrivals(1)
    assert first == arrivals(1) != arrivals(2)
    assert all(50 * NS_PER_MS <= a < 60 * NS_PER_MS for a in first)
    assert max(first) - min(first) > 8 * NS_PER_MS
    v = venue(PaperConfig(reject_share=0.3))
    for k in range(500):
        v.submit(make_order(f"o{k}"), S1_NS)
    rejected = sum(e.kind is VenueKind.REJECTED for e in v.on_time(S1_NS + NS_PER_S))
    assert 110 <= rejected <= 190  # 0.3 × 500 ± 4 standard deviations


def test_a_second_submission_of_an_id_is_an_error() -> None:
    v = venue()
    v.submit(make_order("a"), S1_NS)
    with pytest.raises(Refused, match="second time"):
        v.submit(make_order("a"), S1_NS)
