"""Settlements worked by hand: index options in cash, E-mini options into the future, a future at its end."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from common.lifecycle import CASH, Outcome, outcomes, price_ticks, settled, settlement_at, settlements
from common.universe import AMERICAN, FUTURE, OPTION, Underlying, Universe

AM_NS, PM_NS, LATER_NS = 1_000, 2_000, 9_000


def universe() -> Universe:
    """0: future; 1-2: call and put 2700, AM; 3: call 2710, AM; 4: call 2700, PM; 5: the same, a month later."""
    expiry = [LATER_NS, AM_NS, AM_NS, AM_NS, PM_NS, LATER_NS + 1]
    return Universe(
        instrument_id=("F", "C2700", "P2700", "C2710", "C2700PM", "C2700L"),
        kind=np.array([FUTURE] + [OPTION] * 5, np.uint8),
        underlying=np.zeros(6, np.uint16),
        expiry_ns=np.array(expiry, np.int64),
        strike=np.array([0.0, 2700.0, 2700.0, 2710.0, 2700.0, 2700.0]),
        right=np.array([0, 1, -1, 1, 1, 1], np.int8),
        style=np.zeros(6, np.uint8),
        multiplier_usd=np.array([50.0] + [100.0] * 5),
        tick_size=np.array([0.25] + [0.05] * 5),
        fee_cents=np.zeros(6, np.int64),
        listed=np.ones(6, np.uint8),
        underlyings=(Underlying("SPX", 0, 0.0, 0.0),),
        covariance_daily=np.eye(1),
    )


def american() -> Universe:
    base = universe()
    style = np.where(base.kind == OPTION, AMERICAN, 0).astype(np.uint8)
    return replace(base, style=style, multiplier_usd=np.full(6, 50.0))


def test_contracts_settle_by_underlying_and_instant_earliest_first() -> None:
    found = settlements(universe())
    assert [(s.settlement_id, s.rows) for s in found] == [
        ("S-SPX-1000", (1, 2, 3)),
        ("S-SPX-2000", (4,)),
        ("S-SPX-9000", (0,)),
        ("S-SPX-9001", (5,)),
    ]
    assert settlement_at(universe(), 2) == found[0]
    assert found[0].reference == 1


def test_index_options_are_paid_in_cash() -> None:
    """SPX at 2705.65: the 2700 call pays 5.65 points, 565 USD a lot; put and 2710 call end worthless."""
    u = universe()
    am = settlements(u)[0]
    price = price_ticks(u, am, 2705.63)
    assert price == 54_113  # 2705.65 on the 0.05 grid
    assert outcomes(u, am, price) == (Outcome(1, 113), Outcome(2, 0), Outcome(3, 0))
    assert 113 * 5 == 565  # a tick of 0.05 points and 100 USD is 5 USD
    below = outcomes(u, am, price_ticks(u, am, 2690.0))
    assert [(o.value_ticks, o.future) for o in below] == [(0, CASH), (200, CASH), (0, CASH)]


def test_options_on_the_future_become_the_future_at_the_strike() -> None:
    """Long 3 calls 2700 and short 2 puts... at 2705.65 the calls are exercised: 3 futures bought at 2700, worth 5.65 each."""
    u = american()
    am = settlements(u)[0]
    call, put, other = outcomes(u, am, price_ticks(u, am, 2705.65))
    assert call == Outcome(1, 113, 0, 1, 10_800) and put == Outcome(2, 0) and other == Outcome(3, 0)
    change, lots = settled(np.array([7, 3, -2, 0, 0, 0], np.int64), call)
    assert lots == 3 and change.tolist() == [3, -3, 0, 0, 0, 0]
    _, put, _ = outcomes(u, am, price_ticks(u, am, 2690.0))
    assert put == Outcome(2, 200, 0, -1, 10_800)
    # Short 2 puts: assigned, 2 futures bought at 2700.
    assert settled(np.array([7, 0, -2, 0, 0, 0], np.int64), put)[0].tolist() == [2, 0, 2, 0, 0, 0]


def test_at_the_money_nothing_is_exercised() -> None:
    u = american()
    am = settlements(u)[0]
    assert {o.value_ticks for o in outcomes(u, am, price_ticks(u, am, 2700.0))[:2]} == {0}


def test_a_future_is_paid_at_its_end_and_cannot_be_delivered_any_more() -> None:
    u = american()
    end = settlements(u)[2]
    assert outcomes(u, end, price_ticks(u, end, 2705.65)) == (Outcome(0, 10_823),)  # 2705.75 on the quarter grid
    late = settlements(u)[3]  # its future has settled before: cash
    assert outcomes(u, late, price_ticks(u, late, 2701.0))[0].future == CASH


def test_options_of_another_size_than_the_future_are_paid() -> None:
    u = replace(american(), multiplier_usd=universe().multiplier_usd)
    am = settlements(u)[0]
    assert outcomes(u, am, price_ticks(u, am, 2705.65))[0].future == CASH
