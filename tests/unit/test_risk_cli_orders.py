from dataclasses import replace

import numpy as np
import pytest

from common.control_messages import JournalEntry, LeaderStarted
from common.errors import InputError
from common.instruments_contracts import BUILT_IN
from common.messages import ExecutionReport, Header, Order, OrderState, OrdStatus, Refusal, Side, TimeInForce
from deploy.risk_orders import fold_record, load_orders, of_run
from tests.manager_world import universe

HEADER = "instrument,side,quantity,price\n"


def write(tmp_path, text):
    path = tmp_path / "orders.csv"
    path.write_text(text)
    return path


def test_orders_are_read_in_any_spelling(tmp_path):
    lines = "SPX   180316P02800000,sell,200,24.5\nSPX 2018-06-15 F @XCME,BUY,3,\n"
    found = load_orders(write(tmp_path, HEADER + lines), BUILT_IN.parse)
    assert [(o.order, o.instrument.id, o.lots) for o in found] == [
        ("line 2", "SPX 2018-03-16 2800 P @XCBO", -200),
        ("line 3", "SPX 2018-06-15 F @XCME", 3),
    ]
    assert found[0].price == 24.5 and np.isnan(found[1].price)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("SPX 2018-06-15 F @XCME,hold,3,", "side 'hold' is neither buy nor sell"),
        ("SPX 2018-06-15 F @XCME,buy,-3,", "quantity '-3' is not a whole number of lots above 0"),
        ("SPX 2018-06-15 F @XCME,buy,0,", "above 0"),
        ("SPX 2018-06-15 F @XCME,buy,1.5,", "quantity '1.5'"),
        ("SPX 2018-06-15 F @XCME,buy,1,-2", "price -2 is negative"),
        ("QQQQ 2018-06-15 F,buy,1,", "unknown root"),
        ("SPX,buy,1", "3 cells under 4 columns"),
    ],
)
def test_a_bad_line_refuses_the_file(tmp_path, line, said):
    good = "SPX 2018-06-15 F @XCME,buy,1,\n"
    with pytest.raises(InputError, match=said) as error:
        load_orders(write(tmp_path, HEADER + good + line + "\n"), BUILT_IN.parse)
    assert [p.line for p in error.value.problems] == [3]


def test_missing_and_unknown_columns_are_named(tmp_path):
    with pytest.raises(InputError, match="missing column 'side'"):
        load_orders(write(tmp_path, "instrument,quantity\n"), BUILT_IN.parse)
    with pytest.raises(InputError, match="unknown column 'colour'"):
        load_orders(write(tmp_path, "instrument,side,quantity,colour\n"), BUILT_IN.parse)


def order(name, instrument=0, lots=10, side=Side.BUY):
    return Order(
        client_order_id=name,
        epoch=1,
        instrument_id="",
        instrument=instrument,
        side=side,
        quantity_lots=lots,
        limit_ticks=40,
        time_in_force=TimeInForce.DAY,
        book_id="b",
        cycle_id="c-1",
        inputs_hash="",
        cause_id="",
        order_sequence=1,
        receive_time_ns=0,
        event_time_ns=0,
        allocation=(("gamma-0", lots),),
        arrival_bid_ticks=39,
        arrival_ask_ticks=41,
    )


def report(sent, status, last, cum, exec_id):
    return ExecutionReport(
        sequence=1,
        exec_id=exec_id,
        client_order_id=sent.client_order_id,
        ord_status=status,
        last_lots=last,
        last_ticks=40,
        cum_lots=cum,
        leaves_lots=sent.quantity_lots - cum,
        fee_cents=0,
        instrument=sent.instrument,
        side=sent.side,
        refusal=Refusal.NONE,
        text="",
        event_time_ns=0,
        receive_time_ns=0,
        bid_ticks=39,
        ask_ticks=41,
    )


def entries(*events):
    return [JournalEntry(i + 1, 1, 1000 + i, 0, event, Header("feed", 1, 0)) for i, event in enumerate(events)]


def recovered(*states):
    return LeaderStarted("m", 0, tuple(OrderState(o, s, c, o.quantity_lots - c) for o, s, c in states))


def test_a_record_gives_fills_once_and_what_still_works():
    part, done, sold = order("part"), order("done", 1), order("sold", 2, 4, Side.SELL)
    filled = report(part, OrdStatus.PARTIALLY_FILLED, 3, 3, "x1")
    found = fold_record(
        entries(
            recovered((part, OrdStatus.NEW, 0), (done, OrdStatus.NEW, 0), (sold, OrdStatus.NEW, 0)),
            filled,
            filled,
            report(done, OrdStatus.FILLED, 10, 10, "x2"),
            replace(report(sold, OrdStatus.PARTIALLY_FILLED, 1, 1, "x3")),
            report(sold, OrdStatus.CANCELED, 0, 1, "x4"),
        ),
        universe(),
    )
    assert found.traded[:3].tolist() == [3, 10, -1]
    assert [(o.client_order_id, left) for o, left in found.working] == [("part", 7)]
    assert found.now_ns == 1005
    working = of_run(found, universe(), lambda row: BUILT_IN.parse("SPX 2018-06-15 F @XCME"))
    assert working[0].lots == 7 and working[0].price == pytest.approx(40 * universe().tick_size[0])


def test_what_a_takeover_found_ended_works_no_more():
    sent = order("gone")
    found = fold_record(
        entries(recovered((sent, OrdStatus.NEW, 0)), recovered((sent, OrdStatus.CANCELED, 0))), universe()
    )
    assert found.working == () and not found.traded.any()
