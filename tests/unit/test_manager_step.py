"""Events in, instructions out."""

from __future__ import annotations

import base64
import hashlib

import numpy as np
import pytest

from common import factors
from common.control_messages import CancelAsked, Command
from common.messages import Order, OrderState, OrdStatus, Refusal, Side, TimeInForce
from common.universe import OPTION
from manager import events as ev
from manager.config import ManagerConfig
from manager.status import status
from manager.step import start, step
from tests.manager_world import NOW_NS, Desk, all_agents, delta_desk, quotes, universe

DELTA = factors.delta("SPX")


def outside(desk: Desk, usd: float = 3e6) -> None:
    desk.propose("gamma-0", {DELTA: usd}, 3e5, menu=[0])


def test_order_is_a_marketable_limit_with_a_deterministic_id() -> None:
    desk = delta_desk()
    outside(desk)
    (order,) = desk.decide()
    text = f"run|1-1|{order.instrument_id}|SELL"
    assert order.client_order_id == base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:20]
    assert (order.side, order.time_in_force, order.limit_ticks) == (Side.SELL, TimeInForce.IOC, order.arrival_bid_ticks)
    assert (order.cycle_id, order.epoch, order.order_sequence, order.book_id) == ("1-1", 1, 1, "book")
    assert order.cause_id == "gamma-0:1" and order.receive_time_ns == 5_001
    assert order.allocation == (("gamma-0", order.signed_lots),)
    submit, recorded = desk.out[-2:]
    assert isinstance(submit, ev.Submit) and isinstance(recorded, ev.Record)
    assert recorded.entry.event.orders == submit.orders


def test_a_second_look_at_the_same_news_does_nothing() -> None:
    desk = delta_desk()
    outside(desk)
    assert len(desk.decide()) == 1
    assert desk.decide() == [] and desk.decide() == []


def test_nothing_leaves_before_the_takeover() -> None:
    desk = delta_desk()
    standby = start(desk.setup)
    for event in (
        ev.MarketNews(quotes(desk.world, "SPX", 1, NOW_NS)),
        ev.ProposalArrived(0, desk.proposal("gamma-0", {DELTA: 3e6}, 3e5, menu=[0])),
        ev.Decide(NOW_NS, 0),
    ):
        standby, out = step(standby, event)
        assert out == []
    assert standby.journal_sequence == 0 and standby.market.now_ns == NOW_NS


def test_fill_moves_position_and_tells_the_agents() -> None:
    desk = delta_desk()
    outside(desk)
    (order,) = desk.decide()
    desk.fill(order)
    update = desk.out[-1]
    assert isinstance(update, ev.Publish)
    assert update.update.version == 1
    assert update.update.instrument.tolist() == [0]
    assert update.update.traded_lots.tolist() == [order.signed_lots]
    ledger = desk.state.fold.ledger
    assert ledger.fee_cents == 100 * order.quantity_lots
    # Half a spread of 0.10 points on 50 USD a point.
    assert ledger.cost_cents == ledger.half_spread_cents == round(0.10 * 50 * 100 * order.quantity_lots)


def test_report_twice_is_one_fill_and_a_gap_waits() -> None:
    desk = delta_desk()
    outside(desk)
    (order,) = desk.decide()
    first = desk.report(order, OrdStatus.NEW)
    second = desk.report(order, OrdStatus.FILLED, order.quantity_lots)
    desk.send(ev.ReportArrived(0, second))
    assert desk.state.report_sequence == 0 and desk.state.seen["report gaps"] == 1
    for _ in range(2):
        desk.send(ev.ReportArrived(0, first))
        desk.send(ev.ReportArrived(0, second))
    assert desk.state.fold.ledger.traded[0] == order.signed_lots
    assert desk.state.seen["duplicate reports"] == 2
    again = desk.report(order, OrdStatus.FILLED, order.quantity_lots, exec_id=second.exec_id)
    desk.send(ev.ReportArrived(0, again))
    assert desk.state.fold.ledger.traded[0] == order.signed_lots
    assert desk.state.fold.counts["duplicate fills"] == 1


@pytest.mark.parametrize("trigger", ["start", "positions", "time", "parameters", "roll"])
def test_an_order_that_answers_no_tick_is_timed_from_none(trigger: str) -> None:
    desk = delta_desk()
    desk.propose("gamma-0", {DELTA: 3e6}, 3e5, menu=[0], trigger=trigger)
    (order,) = desk.decide()
    assert order.cause_id == "gamma-0:1" and order.receive_time_ns == 0


