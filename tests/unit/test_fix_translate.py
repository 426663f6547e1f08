"""Messages out, judged by an independent dictionary of FIX 4.4."""

from __future__ import annotations

from dataclasses import replace

import pytest
import simplefix
from fixcore.message.data_dictionary import load_data_dictionary
from fixcore.message.message import Message

from common.errors import InputError
from common.messages import OrdType, Side, TimeInForce
from common.tactics import Combo
from execution.venues.fix import outgoing
from execution.venues.fix.message import FixMessage, Tag, parse, unframed
from execution.venues.fix.naming import Contracts, named
from tests.execution_world import make_universe
from tests.fix_market import IDS, fix_order, fix_universe

STANDARD = load_data_dictionary("FIX44.xml")
CONTRACTS = Contracts(fix_universe())
WALL_NS = 1_700_000_000_123_456_789
ORDER = fix_order("o1", 2, Side.SELL, lots=3, limit_ticks=1001, time_in_force=TimeInForce.DAY)
COMBO = Combo((("o1", 1), ("o3", 2)), -24_950)
LEGS = (replace(ORDER, side=Side.BUY, combo=COMBO), fix_order("o3", 0, Side.SELL, lots=6, combo=COMBO))
MESSAGES = {
    "D": outgoing.new_order(ORDER, CONTRACTS, "desk 1", WALL_NS),
    "F": outgoing.cancel(ORDER, 5, CONTRACTS, WALL_NS),
    "G": outgoing.replacement(replace(ORDER, client_order_id="o2"), "o1", CONTRACTS, "", WALL_NS),
    "H": outgoing.status(ORDER, CONTRACTS),
    "AF": outgoing.mass_status(6),
    "q": outgoing.mass_cancel(7, WALL_NS),
    "AB": outgoing.multileg(LEGS, CONTRACTS, "", WALL_NS),
    "1": outgoing.test_request("t"),
}


def on_the_wire(message: FixMessage) -> bytes:
    out = simplefix.FixMessage()
    for tag, value in ((8, "FIX.4.4"), (35, message.msg_type), (49, "A"), (56, "B"), (34, "1")):
        out.append_pair(tag, value, header=True)
    out.append_pair(52, "20260101-00:00:00.000", header=True)
    for tag, value in message.fields:
        out.append_pair(int(tag), value)
    return out.encode()


@pytest.mark.parametrize("kind", MESSAGES)
def test_what_goes_out_is_fix_44_by_another_engines_dictionary(kind: str) -> None:
    raw = on_the_wire(MESSAGES[kind])
    decoded = Message.decode(raw, data_dictionary=STANDARD)
    assert decoded.msg_type == kind
    STANDARD.validate(decoded, check_field_values=True, check_has_values=True)


def test_an_order_says_what_was_decided() -> None:
    found = {Tag(tag).name: value for tag, value in MESSAGES["D"].fields}
    assert found == {
        "ClOrdID": "o1",
        "Account": "desk 1",
        "HandlInst": "1",
        "Symbol": "ESH0",
        "SecurityType": "OPT",
        "MaturityMonthYear": "202003",
        "MaturityDate": "20200320",
        "PutOrCall": "0",
        "StrikePrice": "3000",
        "SecurityExchange": "XCME",
        "Side": "2",
        "TransactTime": "20231114-22:13:20.123",
        "OrderQty": "3",
        "OrdType": "2",
        "Price": "250.25",
        "TimeInForce": "0",
    }
    ioc = outgoing.new_order(replace(ORDER, time_in_force=TimeInForce.IOC), CONTRACTS, "", WALL_NS)
    market = outgoing.new_order(replace(ORDER, ord_type=OrdType.MARKET), CONTRACTS, "", WALL_NS)
    assert (market.text(Tag.OrdType), market.text(Tag.Price)) == ("2", "250.25")
    assert outgoing.pricing(0, None, CONTRACTS) == ((Tag.OrdType, "1"),)
    assert ioc.text(Tag.TimeInForce) == "3" and Tag.Account not in ioc.first


def test_a_cancel_names_its_order_and_itself() -> None:
    assert MESSAGES["F"].text(Tag.OrigClOrdID) == "o1" and MESSAGES["F"].text(Tag.ClOrdID) == "o1~5"
    assert MESSAGES["G"].text(Tag.OrigClOrdID) == "o1" and MESSAGES["G"].text(Tag.ClOrdID) == "o2"


def test_a_combo_names_every_leg() -> None:
    decoded = Message.decode(on_the_wire(MESSAGES["AB"]), data_dictionary=STANDARD)
    legs = [dict(leg.items()) for leg in decoded.get_groups(555)]
    assert [(leg[600], leg[609], leg[623], leg[624], leg[654]) for leg in legs] == [
        ("ESH0", "OPT", "1", "1", "o1"),
        ("ESH0", "FUT", "2", "2", "o3"),
    ]
    assert [decoded.get(tag) for tag in (11, 38, 54, 44, 167, 563)] == ["o1", "3", "1", "-4.99", "MLEG", "1"]
    assert legs[0][608][:2] == "OP" and legs[0][612] == "3000" and 612 not in legs[1]
    for bad in (LEGS[:1], LEGS[::-1], (LEGS[0], replace(LEGS[1], client_order_id="o4")), (ORDER, LEGS[1])):
        with pytest.raises(ValueError, match="combo"):
            outgoing.multileg(bad, CONTRACTS, "", WALL_NS)


def test_a_universe_a_venue_could_not_tell_apart_is_refused() -> None:
    with pytest.raises(InputError, match="has no FIX name"):
        Contracts(make_universe())
    twice = replace(fix_universe(), instrument_id=(*IDS[:7], "NQH0 2020-03-20 3000 P"))
    with pytest.raises(InputError, match="the same FIX name"):
        Contracts(twice)
    with pytest.raises(ValueError, match="BTC"):
        named("BTC PERP @DRBT")


def test_prices_are_exact() -> None:
    assert [CONTRACTS.price(0, t) for t in (0, 1, -3, 400, 10**9)] == ["0", "0.25", "-0.75", "100", "250000000"]


def test_text_round_trips_and_rubbish_is_left_out() -> None:
    message = MESSAGES["AB"]
    again = parse(unframed(message))
    assert again.msg_type == "AB" and again.fields[3:-1] == tuple((int(t), v) for t, v in message.fields)
    read = parse("35=8\x01x=1\x0111=a=b\x01\x01=\x0114=\x01²=3\x01" + "9" * 400 + "=1")
    assert read.fields == ((35, "8"), (11, "a=b"), (14, ""))
    for text in ("nan", "inf", "", "1e400000", "x"):
        with pytest.raises(ValueError, match=r"CumQty \(14\)"):
            FixMessage("8", ((Tag.CumQty, text),)).lots(Tag.CumQty)
