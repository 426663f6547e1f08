"""Messages to events with a desk's own records behind them, before and after a restart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.messages import Order, OrdStatus
from common.units import NO_PRICE
from execution.orders import OrderRecord
from execution.venues.fix import ledger as ledger_module
from execution.venues.fix import outgoing
from execution.venues.fix.ledger import Ledger
from execution.venues.fix.message import FixMessage, Tag
from execution.venues.fix.naming import Contracts
from execution.venues.port import VenueKind as K
from tests.fix_market import fix_order, fix_universe

CONTRACTS = Contracts(fix_universe())


class Records:
    """What the store would say."""

    def __init__(self) -> None:
        self.known: dict[str, OrderRecord] = {}
        self.booked: dict[str, list[tuple[str, int, int]]] = {}
        self.asked = 0

    def put(self, order: Order, status: OrdStatus = OrdStatus.NEW, fills=()) -> None:
        self.booked[order.client_order_id] = list(fills)
        self.known[order.client_order_id] = OrderRecord(order, status, cum_lots=sum(f[1] for f in fills))

    def record(self, name: str) -> OrderRecord | None:
        self.asked += 1
        return self.known.get(name)

    def fills(self, name: str):
        return self.booked[name]

    def open_orders(self):
        return [name for name, r in self.known.items() if r.open]

    def quoted(self, instrument: int) -> tuple[int, int]:
        return 1000, NO_PRICE


def said(kind: str, **fields: object) -> FixMessage:
    return FixMessage(kind, tuple((int(Tag[name]), str(value)) for name, value in fields.items()))


def numbered(message: FixMessage, number: int) -> FixMessage:
    return FixMessage(message.msg_type, ((Tag.MsgSeqNum, str(number)), *message.fields))


def kinds(events) -> list[tuple[K, str]]:
    return [(e.kind, e.client_order_id) for e in events]


@pytest.fixture
def records() -> Records:
    found = Records()
    found.put(fix_order("o1", lots=10), fills=[("o1:E1", 2, 1000)])
    return found


def test_after_a_restart_a_trade_told_again_is_known_and_the_next_one_new(records: Records) -> None:
    ledger = Ledger(CONTRACTS, records)
    old = said("8", ClOrdID="o1", ExecType="F", ExecID="E1", LastQty=2, LastPx=250, CumQty=2)
    new = said("8", ClOrdID="o1", ExecType="F", ExecID="E2", LastQty=3, LastPx=251, CumQty=5)
    assert ledger.take(old, 1) == []
    (fill,) = ledger.take(new, 1)
    assert (fill.exec_id, fill.lots, fill.ticks, fill.bid_ticks, fill.ask_ticks) == ("o1:E2", 3, 1004, 1000, NO_PRICE)


def test_an_order_nobody_sent_stops_trading_unless_the_venue_does_not_know_it_either(records: Records) -> None:
    ledger = Ledger(CONTRACTS, records)
    assert kinds(ledger.take(said("8", ClOrdID="zz", ExecType="0"), 1)) == [(K.DISPUTED, "zz")]
    assert ledger.take(said("8", ClOrdID="zz", ExecType="I", OrdStatus="8", OrdRejReason=5), 1) == []


def test_refusals_find_their_order_by_id_or_by_sequence_number(records: Records) -> None:
    ledger = Ledger(CONTRACTS, records)
    order = fix_order("o1", lots=10)
    ledger.sent(numbered(outgoing.new_order(order, CONTRACTS, "", 0), 7))
    ledger.sent(numbered(outgoing.cancel(order, 3, CONTRACTS, 0), 8))
    ledger.sent(numbered(outgoing.status(order, CONTRACTS), 9))
    changed = replace(order, client_order_id="o2")
    ledger.sent(numbered(outgoing.replacement(changed, "o1", CONTRACTS, "", 0), 10))
    assert kinds(ledger.take(said("3", RefSeqNum=7, Text="no"), 1)) == [(K.REJECTED, "o1")]
    assert kinds(ledger.take(said("3", RefSeqNum=8), 1)) == [(K.CANCEL_REJECTED, "o1")]
    assert ledger.take(said("3", RefSeqNum=9), 1) == ledger.take(said("3", RefSeqNum=99), 1) == []
    assert kinds(ledger.take(said("j", RefSeqNum=10), 1)) == [(K.REPLACE_REJECTED, "o2")]
    by_id = said("j", RefMsgType="D", BusinessRejectRefID="o1", BusinessRejectReason=4)
    assert kinds(ledger.take(by_id, 1)) == [(K.REJECTED, "o1")]
    by_id = said("j", RefMsgType="F", BusinessRejectRefID="o1~3", BusinessRejectReason=4)
    assert kinds(ledger.take(by_id, 1)) == [(K.CANCEL_REJECTED, "o1")]


def test_a_replacement_goes_on_where_the_original_stood_and_finds_its_lost_fill(records: Records) -> None:
    records.put(fix_order("o2", lots=10), OrdStatus.PENDING_NEW)
    ledger = Ledger(CONTRACTS, records)
    ledger.ordered(fix_order("o2", lots=10))
    # The venue has filled 5 of the original, of which 2 are booked: 3 are lost, at 250.50.
    average = (2 * 250 + 3 * 250.5) / 5
    replaced = said("8", ClOrdID="o2", OrigClOrdID="o1", ExecType="5", CumQty=5, AvgPx=average)
    lost, told = ledger.take(replaced, 1)
    assert (lost.client_order_id, lost.lots, lost.ticks, told.kind) == ("o1", 3, 1002, K.REPLACED)
    # CumQty of the replacement counts the original's fills.
    (fill,) = ledger.take(
        said("8", ClOrdID="o2", ExecType="F", ExecID="E7", LastQty=5, LastPx=250, CumQty=10, AvgPx=250.1), 1
    )
    assert (fill.client_order_id, fill.lots) == ("o2", 5)


def test_asked_about_is_what_has_been_sent(records: Records) -> None:
    records.put(fix_order("new"), OrdStatus.PENDING_NEW)
    records.put(fix_order("doubt"), OrdStatus.UNKNOWN)
    records.put(fix_order("done"), OrdStatus.FILLED)
    assert Ledger(CONTRACTS, records).working() == ["o1", "doubt"]


def test_memory_is_bounded_and_what_left_it_is_read_again(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "KEPT", 10)
    ledger = Ledger(CONTRACTS, records)
    for k in range(50):
        order = fix_order(f"n{k}")
        records.put(order, OrdStatus.FILLED, [(f"n{k}:E", 1, 1000)])
        ledger.ordered(order)
        ledger.sent(numbered(outgoing.new_order(order, CONTRACTS, "", 0), k))
    assert ledger.take(said("3", RefSeqNum=1), 1) == []
    again = said("8", ClOrdID="n0", ExecType="F", ExecID="E", LastQty=1, LastPx=250, CumQty=1)
    before = records.asked
    assert ledger.take(again, 1) == [] and records.asked == before + 1
