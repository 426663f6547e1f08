"""Execution holds a stop of one underlying by itself: orders refused, working ones cancelled on kill, kept over restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.messages import Order, OrdStatus, Refusal, TradingState
from execution.core import step
from execution.events import (
    CancelAtVenue,
    Fence,
    Instruction,
    NewOrder,
    Persist,
    Quotes,
    Send,
    SetTrading,
    Submit,
    TradingSet,
)
from execution.sqlite_store import SqliteStore
from execution.state import ExecutionSetup, ExecutionState, Stored, start
from execution.store import MemoryStore
from execution.trading import unknown_scope
from tests.execution_world import make_limits, make_order, make_universe, standing

AAA = "underlying:AAA"


def leading(stored: Stored | None = None) -> ExecutionState:
    state = start(ExecutionSetup(make_universe(), make_limits(), stored or Stored()))
    step(state, Quotes(standing()))
    step(state, Quotes(standing(1, "BBB")))
    step(state, Fence(state.epoch + 1, "m"))
    return state


def order(state: ExecutionState, name: str, row: int) -> Order:
    return make_order(name, row, epoch=state.epoch)


def refusal(out: list[Instruction]) -> Refusal:
    (made,) = [i.record for i in out if isinstance(i, Persist) and isinstance(i.record, NewOrder)]
    return made.record.refusal


def stop(state: ExecutionState, what: TradingState, scope: str) -> list[Instruction]:
    return step(state, SetTrading(what, "ann", "news", 0, scope))[1]


@pytest.mark.parametrize(
    ("what", "rule"),
    [(TradingState.PAUSED, Refusal.SCOPE_PAUSED), (TradingState.KILLED, Refusal.SCOPE_KILLED)],
)
def test_orders_on_it_are_refused_and_others_leave(what: TradingState, rule: Refusal) -> None:
    state = leading()
    stop(state, what, AAA)
    _, out = step(state, Submit(order(state, "a1", 0), 0))
    assert refusal(out) is rule and not any(isinstance(i, Send) for i in out)
    assert state.orders["a1"].text == f"trading: {AAA} {what.name} by ann (news), limit ACTIVE"
    _, out = step(state, Submit(order(state, "b1", 4), 0))
    assert any(isinstance(i, Send) for i in out)
    stop(state, TradingState.ACTIVE, AAA)
    _, out = step(state, Submit(order(state, "a2", 0), 0))
    assert any(isinstance(i, Send) for i in out)


def test_a_kill_cancels_what_works_on_it_and_nothing_else() -> None:
    state = leading()
    step(state, Submit(order(state, "a1", 0), 0))
    step(state, Submit(order(state, "b1", 4), 0))
    out = stop(state, TradingState.KILLED, AAA)
    assert [i.client_order_id for i in out if isinstance(i, CancelAtVenue)] == ["a1"]
    assert state.orders["a1"].ord_status is OrdStatus.PENDING_NEW and not state.orders["b1"].cancel_asked


def test_everything_stands_above_one_underlying_and_a_resume_lifts_only_what_it_names() -> None:
    state = leading()
    stop(state, TradingState.KILLED, "")
    stop(state, TradingState.ACTIVE, AAA)
    _, out = step(state, Submit(order(state, "a1", 0), 0))
    assert refusal(out) is Refusal.KILLED
    stop(state, TradingState.PAUSED, AAA)
    stop(state, TradingState.ACTIVE, "")
    _, out = step(state, Submit(order(state, "a2", 0), 0))
    assert refusal(out) is Refusal.SCOPE_PAUSED


@pytest.mark.parametrize("durable", [True, False])
def test_it_survives_a_restart(durable: bool, tmp_path: Path) -> None:
    store = SqliteStore(tmp_path) if durable else MemoryStore()
    store.commit(
        [
            TradingSet(TradingState.KILLED, "ann", "news", AAA),
            TradingSet(TradingState.PAUSED, "b", "c", "underlying:BBB"),
        ]
    )
    store.commit([TradingSet(TradingState.ACTIVE, "ann", "over", "underlying:BBB")])
    if durable:
        store.close()
        store = SqliteStore(tmp_path)
    stored = store.load()
    assert stored.stopped == (TradingSet(TradingState.KILLED, "ann", "news", AAA),)
    assert stored.trading.state is TradingState.ACTIVE
    state = leading(stored)
    _, out = step(state, Submit(order(state, "a1", 0), 0))
    assert refusal(out) is Refusal.SCOPE_KILLED
    store.close()


@pytest.mark.parametrize("scope", ["underlying:DAX", "AAA", "agent:gamma-0", "underlying:"])
def test_a_scope_that_execution_does_not_know(scope: str) -> None:
    state = leading()
    assert "known: underlying:AAA" in unknown_scope(state, scope) and not unknown_scope(state, AAA)
