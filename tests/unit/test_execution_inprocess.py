"""Execution for the lab: deterministic, driven by market time, the same promises."""

from __future__ import annotations

import time

import numpy as np

from common.messages import ExecutionReport, Header, OrdStatus, QuoteBatch, Refusal, TimeInForce, TradingState
from common.units import NS_PER_MS, NS_PER_S
from common.universe import Underlying, Universe
from execution.config import PaperConfig
from execution.inprocess import InProcessExecution
from tests.execution_world import T0_NS, make_limits, make_order, make_universe, quotes, standing

S1_NS = T0_NS + NS_PER_S


def opened() -> InProcessExecution:
    made = InProcessExecution(make_universe(), make_limits(), PaperConfig())
    assert made.on_quotes(standing()) == ()
    assert made.fence(1, "lab")
    return made


def test_submit_fill_and_state() -> None:
    lab = opened()
    acks, at_once = lab.submit([make_order("a", lots=3), make_order("b", lots=10**6)], S1_NS)
    assert [a.refusal for a in acks] == [Refusal.NONE, Refusal.SIZE]
    assert [(r.client_order_id, r.ord_status) for r in at_once] == [("b", OrdStatus.REJECTED)]
    due = lab.next_due_ns
    assert due is not None
    assert S1_NS + 50 * NS_PER_MS <= due < S1_NS + 60 * NS_PER_MS
    told = lab.on_time(due)
    assert [(r.ord_status, r.last_lots, r.event_time_ns) for r in told] == [
        (OrdStatus.NEW, 0, due),
        (OrdStatus.FILLED, 3, due),
    ]
    assert [r.sequence for r in (*at_once, *told)] == [1, 2, 3] == list(range(1, lab.last_report_sequence + 1))
    assert {(s.order.client_order_id, s.ord_status, s.cum_lots) for s in lab.orders()} == {
        ("a", OrdStatus.FILLED, 3),
        ("b", OrdStatus.REJECTED, 0),
    }
    assert not lab.fence(1, "other")


def test_kill_cancels_and_refuses() -> None:
    lab = opened()
    lab.submit([make_order("r", limit_ticks=990, time_in_force=TimeInForce.DAY)], S1_NS)
    lab.on_time(S1_NS + NS_PER_S)
    lab.set_trading_state(TradingState.KILLED, "bob", "drill", S1_NS + NS_PER_S)
    (told,) = lab.on_time(S1_NS + 2 * NS_PER_S)
    assert told.ord_status is OrdStatus.CANCELED
    assert lab.submit([make_order("k")], S1_NS)[0][0].refusal is Refusal.KILLED


def test_equal_input_gives_equal_reports() -> None:
    def day() -> list[ExecutionReport]:
        lab = opened()
        out: list[ExecutionReport] = []
        for k in range(2, 200):
            at_ns = T0_NS + k * NS_PER_S
            out += lab.on_quotes(quotes(k, (0, 1000 + k % 3, 1002 + k % 3, 4, 4)))
            tif = TimeInForce.DAY if k % 5 == 0 else TimeInForce.IOC
            out += lab.submit([make_order(f"o{k}", lots=3, time_in_force=tif, event_time_ns=at_ns)], at_ns)[1]
            if k % 7 == 0:
                out += lab.cancel([f"o{k - 2}"], 1, at_ns)[1]
        return out

    assert day() == day()
    assert any(r.last_lots for r in day())


def test_a_batch_of_340_quotes_costs_microseconds_when_nothing_works() -> None:
    """Loose bound for a loaded machine; `hedgerow bench` measures the figure."""
    n = 340
    universe = Universe(
        tuple(f"i{k}" for k in range(n)),
        np.ones(n, np.uint8),
        np.zeros(n, np.uint16),
        np.full(n, 2**62),
        np.ones(n),
        np.ones(n, np.int8),
        np.zeros(n, np.uint8),
        np.ones(n),
        np.ones(n),
        np.ones(n, np.int64),
        np.ones(n, np.uint8),
        (Underlying("A", 0, 0.0, 0.0),),
        np.eye(1),
    )
    lab = InProcessExecution(universe, make_limits())
    rows, bid = np.arange(n, dtype=np.uint32), np.full(n, 10, np.int32)
    batches = [QuoteBatch(Header("feed.A", k, k), rows, bid + k % 2, bid + 3, bid, bid) for k in range(1, 1500)]
    best = min(_seconds(lab, batches[at : at + 100]) for at in range(0, 1400, 100))
    assert best / 100 < 200e-6


def _seconds(lab: InProcessExecution, batches: list[QuoteBatch]) -> float:
    start = time.perf_counter()
    for batch in batches:
        lab.on_quotes(batch)
    return time.perf_counter() - start
