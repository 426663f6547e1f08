"""What a venue says, row by row, and fills that never came."""

from __future__ import annotations

import pytest

from common.messages import Side
from common.units import NO_PRICE
from execution.venues.fix.incoming import Now, cancel_reject_event, order_named, report_events
from execution.venues.fix.message import FixMessage, Tag
from execution.venues.fix.naming import Contracts
from execution.venues.fix.view import OrderView, restored
from execution.venues.port import VenueKind
from tests.fix_market import fix_order, fix_universe

CONTRACTS = Contracts(fix_universe())
NOW = Now(42, 1000, NO_PRICE)
FEE = 125


def view(lots: int = 10) -> OrderView:
    return OrderView(fix_order("o1", lots=lots))


def told(seen: OrderView, **fields: object) -> list[tuple]:
    given = {"ClOrdID": "o1", "Side": "1", "Symbol": "ESH0"} | fields
    message = FixMessage("8", tuple((int(Tag[name]), str(value)) for name, value in given.items()))
    events = report_events(message, seen, CONTRACTS, NOW)
    assert all(e.client_order_id == "o1" and e.event_time_ns == 42 for e in events)
    return [(e.kind.name, e.lots, e.ticks) if e.kind is VenueKind.FILL else e.kind.name for e in events]


def trade(venue_id: str, lots: int, cum: int, average: float = 250.0, price: float = 250.0) -> dict[str, object]:
    return {"ExecType": "F", "ExecID": venue_id, "LastQty": lots, "LastPx": price, "CumQty": cum, "AvgPx": average}


@pytest.mark.parametrize(
    ("fields", "kinds"),
    [
        ({"ExecType": "0"}, ["ACCEPTED"]),
        ({"ExecType": "4", "CumQty": 0}, ["CANCELED"]),
        ({"ExecType": "C"}, ["EXPIRED"]),
        ({"ExecType": "3"}, ["EXPIRED"]),
        ({"ExecType": "8", "OrdRejReason": 99}, ["REJECTED"]),
        ({"ExecType": "8", "OrdRejReason": 5}, ["NOT_FOUND"]),
        ({"ExecType": "8", "OrdRejReason": 6}, ["DUPLICATE"]),
        ({"ExecType": "5"}, ["REPLACED"]),
        ({"ExecType": "6"}, []),
        ({"ExecType": "E"}, []),
        ({"ExecType": "A"}, []),
        ({"ExecType": "D", "OrderQty": 10}, []),
        ({"ExecType": "D", "OrderQty": 4}, ["DISPUTED"]),
        ({"ExecType": "I", "OrdStatus": "0", "CumQty": 0}, ["ACCEPTED"]),
        ({"ExecType": "I", "OrdStatus": "4", "CumQty": 0}, ["CANCELED"]),
        ({"ExecType": "I", "OrdStatus": "C", "CumQty": 0}, ["EXPIRED"]),
        ({"ExecType": "I", "OrdStatus": "8", "OrdRejReason": 5}, ["NOT_FOUND"]),
        ({"ExecType": "I", "OrdStatus": "8"}, ["REJECTED"]),
        ({"ExecType": "I", "OrdStatus": "2", "CumQty": 10, "AvgPx": 250}, [("FILL", 10, 1000)]),
        # Filled, it says, but not how much: nothing can be booked.
        ({"ExecType": "I", "OrdStatus": "2"}, ["DISPUTED"]),
        (trade("E1", 4, 4), [("FILL", 4, 1000)]),
        ({"ExecType": "F", "ExecID": "E1", "LastQty": 4, "LastPx": 250}, [("FILL", 4, 1000)]),
        (trade("E1", 4, 4, price=250.1), [("FILL", 4, 1000), "DISPUTED"]),
        (trade("E1", 4, 4) | {"Side": "2"}, [("FILL", 4, 1000), "DISPUTED"]),
        (trade("E1", 4, 4) | {"Symbol": "NQH0"}, [("FILL", 4, 1000), "DISPUTED"]),
        (trade("E1", 0, 0), ["DISPUTED"]),
        (trade("", 4, 4), ["DISPUTED"]),
        (trade("E1", 4, 4) | {"LastQty": "1.5"}, ["DISPUTED"]),
        (trade("E1", 4, 4) | {"LastQty": "-4"}, ["DISPUTED"]),
        (trade("E1", 4, 4) | {"LastPx": "two"}, ["DISPUTED"]),
        ({"ExecType": "Z"}, ["DISPUTED"]),
        ({}, ["DISPUTED"]),
    ],
)
def test_each_exec_type_means_what_fix_44_says(fields: dict, kinds: list) -> None:
    assert told(view(), **fields) == kinds


