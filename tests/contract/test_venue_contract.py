"""What every venue must keep to, run over those there are. A new adapter joins the list."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from common.messages import Order, QuoteBatch, Side, TimeInForce
from common.units import NS_PER_S
from execution.config import PaperConfig
from execution.venues.lasting import LastingVenue
from execution.venues.paper import PaperVenue
from execution.venues.port import Venue, VenueEvent, VenueKind
from execution.venues.record import VenueRecord
from tests.execution_world import T0_NS, make_order, make_universe, quotes, standing

Make = Callable[[], Venue]
NOW_NS = T0_NS + NS_PER_S


class Lasting:
    """The venue that remembers, spoken to as its process speaks to it."""

    name = "lasting"

    def __init__(self) -> None:
        self._venue = LastingVenue(PaperVenue(make_universe(), PaperConfig()))

    @property
    def next_due_ns(self) -> int | None:
        return self._venue.next_due_ns

    def submit(self, order: Order, now_ns: int) -> list[VenueEvent]:
        return events_of(self._venue.submit(order, now_ns))

    def cancel(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        return events_of(self._venue.cancel(client_order_id, now_ns))

    def replace(self, original_id: str, order: Order, now_ns: int) -> list[VenueEvent]:
        assert order.orig_client_order_id == original_id
        return events_of(self._venue.replace(order, now_ns))

    def ask(self, client_order_id: str, now_ns: int) -> list[VenueEvent]:
        records = self._venue.ask(client_order_id)
        if records is None:
            return [VenueEvent(VenueKind.NOT_FOUND, client_order_id, now_ns)]
        return events_of(records)

    def on_quotes(self, batch: QuoteBatch) -> list[VenueEvent]:
        return events_of(self._venue.on_quotes(batch))

    def on_time(self, now_ns: int) -> list[VenueEvent]:
        return events_of(self._venue.on_time(now_ns))


def events_of(records: list[VenueRecord]) -> list[VenueEvent]:
    return [event for record in records if (event := record.event) is not None]


@pytest.fixture(params=[lambda: PaperVenue(make_universe(), PaperConfig()), Lasting], ids=["paper", "lasting"])
def make(request: pytest.FixtureRequest) -> Make:
    return request.param


def drain(venue: Venue) -> list[VenueEvent]:
    out: list[VenueEvent] = []
    while (due := venue.next_due_ns) is not None and due < NOW_NS + 60 * NS_PER_S:
        out += venue.on_time(due)
    return out


def quoted(make: Make) -> Venue:
    venue = make()
    venue.on_quotes(standing())
    return venue


def test_an_order_is_accepted_before_anything_else_and_ends_once(make: Make) -> None:
    venue = quoted(make)
    told = venue.submit(make_order("a", lots=15), NOW_NS) + drain(venue)
    kinds = [e.kind for e in told]
    assert kinds[0] is VenueKind.ACCEPTED
    assert kinds[-1] is VenueKind.CANCELED
    assert sum(e.lots for e in told if e.kind is VenueKind.FILL) == 10
    assert all(e.event_time_ns >= NOW_NS for e in told)


def test_exec_ids_are_unique_and_repeated_when_asked(make: Make) -> None:
    venue = quoted(make)
    told = [e for name in ("a", "b") for e in venue.submit(make_order(name, lots=4), NOW_NS)] + drain(venue)
    ids = [e.exec_id for e in told if e.kind is VenueKind.FILL]
    assert len(ids) == len(set(ids)) == 2
    again = venue.ask("a", NOW_NS)
    assert again == [e for e in told if e.client_order_id == "a"]


def test_an_order_it_never_had_is_not_found(make: Make) -> None:
    (answer,) = quoted(make).ask("nobody", NOW_NS)
    assert answer.kind is VenueKind.NOT_FOUND


def test_a_cancel_ends_a_resting_order_and_comes_too_late_for_a_filled_one(make: Make) -> None:
    venue = quoted(make)
    resting = make_order("rest", side=Side.BUY, limit_ticks=990, time_in_force=TimeInForce.DAY)
    told = venue.submit(resting, NOW_NS) + venue.submit(make_order("done"), NOW_NS) + drain(venue)
    assert {e.client_order_id for e in told if e.kind is VenueKind.FILL} == {"done"}
    told = venue.cancel("rest", NOW_NS + NS_PER_S) + venue.cancel("done", NOW_NS + NS_PER_S) + drain(venue)
    assert {(e.client_order_id, e.kind) for e in told} == {
        ("rest", VenueKind.CANCELED),
        ("done", VenueKind.CANCEL_REJECTED),
    }


def test_a_cancel_sent_right_behind_its_order_never_overtakes_it(make: Make) -> None:
    venue = quoted(make)
    resting = make_order("a", limit_ticks=990, time_in_force=TimeInForce.DAY)
    told = venue.submit(resting, NOW_NS) + venue.cancel("a", NOW_NS) + drain(venue)
    assert [e.kind for e in told] == [VenueKind.ACCEPTED, VenueKind.CANCELED]


def test_a_replacement_takes_the_place_and_counts_what_was_filled_before(make: Make) -> None:
    venue = quoted(make)
    told = venue.submit(make_order("a", lots=15, time_in_force=TimeInForce.DAY), NOW_NS) + drain(venue)
    assert [(e.kind, e.lots) for e in told] == [(VenueKind.ACCEPTED, 0), (VenueKind.FILL, 10)]
    new = make_order("b", lots=12, limit_ticks=1001, time_in_force=TimeInForce.DAY, orig_client_order_id="a")
    told = venue.replace("a", new, NOW_NS + NS_PER_S) + drain(venue)
    assert [(e.kind, e.client_order_id) for e in told] == [(VenueKind.REPLACED, "b")]
    told = venue.on_quotes(quotes(2, (0, 999, 1001, 50, 50), at_ns=NOW_NS + 30 * NS_PER_S)) + drain(venue)
    assert [(e.kind, e.client_order_id, e.lots, e.ticks) for e in told] == [(VenueKind.FILL, "b", 2, 1001)]
    assert sum(e.lots for e in venue.ask("a", NOW_NS) + venue.ask("b", NOW_NS) if e.kind is VenueKind.FILL) == 12


@pytest.mark.parametrize("total", [10, 4])
def test_a_total_already_filled_is_replaced_and_nothing_works(make: Make, total: int) -> None:
    venue = quoted(make)
    venue.submit(make_order("a", lots=15, time_in_force=TimeInForce.DAY), NOW_NS)
    drain(venue)
    new = make_order("b", lots=total, time_in_force=TimeInForce.DAY, orig_client_order_id="a")
    told = venue.replace("a", new, NOW_NS + NS_PER_S) + drain(venue)
    assert [(e.kind, e.client_order_id) for e in told] == [(VenueKind.REPLACED, "b")]
    told = (
        venue.on_quotes(standing(2, size=99, at_ns=NOW_NS + 30 * NS_PER_S)) + venue.cancel("b", NOW_NS) + drain(venue)
    )
    assert [(e.kind, e.client_order_id) for e in told] == [(VenueKind.CANCEL_REJECTED, "b")]


def test_a_replacement_of_what_has_ended_is_rejected_and_one_of_what_works_survives_a_late_cancel(make: Make) -> None:
    venue = quoted(make)
    venue.submit(make_order("done"), NOW_NS)
    venue.submit(make_order("rest", limit_ticks=990, time_in_force=TimeInForce.DAY), NOW_NS)
    drain(venue)
    late = make_order("late", lots=2, orig_client_order_id="done")
    told = venue.replace("done", late, NOW_NS + NS_PER_S) + drain(venue)
    assert [(e.kind, e.client_order_id) for e in told] == [(VenueKind.REPLACE_REJECTED, "late")]
    new = make_order("new", lots=2, limit_ticks=991, time_in_force=TimeInForce.DAY, orig_client_order_id="rest")
    venue.replace("rest", new, NOW_NS + 2 * NS_PER_S)
    drain(venue)
    told = venue.cancel("rest", NOW_NS + 3 * NS_PER_S) + venue.cancel("new", NOW_NS + 3 * NS_PER_S) + drain(venue)
    assert {(e.client_order_id, e.kind) for e in told} == {
        ("rest", VenueKind.CANCEL_REJECTED),
        ("new", VenueKind.CANCELED),
    }


def test_equal_input_gives_equal_output(make: Make) -> None:
    def run() -> list[VenueEvent]:
        venue = quoted(make)
        told = [e for k in range(20) for e in venue.submit(make_order(f"o{k}", lots=2), NOW_NS + k)]
        return told + drain(venue)

    assert run() == run()
