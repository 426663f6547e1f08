"""A pass of questions while the venue goes on trading: each order's statement is of one moment, whatever comes in between."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.messages import OrdStatus
from execution.orders import OrderRecord
from execution.venues.fix.inquiry import IN_FLIGHT, Inquiry
from execution.venues.fix.ledger import Ledger
from execution.venues.fix.message import FixMessage
from execution.venues.fix.naming import Contracts
from execution.venues.port import VenueKind
from execution.venues.statement import OrderTotal
from tests.fix_market import fix_order, fix_universe
from tests.unit.test_fix_ledger import Records, said

CONTRACTS = Contracts(fix_universe())
NAMES = ("a", "b", "c")


def answer(name: str, cum: int, status: str = "1", average: str = "250", **more: object) -> FixMessage:
    fields = {"ClOrdID": name, "ExecType": "I", "OrdStatus": status, "CumQty": cum, "AvgPx": average, "Side": "1"}
    return said("8", **(fields | more))


def inquiry(records: Records, *names: str, mass: str = "") -> Inquiry:
    return Inquiry(Ledger(CONTRACTS, records), CONTRACTS, names, mass, 4)


def desk(*names: str, status: OrdStatus = OrdStatus.CANCELED) -> Records:
    records = Records()
    for name in names:
        records.put(fix_order(name, lots=10), status)
    return records


def test_questions_are_paced_and_bounded_and_none_is_asked_twice() -> None:
    names = [f"o{k}" for k in range(50)]
    asking = inquiry(desk(*names), *names)
    assert [o.client_order_id for o in asking.due(2, 1.0)] == ["o0", "o1"]
    assert len(asking.due(100, 2.0)) == IN_FLIGHT - 2 and asking.due(100, 3.0) == []
    assert asking.overdue(1.0) == "" and asking.overdue(1.5) == "o0"
    assert asking.take(answer("o0", 3)) and asking.answered == 1 and asking.overdue(1.5) == "o1"
    assert [o.client_order_id for o in asking.due(100, 4.0)] == [f"o{IN_FLIGHT}"] and not asking.done


def test_what_is_said_of_an_ended_order_is_for_the_pass_alone_and_of_one_that_works_for_the_ledger_too() -> None:
    for status, alone in ((OrdStatus.CANCELED, True), (OrdStatus.NEW, False)):
        asking = inquiry(desk("a", status=status), "a")
        asking.due(1, 1.0)
        assert asking.take(answer("a", 3)) is alone and asking.done
        assert asking.totals().orders == (OrderTotal("a", True, True, 3, Decimal(3000), Decimal("0.0012")),)


@pytest.mark.parametrize(
    ("message", "total"),
    [
        (answer("a", 0, "8", OrdRejReason=5), OrderTotal("a", known=False)),
        (answer("a", 0, "8", "0"), OrderTotal("a")),
        (answer("a", 2, "4", Side="2"), "a report of it has Side '2'"),
        (answer("a", 2, "4", Symbol="XX"), "a report of it has Symbol 'XX', ordered was ESH0"),
        (answer("a", 2, "4", "lots"), "cannot be read: AvgPx (6) is 'lots', which is not a number"),
    ],
)
def test_answers(message: FixMessage, total: OrderTotal | str) -> None:
    asking = inquiry(desk("a"), "a")
    asking.due(1, 1.0)
    assert asking.take(message)
    (found,) = asking.totals().orders
    assert (found.wrong if isinstance(total, str) else found) == total


def test_all_that_is_open_there_is_heard_with_strangers_and_orders_nobody_asked_about() -> None:
    asking = inquiry(desk("a", "old"), "a", mass="M7")
    asking.due(1, 1.0)
    assert asking.take(answer("x", 1, Symbol="NQH0", OrderQty=7, MassStatusReqID="M7"))
    assert not asking.take(answer("y", 1, MassStatusReqID="M6")), "of an earlier question: for the ledger"
    assert asking.take(answer("old", 4, "4", MassStatusReqID="M7")) and not asking.told_all
    assert asking.take(answer("a", 1, MassStatusReqID="M7", LastRptRequested="Y")) and asking.told_all and asking.done
    totals = asking.totals()
    assert totals.strangers == {"x": "open: buy 7 lots of NQH0, 1 filled"}
    assert [(t.client_order_id, t.cum_lots) for t in totals.orders] == [("a", 1), ("old", 4)]


def test_a_venue_that_refuses_the_question_is_heard() -> None:
    asking = inquiry(desk("a"), "a")
    asking.take(said("j", RefMsgType="F", Text="other"))
    assert asking.refused == ""
    assert not asking.take(said("j", RefMsgType="H", Text="not supported")) and asking.refused == "not supported"


@given(st.lists(st.tuples(st.sampled_from(("fill", "lose", "deliver")), st.sampled_from(NAMES)), max_size=40))
def test_whatever_fills_meanwhile_only_what_was_lost_differs(acts: list[tuple[str, str]]) -> None:
    records = desk(*NAMES, status=OrdStatus.NEW)
    ledger = Ledger(CONTRACTS, records)
    asking = Inquiry(ledger, CONTRACTS, NAMES, "", 4)
    cum, lost = dict.fromkeys(NAMES, 0), dict.fromkeys(NAMES, 0)
    ended: set[str] = set()
    line: deque[FixMessage] = deque()

    def deliver() -> None:
        message = line.popleft()
        if asking.take(message):
            return
        for event in ledger.take(message, 1):
            if event.kind is VenueKind.FILL:
                records.booked[event.client_order_id].append((event.exec_id, event.lots, event.ticks))

    for order in asking.due(len(NAMES), 1.0):
        line.append(answer(order.client_order_id, cum[order.client_order_id]))
    for number, (act, name) in enumerate(acts):
        if act == "deliver":
            if line:
                deliver()
        elif act == "lose":
            # Lost is a report only of an order that has ended here: any later word would have told of it otherwise.
            ended.add(name)
            records.known[name] = OrderRecord(records.known[name].order, OrdStatus.CANCELED)
            cum[name] += 1
            lost[name] += 1
            line.append(answer(name, cum[name]))
        elif name not in ended and cum[name] < 10:
            cum[name] += 1
            trade = {"ExecType": "F", "ExecID": f"E{number}", "LastQty": 1, "LastPx": 250}
            line.append(answer(name, cum[name], **trade))
    while line:
        deliver()
    totals = {t.client_order_id: t.cum_lots for t in asking.totals().orders}
    booked = {name: sum(lots for _, lots, _ in fills) for name, fills in records.booked.items()}
    assert totals == cum
    assert {name: totals[name] - booked[name] for name in NAMES} == lost
