"""The strike of a day: once, at the quotes of the close, with what worked told; the next day opens from it."""

from __future__ import annotations

import numpy as np
import pytest

from common.control_messages import DayStruck
from common.limits import FlowBudget
from common.limits_scopes import DrawdownStop
from common.units import NS_PER_DAY, NS_PER_S
from common.universe import Book
from manager import fold, snapshot
from manager.events import Event, Instruction
from manager.hash import state_hash
from manager.state import start
from manager.status import status
from manager.step import ManagerSetup
from tests.manager_world import FUTURE_MULTIPLIER, NOW_NS, TICK, Desk, limits

#: Two days: from the first quotes on for 10 minutes, and the same a day later.
HOURS = ((NOW_NS, NOW_NS + 600 * NS_PER_S), (NOW_NS + NS_PER_DAY, NOW_NS + NS_PER_DAY + 600 * NS_PER_S))
CLOSE_NS = HOURS[0][1]
LOTS = 4


class Dated(Desk):
    """A desk that knows its sessions and holds futures of the first underlying from the open."""

    def __post_init__(self) -> None:
        self.book = Book("book", ("a",), np.array([0], np.uint32), np.array([LOTS]))
        super().__post_init__()

    def send(self, event: Event) -> list[Instruction]:
        if not self.state.setup.sessions_ns:
            self.setup = ManagerSetup(self.world, self.book, self.config, self.limits, self.run_id, sessions_ns=HOURS)
            self.state = start(self.setup)
        return super().send(event)


def struck(desk: Desk) -> list[DayStruck]:
    return [e.event for e in desk.journal if isinstance(e.event, DayStruck)]


def future_usd(desk: Desk) -> float:
    """What the opening lots are worth at the quotes that stand, from the desk's own quotes."""
    m = desk.state.market
    return LOTS * FUTURE_MULTIPLIER[0] * 0.5 * TICK * float(m.bid_ticks[0] + m.ask_ticks[0])


def test_a_day_is_struck_at_the_quotes_of_its_close_and_the_next_opens_from_it() -> None:
    desk = Dated()
    desk.decide()
    (opening,) = struck(desk)
    began = future_usd(desk)
    assert (opening.day, opening.pnl_usd.tolist(), opening.level_usd.tolist()) == (0, [0.0], pytest.approx([began]))
    desk.feed(599.0, shift=0.01)
    desk.decide()
    closing = future_usd(desk)
    # The first quotes of the next day come in before the close was struck: they price nothing of it.
    desk.feed(NS_PER_DAY / NS_PER_S - 300.0, shift=0.03)
    desk.decide()
    _, day = struck(desk)
    assert day.at_ns == CLOSE_NS and day.day == CLOSE_NS // NS_PER_DAY and day.late == ()
    assert day.pnl_usd.sum() == pytest.approx(closing - began)
    view = status(desk.state, 0)["pnl"]
    assert view["today_usd"] == pytest.approx(future_usd(desk) - closing)
    assert view["struck_usd"] == pytest.approx(closing - began) and view["since"]["at_ns"] == CLOSE_NS
    desk.decide()
    assert len(struck(desk)) == 2


def test_at_the_close_itself_it_waits_for_every_underlying_and_for_what_works() -> None:
    desk = Dated()
    desk.decide()
    desk.propose("gamma-0", {"delta:SPX": 3e6, "gamma:SPX": 0.0}, {"delta:SPX": 1e5, "gamma:SPX": 1e9})
    (order, *_) = desk.decide()
    desk.feed(600.0)
    desk.decide()
    assert len(struck(desk)) == 1  # an order works
    desk.fill(order)
    desk.decide()
    day = struck(desk)[1]
    spread = (order.limit_ticks - 0.5 * (order.arrival_bid_ticks + order.arrival_ask_ticks)) * order.side.sign
    paid = order.quantity_lots * spread * TICK * FUTURE_MULTIPLIER[0] + order.quantity_lots * 1.0
    assert day.pnl_usd.sum() == pytest.approx(-paid, abs=0.02)  # the half spread and a dollar a lot


