"""Hours of the paper venue: the phase as the reason of a refusal, what rests through a halt, hours from a calendar."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from common.messages import TimeInForce
from common.units import NS_PER_DAY, NS_PER_MIN, NS_PER_MS, NS_PER_S
from execution.config import PaperConfig
from execution.venues.paper import PaperVenue
from execution.venues.paper_hours import hours_of
from execution.venues.port import VenueKind
from tests.execution_world import T0_NS, make_order, make_universe, quotes, standing

DAY = TimeInForce.DAY
OPEN_NS, CLOSE_NS = T0_NS, T0_NS + 100 * NS_PER_MIN
HALT_NS = (T0_NS + 10 * NS_PER_MIN, T0_NS + 20 * NS_PER_MIN)
CONFIG = PaperConfig(latency_ms=0.0, jitter_ms=0.0, queue_trade_percent=100, pre_open_min=5, halts_ns=(HALT_NS,))


def venue() -> PaperVenue:
    made = PaperVenue(make_universe(), CONFIG, ((OPEN_NS, CLOSE_NS),))
    made.on_quotes(standing(at_ns=OPEN_NS))
    return made


def send(v: PaperVenue, name: str, at_ns: int, **order: object) -> list:
    v.submit(make_order(name, **order), at_ns)
    return v.on_time(at_ns)


@pytest.mark.parametrize(
    ("at_ns", "why"),
    [
        (OPEN_NS - 6 * NS_PER_MIN, "the market is closed"),
        (OPEN_NS - NS_PER_MIN, "pre-open"),
        (HALT_NS[0], "the market is halted"),
        (CLOSE_NS, "opens no more"),
    ],
)
def test_an_order_outside_the_open_market_is_refused_with_the_phase(at_ns: int, why: str) -> None:
    v = PaperVenue(make_universe(), CONFIG, ((OPEN_NS, CLOSE_NS),))
    (told,) = send(v, "a", at_ns)
    assert told.kind is VenueKind.REJECTED and why in told.text


def test_an_order_rests_through_a_halt_unfilled_and_ends_at_the_close() -> None:
    v = venue()
    send(v, "a", OPEN_NS + NS_PER_S, lots=9, limit_ticks=1000, time_in_force=DAY)
    inside = HALT_NS[0] + NS_PER_MIN
    # In the halt the bid falls away and an ask reaches the order: nothing trades.
    assert v.on_quotes(quotes(2, (0, 990, 1000, 5, 5), at_ns=inside)) == []
    # The first quote after it still stands against one of the halt: nothing is read into the difference.
    assert v.on_quotes(quotes(3, (0, 990, 1001, 1, 5), at_ns=HALT_NS[1])) == []
    after = HALT_NS[1] + NS_PER_S
    (fill,) = v.on_quotes(quotes(4, (0, 980, 1001, 1, 5), at_ns=after))
    assert (fill.lots, fill.ticks) == (1, 1000)
    assert v.next_due_ns == CLOSE_NS
    (end,) = v.on_time(CLOSE_NS)
    assert end.kind is VenueKind.EXPIRED and end.event_time_ns == CLOSE_NS


def test_cancels_are_taken_in_a_halt() -> None:
    v = venue()
    send(v, "a", OPEN_NS + NS_PER_S, limit_ticks=990, time_in_force=DAY)
    v.cancel("a", HALT_NS[0] + NS_PER_MS)
    assert [e.kind for e in v.on_time(HALT_NS[0] + NS_PER_S)] == [VenueKind.CANCELED]


def test_a_calendar_brings_its_halts_holidays_and_early_closes() -> None:
    noon = int(datetime(2019, 11, 27, 18, tzinfo=UTC).timestamp()) * NS_PER_S
    data = ((noon, noon + NS_PER_MIN), (noon + 2 * NS_PER_DAY, noon + 2 * NS_PER_DAY + NS_PER_MIN))
    hours = hours_of(PaperConfig(calendar="XNYS"), data)
    assert hours.refusal(noon) == ""
    assert "holiday" in hours.refusal(noon + NS_PER_DAY)
    assert "closed" in hours.refusal(noon + 2 * NS_PER_DAY)  # 13:00 in New York: the early close
    with pytest.raises(ValueError, match="needs the sessions"):
        hours_of(PaperConfig(calendar="XNYS"), ())
