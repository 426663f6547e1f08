"""Single mistakes in what the manager books and counts, one a test, that every other test once let through."""

from __future__ import annotations

import numpy as np
import pytest

from common.errors import HedgerowError
from common.factors import desk_of
from common.lifecycle import Outcome
from common.limits import FlowBudget, FlowShare
from common.messages import OrdStatus, Side
from manager.flows import Flows, scopes_of
from manager.ledger import Ledger
from manager.strike import levels
from tests.desks_world import two
from tests.manager_world import (
    FORWARD,
    FUTURE_MULTIPLIER,
    TICK,
    Desk,
    limits,
    universe,
)


def test_a_division_holds_for_its_own_day() -> None:
    flows = Flows(
        limits(
            flow=FlowBudget(cost_usd=100.0, notional_usd=1e9, orders=9),
            flow_by_kind={"gamma": FlowShare(cost_usd=50.0)},
        )
    )
    flows.divide(7, {"kind:gamma": 1_000})
    assert [flows.limit("kind:gamma", day)[0] for day in (6, 7, 8)] == [5_000, 1_000, 5_000]


@pytest.mark.parametrize("which", ["used", "reserved"])
def test_a_negative_meter_is_found(which: str) -> None:
    flows = Flows(limits())
    scopes = scopes_of("SPX", {"gamma-0": 2})
    flows.reserve(scopes, 1, (10, 10))
    flows.check()
    getattr(flows.meters["firm", 1], which)[0] = -1
    with pytest.raises(HedgerowError, match="firm day 1"):
        flows.check()


def options_and_future() -> tuple[int, int, int]:
    """Rows of an SPX call, a put and the future."""
    world = universe()
    call, put = (
        next(j for j in range(len(world)) if world.right[j] == r and world.underlying[j] == 0) for r in (1, -1)
    )
    return call, put, 0


@pytest.mark.parametrize(("right", "lots"), [(1, 3), (1, -3), (-1, 4), (-1, -4)])
def test_what_is_delivered_is_worth_what_was_settled(right: int, lots: int) -> None:
    """At any price S: cash + future lots × S = held × right × (S - K), and nothing is held of the option."""
    call, put, future = options_and_future()
    world = universe()
    at = call if right > 0 else put
    opening = np.zeros((1, len(world)), np.int64)
    opening[0, at] = lots
    ledger, strike = Ledger(world, 10, 10), 50_000
    moves = ledger.settle(opening, Outcome(at, 800, future, right, strike))
    held = opening[0] + ledger.net_lots()
    assert held[at] == 0 and dict(moves) == {at: -lots, future: right * lots}
    tick_usd = TICK * FUTURE_MULTIPLIER[0]
    for price in (49_000, 50_000, 51_500):
        worth = ledger.cash_cents["settlement"] / 100.0 + held[future] * price * tick_usd
        assert worth == pytest.approx(lots * right * (price - strike) * tick_usd, abs=0.01)
    assert ledger.settle(opening, Outcome(at, 800, future, right, strike)) == []


def test_agents_hear_of_a_settlement_of_what_only_the_opening_book_held() -> None:
    call, *_ = options_and_future()
    world = universe()
    opening = np.zeros((1, len(world)), np.int64)
    opening[0, call] = -7
    ledger = Ledger(world, 10, 10)
    ledger.settle(opening, Outcome(call, 100))
    told = ledger.update(0, 0, "")
    assert dict(zip(told.instrument.tolist(), told.traded_lots.tolist(), strict=True)) == {call: 7}


def test_each_desk_pays_its_own_fees_and_holds_its_own_cash() -> None:
    """What a desk is worth, recounted from the fills as they were told: its agents' lots of each, at price and fee."""
    one = two()
    for name in ("a", "b"):
        one.says(name, {"delta:SPX": 2e6 if name == "a" else 5e6}, 1e5)
    (order,) = one.decide()
    one.fill(order)
    ledger = one.state.fold.ledger
    # A second agent of desk a trades by a report of its own.
    report = one.report(order, OrdStatus.FILLED, 3, exec_id="x", fee_cents=700)
    ledger.book(report, order, {"vega-9@a": 3 * order.side.sign})
    lots, fee = {"a": 0, "b": 0}, {"a": 7.0, "b": 0.0}
    for agent, n in order.allocation:
        lots[desk_of(agent)] += n
        fee[desk_of(agent)] += abs(n) * 1.0  # a dollar a lot
    lots["a"] += 3 * order.side.sign
    assert min(abs(n) for n in lots.values()) > 3
    mark, multiplier = FORWARD[0] + 5.0, FUTURE_MULTIPLIER[0]
    found = levels(one.state, np.array([order.instrument]), np.array([mark]))
    for name, level in zip(ledger.desks, found.tolist(), strict=True):
        price = order.limit_ticks * TICK
        assert level == pytest.approx(lots[name] * (mark - price) * multiplier - fee[name], abs=0.011)
    assert sum(ledger.desk_fee_cents.values()) == ledger.fee_cents


def test_a_fill_told_after_its_contract_has_settled_settles_too() -> None:
    """Bought at p, settled at the payoff: nothing is held, and the cash is lots × (payoff - p)."""
    call, *_ = options_and_future()
    one = Desk(owner={"gamma/SPX": "gamma-0"})
    one.propose("gamma-0", {"delta:SPX": 0.0, "gamma:SPX": -3e6}, {"delta:SPX": 1e9, "gamma:SPX": 1e4}, menu=[call])
    (order,) = one.decide()
    one.settle(call, FORWARD[0])
    lots = order.quantity_lots
    one.fill(order)
    ledger, payoff = one.state.fold.ledger, max(FORWARD[0] - float(one.world.strike[call]), 0.0)
    assert order.side is Side.BUY and payoff > 100.0
    assert ledger.traded[call] == lots and ledger.net_lots()[call] == 0
    paid = order.limit_ticks * TICK
    assert sum(ledger.cash_cents.values()) / 100.0 == pytest.approx(lots * (payoff - paid) * 100.0, abs=0.02)