def test_a_new_leader_strikes_what_its_predecessor_saw_and_one_that_saw_nothing_says_so() -> None:
    desk = Dated()
    desk.decide()
    desk.feed(599.0, shift=0.01)
    closing = future_usd(desk)
    cold = start(desk.setup)
    for entry in desk.journal:
        fold.apply(cold, entry)
    desk.feed(NS_PER_DAY / NS_PER_S - 300.0, shift=0.03)
    cold.market = desk.state.market
    began = struck(desk)[0].level_usd.sum()
    saved = desk.state
    desk.take_over(2)
    desk.decide()
    assert struck(desk)[-1].pnl_usd.sum() == pytest.approx(closing - began) and struck(desk)[-1].late == ()
    after = state_hash(desk.state)
    again = start(desk.setup)
    for entry in desk.journal:
        fold.apply(again, entry)
    assert state_hash(again) == after == state_hash(snapshot.restore(snapshot.encode(again.fold, "run"), desk.setup))
    assert saved.fold.struck is not None
    desk.state, desk.journal = cold, []
    desk.take_over(2)
    desk.decide()
    (late,) = struck(desk)
    assert late.late == ("SPX", "NDX") and late.pnl_usd.sum() == pytest.approx(future_usd(desk) - began)


def test_a_leader_whose_first_quotes_lie_beyond_the_close_says_so() -> None:
    """It starts after the next open: the feed's snapshot first, then the next batch. Neither is the close."""
    desk = Dated()
    desk.decide()
    began = struck(desk)[0].level_usd.sum()
    cold = start(desk.setup)
    for entry in desk.journal:
        fold.apply(cold, entry)
    desk.state, desk.journal = cold, []
    desk.feed(NS_PER_DAY / NS_PER_S + 10.0, shift=0.01)
    desk.feed(1.0, shift=0.03)
    desk.take_over(2)
    desk.decide()
    (late,) = struck(desk)
    assert late.at_ns == CLOSE_NS and late.late == ("SPX", "NDX")
    assert late.pnl_usd.sum() == pytest.approx(future_usd(desk) - began)


def test_a_desk_without_sessions_strikes_nothing() -> None:
    desk = Desk()
    desk.feed(2 * NS_PER_DAY / NS_PER_S)
    desk.decide()
    assert struck(desk) == [] and status(desk.state, 0)["pnl"]["today_usd"] is None


def test_limits_of_a_day_and_the_drawdown_stop_turn_at_the_close_not_at_midnight() -> None:
    """The close lies inside a UTC date: what was spent before it does not count after it."""
    stop = {"drawdown": DrawdownStop(stop_usd=1e6)}
    desk = Dated(limits=limits(flow=FlowBudget(cost_usd=1e6, notional_usd=1e12, orders=1), **stop))
    desk.propose("gamma-0", {"delta:SPX": 3e6, "gamma:SPX": 0.0}, {"delta:SPX": 1e5, "gamma:SPX": 1e9})
    (order,) = desk.decide()
    desk.fill(order, 1)
    before = desk.state.days.of(desk.now_ns)
    desk.propose("gamma-0", {"delta:SPX": 3e6, "gamma:SPX": 0.0}, {"delta:SPX": 1e5, "gamma:SPX": 1e9})
    assert desk.decide() == []  # one order a day
    desk.feed(700.0)
    assert desk.state.days.of(desk.now_ns) == before + 1 and desk.now_ns // NS_PER_DAY == NOW_NS // NS_PER_DAY
    desk.decide()
    held = desk.state.fold.last_round
    assert held is not None and held.day == before + 1 and "new day" in held.reasons
    desk.propose("gamma-0", {"delta:SPX": 3e6, "gamma:SPX": 0.0}, {"delta:SPX": 1e5, "gamma:SPX": 1e9})
    assert len(desk.decide()) == 1
