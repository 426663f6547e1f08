"""Whatever the order and however its fills reach us, what we book is what the venue has filled, to the tick."""

from __future__ import annotations

from decimal import Decimal

import simplefix
from hypothesis import given, settings
from hypothesis import strategies as st

from common.messages import Side
from execution.venues.fix import outgoing
from execution.venues.fix.incoming import Now, report_events
from execution.venues.fix.message import FixMessage, Tag, parse, unframed
from execution.venues.fix.naming import Contracts
from execution.venues.fix.view import OrderView, restored
from execution.venues.port import VenueKind
from tests.fix_market import IDS, fix_order, fix_universe

UNIVERSE = fix_universe()
CONTRACTS = Contracts(UNIVERSE)


@settings(deadline=None)
@given(st.integers(0, len(IDS) - 1), st.sampled_from(list(Side)), st.integers(1, 10**6), st.integers(-(10**6), 10**7))
def test_what_is_ordered_is_what_a_venue_reads(instrument: int, side: Side, lots: int, ticks: int) -> None:
    order = fix_order("o1", instrument, side, lots, limit_ticks=ticks)
    raw = unframed(outgoing.new_order(order, CONTRACTS, "", 0))
    parser = simplefix.FixParser()
    parser.append_buffer(raw)
    read = parser.get_message()
    assert read.get(38) == str(lots).encode() and read.get(54) == (b"1" if side is Side.BUY else b"2")
    assert float(read.get(44)) == ticks * UNIVERSE.tick_size[instrument]
    same = [i for i in range(len(IDS)) if all(read.get(tag) == v.encode() for tag, v in CONTRACTS.name(i).tags)]
    assert same[0] == instrument or IDS[same[0]].split()[3] == "F"
    assert parse(raw).text(Tag.ClOrdID) == "o1"


TRADE = st.tuples(st.integers(1, 9), st.integers(900, 1100), st.sampled_from(["told", "lost", "late", "twice"]))


@settings(max_examples=150, deadline=None)
@given(st.lists(TRADE, min_size=1, max_size=12), st.integers(0, 12))
def test_lost_late_and_repeated_fills_come_to_the_venues_own_book(
    trades: list[tuple[int, int, str]], restart_after: int
) -> None:
    total = sum(lots for lots, _, _ in trades)
    view = OrderView(fix_order("o1", lots=total))
    booked: list[tuple[str, int, int]] = []
    late: list[FixMessage] = []
    cum = money = 0

    def hear(message: FixMessage) -> None:
        for event in report_events(message, view, CONTRACTS, Now(0, 0, 0)):
            assert event.kind in (VenueKind.FILL, VenueKind.ACCEPTED), event
            if event.kind is VenueKind.FILL:
                assert event.exec_id not in {exec_id for exec_id, _, _ in booked}
                booked.append((event.exec_id, event.lots, event.ticks))

    def said(kind: str, **fields: object) -> FixMessage:
        average = Decimal(money) / 4 / cum
        given = {"ClOrdID": "o1", "ExecType": kind, "CumQty": cum, "AvgPx": f"{average:.12f}"} | fields
        return FixMessage("8", tuple((int(Tag[name]), str(value)) for name, value in given.items()))

    for k, (lots, ticks, how) in enumerate(trades):
        cum, money = cum + lots, money + lots * ticks
        message = said("F", ExecID=f"E{k}", LastQty=lots, LastPx=Decimal(ticks) / 4)
        if how == "late":
            late.append(message)
        for _ in range({"told": 1, "twice": 2}.get(how, 0)):
            hear(message)
        if k == restart_after:
            view = restored(view.order, booked)
    hear(said("I", OrdStatus="2" if cum == total else "1"))
    for message in late:
        hear(message)
    assert sum(lots for _, lots, _ in booked) == cum == view.cum_lots
    assert sum(lots * ticks for _, lots, ticks in booked) == money
