"""Whatever arrives in whatever order: budgets hold at every event, lots add up, every fill counts once.

``Desk.send`` calls ``state.check()`` after every step: used + reserved ≤ limit, reservations equal the open orders',
allocations equal the orders, agents' lots equal the positions.
"""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from common.limits import FlowBudget, FlowShare
from common.messages import Order, OrdStatus, Refusal
from lab.audit_steering import imported_lots, steering_violations
from manager import events as ev
from manager.config import ManagerConfig
from manager.fold import apply
from manager.hash import state_hash
from manager.step import start
from tests.manager_world import Desk, all_agents, limits
from tests.steering_world import bring, by_hand, row
from tests.steering_world import send as steer
from tests.unit.test_manager_control import command

ACTIONS = (
    "propose",
    "decide",
    "fill",
    "part",
    "cancel",
    "reject",
    "accept",
    "again",
    "late",
    "tick",
    "tighten",
    "takeover",
    "pause part",
    "kill part",
    "resume part",
    "by hand",
    "import",
    "correct",
    "cancel trade",
    "tune",
    "undo",
)
SCOPES = ("underlying:SPX", "underlying:NDX", "agent:gamma-0", "agent:vega-0")
TUNED = ("gamma.interval_scale", "vega.tenor_damping", "holding_days")


def desk_of(mode: str) -> Desk:
    tight = limits(
        flow=FlowBudget(cost_usd=15_000.0, notional_usd=6e7, orders=40),
        flow_by_kind={"vega": FlowShare(cost_usd=9_000.0)},
        flow_by_underlying={"NDX": FlowShare(orders=9)},
    )
    return Desk(limits=tight, config=ManagerConfig(netting=mode))


def open_order(desk: Desk, pick: int) -> Order | None:
    lives = list(desk.state.fold.orders.open.values())
    return lives[pick % len(lives)].order if lives else None


def act(desk: Desk, action: str, pick: int, truth: dict[int, int]) -> None:
    """One event. ``truth``: lots by instrument, booked here from the reports themselves."""
    life = None if (order := open_order(desk, pick)) is None else desk.state.fold.orders.open[order.client_order_id]
    name = f"s{len(desk.journal)}"
    match action:
        case "propose":
            all_agents(desk, (pick % 7 - 3) / 3.0)
        case "decide":
            desk.decide()
        case "tick":
            desk.feed(float(pick % 40), shift=(pick % 5 - 2) * 0.001)
        case "again" if desk.out and (old := [i for i in desk.journal if hasattr(i.event, "exec_id")]):
            desk.send(ev.ReportArrived(0, old[pick % len(old)].event))
        case "tighten":
            limit = desk.state.fold.limits.flow
            name = f"t{len(desk.journal)}"
            desk.send(command("limits.set", name, path="flow.cost_usd", value=max(limit.cost_usd * 0.8, 9_000.0)))
        case "takeover":
            from common.messages import OrderState

            states = [
                OrderState(x.order, x.status, x.cum_lots, x.leaves_lots)
                for n, x in enumerate(desk.state.fold.orders.open.values())
                if n % 2 == pick % 2
            ]
            desk.take_over(desk.state.fold.epoch + 1, states)
        case "pause part" | "kill part" | "resume part":
            steer(desk, action.partition(" ")[0], name, scope=SCOPES[pick % len(SCOPES)])
        case "by hand":
            by_hand(desk, name, ("BUY", "SELL")[pick % 2], 1 + pick % 9, pick % len(desk.world))
        case "import":
            at = pick % len(desk.world)
            bring(desk, name, row(2, f"T{pick % 20}", desk.world.instrument_id[at], pick - 50))
        case "correct" if known := list(desk.state.fold.imports.trades.values()):
            old = known[pick % len(known)]
            new = desk.world.instrument_id[(old.instrument + pick) % len(desk.world)]
            bring(desk, name, row(2, f"C{name}", new, old.lots + 1, corrects=old.trade_id))
        case "cancel trade" if known := list(desk.state.fold.imports.trades.values()):
            old = known[pick % len(known)]
            bring(
                desk, name, row(2, f"X{name}", desk.world.instrument_id[old.instrument], old.lots, cancels=old.trade_id)
            )
        case "tune":
            steer(desk, "agents.set", name, path=TUNED[pick % 3], value=0.5 + pick / 60)
        case "undo":
            steer(desk, "agents.undo", name, version=1 + pick % 7)
        case "late" if ended := list(desk.state.fold.orders.ended.values()):
            x = ended[pick % len(ended)]
            if x.cum_lots < x.order.quantity_lots:
                send_fill(desk, x.order, 1, OrdStatus.PARTIALLY_FILLED, truth)
        case "accept" if order:
            desk.send(ev.ReportArrived(0, desk.report(order, OrdStatus.NEW)))
        case "cancel" if order:
            desk.send(ev.ReportArrived(0, desk.report(order, OrdStatus.CANCELED)))
        case "reject" if order:
            refusal = Refusal.COLLAR
            desk.send(ev.ReportArrived(0, desk.report(order, OrdStatus.REJECTED, refusal=refusal)))
        case "part" if order and life and life.leaves_lots > 1:
            send_fill(desk, order, 1 + pick % (life.leaves_lots - 1), OrdStatus.PARTIALLY_FILLED, truth)
        case "fill" if order and life:
            send_fill(desk, order, life.leaves_lots, OrdStatus.FILLED, truth)


