"""Single mistakes in budgets, limits and rounds of the manager, one a test, that every other test once let through."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from common.control_messages import Cycle, DayStruck
from common.factors import desk_of, kind_of
from common.limits import FactorLimit
from common.limits_scopes import DrawdownStop, MarginGrid, MarginLimit, RiskLimit, SumLimit
from common.messages import OrdStatus, Side
from common.units import NS_PER_DAY, NS_PER_S
from common.universe import Book
from manager import events as ev
from manager.books_problem import _own_rows
from manager.budgets_gate import admitted
from manager.budgets_marks import MarginCells
from manager.budgets_round import hold
from manager.budgets_scopes import covariance_of, levels_usd, why_reduce_only, worst_of_cells
from manager.config import ManagerConfig
from manager.exposures import limit_columns
from manager.menu import Menu
from manager.state import start
from manager.step import ManagerSetup
from manager.ticket import Draft
from manager.view import View
from tests.budgets_world import busy, desk, rounds
from tests.desks_world import Desks, two
from tests.manager_world import (
    FORWARD,
    FUTURE_MULTIPLIER,
    NOW_NS,
    TICK,
    Desk,
    all_agents,
    assign,
    delta_desk,
    limits,
    universe,
)
from tests.steering_world import by_hand
from tests.steering_world import send as steer


def test_what_people_widen_stays_inside_the_division_and_a_factor_that_left_it_is_free() -> None:
    one = busy(desk(), (1.0,))
    fold = one.state.fold
    last = rounds(one)[-1]
    at = np.array([fold.table.index[name] for name in last.factor])
    assert last.published and (fold.soft[at] < fold.allowed[at]).any()
    before = fold.soft[at].copy()
    ack = steer(one, "limits.set", "w1", path="factor.delta:*.hard_usd", value=6e8)
    assert ack is not None and ack.accepted
    one.state.check()
    assert (one.state.fold.soft[at] <= np.maximum(before, one.state.fold.divided[at])).all()
    # Only gamma-0 speaks from now on: what the last division gave the others binds nobody.
    one.now_ns += 700 * NS_PER_S
    one.feed(0.0)
    one.propose("gamma-0", {"delta:SPX": 3e6, "gamma:SPX": -1.5e6}, {"delta:SPX": 3e5, "gamma:SPX": 2e5})
    one.decide()
    last = rounds(one)[-1]
    assert last.published and set(last.factor) == {"delta:SPX", "gamma:SPX"}
    others = np.setdiff1d(
        np.arange(len(one.state.fold.table.names)), [one.state.fold.table.index[n] for n in last.factor]
    )
    np.testing.assert_array_equal(one.state.fold.soft[others], one.state.fold.allowed[others])


def test_a_high_of_the_day_is_kept_and_the_stop_counts_from_it() -> None:
    """Ten futures long: up 1 %, then back to where it began. It is the high that counts, not the open."""
    lots = 10
    gain = lots * FUTURE_MULTIPLIER[0] * FORWARD[0] * 0.01
    book = Book("book", ("a",), np.array([0], np.uint32), np.array([lots]))
    one = Desk(limits=limits(drawdown=DrawdownStop(stop_usd=0.75 * gain)), book=book)
    one.decide()
    one.feed(31.0, shift=0.01)
    one.decide()
    high = rounds(one)[-1]
    assert any("new high" in why for why in high.reasons)
    assert high.high_usd[0] == pytest.approx(gain, rel=1e-3) and high.reduce_only == ("",)
    one.feed(31.0, shift=0.0)
    one.decide()
    last = rounds(one)[-1]
    assert last.high_usd[0] == pytest.approx(gain, rel=1e-3) and last.pnl_usd[0] == pytest.approx(0.0, abs=0.01 * gain)
    assert last.reduce_only[0].startswith("drawdown")


def test_a_stop_is_over_with_its_day_before_a_round_of_the_next_says_so() -> None:
    lots = 10
    book = Book("book", ("a",), np.array([0], np.uint32), np.array([lots]))
    one = Desk(limits=limits(drawdown=DrawdownStop(stop_usd=1_000.0)), book=book)
    one.decide()
    one.feed(31.0, shift=-0.01)
    one.decide()
    assert why_reduce_only(one.state, "firm", 0.0).startswith("drawdown")
    one.state.clock_ns = one.now_ns + 86_400 * NS_PER_S
    assert why_reduce_only(one.state, "firm", 0.0) == ""


def test_what_expired_since_counts_at_its_payoff_until_the_level_is_taken_anew() -> None:
    """A call deep in the money: its level as of before the expiry has the payoff, the one as of after it has not."""
    world = universe()
    call = int(np.flatnonzero((world.right == 1) & (world.underlying == 0) & (world.strike < 0.95 * FORWARD[0]))[0])
    expiry_ns = world.expiry_ns.copy()
    expiry_ns[call] = NOW_NS + 60 * NS_PER_S
    book = Book("book", ("a",), np.array([call], np.uint32), np.array([-5]))
    one = Desk(world=replace(world, expiry_ns=expiry_ns), book=book)
    one.feed(120.0)
    before, after = levels_usd(one.state, "firm", NOW_NS, one.now_ns)
    assert before == pytest.approx(-5 * 100.0 * (FORWARD[0] - float(world.strike[call])), abs=5 * 100.0 * TICK)
    assert after == 0.0


def test_the_levels_of_the_desks_are_their_own_and_add_up_to_the_firms_before_fees() -> None:
    one = two()
    for name in ("a", "b"):
        one.says(name, {"delta:SPX": 2e6 if name == "a" else 5e6}, 1e5)
    (order,) = one.decide()
    one.fill(order)
    (firm,), (a,), (b,) = (levels_usd(one.state, scope, 0) for scope in ("firm", "desk:a", "desk:b"))
    mine = sum(n for agent, n in order.allocation if desk_of(agent) == "a")
    mid = 0.5 * (order.arrival_bid_ticks + order.arrival_ask_ticks)
    assert a == pytest.approx(mine * (mid - order.limit_ticks) * TICK * FUTURE_MULTIPLIER[0], abs=0.02)
    assert a + b - one.state.fold.ledger.fee_cents / 100.0 == pytest.approx(firm, abs=0.02)


def test_of_what_works_each_cell_counts_what_would_be_lost_and_nothing_that_would_be_gained() -> None:
    """One future bought and working: it loses in the cell of a fall, and in the cell of a rise it is not counted on."""
    one = delta_desk(limits=limits(margin=MarginLimit(worst_loss_usd=1e12), margin_grid=MarginGrid()))
    one.propose("gamma-0", {"delta:SPX": -3e6}, {"delta:SPX": 1e5}, menu=[0])
    (order,) = one.decide()
    assert order.side is Side.BUY
    cells = MarginCells(np.array([0], np.intp), np.array([[-100.0, 100.0]]))
    worst = worst_of_cells(one.state, cells, "firm")
    assert worst.tolist() == [100.0 * order.quantity_lots, 0.0]


def test_a_limit_of_one_factor_holds_for_every_desk() -> None:
    """Whoever holds the delta of SPX: nobody more than the firm; a desk with a limit of its own no more than that either."""
    factor = {
        "delta:SPX": FactorLimit(soft_usd=5.0, hard_usd=9.0),
        "delta:SPX@b": FactorLimit(soft_usd=4.0, hard_usd=9.0),
    }
    soft, hard = limit_columns(limits(factor=factor), ("delta:SPX@a", "delta:SPX@b", "delta:NDX@a"))
    assert soft.tolist() == [5.0, 4.0, np.inf] and hard.tolist() == [9.0, 9.0, np.inf]


def test_the_same_leader_told_again_uses_no_cycle_id_twice() -> None:
    """The id of an order follows from its cycle's: twice the same is a second order that execution takes for the first."""
    one = delta_desk()
    for k in range(3):
        one.propose("gamma-0", {"delta:SPX": 3e6 + k}, {"delta:SPX": 1e5}, menu=[0])
        (order,) = one.decide()
        one.fill(order)
        one.take_over(1)
        one.feed(30.0)
    cycles = [e.event.cycle_id for e in one.journal if isinstance(e.event, Cycle)]
    assert len(cycles) == len(set(cycles)) == 3 and len({o.client_order_id for o in one.orders}) == 3


