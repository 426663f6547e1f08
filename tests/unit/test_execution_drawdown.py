"""The drawdown stop against P&L worked out by hand, and how it comes back after a restart."""

from __future__ import annotations

from dataclasses import replace

import pytest

from common.messages import Refusal, Side, TradingState
from common.universe import AMERICAN
from execution.core import step
from execution.drawdown import Drawdown
from execution.events import Ack, Fence, Persist, Quotes, SetTrading, Submit, TradingSet, VenueEvents
from execution.exposure import Exposure
from execution.hand import decide
from execution.state import ExecutionSetup, ExecutionState, start
from execution.store import MemoryStore
from execution.venues.port import VenueEvent, VenueKind
from tests.execution_world import FEE_CENTS, T0_NS, make_limits, make_order, make_universe, quotes, standing

UNIVERSE = make_universe()
#: USD of one tick of one lot.
TICK_USD = 0.25 * 50.0


def begin(limit_usd: float, store: MemoryStore) -> ExecutionState:
    limits = make_limits(max_drawdown_usd=limit_usd)
    state = start(ExecutionSetup(UNIVERSE, limits, store.load()))
    step(state, Quotes(standing()))
    if state.epoch == 0:
        store.commit(decide(state, store, [Fence(1, "m")]).records)
    return state


def bought(state: ExecutionState, store: MemoryStore, name: str, lots: int, ticks: int) -> None:
    fill = VenueEvent(VenueKind.FILL, name, T0_NS, f"f-{name}", lots, ticks, FEE_CENTS * lots)
    store.commit(decide(state, store, [Submit(make_order(name, lots=lots), 0), VenueEvents((fill,), 0)]).records)


def asked(state: ExecutionState, store: MemoryStore, name: str, side: Side = Side.BUY) -> Refusal:
    group = decide(state, store, [Submit(make_order(name, side=side), 0)])
    store.commit(group.records)
    return next(i.ack.refusal for i in group.acts[0] if isinstance(i, Ack))


def test_profit_and_loss_is_cash_plus_position_at_mid_less_fees() -> None:
    store = MemoryStore()
    state = begin(1e9, store)
    bought(state, store, "a", 4, 1002)
    # Four lots bought one tick above the mid of 1001.
    paid_usd = 4 * 1 * TICK_USD + 4 * FEE_CENTS / 100
    assert state.drawdown.loss_usd(UNIVERSE, state.snapshot, state.exposure) == pytest.approx(paid_usd)
    step(state, Quotes(quotes(2, (0, 1010, 1012, 5, 5))))
    assert state.drawdown.loss_usd(UNIVERSE, state.snapshot, state.exposure) == 0.0
    assert state.drawdown.pnl_usd == pytest.approx(4 * 9 * TICK_USD - 4 * FEE_CENTS / 100)
    # A side goes missing: the last mid stands.
    step(state, Quotes(quotes(3, (0, None, 900, 5, 5))))
    assert state.drawdown.loss_usd(UNIVERSE, state.snapshot, state.exposure) == 0.0


def test_beyond_the_limit_trading_is_reduce_only_until_somebody_lifts_it() -> None:
    store = MemoryStore()
    # Four lots, 1001 marked, 55 USD lost at once; at a mid of 999 two ticks more: 155 USD.
    state = begin(155.0, store)
    bought(state, store, "a", 4, 1002)
    step(state, Quotes(quotes(2, (0, 998, 1000, 5, 5))))
    assert asked(state, store, "at-the-limit") is Refusal.NONE
    step(state, Quotes(quotes(3, (0, 997, 1000, 5, 5))))
    assert asked(state, store, "b") is Refusal.REDUCE_ONLY
    said = state.trading
    assert (said.state, said.who) == (TradingState.REDUCE_ONLY, "execution")
    assert said.why == "drawdown: 180.00 USD below the peak of what was traded here, limit 155.00 USD"
    assert asked(state, store, "c", Side.SELL) is Refusal.NONE
    again = begin(155.0, store)
    assert again.trading == said
    step(again, SetTrading(TradingState.ACTIVE, "alice", "seen", 0))
    step(again, Quotes(quotes(2, (0, 997, 1000, 5, 5))))
    assert asked(again, store, "d") is Refusal.NONE


def test_a_restart_marks_what_the_store_says_was_traded() -> None:
    store = MemoryStore()
    bought(begin(1e9, store), store, "a", 4, 1002)
    again = begin(1e9, store)
    assert again.exposure.cash == {0: (-4 * 1002, 4 * FEE_CENTS)}
    assert again.drawdown.loss_usd(UNIVERSE, again.snapshot, again.exposure) == pytest.approx(4 * TICK_USD + 5.0)


def test_a_stop_in_force_is_not_overruled() -> None:
    store = MemoryStore()
    state = begin(10.0, store)
    bought(state, store, "a", 4, 1002)
    _, out = step(state, SetTrading(TradingState.PAUSED, "bob", "lunch", 0))
    assert isinstance(out[0], Persist)
    assert asked(state, store, "b") is Refusal.PAUSED
    assert state.trading == TradingSet(TradingState.PAUSED, "bob", "lunch")


@pytest.mark.parametrize("delivers", [False, True])
def test_what_settled_counts_with_what_it_became_also_after_a_restart(delivers: bool) -> None:
    """Three calls at 100 points bought at 1002 ticks; the future stands at 1001 ticks, 250.25 points: 601 ticks each."""
    universe = replace(UNIVERSE, style=UNIVERSE.style * 0 + AMERICAN) if delivers else UNIVERSE
    store = MemoryStore()
    expected_usd = 3 * (601 - 1002) * TICK_USD - 3 * FEE_CENTS / 100

    def pnl_usd(state: ExecutionState) -> float:
        state.drawdown.loss_usd(universe, state.snapshot, state.exposure)
        return state.drawdown.pnl_usd

    state = start(ExecutionSetup(universe, make_limits(max_drawdown_usd=1e9), store.load()))
    step(state, Quotes(standing(symbol="BBB")))
    store.commit(decide(state, store, [Fence(1, "m")]).records)
    fill = VenueEvent(VenueKind.FILL, "a", T0_NS, "f-a", 3, 1002, FEE_CENTS * 3)
    order = make_order("a", instrument=7, lots=3)
    store.commit(decide(state, store, [Submit(order, 0), VenueEvents((fill,), 0)]).records)
    assert pnl_usd(state) == pytest.approx(3 * (1001 - 1002) * TICK_USD - 3 * FEE_CENTS / 100)
    told = VenueEvent(VenueKind.SETTLED, "S", T0_NS + 1, "S", ticks=1001, instrument=7)
    store.commit(decide(state, store, [VenueEvents((told,), 0)]).records)
    assert pnl_usd(state) == pytest.approx(expected_usd)
    # The contract is quoted no more; the future is.
    again = start(ExecutionSetup(universe, make_limits(max_drawdown_usd=1e9), store.load()))
    step(again, Quotes(quotes(1, (4, 1000, 1002, 5, 5), symbol="BBB")))
    assert pnl_usd(again) == pytest.approx(expected_usd)


def test_nothing_traded_is_nothing_lost() -> None:
    store = MemoryStore()
    state = begin(1.0, store)
    assert Drawdown().loss_usd(UNIVERSE, state.snapshot, Exposure()) == 0.0
