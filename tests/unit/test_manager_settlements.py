"""A settlement that is told after a round or a proposal moves neither the day's P&L nor an exposure a second time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from common.limits_scopes import DrawdownStop
from common.units import NS_PER_S
from common.universe import Book
from manager.budgets_scopes import below_high
from tests.budgets_world import rounds
from tests.manager_world import FORWARD, NOW_NS, TICK, Desk, limits, universe

WORLD = universe()
CALL = int(np.flatnonzero((WORLD.right == 1) & (WORLD.underlying == 0) & (WORLD.strike < 0.95 * FORWARD[0]))[0])
EXPIRY_NS = NOW_NS + 60 * NS_PER_S


def short_call(lots: int, **more: object) -> Desk:
    """A desk whose opening book is short a call deep in the money that expires in a minute."""
    expiry_ns = WORLD.expiry_ns.copy()
    expiry_ns[CALL] = EXPIRY_NS
    book = Book("book", ("a",), np.array([CALL], np.uint32), np.array([-lots]))
    return Desk(owner={"gamma/SPX": "gamma-0"}, world=replace(WORLD, expiry_ns=expiry_ns), book=book, **more)


@pytest.mark.parametrize("wait_s", [1.0, 1_000.0])
def test_a_settlement_told_after_a_round_is_no_loss_of_the_day(wait_s: float) -> None:
    """The market stands still; 10 lots are paid at their payoff of 162 points, USD 162,000."""
    one = short_call(10, limits=limits(drawdown=DrawdownStop(stop_usd=100_000.0)))
    one.decide()
    one.feed(59.0)
    one.decide()
    one.feed(1.0 + wait_s)
    one.decide()
    assert len(rounds(one)) == (1 if wait_s == 1.0 else 2)
    one.settle(CALL, FORWARD[0])
    assert below_high(one.state, "firm") == pytest.approx(0.0, abs=10 * 100.0 * TICK)
    one.feed(1_000.0)
    one.decide()
    assert rounds(one)[-1].reduce_only == ("",) and rounds(one)[-1].pnl_usd[0] == pytest.approx(0.0, abs=50.0)


def test_a_settlement_does_not_move_what_was_said_after_the_expiry() -> None:
    """Agents count an expired contract as nothing: what they say after the expiry is without it already."""
    one = short_call(20)
    one.propose("gamma-0", {"delta:SPX": 0.0}, {"delta:SPX": 2e5}, menu=[0, CALL])
    one.feed(61.0)
    one.propose("gamma-0", {"delta:SPX": 0.0}, {"delta:SPX": 2e5}, menu=[0])
    one.settle(CALL, FORWARD[0])
    table = one.state.fold.table
    assert table.exposure[table.index["delta:SPX"]] == 0.0 and one.decide() == []


def test_a_settlement_moves_what_was_said_before_the_expiry() -> None:
    """The counterpart: hedged with the contract is unhedged without it, by 20 lots of delta near one."""
    one = short_call(20)
    one.propose("gamma-0", {"delta:SPX": 0.0}, {"delta:SPX": 2e5}, menu=[0, CALL])
    one.feed(61.0)
    one.settle(CALL, FORWARD[0])
    table = one.state.fold.table
    assert table.exposure[table.index["delta:SPX"]] == pytest.approx(20 * 100.0 * FORWARD[0], rel=0.2)


def test_what_was_said_after_the_expiry_and_comes_after_the_settlement_is_not_moved_either() -> None:
    """The contract weighs nothing once it has settled, whatever the proposal knows of positions."""
    one = short_call(20)
    one.propose("gamma-0", {"delta:SPX": 0.0}, {"delta:SPX": 2e5}, menu=[0, CALL])
    version = one.state.fold.ledger.version
    one.feed(61.0)
    one.settle(CALL, FORWARD[0])
    one.propose("gamma-0", {"delta:SPX": 0.0}, {"delta:SPX": 2e5}, menu=[0], position_version=version)
    table = one.state.fold.table
    assert one.state.fold.ledger.version > version and table.exposure[table.index["delta:SPX"]] == 0.0