def send_fill(desk: Desk, order: Order, lots: int, status: OrdStatus, truth: dict[int, int]) -> None:
    desk.send(ev.ReportArrived(0, desk.report(order, status, lots)))
    truth[order.instrument] = truth.get(order.instrument, 0) + order.side.sign * lots


events = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 100)), max_size=60)


@settings(max_examples=60, deadline=None)
@given(events, st.sampled_from(["joint", "plain", "alone"]))
def test_everything_adds_up_at_every_event(history: list[tuple[str, int]], mode: str) -> None:
    desk, truth = desk_of(mode), {}
    all_agents(desk)
    desk.decide()
    for action, pick in history:
        act(desk, action, pick, truth)
    ledger = desk.state.fold.ledger
    # What clients told: recounted from the entries, by the auditor's own rule.
    told = imported_lots(desk.book, desk.journal, len(desk.world))
    np.testing.assert_array_equal(ledger.imported, told)
    np.testing.assert_array_equal(ledger.net_lots(), ledger.traded + told.sum(axis=0))
    assert list(steering_violations(desk.world, desk.journal)) == []
    assert {j: n for j, n in enumerate(ledger.traded.tolist()) if n} == {j: n for j, n in truth.items() if n}
    by_agent = np.zeros(len(desk.world), int)
    for mine in ledger.by_agent.values():
        for j, n in mine.items():
            by_agent[j] += n
    np.testing.assert_array_equal(by_agent, ledger.traded)
    assert len({o.client_order_id for o in desk.orders}) == len(desk.orders)
    assert [o.order_sequence for o in desk.orders] == list(range(1, len(desk.orders) + 1))
    # The journal alone gives the same state back.
    other = start(desk.setup)
    for entry in desk.journal:
        apply(other, entry)
    assert state_hash(other) == state_hash(desk.state)


def test_the_generator_reaches_what_it_is_about() -> None:
    """A fixed long history does fill, reject, run into its budget, and take over."""
    desk, truth = desk_of("joint"), {}
    rng = np.random.default_rng(5)
    for _ in range(800):
        act(desk, ACTIONS[int(rng.integers(len(ACTIONS)))], int(rng.integers(100)), truth)
    fold = desk.state.fold
    assert fold.ledger.fills > 10 and fold.refused_orders["collar"] > 0 and fold.counts["takeovers"] > 5
    assert fold.counts["imported trades"] > 3 and fold.imports.ended and fold.parameters and fold.holds
    assert fold.counts["method manual"] > 3 and fold.ledger.by_agent["manual"]
    assert fold.counts["fills beyond the reservation"] > 0 and desk.state.seen["duplicate reports"] > 0
    left = fold.flows.room("firm", desk.now_ns // (86_400 * 10**9))[0]
    assert left < 3_000_00 or desk.state.seen["orders left out: flow budget"] > 0