def test_a_trade_told_again_counts_once() -> None:
    seen = view()
    assert told(seen, **trade("E1", 4, 4)) == [("FILL", 4, 1000)]
    assert told(seen, **trade("E1", 4, 4)) == []
    # Another ExecID, but the venue's own count has not moved: the same lots again.
    assert told(seen, **trade("E9", 4, 4)) == ["DISPUTED"]
    assert told(seen, **trade("E9", 4, 4)) == []
    again = restored(seen.order, [("o1:E1", 4, 1000)])
    assert told(again, **trade("E1", 4, 4)) == []


def test_a_late_trade_after_a_cancel_is_booked_once() -> None:
    seen = view()
    assert told(seen, ExecType="4", CumQty=0) == ["CANCELED"]
    assert told(seen, **trade("E1", 2, 2)) == [("FILL", 2, 1000)]
    assert told(seen, **trade("E1", 2, 2)) == []


def test_corrections_and_busts_are_told_once_and_book_nothing() -> None:
    seen = view()
    told(seen, **trade("E1", 4, 4))
    bust = {"ExecType": "H", "ExecID": "E2", "ExecRefID": "E1", "CumQty": 0}
    assert told(seen, **bust) == ["DISPUTED"] and told(seen, **bust) == [] and seen.cum_lots == 4
    assert told(seen, ExecType="G", ExecID="E3", ExecRefID="E1", LastQty=3, LastPx=251) == ["DISPUTED"]


def test_lost_fills_are_booked_to_the_tick_and_known_again_when_they_come_late() -> None:
    # Lost: 2 at 250.00 and 3 at 250.50; told: 1 at 251.00, which makes 6 at an average of 250.4166...
    seen = view()
    average = (2 * 250 + 3 * 250.5 + 251) / 6
    out = told(seen, **trade("E3", 1, 6, average, 251.0))
    assert out == [("FILL", 4, 1001), ("FILL", 1, 1002), ("FILL", 1, 1004)]
    assert seen.notional_ticks == 2 * 1000 + 3 * 1002 + 1004
    assert told(seen, **trade("E1", 2, 2, 250.0)) == []
    ids = [("o1:status 0-4", 4, 1001), ("o1:status 4-5", 1, 1002), ("o1:E3", 1, 1004)]
    assert seen.exec_ids >= {i for i, _, _ in ids}
    later = restored(seen.order, ids)
    assert told(later, **trade("E1", 2, 2, 250.0)) == []


def test_a_status_that_counts_less_than_is_booked_stops_trading_only_where_it_ends_the_order() -> None:
    seen = view()
    told(seen, **trade("E1", 4, 4))
    assert told(seen, ExecType="I", OrdStatus="1", CumQty=2, AvgPx=250) == ["ACCEPTED"]
    assert told(seen, ExecType="I", OrdStatus="4", CumQty=2, AvgPx=250) == ["CANCELED", "DISPUTED"]


def test_fees_are_the_venues_where_it_states_them() -> None:
    def fees(**more: object) -> list[int]:
        given = trade("E1", 4, 4) | more
        message = FixMessage("8", tuple((int(Tag[name]), str(value)) for name, value in given.items()))
        return [e.fee_cents for e in report_events(message, view(), CONTRACTS, NOW)]

    assert fees() == [4 * FEE]
    assert fees(Commission="7.25", CommType="3") == [725]
    assert fees(Commission="0.5", CommType="1") == [4 * FEE]


@pytest.mark.parametrize(
    ("given", "original", "name"),
    [("o1", "", "o1"), ("o1~7", "o1", "o1"), ("o1~7", "", "o1"), ("o2", "o1", "o2"), ("Q~3", "o1", "o1")],
)
def test_a_report_speaks_of_the_order_and_not_of_the_cancel(given: str, original: str, name: str) -> None:
    assert order_named(FixMessage("8", ((11, given), (41, original)))) == name


def test_a_cancel_reject() -> None:
    def event(to: str) -> tuple[VenueKind, str]:
        e = cancel_reject_event(FixMessage("9", ((11, "o2~4" if to == "1" else "o2"), (41, "o1"), (434, to))), 0)
        return e.kind, e.client_order_id

    assert event("1") == (VenueKind.CANCEL_REJECTED, "o1")
    assert event("2") == (VenueKind.REPLACE_REJECTED, "o2")


def test_side_of_the_world() -> None:
    assert view().order.side is Side.BUY
