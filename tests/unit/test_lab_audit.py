"""The auditor: a clean run is clean, and each planted violation is found by the rule that is there for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from common.control_messages import (
    Acknowledgement,
    CancelAsked,
    Command,
    CommandTaken,
    Cycle,
    FeedSilence,
    JournalEntry,
    LeaderStarted,
)
from common.limits import FactorLimit, FlowBudget, FlowShare, Limits, OrderCaps
from common.messages import CostShare, ExecutionReport, Header, Order, OrderState, OrdStatus, Refusal, Side, TimeInForce
from common.universe import Book
from lab.audit import RULES, Run, audit
from lab.synthetic import SyntheticMarket

UNIVERSE = SyntheticMarket(symbols=("AAA",), strikes=2).universe
BOOK = Book("desk", ("a",), np.array([1], np.uint32), np.array([-10], np.int64))
LIMITS = Limits(
    version=1,
    who="tests",
    firm="firm",
    base_currency="USD",
    risk_aversion_per_usd=1e-6,
    factor={"delta:*": FactorLimit(soft_usd=1e6, hard_usd=1e7)},
    order=OrderCaps(max_lots_future=100, max_lots_option=100, max_notional_usd=1e9),
    flow=FlowBudget(cost_usd=1_000.0, notional_usd=1e7, orders=10),
)


def order(name: str, lots: int, epoch: int = 1, **changes: Any) -> Order:
    side = Side.BUY if lots > 0 else Side.SELL
    made = Order(
        name, epoch, UNIVERSE.instrument_id[0], 0, side, abs(lots), 402 if lots > 0 else 400, TimeInForce.IOC, "desk",
        f"{epoch}-{name}", "hash", "gamma-0:1", 1, 0, 0, (("gamma-0", lots - 1), ("vega-0", 1)), 400, 402,
        (CostShare("delta:AAA", "gamma-0", 600_000), CostShare("vega:AAA", "vega-0", 400_000)),
    )  # fmt: skip
    return replace(made, **changes)


def cycle(*orders: Order, epoch: int = 1) -> Cycle:
    lots = np.array([sum(o.signed_lots for o in orders)], np.int64)
    one, zero = np.ones(1), np.zeros(1)
    return Cycle(
        f"{epoch}-{orders[0].client_order_id}", (("feed.AAA", 1),), ("gamma-0:1",), "joint", ("delta:AAA",), one, zero,
        -one, one, zero, np.zeros(1, np.uint32), lots.astype(float), lots, lots.astype(float), 3, orders, "hash", 0, 0,
    )  # fmt: skip


def report(sequence: int, of: Order, lots: int, status: OrdStatus, cum: int, **changes: Any) -> ExecutionReport:
    leaves = 0 if status.terminal else of.quantity_lots - cum
    made = ExecutionReport(
        sequence, f"x{sequence}", of.client_order_id, status, lots, of.limit_ticks if lots else 0, cum, leaves,
        130 * lots, 0, of.side, Refusal.NONE, "", sequence, 0, 400, 402,
    )  # fmt: skip
    return replace(made, **changes)


def command(action: str, **arguments: str) -> CommandTaken:
    text = arguments.get("json", "{}")
    return CommandTaken(Command(action, action, "risk", "why", text), Acknowledgement(action, True, "done"))


def journal(*events: Any) -> list[JournalEntry]:
    out, epoch = [], 0
    for k, event in enumerate(events, start=1):
        epoch += isinstance(event, LeaderStarted)
        out.append(JournalEntry(k, epoch, k, 0, event, Header("feed.AAA", k, k)))
    return out


A, B, C = order("A", 5), order("B", -3), order("C", 2, epoch=2)
CLEAN = (
    LeaderStarted("m1", 0, ()),
    cycle(A),
    report(1, A, 2, OrdStatus.PARTIALLY_FILLED, 2),
    report(2, A, 3, OrdStatus.FILLED, 5),
    cycle(B),
    report(3, B, 0, OrdStatus.CANCELED, 0),
    LeaderStarted("m2", 3, ()),
    cycle(C, epoch=2),
    report(4, C, 2, OrdStatus.FILLED, 2),
)


def run_of(*events: Any, **changes: Any) -> Run:
    positions = BOOK.net_lots(len(UNIVERSE))
    positions[0] += 7
    made = Run(UNIVERSE, BOOK, journal(*events), positions_lots=positions, limits=LIMITS)
    return replace(made, **changes)


def swap(index: int, event: Any) -> tuple[Any, ...]:
    return (*CLEAN[:index], event, *CLEAN[index + 1 :])


def test_a_clean_run_is_clean() -> None:
    store = [OrderState(A, OrdStatus.FILLED, 5, 0), OrderState(B, OrdStatus.CANCELED, 0, 0)]
    store.append(OrderState(C, OrdStatus.FILLED, 2, 0))
    reports = [e for e in CLEAN if isinstance(e, ExecutionReport)]
    assert audit(run_of(*CLEAN)) == []
    assert audit(run_of(*CLEAN, store_orders=store, store_reports=reports)) == []


def _later(r: ExecutionReport) -> ExecutionReport:
    return replace(r, event_time_ns=r.event_time_ns + 1)


PLANTED: list[tuple[str, Callable[[], Run], str]] = [
    ("order twice", lambda: run_of(*CLEAN[:4], cycle(A), *CLEAN[4:]), "A was decided 2 times"),
    (
        "order only at execution",
        lambda: run_of(*CLEAN, store_orders=[OrderState(order("Z", 1), OrdStatus.FILLED, 1, 0)]),
        "Z is at execution and not in the journal",
    ),
    (
        "order differs",
        lambda: run_of(*CLEAN, store_orders=[OrderState(replace(A, limit_ticks=403), OrdStatus.FILLED, 5, 0)]),
        "A differs between journal and execution",
    ),
    ("not terminal", lambda: run_of(*CLEAN[:5], *CLEAN[6:]), "B has no report"),
    ("left working", lambda: run_of(*swap(5, report(3, B, 0, OrdStatus.NEW, 0))), "B ended NEW"),
    ("news after the end", lambda: run_of(*CLEAN, report(5, B, 0, OrdStatus.NEW, 0)), "(NEW) after CANCELED"),
    ("gap in reports", lambda: run_of(*swap(8, report(9, C, 2, OrdStatus.FILLED, 2))), "report 9 follows 3"),
    ("report twice", lambda: run_of(*CLEAN[:4], CLEAN[3], *CLEAN[4:]), "report x2 was taken twice"),
    (
        "report lost",
        lambda: run_of(*CLEAN, store_reports=[e for e in CLEAN if isinstance(e, ExecutionReport)] + [_EXTRA]),
        "of execution is not in the journal",
    ),
    (
        "report at another time",
        lambda: run_of(*CLEAN, store_reports=[_later(e) for e in CLEAN if isinstance(e, ExecutionReport)]),
        "differs between journal and execution: event_time_ns",
    ),
    ("unknown order", lambda: run_of(*CLEAN, report(5, order("Q", 1), 1, OrdStatus.FILLED, 1)), "unknown order Q"),
    ("too much filled", lambda: run_of(*swap(3, report(2, A, 4, OrdStatus.FILLED, 6))), "6 lots filled of 5"),
    (
        "cum does not add up",
        lambda: run_of(*swap(3, report(2, A, 2, OrdStatus.FILLED, 5))),
        "fills of A sum to 4, not 5",
    ),
    (
        "beyond the limit price",
        lambda: run_of(*swap(3, report(2, A, 3, OrdStatus.FILLED, 5, last_ticks=403))),
        "beyond its limit",
    ),
    ("position", lambda: run_of(*CLEAN, positions_lots=np.zeros(len(UNIVERSE), np.int64)), "book and fills give 7"),
    (
        "allocation",
        lambda: run_of(*swap(1, cycle(order("A", 5, allocation=(("gamma-0", 4),))))),
        "allocations sum to 4, not 5",
    ),
    (
        "bill not paid in full",
        lambda: run_of(*swap(1, cycle(order("A", 5, cost_shares=(CostShare("delta:AAA", "gamma-0", 999_999),))))),
        "cost shares sum to 999999 parts",
    ),
    (
        "cycle and orders differ",
        lambda: run_of(*swap(1, replace(cycle(A), ordered_lots=np.array([6])))),
        "decided 6, sent 5",
    ),
    ("order of another epoch", lambda: run_of(*swap(7, cycle(order("C", 2, epoch=1), epoch=2))), "C has epoch 1"),
    (
        "flow: orders",
        lambda: run_of(*CLEAN, limits=LIMITS.model_copy(update={"flow": _flow(orders=2)})),
        "brings orders of firm to 3, above the limit 2",
    ),
    (
        "flow: cost",
        # A sets aside 5 × (0.25 × 50 / 2... = 12.50 + 1.30) = 69.00 USD; B as much a lot on top.
        lambda: run_of(*CLEAN, limits=LIMITS.model_copy(update={"flow": _flow(cost_usd=50.0)})),
        "cost in cents of firm to 6900, above the limit 5000",
    ),
    (
        "flow: one kind",
        lambda: run_of(*CLEAN, limits=LIMITS.model_copy(update={"flow_by_kind": {"vega": FlowShare(orders=1)}})),
        "orders of kind:vega to 2, above the limit 1",
    ),
    (
        "limit tightened, then broken",
        lambda: run_of(*CLEAN[:4], command("limits.set", json='{"path": "flow.orders", "value": 1}'), *CLEAN[4:]),
        "orders of firm to 2, above the limit 1",
    ),
    ("order under a pause", lambda: run_of(*CLEAN[:4], command("pause"), *CLEAN[4:]), "C was decided under a pause"),
    (
        "order in silence",
        lambda: run_of(*CLEAN[:4], FeedSilence(5.0), *CLEAN[4:]),
        "was decided while nothing was heard",
    ),
    ("cancel of nothing", lambda: run_of(*CLEAN, CancelAsked(("Q",), "why")), "cancels the unknown order Q"),
]
_EXTRA = report(5, A, 1, OrdStatus.FILLED, 6)


def _flow(**changes: Any) -> FlowBudget:
    return LIMITS.flow.model_copy(update=changes)


@pytest.mark.parametrize(("name", "made", "words"), PLANTED, ids=[p[0] for p in PLANTED])
def test_planted_violation_is_found(name: str, made: Callable[[], Run], words: str) -> None:
    found = audit(made())
    assert found and any(words in said for said in found), found


def test_gap_and_older_leader_in_the_journal() -> None:
    entries = journal(*CLEAN)
    assert any("carries sequence" in s for s in audit(replace(run_of(*CLEAN), entries=entries[:3] + entries[4:])))
    entries = journal(*CLEAN)
    entries[-1] = replace(entries[-1], epoch=1)
    assert any("epoch 1 after 2" in s for s in audit(replace(run_of(*CLEAN), entries=entries)))
    entries = journal(*CLEAN)
    entries[3:] = [replace(e, epoch=e.epoch + 1) for e in entries[3:]]
    assert any("without LeaderStarted" in s for s in audit(replace(run_of(*CLEAN), entries=entries)))


def test_orders_after_a_silence_are_fine() -> None:
    assert audit(run_of(*CLEAN[:4], FeedSilence(5.0), FeedSilence(0.0), *CLEAN[4:])) == []


def test_pause_and_resume_without_orders_between_is_fine_and_a_refused_one_too() -> None:
    paused = report(3, B, 0, OrdStatus.REJECTED, 0, refusal=Refusal.PAUSED)
    events = (*CLEAN[:4], command("pause"), CLEAN[4], paused, command("resume"), *CLEAN[6:])
    assert audit(run_of(*events)) == []


def test_limit_tightened_below_what_stands_is_no_violation_by_itself() -> None:
    events = (*CLEAN, command("limits.set", json='{"path": "flow.orders", "value": 1}'))
    assert audit(run_of(*events)) == []


def test_every_rule_names_itself_in_its_docstring() -> None:
    assert all(rule.__doc__ for rule in RULES)


def test_an_order_that_never_arrived_ended_with_the_reconciliation_unless_it_did_arrive() -> None:
    """Decided while execution was away; the leader that reconciled found nothing of it there (found by `hedgerow chaos`)."""
    late = order("late", 2, epoch=2)
    found = LeaderStarted("m2", 4, (OrderState(late, OrdStatus.CANCELED, 0, 0),))
    clean = run_of(*CLEAN)
    events = (*CLEAN, cycle(late, epoch=2))
    entries = journal(*events)
    entries.append(JournalEntry(len(entries) + 1, 2, len(entries) + 1, 0, found, Header("feed.AAA", 1, 1)))
    never = replace(clean, entries=entries)
    assert [said for said in audit(never) if "late" in said] == []
    there = OrderState(late, OrdStatus.FILLED, 2, 0)
    arrived = replace(never, store_orders=[*(clean.store_orders or ()), there])
    assert any("never arrived and is at execution" in said for said in audit(arrived))
