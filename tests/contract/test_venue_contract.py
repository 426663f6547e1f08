"""What every venue must keep to, run over those there are. A new adapter joins the list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pytest

from common.calendars.day import Spans
from common.messages import Order, QuoteBatch, Side, TimeInForce
from common.tactics import Combo
from common.units import NS_PER_DAY, NS_PER_MIN, NS_PER_S
from execution.config import PaperConfig
from execution.venues.lasting import LastingVenue
from execution.venues.paper import PaperVenue
from execution.venues.port import TakesCombos, Venue, VenueEvent, VenueKind
from execution.venues.record import VenueRecord, from_line, from_pb, to_line, to_pb
from tests.execution_world import T0_NS, make_order, make_universe, quotes, standing

NOW_NS = T0_NS + NS_PER_S
DAY = TimeInForce.DAY
EXPIRY_NS = T0_NS + NS_PER_DAY  # of row 7, an option on BBB
CLOSE_NS, HALT_NS = T0_NS + 100 * NS_PER_MIN, (T0_NS + 10 * NS_PER_MIN, T0_NS + 20 * NS_PER_MIN)
DEFAULT = PaperConfig()
#: Nothing on its way, and whatever disappears was traded.
EXACT = PaperConfig(latency_ms=0.0, jitter_ms=0.0, queue_trade_percent=100, pre_open_min=5, halts_ns=(HALT_NS,))


class Make(Protocol):
    """Makes a fresh venue."""

    def __call__(self, config: PaperConfig = ..., sessions_ns: Spans = ()) -> Venue: ...


def plain(config: PaperConfig = DEFAULT, sessions_ns: Spans = ()) -> Venue:
    return PaperVenue(make_universe(), config, sessions_ns)


class Lasting:
    """The venue that remembers, heard as its process tells it: every record by way of its file and its line."""

    name = "lasting"

    def __init__(self, config: PaperConfig = DEFAULT, sessions_ns: Spans = ()) -> None:
        self._venue = LastingVenue(PaperVenue(make_universe(), config, sessions_ns))

    @property
    def next_due_ns(self) -> int | None:
        return self._venue.next_due_ns

    def submit(self, order: Order, now_ns: int) -> list[VenueEvent]:
        return events_of(self._venue.submit(order, now_ns))

    combos = True

    def submit_combo(self, legs: Sequence[Order], now_ns: int) -> list[VenueEvent]:
        return events_of(self._venue.submit_combo(legs, now_ns))

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
    told = [event for record in records if (event := record.event) is not None]
    heard = [from_pb(to_pb(from_line(to_line(record)))).event for record in records if record.event is not None]
    assert heard == told
    return told


@pytest.fixture(params=[plain, Lasting], ids=["paper", "lasting"])
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


def combo_of(name: str, units: int, net_ticks: int) -> list[Order]:
    """Two options bought and one future sold a unit, of instruments whose tick is USD 12.50."""
    legs = Combo(((f"{name}.1", 2), (f"{name}f.1", 1)), net_ticks * 1250)
    return [
        make_order(f"{name}.1", 1, lots=2 * units, combo=legs),
        make_order(f"{name}f.1", 0, Side.SELL, lots=units, combo=legs),
    ]


def test_a_combo_is_told_leg_by_leg_in_ratio_within_its_net_and_ends_once(make: Make) -> None:
    venue = quoted(make)
    assert isinstance(venue, TakesCombos) and venue.combos
    told = venue.submit_combo(combo_of("a", 7, 2 * 1002 - 1000), NOW_NS) + drain(venue)
    for name, lots, ticks in (("a.1", 10, 1002), ("af.1", 5, 1000)):
        mine = [e for e in told if e.client_order_id == name]
        assert [(e.kind, e.lots) for e in mine] == [
            (VenueKind.ACCEPTED, 0), (VenueKind.FILL, lots), (VenueKind.CANCELED, 0),
        ]  # fmt: skip
        assert mine[1].ticks == ticks and mine[1].fee_cents == 125 * lots
        assert venue.ask(name, NOW_NS) == mine
    ids = [e.exec_id for e in told]
    assert len(ids) == len(set(ids))


def test_a_combo_beyond_its_net_ends_unfilled_and_takes_nothing(make: Make) -> None:
    venue = quoted(make)
    assert isinstance(venue, TakesCombos)
    told = venue.submit_combo(combo_of("a", 5, 2 * 1002 - 1000 - 1), NOW_NS) + drain(venue)
    assert [e.kind for e in told] == [VenueKind.ACCEPTED] * 2 + [VenueKind.CANCELED] * 2
    after = venue.submit(make_order("b", 1, lots=10), NOW_NS + NS_PER_S) + drain(venue)
    assert sum(e.lots for e in after if e.kind is VenueKind.FILL) == 10


def test_equal_input_gives_equal_output(make: Make) -> None:
    def run() -> list[VenueEvent]:
        venue = quoted(make)
        told = [e for k in range(20) for e in venue.submit(make_order(f"o{k}", lots=2), NOW_NS + k)]
        return told + drain(venue)

    assert run() == run()


# -- the queue, the day, settlement ------------------------------------------------------------------------------------


def rested(venue: Venue, name: str, lots: int, at_ns: int = NOW_NS, limit_ticks: int = 1000) -> None:
    venue.submit(make_order(name, lots=lots, limit_ticks=limit_ticks, time_in_force=DAY), at_ns)
    assert [e.kind for e in venue.on_time(at_ns)] == [VenueKind.ACCEPTED]


def brief(told: list[VenueEvent]) -> list[tuple[str, int, int]]:
    assert {e.kind for e in told} <= {VenueKind.FILL}
    return [(e.client_order_id, e.lots, e.ticks) for e in told]


def test_a_resting_order_waits_behind_what_is_shown_and_fills_at_its_own_limit(make: Make) -> None:
    venue = make(EXACT, ((T0_NS, CLOSE_NS),))
    venue.on_quotes(standing(size=10))
    rested(venue, "a", 4)
    rested(venue, "b", 4)

    def quoted(sequence: int, bid: int, ask: int, shown: int) -> list[tuple[str, int, int]]:
        return brief(venue.on_quotes(quotes(sequence, (0, bid, ask, shown, 3), at_ns=NOW_NS + sequence * NS_PER_S)))

    assert quoted(2, 1000, 1002, 4) == []  # six of the ten ahead
    assert quoted(3, 1000, 1002, 9) == []  # who comes now stands behind
    assert quoted(4, 1000, 1002, 3) == [("a", 2, 1000)]  # the last four ahead, then two of the first
    # The last three at the price, then three shown, at 999, by who comes to us.
    assert quoted(5, 997, 999, 9) == [("a", 2, 1000), ("b", 1, 1000), ("b", 3, 1000)]


def test_a_smaller_quantity_keeps_the_place_and_any_other_change_goes_to_the_end(make: Make) -> None:
    for lots, expected in ((3, [("n", 3, 1000), ("b", 1, 1000)]), (5, [("b", 4, 1000)])):
        venue = make(EXACT, ((T0_NS, CLOSE_NS),))
        venue.on_quotes(standing(size=10))
        rested(venue, "a", 4)
        rested(venue, "b", 4)
        new = make_order("n", lots=lots, limit_ticks=1000, time_in_force=DAY, orig_client_order_id="a")
        venue.replace("a", new, NOW_NS + NS_PER_S)
        assert [e.kind for e in venue.on_time(NOW_NS + NS_PER_S)] == [VenueKind.REPLACED]
        venue.on_quotes(quotes(2, (0, 1000, 1002, 4, 10), at_ns=NOW_NS + 2 * NS_PER_S))
        venue.on_quotes(quotes(3, (0, 1000, 1002, 8, 10), at_ns=NOW_NS + 3 * NS_PER_S))
        assert brief(venue.on_quotes(quotes(4, (0, 1000, 1002, 0, 10), at_ns=NOW_NS + 4 * NS_PER_S))) == expected


def test_what_was_taken_comes_back_with_its_half_life_whatever_is_quoted(make: Make) -> None:
    venue = make(EXACT.model_copy(update={"refill_half_life_ms": 1000.0, "halts_ns": ()}))
    venue.on_quotes(standing(size=8))
    filled: list[int] = []
    for k, at_ns in enumerate((NOW_NS, NOW_NS, NOW_NS + NS_PER_S)):
        venue.on_quotes(standing(2 + k, size=8 + k, at_ns=at_ns))
        venue.submit(make_order(f"o{k}", lots=8), at_ns)
        filled.append(sum(e.lots for e in venue.on_time(at_ns) if e.kind is VenueKind.FILL))
    assert filled == [8, 1, 5]  # of nine shown eight are missing; of ten shown half of nine is, rounded up


@pytest.mark.parametrize(
    ("at_ns", "why"),
    [(T0_NS - NS_PER_S, "pre-open"), (HALT_NS[0], "halted"), (CLOSE_NS, "closed"), (T0_NS - NS_PER_DAY, "closed")],
)
def test_an_order_outside_the_open_market_is_rejected_with_the_phase(make: Make, at_ns: int, why: str) -> None:
    venue = make(EXACT, ((T0_NS, CLOSE_NS),))
    venue.submit(make_order("a"), at_ns)
    (told,) = venue.on_time(at_ns)
    assert told.kind is VenueKind.REJECTED and why in told.text
    assert venue.ask("a", at_ns) == [told]


def test_in_a_halt_nothing_fills_and_a_cancel_is_taken(make: Make) -> None:
    venue = make(EXACT, ((T0_NS, CLOSE_NS),))
    venue.on_quotes(standing(size=10))
    rested(venue, "stays", 1)
    rested(venue, "goes", 1)
    inside_ns = HALT_NS[0] + NS_PER_S
    assert venue.on_quotes(quotes(2, (0, 998, 1000, 5, 5), at_ns=inside_ns)) == []
    venue.cancel("goes", inside_ns)
    assert [(e.client_order_id, e.kind) for e in venue.on_time(inside_ns)] == [("goes", VenueKind.CANCELED)]
    (fill,) = venue.on_quotes(quotes(3, (0, 998, 1000, 5, 5), at_ns=HALT_NS[1]))
    assert (fill.kind, fill.client_order_id, fill.ticks) == (VenueKind.FILL, "stays", 1000)


def test_a_day_order_ends_once_at_the_close_and_not_with_the_next_day(make: Make) -> None:
    venue = make(EXACT, ((T0_NS, CLOSE_NS), (T0_NS + NS_PER_DAY, CLOSE_NS + NS_PER_DAY)))
    venue.on_quotes(standing(size=10))
    rested(venue, "a", 1)
    assert venue.next_due_ns == CLOSE_NS and venue.on_time(CLOSE_NS - 1) == []
    (end,) = venue.on_time(CLOSE_NS)
    assert (end.kind, end.event_time_ns) == (VenueKind.EXPIRED, CLOSE_NS)
    next_day_ns = T0_NS + NS_PER_DAY + NS_PER_S
    assert [
        e for e in venue.on_quotes(quotes(2, (0, 998, 1000, 5, 5), at_ns=next_day_ns)) if e.client_order_id == "a"
    ] == []
    venue.cancel("a", next_day_ns)
    assert [e.kind for e in venue.on_time(next_day_ns)] == [VenueKind.CANCEL_REJECTED]


def test_contracts_settle_once_at_their_instant_behind_the_orders_in_them(make: Make) -> None:
    venue = make(EXACT, ((T0_NS, EXPIRY_NS), (EXPIRY_NS + NS_PER_MIN, EXPIRY_NS + NS_PER_DAY)))
    venue.on_quotes(standing(symbol="BBB", at_ns=T0_NS))
    venue.submit(make_order("a", instrument=7, limit_ticks=990, time_in_force=DAY), NOW_NS)
    venue.on_time(NOW_NS)
    assert venue.on_time(EXPIRY_NS - 1) == [] and venue.next_due_ns == EXPIRY_NS
    end, settled = venue.on_time(EXPIRY_NS)
    assert (end.kind, end.client_order_id) == (VenueKind.EXPIRED, "a")
    name = f"S-BBB-{EXPIRY_NS}"
    assert (settled.kind, settled.exec_id, settled.client_order_id) == (VenueKind.SETTLED, name, name)
    assert (settled.instrument, settled.lots, settled.ticks, settled.fee_cents) == (7, 0, 1001, 0)
    later_ns = EXPIRY_NS + 2 * NS_PER_MIN
    venue.submit(make_order("late", instrument=7), later_ns - 1)
    told = venue.on_quotes(standing(2, symbol="BBB", at_ns=later_ns)) + venue.on_time(later_ns)
    assert [(e.client_order_id, e.kind) for e in told] == [("late", VenueKind.REJECTED)]
    assert "has expired" in told[0].text


def test_the_venue_with_a_memory_tells_what_the_plain_one_tells() -> None:
    def run(make: Make) -> list[VenueEvent]:
        rng = np.random.default_rng(5)
        config = PaperConfig(refill_half_life_ms=500.0, impact_ticks_per_100_lots=10.0, halts_ns=(HALT_NS,))
        venue, told = make(config, ((T0_NS, CLOSE_NS), (EXPIRY_NS, EXPIRY_NS + NS_PER_DAY))), list[VenueEvent]()
        for k in range(1, 400):
            at_ns, bid, shown = T0_NS + k * 16 * NS_PER_S, int(rng.integers(996, 1002)), rng.integers(0, 12, 2).tolist()
            told += venue.on_quotes(quotes(k, (0, bid, bid + int(rng.integers(0, 3)), *shown), at_ns=at_ns))
            side, tif = Side(int(rng.integers(1, 3))), TimeInForce.DAY if rng.integers(3) else TimeInForce.IOC
            limit, lots = int(rng.integers(996, 1003)), int(rng.integers(1, 15))
            told += venue.submit(make_order(f"o{k}", 0, side, lots, limit_ticks=limit, time_in_force=tif), at_ns)
            if k % 7 == 0:
                told += venue.cancel(f"o{k - 3}", at_ns)
        told += venue.on_quotes(standing(1, symbol="BBB", at_ns=CLOSE_NS - NS_PER_S)) + venue.on_time(CLOSE_NS)
        return told + venue.on_quotes(standing(2, symbol="BBB", at_ns=EXPIRY_NS)) + venue.on_time(EXPIRY_NS)

    told = run(plain)
    assert told == run(Lasting)
    assert {e.kind for e in told} >= {VenueKind.FILL, VenueKind.CANCELED, VenueKind.REJECTED, VenueKind.EXPIRED}
    assert sum(e.kind is VenueKind.SETTLED for e in told) == 1
