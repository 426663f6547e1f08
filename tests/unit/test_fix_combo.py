"""What a FIX venue says of a combo, leg by leg and of the whole, and what is said to it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from common.errors import Unavailable
from common.messages import Order, OrdStatus, Side, TimeInForce
from common.tactics import Combo
from execution.venues.fix import outgoing
from execution.venues.fix.ledger import Ledger
from execution.venues.fix.message import FixMessage, Tag
from execution.venues.fix.naming import Contracts
from execution.venues.fix.news import Said
from execution.venues.port import TakesCombos, VenueEvent
from execution.venues.port import VenueKind as K
from tests.execution_world import T0_NS
from tests.fix_market import fix_order, fix_universe
from tests.unit.test_fix_ledger import Records, said
from tests.unit.test_fix_venue import World

CONTRACTS = Contracts(fix_universe())
COMBO = Combo((("l.1", 3), ("d.1", 2)), -12_345)
LEGS = (
    fix_order("l.1", 1, lots=12, combo=COMBO),
    fix_order("d.1", 0, Side.SELL, lots=8, combo=COMBO),
)


def ledger(legs: tuple[Order, ...] = LEGS) -> Ledger:
    records = Records()
    for leg in legs:
        records.put(leg)
    return Ledger(CONTRACTS, records)


def whole(exec_type: str, **fields: object) -> FixMessage:
    usual = {"ClOrdID": "l.1", "ExecID": f"w{exec_type}", "ExecType": exec_type, "MultiLegReportingType": 3, "Side": 1}
    return said("8", **(usual | {"Symbol": "ESH0"} | fields))


def leg(exec_id: str, lots: int, price: str, **fields: object) -> FixMessage:
    usual = {"ClOrdID": "l.1", "ExecID": exec_id, "ExecType": "F", "MultiLegReportingType": 2}
    return said("8", **(usual | {"LastQty": lots, "LastPx": price} | fields))


def brief(events: list[VenueEvent]) -> list[tuple[K, str, int, int]]:
    return [(e.kind, e.client_order_id, e.lots, e.ticks) for e in events]


def test_what_is_said_of_the_whole_is_said_of_every_leg() -> None:
    for exec_type, kind in (("0", K.ACCEPTED), ("4", K.CANCELED), ("C", K.EXPIRED), ("8", K.REJECTED)):
        assert brief(ledger().take(whole(exec_type, CumQty=0), T0_NS)) == [(kind, n, 0, 0) for n in ("l.1", "d.1")]
    gone = whole("I", OrdStatus="8", OrdRejReason=5, CumQty=0)
    assert [e.kind for e in ledger().take(gone, T0_NS)] == [K.NOT_FOUND] * 2
    assert ledger().take(whole("F", LastQty=2, LastPx="-4.5", CumQty=2), T0_NS) == []


def test_a_fill_is_its_legs_by_reference_by_id_or_by_contract() -> None:
    option = {"SecurityType": "OPT", "PutOrCall": 1, "StrikePrice": 3000, "Symbol": "ESH0", "Side": 1}
    for named, name in (
        ({"LegRefID": "l.1"}, "l.1"),
        ({"LegRefID": "d.1"}, "d.1"),
        ({"ClOrdID": "d.1"}, "d.1"),
        (option, "l.1"),
        ({"SecurityType": "FUT", "Symbol": "ESH0", "Side": 2}, "d.1"),
    ):
        # CumQty of a leg's report is of whichever the venue thinks best, and not read.
        found = ledger().take(leg("e1", 6, "250.5", **({"CumQty": 99} | named)), T0_NS)
        assert brief(found) == [(K.FILL, name, 6, 1002)]
        assert found[0].exec_id == f"{name}:e1"
    (unclear,) = ledger().take(leg("e1", 6, "250.5", Symbol="ESH0"), T0_NS)
    assert unclear.kind is K.DISPUTED and "none of its legs" in unclear.text
    wrong = ledger().take(leg("e1", 6, "250.5", LegRefID="l.1", Side=2), T0_NS)
    assert [e.kind for e in wrong] == [K.FILL, K.DISPUTED]


def test_a_leg_told_twice_counts_once_also_after_a_restart() -> None:
    at = ledger()
    assert len(at.take(leg("e1", 3, "250.5", LegRefID="l.1"), T0_NS)) == 1
    assert at.take(leg("e1", 3, "250.5", LegRefID="l.1"), T0_NS) == []
    assert len(at.take(leg("e1", 2, "250.5", LegRefID="d.1"), T0_NS)) == 1
    records = Records()
    records.put(LEGS[0], fills=[("l.1:e1", 3, 1002)])
    records.put(LEGS[1])
    again = Ledger(CONTRACTS, records)
    assert again.take(leg("e1", 3, "250.5", LegRefID="l.1"), T0_NS) == []
    assert brief(again.take(leg("e1", 2, "250", LegRefID="d.1"), T0_NS)) == [(K.FILL, "d.1", 2, 1000)]


def test_a_leg_that_was_never_told_is_booked_from_the_count_and_disputed_and_a_late_report_of_it_is_the_same() -> None:
    at = ledger()
    at.take(leg("e1", 6, "250.5", LegRefID="l.1"), T0_NS)
    told = at.take(whole("4", CumQty=2, OrderQty=4), T0_NS)
    assert brief(told) == [
        (K.CANCELED, "l.1", 0, 0),
        (K.FILL, "d.1", 4, 1000),
        (K.CANCELED, "d.1", 0, 0),
        (K.DISPUTED, "d.1", 0, 0),
    ]
    assert "never told" in told[-1].text
    assert at.take(leg("e2", 4, "250", LegRefID="d.1"), T0_NS) == []
    assert brief(at.take(leg("e3", 4, "250", LegRefID="d.1"), T0_NS)) == [(K.FILL, "d.1", 4, 1000)]


def test_what_cannot_be_read_or_is_not_ours_is_disputed_and_a_reject_ends_every_leg() -> None:
    assert [e.kind for e in ledger().take(whole("4", CumQty="1.5"), T0_NS)] == [K.DISPUTED]
    (found,) = ledger(LEGS[:1]).take(whole("0"), T0_NS)
    assert found.kind is K.DISPUTED and "not every leg" in found.text
    at = ledger()
    message = outgoing.multileg(LEGS, CONTRACTS, "", 0)
    at.sent(FixMessage(message.msg_type, ((Tag.MsgSeqNum, "7"), *message.fields)))
    refused = at.take(said("3", RefSeqNum=7, Text="no"), T0_NS)
    assert [(e.kind, e.client_order_id) for e in refused] == [(K.REJECTED, "l.1"), (K.REJECTED, "d.1")]


def test_the_price_is_the_net_of_a_unit_in_points_of_the_first_leg() -> None:
    # -12,345 cents over USD 50 a point.
    assert outgoing.multileg(LEGS, CONTRACTS, "", 0).text(Tag.Price) == "-2.469"
    # One that rests is a DAY order, one that takes is IOC.
    for lasts, code in ((TimeInForce.DAY, "0"), (TimeInForce.IOC, "3")):
        message = outgoing.multileg([replace(leg, time_in_force=lasts) for leg in LEGS], CONTRACTS, "", 0)
        assert message.text(Tag.TimeInForce) == code
    odd = replace(fix_universe(), multiplier_usd=fix_universe().multiplier_usd * 0.6)
    assert Contracts(odd).net_price(1, 100) == "0.033333333" and Contracts(odd).net_price(1, -100) == "-0.033333334"


def test_it_is_sent_asked_about_and_cancelled_once_for_all_legs() -> None:
    async def play() -> None:
        async with World(combos=True) as world:
            assert isinstance(world.venue, TakesCombos) and world.venue.combos
            with pytest.raises(Unavailable):
                world.venue.submit_combo(LEGS, 1)
            world.open_gate()
            world.engine.sent.clear()
            for order in LEGS:
                world.records.put(order, OrdStatus.PENDING_NEW)
            world.venue.submit_combo(LEGS, 1)
            assert world.engine.kinds() == ["AB"]
            for name in ("l.1", "d.1"):
                world.venue.ask(name, 1)
            (question,) = world.engine.sent
            assert (question.text(Tag.ClOrdID), question.text(Tag.SecurityType)) == ("l.1", "MLEG")
            world.engine.sent.clear()
            for name in ("d.1", "d.1"):
                world.venue.cancel(name, 1)
            (cancel,) = world.engine.sent
            assert (cancel.text(Tag.OrigClOrdID), cancel.text(Tag.OrderQty), cancel.text(Tag.Side)) == ("l.1", "4", "1")
            world.tell(Said.LOGGED_OUT)
            doubt = [(e.kind, e.client_order_id) for e in world.heard]
            assert doubt == [(K.UNCERTAIN, "l.1"), (K.UNCERTAIN, "d.1")]
            for order in LEGS:
                world.records.put(order, OrdStatus.UNKNOWN)
            world.engine.sent.clear()
            world.open_gate()
            assert world.engine.kinds() == ["1", "AF", "H", "F"]
            world.tell(Said.HEARD, whole("4", CumQty=0))
            assert [(e.kind, e.client_order_id) for e in world.heard[2:]] == [(K.CANCELED, "l.1"), (K.CANCELED, "d.1")]
            assert world.venue.link.connected

    asyncio.run(play())