def test_of_a_fill_beyond_the_order_each_kind_pays_for_its_own_lots() -> None:
    """Twice what was ordered: a kind pays for its lots of both halves, rounded up, and the firm for all, to the cent."""
    one = Desk()
    all_agents(one)
    order = next(o for o in one.decide() if len({kind_of(a) for a, n in o.allocation if n}) > 1)
    q, fold = order.quantity_lots, one.state.fold
    before = {scope: meter.used[0] for (scope, _), meter in fold.flows.meters.items()}
    one.send(ev.ReportArrived(0, one.report(order, OrdStatus.FILLED, 2 * q)))
    got: dict[str, int] = {}
    for agent, lots in fold.orders.get(order.client_order_id).got.items():
        got[kind_of(agent)] = got.get(kind_of(agent), 0) + lots
    used = {scope: meter.used[0] - before.get(scope, 0) for (scope, _), meter in fold.flows.meters.items()}
    within = {k: sum(abs(n) for a, n in order.allocation if kind_of(a) == k) for k in got}
    bill = fold.ledger.cost_cents + fold.ledger.fee_cents
    assert sum(got.values()) == 2 * q and used["firm"] == bill
    for kind, lots in got.items():
        if lots == within[kind]:  # all that is beyond is another's
            assert used[f"kind:{kind}"] <= -(-bill * lots // (2 * q)) + 1


class Dated(Desk):
    """A desk that knows its sessions and is short a call that expires at the first close, deep in the money."""

    def __post_init__(self) -> None:
        call = int(np.flatnonzero((self.world.right == 1) & (self.world.strike < 0.95 * FORWARD[0]))[0])
        expiry_ns = self.world.expiry_ns.copy()
        expiry_ns[call] = CLOSE_NS
        self.call, self.world = call, replace(self.world, expiry_ns=expiry_ns)
        self.book = Book("book", ("a", "a"), np.array([0, call], np.uint32), np.array([4, -5]))
        super().__post_init__()

    def send(self, event: ev.Event) -> list[ev.Instruction]:
        if not self.state.setup.sessions_ns:
            hours = ((NOW_NS, CLOSE_NS), (NOW_NS + NS_PER_DAY, CLOSE_NS + NS_PER_DAY))
            self.setup = ManagerSetup(self.world, self.book, self.config, self.limits, self.run_id, sessions_ns=hours)
            self.state = start(self.setup)
        return super().send(event)


CLOSE_NS = NOW_NS + 600 * NS_PER_S


def test_a_strike_waits_for_what_settles_at_its_very_close_and_counts_the_quotes_of_that_instant() -> None:
    """tests/unit/test_manager_strike.py. Four futures up by 1 %, and five calls settled at that price."""
    one = Dated()
    one.decide()
    opening = [e.event for e in one.journal if isinstance(e.event, DayStruck)]
    m = one.state.market
    future = 0.5 * TICK * float(m.bid_ticks[0] + m.ask_ticks[0])
    call = 0.5 * TICK * float(m.bid_ticks[one.call] + m.ask_ticks[one.call])
    one.feed(600.0, shift=0.01)  # quotes of the very close
    closed = 0.5 * TICK * float(m.bid_ticks[0] + m.ask_ticks[0])
    one.decide()
    one.feed(1.0, shift=-0.02)  # and of after it
    one.decide()
    assert [e.event for e in one.journal if isinstance(e.event, DayStruck)] == opening
    one.settle(one.call, closed)
    one.decide()
    day = [e.event for e in one.journal if isinstance(e.event, DayStruck)][-1]
    gain = 4 * 50.0 * (closed - future) - 5 * 100.0 * (closed - float(one.world.strike[one.call]) - call)
    assert day.at_ns == CLOSE_NS and day.pnl_usd.sum() == pytest.approx(gain, abs=0.02)


def test_budgets_are_never_below_half_a_lot() -> None:
    """Next to no risk is allowed, to the firm and to a kind: the floors stand all the same."""
    tiny = RiskLimit(soft_usd=1.0, hard_usd=2e9)
    one = desk(risk=tiny, risk_by_kind={"vega": RiskLimit(soft_usd=0.5, hard_usd=2e9)})
    all_agents(one)
    assert one.decide()
    one.feed(60.0, shift=0.02)
    all_agents(one)
    one.decide()
    table, last = one.state.fold.table, rounds(one)[-1]
    assert last.number > 1 and len(last.factor) > 5
    for held in rounds(one):
        for name, soft in zip(held.factor, held.soft_limit.tolist(), strict=True):
            i = table.index[name]
            lot = np.abs(table.sensitivity[i, table.stated[i]])
            floor = 0.5 * float(np.median(lot[lot > 0.0])) if (lot > 0.0).any() else 0.0
            assert soft >= min(floor, float(one.state.fold.allowed[i])) * (1.0 - 1e-9), name


def test_cost_goes_where_a_cent_takes_off_more_risk() -> None:
    def shares(removed: dict[str, float]) -> dict[str, int]:
        one = desk()
        all_agents(one)
        fold = one.state.fold
        fold.ledger.accounts = {("x", "gamma-0"): 100_00, ("x", "vega-0"): 100_00, ("x", "cross_asset-0"): 100_00}
        fold.risk_removed_usd = removed
        r, _ = hold(one.state, ("test",))
        return dict(zip(r.spender, r.cost_cents.tolist(), strict=True))

    gamma = shares({"gamma-0": 9e4, "vega-0": 1e4, "cross_asset-0": 1e4})
    vega = shares({"gamma-0": 1e4, "vega-0": 9e4, "cross_asset-0": 1e4})
    assert gamma["kind:gamma"] > vega["kind:gamma"] and gamma["kind:vega"] < vega["kind:vega"]


def test_a_wish_for_desks_of_two_entities_is_used_by_both() -> None:
    one = Desks(entities={"a": "LLC", "c": "Ltd"}, config=ManagerConfig(netting="plain"))
    one.send(ev.CommandArrived(0, assign({"gamma/SPX@a": "gamma-0", "gamma/NDX@c": "gamma-0"}, "both")))
    names = {"delta:SPX@a": 4e6, "delta:NDX@c": -3e6}
    wish = np.array([[-30.0, 0.0], [0.0, 20.0]])
    one.propose("gamma-0", names, 1e4, menu=[0, 1], alone={0: -30.0, 1: 20.0}, desk=("a", "c"), desk_alone_lots=wish)
    assert [(o.signed_lots, o.allocation) for o in one.decide()] == [
        (-30, (("gamma-0@a", -30),)),
        (20, (("gamma-0@c", 20),)),
    ]
    assert one.decide() == []


def test_a_tightened_budget_of_the_firm_holds_in_the_next_round() -> None:
    """Not half the way: the magnitudes of the covariances, at the new budgets, say no more than the firm allows now."""
    one = busy(desk(), (1.0, -0.5, 0.7))
    ack = steer(one, "limits.set", "w1", path="risk.soft_usd", value=75_000.0)
    assert ack is not None and ack.accepted
    all_agents(one, 0.7)
    one.decide()
    last = rounds(one)[-1]
    at = np.array([one.state.fold.table.index[name] for name in last.factor])
    c = np.abs(covariance_of(one.state, at))
    assert any("limits" in why for why in last.reasons)
    assert np.sqrt(last.soft_limit @ c @ last.soft_limit) <= 75_000.0 * 1.001


def test_lots_beyond_the_order_are_its_first_agents() -> None:
    one = Desk()
    all_agents(one)
    life = next(x for x in (one.decide() and one.state.fold.orders.open.values()) if len(x.order.allocation) > 1)
    first, sign = life.order.allocation[0][0], life.order.side.sign
    assert life.take_fill(life.order.quantity_lots) == {a: n for a, n in life.order.allocation if n}
    n = 3 * life.order.quantity_lots
    assert life.take_fill(n) == {first: n * sign}


def test_a_desks_own_limit_holds_for_every_part_of_what_works() -> None:
    """Eight lots up and eight down are working, ten is the limit: whichever of them fill, three more could break it."""
    works, hard = (8.0, -8.0), 10.0
    parts = [sum(c) for n in range(3) for c in itertools.combinations(works, n)]
    one = np.array([True])
    view = View(
        np.array([0]), np.array([sum(works)]), np.array([max(parts)]), np.array([min(parts)]),
        np.array([-1.0]), np.array([1.0]), one, np.array([hard]), {},
    )  # fmt: skip
    column = np.ones(1)
    menu = Menu(np.array([0]), np.ones((1, 1)), column, column, column, column, column, column, column, column, column)
    rows, room, _ = _own_rows(view, menu, np.zeros(1, np.int64), np.zeros((1, 1)))
    for lots in range(-12, 13):
        fits = bool((rows @ np.array([max(lots, 0), max(-lots, 0)]) <= room).all())
        assert fits is all(abs(part + lots) <= hard or lots == 0 for part in parts), lots


def test_a_limit_on_a_sum_holds_for_every_part_of_what_works() -> None:
    """SPX futures bought and NDX futures sold are working: if only the first fill, there is room for so many more."""
    lot = (FORWARD[0] * FUTURE_MULTIPLIER[0], FORWARD[1] * FUTURE_MULTIPLIER[1])
    total = {"deltas": SumLimit(factors=["delta:*"], hard_usd=15.5 * lot[0])}
    one = Desk(limits=limits(sum=total))
    for u, symbol in enumerate(("SPX", "NDX")):
        one.propose(f"gamma-{u}", {f"delta:{symbol}": 0.0}, {f"delta:{symbol}": 1e9}, menu=[0, 1])
    by_hand(one, "h1", "BUY", 10, 0)
    by_hand(one, "h2", "SELL", 10, 1)
    assert {x.order.signed_lots for x in one.state.fold.orders.open.values()} == {10, -10}
    more = Draft(0, 0, Side.BUY, 30, (("gamma-0", 30),), (0, 0), 1.0, ())
    assert [d.lots for d in admitted(one.state, [more])] == [5]