def test_a_fill_beyond_the_order_takes_with_it_what_was_reserved_for_the_rest() -> None:
    """Found by the fault simulator: of an order that is worked the venue filled lots again that it had cancelled, and the
    reservation of what was still open stayed for ever."""
    desk = delta_desk()
    outside(desk)
    (order,) = desk.decide()
    desk.send(ev.ReportArrived(0, desk.report(order, OrdStatus.PARTIALLY_FILLED, order.quantity_lots - 1)))
    desk.send(ev.ReportArrived(0, desk.report(order, OrdStatus.FILLED, 3, leaves_lots=0)))
    assert not any(any(meter.reserved) for meter in desk.state.fold.flows.meters.values())
    assert desk.state.fold.counts["fills beyond the reservation"] == 1
    assert desk.state.fold.ledger.traded[order.instrument] == order.side.sign * (order.quantity_lots + 2)
    desk.state.check()


def test_unfilled_instrument_rests_then_is_tried_again_at_a_tick_that_only_told_the_time() -> None:
    desk = delta_desk()
    outside(desk)
    (order,) = desk.decide()
    desk.fill(order, 0)
    assert desk.decide() == []
    desk.feed(2.0)
    (again,) = desk.decide()
    assert again.client_order_id != order.client_order_id and again.cycle_id == "1-2"
    assert again.cause_id == "feed.NDX:2" and again.receive_time_ns == 0


def short_vega(desk: Desk) -> None:
    """Short 40,000 USD a point of one bucket, the rest wide: some 150 lots of the cheapest option, of which 30 are shown."""
    desk.propose(
        "gamma-0",
        {factors.delta("SPX"): 0.0, factors.gamma("SPX"): 0.0},
        {factors.delta("SPX"): 5e6, factors.gamma("SPX"): 5e6},
    )
    desk.propose("vega-0", {factors.vega("SPX", "31-60d"): -40_000.0}, 3_000.0)


def options_of(desk: Desk, orders: list[Order]) -> set[int]:
    return {o.instrument for o in orders if desk.world.kind[o.instrument] == OPTION}


def test_a_hedge_waits_for_the_cheap_option_to_be_shown_again_and_not_for_ever() -> None:
    hurried, patient = Desk(config=ManagerConfig(patience_s=0.0)), Desk(config=ManagerConfig(patience_s=600.0))
    for desk in (hurried, patient):
        short_vega(desk)
    assert len(options_of(hurried, hurried.decide())) > 1
    first = patient.decide()
    (cheap,) = options_of(patient, first)
    for order in first:
        patient.fill(order, 0)
    assert options_of(patient, patient.decide()) == set(), "it rests, which is no reason to take the dear"
    patient.feed(400.0)
    short_vega(patient)
    again = patient.decide()
    assert options_of(patient, again) == {cheap}
    for order in again:
        patient.fill(order, 0)
    patient.feed(400.0)
    short_vega(patient)
    last = patient.decide()
    for order in last:
        patient.fill(order, 0)
    others = options_of(patient, patient.decide())
    assert others and cheap not in others, "a quote that nobody honours holds the hedge up no longer than the patience"


def test_a_fill_starts_the_patience_anew_and_a_refusal_ends_it() -> None:
    desk = Desk()
    short_vega(desk)
    (cheap,) = [o for o in desk.decide() if desk.world.kind[o.instrument] == OPTION]
    desk.fill(cheap, 0)
    assert desk.state.fold.unfilled_since_ns == {cheap.instrument: desk.now_ns}
    desk.feed(2.0)
    (again,) = [o for o in desk.decide() if o.instrument == cheap.instrument]
    desk.fill(again, 1)
    assert desk.state.fold.unfilled_since_ns == {}
    desk.feed(2.0)
    (third,) = [o for o in desk.decide() if o.instrument == cheap.instrument]
    desk.fill(third, 0)
    desk.feed(2.0)
    (fourth,) = [o for o in desk.decide() if o.instrument == cheap.instrument]
    desk.send(ev.ReportArrived(0, desk.report(fourth, OrdStatus.REJECTED, refusal=Refusal.COLLAR)))
    assert desk.state.fold.unfilled_since_ns == {}
    assert options_of(desk, desk.decide()) - {cheap.instrument}, "what the venue refuses is not waited for"


def test_refused_order_releases_and_rests_long() -> None:
    desk = delta_desk()
    outside(desk)
    (order,) = desk.decide()
    desk.send(ev.ReportArrived(0, desk.report(order, OrdStatus.REJECTED, refusal=Refusal.COLLAR)))
    assert desk.state.fold.refused_orders == {"collar": 1}
    meters = desk.state.fold.flows.meters.values()
    assert all(m.used == [0, 0, 0] and m.reserved == [0, 0, 0] for m in meters)
    desk.feed(2.0)
    assert desk.decide() == []


def test_order_older_than_its_life_is_cancelled_once() -> None:
    desk = delta_desk(config=ManagerConfig(order_life_s=5.0))
    outside(desk)
    (order,) = desk.decide()
    desk.feed(6.0)
    out = desk.send(ev.Decide(desk.now_ns, 0))
    assert out[0] == ev.Cancel((order.client_order_id,))
    assert not any(isinstance(i, ev.Cancel) for i in desk.send(ev.Decide(desk.now_ns, 0)))
    # It stands in the record and may have been lost: whoever leads or is back asks again, without a word in the record.
    entries = len(desk.journal)
    for epoch in (1, 2):
        before = len(desk.out)
        life = desk.state.fold.orders.open[order.client_order_id]
        desk.take_over(epoch, [OrderState(order, life.status, life.cum_lots, life.leaves_lots)])
        assert [i for i in desk.out[before:] if isinstance(i, ev.Cancel)] == [ev.Cancel((order.client_order_id,))]
    assert not any(isinstance(e.event, CancelAsked) for e in desk.journal[entries:])


def test_takeover_fills_the_tail_and_ends_what_never_arrived() -> None:
    desk = delta_desk()
    outside(desk)
    (order,) = desk.decide()
    behind = Desk(owner={"gamma/SPX": "gamma-0"})
    behind.run_id = desk.run_id
    report = desk.report(order, OrdStatus.FILLED, order.quantity_lots)
    found = OrderState(order, OrdStatus.FILLED, order.quantity_lots, 0)
    behind.take_over(2, [found], [report])
    assert behind.state.fold.ledger.traded[0] == order.signed_lots
    assert behind.state.fold.orders.ended[order.client_order_id].status is OrdStatus.FILLED
    assert behind.state.fold.orders.decided == 1
    # The other way round: the journal has it, execution never saw it.
    desk.take_over(2, [], [])
    assert desk.state.fold.orders.ended[order.client_order_id].status is OrdStatus.CANCELED
    assert all(m.reserved == [0, 0, 0] for m in desk.state.fold.flows.meters.values())
    desk.feed(1.0)
    (again,) = desk.decide()
    assert again.epoch == 2 and again.cycle_id == "2-1" and again.order_sequence == 2


def test_nothing_is_decided_before_the_reports_are_in() -> None:
    desk = delta_desk()
    outside(desk)
    (order,) = desk.decide()
    found = OrderState(order, OrdStatus.NEW, 0, order.quantity_lots)
    report = desk.report(order, OrdStatus.CANCELED)
    desk.send(ev.TookOver(desk.now_ns, 0, 2, "manager-1", [found], [], report.sequence))
    desk.feed(1.0)
    outside(desk)
    assert desk.decide() == []
    desk.send(ev.ReportArrived(0, report))
    desk.feed(2.0)
    assert len(desk.decide()) == 1


def test_takeover_publishes_positions_assignment_and_a_new_budget_epoch() -> None:
    desk = delta_desk()
    before = desk.state.fold.budgets.budget_epoch
    desk.take_over(2)
    kinds = [type(i.update).__name__ for i in desk.out[-6:] if isinstance(i, ev.Publish)]
    assert kinds == ["PositionUpdate", "AssignmentUpdate", "BudgetUpdate"]
    assert desk.state.fold.budgets.budget_epoch == before + 1


def test_expired_proposal_and_stale_or_gapped_source_stop_the_orders() -> None:
    desk = delta_desk(config=ManagerConfig(max_source_age_s=60.0))
    outside(desk)
    desk.now_ns += 601 * 1_000_000_000
    assert desk.decide() == []
    desk = delta_desk(config=ManagerConfig(max_source_age_s=60.0))
    desk.sequence["SPX"] += 1
    desk.send(ev.MarketNews(quotes(desk.world, "SPX", desk.sequence["SPX"] + 1, desk.now_ns)))
    outside(desk)
    assert desk.decide() == [] and desk.state.seen["no-trade: nothing usable"] == 1


def test_all_agents_together_come_most_of_the_way_inside_in_one_cycle() -> None:
    desk = Desk()
    all_agents(desk, 0.3)
    desk.decide()
    cycle = desk.state.fold.last_cycle
    assert cycle is not None and cycle.method == "joint" and cycle.orders
    before = np.maximum(cycle.exposure_before - cycle.upper, 0) + np.maximum(cycle.lower - cycle.exposure_before, 0)
    after = np.maximum(cycle.exposure_after - cycle.upper, 0) + np.maximum(cycle.lower - cycle.exposure_after, 0)
    weight = 1.0 / (cycle.upper - cycle.lower)
    assert after @ weight < 0.3 * (before @ weight)


def test_heartbeats_are_kept_by_incarnation_and_never_recorded() -> None:
    from common.messages import Header, Heartbeat

    desk = delta_desk()
    entries = len(desk.journal)
    desk.send(ev.HeartbeatArrived(Heartbeat(Header("gamma-0", 1, 0), 2, "hedging"), 5))
    desk.send(ev.HeartbeatArrived(Heartbeat(Header("gamma-0", 9, 0), 1, "starting"), 6))
    assert desk.state.heartbeats["gamma-0"][0].state == "hedging" and len(desk.journal) == entries
    desk.send(ev.HeartbeatArrived(Heartbeat(Header("gamma-0", 2, 0), 2, "paused"), 7))
    beat, heard_ns = desk.state.heartbeats["gamma-0"]
    assert (beat.state, heard_ns) == ("paused", 7), "the last of one life counts"


@pytest.mark.parametrize("symbol", ["SPX", "NDX"])
def test_universe_of_the_tests_is_priced_by_put_call_parity(symbol: str) -> None:
    """The desk's own prices, checked: call - put = forward - strike."""
    from tests.manager_world import FORWARD, greeks

    world = universe()
    u = world.underlying_index(symbol)
    rows = [int(j) for j in world.rows_of(symbol) if world.kind[j]]
    for call, put in zip(rows[::2], rows[1::2], strict=True):
        gap = greeks(world, call)[0] - greeks(world, put)[0]
        assert gap == pytest.approx(FORWARD[u] - float(world.strike[call]))


def test_where_execution_is_reduce_only_nothing_but_shrinking_is_tried() -> None:
    desk = delta_desk()
    outside(desk, -3e6)
    (bought,) = desk.decide()
    desk.fill(bought)
    outside(desk, -6e6)
    (more,) = desk.decide()
    desk.send(ev.ReportArrived(0, desk.report(more, OrdStatus.REJECTED, refusal=Refusal.REDUCE_ONLY)))
    desk.feed(100.0)  # beyond the rest of a refused order
    outside(desk, -6e6)
    assert desk.decide() == [], "growing is not asked for again and again"
    outside(desk, 60e6)
    (shrinks,) = desk.decide()
    assert shrinks.side is Side.SELL and shrinks.quantity_lots == bought.quantity_lots, (
        "toward no position, not through it"
    )
    desk.fill(shrinks, 0)
    desk.feed(600.0)
    outside(desk, -6e6)
    (tried,) = desk.decide()
    assert tried.side is Side.BUY, "after a while it is tried once more"


@pytest.mark.parametrize("refusal", [Refusal.SIZE, Refusal.NOTIONAL])
def test_what_execution_refuses_as_too_large_is_asked_for_in_smaller_orders(refusal: Refusal) -> None:
    """The two have limits files of their own: where execution's is the tighter, hedging goes on within it."""
    desk = delta_desk()
    outside(desk, -30e6)
    (large,) = desk.decide()
    limit = large.quantity_lots // 3
    for _ in range(2):
        desk.send(ev.ReportArrived(0, desk.report(large, OrdStatus.REJECTED, refusal=refusal)))
        desk.feed(40.0)  # beyond the rest of a refused order
        outside(desk, -30e6)
        (smaller,) = desk.decide()
        (told,) = status(desk.state, 0)["believed"]
        assert (told["scope"], told["lots"]) == (large.instrument_id, large.quantity_lots // 2)
        assert smaller.side is large.side and smaller.quantity_lots == large.quantity_lots // 2
        large = smaller
    assert smaller.quantity_lots <= limit, "halved until it passes"
    desk.fill(smaller)
    outside(desk, -30e6)
    (again,) = desk.decide()
    assert again.quantity_lots == smaller.quantity_lots, "and then it stays within what passed"
    desk.fill(again)
    desk.feed(700.0)
    outside(desk, -30e6)
    (tried,) = desk.decide()
    assert tried.quantity_lots > smaller.quantity_lots, "after a while the whole is tried once more"


def test_a_resume_lifts_what_the_manager_believes_of_reduce_only() -> None:
    desk = delta_desk()
    outside(desk, -3e6)
    (order,) = desk.decide()
    desk.send(ev.ReportArrived(0, desk.report(order, OrdStatus.REJECTED, refusal=Refusal.REDUCE_ONLY)))
    assert desk.state.fold.reduce_only_until_ns
    desk.send(ev.CommandArrived(0, Command("lift", "resume", "risk", "looked at", "{}")))
    desk.send(ev.TradingStateSet("lift", True, ""))
    assert not desk.state.fold.reduce_only_until_ns
